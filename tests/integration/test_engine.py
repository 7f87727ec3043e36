"""The real engine: preview, up, up again, a change, refresh, destroy."""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.emulator import ACCOUNT, REGION
from sandbox.places import ROOT
from sandbox.stack import PulumiError, Sandbox
from signalbox.definitions import load
from signalbox.flows import Names, compile_flow, definition, flow_of
from signalbox.store import ORIGIN_API, flow_item, to_attributes
from tests.integration.left_over import left_over


class Project:
    """A sandbox whose definitions are a copy that a test may change."""

    def __init__(self, folder: Path, rules_per_bus: int = 300, config: Mapping[str, Any] | None = None) -> None:
        self.mappings = folder / "mappings"
        self.sandbox = Sandbox(
            state=folder / "sandbox",
            rules_per_bus=rules_per_bus,
            config={"signalbox:mappings": str(self.mappings), **(config or {})},
        )

    def operations(self) -> dict[str, str]:
        """What a preview would do: operations by resource (`type name`), unchanged ones left out."""
        told = json.loads(self.sandbox.pulumi("preview", "--json"))
        found = {}
        for step in told["steps"]:
            if step["op"] not in ("same", "read"):
                urn = step["urn"].split("::")
                found[f"{urn[2].rpartition(':')[2]} {urn[3]}"] = step["op"]
        return found

    def up(self) -> str:
        return self.sandbox.pulumi("up", "--yes", "--skip-preview")

    def edit(self, event: str, change: Mapping[str, Any]) -> None:
        """Put `change` in place of the routes of the same names."""
        self._edit(event, lambda routes: routes.update(change))

    def remove_route(self, event: str, route: str) -> None:
        """Take a route away."""
        self._edit(event, lambda routes: routes.pop(route))

    def _edit(self, event: str, change: Callable[[dict[str, Any]], object]) -> None:
        file = self.mappings / "events" / f"{event}.yaml"
        document = yaml.safe_load(file.read_text())
        change(document["routes"])
        # Only what samples are, not which routes they take: that is what changes here.
        document["samples"] = [sample.get("detail", sample) for sample in document["samples"]]
        file.write_text(yaml.safe_dump(document))

    def edit_flow(self, flow: str, old: str, new: str) -> None:
        """Put the text `new` in the place of `old` in a flow's file."""
        file = self.mappings / "flows" / f"{flow}.yaml"
        text = file.read_text()
        assert old in text
        file.write_text(text.replace(old, new))

    def machine(self, flow: str) -> dict[str, Any]:
        """The state machine of a flow as it runs."""
        arn = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:signalbox-dev-{flow}"
        return self.sandbox.emulator.client("stepfunctions").describe_state_machine(stateMachineArn=arn)

    def count(self, type_: str) -> int:
        """Resources of a type in the stack's state."""
        state = json.loads(self.sandbox.pulumi("stack", "export"))
        return sum(each["type"].rpartition(":")[2] == type_ for each in state["deployment"]["resources"])


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    found = Project(tmp_path)
    shutil.copytree(ROOT / "mappings", found.mappings)
    found.sandbox.start()
    try:
        yield found
    finally:
        found.sandbox.stop()


def test_from_nothing_to_nothing(project: Project):
    sandbox = project.sandbox
    assert left_over(sandbox) == {}

    planned = project.operations()
    assert set(planned.values()) == {"create"}
    assert left_over(sandbox) == {}, "a preview has made something"

    project.up()
    assert project.operations() == {}, "a second up would change something"
    assert "unchanged" in project.up()
    sandbox.pulumi("refresh", "--yes", "--skip-preview")
    assert project.operations() == {}, "what was deployed is not what was declared"

    project.edit(
        "outage",
        {
            "call-maintenance": {
                "pattern": {"type": ["Emergency", "Warning"]},
                "targets": [{"topic": "maintenance-sms"}],
            }
        },
    )
    told = sandbox.pulumi("preview")
    assert "outage/call-maintenance: the pattern changes" in told
    assert re.search(r"outage/call-maintenance: sample 2 .*type=Warning.* is now taken, was not", told)
    assert project.operations() == {
        "EventRule outage/call-maintenance": "update",
        "TableItem outage-item": "update",
    }
    project.up()
    rule = sandbox.emulator.client("events").describe_rule(Name="outage.call-maintenance", EventBusName="signalbox-dev")
    assert json.loads(rule["EventPattern"])["detail"] == {"type": ["Emergency", "Warning"]}

    sandbox.pulumi("destroy", "--yes", "--skip-preview")
    assert left_over(sandbox) == {}


