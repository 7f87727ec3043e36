"""State machines on the emulator do what they do on AWS where flows, the Router and the reconciler lean on it."""

import json
import time
from typing import Any

import pytest
from botocore.exceptions import ClientError

from sandbox.emulator import ACCOUNT, REGION
from sandbox.received import read
from signalbox.flows import silent_ends
from signalbox.model import Statement
from tests.flows.flow_stack import STACK, Stack

TABLE = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{STACK}-state"
BUS = f"arn:aws:events:{REGION}:{ACCOUNT}:event-bus/{STACK}"
QUEUE = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-undelivered"
FUNCTION = f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{STACK}-nothing"
KEY = {"PK": {"S": "flow#mine"}, "SK": {"S": "run#1"}}
ENTRY = {"EventBusName": STACK, "Source": "flows", "DetailType": "told", "Detail": '{"n": 1}'}
PASS = {"p": {"Type": "Pass", "End": True}}


def task(resource: str, **arguments: Any) -> dict[str, Any]:
    return {"t": {"Type": "Task", "Resource": f"arn:aws:states:::{resource}", "Arguments": arguments, "End": True}}


def keys(*allowed: str) -> dict[str, Any]:
    return {"ForAllValues:StringLike": {"dynamodb:LeadingKeys": [*allowed]}}


TASKS = {
    "function": (task("lambda:invoke", FunctionName=FUNCTION), "Lambda.AWSLambdaException"),
    "item": (task("dynamodb:putItem", TableName=f"{STACK}-state", Item=KEY), "DynamoDB.AmazonDynamoDBException"),
    "event": (task("events:putEvents", Entries=[ENTRY]), "EventBridge.AmazonEventBridgeException"),
    "message": (
        task("sqs:sendMessage", QueueUrl="{% $states.input.url %}", MessageBody="{}"),
        "SQS.AmazonSQSException",
    ),
}
ALLOWED = {
    "function": Statement(("lambda:InvokeFunction",), (FUNCTION,)),
    "item": Statement(("dynamodb:PutItem",), (TABLE,), keys("flow#mine", "flow#mine#*")),
    "event": Statement(
        ("events:PutEvents",),
        (BUS,),
        {"ForAllValues:StringEquals": {"events:source": "flows", "events:detail-type": "told"}},
    ),
    "message": Statement(("sqs:SendMessage",), (QUEUE,)),
}
OTHER = {
    "function": Statement(("lambda:InvokeFunction",), (FUNCTION.replace("nothing", "double"),)),
    "item": Statement(("dynamodb:PutItem",), (TABLE,), keys("flow#other")),
    "event": Statement(("events:PutEvents",), (BUS,), {"ForAllValues:StringEquals": {"events:source": "others"}}),
    "message": Statement(("sqs:ReceiveMessage",), (QUEUE,)),
}


def ended(stack: Stack, machine: str, given: Any = None) -> dict[str, Any]:
    """The execution of `machine` with this input, once it has ended."""
    execution = stack.start(machine, {} if given is None else given)
    stack.end(execution)
    return stack.states.describe_execution(executionArn=execution)


@pytest.mark.parametrize("kind", TASKS)
def test_a_task_is_done_with_the_role_of_the_state_machine(stack: Stack, kind: str) -> None:
    states, error = TASKS[kind]
    given = {"url": stack.undelivered_url}
    for allowed in ([], [OTHER[kind]]):
        since = time.time()
        run = ended(stack, stack.machine(states, *allowed), given)
        action = ALLOWED[kind].actions[0]
        assert (run["status"], run["error"]) == ("FAILED", error)
        assert f"is not authorized to perform: {action} on resource: arn:aws:" in run["cause"]
        (told,) = read(stack.emulator, since).of("denied")
        assert (told["action"], told["resource"]) == (action, ALLOWED[kind].resources[0])
    assert stack.received(stack.undelivered_url) == []
    assert stack.told() == []
    assert ended(stack, stack.machine(states, ALLOWED[kind]), given)["status"] == "SUCCEEDED"


