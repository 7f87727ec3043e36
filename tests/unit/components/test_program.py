"""The whole program under mocks: what it declares, how it is built, and how much of it grows with routes."""

import json
import runpy
from collections import Counter
from pathlib import Path

import pulumi
import pytest
import yaml

import components.inputs
import signalbox.packaging
from signalbox.definitions import load
from signalbox.effective import Override, RouteEdit, config_hash
from signalbox.physical_names import made
from signalbox.store import ORIGIN_API, ORIGIN_DEFINITIONS, Item, StoreSnapshot, flow_item
from tests.unit.components.engine import Declared, declare, policy

ROOT = Path(__file__).parents[3]
OFFLINE = {"store": "offline", "name": "park-dev"}


@pytest.fixture(autouse=True)
def no_downloads(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The layer's libraries come from a package index, which unit tests do without."""
    layer = tmp_path / "layer.zip"
    layer.write_bytes(b"PK\x05\x06" + bytes(18))
    monkeypatch.setattr(signalbox.packaging, "layer_zip", lambda *_: layer)


def program(**config: str) -> Declared:
    given = {**OFFLINE, **{key.replace("_", "-"): value for key, value in config.items()}}
    return declare(lambda: runpy.run_path(str(ROOT / "__main__.py")), config=given, preview=True)


def many(folder: Path, events: int, routes: int) -> str:
    """Definitions of `events` events with `routes` routes each, every route to two topics."""
    (folder / "events").mkdir(parents=True)
    (folder / "destinations.yaml").write_text("one: {kind: topic}\nother: {kind: topic}\n")
    for event in range(events):
        document = {
            "source": "bench",
            "detail-type": f"kind{event}",
            "schema": {"type": "object", "properties": {"n": {"type": "integer"}}},
            "routes": {
                f"r{route}": {"pattern": {"n": [route]}, "targets": [{"topic": "one"}, {"topic": "other"}]}
                for route in range(routes)
            },
        }
        (folder / "events" / f"e{event}.yaml").write_text(yaml.safe_dump(document))
    return str(folder)


def test_every_child_has_a_component_as_parent_and_its_name_as_prefix():
    declared = program()
    components = {each.name for each in declared.resources if not each.custom}
    for each in declared.resources:
        if each.custom:
            assert each.parent in components, f"{each.name} has no component as parent"
        if each.parent:
            assert each.name.startswith((f"{each.parent}-", f"{each.parent}/")), f"{each.name} in {each.parent}"


def test_every_physical_name_begins_with_the_stacks_name_or_is_said_in_the_definitions():
    said = {"/aws/events/theme-park-outages", "/aws/events/theme-park-summaries"}
    for each in program().custom():
        kind = each.type.rpartition(":")[2]
        name = each.inputs.get("name") or each.inputs.get("layerName") or each.inputs.get("dashboardName")
        if kind in ("EventRule", "RolePolicy", "Stage", "Authorizer") or name is None or name in said:
            continue
        assert name.rpartition("/")[2].startswith("park-dev"), f"{kind} {name}"


def test_300_routes_cost_a_rule_and_their_targets_each_and_nothing_that_grows(tmp_path: Path):
    small = program(mappings=many(tmp_path / "small", 1, 1), rules_quota="400")
    large = program(mappings=many(tmp_path / "large", 30, 10), rules_quota="400")
    count = Counter(each.type.rpartition(":")[2] for each in large.resources)
    base = Counter(each.type.rpartition(":")[2] for each in small.resources)
    grown = {kind: count[kind] - base[kind] for kind in count if count[kind] != base[kind]}
    assert grown == {"EventRule": 299, "EventTarget": 598, "TableItem": 29, "EventRoutes": 29}
    ours = [each for each in large.of("EventRule") if each.inputs.get("eventBusName") == "park-dev"]
    targets = [each for each in large.of("EventTarget") if each.inputs.get("eventBusName") == "park-dev"]
    assert (len(ours), len(targets), count["EventRoutes"]) == (300, 600, 30)


def test_what_a_flow_needs_does_not_grow_with_the_routes_to_it(tmp_path: Path):
    def to_a_flow(name: str, routes: int) -> Counter[str]:
        folder = Path(many(tmp_path / name, 1, routes))
        (folder / "flows").mkdir()
        (folder / "flows" / "f.yaml").write_text("steps: [{name: a, transform: $input}]\n")
        event = folder / "events" / "e0.yaml"
        event.write_text(event.read_text().replace("topic: one", "flow: f"))
        return Counter(each.type.rpartition(":")[2] for each in program(mappings=str(folder)).resources)

    one, ten = to_a_flow("one", 1), to_a_flow("ten", 10)
    assert one["StateMachine"] == 1
    assert ten - one == Counter(EventRule=9, EventTarget=18)


def test_a_flow_is_in_the_store_before_its_rules_and_can_be_started():
    declared = program()
    for event, flow in (("waitTimesSummary", "park-summary"), ("outage", "repeat-outages")):
        assert f"flows-{flow}-item" in declared.the("TableItem", f"{event}-item").depends_on
    (start,) = [each for each in policy(declared.the("RolePolicy", "router-lambda-policy")) if "states:" in str(each)]
    assert start["Action"] == ["states:StartExecution"]
    assert start["Resource"] == ["arn:aws:states:eu-central-1:123456789012:stateMachine:park-dev-*"]


def test_the_reconciler_knows_the_role_and_the_logs_of_flows_made_at_run_time():
    variables = program().the("Function", "rule-sync-lambda-function").inputs["environment"]["variables"]
    assert variables["FLOWS_ROLE"] == "arn:aws:iam:eu-central-1:123456789012:Role/park-dev-flows"
    assert variables["FLOWS_LOGS"].endswith("/aws/vendedlogs/states/park-dev-flows:*")


def test_the_rule_for_silent_ends_may_write_to_undelivered():
    (statement, *_) = policy(program().the("QueuePolicy", "bus-undelivered-policy"))
    assert (
        "arn:aws:events:eu-central-1:123456789012:rule/park-dev-flow-ends"
        in (statement["Condition"]["ArnLike"]["aws:SourceArn"])
    )


def test_no_policy_grows_with_routes(tmp_path: Path):
    def policies(declared: Declared) -> dict[str, int]:
        keys = ("policy", "policyDocument", "assumeRolePolicy")
        return {
            f"{each.name}.{key}": len(each.inputs[key])
            for each in declared.custom()
            for key in keys
            if key in each.inputs
        }

    small = program(mappings=many(tmp_path / "small", 1, 1))
    large = program(mappings=many(tmp_path / "large", 10, 10))
    assert policies(small) == policies(large)


def test_statements_name_no_wildcard_resource_but_where_aws_has_no_other():
    for each in program().custom():
        for key in ("policy", "policyDocument"):
            for statement in json.loads(each.inputs[key])["Statement"] if key in each.inputs else []:
                if "*" in statement["Resource"]:
                    alone = {"cloudwatch:PutMetricData", "events:ListRules", "states:ListStateMachines"}
                    # Of state machines: they write logs and traces through services that know no resources.
                    whole = all(action.startswith(("logs:", "xray:")) for action in statement["Action"])
                    assert whole or {*statement["Action"]} <= alone, each.name
                assert not any(action.endswith("*") for action in statement["Action"]), each.name


def test_every_log_group_has_a_retention():
    groups = program().of("LogGroup")
    assert len(groups) > 5
    assert all(each.inputs["retentionInDays"] > 0 for each in groups)


def test_alarms_on_rules_ask_for_metrics_that_eventbridge_makes():
    # It makes them for each rule of a custom bus, with both dimensions; of the bus alone there are none.
    asked = {
        each.inputs["name"]: each.inputs["metricQueries"][0]["expression"]
        for each in program().of("MetricAlarm")
        if "metricQueries" in each.inputs
    }
    assert asked == {
        "park-dev-failed-invocations": 'SELECT SUM(FailedInvocations) FROM "AWS/Events" '
        "WHERE EventBusName = 'park-dev'",
        "park-dev-lost": 'SELECT SUM(InvocationsFailedToBeSentToDlq) FROM "AWS/Events" '
        "WHERE EventBusName = 'park-dev'",
    }
    watched = {each.inputs.get("namespace") for each in program().of("MetricAlarm")}
    assert "AWS/Events" not in watched


def test_no_api_route_is_open():
    for config in ({}, {"api_auth": '{"type": "jwt", "issuer": "https://id.example", "audience": ["park"]}'}):
        routes = program(**config).of("Route")
        assert routes
        assert {each.inputs["authorizationType"] for each in routes} == ({"JWT"} if config else {"AWS_IAM"})


def test_bad_definitions_stop_the_run_before_any_resource(tmp_path: Path):
    folder = many(tmp_path / "bad", 1, 1)
    (tmp_path / "bad" / "events" / "worse.yaml").write_text("source: a\nroutes: {a: {targets: [{topic: nowhere}]}}\n")
    declared: list[Declared] = []
    with pytest.raises(pulumi.RunError, match=r"worse\.yaml:2"):
        declared.append(program(mappings=folder))
    assert declared == []


def test_a_subscription_to_no_topic_stops_the_run():
    with pytest.raises(pulumi.RunError, match=r"got: maintenance; allowed: maintenance-email, maintenance-sms"):
        program(subscriptions='{"maintenance": ["a@b.example"]}')


def in_store(monkeypatch: pytest.MonkeyPatch, *items: Item) -> None:
    """Let the program read these items, and no rules."""
    monkeypatch.setattr(components.inputs, "_read_live", lambda *_: (StoreSnapshot.of(items), []))


def test_a_flow_that_was_made_at_run_time_is_not_overwritten(monkeypatch: pytest.MonkeyPatch):
    in_store(monkeypatch, flow_item("park-summary", {"steps": []}, ORIGIN_API))
    with pytest.raises(pulumi.RunError, match=r"a flow park-summary was made at run time.*fix: .*DELETE /flow"):
        program()


def test_a_run_time_edit_may_name_a_flow_that_was_made_at_run_time(monkeypatch: pytest.MonkeyPatch):
    edit = RouteEdit({"targets": [{"flow": "night"}]}, config_hash(None), 1, "2026-11-23T08:00:00Z", "me")
    override = Override("outage", 1, edit.at, edit.by, {"new": edit}).item()
    in_store(monkeypatch, override, flow_item("night", {"steps": []}, ORIGIN_API))
    assert program().the("EventRule", "outage/new")
    in_store(monkeypatch, override, flow_item("night", {"steps": []}, ORIGIN_DEFINITIONS))
    with pytest.raises(pulumi.RunError, match="its target flow night is gone from the definitions"):
        program()


def test_an_up_does_not_go_without_the_store():
    with pytest.raises(pulumi.RunError, match="previews only"):
        declare(lambda: runpy.run_path(str(ROOT / "__main__.py")), config=OFFLINE, preview=False)


def test_a_preview_says_in_words_what_changes_for_routing():
    said = "\n".join(program().said)
    assert "routing: 8 routes added" in said
    assert "outage/call-maintenance: added, to topic maintenance-sms" in said
    assert "outage/call-maintenance: sample 1 (type=Emergency, rideId=ride-000) is now taken, was not" in said


ALL_KINDS = """
one: {kind: topic}
other: {kind: topic, name: said}
jobs: {kind: queue}
ordered: {kind: queue, fifo: true}
log: {kind: log-group}
web: {kind: api-destination, endpoint: 'https://a.example/', method: POST,
      connection: 'arn:aws:events:eu-central-1:123456789012:connection/c/0a1b2c3d'}
bus: {kind: bus, arn: 'arn:aws:events:eu-central-1:123456789012:event-bus/b'}
machine: {kind: state-machine, arn: 'arn:aws:states:eu-central-1:123456789012:stateMachine:m'}
stream: {kind: stream, arn: 'arn:aws:kinesis:eu-central-1:123456789012:stream/s',
         role: 'arn:aws:iam::123456789012:role/s'}
"""


def test_the_checks_of_definitions_know_every_name_that_is_made(tmp_path: Path):
    folder = Path(many(tmp_path / "some", 1, 1))
    (folder / "destinations.yaml").write_text(ALL_KINDS)
    (folder / "events" / "aws.yaml").write_text("source: aws.ec2\nschema: {}\n")  # makes a feed
    (folder / "flows").mkdir()
    (folder / "flows" / "f.yaml").write_text("steps: [{name: a, transform: $input}]\n")
    types = {
        "Queue": "queue",
        "Topic": "topic",
        "LogGroup": "log group",
        "EventApiDestination": "API destination",
        "Role": "role",
        "Function": "function",
        "StateMachine": "state machine",
    }
    declared = program(mappings=str(folder))
    names = sorted((types[kind], each.inputs["name"]) for kind in types for each in declared.of(kind))
    definitions, _ = load(folder, ROOT / "functions")
    assert names == sorted((each.what, each.name) for each in made("park-dev", definitions))
