"""How what lies in `undelivered` is sent again: by the route as it is now, to just what has missed it. Pure.

Of a message nothing is believed but the event, the route's name and which target has missed it; where that is and what
it gets is asked of the store.
"""

import functools
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from signalbox.canonical import digest
from signalbox.classic import ROUTER, of_aws, schema_hash
from signalbox.definitions.arns import read_arn
from signalbox.effective import effective_routes
from signalbox.flows import Names
from signalbox.missed import Missed, StaysError
from signalbox.model import ROUTER_KINDS, Event, JsonObject, Route, Target
from signalbox.patterns import EventError, RuleSet, check
from signalbox.reconcile.wanted import Bus, WantedEvent, WantedRule, wanted
from signalbox.runtime.queues import undelivered
from signalbox.runtime.text import encodable, to_text
from signalbox.schema import SchemaError, Validator, compile_schema
from signalbox.store import RELEASE, StoreSnapshot, event_from_item
from signalbox.transform import NOWHERE, rule_variables, transformed, value_at

_MEND = "python -m signalbox status, then a deploy"


@dataclass(frozen=True, slots=True)
class Part:
    """Some of what a message says: `targets` of `route` that have missed the event."""

    route: str
    targets: tuple[Mapping[str, str], ...]
    missed: Missed

    @property
    def names(self) -> tuple[str, ...]:
        """What people are told of the targets."""
        return _names(self.targets)


@dataclass(frozen=True, slots=True)
class Sending(Part):
    """One event for one target of a rule, of which the Router's may be several of the route.

    `document` is for the Router, by its retry queue: the functions and flows that it is to start. Else `arn` is where
    `text` goes; queues with groups and streams have a `group` and a `key`.
    """

    arn: str = ""
    text: str = ""
    document: JsonObject | None = None
    group: str | None = None
    key: str | None = None

    def run(self, letter: str) -> str:
        """The name of this sending of the message `letter`: the same for a repeat, another for any other."""
        return digest([letter, self.route, *self.names], 64)


@dataclass(frozen=True, slots=True)
class Left(Part):
    """What cannot be sent as things are, and why."""

    why: StaysError

    def document(self) -> JsonObject:
        """A message of our own for `undelivered`, in which nothing else has missed the event."""
        event, targets = self.missed.event, list(self.targets)
        left = undelivered("redrive", str(self.why), route=self.route, targets=targets, event=event)
        return left if self.missed.archived else {**left, "archived": False}


@dataclass(frozen=True, slots=True)
class Plan:
    """What becomes of a message: what is sent, which is something, and what is left of it."""

    sendings: tuple[Sending, ...]
    left: tuple[Left, ...] = ()


@dataclass(frozen=True, slots=True)
class _Live:
    event: Event
    route: Route
    wanted: WantedRule

    def address(self, target: Target) -> Mapping[str, Any]:
        """How the rule sends to a native target, in the API's form; empty where it has none of that name."""
        return next((each for each in self.wanted.targets if each["Id"] == target.name), {})


