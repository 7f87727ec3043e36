"""What the stack can reach, and what would come back to it: buses, and the places that ARNs name."""

from collections.abc import Iterator, Mapping, Sequence

from signalbox import classic
from signalbox.definitions.arns import read_arn
from signalbox.definitions.context import Sources, Stack
from signalbox.definitions.overlaps import overlap
from signalbox.definitions.places import Document
from signalbox.model import Definitions, Destination, Event, Json, Route
from signalbox.problems import Problem

_BUS = "event-bus/"
_OF_OTHER_ACCOUNTS = frozenset(("execute-api", "kinesis", "lambda", "sns", "sqs"))
"""Services to which EventBridge delivers in another account, in the same Region:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-cross-account.html"""


def reach_problems(definitions: Definitions, sources: Sources, stack: Stack) -> Iterator[Problem]:
    """Destinations and foreign buses that the stack cannot use, and routes whose events would come back for ever."""
    for destination in definitions.destinations.values():
        yield from _destination_problems(destination, sources.destinations, stack)
    for event in definitions.events.values():
        yield from _foreign_bus_problems(event, sources.events[event.id], stack)
    fed = classic.fed_sources(definitions.events.values())
    for route in definitions.routes():
        event, document = definitions.events[route.event_id], sources.events[route.event_id].part("routes", route.name)
        for index, bus in _buses(route, definitions.destinations):
            yield from _input_problems(route, index, bus, document, stack)
            yield from _loop_problems(event, index, bus, fed, document, stack)


def _destination_problems(destination: Destination, document: Document, stack: Stack) -> Iterator[Problem]:
    given = (("arn", destination.arn), ("connection", destination.connection), ("role", destination.role))
    for key, arn in given:
        if arn and key == "arn" and _is_own(arn, stack):
            yield document.problem(
                "destination-own-bus",
                "a destination must not be our own bus: its events would come back for ever",
                (destination.name, key),
                got=arn,
                fix="publish another event from a function instead",
            )
        elif arn and (differ := [part for part in _elsewhere(arn, stack) if part not in _may_differ(arn)]):
            yield document.problem(
                "destination-elsewhere",
                f"EventBridge uses no {'target' if key == 'arn' else key} of another {' and '.join(differ)} here",
                (destination.name, key),
                got=arn,
                allowed=", ".join(f"{part} {getattr(stack, part)}" for part in differ),
                fix="send to an event bus there, and let a rule of that bus send on"
                if key == "arn" and "partition" not in differ
                else "",
            )


def _foreign_bus_problems(event: Event, document: Document, stack: Stack) -> Iterator[Problem]:
    if event.from_bus is None:
        return
    if _is_own(event.from_bus, stack):
        yield document.problem(
            "event-from", "events on our own bus need no `from`", ("from",), got=event.from_bus, fix="remove it"
        )
    elif _elsewhere(event.from_bus, stack):
        yield document.problem(
            "event-from",
            "the bus is in another account or region, where the stack can make no rule",
            ("from",),
            got=event.from_bus,
            fix="let a rule there send to our bus, and leave `from` out",
        )


def _buses(route: Route, destinations: Mapping[str, Destination]) -> Iterator[tuple[int, str]]:
    """The targets of a route that are buses: index and ARN."""
    for index, target in enumerate(route.targets):
        destination = destinations.get(target.name)
        if destination and destination.kind == target.kind and destination.arn and _is_bus(destination.arn):
            yield index, destination.arn


def _input_problems(route: Route, index: int, bus: str, document: Document, stack: Stack) -> Iterator[Problem]:
    # https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutTargets.html
    if route.targets[index].input and "account" in _elsewhere(bus, stack):
        yield document.problem(
            "target-input",
            "a bus of another account takes no `input`",
            ("targets", index, "input"),
            got=bus,
            fix="remove it, or publish another event from a function",
        )


def _loop_problems(
    event: Event, index: int, bus: str, fed: Mapping[str, Sequence[Json]], document: Document, stack: Stack
) -> Iterator[Problem]:
    """The feed of a foreign bus takes every event of its sources, also those that a route has sent there. EventBridge
    sends them round, or drops them on the way between buses of one Region.

    A warning where a file does not say whether it is the same bus, or the source the same."""
    for foreign, sources in fed.items():
        if _is_the_bus(bus, foreign, stack) and overlap(event.source, tuple(sources)) != "no":
            known = bus == event.from_bus or (stack.account and stack.region)
            certain = known and any(each in sources for each in event.source)
            yield document.problem(
                "route-loop",
                f"events from the bus {foreign} {'would' if certain else 'may'} be sent back to it, for ever",
                ("targets", index),
                got=bus,
                fix="take the target out, or publish another event from a function",
                severity="error" if certain else "warning",
            )


def _is_bus(arn: str) -> bool:
    return read_arn(arn).service == "events" and read_arn(arn).resource.startswith(_BUS)


def _is_own(bus: str, stack: Stack) -> bool:
    """Is the bus of this name or ARN ours, as far as we know?"""
    return bool(stack.own_bus) and _is_the_bus(bus, stack.own_bus, stack)


def _is_the_bus(bus: str, name: str, stack: Stack) -> bool:
    """Is `bus`, a name or ARN, the bus `name` of our account and Region, as far as we know?"""
    if not bus.startswith("arn:"):
        return bus == name
    return _is_bus(bus) and read_arn(bus).resource == _BUS + name and not _elsewhere(bus, stack)


def _elsewhere(arn: str, stack: Stack) -> list[str]:
    """In which of partition, Region and account `arn` is not where the stack is, as far as both are known."""
    parts = read_arn(arn)
    return [
        name
        for name in ("partition", "region", "account")
        if getattr(stack, name) and getattr(parts, name) and getattr(parts, name) != getattr(stack, name)
    ]


def _may_differ(arn: str) -> tuple[str, ...]:
    """Where what a destination names need not be where the stack is. A role must be of the same account, or it could
    not be passed: https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html"""
    if _is_bus(arn):
        # https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-cross-region.html
        return "region", "account"
    return ("account",) if read_arn(arn).service in _OF_OTHER_ACCOUNTS else ()