@pytest.mark.parametrize("condition", ["events:source", "events:detail-type"])
def test_what_may_be_emitted_is_a_matter_of_source_and_detail_type(stack: Stack, condition: str) -> None:
    values = {"events:source": "flows", "events:detail-type": "told", condition: "other"}
    machine = stack.machine(
        TASKS["event"][0], Statement(("events:PutEvents",), (BUS,), {"ForAllValues:StringEquals": values})
    )
    assert ended(stack, machine)["error"] == "EventBridge.AmazonEventBridgeException"
    assert stack.told() == []


def test_a_role_that_step_functions_may_not_assume_is_refused(stack: Stack) -> None:
    role = stack.role("for-functions", [], {"Service": "lambda.amazonaws.com"})
    definition = json.dumps({"StartAt": "p", "States": PASS})
    with pytest.raises(ClientError, match=r"AccessDeniedException.*is authorized to assume the provided role"):
        stack.states.create_state_machine(name="no-trust", definition=definition, roleArn=role)


def test_a_machine_that_logs_needs_a_role_that_may(stack: Stack) -> None:
    group = f"arn:aws:logs:{REGION}:{ACCOUNT}:log-group:/aws/vendedlogs/states/test:*"
    stack.emulator.client("logs").create_log_group(logGroupName="/aws/vendedlogs/states/test")
    logging = {"level": "ERROR", "destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": group}}]}
    states = {"f": {"Type": "Fail", "Error": "Boom", "Cause": "on purpose"}}
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "f", "States": states})
    make = {"name": "logs", "definition": definition, "loggingConfiguration": logging}
    with pytest.raises(ClientError, match="not authorized to access the Log Destination"):
        stack.states.create_state_machine(roleArn=stack.role("no-logs", []), **make)
    may = [
        *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
        *(
            "logs:ListLogDeliveries",
            "logs:PutResourcePolicy",
            "logs:DescribeResourcePolicies",
            "logs:DescribeLogGroups",
        ),
    ]
    role = stack.role("logs", [Statement((*may,), ("*",))])
    machine = stack.states.create_state_machine(roleArn=role, **make)["stateMachineArn"]
    ended(stack, machine)
    events = stack.emulator.client("logs").filter_log_events(logGroupName="/aws/vendedlogs/states/test")["events"]
    (line,) = [json.loads(each["message"]) for each in events]
    assert (line["type"], line["details"]) == ("ExecutionFailed", {"error": "Boom", "cause": "on purpose"})


class Caller:
    """Somebody with a role that may make everything, and pass what a statement says."""

    ALL = (
        *("events:*", "states:*", "scheduler:*", "pipes:*", "sqs:*"),
        *("lambda:CreateFunction", "lambda:UpdateFunctionConfiguration", "lambda:GetFunction"),
    )

    def __init__(self, stack: Stack, name: str, *allowed: Statement) -> None:
        trust = {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}
        role = stack.role(name, [Statement(self.ALL, ("*",)), *allowed], trust)
        keys = stack.emulator.client("sts").assume_role(RoleArn=role, RoleSessionName="test")["Credentials"]
        self._keys = {
            "aws_access_key_id": keys["AccessKeyId"],
            "aws_secret_access_key": keys["SecretAccessKey"],
            "aws_session_token": keys["SessionToken"],
        }
        self._emulator = stack.emulator

    def client(self, service: str) -> Any:
        return self._emulator.client(service, **self._keys)


def pass_to_events(caller: Caller, name: str, role: str) -> None:
    caller.client("events").put_rule(Name=name, EventBusName=STACK, EventPattern='{"source": ["nobody"]}')
    caller.client("events").put_targets(
        Rule=name, EventBusName=STACK, Targets=[{"Id": "q", "Arn": QUEUE, "RoleArn": role}]
    )


def pass_to_states(caller: Caller, name: str, role: str) -> None:
    definition = json.dumps({"StartAt": "p", "States": PASS})
    states = caller.client("stepfunctions")
    machine = states.create_state_machine(name=name, definition=definition, roleArn=role)["stateMachineArn"]
    states.update_state_machine(stateMachineArn=machine, roleArn=role)


