"""The reconciler: makes the rules of a bus, and the state machines of flows made at run time, what the store says.

It is level-triggered: a pass reads the store and the bus, does the least that makes the one agree with the other, and
is repeated while the store changed under its hands. It remembers nothing between passes but the `sync` items, which
tell people (and this module, whether a difference is news or somebody's hand) what it did last.

Order is what keeps events from being missed, within a route and between routes (`signalbox.reconcile.routes`), and with
state machines: one is made before the rules that send to it, and goes after them.
"""

import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any

from signalbox.classic import routed_flows
from signalbox.reconcile.calls import Calls, MachineCalls, OutOfTimeError
from signalbox.reconcile.machines import MachinePass, Note, Plant
from signalbox.reconcile.ports import Clock, Machines, Metrics, Rules, Store
from signalbox.reconcile.routes import Job, Outcome, Routes
from signalbox.reconcile.wanted import Bus, WantedEvent, wanted
from signalbox.store import ACTIVE, EVENT_SYNC, FREEZE, IN_STEP, SK, SYNC, StoreSnapshot, event_sync, sync_item

ROUNDS = 5
"""How often a run starts over because the store changed meanwhile; after that, the next run goes on."""

Entry = dict[str, Any]
"""What a `sync` item says of one route: `state` (IN_STEP, KEPT_OLD: a target is missing, FAILED), the digest of the
`rule` that was wanted, `error`, `outcome` of an undecided conflict, and when the rule was last `repaired`."""


@dataclass(frozen=True, slots=True)
class Report:
    """What a run came to. `routes` has the entry of every route, by id."""

    frozen: bool = False
    settled: bool = False
    """The store did not change during the last pass, and there was time for all of it."""
    routes: Mapping[str, Entry] = field(default_factory=dict)
    errors: Mapping[str, str] = field(default_factory=dict)
    """Events whose items are malformed, by id."""
    foreign: tuple[str, ...] = ()
    """Rules on the bus that are not ours and not AWS's own: left alone."""
    repaired: tuple[str, ...] = ()
    """Routes whose rules were not as last applied, though the store had not changed: put right."""
    flows: Mapping[str, Note] = field(default_factory=dict)
    """What was noted of every flow made at run time, by id."""
    machines_error: str = ""
    """Why the state machines could not be listed, if so."""
    writes: int = 0
    """Calls that changed, or tried to change, a rule."""
    machine_writes: int = 0
    """The same of state machines."""

    @property
    def out_of_step(self) -> tuple[str, ...]:
        """Routes and events whose rules are not what they must be."""
        return (*(r for r, entry in self.routes.items() if entry["state"] != IN_STEP), *self.errors)

    @property
    def flows_out_of_step(self) -> tuple[str, ...]:
        """Flows whose state machines are not what they must be."""
        return tuple(flow for flow, note in self.flows.items() if note["state"] != ACTIVE)

    @property
    def conflicts(self) -> tuple[str, ...]:
        """Routes whose run-time edit collides with the definitions, undecided."""
        return tuple(route for route, entry in self.routes.items() if "outcome" in entry)

    def as_json(self) -> dict[str, Any]:
        """The report for logs and for whoever invoked the run."""
        made = {each.name: getattr(self, each.name) for each in fields(self) if each.name not in ("routes", "flows")}
        trouble = {route: self.routes[route] for route in self.out_of_step if route in self.routes}
        return {
            **made,
            "routes": len(self.routes),
            "out_of_step": trouble,
            "conflicts": self.conflicts,
            "flows": len(self.flows),
            "flows_out_of_step": {flow: self.flows[flow] for flow in self.flows_out_of_step},
        }


