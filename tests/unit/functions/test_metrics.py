"""The metrics: wait times in seconds, one point a ride, none that CloudWatch refuses."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from lambda_fakes import CloudWatch, Context, stored

from functions.metrics import handler

NOW = datetime(2026, 11, 23, 0, 2, tzinfo=UTC)


def event(rides: Any, **changes: Any) -> dict[str, Any]:
    made = stored("eventbridge-wait-times-summary.json")
    return {**made, "detail": {"type": "summary", "msg": json.dumps(rides)}, **changes}


def ride(number: int, wait: Any = 1) -> dict[str, Any]:
    return {"rideId": f"ride-{number:03}", "inService": True, "wait": wait, "lastUpdated": 0}


def test_a_summary_is_put_as_one_point_for_each_ride(monkeypatch: pytest.MonkeyPatch) -> None:
    cloudwatch = CloudWatch()
    monkeypatch.setattr(handler, "client", lambda _: cloudwatch)
    handler.handle(stored("eventbridge-wait-times-summary.json"), Context())
    ((first, second),) = cloudwatch.calls
    assert first["MetricName"] == "wait-times"
    assert first["Dimensions"] == [{"Name": "Type", "Value": "ride"}, {"Name": "Ride", "Value": "ride-005"}]
    assert (first["Value"], first["Unit"]) == (120, "Seconds")
    assert (second["Dimensions"][1]["Value"], second["Value"]) == ("ride-006", 1500)


@pytest.mark.parametrize("name", ["ride-times-1.json", "ride-times-2.json", "ride-times-3.json"])
def test_the_controllers_messages_give_each_ride_its_wait_times_60(name: str) -> None:
    rides = json.loads(stored(name)["msg"])
    points, refused = handler.data(event(rides), NOW)
    assert refused == []
    assert {point["Dimensions"][1]["Value"]: point["Value"] for point in points} == {
        each["rideId"]: each["wait"] * 60 for each in rides
    }


def test_points_have_the_time_of_the_event_so_that_a_repeat_changes_nothing() -> None:
    made = event([ride(1)])
    (one, _), (two, _) = handler.data(made, NOW), handler.data(made, NOW + timedelta(hours=3))
    assert one == two
    assert one[0]["Timestamp"] == datetime(2026, 11, 23, 0, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    "time", [None, "", "yesterday", 3, "2026-11-01T00:00:00Z", "2026-11-23T03:00:00Z", "2026-11-23"]
)
def test_a_time_that_cloudwatch_would_refuse_becomes_now(time: Any) -> None:
    assert handler.timestamp({"time": time}, NOW) == NOW


def test_1001_rides_are_two_calls_with_every_ride_once() -> None:
    points, _ = handler.data(event([ride(number) for number in range(1_001)]), NOW)
    calls = list(handler.in_calls(points))
    assert [len(call) for call in calls] == [1_000, 1]
    assert [point for call in calls for point in call] == points
    assert max(len(json.dumps(call, default=str)) for call in calls) < 1_000_000


@pytest.mark.parametrize("msg", ["5", "null", "{}", '"x"'])
def test_a_summary_without_a_list_of_rides_says_so(msg: str) -> None:
    with pytest.raises(handler.RefusedRides, match="no list of rides"):
        handler.data({**event([]), "detail": {"type": "summary", "msg": msg}}, NOW)


def test_no_rides_are_no_call() -> None:
    assert list(handler.in_calls([])) == []


@pytest.mark.parametrize(
    "broken",
    [
        *(None, 3, {}, ride(2, None), ride(2, "5"), ride(2, True), ride(2, 1e308)),
        *({"rideId": name, "wait": 1} for name in ("é", " ", "x\n", "\x01", "x" * 1_025, 5)),
    ],
    ids=lambda value: str(value)[:30],
)
def test_a_ride_that_cloudwatch_would_refuse_costs_no_other_its_metric_and_is_not_forgotten(
    monkeypatch: pytest.MonkeyPatch, broken: Any
) -> None:
    cloudwatch = CloudWatch()
    monkeypatch.setattr(handler, "client", lambda _: cloudwatch)
    with pytest.raises(handler.RefusedRides, match="no metric for 1 rides"):
        handler.handle(event([ride(1), broken, ride(3)]), Context())
    (call,) = cloudwatch.calls
    assert [point["Dimensions"][1]["Value"] for point in call] == ["ride-001", "ride-003"]
