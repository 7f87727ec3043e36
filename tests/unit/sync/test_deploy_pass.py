"""What a deploy does to rules itself: whatever the engine's state says, no rule is left without what it must have.

With everything else that may go wrong at the same time: tests/simulation.
"""

from typing import Any

import pytest

from signalbox.aws.rules import EventBridgeRules
from signalbox.aws.store import DynamoStore, read_store
from signalbox.classic import rule_of
from signalbox.conflicts import Policy
from signalbox.effective import Override, RouteEdit, config_hash
from signalbox.model import Event
from signalbox.plan import Plan, plan
from signalbox.reconcile import Bus, begin, restore, settle
from signalbox.store import RELEASE, StoreSnapshot, control_item, event_item, gone_item, sync_item, to_attributes
from tests.unit.sync.account import AT, DLQ, Stack, event, to


@pytest.fixture
def stack() -> Stack:
    made = Stack({"outage": {"a": to("t1"), "b": to("t2")}, "other": {"a": to("t5")}})
    assert made.run().out_of_step == ()
    assert settled(made, planned(made, event("outage", {"a": to("t1"), "b": to("t2")}), OTHER)) == []
    return made


def snapshot(stack: Stack) -> StoreSnapshot:
    return read_store(stack.dynamo, "dev-store")


def planned(stack: Stack, *events: Event, choice: str = "fail") -> Plan:
    """The plan of a deploy, which has written its items."""
    before = snapshot(stack)
    made = plan({each.id: each for each in events}, before, Policy(choice))  # type: ignore[arg-type]
    assert made.problems == ()
    for each in made.events.values():
        stack.put(event_item(each.event))
        if each.decision:
            stack.put(each.decision)
    for each in made.gone:
        stack.put(gone_item(each))
    stack.cloud.calls.clear()
    return made


def settled(stack: Stack, made: Plan) -> list[Any]:
    bus = EventBridgeRules(stack.events, "dev")
    return settle(made, DynamoStore(stack.dynamo, "dev-store"), bus, Bus("dev", DLQ), clock=stack.clock)


OTHER = event("other", {"a": to("t5")})


def test_a_target_that_the_engine_takes_for_there_is_there_before_it_takes_the_others_away(stack):
    # The engine knows t3 from an edit that was deployed; it was taken back, and now the definitions say t3.
    made = planned(stack, event("outage", {"a": to("t3"), "b": to("t2")}), OTHER)
    assert settled(stack, made) == []
    assert stack.targets("outage.a") == ["t3"]


def test_a_route_that_changes_is_written_whatever_a_list_says_because_the_engine_takes_away_next(stack):
    made = planned(stack, event("outage", {"a": to("t1", pattern={"type": ["Info"]}), "b": to("t2")}), OTHER)
    listed = list(stack.cloud.targets["outage.a"].values())
    stack.cloud.targets["outage.a"] = {}
    stack.events.list_targets_by_rule = lambda **_: {"Targets": listed}  # type: ignore[method-assign]
    assert settled(stack, made) == []
    assert stack.targets("outage.a") == ["t1"]


def test_only_events_that_change_are_looked_at_and_what_is_right_is_not_written(stack):
    made = planned(stack, event("outage", {"a": to("t1"), "b": to("t2")}), OTHER)
    assert made.changing == {}
    made = planned(stack, event("outage", {"a": to("t1"), "b": to("t2", enabled=False)}), OTHER)
    assert made.changing == {"outage": {"b"}}
    stack.cloud.targets["other.a"] = {}
    assert settled(stack, made) == []
    assert stack.called("put_rule", "put_targets", "remove_targets", "list_targets_by_rule") == {
        "put_rule": 1,
        "put_targets": 1,
        "list_targets_by_rule": 1,
    }
    assert stack.targets("other.a") == []


def test_a_number_that_becomes_a_boolean_changes_its_route(stack):
    numbers = event("outage", {"a": to("t1", pattern={"x": [1]}), "b": to("t2")})
    assert settled(stack, planned(stack, numbers, OTHER)) == []
    made = planned(stack, event("outage", {"a": to("t1", pattern={"x": [True]}), "b": to("t2")}), OTHER)
    assert made.changing == {"outage": {"a"}}


def test_an_event_that_the_store_has_never_heard_of_is_left_to_the_engine(stack):
    made = planned(stack, event("outage", {"a": to("t1"), "b": to("t2")}), OTHER, event("new", {"a": to("t1")}))
    assert made.changing == {}


