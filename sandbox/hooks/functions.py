# pyright: reportMissingImports=false
"""Lambda as AWS has it where MiniStack is kinder: permissions in process, asynchronous invocations; and records."""

import json
import threading
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass, replace
from typing import Any

from ministack.core.arn import parse_arn
from ministack.core.responses import error_response_json, get_account_id, get_region, request_scope
from ministack.services import apigateway, lambda_svc, sns

from sandbox.hooks import activity, faults
from sandbox.hooks.permissions import role_may, service_may, service_may_assume
from sandbox.hooks.queues import QueueRefused, send, send_as_service
from sandbox.hooks.records import log, record

# Asynchronous invocations at once. Each takes a process of some 50 MB; AWS would take 1,000.
WORKERS = 3
# AWS waits 1 and 2 minutes.
RETRY_PAUSE_SECONDS = 1.0
THROTTLED_PAUSE_SECONDS = 0.3
DEFAULT_RETRIES = 2
DEFAULT_MAX_AGE_SECONDS = 21_600
# https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html
ASYNC_PAYLOAD_BYTES = 1_048_576
# https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html#API_Invoke_Errors
_INVOKE_ERRORS = {"ResourceConflictException": 409, "TooManyRequestsException": 429}

_DESTINATION_ACTIONS = {"sqs": "sqs:SendMessage", "sns": "sns:Publish", "lambda": "lambda:InvokeFunction"}
# What the execution role needs on its source, else the mapping reads nothing:
# https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions, …/with-ddb.html
_SOURCE_ACTIONS = {
    "sqs": ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"),
    "dynamodb": ("dynamodb:DescribeStream", "dynamodb:GetRecords", "dynamodb:GetShardIterator", "dynamodb:ListStreams"),
    "kinesis": ("kinesis:DescribeStream", "kinesis:GetRecords", "kinesis:GetShardIterator"),
}

_pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="async-invoke")
_execute = lambda_svc._execute_function_dispatch
_emit_logs = lambda_svc._emit_lambda_logs
_invoke = lambda_svc._invoke
_route_failure = lambda_svc._route_async_failure
_send_stream_failure = lambda_svc._send_ddb_stream_failure_record
_all_mappings = lambda_svc._iter_all_esms
_create_mapping = lambda_svc._create_esm
_restore_positions = lambda_svc._restore_esm_positions
_invoke_proxy = apigateway._invoke_lambda_proxy
_mappings_refused: set[str] = set()


def install() -> None:
    """Put the hooks in place."""
    lambda_svc._execute_function_dispatch = execute
    lambda_svc._emit_lambda_logs = emit_logs
    lambda_svc._invoke = invoke
    lambda_svc.invoke_async_with_retry = invoke_async
    lambda_svc._send_ddb_stream_failure_record = send_stream_failure
    lambda_svc._iter_all_esms = mappings
    lambda_svc._create_esm = create_mapping
    lambda_svc._restore_esm_positions = restore_positions
    apigateway._invoke_lambda_proxy = invoke_proxy
    sns._deliver_to_lambda = deliver_from_topic


def execute(func: Any, config: Any, event: Any, request_id: str, started: float) -> dict[str, Any]:
    """Run a function if Lambda may assume its role, and record what it returned or how it failed."""
    if service_may_assume(config["Role"], "lambda.amazonaws.com", config["FunctionArn"]):
        result = _execute(func, config, event, request_id, started)
    else:
        message = f"The role defined for the function cannot be assumed by Lambda: {config['Role']}"
        result = {"error": True, "body": {"errorType": "AccessDeniedException", "errorMessage": message}}
        log.error("%s: %s", config["FunctionName"], message)
    output = result.get("log", "")
    outcome = {"error": result.get("body")} if result.get("error") else {"result": result.get("body")}
    record("function", function=config["FunctionName"], request=request_id, event=event, log=output, **outcome)
    return result


def emit_logs(func: Any, request_id: str, text: str, error: bool, duration_ms: int, **kind: Any) -> None:
    """Write a function's log only if its role may: without the permission AWS runs the function and drops its log."""
    from ministack.services import cloudwatch_logs

    config = func.get("config") or func
    group = (config.get("LoggingConfig") or {}).get("LogGroup") or f"/aws/lambda/{config['FunctionName']}"
    arn = f"arn:aws:logs:{get_region()}:{get_account_id()}:log-group:{group}"
    needed = [("logs:CreateLogStream", f"{arn}:log-stream:x"), ("logs:PutLogEvents", f"{arn}:log-stream:x")]
    if group not in cloudwatch_logs._log_groups:
        needed.append(("logs:CreateLogGroup", f"{arn}:*"))
    for action, resource in needed:
        if not role_may(config["Role"], action, resource):
            denied(config["FunctionName"], config["Role"], action, arn)
            return
    _emit_logs(func, request_id, text, error, duration_ms, **kind)


def denied(who: str, role: str, action: str, resource: str) -> None:
    """Say loudly that a permission is missing."""
    log.error("DENIED: %s: the role %s does not allow %s on %s", who, role, action, resource)
    record("denied", who=who, action=action, resource=resource)


