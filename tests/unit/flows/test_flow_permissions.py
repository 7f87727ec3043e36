"""A flow's role may do what its steps need, and nothing else."""

import json

import pytest

from signalbox.flows import EXAMPLE, compile_flow, shared_statements, silent_ends, statements
from signalbox.patterns import matches
from tests.unit.flows.flows_of import EVENTS, EVERY_KIND, flow, states_of

T = {"name": "t", "transform": "$input"}
OWN = ["logs:", "xray:"]


def allowed(made) -> set[str]:
    found = {action for each in statements(made, EXAMPLE, EVENTS) for action in each.actions}
    return {action for action in found if not action.startswith(tuple(OWN))}


def test_a_flow_that_only_transforms_may_only_tell_of_its_failure() -> None:
    assert allowed(flow(T)) == {"sqs:SendMessage"}


def test_functions_are_named_one_by_one() -> None:
    made = flow({"name": "f", "function": "look-up"}, {"name": "g", "function": "look-up"})
    (statement,) = [each for each in statements(made, EXAMPLE, EVENTS) if each.actions == ("lambda:InvokeFunction",)]
    assert statement.resources == (EXAMPLE.function_arn("look-up"),)


def test_events_are_allowed_by_source_and_detail_type() -> None:
    made = flow({"name": "e", "emit": "timed"})
    (statement,) = [each for each in statements(made, EXAMPLE, EVENTS) if each.actions == ("events:PutEvents",)]
    assert statement.resources == (EXAMPLE.bus_arn,)
    assert statement.conditions == {
        "ForAllValues:StringEquals": {"events:source": ["plant"], "events:detail-type": ["timed"]}
    }


@pytest.mark.parametrize(
    ("kinds", "more", "keys"),
    [
        (["count"], {}, ["flow#test", "flow#test#*"]),
        (["emit"], {}, ["flow#test"]),
        (["aggregate", "emit"], {"repeatable": True}, ["flow#test#*"]),
    ],
)
def test_memory_is_allowed_by_the_keys_that_the_flow_uses(kinds: list[str], more: dict, keys: list[str]) -> None:
    steps = [
        {"name": "count", "count": {"key": "1", "threshold": 2, "window": 9}},
        {"name": "emit", "emit": "timed"},
        {"name": "aggregate", "aggregate": {"key": "1", "count": 2, "window": 9}},
    ]
    made = flow(*(step for step in steps if step["name"] in kinds), **more)
    (statement,) = [each for each in statements(made, EXAMPLE, EVENTS) if each.resources == (EXAMPLE.state_arn,)]
    assert statement.conditions == {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys}}


def test_every_call_of_every_task_is_allowed_and_every_permission_used() -> None:
    made = flow(*EVERY_KIND["steps"], **{key: value for key, value in EVERY_KIND.items() if key != "steps"})
    called = {
        state["Resource"].rpartition(":::")[2]
        for state in states_of(compile_flow(made, EXAMPLE, EVENTS)).values()
        if state["Type"] == "Task"
    }
    names = {"lambda:invoke": "lambda:InvokeFunction"}
    assert allowed(made) == {
        names.get(call, call[: call.index(":") + 1] + call[call.index(":") + 1].upper() + call[call.index(":") + 2 :])
        for call in called
    }


def test_flows_made_at_run_time_share_what_the_deploy_registered() -> None:
    shared = shared_statements(EXAMPLE, ["look-up"])
    assert {resource for each in shared for resource in each.resources} == {
        *("*", EXAMPLE.undelivered_arn, EXAMPLE.state_arn, EXAMPLE.bus_arn, EXAMPLE.function_arn("look-up"))
    }
    assert not any("iam:" in action for each in shared for action in each.actions)


def test_a_run_that_ends_in_silence_is_seen_from_outside_and_one_that_told_is_not() -> None:
    def ended(**detail) -> bool:
        event = {
            "source": "aws.states",
            "detail-type": "Step Functions Execution Status Change",
            "detail": {"stateMachineArn": EXAMPLE.machine_arn("park-summary"), **detail},
        }
        return matches(silent_ends(EXAMPLE), json.loads(json.dumps(event)))

    assert ended(status="TIMED_OUT", error=None)
    assert ended(status="ABORTED")
    assert ended(status="FAILED", error="States.Runtime")
    assert not ended(status="FAILED", error="Signalbox.FlowFailed")
    assert not ended(status="SUCCEEDED")
    assert not ended(status="TIMED_OUT", stateMachineArn="arn:aws:states:eu-west-1:000000000000:stateMachine:other")
