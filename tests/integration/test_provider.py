"""The stand-in AWS provider under the real engine, with one resource of every type that it has."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sandbox.provider.schema import DEFAULTS
from sandbox.provider.server import Provider
from sandbox.provider.services import TYPES
from sandbox.provider.wire import to_struct
from sandbox.stack import PulumiError, Sandbox

PROGRAM = Path(__file__).parent / "provider_program"


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator["Stack"]:
    sandbox = Sandbox(state=tmp_path_factory.mktemp("provider"), project=PROGRAM)
    sandbox.start()
    stack = Stack(sandbox)
    try:
        stack.up()
        yield stack
    finally:
        sandbox.stop()


class Step(NamedTuple):
    """What the engine plans for a resource, and the properties for which it does."""

    operation: str
    changed: tuple[str, ...] = ()
    replaced: tuple[str, ...] = ()


class Stack:
    """The deployed program, with the values that it has now."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        connection = sandbox.emulator.client("events").create_connection(
            Name="c",
            AuthorizationType="API_KEY",
            AuthParameters={"ApiKeyAuthParameters": {"ApiKeyName": "a", "ApiKeyValue": "b"}},
        )
        self.values: dict[str, Any] = {"connection": connection["ConnectionArn"]}

    @contextmanager
    def changed(self, values: dict[str, Any]) -> Iterator[None]:
        """The program with other values, for a while."""
        now = self.values
        self.values = {**now, **values}
        try:
            yield
        finally:
            self.values = now

    def run(self, *arguments: str) -> str:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("CHANGES", json.dumps(self.values))
            patch.setenv("SIGNALBOX_RULE_DELETE_SECONDS", "1")
            return self.sandbox.pulumi(*arguments)

    def up(self, *arguments: str) -> None:
        self.run("up", "--yes", "--skip-preview", *arguments)

    def plan(self, *arguments: str) -> dict[str, "Step"]:
        """The steps of a preview that do something, by resource name."""
        steps = json.loads(self.run("preview", "--json", *arguments))["steps"]
        return {
            step["urn"].rpartition("::")[2]: Step(
                step["op"],
                tuple(sorted(step.get("diffReasons") or ())),
                tuple(sorted(step.get("replaceReasons") or ())),
            )
            for step in steps
            if step["op"] not in ("same", "refresh") and not step["urn"].split("::")[2].startswith("pulumi:")
        }

    def deployed(self) -> list[dict[str, Any]]:
        deployment = json.loads(self.run("stack", "export"))["deployment"]
        return [resource for resource in deployment["resources"] if resource["type"] in TYPES]


def test_every_type_is_deployed_and_nothing_changes_after_a_refresh(stack: Stack) -> None:
    deployed = stack.deployed()
    assert {resource["type"] for resource in deployed} == set(TYPES)
    assert stack.plan("--refresh") == {}


def test_a_rule_keeps_its_pattern_in_canonical_form(stack: Stack) -> None:
    rule = next(each for each in stack.deployed() if each["urn"].endswith("::rule"))
    canonical = '{"detail":{"a":["<&>"],"wait":[{"numeric":[">",1]}]},"source":["x"]}'
    assert rule["outputs"]["eventPattern"] == canonical
    found = stack.sandbox.emulator.client("events").describe_rule(Name="outage.call", EventBusName="park")
    assert found["EventPattern"] == canonical


UPDATES = {
    "tag": ("bus", "tags", "b"),
    "attempts": ("target", "retryPolicy", 6),
    "visibility": ("retry", "visibilityTimeoutSeconds", 61),
    "days": ("group", "retentionInDays", 7),
    "title": ("dashboard", "dashboardBody", "u"),
    "threshold": ("alarm", "threshold", 1),
    "source": ("item", "item", "y"),
    "action": ("policy", "policy", "execute-api:Foo"),
    "retries": ("invocation", "maximumRetryAttempts", 0),
    "description": ("api", "description", "e"),
    "route": ("signed", "routeKey", "GET /event"),
    "rate": ("stage", "defaultRouteSettings", 60),
    "result": ("flow", "definition", "y"),
    "every": ("schedule", "scheduleExpression", "rate(10 minutes)"),
    "wait": ("rule", "eventPattern", 2),
    "code": ("function", "code", 2),
}


