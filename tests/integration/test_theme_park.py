"""Messages in at one end, and what every target really received at the other."""

import json
import time
from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from sandbox.places import DATA
from sandbox.received import Received, Record, read, wait_until_quiet
from sandbox.stack import Sandbox
from signalbox.aws.metrics import NAMESPACE
from tests.integration.acting import when

MESSAGES = ("ride-times-1.json", "ride-times-2.json", "ride-times-3.json")
OUTAGES = "/aws/events/theme-park-outages"
SUMMARIES = "/aws/events/theme-park-summaries"
UNDELIVERED = "signalbox-dev-undelivered"
CAUSES = {
    ride["rideId"]: [(cause["type"], cause["description"]) for cause in ride["causes"]]
    for ride in json.loads((DATA / "rides.json").read_text())
}


@pytest.fixture
def park(park: Sandbox) -> Sandbox:
    """The park with an empty memory and nothing undelivered, as if the last test had been long ago."""
    dynamodb, sqs = park.emulator.client("dynamodb"), park.emulator.client("sqs")
    for item in dynamodb.scan(TableName="signalbox-dev-state")["Items"]:
        dynamodb.delete_item(TableName="signalbox-dev-state", Key={"PK": item["PK"], "SK": item["SK"]})
    sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=UNDELIVERED)["QueueUrl"])
    return park


def metrics_of(received: Received) -> list[Record]:
    """All but the reconciler's own, which its schedule may make at any time."""
    return [each for each in received.of("metric") if each["namespace"] != NAMESPACE]


def publish(park: Sandbox, message: object) -> None:
    sns = park.emulator.client("sns")
    topic = sns.create_topic(Name="ride-times")["TopicArn"]
    sns.publish(TopicArn=topic, Message=message if isinstance(message, str) else json.dumps(message))


def put(park: Sandbox, *entries: Mapping[str, Any]) -> None:
    answer = park.emulator.client("events").put_events(
        Entries=[{"EventBusName": "signalbox-dev", "Source": "themepark.rides", **entry} for entry in entries]
    )
    assert answer["FailedEntryCount"] == 0


def undelivered(received: Received) -> list[Any]:
    return [message["body"] for message in received.queues[UNDELIVERED]]


def published(received: Received) -> list[Any]:
    """The events of the park, in the order in which they came: not what its flows emit, nor AWS's own."""
    events = [each["event"] for each in received.of("event", bus="signalbox-dev")]
    return [event for event in events if event["source"] == "themepark.rides"]


def details(received: Received, detail_type: str) -> list[Any]:
    return [each["event"]["detail"] for each in received.of("event") if each["event"]["detail-type"] == detail_type]


def by_ride(details: Iterable[Any]) -> list[Any]:
    return sorted(details, key=lambda detail: detail["rideId"])


@pytest.mark.parametrize("name", MESSAGES)
def test_a_ride_times_message_reaches_every_target_that_its_routes_say(park: Sandbox, name: str):
    text = (DATA / name).read_text()
    rides = json.loads(json.loads(text)["msg"])
    closed = [ride for ride in rides if not ride["inService"]]
    before = time.time() * 1000
    received = when(park, lambda: publish(park, text))

    assert by_ride(details(received, "waitTimes")) == by_ride(rides)
    assert details(received, "waitTimesSummary") == [json.loads(text)]

    metrics = metrics_of(received)
    assert {(each["namespace"], each["name"], each["unit"]) for each in metrics} == {
        ("InnovatorIsland", "wait-times", "Seconds")
    }
    assert sorted(
        (each["dimensions"]["Type"], each["dimensions"]["Ride"], each["value"]) for each in metrics
    ) == sorted(("ride", ride["rideId"], ride["wait"] * 60) for ride in rides)

    assert by_ride(event["detail"] for event in received.log_events.get(OUTAGES, [])) == by_ride(closed)

    outages = by_ride(details(received, "outage"))
    assert [outage["rideId"] for outage in outages] == [ride["rideId"] for ride in by_ride(closed)]
    for outage, ride in zip(outages, by_ride(closed), strict=True):
        assert (outage["type"], outage["description"]) in CAUSES.get(ride["rideId"], [("Warning", "Unknown cause")])
        assert outage["timeToResolution"] == ride["wait"]
        assert before <= outage["lastAlert"] <= time.time() * 1000

    told = sorted(outage["rideId"] for outage in outages if outage["type"] != "Emergency")
    called = sorted(outage["rideId"] for outage in outages if outage["type"] == "Emergency")
    assert sorted(json.loads(mail["message"])["detail"]["rideId"] for mail in received.of("mail")) == told
    assert sorted(json.loads(sms["message"])["detail"]["rideId"] for sms in received.of("sms")) == called

    (summary,) = received.log_events[SUMMARIES]
    waits = {ride["rideId"]: ride["wait"] for ride in rides if ride["inService"]}
    assert (summary["source"], summary["detail-type"]) == ("themepark.park", "parkSummary")
    longest = summary["detail"].pop("longestWait")
    assert waits[longest["rideId"]] == longest["wait"] == max(waits.values())
    average = pytest.approx(sum(waits.values()) / len(waits), abs=0.051)
    assert summary["detail"] == {"open": len(waits), "closed": len(closed), "averageWait": average}

    assert undelivered(received) == []
    assert received.of("lost") == received.of("denied") == []


