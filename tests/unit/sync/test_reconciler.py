"""The reconciler against an account that behaves: what it costs, what it leaves alone, what it reports.

What happens when the account does not behave, and when others write at the same time, is tests/simulation.
"""

from typing import Any

import pytest
from botocore.exceptions import ParamValidationError, ReadTimeoutError

from signalbox.aws.rules import EventBridgeRules
from signalbox.aws.store import DynamoStore, StoreError, TableMissingError, read_store
from signalbox.canonical import canonical
from signalbox.classic import rule_of
from signalbox.effective import RouteEdit, config_hash
from signalbox.model import route_from_config
from signalbox.reconcile import FAILED, IN_STEP, KEPT_OLD, clashes
from signalbox.reconcile.calls import ATTEMPTS
from signalbox.reconcile.ports import RulesError
from signalbox.store import FREEZE, RELEASE, StoreSnapshot, control_item, event_item, target_item, to_attributes
from tests.simulation.cloud import error
from tests.unit.sync.account import AT, DLQ, Stack, event, fails, to

READS = ("list_rules", "list_targets_by_rule")
WRITES = ("put_rule", "put_targets", "remove_targets", "delete_rule", "put_item", "delete_item")


@pytest.fixture
def stack() -> Stack:
    made = Stack({"outage": {"a": to("t1"), "b": to("t2", "t3", pattern={"type": ["Info"]})}})
    assert made.run().out_of_step == ()
    return made


def test_rules_are_written_as_the_deploy_writes_them(stack):
    rule = stack.cloud.rules["outage.b"]
    declared = event("outage", {"b": to("t2", "t3", pattern={"type": ["Info"]})})
    wanted = rule_of(declared, declared.routes["b"], "dev")
    assert (rule["EventPattern"], rule["State"], rule["Description"]) == (
        wanted.pattern,
        "ENABLED",
        "[signalbox dev outage/b]",
    )
    assert stack.cloud.targets["outage.b"]["t2"] == {
        "Id": "t2",
        "Arn": "arn:t2",
        "RetryPolicy": {"MaximumRetryAttempts": 185, "MaximumEventAgeInSeconds": 86400},
        "DeadLetterConfig": {"Arn": DLQ},
    }


def test_every_field_of_a_target_is_written():
    stack = Stack({})
    stack.put(target_item("bus", "bus", arn="arn:bus", role="arn:role"))
    stack.put(target_item("fifo", "queue", arn="arn:fifo"))
    stack.put(target_item("stream", "stream", arn="arn:stream", role="arn:role"))
    targets = [
        {"bus": "bus", "input": {"paths": {"ride": "$.detail.ride"}, "template": '"<ride>"'}},
        {"queue": "fifo", "message-group": "g"},
        {"stream": "stream", "partition-key": "$.id"},
        {"function": "f1"},
    ]
    stack.declare("outage", {"a": {"targets": targets, "retry": {"attempts": 3, "max-age-seconds": 60}}})
    assert stack.run().out_of_step == ()
    live = stack.cloud.targets["outage.a"]
    assert live["bus"]["RoleArn"] == "arn:role"
    assert live["bus"]["InputTransformer"] == {"InputPathsMap": {"ride": "$.detail.ride"}, "InputTemplate": '"<ride>"'}
    assert live["fifo"]["SqsParameters"] == {"MessageGroupId": "g"}
    assert live["stream"]["KinesisParameters"] == {"PartitionKeyPath": "$.id"}
    assert live["router"]["Arn"] == "arn:router"
    assert live["router"]["RetryPolicy"] == {"MaximumRetryAttempts": 3, "MaximumEventAgeInSeconds": 60}
    stack.run()
    assert stack.called(*WRITES) == {}


def test_steady_state_writes_nothing(stack):
    report = stack.run()
    assert stack.called(*WRITES) == {}
    assert report.settled
    assert report.writes == 0
    assert stack.metrics.values == {
        "RoutesOutOfStep": 0,
        "Conflicts": 0,
        "Repaired": 0,
        "ForeignRules": 0,
        "RuleWrites": 0,
        "FlowsOutOfStep": 0,
        "MachineWrites": 0,
        "Frozen": 0,
    }


