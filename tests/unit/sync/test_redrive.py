"""What messages of `undelivered` say, and what of them is sent again: by the routes as they are now."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.aws.sending import _WAYS
from signalbox.flows import Names
from signalbox.missed import Missed, StaysError, read_message
from signalbox.model import Event, route_from_config
from signalbox.redrive import DIRECT, LiveRoutes
from signalbox.store import (
    ORIGIN_DEFINITIONS,
    RELEASE,
    StoreSnapshot,
    control_item,
    event_item,
    flow_item,
    target_item,
)

HERE = "eu-west-1:123456789012"
NAMES = Names("park", "eu-west-1", "123456789012", "https://sqs.eu-west-1.amazonaws.com/123456789012/park-undelivered")
ROUTER = f"arn:aws:lambda:{HERE}:function:park-router"
METRICS = f"arn:aws:lambda:{HERE}:function:park-metrics"
MAIL = f"arn:aws:sns:{HERE}:park-mail"
EVENT = {
    "version": "0",
    "id": "e-1",
    "source": "rides",
    "detail-type": "stop",
    "account": "123456789012",
    "region": "eu-west-1",
    "time": "2026-11-29T00:00:00Z",
    "resources": [],
    "detail": {"ride": "wheel", "type": "Warning"},
}
SCHEMA = {"type": "object", "required": ["ride"], "properties": {"ride": {"type": "string"}}}


def routes(**configs: Any) -> LiveRoutes:
    """A stack with the event `stop`, whose routes these are (`_` for `-`)."""
    made = {
        name.replace("_", "-"): route_from_config("stop", name.replace("_", "-"), config)
        for name, config in configs.items()
    }
    items = [
        event_item(Event("stop", ("rides",), ("stop",), SCHEMA, made)),
        target_item("router", "router", arn=ROUTER, runtime=False),
        target_item("metrics", "function", arn=METRICS),
        target_item("mail", "topic", arn=MAIL),
        target_item("jobs", "queue", arn=f"arn:aws:sqs:{HERE}:park-jobs.fifo"),
        target_item("rides", "stream", arn=f"arn:aws:kinesis:{HERE}:stream/rides"),
        target_item("hook", "api-destination", arn=f"arn:aws:events:{HERE}:api-destination/hook/1"),
        flow_item("repeats", {"steps": []}, ORIGIN_DEFINITIONS),
    ]
    return LiveRoutes(StoreSnapshot.of(items), NAMES)


TOLD = {"targets": [{"topic": "mail"}, {"function": "metrics"}, {"flow": "repeats"}]}


def dead_letter(route: str = "told", target: str = MAIL, bus: str = "park/") -> tuple[Any, dict[str, str]]:
    rule = f"arn:aws:events:{HERE}:rule/{bus}{route if '.' in route else f'stop.{route}'}"
    return EVENT, {"RULE_ARN": rule, "TARGET_ARN": target, "ERROR_CODE": "NO_PERMISSIONS", "ERROR_MESSAGE": "no"}


def of_lambda(payload: Any, function: str = METRICS) -> Any:
    return {
        "version": "1.0",
        "requestContext": {"functionArn": f"{function}:$LATEST", "condition": "RetriesExhausted"},
        "requestPayload": payload,
        "responsePayload": {"errorType": "ValueError", "errorMessage": "no"},
    }


def of_step_functions(text: Any) -> Any:
    detail = {
        "status": "ABORTED",
        "executionArn": f"arn:aws:states:{HERE}:execution:park-repeats:1",
        "stateMachineArn": NAMES.machine_arn("repeats"),
        "input": text,
    }
    return {"source": "aws.states", "detail-type": "Step Functions Execution Status Change", "detail": detail}


FLOW_FAILED = {"signalbox": 1, "reason": "flow-failed", "targets": [{"flow": "repeats"}], "event": EVENT}
ROUTED = {"event": EVENT, "route": "stop/told", "schema": "old", "targets": [{"function": "metrics"}], "attempt": 20}


@pytest.mark.parametrize(
    ("body", "attributes", "reason", "names"),
    [
        pytest.param(*dead_letter(), "NO_PERMISSIONS", ["topic mail"], id="eventbridge"),
        pytest.param(*dead_letter(target=ROUTER), "NO_PERMISSIONS", ["function metrics", "flow repeats"], id="router"),
        pytest.param({**ROUTED, "signalbox": 1, "reason": "invalid"}, {}, "invalid", ["function metrics"], id="own"),
        pytest.param(ROUTED, {}, "retries-failed", ["function metrics"], id="retry-queue"),
        pytest.param(of_lambda(ROUTED, ROUTER), {}, "ValueError", ["function metrics"], id="router-failed"),
        pytest.param(of_lambda(EVENT), {}, "ValueError", ["function metrics"], id="function-failed"),
        pytest.param(of_step_functions(json.dumps(EVENT)), {}, "ABORTED", ["flow repeats"], id="run-stopped"),
        pytest.param(
            {
                "signalbox": 1,
                "reason": "flow-failed",
                "flow": "repeats",
                "targets": [{"flow": "repeats"}],
                "event": EVENT,
            },
            {},
            "flow-failed",
            ["flow repeats"],
            id="flow-failed",
        ),
    ],
)
def test_of_each_kind_of_message_just_what_missed_the_event_gets_it(body, attributes, reason, names):
    missed = read_message(body, attributes, "park")
    (sending,) = routes(told=TOLD).plan(missed).sendings
    assert (missed.event, missed.reason) == (EVENT, reason)
    assert (sending.route, list(sending.names)) == ("stop/told", names)
    if sending.document is None:
        assert (sending.arn, json.loads(sending.text)) == (MAIL, EVENT)
    else:
        # By the schema that holds now, and not as the message says.
        assert sending.document["schema"] not in ("", "old")
        assert sending.document["event"] == EVENT


UNFED = read_message(*dead_letter("park.feed.0a1b2c3d", bus=""), "park")


def test_what_never_came_from_its_foreign_bus_goes_to_all_that_would_have_it():
    assert UNFED.unfed
    stack = routes(told=TOLD, other={"pattern": {"type": ["Info"]}, "targets": [{"topic": "mail"}]})
    names = [sending.names for sending in stack.plan(UNFED).sendings]
    assert names == [("function metrics", "flow repeats"), ("topic mail",)]


def test_of_such_an_event_what_cannot_be_sent_now_is_left_and_the_rest_is_sent():
    stack = routes(
        first={"targets": [{"api-destination": "hook"}, {"topic": "mail"}]},
        off={"targets": [{"topic": "mail"}], "enabled": False},
        strict={"targets": [{"function": "metrics"}]},
    )
    plan = stack.plan(Missed({**EVENT, "detail": {}}, "", unfed=True, archived=False))
    assert [sending.names for sending in plan.sendings] == [("topic mail",)]
    hook, metrics = plan.left
    assert (hook.names, metrics.names) == (("api-destination hook",), ("function metrics",))
    # As a message of its own it is of this target alone, and no archive has got it.
    with pytest.raises(StaysError, match="only EventBridge") as stays:
        stack.plan(read_message(hook.document(), {"reason": "redrive"}, "park"))
    assert "replay" not in stays.value.fix
    with pytest.raises(StaysError, match="only EventBridge") as stays:
        stack.plan(Missed(EVENT, "", rule="stop.first", arn=f"arn:aws:events:{HERE}:api-destination/hook/1"))
    assert "replay stop/first" in stays.value.fix


def test_of_such_an_event_of_which_nothing_can_be_sent_all_stays():
    stack = routes(first={"targets": [{"api-destination": "hook"}]})
    with pytest.raises(StaysError, match="only EventBridge"):
        stack.plan(UNFED)


def test_what_a_route_has_lost_since_is_left_and_not_forgotten():
    stack = routes(told={"targets": [{"flow": "repeats"}]})
    targets = [{"function": "metrics"}, {"flow": "repeats"}]
    plan = stack.plan(read_message({**ROUTED, "targets": targets}, {}, "park"))
    assert [sending.names for sending in plan.sendings] == [("flow repeats",)]
    (left,) = plan.left
    assert (left.names, str(left.why)) == (
        ("function metrics",),
        "stop/told does not send to function metrics any more",
    )


def test_malformed_items_may_be_of_a_route_that_takes_the_event_so_that_nothing_is_lost_of_it():
    items = [
        event_item(Event("stop", ("rides",), ("stop",), SCHEMA, {"r": route_from_config("stop", "r", TO_FIRST)})),
        {**event_item(Event("halt", ("rides",), None, {}, {})), "RoutingConfig": "{"},
        target_item("first", "topic", arn=MAIL),
    ]
    stack = LiveRoutes(StoreSnapshot.of(items), NAMES)
    with pytest.raises(StaysError, match="items of halt cannot be read"):
        stack.plan(UNFED)
    (sending,) = stack.plan(read_message(*dead_letter("r"), "park")).sendings
    assert sending.names == ("topic first",)


def test_an_event_called_as_a_feed_rule_is_none():
    missed = read_message(*dead_letter("park.feed.r"), "park")
    assert (missed.unfed, missed.rule) == (False, "park.feed.r")


def test_of_two_names_of_one_target_the_route_s_own_counts():
    items = [
        event_item(Event("stop", ("rides",), ("stop",), SCHEMA, {"r": route_from_config("stop", "r", TO_FIRST)})),
        target_item("first", "topic", arn=MAIL),
        target_item("second", "topic", arn=MAIL),
    ]
    (sending,) = LiveRoutes(StoreSnapshot.of(items), NAMES).plan(read_message(*dead_letter("r"), "park")).sendings
    assert sending.names == ("topic first",)


TO_FIRST = {"targets": [{"topic": "first"}]}


def test_where_the_route_is_not_known_the_first_that_can_sends():
    strict = Event("a", ("rides",), ("stop",), {"required": ["number"]}, {"r": route_from_config("a", "r", TO_METRICS)})
    free = Event("b", ("rides",), None, {}, {"r": route_from_config("b", "r", TO_METRICS)})
    items = [event_item(strict), event_item(free), target_item("metrics", "function", arn=METRICS)]
    items.append(target_item("router", "router", arn=ROUTER, runtime=False))
    (sending,) = LiveRoutes(StoreSnapshot.of(items), NAMES).plan(read_message(of_lambda(EVENT), {}, "park")).sendings
    assert sending.route == "b/r"


TO_METRICS = {"targets": [{"function": "metrics"}]}


def test_a_released_stack_has_no_routes_and_says_so():
    items = [
        event_item(Event("stop", ("rides",), ("stop",), SCHEMA, {"r": route_from_config("stop", "r", TO_FIRST)})),
        control_item(RELEASE, at="", by=""),
    ]
    with pytest.raises(StaysError, match="released") as stays:
        LiveRoutes(StoreSnapshot.of(items), NAMES).plan(read_message(*dead_letter("r"), "park"))
    assert "thaw" in stays.value.fix


def test_what_the_router_did_not_come_to_the_end_of_keeps_the_name_of_its_run():
    stack = routes(told=TOLD)
    (begun,) = stack.plan(read_message({**ROUTED, "run": "again"}, {}, "park")).sendings
    (first,) = stack.plan(read_message(ROUTED, {}, "park")).sendings
    (given_up,) = stack.plan(
        read_message({**ROUTED, "signalbox": 1, "reason": "too-large", "run": "again"}, {}, "park")
    ).sendings
    assert begun.document is not None and begun.document["run"] == "again"
    assert first.document is not None and first.document["run"] == ""
    assert given_up.document is not None and given_up.document["run"] == "again"
    (failed,) = stack.plan(read_message(FLOW_FAILED, {}, "park")).sendings
    assert failed.document is not None and "run" not in failed.document, "it did run, and must run anew"
    (called,) = stack.plan(read_message(*dead_letter(target=ROUTER), "park")).sendings
    assert called.document is not None and called.document["run"] == ""


def test_two_sendings_of_one_message_have_names_of_their_own_and_keep_them():
    stack = routes(one={"targets": [{"topic": "mail"}]}, two={"targets": [{"topic": "mail"}]})
    runs = [sending.run("m-1") for sending in stack.plan(UNFED).sendings]
    assert len({*runs, *(sending.run("m-2") for sending in stack.plan(UNFED).sendings)}) == 4
    assert runs == [sending.run("m-1") for sending in stack.plan(UNFED).sendings]


def test_a_target_gets_what_its_route_s_template_makes_and_its_group_or_key():
    paths = {"paths": {"ride": "$.detail.ride"}, "template": '"<ride>, by <aws.events.rule-name>"'}
    stack = routes(
        told={
            "targets": [
                {"topic": "mail", "input": paths},
                {"queue": "jobs", "message-group": "g"},
                {"stream": "rides", "partition-key": "$.detail.ride"},
            ]
        }
    )
    (mail,) = stack.plan(read_message(*dead_letter(), "park")).sendings
    assert mail.text == '"wheel, by stop.told"'
    (jobs,) = stack.plan(Missed(EVENT, "", rule="stop.told", arn=f"arn:aws:sqs:{HERE}:park-jobs.fifo")).sendings
    assert jobs.group == "g"
    (rides,) = stack.plan(Missed(EVENT, "", rule="stop.told", arn=f"arn:aws:kinesis:{HERE}:stream/rides")).sendings
    assert rides.key == "wheel"


@pytest.mark.parametrize(
    ("live", "missed", "said"),
    [
        ({}, read_message(*dead_letter(), "park"), "there is no route stop/told"),
        ({"told": {**TOLD, "enabled": False}}, read_message(*dead_letter(), "park"), "stop/told is disabled"),
        (
            {"told": {**TOLD, "pattern": {"type": ["Info"]}}},
            read_message(*dead_letter(), "park"),
            "stop/told does not take the event any more",
        ),
        (
            {"told": {"targets": [{"function": "metrics"}]}},
            read_message(*dead_letter(), "park"),
            f"stop/told does not send to {MAIL} any more",
        ),
        ({"told": TOLD}, read_message(*dead_letter(target=f"{MAIL}-old"), "park"), "does not send to"),
        (
            {"told": {"targets": [{"function": "metrics"}], "enabled": False}},
            read_message(of_lambda(EVENT), {}, "park"),
            "stop/told is disabled",
        ),
        ({"told": {"targets": [{"topic": "mail"}]}}, read_message(of_lambda(EVENT), {}, "park"), "no route sends"),
        (
            {"told": {"targets": [{"api-destination": "hook"}]}},
            read_message(*dead_letter(target=f"arn:aws:events:{HERE}:api-destination/hook/1"), "park"),
            "only EventBridge sends there",
        ),
        (
            {"told": TOLD},
            read_message(of_lambda({**EVENT, "detail": {"ride": 7}}), {}, "park"),
            "does not fit the schema of stop",
        ),
        (
            {"told": {"targets": [{"stream": "rides", "partition-key": "$.detail.number"}]}},
            read_message(*dead_letter(target=f"arn:aws:kinesis:{HERE}:stream/rides"), "park"),
            "the event has no $.detail.number",
        ),
    ],
)
def test_what_cannot_be_sent_as_things_are_says_why(live, missed, said):
    with pytest.raises(StaysError, match=said.replace("$", r"\$").replace("(", r"\(")):
        routes(**live).plan(missed)


@pytest.mark.parametrize(
    ("body", "attributes", "said"),
    [
        ("hello", {}, "not a message"),
        ({"signalbox": 1, "reason": "malformed", "message": "the Router was given", "input": 1}, {}, "was given"),
        ({"Type": "Notification", "Message": "{}"}, {}, "a message of a topic"),
        ({"requestContext": {"functionArn": "park-rule_sync"}, "DDBStreamBatchInfo": {}}, {}, "changes of a table"),
        ({"signalbox": 1, "reason": "not-published", "event": {"source": "rides"}}, {}, "did not come onto the bus"),
        (of_lambda({"Records": []}, f"arn:aws:lambda:{HERE}:function:park-publisher"), {}, "park-publisher was called"),
        (of_step_functions(None), {}, "too large for the message"),
        ({"signalbox": 1, "flow": "repeats", "targets": [{"flow": "repeats"}], "execution": "arn:x"}, {}, "too large"),
        ({"event": {"id": 1}, "route": "stop/told", "targets": [{"flow": "repeats"}]}, {}, "no event of EventBridge"),
        ({"event": EVENT, "route": "stop/told"}, {}, "does not say what missed"),
        (*dead_letter("park-schedule.metrics", bus=""), "is no route's"),
        (*dead_letter("stop.told", bus="other/"), "is no route's"),
    ],
)
def test_a_message_without_an_event_of_a_route_says_what_to_do(body, attributes, said):
    with pytest.raises(StaysError, match=said):
        read_message(body, attributes, "park")


RULE = f"arn:aws:events:{HERE}:rule/park/stop.told"
texts = st.sampled_from(["", "stop/told", "aws.states", "Notification", ROUTER, METRICS, MAIL, RULE])
keys = st.sampled_from(
    [
        "event",
        "route",
        "targets",
        "signalbox",
        "requestContext",
        "requestPayload",
        "responsePayload",
        "functionArn",
        "flow",
        "execution",
        "detail",
        "input",
        "executionArn",
        "stateMachineArn",
        "source",
        "Type",
        "id",
        "detail-type",
    ]
)
bodies = st.recursive(
    st.none() | st.booleans() | st.integers() | texts | st.just(EVENT),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(keys, inner, max_size=5),
    max_leaves=12,
)


@given(bodies, st.dictionaries(st.sampled_from(["RULE_ARN", "TARGET_ARN", "ERROR_CODE"]), texts))
def test_whatever_lies_there_is_sent_by_a_route_or_stays(body, attributes):
    live = _LIVE
    try:
        plan = live.plan(read_message(body, attributes, "park"))
    except StaysError as why:
        assert str(why)
    else:
        assert plan.sendings
        assert {each.route for each in (*plan.sendings, *plan.left)} == {"stop/told"}


_LIVE = routes(told=TOLD)


def test_all_that_is_asked_for_can_be_sent():
    assert set(_WAYS) == {*DIRECT, "events"}
