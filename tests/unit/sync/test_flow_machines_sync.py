"""The state machines of flows made at run time follow the store: what it costs, what is left alone, what is told."""

import json
from typing import Any

import pytest

from signalbox.flows import compile_flow, definition, flow_of
from signalbox.reconcile import IN_STEP, KEPT_OLD
from signalbox.reconcile.calls import ATTEMPTS
from signalbox.store import (
    FREEZE,
    ORIGIN_API,
    ORIGIN_DEFINITIONS,
    RELEASE,
    control_item,
    event_item,
    flow_item,
    from_attributes,
    to_attributes,
)
from tests.simulation.cloud import MACHINE, error
from tests.unit.sync.account import AT, PLANT, Stack, event, fails, to

FLOW = {"steps": [{"name": "say", "transform": "$input.detail"}]}
OTHER = {"steps": [{"name": "say", "transform": "$input.detail.more"}]}
TAGS = {"signalbox:stack": "dev", "signalbox:flow": "repeat", "signalbox:origin": "api"}
READS = ("list_state_machines", "describe_state_machine", "list_tags_for_resource")
WRITES = ("create_state_machine", "update_state_machine", "delete_state_machine")
NOTES = ("put_item", "delete_item")


class FlowStack(Stack):
    """A stack with flows made at run time."""

    def post(self, flow_id: str = "repeat", document: Any = FLOW, revision: int = 1) -> None:
        made = flow_item(flow_id, document, ORIGIN_API)
        self.put({**made, "Revision": revision, "EditedAt": AT, "EditedBy": "alice", "Named": 0})

    def delete(self, flow_id: str = "repeat") -> None:
        self.dynamo.delete_item(Key=to_attributes({"PK": "flow", "SK": flow_id}))

    def note(self, flow_id: str = "repeat") -> Any:
        item = self.cloud.items.get(("sync", f"flow#{flow_id}"))
        return item and from_attributes(item)

    def machine(self, name: str = "dev-repeat") -> Any:
        return self.cloud.machines.get(name)

    def there(self, name: str, status: str = "ACTIVE", kind: str = "STANDARD", **tags: str) -> None:
        """A machine that somebody made."""
        fields = {"name": name, "stateMachineArn": MACHINE + name, "type": kind, "status": status, "definition": "{}"}
        self.cloud.machines[name] = {**fields, "until": 1_000_000}
        self.cloud.machine_tags[name] = {key.replace("_", ":"): value for key, value in tags.items()}

    def flows_of_rule(self, rule: str) -> Any:
        template = self.cloud.targets[rule]["router"]["InputTransformer"]["InputTemplate"]
        return json.loads(template.replace("<aws.events.event.json>", "null"))["targets"]


@pytest.fixture
def stack() -> FlowStack:
    made = FlowStack({"outage": {"a": to("t1")}})
    made.put(flow_item("declared", FLOW, ORIGIN_DEFINITIONS))
    made.post()
    assert made.run().flows_out_of_step == ()
    return made


def flow(name: str) -> dict[str, Any]:
    return {"targets": [{"flow": name}]}


def test_a_machine_is_what_the_flow_compiles_to_with_the_one_role_and_our_tags(stack):
    machine = stack.machine()
    assert machine["definition"] == definition(compile_flow(flow_of("repeat", FLOW), PLANT.names, {}))
    assert (machine["roleArn"], machine["type"]) == (PLANT.role, "STANDARD")
    log = machine["loggingConfiguration"]
    assert log["destinations"] == [{"cloudWatchLogsLogGroup": {"logGroupArn": PLANT.logs}}]
    assert (log["level"], log["includeExecutionData"]) == ("ERROR", False)
    assert machine["tracingConfiguration"] == {"enabled": True}
    assert stack.cloud.machine_tags["dev-repeat"] == TAGS
    assert stack.note()["State"] == "active"
    assert "dev-declared" not in stack.cloud.machines


def test_steady_state_writes_nothing_and_reads_each_machine_once(stack):
    report = stack.run()
    assert stack.called(*WRITES, *NOTES) == {}
    assert stack.called(*READS) == {"list_state_machines": 1, "describe_state_machine": 1}
    assert report.settled
    assert (report.machine_writes, stack.metrics.values["FlowsOutOfStep"]) == (0, 0)