@pytest.mark.parametrize(
    ("config", "writes"),
    [
        (to("t2", "t3", pattern={"type": ["Warning"]}), {"put_rule": 1}),
        (to("t2", "t3", pattern={"type": ["Info"]}, enabled=False), {"put_rule": 1}),
        (to("t2", "t3", "t4", "t5", pattern={"type": ["Info"]}), {"put_targets": 1}),
        (to("t4", "t5", pattern={"type": ["Warning"]}), {"put_rule": 1, "put_targets": 1, "remove_targets": 1}),
        (to("t2", pattern={"type": ["Info"]}), {"put_targets": 1, "remove_targets": 1}),
        (None, {"remove_targets": 1, "delete_rule": 1}),
    ],
)
def test_one_changed_route_costs_one_call_of_each_kind_at_most(stack, config, writes):
    before = to("t2", "t3", pattern={"type": ["Info"]})
    stack.edit("outage", b=RouteEdit(config, config_hash(before), 1, AT, "alice"))
    report = stack.run()
    assert report.out_of_step == ()
    assert stack.called(*WRITES[:4]) == writes
    assert stack.called("put_item") == {"put_item": 1}


def test_a_pass_reads_each_page_and_each_rule_once():
    stack = Stack({f"e{n}": {r: to("t1", "t2") for r in "abcdefghij"} for n in range(30)})
    stack.run()
    stack.run()
    assert len(stack.cloud.rules) == 300
    assert stack.called(*READS) == {"list_rules": 3, "list_targets_by_rule": 300}
    assert stack.called(*WRITES) == {}


def test_a_route_whose_target_is_missing_keeps_its_rule_and_is_reported(stack):
    stack.declare("outage", {"a": to("new"), "b": to("t4")})
    report = stack.run()
    assert stack.targets("outage.a") == ["t1"]
    assert stack.targets("outage.b") == ["t4"]
    assert report.out_of_step == ("outage/a",)
    assert report.routes["outage/a"]["state"] == KEPT_OLD
    assert "topic new" in report.routes["outage/a"]["error"]
    stack.put(target_item("new", "topic", arn="arn:new"))
    assert stack.run().out_of_step == ()
    assert stack.targets("outage.a") == ["new"]


def test_a_name_of_another_kind_is_a_missing_target(stack):
    stack.declare("outage", {"a": {"targets": [{"queue": "t1"}, {"function": "t2"}, {"flow": "f1"}]}})
    assert "queue t1, function t2, flow f1" in stack.run().routes["outage/a"]["error"]


@pytest.mark.parametrize(
    "broken",
    [
        {"RoutingConfig": "{"},
        {"RoutingConfig": '{"a": {}}'},
        {"RoutingConfig": '{"a": {"targets": [{"nothing": "x"}]}}'},
        {"RoutingConfig": '{"a": {"targets": [{"topic": "t1", "queue": "t1"}]}}'},
        {"RoutingConfig": "[1]"},
        {"Source": "null"},
    ],
)
def test_a_malformed_item_leaves_its_own_rules_alone_and_stops_no_other(stack, broken):
    stack.declare("other", {"x": to("t1")})
    stack.put({**event_item(event("outage", {"a": to("t5")})), **broken})
    report = stack.run()
    assert stack.targets("outage.a") == ["t1"]
    assert stack.targets("outage.b") == ["t2", "t3"]
    assert stack.targets("other.x") == ["t1"]
    assert report.out_of_step == ("outage",)
    stack.run()
    assert stack.called(*WRITES) == {}


