"""A flow over HTTP while the system runs: its state machine, events through it, its end; all under the real engine."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sandbox.stack import PulumiError
from signalbox.cli.api import ApiError
from tests.integration.left_over import left_over
from tests.integration.test_run_time_edits import BUS, Stack, until

MACHINE = f"{BUS}-look-after"
REQUEST = {"rideId": "ride-001", "outages": 1, "withinSeconds": 60}
LAST = '{"type": $event.detail.type, "description": $event.detail.description, "time": $event.time}'
FLOW: dict[str, Any] = {
    "id": "look-after",
    "description": "Every emergency asks for maintenance",
    "input": "outage",
    "steps": [
        {"name": "emergencies", "filter": {"detail": {"type": ["Emergency"]}}},
        {
            "name": "ask",
            "emit": "maintenanceRequest",
            "detail": f'{{"rideId": $event.detail.rideId, "outages": 1, "withinSeconds": 60, "lastOutage": {LAST}}}',
        },
    ],
}
EMERGENCY = {"rideId": "ride-001", "type": "Emergency", "description": "Stopped"}


class Flows(Stack):
    """A deployed park, its API, and its state machines."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.states = self.sandbox.emulator.client("stepfunctions")

    def machines(self) -> set[str]:
        """The names of the state machines that the API's flows have."""
        found = set()
        for each in self.states.list_state_machines()["stateMachines"]:
            tags = self.states.list_tags_for_resource(resourceArn=each["stateMachineArn"])["tags"]
            if {"key": "signalbox:origin", "value": "api"} in tags:
                found.add(each["name"])
        return found

    def state(self, flow: str) -> str:
        return self.api().get("flow", flow).body["state"]

    def post(self, flow: dict[str, Any]) -> Any:
        return self.api().post("flow", body=flow).body

    def delete(self, flow: str) -> Any:
        return self.api().delete("flow", flow).body

    def requests(self, detail: dict[str, Any]) -> list[dict[str, Any]]:
        """The requests of our flow that were received as mail after an outage: the park's own flow makes others."""
        received = self.send("outage", detail)
        mails = [json.loads(each["message"]) for each in received.of("mail")]
        details = [each["detail"] for each in mails if each["detail-type"] == "maintenanceRequest"]
        return [each for each in details if each["withinSeconds"] == REQUEST["withinSeconds"]]


@pytest.fixture
def park(tmp_path: Path) -> Iterator[Flows]:
    made = Flows(tmp_path)
    try:
        yield made
    finally:
        made.sandbox.stop()


def refused(status: int, action: Any) -> str:
    with pytest.raises(ApiError) as error:
        action()
    assert error.value.status == status, error.value
    return str(error.value)


def name_it(routes: Any) -> None:
    routes["look-after"] = {"pattern": {"type": ["Emergency"]}, "targets": [{"flow": "look-after"}]}


def test_a_flow_from_post_to_delete(park: Flows):
    # Posted: its state machine is there within seconds.
    assert park.requests(EMERGENCY) == []
    answer = park.post(FLOW)
    assert (answer["id"], answer["revision"]) == ("look-after", 1)
    until(lambda: park.state("look-after") == "active")
    assert park.machines() == {MACHINE}
    machine = park.states.describe_state_machine(
        stateMachineArn=f"arn:aws:states:{park.states.meta.region_name}:000000000000:stateMachine:{MACHINE}"
    )
    assert machine["roleArn"].endswith(f":role/{BUS}-flows")

    # A route to it, an event: the flow runs, and what it emits is received.
    park.edit("outage", name_it)
    until(lambda: park.detail("outage.look-after") is not None)
    (request,) = park.requests(EMERGENCY)
    assert REQUEST.items() <= request.items()
    assert park.requests({**EMERGENCY, "type": "Warning"}) == []
    told = park.run("status", code=1)
    assert "look-after" in told and "made by arn:aws:" in told
    park.run("sync")
    assert "0 calls changed a state machine" in park.run("sync")

    # Replaced: the machine follows.
    park.post({**FLOW, "steps": [{"name": "nothing", "filter": {"detail": {"type": ["Never"]}}}]})
    until(lambda: park.state("look-after") == "active")
    assert "Never" in _definition(park)
    assert park.requests(EMERGENCY) == []

    # A deploy leaves flow and route alone, and stops where the definitions take the name.
    park.up()
    assert park.changes() == {}
    assert park.machines() == {MACHINE}
    file = park.mappings / "flows" / "look-after.yaml"
    file.write_text("steps: [{name: say, transform: $input}]")
    with pytest.raises(PulumiError, match="look-after") as stopped:
        park.sandbox.pulumi("preview")
    assert "made at run time" in str(stopped.value)
    file.unlink()

    # It cannot go while a route names it; when none does, it goes with its machine.
    assert "outage/look-after" in refused(409, lambda: park.delete("look-after"))
    park.edit("outage", lambda routes: routes.pop("look-after"))
    park.delete("look-after")
    until(lambda: park.machines() == set())
    refused(404, lambda: park.state("look-after"))
    park.run("status")
    assert "repeat-outages" in {each["id"] for each in park.api().get("flows").body}
    refused(409, lambda: park.delete("repeat-outages"))


