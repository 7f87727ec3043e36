"""The state machines of flows made at run time: what they must be, and one pass that makes them so.

A machine is ours if its tags say stack, flow and origin. Whatever else has one of our names is somebody else's: it is
reported and left alone, and the flow whose name it has is failed.

The order keeps events from being lost: a machine is there before the rules that send to it are written, and goes only
when none does any more.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from signalbox.canonical import digest
from signalbox.flow_edits import flow_version
from signalbox.flows import LOG_LEVEL, Names, compile_flow, definition, flow_of, machine_type
from signalbox.flows.compiler import literals
from signalbox.flows.model import Call, Emit, Flow
from signalbox.flows.names import FLOW_TAG
from signalbox.model import Event
from signalbox.reconcile.calls import MachineCalls
from signalbox.reconcile.ports import CallError, MachinesError, Store
from signalbox.store import (
    ACTIVE,
    CREATING,
    FLOW_FAILED,
    FLOW_SYNC,
    ORIGIN_API,
    RELEASE,
    SK,
    SYNC,
    Item,
    StoreSnapshot,
    event_from_item,
    flow_sync,
    flow_sync_item,
    is_of_api,
)

LOOKS = 3
"""How often a machine is looked for that cannot be made because it is there: what describes machines may be old."""

# Codes of errors: https://docs.aws.amazon.com/step-functions/latest/apireference/API_CreateStateMachine.html
ALREADY_EXISTS = "StateMachineAlreadyExists"
BEING_DELETED = "StateMachineDeleting"
GONE = "StateMachineDoesNotExist"
DELETING = "DELETING"

Live = Mapping[str, Any]
"""A state machine as Step Functions' API gives it."""


@dataclass(frozen=True, slots=True)
class Plant:
    """What the machines of all flows made at run time share: how things are called, the one `role` that they run with
    (an ARN), and the log group that they log to, `logs` (an ARN as Step Functions takes it)."""

    names: Names
    role: str
    logs: str


@dataclass(frozen=True, slots=True)
class WantedMachine:
    """A state machine as it must be; `fields` and `tags` in the form of the API."""

    name: str
    arn: str
    kind: str
    fields: Mapping[str, Any]
    tags: Mapping[str, str]

    @property
    def digest(self) -> str:
        """16 hex digits that name this very machine."""
        return digest([self.kind, dict(self.fields)])


class UnusableError(Exception):
    """No machine can be made of the flow; the text says why."""


def wanted_machine(item: Item, store: StoreSnapshot, plant: Plant) -> WantedMachine:
    """The machine of a flow that the API made, by its item. Raises UnusableError.

    The API has checked the definition, but what it names may have gone from the definitions since.
    """
    try:
        flow = flow_of(item[SK], json.loads(item["Data"]))
        events = _events(flow, store)
        _check_functions(flow, store)
        text = definition(compile_flow(flow, plant.names, events))
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise UnusableError(f"malformed item: {type(error).__name__}: {error}") from error
    fields = {
        "definition": text,
        "roleArn": plant.role,
        "loggingConfiguration": {
            "level": LOG_LEVEL,
            "includeExecutionData": False,
            "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": plant.logs}}],
        },
        "tracingConfiguration": {"enabled": True},
    }
    names = plant.names
    tags = names.tags(flow.id, ORIGIN_API)
    return WantedMachine(names.machine(flow.id), names.machine_arn(flow.id), machine_type(flow), fields, tags)


def owner(name: str, tags: Mapping[str, str], names: Names) -> str | None:
    """The flow made at run time whose state machine this is, by its name and tags; None: it is not ours."""
    flow_id = tags.get(FLOW_TAG, "")
    ours = names.tags(flow_id, ORIGIN_API).items() <= tags.items() and names.machine(flow_id) == name
    return flow_id if ours else None


def differs(wanted: WantedMachine, live: Live) -> list[str]:
    """The fields of a live machine that are not as wanted. What the API does not tell counts as right."""
    return [key for key, value in wanted.fields.items() if key in live and not _same(key, value, live[key])]


def run_time_flows(store: StoreSnapshot) -> dict[str, Item]:
    """The flows that the API made and that must have machines; released, none must."""
    if RELEASE in store.control:
        return {}
    return {flow_id: item for flow_id, item in store.flows.items() if is_of_api(item)}


Note = dict[str, str]
"""What a `sync` item says of one flow, by the keyword arguments of `flow_sync_item`."""