def test_rules_that_are_not_ours_are_reported_and_left_alone(stack):
    theirs = {
        "by-hand": {"Description": "x"},
        "no-description": {},
        "other-stack": {"Description": "[signalbox prod outage/a]"},
        "copy": {"Description": "[signalbox dev outage/a]"},
        "outage.c": {"Description": "made by hand"},
        "outage.d": {"Description": "[signalbox dev outage/d]", "ManagedBy": "x.amazonaws.com"},
    }
    for name, fields in theirs.items():
        stack.cloud.rules[name] = {"Name": name, "EventPattern": "{}", "State": "ENABLED", **fields}
    stack.declare("outage", {"a": to("t1"), "b": to("t2", "t3", pattern={"type": ["Info"]}), "c": to("t1")})
    report = stack.run()
    for name, fields in theirs.items():
        assert stack.cloud.rules[name] == {"Name": name, "EventPattern": "{}", "State": "ENABLED", **fields}
    assert report.foreign == ("by-hand", "copy", "no-description", "other-stack", "outage.c")
    assert report.out_of_step == ("outage/c",)
    assert "not ours" in report.routes["outage/c"]["error"]


def test_a_deploy_is_told_of_foreign_rules_in_its_way():
    wanted = [rule_of(event("outage", {}), route_from_config("outage", name, to("t1")), "dev") for name in ("a", "b")]
    live = [{"Name": "outage.a", "Description": "mine"}, {"Name": "outage.b", "Description": wanted[1].description}]
    assert [problem.path for problem in clashes(wanted, live, "dev")] == ["outage/a"]


@pytest.mark.parametrize("what", ["State", "EventPattern", "ScheduleExpression", "RoleArn", "rule", "target", "field"])
def test_what_is_changed_by_hand_is_put_right_and_reported(stack, what):
    rule, targets = stack.cloud.rules["outage.b"], stack.cloud.targets["outage.b"]
    match what:
        case "rule":
            del stack.cloud.rules["outage.b"], stack.cloud.targets["outage.b"]
        case "target":
            stack.cloud.targets["outage.b"] = {"t3": targets["t3"], "hand": {"Id": "hand", "Arn": "arn:hand"}}
        case "field":
            stack.cloud.targets["outage.b"] = {**targets, "t2": {"Id": "t2", "Arn": "arn:t2"}}
        case _:
            stack.cloud.rules["outage.b"] = {**rule, what: "DISABLED"}
    report = stack.run()
    assert stack.cloud.rules["outage.b"] == rule
    assert stack.cloud.targets["outage.b"] == targets
    assert report.repaired == ("outage/b",)
    assert report.out_of_step == ()
    assert stack.metrics.values["Repaired"] == 1
    assert stack.run().repaired == ()
    assert stack.called(*WRITES) == {}


def test_a_pattern_that_says_the_same_in_other_words_is_left(stack):
    rule = stack.cloud.rules["outage.b"]
    spaced = rule["EventPattern"].replace(":", ": ")
    assert spaced != rule["EventPattern"]
    stack.cloud.rules["outage.b"] = {**rule, "EventPattern": spaced}
    stack.run()
    assert stack.called(*WRITES) == {}


def test_frozen_nothing_is_written(stack):
    stack.put(control_item(FREEZE, at=AT, by="op"))
    stack.declare("outage", {"a": to("t5")})
    report = stack.run()
    assert report.frozen
    assert stack.called(*READS, *WRITES) == {}
    assert stack.targets("outage.a") == ["t1"]


def test_released_our_rules_go_and_stay_away(stack):
    stack.cloud.rules["theirs"] = {"Name": "theirs", "State": "ENABLED"}
    stack.put(control_item(RELEASE, at=AT, by="op"))
    stack.run()
    assert list(stack.cloud.rules) == ["theirs"]
    stack.run()
    assert stack.called(*WRITES) == {}
    stack.dynamo.delete_item(Key=to_attributes({"PK": "control", "SK": RELEASE}))
    stack.run()
    assert sorted(stack.cloud.rules) == ["outage.a", "outage.b", "theirs"]


def test_an_event_that_is_gone_takes_its_rules_and_its_notes_along(stack):
    stack.dynamo.delete_item(Key=to_attributes({"PK": "events", "SK": "outage"}))
    report = stack.run()
    assert stack.cloud.rules == {}
    assert report.routes == {}
    assert ("sync", "event#outage") not in stack.cloud.items


