"""What is particular to EventBridge's *Custom Event Bus - Classic*: its rules, target ids and limits.

`rule_of` is the one function that derives a rule from a route. The Pulumi program, the reconciler and the CLI call it,
so that all of them mean the same rule. Another kind of bus would be a second module like this one.
"""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from signalbox.canonical import canonical, digest
from signalbox.model import ROUTER_KINDS, Event, Json, JsonObject, Retry, Route, route_from_config
from signalbox.names import rule_name
from signalbox.problems import Problem

ROUTER = "router"
"""Target id that a rule's functions and flows share: the Router starts them."""

DEFAULT_BUS = "default"

ROLE_ACTIONS: Mapping[str, Sequence[str]] = {
    "bus": ["events:PutEvents"],
    "state-machine": ["states:StartExecution"],
    "stream": ["kinesis:PutRecord", "kinesis:PutRecords"],
    "api-destination": ["events:InvokeApiDestination"],
}
"""Kinds that EventBridge reaches with a role, and what that role must allow:
https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-identity-based.html#eb-target-permissions"""

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html
TARGETS_PER_RULE = 5
RULES_PER_BUS = 300
WILDCARD_RULES_PER_BUS = 30
PATTERN_LENGTH = 4_096
PATTERN_QUOTA = 2_048
"""Characters of a pattern that an account takes until its quota "Event pattern size" is raised."""
TEMPLATE_LENGTH = 8_192
# https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/ServiceQuotas.html
ITEM_BYTES = 400 * 1024

_MARK = re.compile(r"\[signalbox (?P<stack>\S+) (?P<event>[^/\s]+)/(?P<route>[^\]\s]+)\]")


@dataclass(frozen=True, slots=True)
class RuleTarget:
    """One target of a rule. `id` is the registry name of the destination, or ROUTER."""

    id: str
    input_paths: Mapping[str, str]
    input_template: str | None
    retry: Retry
    message_group: str | None = None
    partition_key: str | None = None


@dataclass(frozen=True, slots=True)
class Rule:
    """An EventBridge rule with all the fields that PutRule would otherwise null."""

    name: str
    event_id: str
    route: str
    pattern: str
    """Canonical JSON text, as the provider keeps it."""
    description: str
    state: str
    """ENABLED or DISABLED: always written."""
    targets: tuple[RuleTarget, ...]


def rule_of(event: Event, route: Route, stack: str) -> Rule:
    """The rule that `route` of `event` is, on the bus of the stack named `stack` (`signalbox:name`)."""
    return Rule(
        name=rule_name(event.id, route.name),
        event_id=event.id,
        route=route.name,
        pattern=canonical(pattern_of(event, route)),
        description=mark(stack, route),
        state="ENABLED" if route.enabled else "DISABLED",
        targets=rule_targets(event, route),
    )


def pattern_of(event: Event, route: Route) -> dict[str, Json]:
    """The whole event pattern of a route: the event's source and detail-type, and what the route adds.

    Its fields are in the order of the rule's text: of two lists on one field EventBridge takes the later.
    """
    pattern: dict[str, Json] = {**route.envelope, "source": list(event.source)}
    if event.detail_type is not None:
        pattern["detail-type"] = list(event.detail_type)
    if route.pattern is not None:
        pattern["detail"] = route.pattern
    return {key: _in_order(pattern[key]) for key in sorted(pattern)}


def _in_order(value: Json) -> Json:
    if isinstance(value, Mapping):
        return {key: _in_order(value[key]) for key in sorted(value, key=str)}
    return [_in_order(each) for each in value] if isinstance(value, list) else value


def rule_targets(event: Event, route: Route) -> tuple[RuleTarget, ...]:
    """The targets of a route's rule: one Router target for all functions and flows, one for each destination."""
    routed = [target.named for target in route.targets if target.kind in ROUTER_KINDS]
    targets = [RuleTarget(ROUTER, {}, router_template(event, route, routed), route.retry)] if routed else []
    for target in route.targets:
        if target.kind not in ROUTER_KINDS:
            targets.append(
                RuleTarget(
                    id=target.name,
                    input_paths=dict(target.input.paths) if target.input else {},
                    input_template=target.input.template if target.input else None,
                    retry=route.retry,
                    message_group=target.message_group,
                    partition_key=target.partition_key,
                )
            )
    return tuple(targets)


def too_many_at_once(event: Event, before: JsonObject, after: Route) -> Problem | None:
    """Why a route cannot go from config `before` to `after` in one step, if so.

    New targets are put before old ones go, so that no event finds the rule without; both together must fit one rule.
    """
    old = [target.id for target in rule_targets(event, route_from_config(event.id, after.name, before))]
    new = [target.id for target in rule_targets(event, after)]
    both = list(dict.fromkeys([*old, *new]))
    if len(both) <= TARGETS_PER_RULE:
        return None
    return Problem(
        code="too-many-at-once",
        what="old and new targets together do not fit the rule, and the new ones are put before the old ones go",
        got=f"{len(both)} targets: {', '.join(both)}",
        allowed=f"{TARGETS_PER_RULE} (functions and flows count as one)",
        fix="make it two changes (more when all five change): the first only takes away some of "
        f"{', '.join(name for name in old if name not in new)}; when that is live, this one",
        path=after.id,
    )


