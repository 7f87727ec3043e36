"""Definitions + run-time edits = what the rules must be.

Pure; the deploy, the reconciler, the API and the CLI all ask here. A run-time edit of a route (`RouteEdit`) holds the
hash of the declared route that it was made on, its *basis*, and its revision. From the declared route, the edit and the
deploy's recorded `Decision` follows what holds:

* the edit is void: a decision "definitions, up to revision N" covers it;
* the declared route says what the edit says: they have converged;
* the declared route is still the basis: the edit is kept;
* the declared route has become something else: a conflict. A decision "store" made for just this revision and this
  declared route settles it; while nothing does, the edit stays live, because it is what people last asked for, and the
  conflict is reported.

The deploy settles conflicts and makes decisions with `plan`. It writes an event's decision item *before* its event
item, so a decision says for which declared route it holds and sleeps until the store declares that route; a deploy that
dies in between has changed nothing. Once the definitions move on from there, the decision is written as holding for ANY
declared route, so that going back to an old revision of the definitions raises no edit from the dead.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, cast

from signalbox.canonical import digest
from signalbox.classic import RULES_PER_BUS, TARGETS_PER_RULE, rule_targets
from signalbox.model import Event, JsonObject, Route, route_from_config
from signalbox.problems import Problem
from signalbox.store import (
    FREEZE,
    IN_STEP,
    RELEASE,
    SK,
    Item,
    StoreSnapshot,
    decision_item,
    declared_config,
    event_item,
    override_item,
)

ABSENT = ""
"""Hash of a declared route that does not exist."""
GONE = "gone"
"""In place of that hash when not even the event is declared."""
ANY = "any"
"""A decision's `declared` when it holds whatever is declared."""

Outcome = Literal["declared", "kept", "converged", "conflict", "settled", "void", "orphaned"]
"""What happened to a route:

declared    no edit
kept        its edit is live; what is declared has not changed since
converged   its edit says what is declared
conflict    edit and definitions differ and nobody has decided: the edit is live and the route is reported
settled     edit and definitions differ, and the edit is live by a recorded decision
void        its edit is void by a recorded decision: what is declared is live
orphaned    its edit cannot be live because its event is not declared
"""

Choice = Literal["fail", "definitions", "store"]
CHOICES: tuple[Choice, ...] = ("fail", "definitions", "store")


def config_hash(config: JsonObject | None) -> str:
    """The hash of a declared route's config (in `Route.config` form), ABSENT for None."""
    return ABSENT if config is None else digest(config)


@dataclass(frozen=True, slots=True)
class RouteEdit:
    """A run-time edit of one route. `config` None: the route is deleted. `at` is ISO 8601 in UTC."""

    config: JsonObject | None
    basis: str
    revision: int
    at: str
    by: str

    def as_json(self) -> dict[str, Any]:
        """The edit as the override item's `Routes` holds it."""
        return {
            "config": self.config,
            "basis": self.basis,
            "revision": self.revision,
            "at": self.at,
            "by": self.by,
        }

    @property
    def words(self) -> str:
        """How people are told of it: `run-time edit of 2026-11-22 14:03 UTC by alice (revision 3)`."""
        when = f"{self.at[:10]} {self.at[11:16]} UTC" if len(self.at) >= 16 else self.at
        by = "".join(char if char.isprintable() else "�" for char in self.by)
        return f"run-time edit of {when} by {by or 'unknown'} (revision {self.revision})"


@dataclass(frozen=True, slots=True)
class Override:
    """The run-time edits of one event. `revision` counts its accepted edits, also those that are in force no more."""

    event_id: str
    revision: int = 0
    at: str = ""
    by: str = ""
    routes: Mapping[str, RouteEdit] = field(default_factory=dict)

    def item(self) -> Item:
        """The `override` item."""
        routes = {name: edit.as_json() for name, edit in self.routes.items()}
        return override_item(self.event_id, revision=self.revision, at=self.at, by=self.by, routes=routes)


def override_from_item(event_id: str, item: Mapping[str, Any] | None) -> Override:
    """The override that an item says; None is an event that nobody ever edited.

    Raises KeyError, TypeError or ValueError for an item that `Override.item` did not make.
    """
    if item is None:
        return Override(event_id)
    routes = {name: RouteEdit(**edit) for name, edit in dict(json.loads(item["Routes"])).items()}
    return Override(event_id, item["Revision"], item["EditedAt"], item["EditedBy"], routes)