def test_an_undecided_conflict_is_live_and_noted(stack):
    stack.edit("outage", a=RouteEdit(to("t5"), config_hash(to("t7")), 1, AT, "alice"))
    report = stack.run()
    assert stack.targets("outage.a") == ["t5"]
    assert report.conflicts == ("outage/a",)
    assert report.out_of_step == ()
    assert '"outcome":"conflict"' in stack.cloud.items["sync", "event#outage"]["Routes"]["S"]


def test_the_edits_of_an_event_that_is_gone_are_noted(stack):
    stack.edit("gone", x=RouteEdit(to("t5"), "", 1, AT, "alice"))
    assert stack.run().conflicts == ("gone/x",)


@pytest.mark.parametrize("code", ["ConcurrentModificationException", "ThrottlingException", "InternalException"])
def test_what_may_pass_is_tried_again(stack, code):
    failures = [error(code, "later", "PutTargets")] * (ATTEMPTS - 1)
    stack.events.put_targets = fails(stack.events.put_targets, *failures)
    stack.declare("outage", {"a": to("t5"), "b": to("t2", "t3", pattern={"type": ["Info"]})})
    before = stack.clock.time
    assert stack.run().out_of_step == ()
    assert stack.clock.time - before == pytest.approx(0.5 * (0.2 + 0.4 + 0.8 + 1.6 + 3.2))


def test_what_cannot_pass_stops_one_route_and_no_other(stack):
    stack.events.put_rule = fails(stack.events.put_rule, error("LimitExceededException", "300 rules", "PutRule"))
    stack.declare("outage", {"0": to("t1"), "a": to("t5"), "b": to("t2", "t3", pattern={"type": ["Info"]})})
    report = stack.run()
    assert report.out_of_step == ("outage/0",)
    assert report.routes["outage/0"]["state"] == FAILED
    assert "300 rules" in report.routes["outage/0"]["error"]
    assert stack.targets("outage.a") == ["t5"]
    assert stack.metrics.values["RoutesOutOfStep"] == 1
    assert stack.run().out_of_step == ()


def test_a_target_that_is_refused_leaves_the_whole_rule_as_it_was(stack):
    refused = {
        "FailedEntryCount": 1,
        "FailedEntries": [{"TargetId": "t5", "ErrorCode": "ValidationError", "ErrorMessage": "no"}],
    }
    stack.events.put_targets = lambda **_: refused
    rule = stack.cloud.rules["outage.b"]
    stack.declare("outage", {"a": to("t1"), "b": to("t5")})
    report = stack.run()
    assert "t5" in report.routes["outage/b"]["error"]
    assert stack.cloud.rules["outage.b"] == rule
    assert stack.targets("outage.b") == ["t2", "t3"]


def test_when_time_is_up_what_was_not_reached_keeps_its_notes_and_the_next_run_goes_on(stack):
    stack.declare("outage", {"a": to("t5"), "b": to("t6")})
    before = stack.cloud.items["sync", "event#outage"]
    stack.clock.step = 1.0
    report = stack.run(deadline=stack.clock.time + 4)
    assert not report.settled
    assert report.routes["outage/b"]["state"] == IN_STEP
    assert before["Revision"] == stack.cloud.items["sync", "event#outage"]["Revision"]
    stack.clock.step = 0.0
    assert stack.run().settled
    assert stack.targets("outage.b") == ["t6"]


def test_a_change_during_a_pass_is_followed_in_the_same_run(stack):
    real = stack.events.list_rules
    changes = [to("t6"), to("t7")]

    def list_rules(**request: Any) -> Any:
        if changes:
            stack.declare("outage", {"a": changes.pop(0)})
        return real(**request)

    stack.events.list_rules = list_rules
    assert stack.run().settled
    assert stack.targets("outage.a") == ["t7"]


def test_no_rule_goes_that_a_deploy_has_declared_anew_during_the_pass(stack):
    declared = stack.cloud.items["events", "outage"]
    stack.dynamo.delete_item(Key=to_attributes({"PK": "events", "SK": "outage"}))
    real = stack.events.list_rules

    def list_rules(**request: Any) -> Any:
        stack.cloud.items["events", "outage"] = declared  # and the engine is about to put targets on these rules
        return real(**request)

    stack.events.list_rules = list_rules
    assert stack.run().settled
    assert stack.called("delete_rule", "remove_targets") == {}
    assert sorted(stack.cloud.rules) == ["outage.a", "outage.b"]


