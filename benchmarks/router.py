"""What the Router does for an event, against the simplest Router that could be: `python -m benchmarks.router`.

The simplest one validates with jsonschema, its schema read and compiled once, and writes the event as JSON. Ours checks
the message, looks the schema up, validates with formats, and makes the payload of each target. Neither calls AWS. Both
run in turn, one thread, round after round; compared are the best of the rounds.
"""

import argparse
import json
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

import jsonschema

from signalbox.canonical import canonical
from signalbox.classic import schema_hash
from signalbox.runtime.router import Router
from signalbox.runtime.schemas import Schemas, StoredSchema

SCHEMA = {
    "type": "object",
    "required": ["rideId", "inService", "wait", "lastUpdated"],
    "additionalProperties": False,
    "properties": {
        "rideId": {"type": "string", "pattern": "^ride-[0-9]{3}$"},
        "inService": {"type": "boolean"},
        "wait": {"type": "number", "minimum": 0},
        "lastUpdated": {"type": "integer", "minimum": 0},
        "opened": {"type": "string", "format": "date-time"},
        "zone": {"enum": ["north", "south", "east", "west"]},
        "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 10},
        "operator": {
            "type": "object",
            "required": ["id"],
            "properties": {"id": {"type": "string", "minLength": 1}, "shift": {"type": "integer"}},
        },
        "speed": {"oneOf": [{"type": "number"}, {"type": "null"}]},
        "note": {"type": "string", "maxLength": 500},
    },
}
DETAIL = {
    "rideId": "ride-006",
    "inService": False,
    "wait": 25,
    "lastUpdated": 1795392060000,
    "opened": "2026-11-23T08:00:00Z",
    "zone": "north",
    "tags": ["fast", "dark", "wet"],
    "operator": {"id": "op-17", "shift": 2},
    "speed": 61.5,
    "note": "closed after a visual inspection of the lift hill",
}
EVENT = {
    "version": "0",
    "id": "6f87d04b-9f74-4f04-a780-7acf4b0a9b38",
    "detail-type": "waitTimes",
    "source": "themepark.rides",
    "account": "111122223333",
    "time": "2026-11-23T00:01:02Z",
    "region": "eu-west-1",
    "resources": [],
    "detail": DETAIL,
}


class NoTargets:
    """Targets that take everything and do nothing."""

    def start_function(self, name: str, payload: str) -> None:
        """Nothing."""

    def start_flow(self, name: str, run: str, payload: str) -> None:
        """Nothing."""


class NoQueue:
    """A queue that nothing may be sent to: what is measured is the good case."""

    def send(self, document: Mapping[str, Any], delay: int = 0) -> None:
        """Fail loudly."""
        raise AssertionError(document, delay)


def ours() -> Callable[[], None]:
    """The work for one event, with our Router."""
    digest = schema_hash(SCHEMA)
    schemas = Schemas(lambda _: StoredSchema(digest, canonical(SCHEMA)), time.monotonic)
    router = Router(schemas, NoTargets(), NoQueue(), NoQueue(), remaining=lambda: 60_000)
    message = {"event": EVENT, "route": "waitTimes/outages", "schema": digest, "targets": [{"function": "outage"}]}
    return lambda: router.route(message)


def simplest() -> Callable[[], None]:
    """The work for one event, with jsonschema and nothing else."""
    validator = jsonschema.Draft202012Validator(SCHEMA)

    def work() -> None:
        if any(validator.iter_errors(EVENT["detail"])):
            raise AssertionError
        json.dumps(EVENT).encode()

    return work


def per_event(work: Callable[[], None], count: int) -> float:
    """Microseconds of one `work`, over `count` of them."""
    start = time.perf_counter()
    for _ in range(count):
        work()
    return (time.perf_counter() - start) / count * 1e6


def main() -> int:
    """Measure and print; with `--check` exit 1 where ours is not the faster one."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    cases = {"signalbox": (ours(), 2_000), "jsonschema": (simplest(), 200)}
    best = dict.fromkeys(cases, float("inf"))
    for _ in range(options.rounds):
        for case, (work, count) in cases.items():
            best[case] = min(best[case], per_event(work, count))
    for case, took in best.items():
        print(f"{case:12} {took:8.1f} µs an event  {1e6 / took:9,.0f} events/s")
    print(f"jsonschema takes {best['jsonschema'] / best['signalbox']:.1f} times as long")
    return 1 if options.check and best["signalbox"] >= best["jsonschema"] else 0


if __name__ == "__main__":
    sys.exit(main())
