# pyright: reportMissingImports=false
"""What a task of a state machine calls, with the state machine's role: allowed or refused as AWS does, in its words.

The names of errors are those that other emulators and published workflows know AWS by; for EventBridge the name follows
the others' pattern. Sources: https://docs.aws.amazon.com/step-functions/latest/dg/integrate-optimized.html and the page
of each service there, such as …/dg/connect-eventbridge.html.
"""

import json
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc, sns, sqs, stepfunctions

from sandbox.hooks import conditions
from sandbox.hooks.functions import denied
from sandbox.hooks.permissions import role_may, service_may_assume, session_of
from sandbox.hooks.runs import current

STATES = "states.amazonaws.com"
PREFIX = "states:::"

StateError = stepfunctions._ExecutionError
Arguments = Mapping[str, Any]
_invoke = stepfunctions._invoke_resource
_put_events = stepfunctions._SERVICE_DISPATCH["arn:aws:states:::events:putEvents"]
_call_lambda = stepfunctions._call_lambda
# Errors of Lambda itself; all others are the function's own.
_LAMBDAS = frozenset(("TooManyRequestsException", "AccessDeniedException", "ServiceException"))


@dataclass(frozen=True, slots=True)
class Integration:
    """How a service refuses: `error` is the task's, the rest stands in its cause."""

    action: str
    error: str
    service: str
    status: int
    code: str
    resources: Callable[[Arguments], list[tuple[str, Any]]]
    """ARNs that the call is on, each with its resource's own policy."""


def install() -> None:
    """Put the check before every call of a task."""
    stepfunctions._invoke_resource = invoke
    stepfunctions._call_lambda = call_lambda
    stepfunctions._SERVICE_DISPATCH["arn:aws:states:::events:putEvents"] = put_events


def resource_type(resource: str) -> dict[str, str]:
    """`resource` and `resourceType` as the history of an execution has them."""
    _, found, call = resource.partition(PREFIX)
    if not found:
        return {"resourceType": resource.split(":")[2], "resource": resource}
    service, _, action = call.rpartition(":")
    return {"resourceType": service, "resource": action}


def invoke(resource: str, arguments: Any) -> Any:
    """Call what a task names, if the state machine's role may. Raises StateError."""
    require(resource, arguments)
    return _invoke(resource, arguments)


def require(resource: str, arguments: Any) -> None:
    """Raises StateError where the state machine's role may not do what a task asks for."""
    run = current.get()
    machine = f"state machine {run.machine['name']}"
    if not service_may_assume(run.role, STATES, run.record["stateMachineArn"]):
        denied(machine, run.role, "sts:AssumeRole", run.role)
        raise StateError("States.TaskFailed", f"The role {run.role} cannot be assumed by {STATES}, or it is not there.")
    integration = _INTEGRATIONS.get(resource.partition(PREFIX)[2].partition(".")[0])
    arguments_ = arguments if isinstance(arguments, dict) else {}
    if integration is not None:
        keys = conditions.keys_of(integration.action, arguments_)
        for arn, policy in integration.resources(arguments_):
            if not role_may(run.role, integration.action, arn, policy, keys):
                denied(machine, run.role, integration.action, arn)
                raise _refused(integration, run.role, arn)
    elif ":function:" in resource and not _may_invoke(run.role, resource):
        denied(machine, run.role, "lambda:InvokeFunction", resource)
        raise _refused(_LAMBDA, run.role, resource)


def call_lambda(function: str, event: Any) -> Any:
    """Invoke a function and wait for it. Raises StateError."""
    try:
        return _call_lambda(function, event)
    except StateError as error:
        if error.error in _LAMBDAS:
            raise StateError(f"Lambda.{error.error}", error.cause) from error
        raise


def put_events(resource: str, arguments: Any) -> Any:
    """PutEvents, as Step Functions calls it: execution and state machine are added to what the events are about, and
    one entry that the bus does not take fails the task. Raises StateError."""
    record = current.get().record
    about = [record["executionArn"], record["stateMachineArn"]]
    entries = [_entry(entry, about) for entry in arguments.get("Entries") or ()]
    result = _put_events(resource, {**arguments, "Entries": entries})
    if result.get("FailedEntryCount"):
        raise StateError("EventBridge.FailedEntry", json.dumps(result, separators=(",", ":")))
    return result


