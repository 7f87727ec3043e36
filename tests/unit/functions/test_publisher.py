"""The publisher: every ride of every message becomes an event or is kept; nothing else does."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lambda_fakes import Context, Events, Sqs, error, stored

from functions.publisher import handler
from signalbox.runtime.errors import CallError, Unavailable

DEAD = "dead-url"


class World:
    """The publisher's handler and the AWS around it."""

    def __init__(self) -> None:
        self.events, self.sqs = Events(), Sqs()

    def client(self, service: str) -> Any:
        return {"events": self.events, "sqs": self.sqs}[service]

    def receive(self, *messages: str, context: Context | None = None) -> None:
        """The handler's invocation with these SNS messages."""
        (record,) = stored("sns-ride-times.json")["Records"]
        records = [{**record, "Sns": {**record["Sns"], "Message": message}} for message in messages]
        handler.handle({"Records": records}, context or Context())

    def kept(self) -> list[Any]:
        return [json.loads(message["body"]) for message in self.sqs.messages.get(DEAD, [])]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(handler, "client", made.client)
    monkeypatch.setenv("BUS", "park")
    monkeypatch.setenv("UNDELIVERED", DEAD)
    monkeypatch.setattr("signalbox.runtime.put_events.FIRST_PAUSE_SECONDS", 0.0)
    yield made


def summary(rides: Any) -> str:
    return json.dumps({"type": "summary", "msg": json.dumps(rides)})


def ride(number: int, **more: Any) -> dict[str, Any]:
    return {"rideId": f"ride-{number:03}", "inService": True, "wait": number, "lastUpdated": 0, **more}


@pytest.mark.parametrize("name", ["ride-times-1.json", "ride-times-2.json", "ride-times-3.json"])
def test_each_ride_of_the_controllers_messages_is_an_event_and_the_message_is_one(world: World, name: str) -> None:
    message = stored(name)
    world.receive(json.dumps(message))
    assert world.events.details("waitTimes") == json.loads(message["msg"])
    assert len(world.events.details("waitTimes")) == 16
    assert world.events.details("waitTimesSummary") == [message]
    assert {entry["Source"] for entry in world.events.taken} == {"themepark.rides"}
    assert {entry["EventBusName"] for entry in world.events.taken} == {"park"}
    assert world.kept() == []


def test_the_stored_notification_is_published(world: World) -> None:
    handler.handle(stored("sns-ride-times.json"), Context())
    assert [detail["rideId"] for detail in world.events.details("waitTimes")] == ["ride-005", "ride-006"]


def test_250_rides_are_251_events_in_26_calls(world: World) -> None:
    world.receive(summary([ride(number) for number in range(250)]))
    assert len(world.events.calls) == 26
    assert len(world.events.taken) == 251


def test_with_entries_3_and_7_failing_exactly_those_are_sent_again(world: World) -> None:
    world.events.fails = lambda call, _: (3, 7) if call == 0 else ()
    world.receive(summary([ride(number) for number in range(250)]))
    again = [json.loads(entry["Detail"])["rideId"] for entry in world.events.calls[26]]
    assert again == ["ride-003", "ride-007"]
    assert len(world.events.calls) == 27
    assert len(world.events.taken) == 251


def test_fields_that_we_do_not_know_are_kept(world: World) -> None:
    extra = ride(1, queue={"fast": True}, note="é\u2028")
    world.receive(summary([extra]))
    assert world.events.details("waitTimes") == [extra]


@pytest.mark.parametrize("kind", ["alarm", "Summary", "summary "])
def test_messages_of_another_type_are_ignored(world: World, kind: str) -> None:
    world.receive(json.dumps({"type": kind, "msg": "[]"}))
    assert world.events.taken == []
    assert world.kept() == []


@pytest.mark.parametrize(
    "message",
    [
        "no json",
        "",
        "[]",
        "NaN",
        "null",
        "{}",
        '{"type": 3, "msg": "[]"}',
        '{"type": "summary"}',
        '{"type": "summary", "msg": []}',
        '{"type": "summary", "msg": "no json"}',
        '{"type": "summary", "msg": "{}"}',
        '{"type": "summary", "msg": "[NaN]"}',
        '{"type": "summary", "msg": ""}',
        "[" * 100_000,
    ],
    ids=lambda message: message[:40],
)
def test_a_broken_message_is_kept_whole_with_its_fault(world: World, message: str) -> None:
    world.receive(message)
    assert world.events.taken == []
    (kept,) = world.kept()
    assert kept["reason"] == "malformed"
    assert kept["input"] == [message]
    assert len(kept["errors"]) == 1


@pytest.mark.parametrize("broken", [None, 3, "ride", [], {}, {"rideId": ""}, {"rideId": 6}, {"rideId": None}], ids=str)
def test_the_good_rides_of_a_partly_broken_message_are_published_and_the_broken_are_kept(
    world: World, broken: Any
) -> None:
    world.receive(summary([ride(1), broken, ride(2)]))
    assert [detail["rideId"] for detail in world.events.details("waitTimes")] == ["ride-001", "ride-002"]
    assert len(world.events.details("waitTimesSummary")) == 1
    (kept,) = world.kept()
    assert kept["input"] == [broken]
    assert kept["errors"][0].startswith("msg[1]: ")


def test_events_that_the_bus_never_takes_are_kept_one_by_one(world: World) -> None:
    world.events.fails = lambda _, entries: [
        index for index, entry in enumerate(entries) if "ride-002" in entry["Detail"] and "msg" not in entry["Detail"]
    ]
    world.receive(summary([ride(1), ride(2), ride(3)]))
    (kept,) = world.kept()
    assert kept["reason"] == "not-published"
    assert kept["event"] == {"source": "themepark.rides", "detail-type": "waitTimes", "detail": ride(2)}
    assert len(world.events.taken) == 3


def test_a_bus_that_takes_nothing_fails_the_invocation_so_that_lambda_tries_again(world: World) -> None:
    world.events.error = error("InternalException", 500)
    with pytest.raises(Unavailable):
        world.receive(summary([ride(1)]))
    assert world.kept() == []


def test_what_can_be_neither_published_nor_kept_fails_the_invocation(world: World) -> None:
    world.sqs.down = {DEAD}
    with pytest.raises(CallError):
        world.receive("no json")


def test_with_no_time_left_nothing_is_half_done(world: World) -> None:
    with pytest.raises(Unavailable):
        world.receive(summary([ride(1)]), context=Context(1_000))
    assert world.events.calls == []


@given(st.text() | st.builds(json.dumps, st.dictionaries(st.sampled_from(["type", "msg", "x"]), st.text())))
def test_reading_raises_for_no_message(message: str) -> None:
    times = handler.read(message)
    assert not (times.entries and times.broken == [message])


@given(
    st.lists(st.none() | st.text() | st.dictionaries(st.sampled_from(["rideId", "wait"]), st.text() | st.integers()))
)
def test_every_ride_is_an_event_or_broken(rides: list[Any]) -> None:
    times = handler.read(summary(rides))
    published = [json.loads(entry.detail) for entry in times.entries if entry.detail_type == "waitTimes"]
    assert len(published) + len(times.broken) == len(rides)
    assert len(times.broken) == len(times.faults)
    assert all(each in rides for each in published + times.broken)
