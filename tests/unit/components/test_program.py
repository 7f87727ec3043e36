"""The whole program under mocks: what it declares, how it is built, and how much of it grows with routes."""

import json
import runpy
from collections import Counter
from pathlib import Path

import pulumi
import pytest
import yaml

import signalbox.packaging
from tests.unit.components.engine import Declared, declare

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
    said = {"/aws/events/theme-park-outages"}
    for each in program().custom():
        kind = each.type.rpartition(":")[2]
        name = each.inputs.get("name") or each.inputs.get("layerName") or each.inputs.get("dashboardName")
        if kind in ("EventRule", "RolePolicy", "Stage", "Authorizer") or name is None or name in said:
            continue
        assert name.removeprefix("/aws/lambda/").startswith("park-dev"), f"{kind} {name}"


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
                    assert statement["Action"] in (["cloudwatch:PutMetricData"], ["events:ListRules"]), each.name
                assert not any(action.endswith("*") for action in statement["Action"]), each.name


def test_every_log_group_has_a_retention():
    assert all(each.inputs["retentionInDays"] > 0 for each in program().of("LogGroup"))


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


def test_an_up_does_not_go_without_the_store():
    with pytest.raises(pulumi.RunError, match="previews only"):
        declare(lambda: runpy.run_path(str(ROOT / "__main__.py")), config=OFFLINE, preview=False)


def test_a_preview_says_in_words_what_changes_for_routing():
    said = "\n".join(program().said)
    assert "routing: 4 routes added" in said
    assert "outage/call-maintenance: added, to topic maintenance-sms" in said
    assert "outage/call-maintenance: sample 1 (type=Emergency, rideId=ride-000) is now taken, was not" in said
