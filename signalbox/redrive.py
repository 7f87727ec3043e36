"""How what lies in `undelivered` is sent again: by the route as it is now, to just what has missed it. Pure.

Of a message nothing is believed but the event, the route's name and which target has missed it; where that is and what
it gets is asked of the store.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from signalbox.classic import ROUTER, of_aws, schema_hash
from signalbox.definitions.arns import read_arn
from signalbox.effective import effective_routes
from signalbox.flows import Names
from signalbox.missed import Missed, StaysError
from signalbox.model import ROUTER_KINDS, Event, JsonObject, Route, Target
from signalbox.patterns import EventError, RuleSet
from signalbox.reconcile.wanted import Bus, WantedEvent, WantedRule, wanted
from signalbox.runtime.queues import undelivered
from signalbox.runtime.text import encodable, to_text
from signalbox.schema import SchemaError, compile_schema
from signalbox.store import RELEASE, StoreSnapshot, event_from_item
from signalbox.transform import NOWHERE, transformed, value_at

_AGAIN = "python -m signalbox replay"
_MEND = "python -m signalbox status, then a deploy"


@dataclass(frozen=True, slots=True)
class Sending:
    """One event for one target of a rule. `names` say to people what it is, `text` is what the target receives.

    `document` is for the Router, by its retry queue: the functions and flows that it is to start. `left` is for
    `undelivered`: of an event for several, what cannot have it now. Else `arn` is where the text goes; queues with
    groups and streams have a `group` and a `key`.
    """

    route: str
    names: tuple[str, ...]
    event: JsonObject
    arn: str = ""
    text: str = ""
    document: JsonObject | None = None
    left: JsonObject | None = None
    group: str | None = None
    key: str | None = None

    def run(self, letter: str) -> str:
        """The name of this sending of the message `letter`: the same for a repeat, another for any other."""
        return hashlib.sha256(to_text([letter, self.route, *self.names]).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class _Live:
    event: Event
    route: Route
    wanted: WantedRule

    def address(self, target: str) -> str:
        """The ARN of a native target; empty where it has none of its own in the rule."""
        return next((each["Arn"] for each in self.wanted.targets if each["Id"] == target), "")


class LiveRoutes:
    """The routes of a stack as its store says them now."""

    def __init__(self, store: StoreSnapshot, names: Names) -> None:
        self._names = names
        self._released = RELEASE in store.control
        events = wanted(store, Bus(names.stack, names.undelivered_arn))
        self._malformed = {event_id: each.error for event_id, each in events.items() if each.error}
        self._live = {each.route.id: each for each in _live(store, events)}
        self._by_rule = {each.wanted.rule.name: id for id, each in self._live.items()}
        self._patterns = RuleSet({id: each.wanted.rule.pattern for id, each in self._live.items()})
        self._router = store.targets.get(ROUTER, {}).get("Arn")
        self._routed = {item["Arn"]: ("function", name) for name, item in store.targets.items() if _is_function(item)}
        self._routed |= {names.machine_arn(flow): ("flow", flow) for flow in store.flows}

    @property
    def stack(self) -> str:
        """`signalbox:name`."""
        return self._names.stack

    def rule(self, route: str) -> str:
        """The name of the rule of `route` (`<event-id>/<route>`). Raises StaysError where no event can go by it."""
        return self._enabled(route).wanted.rule.name

    def route(self, missed: Missed) -> str:
        """The route by which the event did not come, as far as that is known."""
        return missed.route or self._by_rule.get(missed.rule, "/".join(missed.rule.rsplit(".", 1)))

    def sendings(self, missed: Missed) -> list[Sending]:
        """What must be sent so that everything has the event that is to have it. Raises StaysError."""
        try:
            taking = sorted(self._patterns.match(missed.event))
        except EventError as error:
            raise StaysError(f"the event cannot be matched: {error}") from error
        if missed.unfed:
            return self._to_all(taking, missed.event)
        missing = self._missing(missed)
        if route := self.route(missed):
            live = self._enabled(route)
            if route not in taking:
                raise StaysError(f"{route} does not take the event any more", "delete the message, or edit the route")
            candidates = [live]
        else:
            candidates = [self._live[id] for id in taking]
        return self._to_first(candidates, missed, missing)

    def _enabled(self, route: str) -> _Live:
        if self._released:
            raise StaysError("the stack is released: it has no rules", "python -m signalbox thaw")
        if error := self._malformed.get(route.partition("/")[0]):
            raise StaysError(f"the store's items of {route.partition('/')[0]} cannot be read: {error}", _MEND)
        if route not in self._live:
            raise StaysError(f"there is no route {route}", "bring it back; python -m signalbox status shows all")
        if not self._live[route].route.enabled:
            raise StaysError(f"{route} is disabled", f"python -m signalbox enable {route}")
        return self._live[route]

    def _to_first(
        self, candidates: Iterable[_Live], missed: Missed, missing: Callable[[Target, str], bool]
    ) -> list[Sending]:
        """By the first route that sends to what has missed the event, and can now."""
        why: StaysError | None = None
        for live in candidates:
            targets = [each for each in live.route.targets if missing(each, live.address(each.name))]
            if not targets:
                continue
            try:
                self._enabled(live.route.id)
                return self._to(live, missed.event, targets, missed.run)
            except StaysError as error:
                why = why or error
        if why is None and (self._released or self._malformed):
            why = StaysError("no route is known that sends the event there", _MEND)
        raise why or StaysError("no route sends the event to what has missed it any more", "delete the message")

    def _to_all(self, taking: Iterable[str], event: JsonObject) -> list[Sending]:
        """To everything that would have it, had it come to our bus; what cannot have it is left for another time."""
        found = []
        for live in (self._live[id] for id in taking if self._live[id].route.enabled):
            routed = [each for each in live.route.targets if each.kind in ROUTER_KINDS]
            others = [[each] for each in live.route.targets if each.kind not in ROUTER_KINDS]
            for targets in filter(None, [routed, *others]):
                try:
                    found += self._to(live, event, targets)
                except StaysError as why:
                    found.append(_left(live, event, targets, why))
        if not found:
            raise StaysError("no route takes the event", "delete the message, or make or enable a route")
        return found

    def _missing(self, missed: Missed) -> Callable[[Target, str], bool]:
        """Which targets of a route, by what they are and their ARN, are those that have missed it?"""
        if missed.targets:
            return lambda target, _: {target.kind: target.name} in missed.targets
        if missed.arn == self._router:
            return lambda target, _: target.kind in ROUTER_KINDS
        if not missed.rule:
            return lambda target, _: (target.kind, target.name) == self._routed.get(missed.arn)
        return lambda target, arn: target.kind not in ROUTER_KINDS and arn == missed.arn

    def _to(self, live: _Live, event: JsonObject, targets: list[Target], run: str | None = None) -> list[Sending]:
        if live.wanted.missing:
            raise StaysError(
                f"{live.route.id} waits for {', '.join(live.wanted.missing)}", "python -m signalbox status"
            )
        routed = [{each.kind: each.name} for each in targets if each.kind in ROUTER_KINDS]
        sendings = [self._by_router(live, event, routed, run)] if routed else []
        return [*sendings, *(self._direct(live, event, each) for each in targets if each.kind not in ROUTER_KINDS)]

    def _by_router(self, live: _Live, event: JsonObject, targets: list[dict[str, str]], run: str | None) -> Sending:
        try:
            faults = compile_schema(live.event.schema).errors(event["detail"])
        except SchemaError as error:
            raise StaysError(f"the schema of {live.event.id} cannot be used: {error}", _MEND) from error
        if faults:
            raise StaysError(
                f"the detail does not fit the schema of {live.event.id}: {faults[0]}",
                "mend the schema and deploy it, or delete the message",
            )
        document: JsonObject = {
            "event": event,
            "route": live.route.id,
            "schema": schema_hash(live.event.schema),
            "targets": targets,
        }
        if run is not None:
            document = {**document, "run": run}
        return Sending(live.route.id, _names(targets), event, document=document)

    def _direct(self, live: _Live, event: JsonObject, target: Target) -> Sending:
        address = next(each for each in live.wanted.targets if each["Id"] == target.name)
        arn, rule, made = address["Arn"], live.wanted.rule.name, address.get("InputTransformer")
        if why := _only_by_eventbridge(arn, event, transformed=made is not None):
            raise StaysError(f"{target.kind} {target.name}: {why}", f"{_AGAIN} {live.route.id} --from …")
        text = to_text(event)
        if made:
            variables = {
                "aws.events.rule-name": rule,
                "aws.events.rule-arn": self._names.rule_arn(rule),
                "aws.events.event.ingestion-time": event.get("time", ""),
            }
            text = transformed(made.get("InputPathsMap", {}), made["InputTemplate"], event, variables)
        path = target.partition_key
        key = event["id"] if path is None else value_at(event, path)
        if key is NOWHERE:
            raise StaysError(
                f"{target.kind} {target.name}: the event has no {path}, the partition key", "edit the route"
            )
        return Sending(
            live.route.id,
            (f"{target.kind} {target.name}",),
            event,
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


def _left(live: _Live, event: JsonObject, targets: list[Target], why: StaysError) -> Sending:
    """A message of our own for `undelivered`: just these targets have missed it."""
    missed = [{each.kind: each.name} for each in targets]
    left = undelivered("redrive", str(why), route=live.route.id, targets=missed, event=event)
    return Sending(live.route.id, tuple(f"{name} (stays)" for name in _names(missed)), event, left=left)


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