async def invoke(name: str, event: Any, headers: Mapping[str, str], *rest: Any, **more: Any) -> Any:
    """The Invoke API, with the limit of asynchronous payloads, and faults to order."""
    kind = headers.get("x-amz-invocation-type") or headers.get("X-Amz-Invocation-Type")
    payload = json.dumps(event, separators=(",", ":"))
    if fault := faults.take("Invoke", payload):
        return error_response_json(fault["code"], "fault ordered by a test", _INVOKE_ERRORS.get(fault["code"], 500))
    if kind == "Event" and (size := len(payload.encode())) > ASYNC_PAYLOAD_BYTES:
        message = f"{size} byte payload is too large for the Event invocation type (limit {ASYNC_PAYLOAD_BYTES} bytes)"
        return error_response_json("RequestTooLargeException", message, 413)
    return await _invoke(name, event, headers, *rest, **more)


def invoke_async(func: dict[str, Any], event: Any) -> None:
    """Queue an asynchronous invocation: retried, then handed to the on-failure destination if the role may."""
    _submit(_Invocation(func, event, time.time()))


@dataclass(frozen=True, slots=True)
class _Invocation:
    func: dict[str, Any]
    event: Any
    queued: float
    failures: int = 0

    @property
    def config(self) -> dict[str, Any]:
        return self.func.get("config") or self.func

    def run(self) -> None:
        result = lambda_svc._execute_function(self.func, self.event)
        settings = self.func.get("event_invoke_config") or {}
        settings = settings or (self.func.get("event_invoke_configs") or {}).get("$LATEST") or {}
        retries = settings.get("MaximumRetryAttempts")
        retries = DEFAULT_RETRIES if retries is None else int(retries)
        expired = time.time() - self.queued > int(settings.get("MaximumEventAgeInSeconds") or DEFAULT_MAX_AGE_SECONDS)
        if result.get("throttle") and not expired:  # AWS keeps it in its queue; that is no failed attempt
            _submit(self, THROTTLED_PAUSE_SECONDS)
        elif not result.get("error"):
            return
        elif self.failures < retries and not expired:
            _submit(replace(self, failures=self.failures + 1), RETRY_PAUSE_SECONDS * (self.failures + 1))
        else:
            self._failed(settings, result, "EventAgeExceeded" if expired else "RetriesExhausted")

    def _failed(self, settings: Mapping[str, Any], result: Mapping[str, Any], condition: str) -> None:
        on_failure = (settings.get("DestinationConfig") or {}).get("OnFailure") or {}
        destination = on_failure.get("Destination") or (self.config.get("DeadLetterConfig") or {}).get("TargetArn")
        name = self.config["FunctionName"]
        if not destination:
            log.error("EVENT LOST: function %s failed %d times and has no on-failure destination", name, self.failures)
            record("lost", function=name, event=self.event, error=result.get("body"))
            return
        if not _may_reach(self.config, destination):
            record("lost", function=name, event=self.event, error=result.get("body"))
            return
        if parse_arn(destination).service != "sqs":
            _route_failure(destination, name, self.event, result)
            return
        message = {
            "version": "1.0",
            "timestamp": time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime()),
            "requestContext": {
                "requestId": str(uuid.uuid4()),
                "functionArn": f"{self.config['FunctionArn']}:$LATEST",
                "condition": condition,
                "approximateInvokeCount": self.failures + 1,
            },
            "requestPayload": self.event,
            "responseContext": {"statusCode": 200, "executedVersion": "$LATEST", "functionError": "Unhandled"},
            "responsePayload": result.get("body"),
        }
        try:
            send(destination, json.dumps(message))
        except QueueRefused as error:
            log.error("EVENT LOST: on-failure destination of %s: %s", name, error)
            record("lost", function=name, event=self.event, error=str(error))


def _submit(invocation: _Invocation, after: float = 0) -> None:
    context = copy_context()  # account, region, and how deep in a chain of invocations this one is
    activity.begin()

    def run() -> None:
        try:
            context.run(lambda_svc._run_with_function_config_scope, invocation.func, invocation.run)
        except BaseException:
            log.exception("asynchronous invocation failed by a fault of the sandbox")
            raise
        finally:
            activity.end()

    if after:
        timer = threading.Timer(after, lambda: _pool.submit(run))
        timer.daemon = True
        timer.start()
    else:
        _pool.submit(run)


def _may_reach(config: Mapping[str, Any], destination: str) -> bool:
    """May the function's role reach its on-failure destination?"""
    action = _DESTINATION_ACTIONS.get(parse_arn(destination).service, "events:PutEvents")
    if role_may(config["Role"], action, destination):
        return True
    denied(f"{config['FunctionName']} (on-failure destination)", config["Role"], action, destination)
    return False


def send_stream_failure(esm: Any, func: Any, *what: Any) -> None:
    """The on-failure destination of a stream's event source mapping, if the role may."""
    destination = ((esm.get("DestinationConfig") or {}).get("OnFailure") or {}).get("Destination")
    if destination and _may_reach(func.get("config") or func, destination):
        _send_stream_failure(esm, func, *what)