def test_after_a_deploy_that_died_every_event_is_looked_at_and_then_no_more(stack):
    planned(stack, event("outage", {"a": to("t3"), "b": to("t2")}), OTHER)
    again = planned(stack, event("outage", {"a": to("t3"), "b": to("t2")}), OTHER)
    assert again.changing == {"outage": {"a", "b"}, "other": {"a"}}
    assert "did not come to its end" in again.notes[0].text
    assert settled(stack, again) == []
    assert stack.targets("outage.a") == ["t3"]
    later = planned(stack, event("outage", {"a": to("t3"), "b": to("t2")}), OTHER)
    assert (later.changing, later.to_settle, later.notes) == ({}, False, ())


def test_a_deploy_that_died_is_not_taken_for_an_earlier_one_of_the_same_definitions(stack):
    same = event("outage", {"a": to("t1"), "b": to("t2")}), OTHER
    other = planned(stack, event("outage", {"a": to("t3"), "b": to("t2")}), OTHER)
    begin(other, DynamoStore(stack.dynamo, "dev-store"))
    planned(stack, *same)
    assert planned(stack, *same).changing == {"outage": {"a", "b"}, "other": {"a"}}


def test_an_event_with_an_edit_is_looked_at_until_the_reconciler_has_followed(stack):
    same = event("outage", {"a": to("t1"), "b": to("t2")}), OTHER
    stack.edit("outage", a=RouteEdit(to("t3"), config_hash(to("t1")), 1, AT, "alice"))
    made = planned(stack, *same)
    assert made.changing == {"outage": {"a", "b"}}
    assert settled(stack, made) == []
    assert stack.targets("outage.a") == ["t3"]
    assert stack.run().out_of_step == ()
    made = planned(stack, *same)
    assert made.changing == {}
    assert settled(stack, made) == []
    assert stack.called("put_rule", "put_targets", "remove_targets", "list_rules", "put_item") == {}


@pytest.mark.parametrize("routes", ['["x"]', '{"a": "in-step"}', "[", '{"a": {}}'])
def test_a_note_of_the_reconciler_that_cannot_be_read_counts_as_none(stack, routes):
    stack.put({**sync_item("outage", at=AT, revision=0, routes={}), "Routes": routes})
    assert list(planned(stack, event("outage", {"a": to("t1"), "b": to("t2")}), OTHER).changing) == ["outage"]


def test_an_event_that_is_gone_for_good_is_looked_at_no_more(stack):
    stack.edit("outage", a=RouteEdit(to("t3"), config_hash(to("t1")), 1, AT, "alice"))
    assert stack.run().out_of_step == ()
    stack.put(Override("outage", 2, AT, "alice").item())
    gone = planned(stack, OTHER)
    assert settled(stack, gone) == []
    assert stack.run().out_of_step == ()
    again = planned(stack, OTHER)
    assert (again.changing, again.to_settle) == ({}, False)


def test_of_an_event_that_is_gone_no_rule_is_left_also_none_that_the_engine_does_not_know(stack):
    made = planned(stack, OTHER)
    assert list(made.changing) == ["outage"]
    assert settled(stack, made) == []
    assert sorted(stack.cloud.rules) == ["other.a"]


def test_what_the_engine_goes_on_to_take_away_is_not_all_that_is_left_of_a_route_edited_meanwhile(stack):
    made = planned(stack, event("outage", {"a": to("t3"), "b": to("t2")}), OTHER)
    stack.edit("outage", a=RouteEdit(to("t1"), config_hash(to("t3")), 1, AT, "alice"))
    assert settled(stack, made) == []
    # The engine removes t1 now, and the reconciler makes the edit live with its next run.
    assert stack.targets("outage.a") == ["t1", "t3"]


def test_an_edit_meanwhile_of_what_the_deploy_does_not_change_stays_live(stack):
    made = planned(stack, event("outage", {"a": to("t1"), "b": to("t2", "t3")}), OTHER)
    edits = {
        "a": RouteEdit(to("t1", enabled=False), config_hash(to("t1")), 1, AT, "alice"),
        "c": RouteEdit(to("t4"), config_hash(None), 1, AT, "alice"),
    }
    stack.edit("outage", **edits)
    assert stack.run().out_of_step == ()
    assert settled(stack, made) == []
    assert stack.cloud.rules["outage.a"]["State"] == "DISABLED"
    assert stack.targets("outage.c") == ["t4"]
    assert stack.targets("outage.b") == ["t2", "t3"]