class MachinePass:
    """One comparison of the flows in a snapshot of the store with the state machines, and what it led to.

    `put_new` comes before the rules are looked at, `check` and `remove` after. `notes` has a Note of every flow made at
    run time, and of those that are gone whose machines are not.
    """

    def __init__(self, store: Store, calls: MachineCalls, plant: Plant, snapshot: StoreSnapshot, now: str) -> None:
        self._store = store
        self._calls = calls
        self._plant = plant
        self._snapshot = snapshot
        self._now = now
        self._flows = run_time_flows(snapshot)
        notes = {sk: item for sk, item in snapshot.sync.items() if sk.startswith(FLOW_SYNC)}
        self._last = {sk.removeprefix(FLOW_SYNC): _note(item) for sk, item in notes.items()}
        # What was noted of a flow stands until the flow has been looked at.
        self.notes: dict[str, Note] = dict(self._last)
        self.repaired: list[str] = []
        self.error = ""
        """Why the machines that must go could not be found."""
        self._later: list[tuple[str, WantedMachine]] = []
        self._forgotten: set[str] = set()
        self._down = ""

    def put_new(self) -> None:
        """Makes and changes the machines of flows that are not noted as done."""
        for flow_id, item in sorted(self._flows.items()):
            last = self._last.get(flow_id, {})
            try:
                wanted = wanted_machine(item, self._snapshot, self._plant)
            except UnusableError as error:
                self._set(flow_id, FLOW_FAILED, machine=last.get("machine", ""), error=str(error))
                continue
            if last.get("state") == ACTIVE and last.get("machine") == wanted.digest:
                self._set(flow_id, ACTIVE, machine=wanted.digest, repaired=last.get("repaired", ""))
                self._later.append((flow_id, wanted))
            else:
                self._do(flow_id, wanted)

    def absent(self) -> dict[str, str]:
        """Flows that no new rule may send to because they have no machine, each with the reason."""
        return {
            flow_id: self.notes.get(flow_id, {}).get("error", "") or "its state machine is yet to be made"
            for flow_id in self._flows
            if not self.notes.get(flow_id, {}).get("machine")
        }

    def check(self) -> None:
        """Puts the other machines right."""
        for flow_id, wanted in self._later:
            self._do(flow_id, wanted)

    def remove(self, in_use: Callable[[], set[str]]) -> None:
        """Deletes our machines whose flows are gone, save those of flows that rules still send to (`in_use`)."""
        try:
            gone = self._gone()
            used = in_use() if gone else set()
        except CallError as error:
            self.error = str(error)
            return
        for flow_id, arn in gone.items():
            if flow_id in used:
                words = "a rule that could not be put in step still sends to it"
                self._set(flow_id, FLOW_FAILED, machine=self._noted(flow_id), error=words)
                continue
            try:
                live = self._calls.describe(arn)
                if live is not None and live.get("status") != DELETING:
                    self._forget(flow_id)
                    self._calls.delete(arn)
            except MachinesError as error:
                self._set(flow_id, FLOW_FAILED, machine=self._noted(flow_id), error=str(error))
            else:
                self.notes.pop(flow_id, None)
        for flow_id in [each for each in self.notes if each not in self._flows and each not in gone]:
            del self.notes[flow_id]

    def tell(self) -> None:
        """Writes the `sync` items that say something new, and takes away those of flows that are no more."""
        for flow_id in sorted({*self._last, *self.notes} - (self._forgotten - self.notes.keys())):
            was = None if flow_id in self._forgotten else self._snapshot.sync.get(flow_sync(flow_id))
            note = self.notes.get(flow_id)
            if note is None:
                self._store.delete(SYNC, flow_sync(flow_id))
                continue
            item = flow_sync_item(flow_id, at=self._now, **{"version": "", "state": "", **note})
            if was is None or {**item, "At": ""} != {**was, "At": ""}:
                self._store.put(item)

    def _forget(self, flow_id: str) -> None:
        """Takes back what was noted, before the machine goes: a run that dies in between must not leave a note by which
        the next, for which there may be such a flow again, takes the machine for there."""
        if flow_id in self._last:
            self._store.delete(SYNC, flow_sync(flow_id))
            self._forgotten.add(flow_id)

    def _do(self, flow_id: str, wanted: WantedMachine) -> None:
        last = self._last.get(flow_id, {})
        known = last.get("state") == ACTIVE and last.get("machine") == wanted.digest
        try:
            done = _Done(FLOW_FAILED, self._down) if self._down else self._put(wanted, known=known)
        except MachinesError as error:
            # When not even tries have helped, more of them for each flow would keep the rules waiting.
            self._down = str(error) if error.retryable else ""
            done = _Done(FLOW_FAILED, str(error))
        if done.state == ACTIVE:
            if done.changed and known:
                self.repaired.append(flow_id)
            repaired = self._now if done.changed and known else last.get("repaired", "") if known else ""
            self._set(flow_id, ACTIVE, machine=wanted.digest, repaired=repaired)
        else:
            machine = last.get("machine", "") if done.there is None else _OLDER if done.there else ""
            self._set(flow_id, done.state, machine=machine, error=done.words)

    def _put(self, wanted: WantedMachine, *, known: bool) -> "_Done":
        """Makes or changes one machine."""
        for look in range(1, LOOKS + 1):
            live = self._calls.describe(wanted.arn)
            try:
                if live is None:
                    self._calls.create(wanted.name, wanted.kind, wanted.fields, wanted.tags)
                    return _Done(ACTIVE, changed=True, there=True)
                if live.get("status") == DELETING:
                    return _Done(CREATING, _DELETED, there=False)
                return self._change(wanted, live, known=known)
            except MachinesError as error:
                if error.code == BEING_DELETED:
                    return _Done(CREATING, _DELETED, there=False)
                if error.code not in (ALREADY_EXISTS, GONE) or look == LOOKS:
                    return _Done(FLOW_FAILED, str(error), there=live is not None)
            self._calls.wait(look)
        raise AssertionError("the last look ends the loop")

    def _change(self, wanted: WantedMachine, live: Live, *, known: bool) -> "_Done":
        change = bool(differs(wanted, live))
        other = live.get("type", wanted.kind) != wanted.kind
        if (change or other or not known) and not self._is_ours(wanted.arn, wanted.tags):
            words = f"a state machine {wanted.name} is there that is not ours: delete it, or name the flow otherwise"
            return _Done(FLOW_FAILED, words, there=False)
        if other:
            # The type of a machine cannot be changed, and its name is not free at once.
            self._calls.delete(wanted.arn)
            return _Done(CREATING, _DELETED, there=False)
        if change:
            self._calls.update(wanted.arn, wanted.fields)
        return _Done(ACTIVE, changed=change, there=True)

    def _is_ours(self, arn: str, tags: Mapping[str, str]) -> bool:
        live = self._calls.tags(arn)
        return all(live.get(key) == value for key, value in tags.items())

    def _gone(self) -> dict[str, str]:
        """The ARNs of our machines that no flow of the store has, by the flow that they were."""
        names = self._plant.names
        kept = {names.machine(each) for each in (*self._flows, *self._of_definitions())}
        found: dict[str, str] = {}
        for machine in self._calls.machines():
            name, arn = machine["name"], machine["stateMachineArn"]
            if not name.startswith(f"{names.stack}-") or name in kept:
                continue
            if (flow_id := owner(name, self._calls.tags(arn), names)) is not None:
                found[flow_id] = arn
        return found

    def _of_definitions(self) -> list[str]:
        return [flow_id for flow_id, item in self._snapshot.flows.items() if not is_of_api(item)]

    def _noted(self, flow_id: str) -> str:
        """The digest of the machine that was last there."""
        return self.notes.get(flow_id, {}).get("machine", "")

    def _set(self, flow_id: str, state: str, **more: str) -> None:
        item = self._snapshot.flows.get(flow_id)
        version = flow_version(item) if item is not None and "Data" in item else ""
        self.notes[flow_id] = {"version": version, "state": state, **{k: v for k, v in more.items() if v}}


