"""What a deploy does to rules itself: whatever the engine's state says, no rule is left without what it must have.

With everything else that may go wrong at the same time: tests/simulation.
"""

from typing import Any

import pytest

from signalbox.aws.rules import EventBridgeRules
from signalbox.aws.store import DynamoStore, read_store
from signalbox.classic import rule_of
from signalbox.effective import Plan, Policy, RouteEdit, config_hash, plan
from signalbox.model import Event
from signalbox.reconcile import Bus, begin, not_there, settle
from signalbox.store import RELEASE, StoreSnapshot, control_item, event_item, gone_item, to_attributes
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
        "list_targets_by_rule": 2,
    }
    assert stack.targets("other.a") == []


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
    begin(other, DynamoStore(stack.dynamo, "dev-store"), EventBridgeRules(stack.events, "dev"), (), clock=stack.clock)
    planned(stack, *same)
    assert planned(stack, *same).changing == {"outage": {"a", "b"}, "other": {"a"}}


def test_an_event_with_edits_is_looked_at_each_time(stack):
    stack.edit("outage", a=RouteEdit(to("t3"), config_hash(to("t1")), 1, AT, "alice"))
    made = planned(stack, event("outage", {"a": to("t1"), "b": to("t2")}), OTHER)
    assert list(made.changing) == ["outage"]
    assert settled(stack, made) == []
    assert stack.targets("outage.a") == ["t3"]


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
    assert stack.targets("outage.a") == ["t3"]


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
    missing = not_there(rules, made.changing, stack.cloud.rules.values())
    assert [rule.name for rule in missing] == ["outage.b"]
    store = DynamoStore(stack.dynamo, "dev-store")
    begin(made, store, EventBridgeRules(stack.events, "dev"), missing, clock=stack.clock)
    assert stack.targets("outage.b") == []
    assert stack.cloud.rules["outage.b"]["State"] == "ENABLED"
    assert not_there(rules, made.changing, stack.cloud.rules.values()) == []
