"""What a deploy decides of the run-time edits that it finds: keeps them, voids them, or stops for the conflict.

Pure. `decide` takes one event from the declared routes that the store has to those that the definitions say now. The
deploy writes an event's decision item *before* its event item, so a decision says for which declared route it holds and
sleeps until the store declares that route; a deploy that dies in between has changed nothing. Once the definitions move
on from there, the decision is written as holding for ANY declared route, so that going back to an old revision of the
definitions raises no edit from the dead.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from signalbox.effective import (
    ANY,
    GONE,
    Decision,
    Decisions,
    EffectiveRoute,
    Override,
    RouteEdit,
    config_hash,
    effective,
    effective_route,
)
from signalbox.model import JsonObject, route_from_config
from signalbox.problems import Problem
from signalbox.runtime.text import printable

Choice = Literal["fail", "definitions", "store"]
CHOICES: tuple[Choice, ...] = ("fail", "definitions", "store")


@dataclass(frozen=True, slots=True)
class Policy:
    """`signalbox:conflicts`: who wins where edit and definitions collide, by default and for single routes (by id)."""

    default: Choice = "fail"
    routes: Mapping[str, Choice] = field(default_factory=dict)

    def choice(self, route_id: str) -> Choice:
        """The choice for `<event-id>/<route>`."""
        return self.routes.get(route_id, self.default)


def policy_of(value: object) -> tuple[Policy, list[Problem]]:
    """The policy that the config value says, and what is wrong with the value.

    `value` is None (fail) or an object of choices by route id, with `default` for the others.
    """
    if value is not None and not isinstance(value, Mapping):
        return Policy(), [_fault("conflicts-form", "no object", value, "{default: fail, <event-id>/<route>: store}")]
    given: dict[Any, Any] = dict(value or {})
    problems = []
    for key, choice in given.items():
        if choice not in CHOICES:
            problems.append(_fault("conflicts-choice", "no such choice", choice, ", ".join(CHOICES), f'["{key}"]'))
        if key != "default" and (not isinstance(key, str) or key.count("/") != 1):
            problems.append(_fault("conflicts-route", "no route's id", key, "default, or <event-id>/<route>"))
    if problems:
        return Policy(), problems
    choices = cast(dict[str, Choice], given)
    return Policy(choices.pop("default", "fail"), choices), []


def _fault(code: str, what: str, got: object, allowed: str, where: str = "") -> Problem:
    fix = "pulumi config set --path 'signalbox:conflicts[\"<event-id>/<route>\"]' <choice>"
    return Problem(code=code, what=what, got=repr(got), allowed=allowed, fix=fix, path=f"signalbox:conflicts{where}")


_SHOWN = 2_000
"""Characters of a note that people are shown."""


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reviewer of a preview must know. `route` is the route's id, empty for the stack as a whole."""

    route: str
    text: str
    severity: Literal["info", "warning"] = "info"

    def __str__(self) -> str:
        return printable(f"{self.route}: {self.text}" if self.route else self.text, _SHOWN)


@dataclass(frozen=True, slots=True)
class Decided:
    """One event after the deploy's step. `conflicts` not empty: the deploy must stop before it writes anything."""

    routes: Mapping[str, EffectiveRoute]
    decisions: Decisions
    notes: tuple[Note, ...] = ()
    conflicts: tuple[Problem, ...] = ()


def decide(
    event_id: str,
    declared: Mapping[str, JsonObject] | None,
    decisions: Decisions,
    override: Override,
    policy: Policy,
    *,
    stored: Mapping[str, JsonObject] | None,
    targets: frozenset[tuple[str, str]] | None = None,
) -> Decided:
    """The deploy's step for one event: what its routes are from now on, and the decisions to write with it.

    `declared` is what the definitions say now (None: the event is gone from them), `stored` what the store still
    declares, i.e. what the last deploy wrote. `targets` has the (kind, name) of every target that may be named, None
    when that is not to be looked at. Applied to its own result it changes nothing.
    """
    kept: dict[str, Decision] = {}
    notes: list[Note] = []
    conflicts: list[Problem] = []
    for name in sorted(override.routes):
        edit = override.routes[name]
        step = _Step(
            id=f"{event_id}/{name}",
            name=name,
            declared=(declared or {}).get(name),
            event_declared=declared is not None,
            edit=edit,
            missing=_missing(edit, targets),
        )
        decision = _carried(decisions.get(name), edit, stored, declared, name)
        decision, note, conflict = step.take(decision, policy)
        if decision is not None:
            kept[name] = decision
        notes += [note] if note else []
        conflicts += [conflict] if conflict else []
    routes = effective(declared, kept, override)
    return Decided(routes, kept, tuple(notes), tuple(conflicts))


def _declared_hash(declared: Mapping[str, JsonObject] | None, name: str) -> str:
    return GONE if declared is None else config_hash(declared.get(name))