def test_a_run_is_not_over_while_rules_are_left_that_must_go(stack, monkeypatch):
    key = to_attributes({"PK": "events", "SK": "outage"})
    declared = stack.cloud.items["events", "outage"]
    looks = iter(range(10))
    real = DynamoStore.snapshot

    def snapshot(store: DynamoStore) -> Any:
        # Gone at first, there as the pass is about to take its rules away, and gone for good when it is over.
        if next(looks) == 1:
            stack.cloud.items["events", "outage"] = declared
        else:
            stack.dynamo.delete_item(Key=key)
        return real(store)

    monkeypatch.setattr(DynamoStore, "snapshot", snapshot)
    assert stack.run().settled
    assert stack.cloud.rules == {}


def test_rules_that_start_come_first_and_rules_that_stop_come_last(stack):
    stack.declare("outage", {"a": to("t5"), "c": to("t1"), "d": to("t1", enabled=False)})
    order: list[tuple[str, str]] = []
    for name in ("put_targets", "delete_rule"):
        real = getattr(stack.events, name)

        def call(name: str = name, real: Any = real, **request: Any) -> Any:
            order.append((name, request.get("Rule") or request["Name"]))
            return real(**request)

        setattr(stack.events, name, call)
    stack.run()
    assert order == [
        ("put_targets", "outage.c"),
        ("put_targets", "outage.a"),
        ("put_targets", "outage.d"),
        ("delete_rule", "outage.b"),
    ]


def test_an_edit_is_live_before_other_rules_are_looked_at():
    routes = {name: to("t1") for name in "abcdefgh"}
    stack = Stack({"outage": routes})
    stack.run()
    stack.edit("outage", h=RouteEdit(to("t2"), config_hash(routes["h"]), 1, AT, "alice"))
    stack.run()
    calls = [call for call in stack.cloud.calls if call in (*READS, *WRITES[:4])]
    assert calls[:4] == ["list_rules", "list_targets_by_rule", "put_targets", "remove_targets"]


@pytest.mark.parametrize("live", range(6))
@pytest.mark.parametrize("wanted", range(1, 6))
@pytest.mark.parametrize("shared", range(6))
def test_a_rule_never_has_six_targets_nor_none_on_the_way(live, wanted, shared):
    if shared > min(live, wanted):
        return
    old = [f"t{n}" for n in range(live)]
    new = [f"t{n}" for n in range(live - shared, live - shared + wanted)]
    stack = Stack({"outage": {"a": to(*old or ["t0"])}})
    stack.run()
    if not old:
        stack.cloud.targets["outage.a"] = {}
    stack.declare("outage", {"a": to(*new)})
    seen = []
    for name in ("put_targets", "remove_targets"):
        real = getattr(stack.events, name)

        def call(real: Any = real, **request: Any) -> Any:
            try:
                return real(**request)
            finally:
                seen.append(set(stack.targets("outage.a")))

        setattr(stack.events, name, call)
    stack.run()
    assert stack.targets("outage.a") == sorted(new)
    for now in seen:
        assert min(len(old), 4) <= len(now) <= 5 or now >= set(new)
        if len(set(old) | set(new)) <= 5:
            assert now >= set(old) or now >= set(new)


def test_no_target_goes_early_because_an_old_list_shows_one_that_is_gone():
    """Seed 2000904 of the simulation: five in the list, four on the rule, and room for the fifth."""
    stack = Stack({"outage": {"a": to("t1", "t2", "t3", "t4")}})
    stack.run()
    stack.declare("outage", {"a": to("t5", "t4")})
    listed = [*stack.cloud.targets["outage.a"].values(), {"Id": "t0", "Arn": "arn:t0"}]
    stack.events.list_targets_by_rule = lambda **_: {"Targets": listed}  # type: ignore[method-assign]
    seen = []
    remove = stack.events.remove_targets
    stack.events.remove_targets = lambda **r: (seen.append(stack.targets("outage.a")), remove(**r))[1]  # type: ignore[method-assign]
    stack.run()
    assert seen[0] == ["t1", "t2", "t3", "t4", "t5"]
    assert stack.targets("outage.a") == ["t4", "t5"]