@dataclass(frozen=True, slots=True)
class Decision:
    """What a deploy decided of one route's edits.

    `winner` "definitions": edits up to `revision` are void; "store": the edit of just this `revision` is live. It holds
    while the declared route has the hash `declared` (or always, when that is ANY). `reason` says why, for people and
    scripts: `converged`, `chosen`, `target-gone` or `event-gone`.
    """

    winner: Literal["definitions", "store"]
    revision: int
    declared: str
    reason: str

    def as_json(self) -> dict[str, Any]:
        """The decision as the decision item's `Routes` holds it."""
        return {"winner": self.winner, "revision": self.revision, "declared": self.declared, "reason": self.reason}

    def voids(self, edit: RouteEdit, declared: str) -> bool:
        """Is `edit` void while the declared route has the hash `declared`?"""
        return self.winner == "definitions" and edit.revision <= self.revision and self.declared in (declared, ANY)

    def keeps(self, edit: RouteEdit, declared: str) -> bool:
        """Has `edit` won over the declared route of the hash `declared`?"""
        return self.winner == "store" and edit.revision == self.revision and self.declared == declared


Decisions = Mapping[str, Decision]
"""The decisions of one event, by route."""


def decisions_from_item(item: Mapping[str, Any] | None) -> dict[str, Decision]:
    """The decisions that an item says, none for None.

    Raises KeyError, TypeError or ValueError for an item that `decisions_item` did not make.
    """
    if item is None:
        return {}
    return {name: Decision(**each) for name, each in dict(json.loads(item["Routes"])).items()}


def decisions_item(event_id: str, decisions: Decisions) -> Item | None:
    """The `decision` item of an event, None when there is nothing to keep."""
    if not decisions:
        return None
    return decision_item(event_id, {name: decision.as_json() for name, decision in decisions.items()})


@dataclass(frozen=True, slots=True)
class EffectiveRoute:
    """What one route must be and why. `config` None: there must be no rule. `edit` is the run-time edit, if any."""

    name: str
    config: JsonObject | None
    outcome: Outcome
    declared: JsonObject | None
    edit: RouteEdit | None = None
    decision: Decision | None = None


def effective(
    declared: Mapping[str, JsonObject] | None, decisions: Decisions, override: Override
) -> dict[str, EffectiveRoute]:
    """Every route of one event that is declared or was edited, sorted by name, with what it must be.

    `declared` has the declared route configs by name, in `Route.config` form; None: the event is not declared, so that
    no route can be live, whatever edits say.
    """
    names = sorted(set(declared or {}) | set(override.routes))
    return {
        name: effective_route(
            name,
            (declared or {}).get(name),
            decisions.get(name),
            override.routes.get(name),
            event_declared=declared is not None,
        )
        for name in names
    }


def effective_route(
    name: str,
    declared: JsonObject | None,
    decision: Decision | None,
    edit: RouteEdit | None,
    *,
    event_declared: bool = True,
) -> EffectiveRoute:
    """What one route must be: the rules that the module's text says, in order."""

    def is_(outcome: Outcome, config: JsonObject | None) -> EffectiveRoute:
        return EffectiveRoute(name, config, outcome, declared, edit, decision)

    if edit is None:
        return is_("declared", declared)
    declared_hash = config_hash(declared)
    now = declared_hash if event_declared else GONE
    if decision is not None and decision.voids(edit, now):
        return is_("void", declared)
    if declared_hash == config_hash(edit.config):
        return is_("converged", declared)
    if not event_declared:
        return is_("orphaned", None)
    if now == edit.basis:
        return is_("kept", edit.config)
    if decision is not None and decision.keeps(edit, now):
        return is_("settled", edit.config)
    return is_("conflict", edit.config)


def effective_config(routes: Mapping[str, EffectiveRoute]) -> dict[str, JsonObject]:
    """The routing config that must be live: what GET shows, and what a POST would have to say to change nothing."""
    return {name: route.config for name, route in routes.items() if route.config is not None}


def effective_routes(event: Event, routes: Mapping[str, EffectiveRoute]) -> dict[str, Route]:
    """The routes of `event` that must be live, ready for `classic.rule_of`."""
    return {name: route_from_config(event.id, name, config) for name, config in effective_config(routes).items()}