def pass_to_lambda(caller: Caller, name: str, role: str) -> None:
    code = {"ZipFile": b"PK\x05\x06" + b"\0" * 18}
    caller.client("lambda").create_function(
        FunctionName=name, Runtime="python3.13", Handler="a.b", Role=role, Code=code
    )


def pass_to_scheduler(caller: Caller, name: str, role: str) -> None:
    caller.client("scheduler").create_schedule(
        Name=name,
        ScheduleExpression="rate(1 day)",
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={"Arn": QUEUE, "RoleArn": role},
    )


@pytest.mark.parametrize(
    ("service", "make"),
    [
        ("events", pass_to_events),
        ("states", pass_to_states),
        ("lambda", pass_to_lambda),
        ("scheduler", pass_to_scheduler),
    ],
)
def test_who_names_a_role_must_be_allowed_to_pass_it_to_that_service(stack: Stack, service: str, make: Any) -> None:
    services = {"Service": ["events", "states", "lambda", "scheduler"]}
    services = {"Service": [f"{each}.amazonaws.com" for each in services["Service"]]}
    role = stack.role(f"passed-{service}", [], services)

    def may_pass(to: str, what: str = role) -> Statement:
        return Statement(("iam:PassRole",), (what,), {"StringEquals": {"iam:PassedToService": f"{to}.amazonaws.com"}})

    for number, allowed in enumerate([[], [may_pass("ec2")], [may_pass(service, f"{role}-other")]]):
        name = f"{service}-refused-{number}"
        with pytest.raises(ClientError, match=f"AccessDenied.*perform: iam:PassRole on resource: {role} because"):
            make(Caller(stack, name, *allowed), name, role)
    make(Caller(stack, f"{service}-allowed", may_pass(service)), f"{service}-allowed", role)


def test_a_new_role_is_passed_by_who_changes_a_state_machine(stack: Stack) -> None:
    machine = stack.machine(PASS)
    other = stack.role("other-role", [])
    caller = Caller(stack, "changes").client("stepfunctions")
    with pytest.raises(ClientError, match="iam:PassRole"):
        caller.update_state_machine(stateMachineArn=machine, roleArn=other)
    assert stack.states.describe_state_machine(stateMachineArn=machine)["roleArn"] != other
    caller.update_state_machine(stateMachineArn=machine, tracingConfiguration={"enabled": True})


def test_a_name_starts_one_execution(stack: Stack) -> None:
    machine = stack.machine({"w": {"Type": "Wait", "Seconds": 2, "End": True}})

    def start(given: str) -> Any:
        return stack.states.start_execution(stateMachineArn=machine, name="once", input=given)

    first, again = start('{"n": 1}'), start('{"n": 1}')
    assert (first["executionArn"], first["startDate"]) == (again["executionArn"], again["startDate"])
    with pytest.raises(stack.states.exceptions.ExecutionAlreadyExists):
        start('{"n": 2}')
    stack.end(first["executionArn"])
    with pytest.raises(stack.states.exceptions.ExecutionAlreadyExists):
        start('{"n": 1}')
    assert len(stack.states.list_executions(stateMachineArn=machine)["executions"]) == 1


def test_an_express_execution_is_started_as_often_as_asked(stack: Stack) -> None:
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "p", "States": PASS})
    machine = stack.states.create_state_machine(
        name="express", type="EXPRESS", definition=definition, roleArn=stack.role("express", [])
    )["stateMachineArn"]
    started = [stack.states.start_execution(stateMachineArn=machine, name="once")["executionArn"] for _ in range(2)]
    assert len(set(started)) == 2
    with pytest.raises(stack.states.exceptions.InvalidArn):
        stack.states.describe_execution(executionArn=started[0])


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({"input": json.dumps("x" * 262_143)}, "ValidationException.*less than or equal to 262144"),
        ({"input": "{"}, "InvalidExecutionInput"),
        ({"name": "a b"}, "InvalidName"),
        ({"name": "x" * 81}, "ValidationException"),
    ],
)
def test_what_cannot_be_started_is_refused(stack: Stack, arguments: dict[str, str], error: str) -> None:
    with pytest.raises(ClientError, match=error):
        stack.states.start_execution(stateMachineArn=stack.machine(PASS), **arguments)


