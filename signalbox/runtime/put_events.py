"""Putting events on the bus: any number of them, each counted until EventBridge has taken it.

PutEvents takes ten entries and less than 1 MB in a call, and answers 200 also when it took only some of them.
https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutEvents.html
"""

import logging
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import random
from time import sleep
from typing import Any, Protocol

from signalbox.runtime.aws import calls
from signalbox.runtime.errors import Refused, Unavailable
from signalbox.runtime.text import from_text, size

logger = logging.getLogger(__name__)

CALL_ENTRIES = 10
CALL_BYTES = 1_000_000
"""What several entries of one call may have together: below 1 MB, whichever megabyte is meant."""
ENTRY_BYTES = 1_048_575
"""What no entry may exceed: one that is above CALL_BYTES is sent alone, and EventBridge decides."""
ROUNDS = 5
FIRST_PAUSE_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Entry:
    """An event to be: `detail` is the text of a JSON object."""

    source: str
    detail_type: str
    detail: str

    @property
    def size(self) -> int:
        """Bytes, by EventBridge's own count:
        https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevents.html#eb-putevent-size"""
        return size(self.source) + size(self.detail_type) + size(self.detail)

    def event(self) -> dict[str, Any]:
        """The entry as the event that it would have become, for the queue `undelivered`."""
        return {"source": self.source, "detail-type": self.detail_type, "detail": from_text(self.detail)}


@dataclass(frozen=True, slots=True)
class Failure:
    """An entry that was not taken: `code` and `message` are those of its last attempt."""

    entry: Entry
    code: str
    message: str


class Bus(Protocol):
    """Where entries go."""

    def put(self, entries: Sequence[Entry]) -> Sequence[tuple[str, str] | None]:
        """One call: for each entry None, or (code, message) of why it was not taken. Raises Refused, Unavailable."""
        ...


class AwsBus:
    """The event bus `name` through a botocore EventBridge client."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, entries: Sequence[Entry]) -> list[tuple[str, str] | None]:
        """One PutEvents call."""
        with calls():
            answer = self._client.put_events(
                Entries=[
                    {
                        "EventBusName": self._name,
                        "Source": entry.source,
                        "DetailType": entry.detail_type,
                        "Detail": entry.detail,
                    }
                    for entry in entries
                ]
            )
        return [_refusal(result) for result in answer["Entries"]]


def chunks(entries: Iterable[Entry]) -> Iterator[list[Entry]]:
    """`entries`, in order, in groups that one call takes."""
    group: list[Entry] = []
    total = 0
    for entry in entries:
        length = entry.size
        if group and (len(group) == CALL_ENTRIES or total + length > CALL_BYTES):
            yield group
            group, total = [], 0
        group.append(entry)
        total += length
    if group:
        yield group


def put_all(
    bus: Bus,
    entries: Sequence[Entry],
    *,
    in_time: Callable[[], bool] = lambda: True,
    pause: Callable[[float], None] = sleep,
    jitter: Callable[[], float] = random,
) -> list[Failure]:
    """Put `entries` on the bus; what a call does not take is sent again, alone, up to ROUNDS times in all.

    Gives what was not taken in the end: nothing is dropped and nothing is raised for it. No call is made once `in_time`
    says no.
    """
    failed = [
        Failure(entry, "TooLarge", f"{entry.size} bytes; EventBridge takes {ENTRY_BYTES}")
        for entry in entries
        if entry.size > ENTRY_BYTES
    ]
    waiting = [entry for entry in entries if entry.size <= ENTRY_BYTES]
    again: list[Failure] = []
    for attempt in range(ROUNDS):
        if attempt:
            pause(FIRST_PAUSE_SECONDS * 2 ** (attempt - 1) * (1 + jitter()) / 2)
        again = []
        for group in chunks(waiting):
            if not in_time():
                again += [Failure(entry, "OutOfTime", "no time was left to send it") for entry in group]
                continue
            try:
                results = bus.put(group)
            except Refused as error:
                failed += [Failure(entry, error.code, error.message) for entry in group]
            except Unavailable as error:
                again += [Failure(entry, error.code, error.message) for entry in group]
            else:
                again += [
                    Failure(entry, *result) for entry, result in zip(group, results, strict=True) if result is not None
                ]
        if not again or not in_time():
            break
        logger.warning("%d of %d events are not taken yet: %s", len(again), len(entries), again[0].code)
        waiting = [failure.entry for failure in again]
    return failed + again


def _refusal(result: Mapping[str, Any]) -> tuple[str, str] | None:
    if "ErrorCode" not in result:
        return None
    return result["ErrorCode"], result.get("ErrorMessage", "")
