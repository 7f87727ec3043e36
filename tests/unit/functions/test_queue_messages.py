"""Every event that EventBridge can make fits a message, and comes out of it as it went in."""

import base64
import gzip
import json
import random
import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lambda_fakes import Sqs

from signalbox.runtime.errors import Refused
from signalbox.runtime.queues import MESSAGE_BYTES, Queue, pack, undelivered, unpack
from signalbox.runtime.text import to_text

LIMIT = 1_048_576


def event_of(text: str) -> dict[str, object]:
    return {"id": "e", "detail": {"text": text}}


def sent(document: dict[str, object]) -> dict[str, object]:
    """What the receiver of `document` reads, through a queue that refuses what SQS refuses."""
    sqs = Sqs()
    Queue(lambda _: sqs, "url").send(document)
    (message,) = sqs.messages["url"]
    return unpack(message["body"], message["attributes"])


@pytest.mark.parametrize(
    "alphabet",
    [string.printable, "".join(map(chr, range(0x4E00, 0x9FFF))), "\uffff\ufffe", '"\\', "𝔸𝔹𐍈", "\ud800a"],
    ids=["ascii", "cjk", "noncharacters", "escapes", "astral", "surrogates"],
)
@pytest.mark.parametrize("reserve", [0, 5_000])
def test_an_event_of_a_megabyte_fits_with_all_that_is_said_of_it(alphabet: str, reserve: int) -> None:
    text = "".join(random.Random(1).choices(alphabet, k=LIMIT))
    bytes_each = len(to_text(text).encode()) / LIMIT
    event = event_of(text[: int((LIMIT - reserve - 2_000) / bytes_each)])
    assert LIMIT - reserve - 10_000 < len(to_text(event).encode()) <= LIMIT
    document = undelivered(
        "invalid",
        "m" * 5_000,
        errors=["e" * 9_000] * 50,
        route="event/route",
        targets=[{"function": "f"}] * 200,
        event=event,
    )
    assert sent(document) == document


def test_a_small_event_stays_readable_in_the_body() -> None:
    message = pack(undelivered("invalid", "text", event=event_of("x")))
    assert json.loads(message["MessageBody"])["event"] == event_of("x")
    assert message["MessageAttributes"] == {"reason": {"DataType": "String", "StringValue": "invalid"}}


@pytest.mark.parametrize(
    "text", ["\uffff", "\ufffe", "\x00\x1f\x7f\x85", "\ud7ff\ue000\U0010ffff", "\ud800"], ids=ascii
)
def test_no_character_of_an_event_is_one_that_sqs_refuses(text: str) -> None:
    document = {"route": "a/b", "event": event_of(text)}
    assert sent(document) == document


@settings(max_examples=60)
@given(st.dictionaries(st.text(), st.text() | st.integers() | st.lists(st.text()), max_size=5))
def test_every_message_comes_out_as_it_went_in(event: dict[str, object]) -> None:
    document = {"route": "a/b", "event": event}
    assert sent(document) == document


def test_a_message_reads_the_same_from_a_lambda_trigger() -> None:
    document = undelivered("invalid", "text", event=event_of("x" * LIMIT))
    message = pack(document)
    packed = message["MessageAttributes"]["event"]["BinaryValue"]
    record = {"event": {"dataType": "Binary", "binaryValue": base64.b64encode(packed).decode()}}
    assert unpack(message["MessageBody"], record) == document


def test_errors_are_bounded_and_say_how_many_more_there_are() -> None:
    document = undelivered("invalid", "m" * 10_000, errors=["e" * 10_000] * 100)
    assert len(document["errors"]) == 21
    assert document["errors"][-1] == "and 80 more"
    assert len(json.dumps(document)) < 20_000


def test_what_cannot_fit_is_refused_and_not_cut() -> None:
    draw = random.Random(1)
    with pytest.raises(Refused):
        pack({"event": "".join(draw.choices(string.printable, k=3 * MESSAGE_BYTES))})


@pytest.mark.parametrize("attribute", [b"no gzip", b"\x1f\x8b", gzip.compress(b"{}", mtime=0)[:10] + b"\xff" * 20])
def test_an_attribute_that_is_not_ours_is_a_value_error(attribute: bytes) -> None:
    with pytest.raises(ValueError):
        unpack("{}", {"event": {"BinaryValue": attribute}})
