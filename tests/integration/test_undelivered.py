"""What could not be delivered is sent again, to just what has missed it; and a time window once more to one route."""

import json
import time
from collections.abc import Mapping
from typing import Any

import pytest

from sandbox.emulator import ACCOUNT, REGION
from sandbox.received import read
from sandbox.stack import Sandbox
from tests.integration.acting import signalbox, when

UNDELIVERED = "signalbox-dev-undelivered"
MAIL = f"arn:aws:sns:{REGION}:{ACCOUNT}:signalbox-dev-maintenance-email"
SUMMARY = {"type": "summary", "msg": '[{"rideId": "ride-006", "inService": true, "wait": 25, "lastUpdated": 0}]'}
WARNING = {"rideId": "ride-001", "type": "Warning", "description": "Stopped by operator"}


@pytest.fixture
def park(park: Sandbox) -> Sandbox:
    """The park with nothing undelivered."""
    sqs = park.emulator.client("sqs")
    sqs.purge_queue(QueueUrl=url(park))
    return park


def url(park: Sandbox) -> str:
    return park.emulator.client("sqs").get_queue_url(QueueName=UNDELIVERED)["QueueUrl"]


def put(park: Sandbox, kind: str, detail: Mapping[str, Any]) -> None:
    entry = {"EventBusName": "signalbox-dev", "Source": "themepark.rides", "DetailType": kind}
    answer = park.emulator.client("events").put_events(Entries=[{**entry, "Detail": json.dumps(detail)}])
    assert answer["FailedEntryCount"] == 0


def run(park: Sandbox, *arguments: str, code: int = 0) -> str:
    """What `python -m signalbox …` prints."""
    return signalbox(park, *arguments, code=code).stdout


def told(park: Sandbox, *arguments: str, code: int = 0) -> list[dict[str, Any]]:
    return json.loads(run(park, "redrive", "--json", *arguments, code=code))["messages"]


def undelivered(park: Sandbox) -> int:
    return len(read(park.emulator, time.time()).queues[UNDELIVERED])


def test_a_topic_gets_what_it_missed_and_nothing_else_gets_it_again(park: Sandbox):
    sns = park.emulator.client("sns")
    policy = sns.get_topic_attributes(TopicArn=MAIL)["Attributes"]["Policy"]
    sns.set_topic_attributes(
        TopicArn=MAIL, AttributeName="Policy", AttributeValue=policy.replace("sns:Publish", "sns:Subscribe")
    )
    try:
        missed = when(park, lambda: put(park, "outage", WARNING))
    finally:
        sns.set_topic_attributes(TopicArn=MAIL, AttributeName="Policy", AttributeValue=policy)
    assert missed.of("mail") == []
    assert len(missed.of("run", machine="signalbox-dev-repeat-outages")) == 1

    (message,) = told(park)
    assert (message["reason"], message["routes"]) == ("NO_PERMISSIONS", ["outage/inform-maintenance"])
    assert (message["targets"], message["sent"]) == (["topic maintenance-email"], False)
    assert "1 of 1 message can be sent" in run(park, "redrive")
    assert told(park, "--route", "waitTimes") == []
    assert undelivered(park) == 1, "who looks takes nothing away"

    received = when(park, lambda: run(park, "redrive", "--send"))
    (mail,) = received.of("mail")
    assert json.loads(mail["message"])["detail"] == WARNING
    assert received.of("run") == []
    assert undelivered(park) == 0
    assert "nothing is undelivered" in run(park, "redrive")


