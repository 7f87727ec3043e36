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

The deploy settles conflicts and makes decisions: `signalbox.conflicts`.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from signalbox.canonical import digest
from signalbox.model import Event, JsonObject, Route, route_from_config
from signalbox.runtime.text import printable
from signalbox.store import Item, StoreSnapshot, decision_item, declared_config, override_item

_BY = 100
"""Characters of who made an edit that people are shown."""

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
        by = printable(self.by, _BY) or "unknown"
        return f"run-time edit of {when} by {by} (revision {self.revision})"


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


def live_edits(event_id: str, store: StoreSnapshot) -> dict[str, EffectiveRoute]:
    """Those of `stored` whose edit is live and is not what the definitions say. Raises as `stored`."""
    routes = stored(event_id, store)
    return {name: each for name, each in routes.items() if each.outcome in ("kept", "settled", "conflict")}