def test_a_rule_that_a_missing_target_keeps_from_being_made_ends_the_up(stack):
    made = planned(stack, event("outage", {"a": to("t3"), "b": to("t2")}), OTHER)
    stack.dynamo.delete_item(Key=to_attributes({"PK": "target", "SK": "t3"}))
    (problem,) = settled(stack, made)
    assert (problem.path, "topic t3" in problem.got) == ("outage/a", True)


def test_an_item_that_a_deploy_which_died_wrote_without_the_engines_knowing_is_written_anew(stack):
    old = event("outage", {"a": to("t1"), "b": to("t2")})
    stack.put(event_item(event("outage", {"a": to("t1"), "b": to("t2"), "c": to("t4")})))
    assert stack.run().out_of_step == ()
    made = plan({"outage": old, "other": OTHER}, snapshot(stack), Policy())
    bus = EventBridgeRules(stack.events, "dev")
    store = DynamoStore(stack.dynamo, "dev-store")
    believed = [event_item(old), event_item(OTHER)]
    assert settle(made, store, bus, Bus("dev", DLQ), believed, clock=stack.clock) == []
    assert store.get("events", "outage") == event_item(old)
    assert sorted(stack.cloud.rules) == ["other.a", "outage.a", "outage.b"]


def test_nothing_goes_when_something_cannot_be_made(stack):
    made = planned(stack, event("outage", {"a": to("t3")}), OTHER)
    stack.cloud.rules["outage.a"] = {**stack.cloud.rules["outage.a"], "ManagedBy": "someone"}
    assert len(settled(stack, made)) == 1
    assert "outage.b" in stack.cloud.rules


def test_an_event_whose_item_was_not_written_is_left_as_it_is(stack):
    """`pulumi up --target` of other resources."""
    made = plan({"outage": event("outage", {"a": to("t3")}), "other": OTHER}, snapshot(stack), Policy())
    assert list(made.changing) == ["outage"]
    before = dict(stack.cloud.rules), dict(stack.cloud.targets)
    assert settled(stack, made) == []
    assert (stack.cloud.rules, stack.cloud.targets) == before


def test_a_release_meanwhile_is_the_reconcilers(stack):
    made = planned(stack, event("outage", {"a": to("t3")}), OTHER)
    stack.put(control_item(RELEASE, at=AT, by="op"))
    assert settled(stack, made) == []
    assert stack.targets("outage.a") == ["t1"]


def test_what_cannot_be_made_is_told_with_its_route(stack):
    made = planned(stack, event("outage", {"a": to("t3"), "b": to("t2")}), OTHER)
    stack.dynamo.put_item(Item=to_attributes({**event_item(OTHER), "SK": "broken", "RoutingConfig": "["}))
    stack.cloud.rules["outage.a"] = {**stack.cloud.rules["outage.a"], "ManagedBy": "someone"}
    (problem,) = settled(stack, made)
    assert (problem.path, problem.code) == ("outage/a", "out-of-step")
    assert "not ours" in problem.got
    assert "pulumi up" in problem.fix


def test_a_rule_that_is_not_there_is_made_without_targets_and_no_other_is_touched(stack):
    stack.edit("outage", b=RouteEdit(None, config_hash(to("t2")), 1, AT, "alice"))
    assert stack.run().out_of_step == ()
    new = event("outage", {"a": to("t1"), "b": to("t2", "t3")})
    made = plan(
        {"outage": new, "other": OTHER, "new": event("new", {"a": to("t1")})}, snapshot(stack), Policy("definitions")
    )
    rules = [rule_of(each.event, route, "dev") for each in made.events.values() for route in each.routes.values()]
    of_event = [rule for rule in rules if rule.event_id == "outage"]
    bus = EventBridgeRules(stack.events, "dev")
    stack.cloud.calls.clear()
    restore(bus, of_event, stack.cloud.rules.values(), clock=stack.clock)
    assert stack.targets("outage.b") == []
    assert stack.cloud.rules["outage.b"]["State"] == "ENABLED"
    restore(bus, of_event, stack.cloud.rules.values(), clock=stack.clock)
    assert stack.called("put_rule", "put_targets", "remove_targets") == {"put_rule": 1}