def test_the_test_event_calls_maintenance_and_nobody_else(park: Sandbox):
    (entry,) = json.loads((DATA / "outage-test-event.json").read_text())
    received = when(park, lambda: put(park, entry))
    (sms,) = received.of("sms")
    assert sms["to"] == "+15550100"
    assert json.loads(sms["message"])["detail"] == json.loads(entry["Detail"])
    assert received.of("mail") == []
    assert undelivered(received) == []


def test_an_event_that_does_not_fit_its_schema_reaches_no_function_and_says_why_it_does_not(park: Sandbox):
    detail = {"inService": False, "wait": "soon", "lastUpdated": 0}
    received = when(park, lambda: put(park, {"DetailType": "waitTimes", "Detail": json.dumps(detail)}))
    assert received.of("function", function="signalbox-dev-outage") == []
    (message,) = received.queues[UNDELIVERED]
    body = message["body"]
    assert body["route"] == "waitTimes/outages"
    assert body["event"]["detail"] == detail
    assert message["attributes"]["reason"] == body["reason"]
    said = json.dumps(body["errors"])
    assert "rideId" in said
    assert "wait" in said


def test_what_a_function_and_a_flow_always_fail_on_is_in_undelivered_for_each(park: Sandbox):
    detail = {"type": "summary", "msg": "this is no list of rides"}
    act = lambda: put(park, {"DetailType": "waitTimesSummary", "Detail": json.dumps(detail)})  # noqa: E731
    received = when(park, act, seconds=120)
    calls = received.of("function", function="signalbox-dev-metrics")
    assert len(calls) == 3
    assert all("error" in call for call in calls)
    (run,) = received.of("run", machine="signalbox-dev-park-summary")
    assert run["status"] == "FAILED"
    of_function, of_flow = sorted(undelivered(received), key=lambda body: "flow" in body)
    assert of_function["requestPayload"]["detail"] == detail
    assert of_function["requestContext"]["condition"] == "RetriesExhausted"
    assert (of_flow["reason"], of_flow["flow"], of_flow["step"]) == ("flow-failed", "park-summary", "rides")
    assert of_flow["event"]["detail"] == detail
    assert received.log_events.get(SUMMARIES, []) == []


def test_an_event_that_is_too_large_for_a_flow_is_in_undelivered_and_reaches_the_function_beside_it(park: Sandbox):
    ride = {"rideId": "ride-001", "inService": True, "wait": 5, "lastUpdated": 0, "note": "x" * 262_144}
    detail = {"type": "summary", "msg": json.dumps([ride])}
    received = when(park, lambda: put(park, {"DetailType": "waitTimesSummary", "Detail": json.dumps(detail)}))
    assert [each["value"] for each in metrics_of(received)] == [300]
    (message,) = received.queues[UNDELIVERED]
    body = message["body"]
    assert message["attributes"]["reason"] == body["reason"] == "too-large"
    assert (body["route"], body["targets"]) == ("waitTimesSummary/summary", [{"flow": "park-summary"}])
    assert "262144" in body["message"]
    assert body["event"]["detail"] == detail
    assert received.of("run") == []


def outage(ride: str, at: datetime) -> dict[str, Any]:
    detail = {"rideId": ride, "type": "Warning", "description": f"Stopped at {at:%H:%M}"}
    return {"DetailType": "outage", "Detail": json.dumps(detail), "Time": at}


def again(park: Sandbox, received: Received, times: int) -> None:
    """Have the Router told `times` times more what rules have told it for flows, all at once."""
    told = [d["input"] for d in received.of("delivery", target="router", status="delivered") if '"flow"' in d["input"]]
    invoke = park.emulator.client("lambda").invoke
    with ThreadPoolExecutor(8) as pool:
        for given in told * times:
            pool.submit(invoke, FunctionName="signalbox-dev-router", InvocationType="Event", Payload=given.encode())


def test_three_outages_of_a_ride_within_an_hour_ask_for_maintenance_once_however_often_they_are_delivered(
    park: Sandbox,
):
    now = datetime.now(UTC).replace(microsecond=0)
    first = when(park, lambda: put(park, outage("ride-006", now - timedelta(minutes=90)), outage("ride-001", now)))
    assert len(first.of("run")) == 2
    again(park, first, 5)
    later = [outage("ride-006", now - timedelta(minutes=each)) for each in (40, 30)]
    two_of_this_hour = when(park, lambda: put(park, *later))
    again(park, two_of_this_hour, 5)
    assert wait_until_quiet(park.emulator, 60)
    assert details(read(park.emulator, two_of_this_hour.records[0]["at"]), "maintenanceRequest") == []

    third = when(park, lambda: put(park, outage("ride-006", now - timedelta(minutes=10))))
    repeated = when(park, lambda: again(park, third, 5))
    fourth = when(park, lambda: put(park, outage("ride-006", now)))
    (request,) = details(third, "maintenanceRequest")
    assert request == {
        "rideId": "ride-006",
        "outages": 3,
        "withinSeconds": 3600,
        "lastOutage": {
            "type": "Warning",
            "description": f"Stopped at {now - timedelta(minutes=10):%H:%M}",
            "time": f"{now - timedelta(minutes=10):%Y-%m-%dT%H:%M:%SZ}",
        },
    }
    mails = [json.loads(mail["message"]) for mail in third.of("mail")]
    assert [mail["detail"] for mail in mails if mail["detail-type"] == "maintenanceRequest"] == [request]
    assert details(repeated, "maintenanceRequest") == details(fourth, "maintenanceRequest") == []
    assert repeated.of("run") == []
    assert [run["status"] for run in fourth.of("run")] == ["SUCCEEDED"]
    assert undelivered(fourth) == []


