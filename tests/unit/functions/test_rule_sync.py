"""The reconciler's handler: whatever starts it, rules become what the store says; an unfinished batch comes again."""

from typing import Any

import pytest
from lambda_fakes import Context, Dynamo

from functions.rule_sync import handler
from signalbox.model import Event, Route, Target
from signalbox.reconcile import Report
from signalbox.store import event_item, target_item, to_attributes

EVENT = Event("outage", ("park.rides",), ("outage",), {}, {"call": Route("outage", "call", (Target("topic", "sms"),))})
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


@pytest.fixture
def clients(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    table = Table()
    targets = [target_item("router", "router", arn="arn:router"), target_item("sms", "topic", arn="arn:sms")]
    for item in [event_item(EVENT), *targets]:
        table.items[item["PK"], item["SK"]] = to_attributes(item)
    made = {"dynamodb": table, "events": Bus(), "cloudwatch": Metrics()}
    monkeypatch.setattr(handler, "client", made.__getitem__)
    for name, value in {"NAME": "park-dev", "STORE": "store", "UNDELIVERED": "arn:undelivered"}.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.mark.parametrize("event", [{}, BATCH, {"detail-type": "Scheduled Event"}, None])
def test_whatever_starts_it_the_rules_become_what_the_store_says(clients: dict[str, Any], event: Any) -> None:
    answer = handler.handle(event, Context(120_000))
    assert answer["batchItemFailures"] == []
    rule = clients["events"].rules["outage.call"]
    assert rule["Description"] == "[signalbox park-dev outage/call]"
    (target,) = clients["events"].targets["outage.call"]
    assert (target["Id"], target["Arn"], target["DeadLetterConfig"]) == ("sms", "arn:sms", {"Arn": "arn:undelivered"})
    assert ("sync", "event#outage") in clients["dynamodb"].items


def test_a_pass_tells_its_numbers_as_metrics_of_the_stack(clients: dict[str, Any]) -> None:
    handler.handle({}, Context(120_000))
    (data,) = clients["cloudwatch"].calls
    assert {point["MetricName"] for point in data} >= {"RoutesOutOfStep", "Conflicts", "RuleWrites"}
    assert all(point["Dimensions"] == [{"Name": "Stack", "Value": "park-dev"}] for point in data)


def test_a_batch_is_tried_again_from_its_first_record_when_the_store_did_not_hold_still(
    clients: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler.Reconciler, "run", lambda _: Report(settled=False))
    assert handler.handle(BATCH, Context())["batchItemFailures"] == [{"itemIdentifier": "7"}]
    assert handler.handle({}, Context())["batchItemFailures"] == []