def test_a_changed_flow_costs_one_update(stack):
    stack.post(document=OTHER, revision=2)
    stack.run()
    assert stack.called(*WRITES) == {"update_state_machine": 1}
    assert stack.called(*NOTES) == {"put_item": 1}
    assert "detail.more" in stack.machine()["definition"]


def test_a_flow_that_is_written_again_as_it_is_costs_a_note(stack):
    before = stack.note()
    stack.post(revision=2)
    stack.run()
    assert stack.called(*WRITES) == {}
    assert stack.note()["Version"] != before["Version"]
    assert stack.note()["State"] == "active"


def test_a_flow_that_is_gone_takes_its_machine_and_its_note_along(stack):
    stack.delete()
    assert stack.run().flows == {}
    assert stack.called(*WRITES) == {"delete_state_machine": 1}
    assert stack.machine()["status"] == "DELETING"
    assert stack.note() is None
    stack.cloud.machines.clear()
    stack.run()
    assert stack.called(*WRITES, *NOTES) == {}


def test_a_run_that_dies_when_it_has_deleted_a_machine_leaves_no_note_that_it_is_there(stack):
    """Seed 29900 of the simulation: a released stack is taken back, and rules were written to a machine that went."""
    delete = stack.states.delete_state_machine

    def delete_and_die(**request: Any) -> None:
        delete(**request)
        raise KeyboardInterrupt

    stack.states.delete_state_machine = delete_and_die
    stack.put(control_item(RELEASE, at=AT, by="op"))
    with pytest.raises(KeyboardInterrupt):
        stack.run()
    assert stack.machine()["status"] == "DELETING"
    assert stack.note() is None


def test_a_machine_that_cannot_be_deleted_is_noted(stack):
    stack.states.delete_state_machine = fails(
        stack.states.delete_state_machine, error("AccessDeniedException", "no", "DeleteStateMachine")
    )
    stack.delete()
    assert stack.run().flows["repeat"]["state"] == "failed"
    assert "AccessDenied" in stack.note()["Error"]
    assert stack.run().flows == {}
    assert stack.note() is None


def test_while_a_machine_is_being_deleted_the_flow_of_its_name_is_creating(stack):
    stack.there("dev-repeat", "DELETING", signalbox_stack="dev", signalbox_flow="repeat", signalbox_origin="api")
    stack.cloud.faults.rate = 1e-9  # the fake lets what is deleted go at once where there are no faults
    report = stack.run()
    assert stack.called(*WRITES) == {}
    assert report.flows["repeat"]["state"] == "creating"
    assert "still being deleted" in stack.note()["Error"]
    stack.cloud.machines.clear()
    assert stack.run().flows_out_of_step == ()
    assert stack.called(*WRITES) == {"create_state_machine": 1}


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"signalbox_stack": "prod", "signalbox_flow": "theirs", "signalbox_origin": "api"},
        {"signalbox_stack": "dev", "signalbox_flow": "theirs", "signalbox_origin": "definitions"},
        {"signalbox_stack": "dev", "signalbox_flow": "other", "signalbox_origin": "api"},
    ],
)
def test_a_machine_that_is_not_ours_is_left_alone_and_the_flow_of_its_name_is_failed(stack, tags):
    stack.there("dev-theirs", **tags)
    stack.there("other-stack")
    before = dict(stack.cloud.machines)
    stack.run()
    assert stack.called(*WRITES) == {}
    stack.post("theirs")
    stack.declare("outage", {"a": flow("theirs")})
    report = stack.run()
    assert stack.cloud.machines == before
    assert "not ours" in report.flows["theirs"]["error"]
    assert stack.note("theirs")["State"] == "failed"
    assert report.routes["outage/a"]["state"] == KEPT_OLD
    assert stack.targets("outage.a") == ["t1"]
    assert stack.metrics.values["FlowsOutOfStep"] == 1


