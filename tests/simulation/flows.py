"""Flows made at run time in a simulated run: who posts and deletes them, and what must hold of them and their machines.

Around the product's own `signalbox.flow_edits` and reconciler. What is promised is kept here in its own words: a flow
that a live edit names is never gone, no rule is made to send to a flow without a machine, and in the end the machines
are those of the flows, with our tags, and nobody else's were touched.
"""

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from random import Random
from typing import Any

from signalbox.aws.store import BusyError, DynamoStore, StoreError
from signalbox.classic import ROUTER
from signalbox.flow_edits import Checked, Request, Saved, delete_flow, save_flow
from signalbox.flows import Names, compile_flow, definition, flow_of, machine_type
from signalbox.reconcile import Plant, Report
from signalbox.store import (
    CONTROL,
    EVENTS,
    FLOW,
    GONE,
    IDEMPOTENCY,
    RELEASE,
    SYNC,
    event_from_item,
    from_attributes,
)
from tests.simulation.cloud import MACHINE, Cloud, Key
from tests.simulation.faults import Faults

STACK = "dev"
PLANT = Plant(Names(STACK, "eu-central-1", "1", "https://sqs/dev-undelivered"), "arn:role", "arn:logs:*")
FLOW_IDS = ("fl1", "fl2")
DOCUMENTS: tuple[dict[str, Any], ...] = (
    {"steps": [{"name": "say", "transform": "$input.detail"}]},
    {"steps": [{"name": "say", "transform": "$input.detail"}], "description": "The same, said otherwise."},
    {"steps": [{"name": "say", "transform": "$input.detail"}], "repeatable": True},
    {"steps": [{"name": "tell", "emit": "outage", "detail": "$input.detail"}]},
)
THEIRS: tuple[tuple[str, dict[str, str]], ...] = (
    ("dev-theirs", {}),
    ("other-fl1", {"signalbox:stack": "other", "signalbox:flow": "fl1", "signalbox:origin": "api"}),
    ("dev-two-fl1", {"signalbox:stack": "dev-two", "signalbox:flow": "fl1", "signalbox:origin": "api"}),
    ("dev-declared", {"signalbox:stack": "dev", "signalbox:flow": "declared", "signalbox:origin": "definitions"}),
)
TAKEN = ("dev-fl2", {"signalbox:stack": "dev", "signalbox:flow": "fl2", "signalbox:origin": "definitions"})


class BrokenError(AssertionError):
    """A promise about flows was not kept."""