def _entry(entry: Arguments, about: list[str]) -> dict[str, Any]:
    detail = entry.get("Detail")
    text = detail if isinstance(detail, str) else json.dumps(detail)
    return {**entry, "Detail": text, "Resources": [*(entry.get("Resources") or ()), *about]}


def _refused(integration: Integration, role: str, arn: str) -> Any:
    action = integration.action
    return StateError(
        integration.error,
        f"User: {session_of(role)} is not authorized to perform: {action} on resource: {arn} because no identity-based "
        f"policy allows the {action} action (Service: {integration.service}; Status Code: {integration.status}; "
        f"Error Code: {integration.code}; Request ID: {uuid.uuid4()}; Proxy: null)",
    )


def _may_invoke(role: str, function: str) -> bool:
    ((arn, policy),) = _function({"FunctionName": function})
    return role_may(role, "lambda:InvokeFunction", arn, policy)


def _function(arguments: Arguments) -> list[tuple[str, Any]]:
    name = str(arguments.get("FunctionName") or "")
    arn = name if name.startswith("arn:") else _arn("lambda", f"function:{name.rpartition('function:')[2]}")
    arn = ":".join([arn, str(arguments["Qualifier"])]) if arguments.get("Qualifier") else arn
    found = lambda_svc.function_policy_for_arn(arn)
    return [(arn, found and found[0])]


def _table(arguments: Arguments) -> list[tuple[str, Any]]:
    name = str(arguments.get("TableName") or "")
    return [(name if name.startswith("arn:") else _arn("dynamodb", f"table/{name}"), None)]


def _buses(arguments: Arguments) -> list[tuple[str, Any]]:
    names = {str(entry.get("EventBusName") or "default") for entry in arguments.get("Entries") or ()}
    return [(n if n.startswith("arn:") else _arn("events", f"event-bus/{n}"), None) for n in sorted(names)]


def _queue(arguments: Arguments) -> list[tuple[str, Any]]:
    *_, account, name = ["", *str(arguments.get("QueueUrl") or "").split("/")]
    arn = f"arn:aws:sqs:{get_region()}:{account}:{name}"
    found = sqs.queue_policy_for_arn(arn)
    return [(arn, found and found[0])]


def _topic(arguments: Arguments) -> list[tuple[str, Any]]:
    arn = str(arguments.get("TopicArn") or arguments.get("TargetArn") or "*")
    found = sns.topic_policy_for_arn(arn)
    return [(arn, found and found[0])]


def _machine(arguments: Arguments) -> list[tuple[str, Any]]:
    return [(str(arguments.get("StateMachineArn") or ""), None)]


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{get_region()}:{get_account_id()}:{resource}"


_LAMBDA = Integration(
    "lambda:InvokeFunction", "Lambda.AWSLambdaException", "AWSLambda", 403, "AccessDeniedException", _function
)
_DYNAMODB = ("DynamoDB.AmazonDynamoDBException", "AmazonDynamoDBv2", 400, "AccessDeniedException", _table)
_EVENTS = ("EventBridge.AmazonEventBridgeException", "AmazonEventBridge", 400, "AccessDeniedException", _buses)
_INTEGRATIONS: Mapping[str, Integration] = {
    "lambda:invoke": _LAMBDA,
    "dynamodb:getItem": Integration("dynamodb:GetItem", *_DYNAMODB),
    "dynamodb:putItem": Integration("dynamodb:PutItem", *_DYNAMODB),
    "dynamodb:updateItem": Integration("dynamodb:UpdateItem", *_DYNAMODB),
    "dynamodb:deleteItem": Integration("dynamodb:DeleteItem", *_DYNAMODB),
    "events:putEvents": Integration("events:PutEvents", *_EVENTS),
    "sqs:sendMessage": Integration(
        "sqs:SendMessage", "SQS.AmazonSQSException", "AmazonSQS", 403, "AccessDenied", _queue
    ),
    "sns:publish": Integration(
        "sns:Publish", "SNS.AuthorizationErrorException", "AmazonSNS", 403, "AuthorizationError", _topic
    ),
    "states:startExecution": Integration(
        "states:StartExecution",
        *("StepFunctions.AWSStepFunctionsException", "AWSStepFunctions", 400, "AccessDeniedException"),
        _machine,
    ),
}
