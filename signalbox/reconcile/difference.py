"""From a live rule and the wanted one to the least that must be done. Pure."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from signalbox.canonical import canonical
from signalbox.classic import Rule, read_mark
from signalbox.model import DEFAULT_ATTEMPTS, DEFAULT_MAX_AGE_SECONDS
from signalbox.names import rule_name
from signalbox.problems import Problem
from signalbox.reconcile.wanted import WantedRule

Live = Mapping[str, Any]
"""A rule or a target as EventBridge's API gives it."""


@dataclass(frozen=True, slots=True)
class Difference:
    """What a live rule lacks: `rule`: a PutRule; `put`: targets to add or replace; `remove`: ids that must go."""

    rule: bool
    put: tuple[Mapping[str, Any], ...]
    remove: tuple[str, ...]

    def __bool__(self) -> bool:
        return self.rule or bool(self.put) or bool(self.remove)


def difference(
    wanted: WantedRule, rule: Live | None, targets: Iterable[Live], *, written_anew: bool = False
) -> Difference:
    """What turns the live `rule` (None: there is none) with its `targets` into the wanted one.

    Before any target goes, all that are wanted are put, also those that are listed: a list may be old, and one that
    still shows a target which is gone must not lead to a rule that has neither. `written_anew`: rule and targets are
    put also where nothing goes here, because somebody else is about to take targets away.
    """
    live = {target["Id"]: _plain(target) for target in targets}
    remove = sorted(live.keys() - {target["Id"] for target in wanted.targets})
    anew = written_anew or bool(remove)
    put = [target for target in wanted.targets if anew or live.get(target["Id"]) != _plain(target)]
    return Difference(written_anew or rule is None or not _same_rule(wanted, rule), tuple(put), tuple(remove))


def owner(rule: Live, stack: str) -> tuple[str, str] | None:
    """(event id, route) of a rule that is ours: it has our mark and the name that goes with it, and no manager."""
    mark = read_mark(rule.get("Description"))
    if mark is None or mark[0] != stack or rule.get("ManagedBy") or rule["Name"] != rule_name(mark[1], mark[2]):
        return None
    return mark[1], mark[2]


def clashes(wanted: Iterable[Rule], live: Iterable[Live], stack: str) -> list[Problem]:
    """The rules that a deploy would make over rules that are not ours: PutRule adopts what it finds, in silence."""
    foreign = {rule["Name"]: rule for rule in live if owner(rule, stack) is None}
    return [
        Problem(
            code="foreign-rule",
            what=f"a rule named {rule.name} is on the bus and is not ours",
            got=f"description {foreign[rule.name].get('Description', '')!r}",
            allowed=f"description {rule.description!r}",
            fix="delete that rule, or give the route another name",
            path=f"{rule.event_id}/{rule.route}",
        )
        for rule in wanted
        if rule.name in foreign
    ]


CHUNK = 10
"""Entries of one PutTargets or RemoveTargets call."""


def _same_rule(wanted: WantedRule, live: Live) -> bool:
    return (
        live.get("State") == wanted.rule.state
        and live.get("Description") == wanted.rule.description
        and not live.get("ScheduleExpression")
        and not live.get("RoleArn")
        and _same_pattern(wanted.rule.pattern, live.get("EventPattern"))
    )


def _same_pattern(wanted: str, live: str | None) -> bool:
    if live is None or live == wanted:
        return live == wanted
    try:
        return canonical(json.loads(live)) == wanted
    except (ValueError, OverflowError, RecursionError):
        return False


def _plain(target: Live) -> dict[str, Any]:
    """The target without what says nothing: empty fields, and defaults that are written out or left out."""
    plain = {key: value for key, value in target.items() if value not in (None, "", {}, [])}
    if "InputTransformer" in plain:
        transformer = plain["InputTransformer"]
        plain["InputTransformer"] = {key: value for key, value in transformer.items() if value not in (None, {})}
    plain["RetryPolicy"] = {
        "MaximumRetryAttempts": DEFAULT_ATTEMPTS,
        "MaximumEventAgeInSeconds": DEFAULT_MAX_AGE_SECONDS,
        **plain.get("RetryPolicy", {}),
    }
    return plain
