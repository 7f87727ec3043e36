"""Flows as the deploy declares them: a machine, a role and an item each, and what they share."""

import json
from collections import Counter

import pulumi_aws as aws

from components.flows import Flows, FlowsArgs
from signalbox.canonical import canonical
from signalbox.flows import Names, compile_flow, definition, flow_of, shared_statements, statements
from signalbox.model import Definitions, Event, Function, Statement
from tests.unit.components.engine import SCOPE, Declared, declare, policy

UNDELIVERED = "https://sqs.example/park-dev-undelivered"
NAMES = Names("park-dev", SCOPE.region, SCOPE.account, UNDELIVERED)
EVENTS = {"told": Event("told", ("park",), ("told",), {"type": "object"})}
FUNCTIONS = {
    "look-up": Function("look-up", target=True),
    "deploy-only": Function("deploy-only", target=True, runtime=False),
    "publisher": Function("publisher"),
}
PLAIN = {"steps": [{"name": "a", "transform": "$input.detail"}]}
TELLS = {
    "description": "Tells",
    "steps": [
        {"name": "a", "function": "look-up"},
        {"name": "b", "count": {"key": '"k"', "threshold": 2, "window": 60}},
        {"name": "c", "emit": "told", "detail": "{}"},
    ],
}


def flows(**documents) -> Declared:
    written = {name.replace("_", "-"): document for name, document in documents.items()}

    def program():
        queue = aws.sqs.Queue("undelivered", name="park-dev-undelivered")
        Flows(
            "flows",
            FlowsArgs(
                SCOPE,
                Definitions(EVENTS, {}, FUNCTIONS, written),
                aws.dynamodb.Table("table", name="park-dev-store"),
                queue,
                aws.sqs.QueuePolicy("undelivered-policy", queue_url=queue.url, policy="{}"),
                log_retention_days=14,
            ),
        )

    return declare(program)


def granted(declared: Declared, name: str) -> list[dict]:
    return [
        {key: value for key, value in each.items() if key != "Effect"}
        for each in policy(declared.the("RolePolicy", name))
        if each["Effect"] == "Allow"
    ]


def as_policy(allowed: list[Statement]) -> list[dict]:
    return [
        {
            "Action": list(each.actions),
            "Resource": list(each.resources),
            **({"Condition": dict(each.conditions)} if each.conditions else {}),
        }
        for each in allowed
    ]


def test_a_flow_is_a_machine_a_role_with_one_policy_and_an_item_and_nothing_else():
    base, one, two = (
        Counter(each.type.rpartition(":")[2] for each in flows(**some).resources)
        for some in ({}, {"a": PLAIN}, {"a": PLAIN, "b": TELLS})
    )
    assert one - base == two - one == Counter(StateMachine=1, Role=1, RolePolicy=1, TableItem=1)


def test_the_machine_is_the_compiled_flow_with_the_queue_that_the_stack_has():
    machine = flows(tells=TELLS).the("StateMachine").inputs
    assert machine["definition"] == definition(compile_flow(flow_of("tells", TELLS), NAMES, EVENTS))
    assert UNDELIVERED in machine["definition"]
    assert machine["name"] == "park-dev-tells"
    assert machine["roleArn"].endswith("Role/park-dev-flow.tells")


def test_a_machine_is_a_standard_one_but_where_repeats_do_no_harm():
    assert flows(a=PLAIN).the("StateMachine").inputs["type"] == "STANDARD"
    assert flows(a={**PLAIN, "repeatable": True}).the("StateMachine").inputs["type"] == "EXPRESS"


def test_a_role_may_do_what_the_flows_steps_need_and_nothing_else():
    declared = flows(plain=PLAIN, tells=TELLS)
    for name, document in (("plain", PLAIN), ("tells", TELLS)):
        needed = as_policy(statements(flow_of(name, document), NAMES, EVENTS))
        assert granted(declared, f"flows-{name}-policy") == needed
    plain = [action for each in granted(declared, "flows-plain-policy") for action in each["Action"]]
    assert [each for each in plain if not each.startswith(("logs:", "xray:"))] == ["sqs:SendMessage"]


def test_only_the_machine_itself_may_take_the_role_of_a_flow():
    declared = flows(a=PLAIN)
    for name, machine in (("flows-a-role", "park-dev-a"), ("flows-role", "park-dev-*")):
        (trust,) = policy(declared.the("Role", name), "assumeRolePolicy")
        assert trust["Principal"] == {"Service": "states.amazonaws.com"}
        assert trust["Condition"] == {
            "ArnLike": {"aws:SourceArn": f"arn:aws:states:eu-central-1:123456789012:stateMachine:{machine}"}
        }


def test_flows_made_at_run_time_may_call_what_run_time_edits_may_name():
    declared = flows(a=PLAIN)
    assert declared.the("Role", "flows-role").inputs["name"] == "park-dev-flows"
    assert granted(declared, "flows-policy") == as_policy(shared_statements(NAMES, ["look-up"]))
    assert "deploy-only" not in declared.the("RolePolicy", "flows-policy").inputs["policy"]


def test_names_of_roles_of_flows_and_functions_cannot_meet():
    # No function can be called `flow.…`, and the definitions' checks refuse one that is called `flows`.
    names = [each.inputs["name"] for each in flows(flows=PLAIN, feed=PLAIN, publisher=PLAIN).of("Role")]
    assert sorted(names) == ["park-dev-flow.feed", "park-dev-flow.flows", "park-dev-flow.publisher", "park-dev-flows"]


def test_machines_log_errors_without_events_into_one_group_and_are_traced():
    declared = flows(a=PLAIN, b=TELLS)
    group = declared.the("LogGroup").inputs
    assert group == {"name": "/aws/vendedlogs/states/park-dev-flows", "retentionInDays": 14}
    for machine in declared.of("StateMachine"):
        logging = machine.inputs["loggingConfiguration"]
        assert logging["logDestination"].endswith("/aws/vendedlogs/states/park-dev-flows:*")
        assert (logging["level"], logging["includeExecutionData"]) == ("ERROR", False)
        assert machine.inputs["tracingConfiguration"] == {"enabled": True}


def test_machines_say_whose_they_are():
    assert flows(a=PLAIN).the("StateMachine").inputs["tags"] == {
        "signalbox:stack": "park-dev",
        "signalbox:flow": "a",
        "signalbox:origin": "definitions",
    }


def test_the_store_has_the_definition_once_its_machine_may_be_started():
    declared = flows(tells=TELLS)
    item = declared.the("TableItem")
    assert json.loads(item.inputs["item"]) == {
        "PK": {"S": "flow"},
        "SK": {"S": "tells"},
        "Data": {"S": canonical(TELLS)},
        "Origin": {"S": "definitions"},
    }
    assert "flows-tells" in item.depends_on
    assert "flows-tells-policy" in declared.the("StateMachine").depends_on


def test_runs_that_end_in_silence_are_kept_by_a_rule_on_the_default_bus():
    declared = flows(a=PLAIN)
    rule, target = declared.the("EventRule"), declared.the("EventTarget").inputs
    assert "eventBusName" not in rule.inputs
    assert rule.inputs["name"] == target["rule"] == "park-dev-flow-ends"
    assert json.loads(rule.inputs["eventPattern"])["detail"]["stateMachineArn"] == [
        {"prefix": "arn:aws:states:eu-central-1:123456789012:stateMachine:park-dev-"}
    ]
    assert target["arn"].endswith("Queue/park-dev-undelivered")
    assert "undelivered-policy" in declared.the("EventTarget").depends_on