def test_a_function_gets_what_it_failed_on_and_the_flow_beside_it_does_not(park: Sandbox):
    iam, of = park.emulator.client("iam"), {"RoleName": "signalbox-dev-metrics"}
    (name,) = iam.list_role_policies(**of)["PolicyNames"]
    policy = json.dumps(iam.get_role_policy(**of, PolicyName=name)["PolicyDocument"])
    without = policy.replace("cloudwatch:PutMetricData", "cloudwatch:GetMetricData")
    iam.put_role_policy(**of, PolicyName=name, PolicyDocument=without)
    try:
        missed = when(park, lambda: put(park, "waitTimesSummary", SUMMARY))
    finally:
        iam.put_role_policy(**of, PolicyName=name, PolicyDocument=policy)
    assert missed.of("metric", namespace="InnovatorIsland") == []
    assert len(missed.of("function", function="signalbox-dev-metrics")) == 3
    received = when(park, lambda: run(park, "redrive", "--send"))
    assert [each["value"] for each in received.of("metric", namespace="InnovatorIsland")] == [25 * 60]
    assert received.of("run", machine="signalbox-dev-park-summary") == []
    assert undelivered(park) == 0


def test_a_flow_that_was_stopped_runs_for_its_event_once_more(park: Sandbox):
    machine = f"arn:aws:states:{REGION}:{ACCOUNT}:stateMachine:signalbox-dev-park-summary"
    event = {
        "id": "stopped-on-the-way",
        "source": "themepark.rides",
        "detail-type": "waitTimesSummary",
        "account": ACCOUNT,
        "region": REGION,
        "time": "2026-11-29T00:00:00Z",
        "resources": [],
        "detail": SUMMARY,
    }
    # As test_theme_park sees it come. A run that is really stopped may hold what the next one waits for, for a while.
    stopped = {
        "source": "aws.states",
        "detail-type": "Step Functions Execution Status Change",
        "detail": {
            "executionArn": machine.replace("stateMachine", "execution") + ":stopped",
            "stateMachineArn": machine,
            "status": "ABORTED",
            "input": json.dumps(event),
        },
    }
    park.emulator.client("sqs").send_message(QueueUrl=url(park), MessageBody=json.dumps(stopped))
    (message,) = told(park)
    assert (message["routes"], message["targets"]) == (["waitTimesSummary/summary"], ["flow park-summary"])
    received = when(park, lambda: run(park, "redrive", "--send"))
    (again,) = received.of("run", machine="signalbox-dev-park-summary")
    assert (again["status"], again["input"]) == ("SUCCEEDED", event)
    assert received.of("function", function="signalbox-dev-metrics") == []
    assert undelivered(park) == 0


def test_what_cannot_be_sent_stays_and_says_why(park: Sandbox):
    when(park, lambda: put(park, "waitTimesSummary", {"type": "summary"}))
    sqs = park.emulator.client("sqs")
    sqs.send_message(QueueUrl=url(park), MessageBody="hello")
    messages = told(park, "--send", code=1)
    assert sorted(each["sent"] for each in messages) == [False] * 3, "one for each route, and the text"
    said = " ".join(stays["why"] for each in messages for stays in each["stays"])
    assert "does not fit the schema of waitTimesSummary" in said
    assert "not a message that Signalbox or AWS puts here" in said
    assert undelivered(park) == 3


def test_a_replay_brings_a_time_window_to_one_route_alone(park: Sandbox):
    first = when(park, lambda: put(park, "outage", {**WARNING, "type": "Emergency"}))
    assert (len(first.of("sms")), len(first.of("run", machine="signalbox-dev-repeat-outages"))) == (1, 1)
    (event,) = (each["event"] for each in first.of("event") if each["event"]["detail-type"] == "outage")
    start = event["time"]
    received = when(park, lambda: run(park, "replay", "outage/call-maintenance", "--from", start))
    texts = [json.loads(each["message"]) for each in received.of("sms")]
    assert [text["id"] for text in texts if text["id"] == event["id"]] == [event["id"]]
    assert all("replay-name" in text for text in texts)
    assert received.of("run", machine="signalbox-dev-repeat-outages") == received.of("mail") == []


def test_a_replay_of_no_route_or_no_time_is_refused(park: Sandbox):
    run(park, "replay", "outage/nowhere", "--from", "1h", code=1)
    run(park, "replay", "outage/call-maintenance", "--from", "yesterday", code=2)
    run(park, "replay", "outage/call-maintenance", "--from", "1h", "--to", "2h", code=2)