REPLACEMENTS = {"rule": "outage.ring", "layer": 2, "permission": "x"}


def test_changes_are_planned_as_updates_of_just_what_changed(stack: Stack) -> None:
    with stack.changed({key: new for key, (_, _, new) in UPDATES.items()}):
        assert stack.plan() == {name: Step("update", (path,)) for name, path, _ in UPDATES.values()}


def test_what_upstream_replaces_is_planned_as_a_replacement(stack: Stack) -> None:
    with stack.changed(REPLACEMENTS):
        assert stack.plan() == {
            "rule": Step("replace", ("name",), ("name",)),
            "target": Step("replace", ("rule",), ("rule",)),
            "layer": Step("replace", ("code",), ("code",)),
            "permission": Step("replace", ("sourceArn",), ("sourceArn",)),
            "function": Step("update", ("layers",)),
        }


def test_updates_and_replacements_are_done(stack: Stack) -> None:
    stack.values |= {key: new for key, (_, _, new) in UPDATES.items()} | REPLACEMENTS
    stack.up()
    assert stack.plan("--refresh") == {}
    rules = stack.sandbox.emulator.client("events").list_rules(EventBusName="park", NamePrefix="outage")["Rules"]
    assert [rule["Name"] for rule in rules] == ["outage.ring"]


def test_drift_is_found_by_a_refresh_and_mended(stack: Stack) -> None:
    events = stack.sandbox.emulator.client("events")
    dynamodb = stack.sandbox.emulator.client("dynamodb")
    rule = next(each["id"] for each in stack.deployed() if each["urn"].endswith("::rule")).rpartition("/")[2]
    events.put_rule(Name=rule, EventBusName="park", EventPattern='{"source":["other"]}', State="DISABLED")
    events.remove_targets(Rule=rule, EventBusName="park", Ids=["undelivered"])
    key = {"PK": {"S": "events"}, "SK": {"S": "outage"}}
    dynamodb.update_item(
        TableName="park-store",
        Key=key,
        UpdateExpression="SET ByHand = :o",
        ExpressionAttributeValues={":o": {"S": "by somebody else"}},
    )
    assert stack.plan("--refresh") == {
        "rule": Step("update", ("description", "eventPattern", "state")),
        "target": Step("create"),
        "item": Step("update", ("item",)),
    }
    stack.up("--refresh")
    found = events.describe_rule(Name=rule, EventBusName="park")
    assert (found["State"], found["Description"]) == ("ENABLED", "[signalbox park outage/call]")
    assert len(events.list_targets_by_rule(Rule=rule, EventBusName="park")["Targets"]) == 1
    # An item has one writer: what another wrote into it is gone.
    assert "ByHand" not in dynamodb.get_item(TableName="park-store", Key=key)["Item"]


def _import_id(resource: dict[str, Any]) -> str:
    """The id by which upstream imports a resource, where that is not its id."""
    state = resource["outputs"]
    match resource["type"].rpartition(":")[2]:
        case "EventTarget":
            return f"{state['eventBusName']}/{state['rule']}/{state['targetId']}"
        case "TableItem":
            return f"{state['tableName']}|{state['hashKeyValue']}|{state['rangeKeyValue']}"
        case "Permission":
            return f"{state['function']}/{state['statementId']}"
        case "Integration" | "Route" | "Stage" | "Authorizer":
            return f"{state['apiId']}/{resource['id']}"
    return resource["id"]


class Refusal(Exception):
    pass


