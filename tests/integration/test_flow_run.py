"""`flow run` on the deployed park: where it runs the flow, what it shows, how it ends, and that it leaves nothing."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from sandbox.places import ROOT
from sandbox.stack import Sandbox

MESSAGE = json.loads((ROOT / "sandbox" / "data" / "ride-times-3.json").read_text())
SUMMARY = {"source": "themepark.rides", "detail-type": "waitTimesSummary", "detail": MESSAGE}


def run(park: Sandbox, event: Any, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "signalbox", "flow", "run", *arguments, "--input", "-"]
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "PULUMI_"))}
    return subprocess.run(
        command, cwd=ROOT, env=kept | park.environment(), input=json.dumps(event), text=True, capture_output=True
    )


@pytest.fixture
def changed(park: Sandbox, tmp_path: Path) -> Path:
    """A stack's configuration that names other definitions: in them a step fails for some events."""
    mappings = tmp_path / "mappings"
    shutil.copytree(ROOT / "mappings", mappings)
    file = mappings / "flows" / "park-summary.yaml"
    document = yaml.safe_load(file.read_text())
    document["steps"].insert(0, {"name": "careful", "transform": '$input.detail.bad ? $error("bad") : $input'})
    file.write_text(yaml.safe_dump(document))
    config = yaml.safe_load(park.config_file.read_text())
    config["config"]["signalbox:mappings"] = str(mappings)
    made = tmp_path / "Pulumi.dev.yaml"
    made.write_text(yaml.safe_dump(config))
    return made


def machines_and_roles(park: Sandbox) -> set[str]:
    machines = park.emulator.client("stepfunctions").list_state_machines()["stateMachines"]
    roles = park.emulator.client("iam").get_paginator("list_roles").paginate()
    return {each["name"] for each in machines} | {role["RoleName"] for page in roles for role in page["Roles"]}


def test_what_is_deployed_is_run_where_it_is_and_the_way_is_shown(park: Sandbox) -> None:
    done = run(park, SUMMARY, "park-summary")
    assert done.returncode == 0, done.stderr
    assert "in the deployed state machine arn:aws:states:" in done.stdout
    lines = done.stdout.splitlines()
    steps = [line.split("  ")[0] or line.strip().split("  ")[0] for line in lines[2:] if line]
    assert steps[:6] == ["rides", "each-ride", "[0] classify", "[0] open", "[1] classify", "[1] open"]
    assert "  … 13 more items of each-ride" in lines
    assert "succeeded after" in done.stdout
    assert json.loads(done.stdout[done.stdout.index("with:\n") + 6 :])["open"] == 13


def test_for_scripts_all_is_there(park: Sandbox) -> None:
    done = run(park, SUMMARY, "park-summary", "--json")
    report = json.loads(done.stdout)
    assert report["machine"]["temporary"] is False
    assert sum(step["step"] == "classify" for step in report["steps"]) == 16
    assert report["steps"][-1]["step"] == "publish"
    assert report["output"] == report["steps"][-1]["output"]


def test_what_is_not_deployed_is_run_in_a_machine_that_is_gone_afterwards(park: Sandbox, changed: Path) -> None:
    before = machines_and_roles(park)
    done = run(park, SUMMARY, "park-summary", "--config-file", str(changed))
    assert done.returncode == 0, done.stderr
    assert "in a temporary state machine: the deployed one is not what the definitions say" in done.stdout
    assert machines_and_roles(park) == before


def test_a_run_that_fails_says_where_and_ends_with_1(park: Sandbox, changed: Path) -> None:
    before = machines_and_roles(park)
    bad = {**SUMMARY, "detail": {**MESSAGE, "bad": True}}
    done = run(park, bad, "park-summary", "--config-file", str(changed))
    assert done.returncode == 1
    (row,) = [line for line in done.stdout.splitlines() if line.startswith("careful")]
    assert row.endswith("failed: States.QueryEvaluationError")
    assert "failed after" in done.stdout
    assert "step careful: States.QueryEvaluationError" in done.stdout
    assert machines_and_roles(park) == before
    queues = park.emulator.client("sqs")
    queue = queues.get_queue_url(QueueName="signalbox-dev-undelivered")["QueueUrl"]
    (message,) = queues.receive_message(QueueUrl=queue)["Messages"]
    queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
    assert json.loads(message["Body"])["step"] == "careful"


def test_an_event_that_the_router_would_refuse_is_said_so(park: Sandbox) -> None:
    done = run(park, {**SUMMARY, "detail": {"type": "summary"}}, "park-summary")
    assert "the Router would not give this event to the flow" in done.stderr