def test_the_greatest_input_and_name_start(stack: Stack) -> None:
    given = json.dumps("x" * 262_142)
    started = stack.states.start_execution(stateMachineArn=stack.machine(PASS), name="x" * 80, input=given)
    assert stack.end(started["executionArn"])[0] == "SUCCEEDED"


def test_creating_again_is_the_same_machine_or_refused(stack: Stack) -> None:
    make = {"name": "again", "definition": json.dumps({"StartAt": "p", "States": PASS})}
    first = stack.states.create_state_machine(roleArn=stack.role("again-1", []), **make)
    again = stack.states.create_state_machine(roleArn=stack.role("again-2", []), **make)
    assert again["creationDate"] == first["creationDate"]
    found = stack.states.describe_state_machine(stateMachineArn=first["stateMachineArn"])
    assert found["roleArn"].endswith("again-1")
    different = [
        {**make, "definition": json.dumps({"StartAt": "q", "States": {"q": PASS["p"]}})},
        {**make, "type": "EXPRESS"},
        {**make, "tracingConfiguration": {"enabled": True}},
    ]
    for each in different:
        with pytest.raises(stack.states.exceptions.StateMachineAlreadyExists):
            stack.states.create_state_machine(roleArn=found["roleArn"], **each)


def test_deleting_ends_what_runs_and_is_harmless_again(stack: Stack) -> None:
    call = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke", "Next": "p"}
    states = {"t": {**call, "Arguments": {"FunctionName": FUNCTION.replace("nothing", "slow")}}, **PASS}
    may = Statement(("lambda:InvokeFunction",), (FUNCTION.replace("nothing", "slow"),))
    machine = stack.machine(states, may)
    execution = stack.start(machine, {})
    time.sleep(0.3)
    stack.states.delete_state_machine(stateMachineArn=machine)
    stack.states.delete_state_machine(stateMachineArn=machine)
    with pytest.raises(ClientError, match=r"StateMachineDeleting|StateMachineDoesNotExist"):
        stack.start(machine, {})
    assert stack.end(execution)[0] == "ABORTED"
    until = time.monotonic() + 10
    with pytest.raises(stack.states.exceptions.StateMachineDoesNotExist):
        while time.monotonic() < until:
            assert stack.states.describe_state_machine(stateMachineArn=machine)["status"] == "DELETING"
    assert stack.states.describe_execution(executionArn=execution)["status"] == "ABORTED"


def test_deleting_waits_for_no_wait(stack: Stack) -> None:
    machine = stack.machine({"w": {"Type": "Wait", "Seconds": 3600, "End": True}})
    stack.start(machine, {})
    stack.states.delete_state_machine(stateMachineArn=machine)
    time.sleep(2)
    with pytest.raises(stack.states.exceptions.StateMachineDoesNotExist):
        stack.states.describe_state_machine(stateMachineArn=machine)


def test_a_machine_can_be_made_again_and_its_names_stay_taken(stack: Stack) -> None:
    make = {"name": "made-again", "definition": json.dumps({"StartAt": "p", "States": PASS})}
    make["roleArn"] = stack.role("made-again", [])
    machine = stack.states.create_state_machine(**make)["stateMachineArn"]
    execution = stack.states.start_execution(stateMachineArn=machine, name="once")["executionArn"]
    stack.end(execution)
    stack.states.delete_state_machine(stateMachineArn=machine)
    with pytest.raises(stack.states.exceptions.StateMachineDoesNotExist):
        stack.states.describe_state_machine(stateMachineArn=machine)
    stack.states.create_state_machine(**make)
    with pytest.raises(stack.states.exceptions.ExecutionAlreadyExists):
        stack.states.start_execution(stateMachineArn=machine, name="once")


