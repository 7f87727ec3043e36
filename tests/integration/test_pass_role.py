"""The reconciler writes a target with a role only where it may pass that role to EventBridge."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.emulator import ACCOUNT, REGION
from sandbox.places import ROOT
from sandbox.received import read, wait_until_quiet
from sandbox.stack import Sandbox
from signalbox.aws.store import DynamoStore
from signalbox.cli.api import Api
from signalbox.cli.stack import read_stack
from signalbox.names import rule_name
from signalbox.store import TARGET, target_item

STACK = "signalbox-dev"
RECONCILER = f"{STACK}-rule_sync"
NAME = "elsewhere"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{NAME}"
ROUTE = "passed-on"


def allow(action: str, resource: str, **more: Any) -> str:
    statement = {"Effect": "Allow", "Action": action, "Resource": resource, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@pytest.fixture
def role(park: Sandbox) -> Iterator[str]:
    """A role with which EventBridge may put events on another bus, and a destination that is that bus with it."""
    client = park.emulator.client
    principal = {"Effect": "Allow", "Principal": {"Service": "events.amazonaws.com"}, "Action": "sts:AssumeRole"}
    trust = json.dumps({"Version": "2012-10-17", "Statement": [principal]})
    arn = client("iam").create_role(RoleName=NAME, AssumeRolePolicyDocument=trust)["Role"]["Arn"]
    client("iam").put_role_policy(RoleName=NAME, PolicyName="put", PolicyDocument=allow("events:PutEvents", BUS))
    client("events").create_event_bus(Name=NAME)
    store = DynamoStore(client("dynamodb"), f"{STACK}-store")
    store.put(target_item(NAME, "bus", arn=BUS, role=arn))
    yield arn
    store.delete(TARGET, NAME)
    client("events").delete_event_bus(Name=NAME)
    client("iam").delete_role_policy(RoleName=NAME, PolicyName="put")
    client("iam").delete_role(RoleName=NAME)


@pytest.fixture
def edited(park: Sandbox, role: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A route that somebody has pointed there while the system runs."""
    for name, value in park.environment().items():
        monkeypatch.setenv(name, value)
    api = Api(read_stack("dev", park.config_file, ROOT))
    declared = api.get("event", "outage").body["routes"]
    api.post("route", "outage", body={**declared, ROUTE: {"targets": [{"bus": NAME}]}})
    wait_until_quiet(park.emulator)
    yield
    api.post("route", "outage", body=declared)
    wait_until_quiet(park.emulator)
    sync(park)


def sync(park: Sandbox) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "signalbox", "sync", "--json"],
        cwd=ROOT,
        env=os.environ | park.environment(),
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout)


def passed(park: Sandbox) -> list[str]:
    """The roles of the targets of the route's rule."""
    events = park.emulator.client("events")
    try:
        targets = events.list_targets_by_rule(Rule=rule_name("outage", ROUTE), EventBusName=STACK)["Targets"]
    except events.exceptions.ResourceNotFoundException:
        return []
    return [target["RoleArn"] for target in targets]


@pytest.mark.parametrize("service", ["nobody", "lambda.amazonaws.com"])
def test_the_reconciler_passes_no_role_that_it_may_not(park: Sandbox, role: str, edited: None, service: str) -> None:
    roles = park.emulator.client("iam")
    condition = {"StringEquals": {"iam:PassedToService": service}}
    if service != "nobody":
        policy = allow("iam:PassRole", role, Condition=condition)
        roles.put_role_policy(RoleName=RECONCILER, PolicyName="pass", PolicyDocument=policy)
    try:
        since = time.time()
        report = sync(park)
        assert f"iam:PassRole on resource: {role}" in json.dumps(report)
        assert passed(park) == []
        told = read(park.emulator, since).of("denied")
        assert {(each["action"], each["resource"]) for each in told} == {("iam:PassRole", role)}
        assert all(f"assumed-role/{RECONCILER}/" in each["who"] for each in told)

        condition["StringEquals"]["iam:PassedToService"] = "events.amazonaws.com"
        policy = allow("iam:PassRole", role, Condition=condition)
        roles.put_role_policy(RoleName=RECONCILER, PolicyName="pass", PolicyDocument=policy)
        assert not sync(park)["out_of_step"]
        assert passed(park) == [role]
    finally:
        roles.delete_role_policy(RoleName=RECONCILER, PolicyName="pass")