def test_a_run_that_somebody_stops_leaves_its_event_in_undelivered(park: Sandbox):
    states = park.emulator.client("stepfunctions")
    machine = "arn:aws:states:eu-west-1:000000000000:stateMachine:signalbox-dev-park-summary"
    event = {"id": str(uuid4()), "detail": many_rides(1000)}

    def stopped() -> None:
        execution = states.start_execution(stateMachineArn=machine, input=json.dumps(event))["executionArn"]
        states.stop_execution(executionArn=execution, error="Test", cause="by hand")

    received = when(park, stopped)
    assert [(run["status"], run["error"]) for run in received.of("run")] == [("ABORTED", "Test")]
    (body,) = undelivered(received)
    assert (body["source"], body["detail"]["status"]) == ("aws.states", "ABORTED")
    assert json.loads(body["detail"]["input"]) == event


def many_rides(count: int) -> dict[str, str]:
    rides = [
        {"rideId": f"ride-{index:03}", "inService": True, "wait": index % 60, "lastUpdated": 0}
        for index in range(count)
    ]
    return {"type": "summary", "msg": json.dumps(rides)}


def test_250_rides_are_251_events_in_26_calls(park: Sandbox):
    received = when(park, lambda: publish(park, many_rides(250)))
    assert len(published(received)) == 251
    # The last two are those of the event for all rides, and of what the flow makes of it.
    assert [call["entries"] for call in received.of("call", call="PutEvents")] == [10] * 25 + [1, 1]
    assert len(metrics_of(received)) == 250
    assert undelivered(received) == []


def test_entries_that_fail_are_sent_again_and_no_others(park: Sandbox):
    park.emulator.fail_next("PutEventsEntries", [3, 7], "InternalFailure")
    received = when(park, lambda: publish(park, many_rides(250)))
    rides = [detail["rideId"] for detail in details(received, "waitTimes")]
    assert sorted(rides) == [f"ride-{index:03}" for index in range(250)]
    assert len(published(received)) == 251
    assert sum(call["entries"] for call in received.of("call", call="PutEvents")) == 251 + 2 + 1
    assert undelivered(received) == []


@pytest.mark.parametrize(
    "message",
    [
        "not JSON",
        '{"type": "summary"}',
        '{"type": "summary", "msg": "[{\\"rideId\\": 7}]"}',
        '{"type": "summary", "msg": "{}"}',
    ],
)
def test_a_broken_message_of_the_controller_is_kept(park: Sandbox, message: str):
    received = when(park, lambda: publish(park, message), seconds=120)
    told = [each for each in received.queues[UNDELIVERED] if each["attributes"].get("reason")]
    assert len(told) == 1, "the publisher tells of it once"
    assert received.of("lost") == []


def test_messages_of_another_type_are_ignored(park: Sandbox):
    received = when(park, lambda: publish(park, {"type": "heartbeat", "msg": "[]"}))
    assert received.of("event") == []
    assert undelivered(received) == []


def test_a_closed_ride_is_told_once_however_many_workers_see_it_and_again_after_three_minutes(park: Sandbox):
    closed = {"rideId": "ride-006", "inService": False, "wait": 5, "lastUpdated": 0}
    entry = {"DetailType": "waitTimes", "Detail": json.dumps(closed)}
    received = when(park, lambda: put(park, *[entry] * 8), seconds=120)
    assert len(received.of("function", function="signalbox-dev-outage")) >= 8
    assert len(details(received, "outage")) == 1

    dynamodb = park.emulator.client("dynamodb")
    items = dynamodb.scan(TableName="signalbox-dev-state")["Items"]
    (memory,) = [item for item in items if item["PK"]["S"].startswith("once#outage")]
    again = when(park, lambda: put(park, entry))
    assert details(again, "outage") == []
    # Three minutes pass: every moment that the memory holds is so much longer ago.
    for key, value in memory.items():
        if "N" in value:
            past = int(value["N"]) - (180_000 if int(value["N"]) > 10**12 else 180)
            memory[key] = {"N": str(past)}
    dynamodb.put_item(TableName="signalbox-dev-state", Item=memory)
    later = when(park, lambda: put(park, entry))
    assert len(details(later, "outage")) == 1
    assert undelivered(later) == []