def mappings() -> Iterator[tuple[str, str, Any]]:
    """The event source mappings whose function's role may read the source."""
    for account, region, esm in _all_mappings():
        with request_scope(account, region):
            func = lambda_svc._functions.get(esm["FunctionName"])
            missing = _missing_action(func["config"]["Role"], esm["EventSourceArn"]) if func else None
        if missing is None:
            _mappings_refused.discard(esm["UUID"])
            yield account, region, esm
        elif esm["UUID"] not in _mappings_refused:  # said once, not at every poll
            _mappings_refused.add(esm["UUID"])
            denied(f"event source of {esm['FunctionName']}", func["config"]["Role"], missing, esm["EventSourceArn"])


def create_mapping(data: dict[str, Any]) -> Any:
    """CreateEventSourceMapping refuses a function whose role may not read the source."""
    name = lambda_svc._resolve_name(data.get("FunctionName", ""))
    func = lambda_svc._functions.get(name)
    missing = _missing_action(func["config"]["Role"], data.get("EventSourceArn", "")) if func else None
    if missing:
        service, action = missing.split(":")
        message = f"The provided execution role does not have permissions to call {action} on {service.upper()}"
        return error_response_json("InvalidParameterValueException", message, 400)
    return _create_mapping(data)


def restore_positions(store: Any, positions: Any) -> None:
    """Restored positions, but none in tables' streams: their records are not saved, so it would skip what comes."""
    if store is not lambda_svc._dynamodb_stream_positions:
        _restore_positions(store, positions)


def _missing_action(role: str, source: str) -> str | None:
    actions = _SOURCE_ACTIONS.get(source.split(":")[2] if source.count(":") > 2 else "", ())
    return next((action for action in actions if not role_may(role, action, source)), None)


async def invoke_proxy(
    integration: Any, api_id: str, stage: str, path: str, method: str, *rest: Any, **more: Any
) -> Any:
    """An HTTP API's call of a function, if the function's policy (or the integration's role) allows it."""
    function = apigateway._extract_lambda_ref_from_integration_uri(integration.get("integrationUri", ""))
    account = more.get("owner_account_id") or get_account_id()
    region = more.get("owner_region") or get_region()
    route = more.get("route_key") or (rest[3] if len(rest) > 3 else "$default")
    place = route.replace(" ", "", 1) if " " in route else route
    source = f"arn:aws:execute-api:{region}:{account}:{api_id}/{stage}/{place}"
    with request_scope(account, region):
        found = lambda_svc.function_policy_for_arn(function)
        if role := integration.get("credentialsArn"):
            allowed = service_may_assume(role, "apigateway.amazonaws.com", source)
            allowed = allowed and role_may(role, "lambda:InvokeFunction", function)
        else:
            policy = found and found[0]
            allowed = service_may(policy, "apigateway.amazonaws.com", "lambda:InvokeFunction", function, source)
    if not allowed:
        log.error("DENIED: HTTP API %s may not invoke %s for %s", api_id, function, source)
        record("denied", who=f"HTTP API {api_id}", action="lambda:InvokeFunction", resource=function)
        return 500, {"Content-Type": "application/json"}, b'{"message":"Internal Server Error"}'
    return await _invoke_proxy(integration, api_id, stage, path, method, *rest, **more)


def deliver_from_topic(endpoint: str, envelope: str, topic_arn: str, subscription: str, *_unused: Any) -> None:
    """A topic's message for a function: asynchronous, if the function's policy lets the topic invoke it."""
    function, config, name = lambda_svc._get_func_record_for_ref(endpoint)
    found = lambda_svc.function_policy_for_arn(endpoint)
    policy = found and found[0]
    if function and config and service_may(policy, "sns.amazonaws.com", "lambda:InvokeFunction", endpoint, topic_arn):
        notification = {
            "EventVersion": "1.0",
            "EventSubscriptionArn": subscription,
            "EventSource": "aws:sns",
            "Sns": json.loads(envelope),
        }
        invoke_async(lambda_svc._execution_record_for_config(function, config), {"Records": [notification]})
        return
    log.error("DENIED: topic %s may not invoke function %s, or it does not exist", topic_arn, name)
    record("denied", who=topic_arn, action="lambda:InvokeFunction", resource=endpoint)
    _to_redrive_queue(topic_arn, subscription, envelope)


def _to_redrive_queue(topic_arn: str, subscription: str, envelope: str) -> None:
    """A subscription's own dead-letter queue: https://docs.aws.amazon.com/sns/latest/dg/sns-dead-letter-queues.html"""
    found = sns._find_subscription(topic_arn, subscription) or {}
    redrive = json.loads((found.get("attributes") or {}).get("RedrivePolicy") or "{}")
    if queue := redrive.get("deadLetterTargetArn"):
        try:
            attributes = {"ErrorCode": "403", "ErrorMessage": "the topic may not invoke the function, or there is none"}
            send_as_service(queue, envelope, service="sns.amazonaws.com", source=topic_arn, attributes=attributes)
            return
        except QueueRefused as error:
            log.error("EVENT LOST: dead-letter queue of subscription %s: %s", subscription, error)
    record("lost", topic=topic_arn, message=envelope)
