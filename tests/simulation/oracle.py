"""What people were promised of their edits, kept apart from the code that keeps the promise.

The oracle sees every accepted edit, every plan of a deploy and every item that a deploy wrote, and says which edits
must be live. It shares with the product only the form of route configs.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

Config = Mapping[str, Any] | None
RouteKey = tuple[str, str]


@dataclass(frozen=True)
class Edit:
    """An edit of one route as it was accepted. `basis` is the declared config that it was made on."""

    revision: int
    config: Config
    basis: Config


@dataclass
class Plan:
    """What a deploy that began may do to edits once its items are written."""

    done: list[tuple[RouteKey, int]] = field(default_factory=list)
    at_once: list[tuple[RouteKey, int]] = field(default_factory=list)
    """Those of `done` whose declared route does not change: the decision alone ends them."""
    chosen: list[tuple[RouteKey, int, bool, Config]] = field(default_factory=list)
    settled: list[tuple[RouteKey, int, Config]] = field(default_factory=list)
    unsettled: list[RouteKey] = field(default_factory=list)
    converged: int = 0


class Oracle:
    """The edits that must be live, by route."""

    def __init__(self) -> None:
        self.edits: dict[RouteKey, Edit] = {}
        self.revisions: dict[str, int] = {}
        self.settled: dict[RouteKey, tuple[int, Config]] = {}
        self._chosen: list[tuple[RouteKey, int, bool, Config]] = []
        """Edits that some deploy was told to give up, whether there was an event, and for which declared config."""

    def edited(self, event: str, posted: Mapping[str, Config], declared: Mapping[str, Config]) -> None:
        """An edit "the routing config of `event` is `posted`" was accepted while `declared` was declared."""
        self.revisions[event] = revision = self.revisions.get(event, 0) + 1
        for route in {*posted, *declared, *(name for of, name in self.edits if of == event)}:
            key, wanted, now = (event, route), posted.get(route), declared.get(route)
            before = self.edits.get(key)
            if before and wanted == before.config != now:
                continue
            self.edits.pop(key, None)
            if wanted != now:
                self.edits[key] = Edit(revision, wanted, now)

    def planned(
        self,
        seen: Mapping[RouteKey, int],
        declared: Mapping[str, Mapping[str, Config]],
        stored: Mapping[str, Mapping[str, Config]],
        missing: set[RouteKey],
        recorded: set[RouteKey],
        choice: str,
        choices: Mapping[RouteKey, str],
    ) -> Plan:
        """A deploy read the edits `seen` (with their revisions) and the declared configs `stored`, and will declare
        `declared`. `missing` are the routes whose edit names a target that the new definitions do not have;
        `recorded` those with a decision in the store that the definitions win: who gave an edit up to a deploy that
        died is not asked again for the same definitions. `choice` is for the routes that are not in `choices`."""
        plan = Plan()
        for key, revision in seen.items():
            edit = self.edits.get(key)
            if edit is None or edit.revision != revision:
                continue
            event, route = key
            new, old = declared.get(event, {}).get(route), stored.get(event, {}).get(route)
            can_stay = event in declared and key not in missing
            if edit.config in (new, old):
                plan.converged += edit.config == new
                plan.done.append((key, revision))
            elif can_stay and (
                new == edit.basis or (self.settled.get(key) == (revision, new) and choices.get(key) != "definitions")
            ):
                continue
            elif choices.get(key, choice) == "definitions" or (
                key in recorded and (key, revision, event in declared, new) in self._chosen
            ):
                plan.done.append((key, revision))
                plan.chosen.append((key, revision, event in declared, new))
                if event in declared and event in stored and new == old:
                    plan.at_once.append((key, revision))
            elif choices.get(key, choice) == "store" and can_stay:
                plan.settled.append((key, revision, new))
            else:
                plan.unsettled.append(key)
        return plan

    def decided(self, event: str, plan: Plan) -> None:
        """The deploy's decision item of `event` is in the store."""
        self._chosen += [each for each in plan.chosen if each[0][0] == event and each not in self._chosen]
        for key, _ in plan.done:
            # Its record replaces the choice for the store; when the deploy dies here, the route is reported again.
            if key[0] == event:
                self.settled.pop(key, None)
        for key, revision, declared in plan.settled:
            # Of a deploy that dies here too: for the same definitions nobody is asked again.
            if key[0] == event:
                self.settled[key] = (revision, declared)
        self._end(event, plan.at_once)

    def _end(self, event: str, edits: list[tuple[RouteKey, int]]) -> None:
        for key, revision in edits:
            if key[0] == event and key in self.edits and self.edits[key].revision == revision:
                del self.edits[key]

    def applied(self, event: str, plan: Plan) -> None:
        """The deploy's decision and event item of `event` are in the store."""
        self._end(event, plan.done)

    def live(self, event: str, declared: Mapping[str, Config]) -> dict[str, Mapping[str, Any]]:
        """The routing config that must be live while `declared` is declared."""
        live = dict(declared)
        for (of, route), edit in self.edits.items():
            if of == event:
                live[route] = edit.config
        return {route: config for route, config in live.items() if config is not None}

    def conflicts(self, event: str, declared: Mapping[str, Config]) -> set[str]:
        """The routes of a declared event whose edit collides with what is declared, undecided."""
        return {
            route
            for (of, route), edit in self.edits.items()
            if of == event
            and declared.get(route) not in (edit.basis, edit.config)
            and self.settled.get((of, route)) != (edit.revision, declared.get(route))
        }