@pytest.mark.parametrize("what", ["gone", "definition", "roleArn", "loggingConfiguration", "tracingConfiguration"])
def test_what_is_changed_by_hand_is_put_right_and_reported(stack, what):
    before = stack.machine()
    if what == "gone":
        del stack.cloud.machines["dev-repeat"]
    else:
        stack.cloud.machines["dev-repeat"] = {**before, what: "{}" if what == "definition" else {}}
    report = stack.run()
    assert stack.machine() == before
    assert report.repaired == ("flow repeat",)
    assert "Repaired" in stack.note()
    assert stack.run().repaired == ()
    assert stack.called(*WRITES, *NOTES) == {}


def test_a_machine_is_made_before_the_rule_that_sends_to_it_and_goes_after_it(stack):
    stack.post("new")
    stack.declare("outage", {"a": flow("new")})
    stack.run()
    calls = [each for each in stack.cloud.calls if each in (*WRITES, "put_targets")]
    assert calls == ["create_state_machine", "put_targets"]
    assert stack.flows_of_rule("outage.a") == [{"flow": "new"}]
    stack.delete("new")
    stack.declare("outage", {"a": to("t1")})
    stack.run()
    calls = [each for each in stack.cloud.calls if each in (*WRITES, "remove_targets")]
    assert calls == ["remove_targets", "delete_state_machine"]


def test_a_machine_stays_while_a_rule_that_cannot_be_changed_sends_to_it(stack):
    stack.declare("outage", {"a": flow("repeat")})
    stack.run()
    stack.delete()
    report = stack.run()
    assert report.routes["outage/a"]["state"] == KEPT_OLD
    assert stack.machine()["status"] == "ACTIVE"
    assert "still sends to it" in stack.note()["Error"]
    assert stack.metrics.values["FlowsOutOfStep"] == 1
    stack.declare("outage", {"a": to("t1")})
    assert stack.run().flows == {}
    assert stack.called(*WRITES) == {"delete_state_machine": 1}


def test_a_machine_of_another_type_is_made_anew(stack):
    stack.cloud.faults.rate = 1e-9
    stack.post(document={**FLOW, "repeatable": True}, revision=2)
    assert stack.run().flows["repeat"]["state"] == "creating"
    assert stack.called(*WRITES) == {"delete_state_machine": 1}
    stack.cloud.machines.clear()
    assert stack.run().flows_out_of_step == ()
    assert stack.machine()["type"] == "EXPRESS"


@pytest.mark.parametrize(
    ("document", "said"),
    [
        ({"steps": [{"name": "tell", "emit": "nothing"}]}, "emits nothing, and there is no such event"),
        ({"steps": [{"name": "ask", "function": "nobody"}]}, "calls nobody, and there is no such function"),
        ({"steps": [{"name": "ask", "function": "t1"}]}, "calls t1, and there is no such function"),
        ({"nothing": 1}, "malformed item"),
        ([], "malformed item"),
    ],
)
def test_a_flow_of_which_no_machine_can_be_made_is_failed_and_stops_no_other(stack, document, said):
    stack.post("broken", document)
    stack.post("zebra")
    stack.declare("outage", {"a": to("t5")})
    report = stack.run()
    assert said in report.flows["broken"]["error"]
    assert report.flows_out_of_step == ("broken",)
    assert stack.machine("dev-zebra") is not None
    assert stack.targets("outage.a") == ["t5"]


def test_an_event_that_goes_leaves_the_machine_that_emits_it_as_it_was(stack):
    stack.post(document={"steps": [{"name": "tell", "emit": "told", "detail": "$input.detail"}]}, revision=2)
    stack.put(event_item(event("told", {})))
    stack.declare("outage", {"a": flow("repeat")})
    assert stack.run().flows_out_of_step == ()
    before = stack.machine()
    stack.dynamo.delete_item(Key=to_attributes({"PK": "events", "SK": "told"}))
    report = stack.run()
    assert report.flows_out_of_step == ("repeat",)
    assert report.routes["outage/a"]["state"] == IN_STEP
    assert stack.machine() == before


def test_what_may_pass_is_tried_again(stack):
    failures = [error("ConflictException", "later", "UpdateStateMachine")] * (ATTEMPTS - 1)
    stack.states.update_state_machine = fails(stack.states.update_state_machine, *failures)
    stack.post(document=OTHER, revision=2)
    assert stack.run().flows_out_of_step == ()