@dataclass(frozen=True, slots=True)
class _Done:
    """What came of one machine. `there`: is there one of ours? None: that is not known."""

    state: str
    words: str = ""
    changed: bool = False
    there: bool | None = None


_OLDER = "older"
"""In place of the digest of a machine that is ours and could not be changed."""
_DELETED = "a state machine of that name is still being deleted; it is tried again"


def _note(item: Item) -> Note:
    """What the last pass noted; notes that cannot be read count as none and are written anew."""
    return {key.lower(): str(item[key]) for key in ("Version", "State", "Machine", "Error", "Repaired") if key in item}


def _events(flow: Flow, store: StoreSnapshot) -> dict[str, Event]:
    """The events that the flow emits."""
    found: dict[str, Event] = {}
    for step in flow.walk():
        if not isinstance(step, Emit):
            continue
        if step.event not in store.events:
            raise UnusableError(f"step {step.name} emits {step.event}, and there is no such event any more")
        found[step.event] = event_from_item(store.events[step.event])
        try:
            literals(found[step.event])
        except ValueError as error:
            raise UnusableError(f"step {step.name}: {error}") from error
    return found


def _check_functions(flow: Flow, store: StoreSnapshot) -> None:
    for step in flow.walk():
        if isinstance(step, Call) and store.targets.get(step.function, {}).get("Kind") != "function":
            raise UnusableError(f"step {step.name} calls {step.function}, and there is no such function any more")


def _same(key: str, wanted: Any, live: Any) -> bool:
    if key != "definition" or wanted == live:
        return wanted == live
    try:
        return json.loads(live) == json.loads(wanted)
    except (TypeError, ValueError, RecursionError):
        return False