class Call:
    """A gRPC call's context, for calls without a server."""

    def abort(self, code: Any, message: str) -> None:
        raise Refusal(message)


def test_every_resource_is_imported_by_its_id_as_it_is(stack: Stack, monkeypatch: pytest.MonkeyPatch) -> None:
    from pulumi.runtime.proto import provider_pb2

    for name, value in stack.sandbox.emulator.credentials().items():
        monkeypatch.setenv(name, value)
    provider, call = Provider(), Call()
    provider.Configure(provider_pb2.ConfigureRequest(), call)  # type: ignore[arg-type]
    for resource in stack.deployed():
        urn = resource["urn"]
        answer = provider.Read(provider_pb2.ReadRequest(id=_import_id(resource), urn=urn), call)  # type: ignore[arg-type]
        assert answer.id == resource["id"], urn
        # What was read as inputs passes Check and is no difference to what was read as state.
        checked = provider.Check(provider_pb2.CheckRequest(urn=urn, news=answer.inputs), call)  # type: ignore[arg-type]
        failures = [failure.property for failure in checked.failures]
        if "code" in TYPES[resource["type"]].inputs:  # AWS gives no archive back.
            assert failures == ["code"], urn
            continue
        assert failures == [], urn
        request = provider_pb2.DiffRequest(id=answer.id, urn=urn, olds=answer.properties, news=checked.inputs)
        assert dict(provider.Diff(request, call).detailedDiff) == {}, urn  # type: ignore[arg-type]
        # The program's own inputs are no difference either, save what AWS does not tell.
        own = {key: value for key, value in resource["inputs"].items() if key != DEFAULTS}
        request = provider_pb2.DiffRequest(id=answer.id, urn=urn, olds=answer.properties, news=to_struct(own))
        untold = {"tracingConfiguration"}  # The emulator forgets it.
        assert set(provider.Diff(request, call).diffs) - untold == set(), urn  # type: ignore[arg-type]


def test_a_target_that_the_state_does_not_know_blocks_destroy_which_else_leaves_nothing(stack: Stack) -> None:
    emulator = stack.sandbox.emulator
    events = emulator.client("events")
    foreign = {"Id": "foreign", "Arn": "arn:aws:sqs:eu-west-1:000000000000:park-retry"}
    rule = next(each["id"] for each in stack.deployed() if each["urn"].endswith("::rule")).rpartition("/")[2]
    events.put_targets(Rule=rule, EventBusName="park", Targets=[foreign])
    with pytest.raises(PulumiError, match="Rule can't be deleted since it has targets"):
        stack.run("destroy", "--yes", "--skip-preview")
    events.remove_targets(Rule=rule, EventBusName="park", Ids=["foreign"])
    stack.run("destroy", "--yes", "--skip-preview")
    assert [bus["Name"] for bus in events.list_event_buses()["EventBuses"]] == ["default"]
    assert emulator.client("sqs").list_queues().get("QueueUrls", []) == []
    assert emulator.client("dynamodb").list_tables()["TableNames"] == []
    assert emulator.client("lambda").list_functions()["Functions"] == []
    assert emulator.client("lambda").list_layers()["Layers"] == []
    assert emulator.client("apigatewayv2").get_apis()["Items"] == []
    assert emulator.client("stepfunctions").list_state_machines()["stateMachines"] == []
    assert emulator.client("scheduler").list_schedules()["Schedules"] == []
    assert emulator.client("cloudwatch").describe_alarms()["MetricAlarms"] == []
    assert emulator.client("cloudwatch").list_dashboards()["DashboardEntries"] == []
    roles = [role["RoleName"] for role in emulator.client("iam").list_roles()["Roles"]]
    assert [role for role in roles if role.startswith("park")] == []
    topics = [topic["TopicArn"].rpartition(":")[2] for topic in emulator.client("sns").list_topics()["Topics"]]
    assert topics == ["ride-times"]