class LiveRoutes:
    """The routes of a stack as its store says them now."""

    def __init__(self, store: StoreSnapshot, names: Names) -> None:
        self._names = names
        self._released = RELEASE in store.control
        events = wanted(store, Bus(names.stack, names.undelivered_arn))
        self._malformed = {event_id: each.error for event_id, each in events.items() if each.error}
        self._live: dict[str, _Live] = {}
        for live in _live(store, events):
            if problems := check(live.wanted.rule.pattern):
                self._malformed[live.event.id] = str(problems[0])
            else:
                self._live[live.route.id] = live
        self._by_rule = {each.wanted.rule.name: id for id, each in self._live.items()}
        self._patterns = RuleSet({id: each.wanted.rule.pattern for id, each in self._live.items()})
        self._validator = functools.cache(self._compiled)
        self._schemas = {each.event.id: each.event.schema for each in self._live.values()}
        self._router = store.targets.get(ROUTER, {}).get("Arn")
        self._routed = {item["Arn"]: ("function", name) for name, item in store.targets.items() if _is_function(item)}
        self._routed |= {names.machine_arn(flow): ("flow", flow) for flow in store.flows}

    @property
    def stack(self) -> str:
        """`signalbox:name`."""
        return self._names.stack

    def rule(self, route: str) -> str:
        """The name of the rule of `route` (`<event-id>/<route>`). Raises StaysError where no event can go by it."""
        self._refuse_released()
        return self._enabled(route).wanted.rule.name

    def route(self, missed: Missed) -> str:
        """The route by which the event did not come, as far as that is known."""
        return missed.route or self._by_rule.get(missed.rule, "/".join(missed.rule.rsplit(".", 1)))

    def plan(self, missed: Missed) -> Plan:
        """What must be sent so that everything has the event that is to have it. Raises StaysError: nothing can."""
        self._refuse_released()
        try:
            taking = sorted(self._patterns.match(missed.event))
        except EventError as error:
            raise StaysError(f"the event cannot be matched: {error}") from error
        if missed.unfed:
            return self._to_all(taking, missed)
        if route := self.route(missed):
            live = self._enabled(route)
            if route not in taking:
                raise StaysError(f"{route} does not take the event any more", "delete the message, or edit the route")
            return self._to_some(live, missed)
        return self._to_first([self._live[id] for id in taking], missed)

    def _refuse_released(self) -> None:
        if self._released:
            raise StaysError("the stack is released: it has no rules", "python -m signalbox thaw")

    def _enabled(self, route: str) -> _Live:
        if error := self._malformed.get(route.partition("/")[0]):
            raise StaysError(f"the store's items of {route.partition('/')[0]} cannot be read: {error}", _MEND)
        if route not in self._live:
            raise StaysError(f"there is no route {route}", "bring it back; python -m signalbox status shows all")
        if not self._live[route].route.enabled:
            raise StaysError(f"{route} is disabled", f"python -m signalbox enable {route}")
        return self._live[route]

    def _to_some(self, live: _Live, missed: Missed) -> Plan:
        """To those of a known route's targets that have missed the event. What the route has lost since is left."""
        targets = self._missing(live, missed)
        there = [each.named for each in targets]
        gone = tuple(each for each in missed.targets if each not in there)
        lost = ", ".join(_names(gone)) or missed.arn
        why = StaysError(f"{live.route.id} does not send to {lost} any more", "bring it back, or delete the message")
        if not targets:
            raise why
        left = (Left(live.route.id, gone, missed, why),) if gone else ()
        return Plan(tuple(self._to(live, missed, targets)), left)

    def _to_first(self, candidates: Iterable[_Live], missed: Missed) -> Plan:
        """By the first route that sends to what has missed the event, and can now."""
        why: StaysError | None = None
        for live in candidates:
            if not (targets := self._missing(live, missed)):
                continue
            try:
                self._enabled(live.route.id)
                return Plan(tuple(self._to(live, missed, targets)))
            except StaysError as error:
                why = why or error
        if why is None and self._malformed:
            why = StaysError("no route is known that sends the event there", _MEND)
        raise why or StaysError("no route sends the event to what has missed it any more", "delete the message")

    def _to_all(self, taking: Iterable[str], missed: Missed) -> Plan:
        """To everything that would have the event, had it come to our bus."""
        if self._malformed:
            broken = ", ".join(self._malformed)
            raise StaysError(f"the store's items of {broken} cannot be read: their routes may take the event", _MEND)
        sendings: list[Sending] = []
        left: list[Left] = []
        for live in (self._live[id] for id in taking if self._live[id].route.enabled):
            routed = [each for each in live.route.targets if each.kind in ROUTER_KINDS]
            others = [[each] for each in live.route.targets if each.kind not in ROUTER_KINDS]
            for targets in filter(None, [routed, *others]):
                try:
                    sendings += self._to(live, missed, targets)
                except StaysError as why:
                    left.append(Left(live.route.id, tuple(each.named for each in targets), missed, why))
        if not sendings:
            raise left[0].why if left else StaysError("no route takes the event", "make or enable one, or delete it")
        return Plan(tuple(sendings), tuple(left))

    def _missing(self, live: _Live, missed: Missed) -> list[Target]:
        """Those of a route's targets that have missed the event."""
        targets = live.route.targets
        if missed.targets:
            return [each for each in targets if each.named in missed.targets]
        if missed.arn == self._router:
            return [each for each in targets if each.kind in ROUTER_KINDS]
        if not missed.rule:
            return [each for each in targets if (each.kind, each.name) == self._routed.get(missed.arn)]
        native = [each for each in targets if each.kind not in ROUTER_KINDS]
        return [each for each in native if live.address(each).get("Arn") == missed.arn]

    def _to(self, live: _Live, missed: Missed, targets: list[Target]) -> list[Sending]:
        if live.wanted.missing:
            raise StaysError(f"{live.route.id} waits for {', '.join(live.wanted.missing)}", _MEND)
        routed = tuple(each.named for each in targets if each.kind in ROUTER_KINDS)
        sendings = [self._by_router(live, missed, routed)] if routed else []
        return [*sendings, *(self._direct(live, missed, each) for each in targets if each.kind not in ROUTER_KINDS)]

    def _by_router(self, live: _Live, missed: Missed, targets: tuple[Mapping[str, str], ...]) -> Sending:
        if faults := self._validator(live.event.id).errors(missed.event["detail"]):
            raise StaysError(
                f"the detail does not fit the schema of {live.event.id}: {faults[0]}",
                "mend the schema and deploy it, or delete the message",
            )
        document: JsonObject = {
            "event": missed.event,
            "route": live.route.id,
            "schema": schema_hash(live.event.schema),
            "targets": list(targets),
        }
        # A rule's call of the Router that seemed to fail may have come through, under no name of a run.
        run = "" if missed.rule else missed.run
        if run is not None:
            document = {**document, "run": run}
        return Sending(live.route.id, targets, missed, document=document)

    def _compiled(self, event_id: str) -> Validator:
        try:
            return compile_schema(self._schemas[event_id])
        except SchemaError as error:
            raise StaysError(f"the schema of {event_id} cannot be used: {error}", _MEND) from error

    def _direct(self, live: _Live, missed: Missed, target: Target) -> Sending:
        event, name = missed.event, f"{target.kind} {target.name}"
        address = live.address(target)
        arn, rule, made = address["Arn"], live.wanted.rule.name, address.get("InputTransformer")
        if why := _only_by_eventbridge(arn, event, transformed=made is not None):
            again = f"python -m signalbox replay {live.route.id} --from …"
            by_hand = "our archive has not got the event: call the target by hand, then delete the message"
            raise StaysError(f"{name}: {why}", again if missed.archived else by_hand)
        text = to_text(event)
        if made:
            variables = rule_variables(self._names.rule_arn(rule), rule, event.get("time", ""))
            text = transformed(made.get("InputPathsMap", {}), made["InputTemplate"], event, variables)
        path = target.partition_key
        key = event["id"] if path is None else value_at(event, path)
        if key is NOWHERE:
            raise StaysError(f"{name}: the event has no {path}, the partition key", "edit the route")
        return Sending(
            live.route.id,
            (target.named,),
            missed,
            arn=arn,
            text=encodable(text),
            group=target.message_group,
            key=key if isinstance(key, str) else to_text(key),
        )


def _live(store: StoreSnapshot, events: Mapping[str, WantedEvent]) -> Iterator[_Live]:
    for event_id, found in events.items():
        if not found.rules:
            continue
        event = event_from_item(store.events[event_id])
        for name, route in effective_routes(event, found.routes).items():
            yield _Live(event, route, found.rules[name])


def _is_function(item: Mapping[str, Any]) -> bool:
    return item["Kind"] == "function" and bool(item.get("Arn"))


def _names(targets: Iterable[Mapping[str, str]]) -> tuple[str, ...]:
    return tuple(f"{kind} {name}" for each in targets for kind, name in each.items())


DIRECT = frozenset(("firehose", "kinesis", "lambda", "logs", "sns", "sqs", "states"))
"""Services whose own calls give a target what EventBridge would give it."""


def _only_by_eventbridge(arn: str, event: JsonObject, *, transformed: bool) -> str:
    """Why nobody but EventBridge can give the event to what has this ARN; empty: its own service can."""
    there = read_arn(arn)
    if there.service in DIRECT:
        return ""
    if there.service != "events" or not there.resource.startswith("event-bus/") or transformed:
        return "only EventBridge sends there"
    return "only AWS and its partners put such events on a bus" if of_aws(event["source"]) else ""