def test_hands_freezes_and_the_end_of_the_stack(park: Flows):
    # A machine of somebody else with our name is left alone, and said.
    somebody = {"definition": '{"StartAt":"x","States":{"x":{"Type":"Pass","End":true}}}'}
    theirs = park.states.create_state_machine(
        name=MACHINE, roleArn=f"arn:aws:iam::000000000000:role/{BUS}-flows", **somebody
    )
    park.post(FLOW)
    until(lambda: park.state("look-after") == "failed")
    assert "not ours" in park.api().get("flow", "look-after").body["why"]
    park.edit("outage", name_it)
    assert "not ours" in park.run("sync", code=1)
    assert park.detail("outage.look-after") is None
    park.states.delete_state_machine(stateMachineArn=theirs["stateMachineArn"])
    park.run("sync")
    assert park.machines() == {MACHINE}
    assert len(park.requests(EMERGENCY)) == 1

    # A machine that is changed or deleted behind our back is put right.
    park.states.update_state_machine(stateMachineArn=theirs["stateMachineArn"], **somebody)
    assert "differs: definition" in park.run("status", code=1)
    assert "flow look-after: was changed by hand, and put right" in park.run("sync")
    park.states.delete_state_machine(stateMachineArn=theirs["stateMachineArn"])
    assert "missing" in park.run("status", code=1)
    park.run("sync")
    assert len(park.requests(EMERGENCY)) == 1

    # While frozen, flows wait.
    park.run("freeze")
    park.post({**FLOW, "id": "later"})
    park.run("sync", code=1)
    assert park.state("later") == "creating"
    park.run("thaw")
    assert park.state("later") == "active"

    # Nothing of it outlives the stack.
    save = park.mappings.parent / "edits.json"
    assert "2 flows were made so" in park.run("release", "--save", str(save))
    saved = json.loads(save.read_text())
    assert saved["flows"].keys() == {"look-after", "later"}
    assert saved["edits"].keys() == {"outage"}
    assert park.machines() == set()

    # What was saved can be made once more. What is refused stops nothing else, and is told.
    park.run("thaw")
    park.edit("outage", lambda routes: routes.pop("look-after"))
    park.delete("look-after")
    park.delete("later")
    until(lambda: park.machines() == set())
    save.write_text(json.dumps(saved | {"flows": saved["flows"] | {"bad": {"steps": 1}}}))
    assert "flow bad" in park.run("restore", str(save), code=1)
    until(lambda: park.state("look-after") == "active" and park.detail("outage.look-after") is not None)
    assert len(park.requests(EMERGENCY)) == 1
    save.write_text(json.dumps(saved))
    assert "outage: restored" in park.run("restore", str(save))
    park.run("release", "--save", str(save))
    assert json.loads(save.read_text()) == saved
    assert park.machines() == set()
    park.sandbox.pulumi("destroy", "--yes", "--skip-preview")
    assert left_over(park.sandbox) == {}


def _definition(park: Flows) -> str:
    (each,) = (m for m in park.states.list_state_machines()["stateMachines"] if m["name"] == MACHINE)
    return park.states.describe_state_machine(stateMachineArn=each["stateMachineArn"])["definition"]
