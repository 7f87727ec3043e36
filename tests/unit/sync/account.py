"""An account that behaves, with a table and a bus, for tests of what writes rules."""

from collections import Counter
from random import Random
from typing import Any

from signalbox.aws.machines import StepFunctionsMachines
from signalbox.aws.rules import EventBridgeRules
from signalbox.aws.store import DynamoStore
from signalbox.effective import Override, RouteEdit
from signalbox.flows import Names
from signalbox.model import Event, route_from_config
from signalbox.reconcile import Bus, Plant, Reconciler, Report
from signalbox.store import event_item, target_item, to_attributes
from tests.simulation.cloud import Cloud, DynamoClient, EventsClient, StatesClient
from tests.simulation.faults import Faults
from tests.simulation.scheduling import Scheduler

DLQ = "arn:aws:sqs:eu-central-1:1:dev-undelivered"
PLANT = Plant(
    Names("dev", "eu-central-1", "1", "https://sqs.eu-central-1.amazonaws.com/1/dev-undelivered"),
    "arn:aws:iam::1:role/dev-flows",
    "arn:aws:logs:eu-central-1:1:log-group:flows:*",
)
AT = "2026-11-22T14:03:05Z"


class Clock:
    """Time that passes by `step` seconds at every look at it."""

    def __init__(self, step: float = 0.0) -> None:
        self.time = 1_790_000_000.0
        self.step = step

    def now(self) -> float:
        self.time += self.step
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


class Metrics:
    """The numbers of the last run."""

    def __init__(self) -> None:
        self.values: dict[str, float] = {}

    def put(self, values: Any) -> None:
        self.values = dict(values)


class Stack:
    """A table and a bus, filled as a deploy fills them."""

    def __init__(self, events: dict[str, dict[str, Any]], page: int = 100, name: str = "dev") -> None:
        self.name = name
        rng = Random(0)
        self.cloud = Cloud(
            rng, Scheduler(rng, 0), Faults(rng, 0, Counter()), page=page, quota=1000, ticks_of_staleness=1
        )
        self.dynamo, self.events = DynamoClient(self.cloud), EventsClient(self.cloud)
        self.states = StatesClient(self.cloud)
        self.clock, self.metrics = Clock(), Metrics()
        self.put(target_item("router", "router", arn="arn:router"))
        for name in ("f1", "f2"):
            self.put(target_item(name, "function", arn=f"arn:{name}"))
        for name in (f"t{n}" for n in range(10)):
            self.put(target_item(name, "topic", arn=f"arn:{name}"))
        for event_id, routes in events.items():
            self.declare(event_id, routes)

    def put(self, item: dict[str, Any]) -> None:
        self.dynamo.put_item(Item=to_attributes(item))

    def declare(self, event_id: str, routes: dict[str, Any]) -> None:
        self.put(event_item(event(event_id, routes)))

    def edit(self, event_id: str, revision: int = 1, **routes: RouteEdit) -> None:
        self.put(Override(event_id, revision, AT, "alice", routes).item())

    def run(self, **rest: Any) -> Report:
        self.cloud.calls.clear()
        return Reconciler(
            DynamoStore(self.dynamo, "dev-store"),
            EventBridgeRules(self.events, self.name),
            Bus(self.name, DLQ),
            StepFunctionsMachines(self.states),
            PLANT,
            clock=self.clock,
            metrics=self.metrics,
            jitter=lambda: 0.5,
            **rest,
        ).run()

    def called(self, *operations: str) -> dict[str, int]:
        return {each: count for each, count in Counter(self.cloud.calls).items() if each in operations}

    def targets(self, rule: str) -> list[str]:
        return sorted(self.cloud.targets[rule])


def event(event_id: str, routes: dict[str, Any]) -> Event:
    parsed = {name: route_from_config(event_id, name, config) for name, config in routes.items()}
    return Event(event_id, ("park",), (event_id,), {"type": "object"}, parsed)


def to(*topics: str, **rest: Any) -> dict[str, Any]:
    return {**rest, "targets": [{"topic": topic} for topic in topics]}


def fails(operation: Any, *failures: Exception) -> Any:
    """`operation`, which first raises each of `failures`."""
    left = list(failures)

    def call(**request: Any) -> Any:
        if left:
            raise left.pop(0)
        return operation(**request)

    return call