class Reconciler:
    """Makes the rules of one bus, and the state machines of flows made at run time, what the store says.

    `deadline` is on `clock`'s time (seconds since the epoch); `jitter` gives numbers in [0, 1).
    """

    def __init__(
        self,
        store: Store,
        rules: Rules,
        bus: Bus,
        machines: Machines,
        plant: Plant,
        *,
        clock: Clock,
        metrics: Metrics,
        deadline: float = float("inf"),
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self._store = store
        self._bus = bus
        self._clock = clock
        self._metrics = metrics
        self._plant = plant
        self._calls = Calls(rules, clock, deadline=deadline, jitter=jitter)
        self._machines = MachineCalls(machines, clock, deadline=deadline, jitter=jitter)

    def run(self) -> Report:
        """Passes until the store holds still.

        Raises RulesError when the bus cannot be listed, and what the store raises. A route that could not be put in
        step does not stop the others: it is in the report, in its `sync` item and in the metrics, and the next run
        tries it again.
        """
        report = self._rounds()
        self._metrics.put(
            {
                "RoutesOutOfStep": len(report.out_of_step),
                "Conflicts": len(report.conflicts),
                "Repaired": len(report.repaired),
                "ForeignRules": len(report.foreign),
                "RuleWrites": report.writes,
                "FlowsOutOfStep": len(report.flows_out_of_step) + bool(report.machines_error),
                "MachineWrites": report.machine_writes,
                "Frozen": int(report.frozen),
            }
        )
        return report

    def _rounds(self) -> Report:
        repaired: list[str] = []
        rounds = 0
        store = self._store.snapshot()
        while True:
            rounds += 1
            if FREEZE in store.control:
                return self._counted(Report(frozen=True, settled=True, repaired=tuple(repaired)))
            now = self._now()
            flows = MachinePass(self._store, self._machines, self._plant, store, now)
            one = _Pass(self._store, self._calls, self._bus, flows, store, now)
            finished = one.run()
            repaired += (each for each in one.repaired if each not in repaired)
            before, store = store, self._store.snapshot() if finished else store
            settled = finished and not one.overtaken and _says(store) == _says(before)
            if settled or not finished or rounds == ROUNDS:
                report = Report(
                    settled=settled and not flows.error,
                    routes=one.routes(),
                    errors=one.errors(),
                    foreign=tuple(sorted(one.foreign())),
                    repaired=tuple(repaired),
                    flows=flows.notes,
                    machines_error=flows.error,
                )
                return self._counted(report)

    def _counted(self, report: Report) -> Report:
        return replace(report, writes=self._calls.writes, machine_writes=self._machines.writes)

    def _now(self) -> str:
        return datetime.fromtimestamp(self._clock.now(), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _says(store: StoreSnapshot) -> list[object]:
    """Everything in a snapshot that bears on what there must be: all but the reconciler's own notes."""
    return [*(store.targets, store.events, store.gone, store.decisions, store.overrides, store.flows, store.control)]


class _Pass:
    """One comparison of a snapshot of the store with the bus, and what it led to."""

    def __init__(
        self, notes: Store, calls: Calls, bus: Bus, flows: MachinePass, store: StoreSnapshot, now: str
    ) -> None:
        self._notes = notes
        self._routes = Routes(calls, bus.stack)
        self._bus = bus
        self._flows = flows
        self._store = store
        self._now = now
        self._events = wanted(store, bus)
        self._last = {event_id: _entries(store.sync.get(event_sync(event_id))) for event_id in self._event_ids()}
        # What was noted of a route stands until the route has been looked at.
        self._entries: dict[str, dict[str, Entry]] = {
            event_id: {name: {k: v for k, v in entry.items() if k != "outcome"} for name, entry in entries.items()}
            for event_id, entries in self._last.items()
        }
        self._stuck: list[str] = []
        self._still: bool | None = None
        self.repaired: list[str] = []

    def run(self) -> bool:
        """False when time ran out before all was done."""
        try:
            self._flows.put_new()
            self._events = wanted(self._store, self._bus, self._flows.absent())
            self._routes.look()
            # Rules of events that cannot be read are left alone, whatever they send to.
            self._stuck += self._routes.ours(self.errors())
            jobs = self._routes.jobs(self._events)
            there = {(job.event_id, job.route) for job in jobs}
            for event_id, entries in self._entries.items():
                self._entries[event_id] = {name: e for name, e in entries.items() if (event_id, name) in there}
            # What changed comes before what is only looked at, so that an edit is live soon on a bus of many rules.
            for job in sorted(jobs, key=lambda job: (self._applied(job), job.rank)):
                if job.wanted is None and not self._holds_still():
                    break  # another round follows
                entry = self._do(job)
                self._note(job, entry)
                if job.live is not None and entry is not None and entry["state"] != IN_STEP:
                    self._stuck.append(job.live["Name"])
            else:
                self._flows.check()
                self._flows.remove(self._still_used)
            self.repaired += (f"flow {flow}" for flow in self._flows.repaired)
            finished = True
        except OutOfTimeError:
            finished = False
        self._flows.tell()
        self._tell()
        return finished

    def routes(self) -> dict[str, Entry]:
        """The entries by route id."""
        return {
            f"{event_id}/{name}": entry
            for event_id in sorted(self._entries)
            for name, entry in sorted(self._entries[event_id].items())
        }

    def errors(self) -> dict[str, str]:
        """Events whose items are malformed."""
        return {event.event_id: event.error for event in self._events.values() if event.error}

    def foreign(self) -> list[str]:
        """Rules on the bus that are neither ours nor AWS's own."""
        return self._routes.foreign

    def _event_ids(self) -> set[str]:
        noted = (sk.removeprefix(EVENT_SYNC) for sk in self._store.sync if sk.startswith(EVENT_SYNC))
        return {*self._events, *noted}

    @property
    def overtaken(self) -> bool:
        """Did it leave rules that must go, because the store had changed?"""
        return self._still is False

    def _holds_still(self) -> bool:
        """Is the store still what this pass goes by? It is read once more before the first rule goes: a deploy may have
        declared the event anew since, and the engine be about to put targets on that very rule."""
        if self._still is None:
            self._still = _says(self._notes.snapshot()) == _says(self._store)
        return self._still

    def _do(self, job: Job) -> Entry | None:
        """Puts one route in step. Its entry, None when nothing is left of the route."""
        outcome = self._routes.put_in_step(job)
        if outcome is None:
            return None
        repaired = outcome.changed and self._applied(job)
        if repaired:
            self.repaired.append(f"{job.event_id}/{job.route}")
        return self._entry(job, outcome, repaired=self._now if repaired else "")

    def _still_used(self) -> set[str]:
        """The flows that rules of ours send to although the store may say otherwise: those that are not in step."""
        found: set[str] = set()
        for rule in self._stuck:
            for target in self._routes.targets(rule):
                found |= routed_flows(target.get("InputTransformer", {}).get("InputTemplate", ""))
        return found

    def _applied(self, job: Job) -> bool:
        """Was the wanted rule what was last applied?"""
        last = self._last.get(job.event_id, {}).get(job.route, {})
        return job.wanted is not None and last.get("state") == IN_STEP and last.get("rule") == job.wanted.digest

    def _entry(self, job: Job, outcome: Outcome, *, repaired: str) -> Entry:
        entry: Entry = {"state": outcome.state}
        if job.wanted is not None:
            entry["rule"] = job.wanted.digest
        if outcome.error:
            entry["error"] = outcome.error
        if not repaired and outcome.state == IN_STEP and self._applied(job):
            repaired = self._last[job.event_id][job.route].get("repaired", "")
        if repaired:
            entry["repaired"] = repaired
        return entry

    def _note(self, job: Job, entry: Entry | None) -> None:
        entries = self._entries.setdefault(job.event_id, {})
        if entry is not None:
            entries[job.route] = entry
        else:
            entries.pop(job.route, None)

    def _tell(self) -> None:
        """Writes the `sync` items that say something new, and takes away those of events that are no more."""
        for event in self._events.values():
            for name, route in event.routes.items():
                if route.outcome in ("conflict", "orphaned"):
                    entry = self._entries.setdefault(event.event_id, {}).setdefault(name, {"state": IN_STEP})
                    entry["outcome"] = route.outcome
        for event_id in sorted({*self._event_ids(), *self._entries}):
            event = self._events.get(event_id, WantedEvent(event_id))
            entries = self._last[event_id] if event.error else self._entries.get(event_id, {})
            was = self._store.sync.get(event_sync(event_id))
            if event_id not in self._store.events and not entries:
                if was is not None:
                    self._notes.delete(SYNC, was[SK])
                continue
            item = sync_item(event_id, at=self._now, revision=event.revision, routes=entries, error=event.error)
            if was is None or {**item, "At": ""} != {**was, "At": ""}:
                self._notes.put(item)


def _entries(item: Mapping[str, Any] | None) -> dict[str, Entry]:
    """What the last pass noted; notes that cannot be read count as none and are written anew."""
    try:
        return {} if item is None else {name: dict(entry) for name, entry in json.loads(item["Routes"]).items()}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