def stored(event_id: str, store: StoreSnapshot) -> dict[str, EffectiveRoute]:
    """The effective routes of an event as the items of the store say.

    Raises KeyError, TypeError or ValueError for items that are malformed.
    """
    item = store.events.get(event_id)
    return effective(
        None if item is None else declared_config(item),
        decisions_from_item(store.decisions.get(event_id)),
        override_from_item(event_id, store.overrides.get(event_id)),
    )


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

    `value` is None (fail), one of CHOICES, or an object of choices by route id with `default` for the others.
    """
    given: dict[Any, Any] = {} if value is None else dict(value) if isinstance(value, Mapping) else {"default": value}
    problems = []
    for key, choice in given.items():
        if choice not in CHOICES:
            path = "signalbox:conflicts" if value is choice else f'signalbox:conflicts["{key}"]'
            problems.append(
                Problem(
                    code="conflicts-choice",
                    what="no such choice",
                    got=repr(choice),
                    allowed=", ".join(CHOICES),
                    path=path,
                )
            )
        if key != "default" and (not isinstance(key, str) or key.count("/") != 1):
            problems.append(
                Problem(
                    code="conflicts-route",
                    what="no route's id",
                    got=repr(key),
                    allowed="default, or <event-id>/<route>",
                    path="signalbox:conflicts",
                )
            )
    if problems:
        return Policy(), problems
    choices = cast(dict[str, Choice], given)
    return Policy(choices.pop("default", "fail"), choices), []


@dataclass(frozen=True, slots=True)
class Note:
    """Something that a reviewer of a preview must know. `route` is the route's id, empty for the stack as a whole."""

    route: str
    text: str
    severity: Literal["info", "warning"] = "info"

    def __str__(self) -> str:
        return f"{self.route}: {self.text}" if self.route else self.text


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


@dataclass(frozen=True, slots=True)
class EventPlan:
    """One declared event as the deploy makes it: its item comes from `event`, its rules from `routes`."""

    event: Event
    routes: Mapping[str, Route]
    decision: Item | None


@dataclass(frozen=True, slots=True)
class Plan:
    """All that the deploy makes of definitions and store.

    `gone` are the events that are gone from the definitions, `decisions` their decision items; those of the others are
    in their EventPlan. Any problem that is an error: nothing may be declared.
    """

    events: Mapping[str, EventPlan]
    gone: tuple[str, ...]
    decisions: tuple[Item, ...]
    notes: tuple[Note, ...]
    problems: tuple[Problem, ...]
    overrides: Mapping[str, Item]
    """The items of the run-time edits that it builds on, by event."""
    changing: Mapping[str, frozenset[str]]
    """The events of which the store says something else after this deploy, or that have an edit which the reconciler
    has yet to follow, and all when the last deploy died; with the names of the routes that change, or of which it is
    not sure that their rules are what the store says."""
    settled: str
    """A digest of the items of events and decisions, as they will be."""
    settled_before: str | None
    """The same of those that an earlier deploy saw the rules be right for; empty or None: none did."""

    @property
    def decided(self) -> frozenset[str]:
        """The events that have a decision item."""
        own = (event_id for event_id, each in self.events.items() if each.decision)
        return frozenset((*own, *(item[SK] for item in self.decisions)))

    @property
    def to_settle(self) -> bool:
        """Is there anything to look at, or to note, when all is written? Where there are edits, they may change
        meanwhile."""
        edits = any(override_from_item(event_id, item).routes for event_id, item in self.overrides.items())
        return bool(self.changing) or edits or self.settled != self.settled_before


def plan(
    events: Mapping[str, Event],
    store: StoreSnapshot,
    policy: Policy,
    *,
    targets: frozenset[tuple[str, str]] | None = None,
    rules_quota: int = RULES_PER_BUS,
) -> Plan:
    """What a deploy of `events` makes on top of `store`: the same in preview and up, and what the reconciler will make.

    `targets` has the (kind, name) of every target of the new definitions and of the store's flows. Raises KeyError,
    TypeError or ValueError for items that are malformed.
    """
    plans: dict[str, EventPlan] = {}
    left: list[Item] = []
    notes: list[Note] = _stack_notes(store)
    problems: list[Problem] = _control_problems(store)
    collided: set[str] = set()
    for event_id in sorted({*events, *store.overrides}):
        event = events.get(event_id)
        item = store.events.get(event_id)
        decided = decide(
            event_id,
            None if event is None else event.routing_config(),
            decisions_from_item(store.decisions.get(event_id)),
            override_from_item(event_id, store.overrides.get(event_id)),
            policy,
            stored=None if item is None else declared_config(item),
            targets=targets,
        )
        notes += decided.notes
        problems += decided.conflicts
        collided.update(f"{event_id}/{name}" for name in decided.routes if decided.routes[name].edit)
        decision = decisions_item(event_id, decided.decisions)
        if event is None:
            left += [decision] if decision else []
            continue
        routes = effective_routes(event, decided.routes)
        plans[event_id] = EventPlan(event, routes, decision)
        if not decided.conflicts:
            problems += _steps(event, effective_config(stored(event_id, store)), routes)
    problems += _quota(plans, rules_quota)
    notes += [
        Note(route, "signalbox:conflicts names this route, but it has no run-time edit: take the line out", "warning")
        for route in sorted(policy.routes)
        if route not in collided
    ]
    gone = tuple(sorted({*store.events, *store.gone} - events.keys()))
    return Plan(
        events=plans,
        gone=gone,
        decisions=tuple(left),
        notes=tuple(notes),
        problems=tuple(problems),
        overrides=store.overrides,
        changing=dict(_changing(plans, store)),
        settled_before=store.settled,
        settled=_digest(
            {event_id: event_item(each.event) for event_id, each in plans.items()},
            gone,
            [*left, *(each.decision for each in plans.values() if each.decision)],
        ),
    )