def test_what_runs_goes_on_as_it_was_when_its_machine_is_changed(stack: Stack) -> None:
    emit = {**TASKS["event"][0]["t"], "Output": "old"}
    machine = stack.machine({"w": {"Type": "Wait", "Seconds": 1, "Next": "t"}, "t": emit}, ALLOWED["event"])
    execution = stack.start(machine, {})
    states = {"p": {"Type": "Pass", "Output": "new", "End": True}}
    definition = json.dumps({"QueryLanguage": "JSONata", "StartAt": "p", "States": states})
    may_not = stack.role("may-not", [])
    stack.states.update_state_machine(stateMachineArn=machine, definition=definition, roleArn=may_not)
    assert stack.end(execution) == ("SUCCEEDED", "old")
    assert stack.told(1) == [{"n": 1}]
    assert stack.end(stack.start(machine, {})) == ("SUCCEEDED", "new")


@pytest.mark.parametrize(
    ("states", "problem"),
    [
        ({"a": {"Type": "Pass", "Next": "b"}}, "Missing 'Next' target: b"),
        ({"a": {"Type": "Pass", "End": True}, "b": {"Type": "Pass", "End": True}}, 'State "b" is not reachable'),
        ({"a": {"Type": "Pass"}}, "must have 'Next' or 'End'"),
        ({"a": 5}, "A state needs a Type"),
        ({"a": {"Type": "Parallel", "End": True}}, "The field 'Branches' is required"),
        ({"a": {"Type": "Parallel", "Branches": [{"States": {}}], "End": True}}, "at least one state"),
        ({"a": {"Type": "Pass", "Output": "{% 1 + %}", "End": True}}, "INVALID_JSONATA_EXPRESSION"),
    ],
)
def test_a_definition_that_cannot_run_is_refused(stack: Stack, states: dict[str, Any], problem: str) -> None:
    with pytest.raises(stack.states.exceptions.InvalidDefinition, match=problem):
        stack.machine(states)


def test_ends_in_silence_are_seen_on_the_default_bus(stack: Stack) -> None:
    bus = stack.emulator.client("events")
    pattern = silent_ends(stack.names)
    pattern["detail"]["stateMachineArn"] = [{"prefix": stack.names.machine_arn("").removesuffix(f"{STACK}-") + "m-"}]
    source = f"arn:aws:events:{REGION}:{ACCOUNT}:rule/ends"
    allow = {
        "Effect": "Allow",
        "Principal": {"Service": "events.amazonaws.com"},
        "Action": "sqs:SendMessage",
        "Resource": QUEUE,
        "Condition": {"ArnEquals": {"aws:SourceArn": source}},
    }
    policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
    stack.queues.set_queue_attributes(QueueUrl=stack.undelivered_url, Attributes={"Policy": policy})
    bus.put_rule(Name="ends", EventPattern=json.dumps(pattern))
    bus.put_targets(Rule="ends", Targets=[{"Id": "q", "Arn": QUEUE}])
    wait = {"w": {"Type": "Wait", "Seconds": 60, "End": True}}
    try:
        timed_out = stack.start(stack.machine(wait, TimeoutSeconds=1), {"n": 1})
        aborted = stack.start(stack.machine(wait), {"n": 2})
        stack.states.stop_execution(executionArn=aborted, error="Enough", cause="by hand")
        failed = stack.start(stack.machine({"f": {"Type": "Fail", "Error": "Boom"}}), {"n": 3})
        told = stack.start(stack.machine({"f": {"Type": "Fail", "Error": "Signalbox.FlowFailed"}}), {"n": 4})
        fine = stack.start(stack.machine(PASS), {"n": 5})
        statuses = [stack.end(each)[0] for each in (timed_out, aborted, failed, told, fine)]
        assert statuses == ["TIMED_OUT", "ABORTED", "FAILED", "FAILED", "SUCCEEDED"]
        events = {each["detail"]["status"]: each["detail"] for each in stack.undelivered(3)}
    finally:
        bus.remove_targets(Rule="ends", Ids=["q"])
        bus.delete_rule(Name="ends")
        stack.queues.set_queue_attributes(QueueUrl=stack.undelivered_url, Attributes={"Policy": ""})
    arns = {"TIMED_OUT": timed_out, "ABORTED": aborted, "FAILED": failed}
    assert {status: event["executionArn"] for status, event in events.items()} == arns
    assert json.loads(events["TIMED_OUT"]["input"]) == {"n": 1}
    assert (events["ABORTED"]["error"], events["ABORTED"]["cause"]) == ("Enough", "by hand")


