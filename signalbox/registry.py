"""The registry of targets: which names a route may use, and for what. No I/O.

Everybody who accepts a route asks here: the loader of definitions, the API, the reconciler. A registry is made from the
definitions or from the store's `target` items; both say the same of each name.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from signalbox.classic import ROUTER
from signalbox.model import Definitions, Destination, Function, Json, Target
from signalbox.problems import Problem, did_you_mean
from signalbox.store import SK


@dataclass(frozen=True, slots=True)
class Entry:
    """What the registry knows of one target. `events` None: every event; `fifo`: a queue with message groups."""

    name: str
    kind: str
    events: tuple[str, ...] | None = None
    runtime: bool = True
    fifo: bool = False


@dataclass(frozen=True, slots=True)
class Registry:
    """Targets by name. `closed`: functions that exist and are no targets, only for a better message. `unread`: kinds
    of which not all could be read, so that it is not known what is missing."""

    entries: Mapping[str, Entry] = field(default_factory=dict)
    closed: frozenset[str] = frozenset()
    unread: frozenset[str] = frozenset()

    def resolve(self, target: Target, event_id: str, *, runtime: bool) -> Problem | None:
        """Why a route of `event_id` may not name `target`; None: it may. `runtime`: the route is a run-time edit."""
        entry = self.entries.get(target.name)
        written = f"{target.kind}: {target.name}"
        if entry is None:
            if target.kind == "function" and target.name in self.closed:
                return Problem(
                    code="target-closed",
                    what=f"the function {target.name} is not open to routes",
                    got=written,
                    fix=""
                    if target.name == ROUTER
                    else f"say `target: true` in functions/{target.name}/function.yaml, if routes should reach it",
                )
            return None if target.kind in self.unread else self._unknown(target, written)
        if entry.kind != target.kind:
            return Problem(
                code="target-kind",
                what=f"{target.name} is of another kind",
                got=written,
                allowed=f"{entry.kind}: {target.name}",
            )
        if entry.events is not None and event_id not in entry.events:
            return Problem(
                code="target-event",
                what=f"{target.name} does not take events of {event_id}",
                got=written,
                allowed=f"events {', '.join(entry.events)}" if entry.events else "none",
                fix=f"add {event_id} to its `events:`, or choose another target",
            )
        if runtime and not entry.runtime:
            return Problem(
                code="target-runtime",
                what=f"run-time edits may not name {target.name}",
                got=written,
                fix="route to it in the definitions, or say `runtime: true` where it is defined",
            )
        return None

    def _unknown(self, target: Target, written: str) -> Problem:
        names = sorted(name for name, entry in self.entries.items() if entry.kind == target.kind)
        close = did_you_mean(target.name, names) or did_you_mean(target.name, self.entries)
        shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
        return Problem(
            code="target-unknown",
            what=f"there is no {target.kind} {target.name}",
            got=written,
            allowed=shown or f"no {target.kind} is defined",
            fix=close or _where_to_define(target.kind),
        )


def registry_of_definitions(definitions: Definitions) -> Registry:
    """The registry that `definitions` give: destinations, flows, and the functions that are targets."""
    return registry_of(definitions.destinations.values(), definitions.functions.values(), definitions.flows)


def registry_of(
    destinations: Iterable[Destination],
    functions: Iterable[Function],
    flows: Mapping[str, Json],
    *,
    unread: frozenset[str] = frozenset(),
) -> Registry:
    """The registry of these; a name that is there twice is the loader's to refuse, and here the last one counts."""
    functions = list(functions)
    entries = {each.name: Entry(each.name, "function", each.events, each.runtime) for each in functions if each.target}
    entries |= {name: Entry(name, "flow") for name in flows}
    entries |= {
        each.name: Entry(each.name, each.kind, each.events, each.runtime, _is_fifo(each)) for each in destinations
    }
    return Registry(entries, frozenset(each.name for each in functions if not each.target), unread)


def registry_of_items(items: Iterable[Mapping[str, Any]]) -> Registry:
    """The registry that the store's `target` items (as plain dicts) give."""
    entries: dict[str, Entry] = {}
    for item in items:
        if item[SK] == ROUTER:
            continue  # how rules reach functions and flows, and nothing that a route may name
        events = item.get("Events")
        entries[item[SK]] = Entry(
            name=item[SK],
            kind=item["Kind"],
            events=None if events is None else tuple(events),
            runtime=item.get("Runtime", True),
            fifo=item["Kind"] == "queue" and str(item.get("Arn", "")).endswith(".fifo"),
        )
    return Registry(entries)


def _is_fifo(destination: Destination) -> bool:
    return destination.kind == "queue" and (destination.arn.endswith(".fifo") if destination.arn else destination.fifo)


def _where_to_define(kind: str) -> str:
    match kind:
        case "function":
            return "make functions/<name>/ with handler.py and function.yaml (`target: true`)"
        case "flow":
            return "make mappings/flows/<flow-id>.yaml"
    return "define it in mappings/destinations.yaml"