def _carried(
    decision: Decision | None,
    edit: RouteEdit,
    stored: Mapping[str, JsonObject] | None,
    declared: Mapping[str, JsonObject] | None,
    name: str,
) -> Decision | None:
    """The recorded decision as it bears on `edit` when the declared routes go from `stored` to `declared`."""
    before, now = _declared_hash(stored, name), _declared_hash(declared, name)
    voided = decision is not None and decision.voids(edit, before)
    converged = config_hash((stored or {}).get(name)) == config_hash(edit.config)
    if converged and before != now and not voided:
        # Converged by a deploy that had not seen the edit and so recorded nothing: done with for good all the same.
        return Decision("definitions", edit.revision, ANY, "converged")
    if decision is None or decision.revision < edit.revision:
        return None
    if decision.winner == "store" or decision.voids(edit, now):
        return decision
    return replace(decision, declared=ANY) if voided else None


def _missing(edit: RouteEdit, targets: frozenset[tuple[str, str]] | None) -> list[str]:
    """The targets of an edit that are not in the registry, as `kind name`."""
    if targets is None or edit.config is None:
        return []
    named = route_from_config("", "", edit.config).targets
    return [f"{target.kind} {target.name}" for target in named if (target.kind, target.name) not in targets]


@dataclass(frozen=True, slots=True)
class _Step:
    """The deploy's step for one edited route."""

    id: str
    name: str
    declared: JsonObject | None
    event_declared: bool
    edit: RouteEdit
    missing: list[str]

    @property
    def hash(self) -> str:
        return config_hash(self.declared) if self.event_declared else GONE

    def take(self, decision: Decision | None, policy: Policy) -> tuple[Decision | None, Note | None, Problem | None]:
        """The decision to write, what to tell the reviewer, and the conflict that stops the deploy."""
        route = effective_route(self.name, self.declared, decision, self.edit, event_declared=self.event_declared)
        outcome = route.outcome
        if outcome == "void":
            return decision, None, None
        if outcome == "converged":
            text = f"the definitions now say what the {self.edit.words} says: from now on they alone hold"
            return self._definitions("converged"), Note(self.id, text), None
        if self.missing and outcome in ("kept", "settled"):
            return self._collision("target-gone", policy)
        if outcome == "kept":
            text = f"{self.edit.words} kept; what is shown as changed here is already live"
            # A choice for the store sleeps until the definitions that it was made for come back.
            return decision, Note(self.id, text), None
        if outcome == "settled" and policy.routes.get(self.id) != "definitions":
            text = f"{self.edit.words} kept although the definitions say otherwise, as an earlier deploy decided"
            return decision, Note(self.id, text), None
        if outcome == "orphaned":
            return self._collision("event-gone", policy)
        return self._collision("target-gone" if self.missing else "chosen", policy)

    def _definitions(self, reason: str) -> Decision:
        return Decision("definitions", self.edit.revision, self.hash, reason)

    def _collision(self, reason: str, policy: Policy) -> tuple[Decision | None, Note | None, Problem | None]:
        choice = policy.choice(self.id)
        what = {
            "chosen": "changed in the definitions after its "
            if self.declared
            else "gone from the definitions, but has a ",
            "target-gone": f"its target {', '.join(self.missing)} is gone from the definitions, but is named by the ",
            "event-gone": "its event is gone from the definitions, but the route has a ",
        }[reason] + self.edit.words
        if choice == "definitions":
            return (
                self._definitions(reason),
                Note(self.id, f"{what}: the definitions win, the edit is void", "warning"),
                None,
            )
        if choice == "store" and reason == "chosen":
            decision = Decision("store", self.edit.revision, self.hash, reason)
            return decision, Note(self.id, f"{what}: the run-time edit wins and stays live", "warning"), None
        return None, None, self._problem(reason, what, choice)

    def _problem(self, reason: str, what: str, choice: Choice) -> Problem:
        take = f"pulumi config set --path 'signalbox:conflicts[\"{self.id}\"]'"
        event = self.id.partition("/")[0]
        ways = {
            "chosen": "take the edit over into the definitions (python -m signalbox pull), or decide for this route: "
            f"`{take} definitions` (the edit becomes void) or `{take} store` (the edit stays live)",
            "target-gone": "put the target back, or edit the route to name another "
            f"(python -m signalbox edit {event}), or give the edit up: `{take} definitions`",
            "event-gone": f"put the event back, or give the edit up: `{take} definitions`",
        }[reason]
        return Problem(
            code=f"conflict-{reason}" if reason != "chosen" else "conflict",
            what=what + ("; `store` cannot keep it" if choice == "store" else ""),
            got=f"definitions: {_brief(self.declared)}; run-time edit: {_brief(self.edit.config)}",
            fix=ways,
            path=self.id,
        )


def _brief(config: JsonObject | None) -> str:
    return "no such route" if config is None else json.dumps(config, ensure_ascii=False, sort_keys=True)