@pytest.mark.parametrize("operation", ["create_state_machine", "update_state_machine", "describe_state_machine"])
def test_what_cannot_pass_stops_one_flow_and_no_other_and_no_rule(stack, operation):
    refused = error("AccessDeniedException", "not you", "X")
    calls = getattr(stack.states, operation)

    def call(**request: Any) -> Any:
        if "a-new" in str(request) or (operation == "update_state_machine" and "dev-repeat" in str(request)):
            raise refused
        return calls(**request)

    setattr(stack.states, operation, call)
    stack.post("a-new")
    stack.post("zebra")
    stack.post(document=OTHER, revision=2)
    stack.declare("outage", {"a": to("t5")})
    report = stack.run()
    broken = "repeat" if operation == "update_state_machine" else "a-new"
    assert report.flows_out_of_step == (broken,)
    assert "not you" in stack.note(broken)["Error"]
    assert stack.machine("dev-zebra") is not None
    assert stack.targets("outage.a") == ["t5"]


def test_a_machine_that_cannot_be_changed_still_takes_events(stack):
    stack.states.update_state_machine = fails(stack.states.update_state_machine, *[error("X", "no", "U")] * 9)
    stack.post(document=OTHER, revision=2)
    stack.declare("outage", {"a": flow("repeat")})
    report = stack.run()
    assert report.flows_out_of_step == ("repeat",)
    assert stack.flows_of_rule("outage.a") == [{"flow": "repeat"}]


def test_step_functions_being_down_keeps_no_rule_waiting(stack):
    down = [error("InternalServerError", "down", "D", 500)] * 1_000
    for name in (*READS, *WRITES):
        setattr(stack.states, name, fails(getattr(stack.states, name), *down))
    for number in range(30):
        stack.post(f"new-{number}")
    stack.declare("outage", {"a": to("t5")})
    before = stack.clock.time
    report = stack.run()
    assert stack.targets("outage.a") == ["t5"]
    assert stack.clock.time - before < 30
    assert not report.settled
    assert "down" in report.machines_error
    assert len(report.flows_out_of_step) >= 30


def test_a_machine_that_is_there_although_it_was_not_seen_is_changed(stack):
    stack.post(document=OTHER, revision=2)
    stack.states.describe_state_machine = fails(
        stack.states.describe_state_machine, error("StateMachineDoesNotExist", "old news", "D")
    )
    assert stack.run().flows_out_of_step == ()
    assert "detail.more" in stack.machine()["definition"]


def test_frozen_nothing_is_written(stack):
    stack.put(control_item(FREEZE, at=AT, by="op"))
    stack.post(document=OTHER, revision=2)
    stack.run()
    assert stack.called(*READS, *WRITES) == {}


def test_released_our_machines_go_and_come_back(stack):
    stack.there("dev-theirs")
    stack.declare("outage", {"a": flow("repeat")})
    stack.run()
    stack.put(control_item(RELEASE, at=AT, by="op"))
    stack.run()
    assert [each for each in stack.cloud.calls if each in ("delete_rule", *WRITES)] == [
        "delete_rule",
        "delete_state_machine",
    ]
    assert stack.note() is None
    stack.run()
    assert stack.called(*WRITES) == {}
    assert sorted(stack.cloud.machines) == ["dev-theirs"]
    stack.dynamo.delete_item(Key=to_attributes({"PK": "control", "SK": RELEASE}))
    stack.run()
    assert stack.machine()["status"] == "ACTIVE"
    assert stack.flows_of_rule("outage.a") == [{"flow": "repeat"}]


def test_machines_come_in_pages():
    stack = FlowStack({}, page=2)
    for number in range(5):
        stack.there(f"dev-f{number}", signalbox_stack="dev", signalbox_flow=f"f{number}", signalbox_origin="api")
    stack.run()
    assert stack.called(*WRITES) == {"delete_state_machine": 5}


def test_notes_that_cannot_be_read_are_written_anew(stack):
    before = stack.note()
    stack.put({"PK": "sync", "SK": "flow#repeat", "Colour": "red"})
    stack.run()
    assert {**stack.note(), "At": ""} == {**before, "At": ""}
