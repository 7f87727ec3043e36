"""A ride that is closed, made an outage: told once in three minutes, with what may have stopped the ride."""

import json
import os
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from random import Random
from typing import Any

from signalbox.runtime.aws import client
from signalbox.runtime.errors import Unavailable
from signalbox.runtime.once import AwsMemory, Once
from signalbox.runtime.put_events import AwsBus, Bus, Entry, put_all
from signalbox.runtime.text import to_text

SOURCE = "themepark.rides"
QUIET_SECONDS = 180
"""A closed ride reports every minute; staff hear of it again after this."""

Cause = Mapping[str, str]
UNKNOWN: Cause = {"type": "Warning", "description": "Unknown cause"}

CAUSES: Mapping[str, Sequence[Cause]] = {
    ride["rideId"]: ride["causes"] for ride in json.loads((Path(__file__).parent / "rides.json").read_text())
}


def handle(event: Any, context: Any) -> None:
    """Publish an `outage` for the `waitTimes` event of a closed ride."""
    tell(
        event,
        Once(AwsMemory(client("dynamodb"), os.environ["STATE"], "outage"), now=_now),
        AwsBus(client("events"), os.environ["BUS"]),
        context.get_remaining_time_in_millis(),
    )


def tell(
    event: Any,
    once: Once,
    bus: Bus,
    lease: int,
    now: Callable[[], int] = lambda: _now(),
    choose: Callable[[Sequence[Cause]], Cause] | None = None,
) -> None:
    """Put the outage of the event's ride on `bus`, unless one was put in the last QUIET_SECONDS.

    `lease`: the milliseconds that this worker may take. The cause is drawn by the event's id, so that a second try says
    what the first one said; `choose` draws otherwise. Raises Unavailable when the bus does not take the outage: the
    ride is then not remembered, and Lambda tries again.
    """
    ride = event["detail"]
    draw = choose or Random(event["id"]).choice

    def publish() -> None:
        entry = Entry(SOURCE, "outage", to_text(outage(ride, now(), draw)))
        for failure in put_all(bus, [entry]):
            raise Unavailable(failure.code, f"the outage of {ride['rideId']} was not published: {failure.message}")

    once.act(ride["rideId"], event["id"], QUIET_SECONDS, lease, publish)


def outage(ride: Mapping[str, Any], now: int, draw: Callable[[Sequence[Cause]], Cause]) -> dict[str, Any]:
    """The detail of the `outage` event of a closed ride; `now` in epoch milliseconds."""
    causes = CAUSES.get(ride["rideId"])
    return {
        "rideId": ride["rideId"],
        "lastAlert": now,
        **(draw(causes) if causes else UNKNOWN),
        "timeToResolution": ride["wait"],
    }


def _now() -> int:
    return time.time_ns() // 1_000_000