def settled_digest(store: StoreSnapshot, decided: Collection[str]) -> str:
    """What names the items of events, and the decisions on those of `decided`, that a snapshot has."""
    decisions = (item for event_id, item in store.decisions.items() if event_id in decided)
    return _digest(store.events, store.gone, decisions)


def _died(store: StoreSnapshot) -> bool:
    """Did the last deploy not come as far as to see the rules be right?"""
    return store.settled != settled_digest(store, store.decisions)


def _digest(events: Mapping[str, Item], gone: Iterable[str], decisions: Iterable[Item]) -> str:
    return digest([events, sorted(gone), sorted(decisions, key=lambda item: item[SK])])


def _changing(plans: Mapping[str, EventPlan], store: StoreSnapshot) -> Iterable[tuple[str, frozenset[str]]]:
    """An event that the store has never heard of has no rules but those that the deploy makes."""
    died = _died(store)
    for event_id in sorted({*store.events, *store.gone}):
        made = plans.get(event_id)
        routes = made.routes if made else {}
        before = effective_config(stored(event_id, store))
        changed = {name for name in routes if before.get(name) != routes[name].config()}
        declared_anew = store.events.get(event_id) != (event_item(made.event) if made else None)
        unsure = died or not _followed(event_id, store)
        if unsure or declared_anew or changed or before.keys() != routes.keys():
            yield event_id, frozenset(routes if unsure else changed)


def _followed(event_id: str, store: StoreSnapshot) -> bool:
    """Has the reconciler made the event's rules what they must be after the latest edit? Its `sync` item tells."""
    revision = override_from_item(event_id, store.overrides.get(event_id)).revision
    note = store.sync.get(f"event#{event_id}")
    if note is None:
        return revision == 0 or event_id not in store.events
    try:
        states = {entry["state"] for entry in json.loads(note["Routes"]).values()}
        return note["Revision"] == revision and states <= {IN_STEP}
    except (KeyError, TypeError, ValueError, AttributeError):
        return False  # the reconciler writes it anew


def _steps(event: Event, before: Mapping[str, JsonObject], after: Mapping[str, Route]) -> Iterable[Problem]:
    for name, route in after.items():
        if name in before and (problem := too_many_at_once(event, before[name], route)):
            yield problem


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


def _quota(plans: Mapping[str, EventPlan], quota: int) -> list[Problem]:
    count = sum(len(each.routes) for each in plans.values())
    if count <= quota:
        return []
    return [
        Problem(
            code="rules-quota",
            what="definitions and run-time edits together make more rules than the bus holds",
            got=str(count),
            allowed=str(quota),
            fix="take routes away, or have the quota raised and set signalbox:rules-quota",
        )
    ]


def _stack_notes(store: StoreSnapshot) -> list[Note]:
    notes = []
    if store.settled is not None and _died(store):
        text = "the last up of this stack did not come to its end: the next looks at every rule of it"
        notes.append(Note("", text))
    item = store.control.get(FREEZE)
    if item is None:
        return notes
    text = (
        f"the reconciler is frozen since {item.get('At', '?')} by {item.get('By', '?')}: "
        "run-time edits are stored, and made live by `python -m signalbox thaw` or by a deploy"
    )
    return [*notes, Note("", text, "warning")]


def _control_problems(store: StoreSnapshot) -> list[Problem]:
    item = store.control.get(RELEASE)
    if item is None:
        return []
    return [
        Problem(
            code="released",
            what="the bus has been released for a destroy: its rules are taken off and are kept off",
            got=f"release of {item.get('At', '?')} by {item.get('By', '?')}",
            fix="destroy the stack, or take the word back first: python -m signalbox thaw",
            path=f"store item control/{item.get(SK, RELEASE)}",
        )
    ]
