"""What lies in `undelivered`, and how it is sent again: by the route as it is now, to just what has missed it. Pure.

Of a message nothing is believed but the event, the route's name and which target has missed it; where that is and what
it gets is asked of the store. The forms of messages are those of docs/operations.md.
"""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from signalbox.classic import ROUTER, feed_name, of_aws, schema_hash
from signalbox.definitions.arns import read_arn
from signalbox.effective import effective_routes
from signalbox.flows import Names
from signalbox.model import ROUTER_KINDS, Event, JsonObject, Route, Target
from signalbox.patterns import EventError, RuleSet
from signalbox.reconcile.wanted import Bus, WantedRule, wanted
from signalbox.runtime.text import from_text, to_text
from signalbox.schema import compile_schema
from signalbox.store import StoreSnapshot, event_from_item
from signalbox.transform import NOWHERE, transformed, value_at

_AGAIN = "python -m signalbox replay"


class StaysError(ValueError):
    """An event that cannot be sent again, or not as things are: what is in the way, and what helps (may be empty)."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Missed:
    """What a message says. `reason` is its sender's code for why, `event` the event as EventBridge made it.

    Of `route` (`<event-id>/<route>`) and `rule` (a rule's name) at most one is known. What missed the event are
    `targets` (`{"function": name}`, `{"flow": name}`), or what has the ARN `arn`: a rule's target, a function, a state
    machine. `unfed`: it never came from its foreign bus to ours.
    """

    event: JsonObject
    reason: str
    route: str = ""
    rule: str = ""
    targets: tuple[Mapping[str, str], ...] = ()
    arn: str = ""
    unfed: bool = False


@dataclass(frozen=True, slots=True)
class Sending:
    """One event for one target of a rule. `names` say to people what it is, `text` is what the target receives.

    `document` is for the Router, by its retry queue: the functions and flows that it is to start. Else `arn` is where
    the text goes; queues with groups and streams have a `group` and a `key`.
    """

    route: str
    names: tuple[str, ...]
    arn: str
    text: str
    event: JsonObject
    document: JsonObject | None = None
    group: str | None = None
    key: str | None = None


def read_message(body: Any, attributes: Mapping[str, str], stack: str) -> Missed:
    """What the message of this body (parsed, where it is JSON) and these attributes says, in the queue of `stack`.

    Raises StaysError where it holds no event that a route could be asked about.
    """
    if not isinstance(body, Mapping):
        raise StaysError("not a message that Signalbox or AWS puts here")
    if "RULE_ARN" in attributes:
        return _of_eventbridge(body, attributes, stack)
    if "requestContext" in body:
        return _of_lambda(body)
    if body.get("source") == "aws.states" and "executionArn" in _mapping(body.get("detail")):
        return _of_step_functions(_mapping(body["detail"]))
    if body.get("Type") == "Notification":
        raise StaysError("a message of a topic that its function did not take", "publish it on the topic again")
    return _of_router(body, str(body.get("reason", "retries-failed")))


def _of_eventbridge(body: Mapping[str, Any], attributes: Mapping[str, str], stack: str) -> Missed:
    """A dead letter: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""
    bus, _, rule = attributes["RULE_ARN"].partition(":rule/")[2].rpartition("/")
    reason = attributes.get("ERROR_CODE", "undelivered")
    if rule.startswith(feed_name(stack, None).rstrip("*")):
        return Missed(_event(body), reason, unfed=True)
    if bus != stack:
        raise StaysError(f"the rule {rule} is no route's", "it works again by itself when its time comes")
    return Missed(_event(body), reason, rule=rule, arn=attributes.get("TARGET_ARN", ""))


def _of_lambda(body: Mapping[str, Any]) -> Missed:
    """A function failed for good: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    context, payload = _mapping(body["requestContext"]), _mapping(body.get("requestPayload"))
    reason = str(_mapping(body.get("responsePayload")).get("errorType") or context.get("condition", "failed"))
    if "route" in payload:
        return _of_router(payload, reason)
    name = str(context.get("functionArn", "")).removesuffix(":$LATEST")
    if not _is_event(payload):
        raise StaysError(f"{name.rpartition(':')[2]} was called with no event", "call it again with requestPayload")
    return Missed(payload, reason, arn=name)


def _of_step_functions(detail: Mapping[str, Any]) -> Missed:
    """A run that ended in silence: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    try:
        event = from_text(detail["input"])
    except (KeyError, TypeError, ValueError):
        raise StaysError(*_input_of(detail["executionArn"])) from None
    return Missed(_event(event), str(detail.get("status", "")), arn=str(detail.get("stateMachineArn", "")))


def _of_router(body: Mapping[str, Any], reason: str) -> Missed:
    """Our own: of the Router, its retry queue, or a flow, which does not know its route."""
    if "event" not in body:
        if "execution" in body:
            raise StaysError(*_input_of(body["execution"]))
        raise StaysError(str(body.get("message", "it holds no event")), "its sender must send it again")
    targets = body.get("targets")
    if not isinstance(targets, list) or not all(isinstance(each, Mapping) and len(each) == 1 for each in targets):
        raise StaysError("it does not say what missed the event")
    return Missed(_event(body["event"]), reason, route=str(body.get("route", "")), targets=tuple(targets))


def _input_of(execution: Any) -> tuple[str, str]:
    return (
        "the event was too large for the message",
        f"it is the input of the run: aws stepfunctions describe-execution --execution-arn {execution}",
    )


def _event(value: Any) -> JsonObject:
    if not _is_event(value):
        raise StaysError("it holds no event of EventBridge")
    return value


def _is_event(value: Any) -> bool:
    texts = ("id", "source", "detail-type")
    return isinstance(value, Mapping) and all(isinstance(value.get(each), str) for each in texts) and "detail" in value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


@dataclass(frozen=True, slots=True)
class _Live:
    event: Event
    route: Route
    wanted: WantedRule


class LiveRoutes:
    """The routes of a stack as its store says them now."""

    def __init__(self, store: StoreSnapshot, names: Names) -> None:
        self._names = names
        self._live = {each.route.id: each for each in _live(store, Bus(names.stack, names.undelivered_arn))}
        self._by_rule = {each.wanted.rule.name: id for id, each in self._live.items()}
        self._patterns = RuleSet({id: each.wanted.rule.pattern for id, each in self._live.items()})
        self._known = {item["Arn"]: (item["Kind"], name) for name, item in store.targets.items() if item.get("Arn")}
        self._known |= {names.machine_arn(flow): ("flow", flow) for flow in store.flows}

    @property
    def stack(self) -> str:
        """`signalbox:name`."""
        return self._names.stack

    def rule(self, route: str) -> str:
        """The name of the rule of `route` (`<event-id>/<route>`). Raises StaysError where it is not live."""
        if route not in self._live:
            raise StaysError(f"there is no route {route}", "python -m signalbox status shows the routes")
        return self._live[route].wanted.rule.name

    def sendings(self, missed: Missed) -> list[Sending]:
        """What must be sent so that everything has the event that is to have it. Raises StaysError."""
        try:
            taking = sorted(self._patterns.match(missed.event))
        except EventError as error:
            raise StaysError(f"the event cannot be matched: {error}") from error
        live = [self._live[id] for id in taking if self._live[id].route.enabled]
        missing = self._missing(missed)
        if missed.unfed:
            found = [sending for each in live for sending in self._to(each, missed.event, missing)]
            if not found:
                raise StaysError("no route takes the event", "delete the message, or make a route")
            return found
        if missed.route or missed.rule:
            live = [self._named(missed, taking)]
        for each in live:
            if found := self._to(each, missed.event, missing):
                return found
        raise StaysError("no route sends the event to what has missed it any more", "delete the message")

    def _named(self, missed: Missed, taking: Collection[str]) -> _Live:
        route = missed.route or self._by_rule.get(missed.rule, "")
        if route not in self._live:
            raise StaysError(f"the route {route or missed.rule} is gone", "delete the message, or bring the route back")
        if route not in taking:
            raise StaysError(f"{route} does not take the event any more", "delete the message, or edit the route")
        if not self._live[route].route.enabled:
            raise StaysError(f"{route} is disabled", f"python -m signalbox enable {route}")
        return self._live[route]

    def _missing(self, missed: Missed) -> Callable[[Target], bool]:
        """Which targets of a route are those that have missed it?"""
        if missed.unfed:
            return lambda target: True  # noqa: ARG005
        if missed.targets:
            return lambda target: {target.kind: target.name} in missed.targets
        kind, name = self._known.get(missed.arn, ("", ""))
        if not kind:
            raise StaysError(f"{missed.arn or 'what missed the event'} is no target of ours any more")
        if kind == ROUTER:
            return lambda target: target.kind in ROUTER_KINDS
        return lambda target: (target.kind, target.name) == (kind, name)

    def _to(self, live: _Live, event: JsonObject, missing: Callable[[Target], bool]) -> list[Sending]:
        targets = [target for target in live.route.targets if missing(target)]
        if targets and live.wanted.missing:
            raise StaysError(f"{live.route.id} waits for {', '.join(live.wanted.missing)}")
        by_id = {each["Id"]: each for each in live.wanted.targets}
        routed = [{each.kind: each.name} for each in targets if each.kind in ROUTER_KINDS]
        sendings = [self._by_router(live, event, routed, by_id[ROUTER]["Arn"])] if routed else []
        native = [each for each in targets if each.kind not in ROUTER_KINDS]
        return [*sendings, *(self._direct(live, event, target, by_id[target.name]) for target in native)]

    def _by_router(self, live: _Live, event: JsonObject, targets: list[dict[str, str]], arn: str) -> Sending:
        if faults := compile_schema(live.event.schema).errors(event["detail"]):
            raise StaysError(
                f"the detail does not fit the schema of {live.event.id}: {faults[0]}",
                "mend the schema and deploy it, or delete the message",
            )
        document = {
            "event": event,
            "route": live.route.id,
            "schema": schema_hash(live.event.schema),
            "targets": targets,
        }
        names = tuple(f"{kind} {name}" for each in targets for kind, name in each.items())
        return Sending(live.route.id, names, arn, "", event, document=document)

    def _direct(self, live: _Live, event: JsonObject, target: Target, address: Mapping[str, Any]) -> Sending:
        arn, rule = address["Arn"], live.wanted.rule.name
        if why := _only_by_eventbridge(arn, event):
            raise StaysError(f"{target.kind} {target.name}: {why}", f"{_AGAIN} {live.route.id} --from …")
        text = to_text(event)
        if made := address.get("InputTransformer"):
            variables = {
                "aws.events.rule-name": rule,
                "aws.events.rule-arn": self._names.rule_arn(rule),
                "aws.events.event.ingestion-time": event.get("time", ""),
            }
            text = transformed(made.get("InputPathsMap", {}), made["InputTemplate"], event, variables)
        path = target.partition_key
        key = event["id"] if path is None else value_at(event, path)
        if key is NOWHERE:
            raise StaysError(f"{target.kind} {target.name}: the event has no {path}, the partition key")
        return Sending(
            live.route.id,
            (f"{target.kind} {target.name}",),
            arn,
            text,
            event,
            group=target.message_group,
            key=str(key),
        )


def _live(store: StoreSnapshot, bus: Bus) -> Iterator[_Live]:
    for event_id, found in wanted(store, bus).items():
        if not found.rules:
            continue
        event = event_from_item(store.events[event_id])
        for name, route in effective_routes(event, found.routes).items():
            yield _Live(event, route, found.rules[name])


DIRECT = frozenset(("firehose", "kinesis", "lambda", "logs", "sns", "sqs", "states"))
"""Services whose own calls give a target what EventBridge would give it."""


def _only_by_eventbridge(arn: str, event: JsonObject) -> str:
    """Why nobody but EventBridge can give the event to what has this ARN; empty: its own service can."""
    there = read_arn(arn)
    if there.service in DIRECT:
        return ""
    if there.service == "events" and there.resource.startswith("event-bus/"):
        return "only AWS and its partners put such events on a bus" if of_aws(event["source"]) else ""
    return "only EventBridge sends there"
