"""The deploy's plan: what definitions and run-time edits make of store and bus, and what is not sure to be right there.

Pure: preview and up make the same of the same store. What a plan says of changes in words is `signalbox.changes`, what
an up does with it beside the engine `signalbox.reconcile.deploy`.
"""

import json
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

from signalbox.canonical import digest, same
from signalbox.classic import RULES_PER_BUS, too_many_at_once, too_many_rules
from signalbox.conflicts import Note, Policy, decide
from signalbox.effective import (
    decisions_from_item,
    decisions_item,
    effective_config,
    effective_routes,
    override_from_item,
    stored,
)
from signalbox.model import Event, JsonObject, Route
from signalbox.problems import Problem
from signalbox.store import FREEZE, IN_STEP, RELEASE, SK, Item, StoreSnapshot, declared_config, event_item, event_sync


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
        changed = {name for name in routes if not same(before.get(name), routes[name].config())}
        declared_anew = store.events.get(event_id) != (event_item(made.event) if made else None)
        unsure = died or not _followed(event_id, store)
        if unsure or declared_anew or changed or before.keys() != routes.keys():
            yield event_id, frozenset(routes if unsure else changed)


def _followed(event_id: str, store: StoreSnapshot) -> bool:
    """Has the reconciler made the event's rules what they must be after the latest edit? Its `sync` item tells."""
    revision = override_from_item(event_id, store.overrides.get(event_id)).revision
    note = store.sync.get(event_sync(event_id))
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


def _quota(plans: Mapping[str, EventPlan], quota: int) -> list[Problem]:
    problem = too_many_rules(sum(len(each.routes) for each in plans.values()), quota)
    return [replace(problem, what=f"with the run-time edits {problem.what}")] if problem else []


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