class Flows:
    """The flows of one run. `on`: are there any? Then routes may name them."""

    def __init__(self, rng: Random, cloud: Cloud, faults: Faults, store: DynamoStore, clock: Any) -> None:
        self._rng = rng
        self._cloud = cloud
        self._faults = faults
        self._store = store
        self._clock = clock
        self.on = rng.random() < 0.5
        self._answers: dict[str, Saved] = {}
        self.touched: set[str] = set()
        """Machines that somebody's hand changed, or that a deploy may need before they are there."""
        theirs = [*THEIRS, *([TAKEN] if rng.random() < 0.4 else [])] if self.on else []
        for name, tags in theirs:
            machine = {"name": name, "stateMachineArn": MACHINE + name, "status": "ACTIVE", "type": "STANDARD"}
            cloud.machines[name] = {**machine, "definition": "{}"}
            cloud.machine_tags[name] = tags
        self._theirs = {name: cloud.machines[name] for name, _ in theirs}

    # -- what people do

    def act(self, who: str) -> None:
        """Somebody posts a flow, or takes one away."""
        flow_id = self._rng.choice(FLOW_IDS)
        if self._rng.random() < 0.65:
            self._try(lambda: self._post(who, flow_id))
        else:
            self.delete(flow_id)

    def post(self, who: str, flow_id: str) -> None:
        """Somebody posts a plain flow."""
        when = datetime.fromtimestamp(self._clock.now(), UTC)
        self._try(lambda: save_flow(self._store, flow_id, lambda: Checked(DOCUMENTS[0]), who=who, when=when))

    def delete(self, flow_id: str) -> None:
        """Somebody takes a flow away."""
        self._try(lambda: delete_flow(self._store, flow_id, sleep=self._clock.sleep, jitter=self._rng.random))

    def _try(self, action: Callable[[], object]) -> None:
        try:
            action()
        except BusyError as failure:
            if self._faults.rate == 0:
                raise BrokenError("a flow could not be edited although nothing was wrong") from failure
        except StoreError:
            return

    def _post(self, who: str, flow_id: str) -> None:
        number = self._rng.randrange(len(DOCUMENTS))
        request = None
        if self._rng.random() < 0.4:
            request = Request(f"{flow_id}-{self._rng.randint(1, 2)}", f"{number}")
        outcome = save_flow(
            self._store,
            flow_id,
            lambda: Checked(DOCUMENTS[number]),
            who=who,
            when=datetime.fromtimestamp(self._clock.now(), UTC),
            request=request,
            sleep=self._clock.sleep,
            jitter=self._rng.random,
        )
        if isinstance(outcome, Saved) and request:
            if self._answers.setdefault(request.key, outcome) != outcome:
                raise BrokenError(f"{request} was answered by {outcome} and by {self._answers[request.key]}")
            self._faults.hit("request repeated")

    def hand(self) -> bool:
        """Somebody changes one of our machines in the console, if there is one."""
        ours = [name for name in map(PLANT.names.machine, FLOW_IDS) if self._is_ours(name)]
        if not ours:
            return False
        name = self._rng.choice(ours)
        self._cloud.remember_machines()
        self.touched.add(name)
        if self._rng.random() < 0.5:
            self._faults.hit("machine deleted by hand")
            del self._cloud.machines[name]
        else:
            self._faults.hit("machine changed by hand")
            self._cloud.machines[name] = {**self._cloud.machines[name], "definition": '{"hand": 1}'}
        self._cloud.tick += 1
        return True

    def there(self) -> list[str]:
        """The flows that a route may name."""
        return [flow_id for flow_id in FLOW_IDS if (FLOW, flow_id) in self._cloud.items]

    # -- what must hold at every step

    def item_written(self, key: Key, new: Any, named: Callable[[str], bool]) -> None:
        """`named`: does a live edit name the flow?"""
        if key[0] == FLOW and new is None:
            self._faults.hit("flow deleted")
            if named(key[1]):
                raise BrokenError(f"the flow {key[1]} is gone, and a route names it")

    def posted(self, configs: Mapping[str, Any]) -> None:
        """An edit was accepted: every flow that it names is there."""
        for flow_id in _named(configs):
            self._faults.hit("route to a flow")
            if (FLOW, flow_id) not in self._cloud.items:
                raise BrokenError(f"a route was made to name the flow {flow_id}, which is gone")

    def rule_written(self, rule: str, who: str) -> None:
        """The reconciler, alone and not misled, has written targets of a rule.

        An earlier run may have been misled, or not alone, and noted a machine that was gone: until the machines are
        looked at, after the rules, the Router tries again what it could not start.
        """
        before = _flows_of(self._cloud.targets_before(rule))
        for flow_id in self._sent_to(rule) - before:
            name = PLANT.names.machine(flow_id)
            excused = name in self.touched or name in self._cloud.misread
            if not excused and self._cloud.machines.get(name, {}).get("status") != "ACTIVE":
                raise BrokenError(f"{who}: {rule} was made to send to the flow {flow_id}, which has no machine")

    def machine_written(self, name: str, operation: str, *, excused: bool) -> None:
        """`excused`: somebody else is at work too, or what was read was old."""
        if name in self._theirs:
            raise BrokenError(f"{operation} on {name}, which is not ours")
        if operation != "delete_state_machine":
            return
        if excused:
            self._cloud.misread.add(name)  # whoever else is at work may have noted that it is there
            return
        for rule in self._cloud.rules:
            kept = (FLOW, name.removeprefix(f"{STACK}-")) in self._cloud.items
            if name in {PLANT.names.machine(each) for each in self._sent_to(rule)} and not kept:
                raise BrokenError(f"{name} was deleted, and {rule} sends to it")

    def missing(self, flow_id: str, report: Report) -> bool:
        """Has the flow no machine that a rule could send to?"""
        return (FLOW, flow_id) not in self._cloud.items or not report.flows.get(flow_id, {}).get("machine")

    # -- what must hold after a run that nothing disturbed, and in the end

    def check(self, report: Report, when: str) -> None:
        """The machines are those of the flows; where they cannot be, that is reported."""
        released = (CONTROL, RELEASE) in self._cloud.items
        for flow_id in FLOW_IDS:
            name = PLANT.names.machine(flow_id)
            item = self._cloud.items.get((FLOW, flow_id))
            note, live = report.flows.get(flow_id), self._cloud.machines.get(name)
            if item is None or released:
                if self._is_ours(name) and not (note and note["state"] == "failed"):
                    raise BrokenError(f"{when}: {name} is still there, and reported as {note}")
                continue
            if note is None:
                raise BrokenError(f"{when}: nothing is reported of the flow {flow_id}")
            wanted = self._wanted(flow_id, json.loads(item["Data"]["S"]))
            if name in self._theirs or wanted is None:
                self._faults.hit("flow that can have no machine")
                if note["state"] != "failed":
                    raise BrokenError(f"{when}: {flow_id} can have no machine, but is reported as {note}")
            elif note["state"] != "active":
                # A flow of another type gets another machine, and the name of the first is not free at once.
                if self._faults.rate == 0 and (note["state"] != "creating" or live is not None):
                    raise BrokenError(f"{when}: {flow_id} is {note}, and nothing is wrong")
            elif live is None or live["status"] != "ACTIVE" or self._shown(live) != wanted:
                raise BrokenError(f"{when}: {name} must be {wanted}, but is {live}")
            elif not self._is_ours(name):
                raise BrokenError(f"{when}: {name} has the tags {self._cloud.machine_tags.get(name)}")

    def check_end(self, report: Report) -> None:
        """What is noted is what was reported, and what is not ours is as it was."""
        self.check(report, "in the end")
        noted = {
            sk.removeprefix("flow#"): from_attributes(item)["State"]
            for (pk, sk), item in self._cloud.items.items()
            if pk == SYNC and sk.startswith("flow#")
        }
        if noted != {flow_id: note["state"] for flow_id, note in report.flows.items()}:
            raise BrokenError(f"the sync items of flows say {noted}, the run {report.flows}")
        if {name: self._cloud.machines.get(name) for name in self._theirs} != self._theirs:
            raise BrokenError("a machine that is not ours was changed")
        keys = [sk for pk, sk in self._cloud.items if pk == IDEMPOTENCY]
        if not set(self._answers) <= set(keys):
            raise BrokenError(f"answers were given to {sorted(self._answers)}, kept are {keys}")

    def _wanted(self, flow_id: str, document: dict[str, Any]) -> dict[str, Any] | None:
        """What the machine must be; None: there can be none."""
        events = {}
        if any("emit" in step for step in document["steps"]):
            item = self._cloud.items.get((EVENTS, "outage"))
            if item is None or GONE in item:
                return None
            events["outage"] = event_from_item(from_attributes(item))
        flow = flow_of(flow_id, document)
        text = definition(compile_flow(flow, PLANT.names, events))
        return {"definition": text, "type": machine_type(flow), "roleArn": PLANT.role}

    def _shown(self, machine: Mapping[str, Any]) -> dict[str, Any]:
        return {key: machine[key] for key in ("definition", "type", "roleArn")}

    def _is_ours(self, name: str) -> bool:
        tags = self._cloud.machine_tags.get(name, {})
        ours = {"signalbox:stack": STACK, "signalbox:flow": name.removeprefix(f"{STACK}-"), "signalbox:origin": "api"}
        there = self._cloud.machines.get(name)
        return there is not None and there["status"] == "ACTIVE" and tags == ours

    def _sent_to(self, rule: str) -> set[str]:
        return _flows_of(self._cloud.targets.get(rule, {}))


def _flows_of(targets: Mapping[str, Any]) -> set[str]:
    template = targets.get(ROUTER, {}).get("InputTransformer", {}).get("InputTemplate", "")
    return {flow_id for flow_id in FLOW_IDS if f'{{"flow":"{flow_id}"}}' in template}


def _named(configs: Mapping[str, Any]) -> set[str]:
    return {target["flow"] for config in configs.values() for target in config["targets"] if "flow" in target}