def test_nothing_of_a_run_goes_on_after_its_end(stack: Stack) -> None:
    emit = {**TASKS["event"][0]["t"]}
    inner = {"w": {"Type": "Wait", "Seconds": 2, "Next": "t"}, "t": emit}
    processor = {"StartAt": "w", "States": inner}
    mapped = {"m": {"Type": "Map", "Items": [1, 2], "ItemProcessor": processor, "End": True}}
    states = {"p": {"Type": "Parallel", "Branches": [{"StartAt": "m", "States": mapped}], "End": True}}
    machine = stack.machine(states, ALLOWED["event"])
    execution = stack.start(machine, {})
    time.sleep(0.5)
    stack.states.stop_execution(executionArn=execution)
    events = stack.states.get_execution_history(executionArn=execution)["events"]
    time.sleep(2.5)
    assert stack.states.get_execution_history(executionArn=execution)["events"] == events
    assert events[-1]["type"] == "ExecutionAborted"
    assert stack.told() == []


def test_what_is_stopped_twice_was_stopped_once(stack: Stack) -> None:
    execution = stack.start(stack.machine({"w": {"Type": "Wait", "Seconds": 60, "End": True}}), {})
    first, second = (stack.states.stop_execution(executionArn=execution)["stopDate"] for _ in range(2))
    assert first == second
    events = stack.states.get_execution_history(executionArn=execution)["events"]
    assert [each["type"] for each in events] == ["ExecutionStarted", "WaitStateEntered", "ExecutionAborted"]


def test_an_event_that_the_bus_does_not_take_fails_its_task(stack: Stack) -> None:
    stack.emulator.fail_next("PutEventsEntries", [0], "ThrottlingException")
    run = ended(stack, stack.machine(TASKS["event"][0], ALLOWED["event"]))
    assert run["error"] == "EventBridge.FailedEntry"
    assert json.loads(run["cause"])["Entries"][0]["ErrorCode"] == "ThrottlingException"


def test_an_event_says_which_execution_it_is_from(stack: Stack) -> None:
    machine = stack.machine(TASKS["event"][0], ALLOWED["event"])
    execution = stack.start(machine, {})
    stack.end(execution)
    (event,) = stack.received(stack.out_url, 1)
    assert event["resources"] == [execution, machine]


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("($f := function($n) { 1 + $f($n + 1) }; $f(1))", "Stack overflow error"),
        ("+".join("1" * 101), "Stack overflow error"),
        ("($f := function($s, $n) { $n = 0 ? $s : $f($s & $s, $n - 1) }; $f('x', 40))", "memory limit exceeded"),
        ("$range(1, 1000000000, 1)", "memory limit exceeded"),
        ("$number('x')", "threw an error during evaluation"),
        ("$states.input.missing", "returned nothing (undefined)."),
    ],
)
def test_an_expression_that_loops_or_explodes_ends_and_can_be_caught(stack: Stack, expression: str, why: str) -> None:
    wrong = {"t": {"Type": "Pass", "Output": {"a": [1, f"{{% {expression} %}}"]}, "End": True}}
    parallel = {"Type": "Parallel", "Branches": [{"StartAt": "t", "States": wrong}], "End": True}
    catch = {"ErrorEquals": ["States.ALL"], "Output": "{% $states.errorOutput %}", "Next": "c"}
    caught = {"p": {**parallel, "Catch": [catch]}, "c": {"Type": "Pass", "End": True}}
    execution = stack.start(stack.machine(caught), {})
    status, output = stack.end(execution)
    assert status == "SUCCEEDED"
    assert output["Error"] == "States.QueryEvaluationError"
    start = "An error occurred while executing the state 't' (entered at the event id #4). The JSONata expression"
    assert output["Cause"].startswith(f"{start} '{expression}' specified for the field 'Output/a[1]'")
    assert why in output["Cause"]
    kinds = [each["type"] for each in stack.states.get_execution_history(executionArn=execution)["events"]]
    assert kinds[3:6] == ["PassStateEntered", "EvaluationFailed", "ParallelStateFailed"]