def rules_on_bus(routes: int) -> int:
    """How many of the bus's rules `routes` routes use up: the archive has a managed rule there that counts, too."""
    return routes + 1


def too_many_rules(routes: int, quota: int) -> Problem | None:
    """Why a bus that may have `quota` rules cannot have these routes, if so."""
    if rules_on_bus(routes) <= quota:
        return None
    return Problem(
        code="rules-quota",
        what="there are more rules than the bus may have",
        got=f"{routes} routes and the archive's rule: {rules_on_bus(routes)}",
        allowed=f"{quota} rules on a bus",
        fix="remove routes, or have the quota raised and say so in `signalbox:rules-quota`",
    )


def router_template(event: Event, route: Route, targets: list[dict[str, str]]) -> str:
    """The input template that hands the Router all it must know, so that it reads no store for a valid event.

    The Router receives `{"event": <the event as EventBridge made it>, "route": "<event-id>/<route>",
    "schema": "<hash>", "targets": [{"function": "<name>"} | {"flow": "<name>"}, …]}`. `aws.events.event.json` is
    EventBridge's own variable: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
    """
    head: dict[str, Any] = {"route": route.id, "schema": schema_hash(event.schema), "targets": targets}
    return f"{_TEMPLATE}{canonical(head)[1:]}"


_TEMPLATE = '{"event":<aws.events.event.json>,'


def routed_flows(template: str) -> set[str]:
    """The flows that a rule's `router_template` names; none of any other template."""
    if not template.startswith(_TEMPLATE):
        return set()
    try:
        targets = json.loads(f"{{{template.removeprefix(_TEMPLATE)}")["targets"]
        return {target["flow"] for target in targets if "flow" in target}
    except (KeyError, TypeError, ValueError):
        return set()


def feeds(events: Iterable[Event]) -> dict[str, str]:
    """What must be fetched from foreign buses: the canonical pattern of the feed rule, by the bus's name.

    Events of AWS services (sources `aws.…`) arrive on the account's default bus and nowhere else, those with a
    `from` on that bus. Each feed forwards just the sources that our events name.
    https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-service-event.html
    """
    return {
        bus: canonical({"source": sorted(values, key=canonical)}) for bus, values in sorted(fed_sources(events).items())
    }


def fed_sources(events: Iterable[Event]) -> dict[str, list[Json]]:
    """The sources that each feed forwards, by the name of its foreign bus."""
    sources: dict[str, list[Json]] = {}
    for event in events:
        for source in event.source:
            bus = bus_name(event.from_bus) if event.from_bus else DEFAULT_BUS if of_aws(source) else None
            if bus is not None and source not in sources.setdefault(bus, []):
                sources[bus].append(source)
    return sources


def bus_name(bus: str) -> str:
    """The name of a bus of this account and region, by its name or its ARN."""
    return bus.rpartition(":event-bus/")[2]


def of_aws(source: Json) -> bool:
    """Does a value or matcher of `source` take sources of AWS services, and none but theirs?"""
    if isinstance(source, str):
        return source.startswith(_AWS)
    if not isinstance(source, Mapping) or len(source) != 1:
        return False
    ((operator, value),) = source.items()
    if operator == "prefix" and isinstance(value, Mapping) and len(value) == 1:
        ((operator, value),) = value.items()
    if not isinstance(value, str):
        return False
    if operator == "equals-ignore-case":
        return value.lower().startswith(_AWS)
    return operator in ("prefix", "exactly", "wildcard") and value.startswith(_AWS)


_AWS = "aws."


def feed_name(stack: str, foreign_bus: str | None) -> str:
    """The name of the feed rule on a foreign bus: `<stack>.feed.<hash of the bus's name>`; None: of all, as `…*`."""
    return f"{stack}.feed.{'*' if foreign_bus is None else digest(foreign_bus, 8)}"


def schema_hash(schema: Json) -> str:
    """16 hex digits that name a version of an event's schema."""
    return digest(schema)


def mark(stack: str, route: Route) -> str:
    """The description that says whose rule it is: `[signalbox <stack> <event-id>/<route>]`."""
    return f"[signalbox {stack} {route.id}]"


def read_mark(description: str | None) -> tuple[str, str, str] | None:
    """(stack, event id, route name) of a rule's description, or None when the rule carries no mark of ours."""
    found = _MARK.search(description or "")
    return (found["stack"], found["event"], found["route"]) if found else None
