"""Events from files: as EventBridge delivers them, or as PutEvents takes them."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from signalbox.cli.console import short
from signalbox.definitions.places import Document
from signalbox.definitions.sayable import DEPTH, check_sayable
from signalbox.model import Event, Sample
from signalbox.runtime.text import printable
from signalbox.samples import ENVELOPE, NoExampleError, sample_event

_BYTES = 16 * 1024 * 1024
_SHOWN = 60
_KEYS = 200
_DIGITS = 4_000
"""Digits of a whole number that Python reads by default, nearly: https://docs.python.org/3/library/stdtypes.html"""


@dataclass(frozen=True, slots=True)
class Given:
    """An event that somebody gave us: `value` to be looked at, `text` to be matched.

    Matching sees more of the text than of the value: keys that are written twice, and the digits of numbers.
    """

    value: dict[str, Any]
    text: str


def read_events(path: Path, kind: Event | None = None) -> list[Given]:
    """The events in the JSON file at `path` (`-`: standard input): one, or a list, of events or PutEvents entries; of
    `kind`, where that is given, just details of such events.

    Raises click.ClickException with what is wrong and what is allowed.
    """
    name = "standard input" if str(path) == "-" else str(path)
    try:
        text = sys.stdin.read(_BYTES) if str(path) == "-" else path.read_text("utf-8")
    except OSError as error:
        raise click.ClickException(f"{name}: cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise click.ClickException(f"{name}: is not UTF-8: {error}") from error
    text = text.removeprefix("\ufeff")
    value = _value(text, name)
    texts = list(_elements(text)) if isinstance(value, list) else [text]
    if not texts:
        raise click.ClickException(f"{name}: there is no event in it")
    places = [f"{name}, event {number}" for number in range(1, len(texts) + 1)]
    if kind is not None:
        return [_of_detail(each, kind, where) for each, where in zip(texts, places, strict=True)]
    return [_event(each, where) for each, where in zip(texts, places, strict=True)]


def _value(text: str, where: str) -> Any:
    """The value of a JSON text. Raises click.ClickException for what is none, or cannot be matched."""
    try:
        value = _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise click.ClickException(f"{where}:{error.lineno}: no valid JSON: {error.msg}") from error
    except RecursionError as error:
        raise click.ClickException(f"{where}: this is nested deeper than {DEPTH} levels") from error
    if unsayable := check_sayable(Document(value)):
        raise click.ClickException(f"{where}: {unsayable[0]}")
    return value


def _whole(digits: str) -> int | float:
    """A number of more digits than Python reads is beyond float64, too: infinite, which is then said of its place."""
    return int(digits) if len(digits) <= _DIGITS else float(digits)


_DECODER = json.JSONDecoder(parse_int=_whole)


def _elements(text: str) -> Iterator[str]:
    """The text of each element of a JSON array that has been read before."""
    at = text.index("[") + 1
    while (at := _space(text, at)) < len(text) and text[at] != "]":
        _, end = _DECODER.raw_decode(text, at)
        yield text[at:end]
        at = _space(text, end)
        at += text[at] == ","


def _space(text: str, at: int) -> int:
    """Where the JSON text goes on after white space."""
    while at < len(text) and text[at] in " \t\n\r":
        at += 1
    return at


def _event(text: str, where: str) -> Given:
    value = _value(text, where)
    if isinstance(value, Mapping) and "DetailType" in value:
        text = _of_entry(value, where)
        value = _value(text, where)
    if not isinstance(value, Mapping) or not {"source", "detail-type", "detail"} <= value.keys():
        keys = ", ".join(list(value)[:10]) if isinstance(value, Mapping) else type(value).__name__
        raise click.ClickException(
            f"{where}: this is no event; got: {printable(keys, _KEYS) or 'nothing'}; allowed: source, detail-type and "
            "detail, or Source, DetailType and Detail as for PutEvents; just a detail with --event"
        )
    for field in ("source", "detail-type"):
        if not isinstance(value[field], str):
            raise click.ClickException(f"{where}: {field} must be text; got: {short(value[field], _SHOWN)}")
    if not isinstance(value["detail"], Mapping):
        raise click.ClickException(f"{where}: detail must be an object; got: {short(value['detail'], _SHOWN)}")
    missing = {key: each for key, each in ENVELOPE.items() if key not in value}
    return Given({**missing, **value}, _with(missing, text))


def _with(members: Mapping[str, Any], text: str) -> str:
    """The JSON text of an object, which is not empty, with more members."""
    return f"{json.dumps(members)[:-1]},{text.lstrip()[1:]}" if members else text


def _of_entry(entry: Mapping[str, Any], where: str) -> str:
    """The text of the event that EventBridge makes of an entry of PutEvents."""
    detail = entry.get("Detail")
    text = detail if isinstance(detail, str) else json.dumps(detail)
    _value(text, f"{where}, Detail")
    event = {"source": entry.get("Source"), "detail-type": entry["DetailType"]}
    if "Resources" in entry:
        event["resources"] = entry["Resources"]
    if "Time" in entry:
        event["time"] = _time(entry["Time"], where)
    return _with(event, f'{{"detail":{text}}}')


def _time(value: Any, where: str) -> str:
    """An entry's `Time`, a timestamp as text (UTC, where it names no zone) or seconds since 1970, as events have it."""
    try:
        if isinstance(value, str):
            time = datetime.fromisoformat(value)
            time = time if time.tzinfo else time.replace(tzinfo=UTC)
        else:
            time = datetime.fromtimestamp(value, UTC)
        return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    except (TypeError, ValueError, OverflowError, OSError) as error:
        raise click.ClickException(
            f"{where}: Time is no timestamp; got: {short(value, _SHOWN)}; allowed: 2026-11-22T14:03:00Z"
        ) from error


def _of_detail(text: str, kind: Event, where: str) -> Given:
    detail = _value(text, where)
    if not isinstance(detail, Mapping):
        raise click.ClickException(f"{where}: a detail must be an object; got: {short(detail, _SHOWN)}")
    try:
        whole = sample_event(kind, Sample(detail))
    except NoExampleError as error:
        raise click.ClickException(f"{where}: {kind.id} cannot be sent with just a detail: {error}") from error
    rest = {key: value for key, value in whole.items() if key != "detail"}
    return Given(whole, _with(rest, f'{{"detail":{text}}}'))