def test_what_loops_ends_and_nobody_waits_for_it(stack: Stack) -> None:
    loops = "($f := function($n) { $f($n + 1) }; $f(1))", "$match($pad('a', 40, 'a') & '!', /^(a+)+$/)"
    looping = [stack.machine({"p": {"Type": "Pass", "Output": f"{{% {loop} %}}", "End": True}}) for loop in loops]
    fine = stack.machine({"p": {"Type": "Pass", "Output": "{% 1 + $states.input.n %}", "End": True}})
    first = stack.start(looping[0], {})
    assert stack.end(stack.start(fine, {"n": 1}), 30) == ("SUCCEEDED", 2)
    second = stack.start(looping[1], {})
    stack.machine({"p": {"Type": "Pass", "Output": "{% 2 + $states.input.n %}", "End": True}})
    assert stack.states.describe_execution(executionArn=second)["status"] == "RUNNING"
    assert stack.end(stack.start(fine, {"n": 2}), 60) == ("SUCCEEDED", 3)
    for each in (first, second):
        assert stack.end(each)[0] == "FAILED"
        found = stack.states.describe_execution(executionArn=each)
        assert found["error"] == "States.QueryEvaluationError"
        assert found["cause"].endswith("Expression evaluation timeout: Check for infinite loop")


@pytest.mark.parametrize("names", [["States.ALL"], ["States.TaskFailed"]])
def test_what_is_too_large_ends_the_run_whatever_is_caught(stack: Stack, names: list[str]) -> None:
    inner = {"t": {"Type": "Pass", "Output": "{% $pad('x', 262143) %}", "End": True}}
    catch = [{"ErrorEquals": names, "Next": "c"}]
    parallel = {"Type": "Parallel", "Branches": [{"StartAt": "t", "States": inner}], "Catch": catch, "End": True}
    run = ended(stack, stack.machine({"p": parallel, "c": {"Type": "Pass", "End": True}}))
    assert (run["status"], run["error"]) == ("FAILED", "States.DataLimitExceeded")
    assert run["cause"].startswith("The state/task 't' returned a result with a size exceeding")


def test_a_history_has_25000_events(stack: Stack) -> None:
    run = ended(stack, stack.machine({"a": {"Type": "Pass", "Next": "b"}, "b": {"Type": "Pass", "Next": "a"}}))
    assert (run["status"], run["error"]) == ("FAILED", "States.Runtime")
    pages = stack.states.get_paginator("get_execution_history").paginate(
        executionArn=run["executionArn"], maxResults=1000, includeExecutionData=False
    )
    assert sum(len(page["events"]) for page in pages) == 25_000


def test_history_has_what_happens_inside_branches_and_items_with_what_led_to_it(stack: Stack) -> None:
    item = {
        "i": {
            "Type": "Pass",
            "Output": "{% $states.input * 2 %}",
            "Assign": {"mine": "{% $states.input %}"},
            "End": True,
        }
    }
    mapped = {"m": {"Type": "Map", "Items": [1, 2], "ItemProcessor": {"StartAt": "i", "States": item}, "End": True}}
    states = {"p": {"Type": "Parallel", "Branches": [{"StartAt": "m", "States": mapped}], "End": True}}
    run = ended(stack, stack.machine(states))
    assert json.loads(run["output"]) == [[2, 4]]
    events = stack.states.get_execution_history(executionArn=run["executionArn"])["events"]
    by_id = {event["id"]: event for event in events}
    entered = [each["stateEnteredEventDetails"]["name"] for each in events if each["type"].endswith("StateEntered")]
    assert entered == ["p", "m", "i", "i"]
    for each in events:
        if each["type"] == "MapIterationStarted":
            assert by_id[each["previousEventId"]]["type"] == "MapStateStarted"
    assert [each["id"] for each in events] == [*range(1, len(events) + 1)]
    (out, _) = [each["stateExitedEventDetails"] for each in events if each["type"] == "PassStateExited"]
    assert out["assignedVariables"]["mine"] in ("1", "2")


