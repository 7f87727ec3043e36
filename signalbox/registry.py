"""The registry of targets: which names a route may use, and for what. No I/O.

Everybody who accepts a route asks here: the loader of definitions, the API, the reconciler. A registry is made from the
definitions or from the store's `target` items; both say the same of each name.
"""

import json
from collections.abc import Container, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from signalbox.classic import ROUTER
from signalbox.model import Definitions, Destination, Function, Json, Target
from signalbox.problems import Problem, did_you_mean
from signalbox.store import SK, Item, is_of_api


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
                fix=f"say `input: {event_id}` in the flow, or leave it out so that it takes every event"
                if entry.kind == "flow"
                else f"add {event_id} to its `events:`, or choose another target",
            )
        if runtime and not entry.runtime:
            return Problem(
                code="target-runtime",
                what=f"run-time edits may not name {target.name}",
                got=written,
                fix="route to it in the definitions, or say `runtime: true` where it is defined",
            )
        return None

    def with_flows(self, names: Container[str], items: Iterable[Mapping[str, Any]]) -> "Registry":
        """This registry with what the `flow` items `items` say of the flows `names`, and nothing else of them."""
        others = {name: entry for name, entry in self.entries.items() if entry.kind != "flow" or name not in names}
        return replace(self, entries=others | _flows(items))

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


def registry_of(
    destinations: Iterable[Destination],
    functions: Iterable[Function],
    flows: Mapping[str, Json],
    *,
    unread: frozenset[str] = frozenset(),
) -> Registry:
    """The registry of these; a name that is there twice is the loader's to refuse, and here the last one counts.

    `flows` are definitions by id, of whatever form: one that says which events it is for takes no others.
    """
    functions = list(functions)
    entries = {each.name: Entry(each.name, "function", each.events, each.runtime) for each in functions if each.target}
    entries |= {name: Entry(name, "flow", flow_events(flow)) for name, flow in flows.items()}
    entries |= {
        each.name: Entry(each.name, each.kind, each.events, each.runtime, _is_fifo(each)) for each in destinations
    }
    return Registry(entries, frozenset(each.name for each in functions if not each.target), unread)


def targets_of(definitions: Definitions, flows: Mapping[str, Item]) -> frozenset[tuple[str, str]]:
    """(kind, name) of everything that a route may name: what `definitions` say, and of the store's `flows` those that
    were made at run time."""
    return definitions.targets() | {("flow", name) for name, item in flows.items() if is_of_api(item)}


def taken_names(definitions: Definitions, flows: Mapping[str, Item]) -> list[Problem]:
    """Names that `definitions` give to a target and that a flow made at run time has already, by the store's `flows`.

    Whoever wins would overwrite what somebody else made, so a deploy asks first.
    """
    declared = {name: kind for kind, name in definitions.targets()}
    found = []
    for name in sorted(declared.keys() & flows.keys()):
        if is_of_api(flows[name]):
            place = f"mappings/flows/{name}.yaml" if declared[name] == "flow" else f"the {declared[name]}"
            found.append(
                Problem(
                    code="flow-taken",
                    what=f"a flow {name} was made at run time, and the definitions have a {declared[name]} {name}",
                    got=f"{declared[name]} {name}",
                    fix=f"rename {place}, or give up the flow that runs: see it with GET /flow/{name}, edit the routes "
                    f"that name it (POST /route/<event-id>), then DELETE /flow/{name}",
                    path=f"flow {name}",
                )
            )
    return found


def registry_of_items(items: Iterable[Mapping[str, Any]], flows: Iterable[Mapping[str, Any]] = ()) -> Registry:
    """The registry that the store's `target` items and `flows`, its `flow` items, give (all as plain dicts)."""
    entries = _flows(flows)
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


def _flows(items: Iterable[Mapping[str, Any]]) -> dict[str, Entry]:
    return {item[SK]: Entry(item[SK], "flow", flow_events(json.loads(item["Data"]))) for item in items}


def flow_events(flow: Json) -> tuple[str, ...] | None:
    """The events that a flow of this definition takes; None: all."""
    event = flow.get("input") if isinstance(flow, Mapping) else None
    return (event,) if isinstance(event, str) else None


def _is_fifo(destination: Destination) -> bool:
    return destination.kind == "queue" and (destination.arn.endswith(".fifo") if destination.arn else destination.fifo)


def _where_to_define(kind: str) -> str:
    match kind:
        case "function":
            return "make functions/<name>/ with handler.py and function.yaml (`target: true`)"
        case "flow":
            return "make mappings/flows/<flow-id>.yaml"
    return "define it in mappings/destinations.yaml"