def test_old_targets_go_early_where_the_rule_is_full_and_never_the_last():
    stack = Stack({"outage": {"a": to("t1", "t2", "t3", "t4", "t5")}})
    stack.run()
    stack.declare("outage", {"a": to("t6", "t7")})
    stack.run()
    assert stack.targets("outage.a") == ["t6", "t7"]
    # All at once and, as the rule is full, one by one: the first in the place of an old one.
    assert stack.called(*WRITES[:4]) == {"put_targets": 5, "remove_targets": 3}


def test_a_list_that_shows_targets_which_are_gone_makes_no_rule_empty():
    """Seed 16 of the simulation: of five in the list one is on the rule, and the others are taken away for room."""
    stack = Stack({"outage": {"a": to("t1", "t2")}})
    stack.run()
    stack.declare("outage", {"a": to("t3", "t4", "t5", "t6", "t7")})
    listed = [*stack.cloud.targets["outage.a"].values(), {"Id": "a0", "Arn": "arn:a0"}, {"Id": "z0", "Arn": "arn:z0"}]
    stack.events.list_targets_by_rule = lambda **_: {"Targets": listed}  # type: ignore[method-assign]
    remove, seen = stack.events.remove_targets, []
    stack.events.remove_targets = lambda **r: (remove(**r), seen.append(stack.targets("outage.a")))[0]  # type: ignore[method-assign]
    stack.run()
    assert min(map(len, seen)) >= 4
    assert stack.targets("outage.a") == ["t3", "t4", "t5", "t6", "t7"]


# -- adapters


def test_a_table_that_is_not_there_is_an_empty_store_for_a_deploy_and_an_error_for_the_reconciler():
    class NoTable:
        def query(self, **_: Any) -> Any:
            raise error("ResourceNotFoundException", "no table", "Query")

    assert read_store(NoTable(), "dev-store") == StoreSnapshot()
    with pytest.raises(TableMissingError, match="dev-store"):
        DynamoStore(NoTable(), "dev-store").snapshot()


def test_a_store_that_may_not_be_read_is_not_empty():
    class NoPermission:
        def query(self, **_: Any) -> Any:
            raise error("AccessDeniedException", "not authorized", "Query")

    with pytest.raises(StoreError, match="dynamodb:Query"):
        read_store(NoPermission(), "dev-store")


@pytest.mark.parametrize("page", [1, 2, 100])
def test_every_page_of_the_store_is_read(page):
    stack = Stack({f"e{n}": {"a": to("t1")} for n in range(5)}, page=page)
    assert sorted(read_store(stack.dynamo, "dev-store").events) == [f"e{n}" for n in range(5)]
    assert len(read_store(stack.dynamo, "dev-store").targets) == 13


@pytest.mark.parametrize(
    ("failure", "retryable"),
    [
        (error("ThrottlingException", "", "PutRule"), True),
        (error("SomethingNew", "", "PutRule", 503), True),
        (error("ValidationException", "", "PutRule"), False),
        (error("AccessDeniedException", "", "PutRule"), False),
        (ReadTimeoutError(endpoint_url="x"), True),
        (ParamValidationError(report="x"), False),
    ],
)
def test_which_errors_may_pass(failure, retryable):
    class Client:
        def put_rule(self, **_: Any) -> Any:
            raise failure

    with pytest.raises(RulesError) as raised:
        EventBridgeRules(Client(), "dev").put_rule("r", pattern="{}", state="ENABLED", description="")
    assert raised.value.retryable == retryable


def test_text_that_is_not_ascii_reaches_the_rule_as_it_is():
    stack = Stack({})
    pattern = {"type": ["ä" * 1000]}
    stack.declare("outage", {"a": to("t1", pattern=pattern)})
    stack.run()
    assert canonical(pattern) in stack.cloud.rules["outage.a"]["EventPattern"]