def test_what_a_branch_assigns_is_its_own(stack: Stack) -> None:
    inner = {
        "t": {"Type": "Pass", "Assign": {"x": 2}, "Next": "u"},
        "u": {"Type": "Pass", "Output": "{% $x %}", "End": True},
    }
    states = {
        "a": {"Type": "Pass", "Assign": {"x": 1}, "Next": "p"},
        "p": {"Type": "Parallel", "Branches": [{"StartAt": "t", "States": inner}], "Next": "z"},
        "z": {"Type": "Pass", "Output": "{% [$x, $states.input[0]] %}", "End": True},
    }
    assert json.loads(ended(stack, stack.machine(states))["output"]) == [1, 2]


def test_machines_in_jsonpath_run_too(stack: Stack) -> None:
    lambda_ = {"Type": "Task", "Resource": "arn:aws:states:::lambda:invoke"}
    fails = {
        **lambda_,
        "Parameters": {"FunctionName": FUNCTION.replace("nothing", "fails"), "Payload.$": "$"},
        "Retry": [{"ErrorEquals": ["ValueError"], "IntervalSeconds": 1, "MaxAttempts": 1}],
        "Catch": [{"ErrorEquals": ["States.TaskFailed"], "ResultPath": "$.error", "Next": "c"}],
        "Next": "c",
    }
    item = {"i": {"Type": "Pass", "Parameters": {"n.$": "$"}, "End": True}}
    states = {
        "p": {
            "Type": "Parallel",
            "Branches": [
                {
                    "StartAt": "f",
                    "States": {"f": fails, "c": {"Type": "Pass", "OutputPath": "$.error.Error", "End": True}},
                },
                {
                    "StartAt": "m",
                    "States": {
                        "m": {
                            "Type": "Map",
                            "ItemsPath": "$.rows",
                            "Iterator": {"StartAt": "i", "States": item},
                            "End": True,
                        }
                    },
                },
            ],
            "Next": "choice",
        },
        "choice": {
            "Type": "Choice",
            "Choices": [{"Variable": "$[0]", "StringEquals": "ValueError", "Next": "s"}],
            "Default": "bad",
        },
        "s": {"Type": "Succeed"},
        "bad": {"Type": "Pass", "InputPath": "$[0]", "End": True},
    }
    may = Statement(("lambda:InvokeFunction",), (FUNCTION.replace("nothing", "fails"),))
    machine = stack.machine(states, may, QueryLanguage="JSONPath")
    run = ended(stack, machine, {"rows": [1, 2]})
    assert (run["status"], json.loads(run["output"])) == ("SUCCEEDED", ["ValueError", [{"n": 1}, {"n": 2}]])
    refused = ended(stack, stack.machine(states, QueryLanguage="JSONPath"), {"rows": []})
    assert json.loads(refused["output"]) == "Lambda.AWSLambdaException"

    child = stack.machine({"d": {"Type": "Pass", "Output": "{% $states.input.n * 2 %}", "End": True}})
    sync = task("states:startExecution.sync:2", StateMachineArn=child, Input={"n": 21})
    assert ended(stack, stack.machine(sync))["error"] == "StepFunctions.AWSStepFunctionsException"
    allowed = Statement(("states:StartExecution",), (child,))
    assert json.loads(ended(stack, stack.machine(sync, allowed))["output"])["Output"] == 42
