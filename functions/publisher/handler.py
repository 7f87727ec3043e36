"""Ride times from the park's topic, onto the bus: an event for each ride, and one for the whole message."""

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from signalbox.runtime.aws import client
from signalbox.runtime.errors import Unavailable
from signalbox.runtime.put_events import AwsBus, Bus, Entry, put_all
from signalbox.runtime.queues import Queue, undelivered
from signalbox.runtime.router import Queue as QueuePort
from signalbox.runtime.text import clip, from_text, to_text

SOURCE = "themepark.rides"
RESERVE_MILLISECONDS = 30_000
"""The time kept free for telling `undelivered` what the bus did not take."""


@dataclass
class RideTimes:
    """What a message of the ride controller holds: the events to put, and what of it is broken."""

    entries: list[Entry] = field(default_factory=list)
    broken: list[Any] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)


def handle(event: Any, context: Any) -> None:
    """Publish the ride times of an SNS notification."""
    bus = AwsBus(client("events"), os.environ["BUS"])
    queue = Queue(client, os.environ["UNDELIVERED"])

    def in_time() -> bool:
        return context.get_remaining_time_in_millis() > RESERVE_MILLISECONDS

    for record in event["Records"]:
        publish(record["Sns"]["Message"], bus, queue, in_time)


def publish(message: str, bus: Bus, queue: QueuePort, in_time: Callable[[], bool]) -> None:
    """Put all events of `message` on `bus`; what is broken or not taken goes to `queue`, with the reason.

    Raises Unavailable when the bus took nothing at all, so that Lambda tries the whole message again, and what `queue`
    raises.
    """
    times = read(message)
    failures = put_all(bus, times.entries, in_time=in_time)
    if failures and len(failures) == len(times.entries):
        raise Unavailable(failures[0].code, f"none of {len(failures)} events was taken: {failures[0].message}")
    if times.faults:
        text = "a ride-times message that is broken, or the broken part of one"
        queue.send(undelivered("malformed", text, errors=times.faults, input=times.broken))
    for failure in failures:
        text = f"the bus did not take the event: {failure.code}: {failure.message}"
        queue.send(undelivered("not-published", text, event=failure.entry.event()))


def read(message: str) -> RideTimes:
    """The events in `message`: `waitTimes` for each ride, then `waitTimesSummary`; none for a message of another type.

    A ride's detail is the ride as it came, fields that we do not know included.
    """
    try:
        summary = _object(from_text(message), "the message")
        kind = _text(summary, "type")
        if kind != "summary":
            return RideTimes()
        rides = from_text(_text(summary, "msg"))
        if not isinstance(rides, list):
            raise ValueError("msg: a JSON list of rides is needed")
    except ValueError as error:
        return RideTimes(broken=[message], faults=[str(error)])
    times = RideTimes()
    for index, ride in enumerate(rides):
        try:
            _text(_object(ride, "a ride"), "rideId")
        except ValueError as error:
            times.broken.append(ride)
            times.faults.append(f"msg[{index}]: {error}")
        else:
            times.entries.append(Entry(SOURCE, "waitTimes", to_text(ride)))
    times.entries.append(Entry(SOURCE, "waitTimesSummary", message))
    return times


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{what} is no JSON object: {clip(json.dumps(value), 100)}")
    return value


def _text(holder: Mapping[str, Any], key: str) -> str:
    value = holder.get(key)
    if not isinstance(value, str) or not value:
        raise ValueError(f"{key}: a text is needed; got {clip(json.dumps(value), 100)}")
    return value
