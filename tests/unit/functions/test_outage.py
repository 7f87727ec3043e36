"""The outage function: one outage a ride in 180 seconds, with a cause of that very ride, and none lost."""

import json
import threading
from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lambda_fakes import Clock, Context, Dynamo, Events, error, stored

from functions.outage import handler
from signalbox.runtime.errors import CallError
from signalbox.runtime.once import AwsMemory, Once
from signalbox.runtime.put_events import AwsBus

EVENT = stored("eventbridge-wait-times.json")


class World:
    """The function's logic with a table, a bus and a clock."""

    def __init__(self) -> None:
        self.table, self.events, self.clock = Dynamo(), Events(), Clock()

    def close(self, ride_id: str = "ride-006", event_id: str = "event", **options: Any) -> None:
        """The ride reports that it is closed."""
        event = {**EVENT, "id": event_id, "detail": {**EVENT["detail"], "rideId": ride_id}}
        once = Once(AwsMemory(self.table, "state", "outage"), self.clock.milliseconds, self.clock.sleep)
        handler.tell(event, once, AwsBus(self.events, "park"), 10_000, now=self.clock.milliseconds, **options)

    def outages(self) -> list[Any]:
        return self.events.details("outage")


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> World:
    monkeypatch.setattr("signalbox.runtime.put_events.FIRST_PAUSE_SECONDS", 0.0)
    return World()


def test_a_closed_ride_is_an_outage_with_a_cause_of_its_own(world: World) -> None:
    world.close("ride-006", choose=lambda causes: causes[-1])
    (outage,) = world.outages()
    assert outage == {
        "rideId": "ride-006",
        "lastAlert": world.clock.milliseconds(),
        **handler.CAUSES["ride-006"][-1],
        "timeToResolution": 25,
    }
    assert set(outage) == {"rideId", "lastAlert", "type", "description", "timeToResolution"}
    assert [(entry["Source"], entry["EventBusName"]) for entry in world.events.taken] == [("themepark.rides", "park")]


@pytest.mark.parametrize("ride_id", sorted(handler.CAUSES))
@given(event_id=st.text(min_size=1))
def test_the_cause_is_of_the_rides_own_list(ride_id: str, event_id: str) -> None:
    world = World()
    world.close(ride_id, event_id)
    (outage,) = world.outages()
    assert {"type": outage["type"], "description": outage["description"]} in list(handler.CAUSES[ride_id])


def test_every_cause_of_a_ride_is_drawn_some_time(world: World) -> None:
    for number in range(300):
        world.close("ride-002", f"event-{number}")
        world.clock.sleep(180)
    drawn = Counter(outage["description"] for outage in world.outages())
    assert set(drawn) == {cause["description"] for cause in handler.CAUSES["ride-002"]}


def test_an_unknown_ride_is_a_warning_of_unknown_cause(world: World) -> None:
    world.close("ride-999")
    (outage,) = world.outages()
    assert (outage["type"], outage["description"]) == ("Warning", "Unknown cause")


def test_within_180_seconds_a_ride_is_told_once_and_after_them_again(world: World) -> None:
    for minute in range(4):
        world.close(event_id=f"event-{minute}")
        world.clock.sleep(60)
    alerts = [outage["lastAlert"] for outage in world.outages()]
    assert len(alerts) == 2
    assert alerts[1] - alerts[0] == 180_000


def test_rides_are_remembered_apart(world: World) -> None:
    for ride_id in ("ride-001", "ride-002", "ride-999"):
        world.close(ride_id)
        world.close(ride_id, "another")
    assert [outage["rideId"] for outage in world.outages()] == ["ride-001", "ride-002", "ride-999"]


@pytest.mark.parametrize("same_event", [False, True])
def test_8_workers_at_once_give_one_outage(same_event: bool) -> None:
    table, events = Dynamo(), Events()
    start = threading.Barrier(8)

    def worker(number: int) -> None:
        start.wait()
        event = {**EVENT, "id": "event" if same_event else f"event-{number}"}
        handler.tell(event, Once(AwsMemory(table, "state", "outage")), AwsBus(events, "park"), 10_000)

    threads = [threading.Thread(target=worker, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events.details("outage")) == 1


def test_an_outage_that_the_bus_does_not_take_is_told_by_lambdas_next_try(world: World) -> None:
    world.events.error = error("InternalException", 500)
    with pytest.raises(CallError):
        world.close()
    world.events.error = None
    world.close()
    assert len(world.outages()) == 1


def test_a_partial_failure_of_the_bus_is_no_success(world: World) -> None:
    world.events.fails = lambda _, entries: range(len(entries))
    with pytest.raises(CallError):
        world.close()
    world.events.fails = None
    world.close(event_id="the next report")
    assert len(world.outages()) == 1


def test_a_worker_that_dies_after_its_claim_loses_no_outage(world: World) -> None:
    class Died(BaseException):
        """The end of the process."""

    def die(_: Any) -> Any:
        world.table.error = error("gone")
        raise Died

    with pytest.raises(Died):
        world.close(choose=die)
    world.table.error = None
    assert world.outages() == []
    world.clock.sleep(60)
    world.close()
    world.close(event_id="the next report")
    assert len(world.outages()) == 1


def test_a_second_try_says_what_the_first_one_said(world: World) -> None:
    world.close("ride-002")
    world.clock.sleep(180)
    world.close("ride-002")
    first, second = world.outages()
    assert first["description"] == second["description"]


def test_without_its_memory_nothing_is_told_and_the_invocation_fails(world: World) -> None:
    world.table.error = error("AccessDeniedException")
    with pytest.raises(CallError):
        world.close()
    assert world.outages() == []


def test_the_handler_puts_the_outage_of_a_stored_event(monkeypatch: pytest.MonkeyPatch) -> None:
    table, events = Dynamo(), Events()
    monkeypatch.setattr(handler, "client", lambda service: {"dynamodb": table, "events": events}[service])
    monkeypatch.setenv("STATE", "state")
    monkeypatch.setenv("BUS", "park")
    handler.handle(EVENT, Context())
    (outage,) = events.details("outage")
    assert outage["rideId"] == "ride-006"
    assert json.dumps(outage["lastAlert"]).isdigit()
    assert list(table.items) == [("once#outage", "ride-006")]


def test_every_ride_of_the_park_has_causes_that_the_outage_event_may_have() -> None:
    assert len(handler.CAUSES) == 16
    for causes in handler.CAUSES.values():
        assert causes
        assert all(set(cause) == {"type", "description"} for cause in causes)
        assert {cause["type"] for cause in causes} <= {"Info", "Warning", "Emergency"}
