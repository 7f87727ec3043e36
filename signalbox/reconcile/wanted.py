"""What the rules must be, from the items of the store. Pure."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from signalbox.canonical import digest
from signalbox.classic import Rule, RuleTarget, rule_of
from signalbox.effective import EffectiveRoute, effective_routes, override_from_item, stored
from signalbox.model import Route
from signalbox.store import RELEASE, StoreSnapshot, event_from_item


@dataclass(frozen=True, slots=True)
class Bus:
    """Which rules this is about: `stack` is `signalbox:name`, as their marks say; `undelivered` is the ARN of the
    dead-letter queue of every target."""

    stack: str
    undelivered: str


@dataclass(frozen=True)
class WantedRule:
    """A rule as it must be. `targets` are in the API's form; `missing` names targets that are not there: such a rule
    cannot be made, and the one that is there stays as it is."""

    rule: Rule
    targets: tuple[dict[str, Any], ...]
    missing: tuple[str, ...] = ()

    @cached_property
    def digest(self) -> str:
        """16 hex digits that name this very rule with these very targets."""
        return digest([self.rule.pattern, self.rule.state, self.rule.description, list(self.targets)])


@dataclass(frozen=True, slots=True)
class WantedEvent:
    """The rules of one event, by route. `error` not empty: its items are malformed and its rules must be left alone."""

    event_id: str
    revision: int = 0
    rules: Mapping[str, WantedRule] = field(default_factory=dict)
    routes: Mapping[str, EffectiveRoute] = field(default_factory=dict)
    error: str = ""


def wanted(store: StoreSnapshot, bus: Bus, absent: Mapping[str, str] | None = None) -> dict[str, WantedEvent]:
    """Every declared or edited event with the rules that it must have; released, no event has any.

    `absent` are flows that have no state machine, each with the reason: no rule can be made that sends to them.
    """
    ids = sorted({*store.events, *store.overrides})
    return {event_id: _event(event_id, store, bus, absent or {}) for event_id in ids}


def _event(event_id: str, store: StoreSnapshot, bus: Bus, absent: Mapping[str, str]) -> WantedEvent:
    try:
        override = override_from_item(event_id, store.overrides.get(event_id))
        routes = stored(event_id, store)
        if RELEASE in store.control or event_id not in store.events:
            return WantedEvent(event_id, override.revision, {}, routes)
        event = event_from_item(store.events[event_id])
        rules = {
            name: _rule(route, rule_of(event, route, bus.stack), store, bus, absent)
            for name, route in effective_routes(event, routes).items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        return WantedEvent(event_id, error=f"malformed item: {type(error).__name__}: {error}")
    return WantedEvent(event_id, override.revision, rules, routes)


def _rule(route: Route, rule: Rule, store: StoreSnapshot, bus: Bus, absent: Mapping[str, str]) -> WantedRule:
    missing = [
        f"{target.kind} {target.name}" for target in route.targets if not _registered(target.kind, target.name, store)
    ]
    missing += [
        f"the state machine of flow {target.name} ({absent[target.name]})"
        for target in route.targets
        if target.kind == "flow" and target.name in absent
    ]
    missing += [target.id for target in rule.targets if not store.targets.get(target.id, {}).get("Arn")]
    if missing:
        return WantedRule(rule, (), tuple(dict.fromkeys(missing)))
    return WantedRule(rule, tuple(_target(target, store, bus) for target in rule.targets))


def _registered(kind: str, name: str, store: StoreSnapshot) -> bool:
    if kind == "flow":
        return name in store.flows
    return store.targets.get(name, {}).get("Kind") == kind


def _target(target: RuleTarget, store: StoreSnapshot, bus: Bus) -> dict[str, Any]:
    """The target in the API's form, with the same fields as the deploy's EventTarget sets."""
    address = store.targets[target.id]
    made: dict[str, Any] = {"Id": target.id, "Arn": address["Arn"]}
    if address.get("Role"):
        made["RoleArn"] = address["Role"]
    if target.input_template is not None:
        paths = {"InputPathsMap": dict(target.input_paths)} if target.input_paths else {}
        made["InputTransformer"] = {**paths, "InputTemplate": target.input_template}
    if target.message_group is not None:
        made["SqsParameters"] = {"MessageGroupId": target.message_group}
    if target.partition_key is not None:
        made["KinesisParameters"] = {"PartitionKeyPath": target.partition_key}
    made["RetryPolicy"] = {
        "MaximumRetryAttempts": target.retry.attempts,
        "MaximumEventAgeInSeconds": target.retry.max_age_seconds,
    }
    made["DeadLetterConfig"] = {"Arn": bus.undelivered}
    return made
