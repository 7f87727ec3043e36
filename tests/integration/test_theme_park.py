"""Messages in at one end, and what every target really received at the other."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import pytest

from sandbox.places import DATA
from sandbox.received import Received, read, wait_until_quiet
from sandbox.stack import Sandbox

MESSAGES = ("ride-times-1.json", "ride-times-2.json", "ride-times-3.json")
OUTAGES = "/aws/events/theme-park-outages"
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


def when(park: Sandbox, act: Callable[[], object], seconds: float = 60) -> Received:
    """All that was received because of `act`."""
    since = time.time()
    act()
    assert wait_until_quiet(park.emulator, seconds), "work is still under way"
    return read(park.emulator, since)


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

    metrics = received.of("metric")
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


def test_a_function_that_always_fails_leaves_its_event_in_undelivered(park: Sandbox):
    detail = {"type": "summary", "msg": "this is no list of rides"}
    act = lambda: put(park, {"DetailType": "waitTimesSummary", "Detail": json.dumps(detail)})  # noqa: E731
    received = when(park, act, seconds=120)
    calls = received.of("function", function="signalbox-dev-metrics")
    assert len(calls) == 3
    assert all("error" in call for call in calls)
    (message,) = undelivered(received)
    assert message["requestPayload"]["detail"] == detail
    assert message["requestContext"]["condition"] == "RetriesExhausted"


def many_rides(count: int) -> dict[str, str]:
    rides = [
        {"rideId": f"ride-{index:03}", "inService": True, "wait": index % 60, "lastUpdated": 0}
        for index in range(count)
    ]
    return {"type": "summary", "msg": json.dumps(rides)}


def test_250_rides_are_251_events_in_26_calls(park: Sandbox):
    received = when(park, lambda: publish(park, many_rides(250)))
    assert len(received.of("event")) == 251
    assert [call["entries"] for call in received.of("call", call="PutEvents")] == [10] * 25 + [1]
    assert len(received.of("metric")) == 250
    assert undelivered(received) == []


def test_entries_that_fail_are_sent_again_and_no_others(park: Sandbox):
    park.emulator.fail_next("PutEventsEntries", [3, 7], "InternalFailure")
    received = when(park, lambda: publish(park, many_rides(250)))
    rides = [detail["rideId"] for detail in details(received, "waitTimes")]
    assert sorted(rides) == [f"ride-{index:03}" for index in range(250)]
    assert len(received.of("event")) == 251
    assert sum(call["entries"] for call in received.of("call", call="PutEvents")) == 251 + 2
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
    (memory,) = dynamodb.scan(TableName="signalbox-dev-state")["Items"]
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
