"""The reconciler's handler: whatever starts it, rules become what the store says; an unfinished batch comes again."""

from typing import Any

import pytest
from lambda_fakes import Context, Dynamo, error

from functions.rule_sync import handler
from signalbox.model import Event, Route, Target
from signalbox.reconcile import Report
from signalbox.store import ORIGIN_API, StoreError, event_item, flow_item, target_item, to_attributes

EVENT = Event("outage", ("park.rides",), ("outage",), {}, {"call": Route("outage", "call", (Target("topic", "sms"),))})
UNDELIVERED = "arn:aws:sqs:eu-west-1:123456789012:park-dev-undelivered"
BATCH = {"Records": [{"dynamodb": {"SequenceNumber": "7"}}, {"dynamodb": {"SequenceNumber": "8"}}]}


class Table(Dynamo):
    """A table that takes items as they come: the reconciler is the only writer of its own."""

    def put_item(self, Item: Any, **_: Any) -> dict[str, Any]:  # type: ignore[override]
        self.items[Item["PK"]["S"], Item["SK"]["S"]] = Item
        return {}


class Metrics:
    """Metric data of the reconciler's namespace."""

    def __init__(self) -> None:
        self.calls: list[list[dict[str, Any]]] = []

    def put_metric_data(self, Namespace: str, MetricData: list[dict[str, Any]]) -> None:
        assert Namespace == "Signalbox"
        self.calls.append(MetricData)


class Bus:
    """Rules and targets of one bus, as EventBridge's client has them."""

    def __init__(self) -> None:
        self.rules: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, list[Any]] = {}

    def list_rules(self, **_: Any) -> dict[str, Any]:
        return {"Rules": list(self.rules.values())}

    def list_targets_by_rule(self, Rule: str, **_: Any) -> dict[str, Any]:
        return {"Targets": self.targets.get(Rule, [])}

    def put_rule(self, **rule: Any) -> dict[str, Any]:
        self.rules[rule["Name"]] = rule
        return {}

    def put_targets(self, Rule: str, Targets: list[Any], **_: Any) -> dict[str, Any]:
        self.targets[Rule] = Targets
        return {"FailedEntryCount": 0}


class States:
    """State machines of Step Functions by ARN."""

    def __init__(self) -> None:
        self.machines: dict[str, dict[str, Any]] = {}

    def list_state_machines(self, **_: Any) -> dict[str, Any]:
        return {"stateMachines": [{"name": m["name"], "stateMachineArn": arn} for arn, m in self.machines.items()]}

    def describe_state_machine(self, stateMachineArn: str) -> dict[str, Any]:
        if stateMachineArn not in self.machines:
            raise error("StateMachineDoesNotExist")
        return {"status": "ACTIVE", **self.machines[stateMachineArn]}

    def list_tags_for_resource(self, resourceArn: str) -> dict[str, Any]:
        return {"tags": self.machines[resourceArn]["tags"]}

    def create_state_machine(self, **machine: Any) -> dict[str, Any]:
        self.machines[f"arn:aws:states:eu-west-1:123456789012:stateMachine:{machine['name']}"] = machine
        return {}


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    table = Table()
    targets = [target_item("router", "router", arn="arn:router"), target_item("sms", "topic", arn="arn:sms")]
    for item in [event_item(EVENT), *targets]:
        table.items[item["PK"], item["SK"]] = to_attributes(item)
    made = {"dynamodb": table, "events": Bus(), "cloudwatch": Metrics(), "stepfunctions": States()}
    monkeypatch.setattr(handler, "client", made.__getitem__)
    environment = {
        "NAME": "park-dev",
        "STORE": "store",
        "UNDELIVERED": UNDELIVERED,
        "UNDELIVERED_URL": "https://sqs.eu-west-1.amazonaws.com/123456789012/park-dev-undelivered",
        "FLOWS_ROLE": "arn:aws:iam::123456789012:role/park-dev-flows",
        "FLOWS_LOGS": "arn:aws:logs:eu-west-1:123456789012:log-group:flows:*",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.mark.parametrize("event", [{}, BATCH, {"detail-type": "Scheduled Event"}, None])
def test_whatever_starts_it_the_rules_become_what_the_store_says(clients: dict[str, Any], event: Any) -> None:
    answer = handler.handle(event, Context(120_000))
    assert answer["batchItemFailures"] == []
    rule = clients["events"].rules["outage.call"]
    assert rule["Description"] == "[signalbox park-dev outage/call]"
    (target,) = clients["events"].targets["outage.call"]
    assert (target["Id"], target["Arn"], target["DeadLetterConfig"]) == ("sms", "arn:sms", {"Arn": UNDELIVERED})
    assert ("sync", "event#outage") in clients["dynamodb"].items


def test_a_pass_tells_its_numbers_as_metrics_of_the_stack(clients: dict[str, Any]) -> None:
    handler.handle({}, Context(120_000))
    (data,) = clients["cloudwatch"].calls
    assert {point["MetricName"] for point in data} >= {"RoutesOutOfStep", "Conflicts", "RuleWrites"}
    assert all(point["Dimensions"] == [{"Name": "Stack", "Value": "park-dev"}] for point in data)


def test_a_flow_made_at_run_time_becomes_a_state_machine_of_the_stack(clients: dict[str, Any]) -> None:
    flow = flow_item("fan-out", {"steps": [{"name": "say", "transform": "$input.detail"}]}, ORIGIN_API)
    item = {**flow, "Revision": 1, "EditedAt": "2026-11-22T00:00:00Z", "EditedBy": "alice", "Named": 0}
    clients["dynamodb"].items["flow", "fan-out"] = to_attributes(item)
    handler.handle(BATCH, Context(120_000))
    ((arn, machine),) = clients["stepfunctions"].machines.items()
    assert arn == "arn:aws:states:eu-west-1:123456789012:stateMachine:park-dev-fan-out"
    assert machine["roleArn"] == "arn:aws:iam::123456789012:role/park-dev-flows"
    assert "https://sqs.eu-west-1.amazonaws.com/123456789012/park-dev-undelivered" in machine["definition"]
    assert {each["key"]: each["value"] for each in machine["tags"]} == {
        "signalbox:stack": "park-dev",
        "signalbox:flow": "fan-out",
        "signalbox:origin": "api",
    }
    assert clients["dynamodb"].items["sync", "flow#fan-out"]["State"] == {"S": "active"}


def test_a_batch_is_tried_again_from_its_first_record_when_the_store_did_not_hold_still(
    clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler.Reconciler, "run", lambda _: Report(settled=False))
    assert handler.handle(BATCH, Context())["batchItemFailures"] == [{"itemIdentifier": "7"}]
    assert handler.handle({}, Context())["batchItemFailures"] == []


def test_a_run_that_cannot_read_the_store_fails_and_is_tried_again(clients: dict[str, Any]) -> None:
    clients["dynamodb"].error = error("AccessDeniedException")
    with pytest.raises(StoreError):
        handler.handle({}, Context(120_000))