def test_a_flow_is_a_machine_as_long_as_it_is_defined(project: Project):
    sandbox = project.sandbox
    project.up()
    before = project.machine("park-summary")
    project.edit_flow("repeat-outages", "threshold: 3", "threshold: 2")
    assert project.operations() == {
        "StateMachine flows-repeat-outages": "update",
        "TableItem flows-repeat-outages-item": "update",
    }
    project.up()
    changed = project.machine("repeat-outages")
    definitions, _ = load(project.mappings, ROOT / "functions")
    flow = flow_of("repeat-outages", definitions.flows["repeat-outages"])
    names = Names("signalbox-dev", REGION, ACCOUNT, sandbox.outputs()["undelivered"])
    assert changed["definition"] == definition(compile_flow(flow, names, definitions.events))
    assert changed["tracingConfiguration"] == {"enabled": True}
    assert changed["loggingConfiguration"]["level"] == "ERROR"
    assert project.machine("park-summary")["revisionId"] == before["revisionId"]
    assert project.operations() == {}
    sandbox.pulumi("refresh", "--yes", "--skip-preview")
    assert project.operations() == {}, "what was deployed is not what was declared"

    # The type of a machine is for ever: the new one takes the name of the old.
    project.edit_flow("park-summary", "input:", "repeatable: true\ninput:")
    project.up()
    assert (before["type"], project.machine("park-summary")["type"]) == ("STANDARD", "EXPRESS")

    # A flow that somebody has made at run time is not overwritten.
    items = sandbox.emulator.client("dynamodb")
    theirs = {**flow_item("night-shift", {"steps": [{"name": "a", "transform": "1"}]}, ORIGIN_API), "Revision": 1}
    items.put_item(TableName="signalbox-dev-store", Item=to_attributes(theirs))
    file = project.mappings / "flows" / "night-shift.yaml"
    file.write_text("steps: [{name: a, transform: $input}]\n")
    for command in (["preview"], ["up", "--yes", "--skip-preview"]):
        with pytest.raises(PulumiError, match=r"a flow night-shift was made at run time.*fix: rename.*DELETE /flow"):
            sandbox.pulumi(*command)
    file.unlink()
    key = {name: {"S": theirs[name]} for name in ("PK", "SK")}
    assert items.get_item(TableName="signalbox-dev-store", Key=key)["Item"] == to_attributes(theirs)
    items.delete_item(TableName="signalbox-dev-store", Key=key)

    # Flow and route may go in one deploy.
    (project.mappings / "flows" / "repeat-outages.yaml").unlink()
    project.remove_route("outage", "repeats")
    project.up()
    left = [each["name"] for each in sandbox.emulator.client("stepfunctions").list_state_machines()["stateMachines"]]
    assert left == ["signalbox-dev-park-summary"]
    assert project.operations() == {}
    sandbox.pulumi("destroy", "--yes", "--skip-preview")
    assert left_over(sandbox) == {}


def test_bad_definitions_stop_preview_and_up_before_anything_is_made(project: Project):
    project.edit("outage", {"call-maintenance": {"targets": [{"topic": "nobody"}]}})
    for command in (["preview"], ["up", "--yes", "--skip-preview"]):
        with pytest.raises(PulumiError, match=r"outage\.yaml:\d+.*nobody"):
            project.sandbox.pulumi(*command)
    assert left_over(project.sandbox) == {}


def test_300_routes_of_two_targets_are_300_rules_and_600_targets(tmp_path: Path):
    project = Project(tmp_path, rules_per_bus=400, config={"signalbox:subscriptions": {}})
    (project.mappings / "events").mkdir(parents=True)
    (project.mappings / "destinations.yaml").write_text("one: {kind: topic}\nother: {kind: queue}\n")
    for event in range(30):
        document = {
            "source": "bench",
            "detail-type": f"kind{event}",
            "schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "routes": {
                f"r{route}": {"pattern": {"n": [route]}, "targets": [{"topic": "one"}, {"queue": "other"}]}
                for route in range(10)
            },
        }
        (project.mappings / "events" / f"e{event}.yaml").write_text(yaml.safe_dump(document))
    sandbox = project.sandbox
    sandbox.start()
    try:
        project.up()
        counted = {kind: project.count(kind) for kind in ("EventRule", "EventTarget", "EventRoutes")}
        # Two rules and targets more, on the default bus: the reconciler's schedule, and flows that ended in silence.
        assert counted == {"EventRule": 302, "EventTarget": 602, "EventRoutes": 30}
        assert project.operations() == {}
        events = sandbox.emulator.client("events")
        events.put_events(
            Entries=[{"EventBusName": "signalbox-dev", "Source": "bench", "DetailType": "kind7", "Detail": '{"n": 3}'}]
        )
        sqs = sandbox.emulator.client("sqs")
        url = sqs.get_queue_url(QueueName="signalbox-dev-other")["QueueUrl"]
        (message,) = sqs.receive_message(QueueUrl=url, WaitTimeSeconds=10)["Messages"]
        assert json.loads(message["Body"])["detail"] == {"n": 3}
    finally:
        sandbox.stop()


def test_pulumi_typed_by_hand_works_after_env(park: Sandbox):
    script = 'eval "$EXPORTS"; pulumi preview --non-interactive'
    environment = {"EXPORTS": park.exports(), "PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    done = subprocess.run(
        ["bash", "-c", script], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "unchanged" in done.stdout
