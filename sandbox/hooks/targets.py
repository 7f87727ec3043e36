# pyright: reportMissingImports=false
"""The targets of a rule, each as EventBridge reaches it: what it must be allowed, what it gets, how it can fail.

Error codes: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html. A missing permission and a
missing target are final; what may pass is tried again.
"""

import base64
import copy
import json
import time
import urllib.error
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ministack.core.arn import Arn, ArnParseError, parse_arn
from ministack.core.responses import request_scope
from ministack.services import eventbridge, lambda_svc, sns, stepfunctions

from sandbox.hooks.permissions import role_may, service_may, service_may_assume
from sandbox.hooks.queues import QueueRefused, send, send_as_service
from signalbox.transform import NOWHERE, value_at

EVENTS = "events.amazonaws.com"
SCHEDULER = "scheduler.amazonaws.com"

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-api-destinations.html: which answers are tried again
_RETRIED_STATUS = {401, 407, 409, 429}


class DeliveryFailed(Exception):
    """A delivery failed. `final`: trying again would not help, so it goes to the dead-letter queue at once."""

    def __init__(self, code: str, message: str, *, final: bool) -> None:
        self.code = code
        self.final = final
        super().__init__(message)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for one target of one rule, or of one schedule of EventBridge Scheduler."""

    rule: Mapping[str, Any]
    target: Mapping[str, Any]
    event: Mapping[str, Any]
    """As the target's pattern saw it: `detail-type`, `detail`, …"""
    entry: Mapping[str, Any]
    """As MiniStack keeps it, for buses and archives."""
    text: str
    """What the target is given."""

    @property
    def rule_arn(self) -> str:
        return self.rule["Arn"]

    @property
    def service(self) -> str:
        """Who delivers: Scheduler reaches all targets by a role, EventBridge by their own policies where it can."""
        return SCHEDULER if self.rule_arn.split(":")[2] == "scheduler" else EVENTS

    @property
    def arn(self) -> str:
        return self.target.get("Arn", "")


def deliver(delivery: Delivery) -> str:
    """Give the target its input. "delivered", or "recorded" where the emulator has nothing behind that kind of target.

    Raises DeliveryFailed.
    """
    try:
        arn = parse_arn(delivery.arn)
    except ArnParseError as error:
        raise DeliveryFailed("INVALID_PARAMETER", f"{delivery.arn!r} is no ARN", final=True) from error
    kind = arn.resource.split("/")[0] if arn.service == "events" else arn.service
    way = _WAYS.get(kind)
    if way is None:
        if role := delivery.target.get("RoleArn"):
            _assume(delivery, role)
        return "recorded"
    way(delivery, arn)
    return "delivered"


def _to_function(delivery: Delivery, arn: Arn) -> None:
    function, config, name = lambda_svc._get_func_record_for_ref(str(arn))
    if function is None or config is None:
        raise _no_resource(delivery, f"the function {name} does not exist")
    policy = lambda_svc.function_policy_for_arn(config["FunctionArn"])
    _allowed(delivery, "lambda:InvokeFunction", policy and policy[0], f"the resource policy of function {name}")
    payload = _as_json(delivery)
    lambda_svc.invoke_async_with_retry(lambda_svc._execution_record_for_config(function, config), payload)


def _to_queue(delivery: Delivery, arn: Arn) -> None:
    group = (delivery.target.get("SqsParameters") or {}).get("MessageGroupId")
    try:
        if (role := delivery.target.get("RoleArn")) or delivery.service == SCHEDULER:
            _role_allowed(delivery, role, "sqs:SendMessage", delivery.arn)
            send(str(arn), delivery.text, group=group)
        else:
            send_as_service(str(arn), delivery.text, service=EVENTS, source=delivery.rule_arn, group=group)
    except QueueRefused as error:
        raise DeliveryFailed(error.code, str(error), final=True) from error


def _to_topic(delivery: Delivery, arn: Arn) -> None:
    found = sns.topic_policy_for_arn(str(arn))
    if found is None:
        raise _no_resource(delivery, f"the topic {arn} does not exist")
    _allowed(delivery, "sns:Publish", found[0], f"the policy of topic {arn}")
    try:
        sns.publish_internal(str(arn), delivery.text)
    except sns.SnsPublishError as error:
        raise DeliveryFailed("INVALID_PARAMETER", str(error), final=True) from error


def _to_log_group(delivery: Delivery, arn: Arn) -> None:
    from ministack.services import cloudwatch_logs as logs

    group = arn.resource.removeprefix("log-group:").removesuffix(":*")
    if group not in logs._log_groups:
        raise _no_resource(delivery, f"the log group {group} does not exist")
    stream = str(uuid.uuid4())
    resource = f"{str(arn).removesuffix(':*')}:log-stream:{stream}"
    documents = [policy["policyDocument"] for policy in logs._resource_policies.values()]
    for action in ("logs:CreateLogStream", "logs:PutLogEvents"):
        # Any one of the account's policies may allow it; a policy for one log group counts for that group only.
        own = logs._log_group_policies.get(group)
        policies = [*documents, own["policyDocument"]] if own else documents
        if not any(service_may(policy, EVENTS, action, resource, delivery.rule_arn) for policy in policies):
            raise _no_permission(delivery, action, "no CloudWatch Logs resource policy")
    logs._create_log_stream({"logGroupName": group, "logStreamName": stream})
    entry = {"timestamp": _epoch_ms(delivery.event), "message": delivery.text}
    if delivery.target.get("InputTransformer"):
        # The only form that a log group takes from an input transformer.
        made = _as_json(delivery)
        if not isinstance(made, dict) or set(made) != {"timestamp", "message"}:
            raise DeliveryFailed("INVALID_PARAMETER", 'a log group takes {"timestamp", "message"} only', final=True)
        message = made["message"]
        entry = {
            "timestamp": _epoch_ms({"time": made["timestamp"]}),
            "message": message if isinstance(message, str) else json.dumps(message),
        }
    logs._put_log_events({"logGroupName": group, "logStreamName": stream, "logEvents": [entry]})


def _to_bus(delivery: Delivery, arn: Arn) -> None:
    name = arn.resource.split("/", 1)[1]
    with request_scope(arn.account_id, arn.region):
        exists, policy = name in eventbridge._event_buses, eventbridge._event_bus_policies.get(name)
    if not exists:
        raise _no_resource(delivery, f"the event bus {arn} does not exist")
    if role := delivery.target.get("RoleArn"):
        _role_allowed(delivery, role, "events:PutEvents", delivery.arn, policy)
    path = [*delivery.entry.get("_DispatchPath", ()), f"{delivery.rule.get('EventBusName')}|{delivery.rule['Name']}"]
    forwarded = {**delivery.entry, "EventBusName": name, "_DispatchPath": path}
    with request_scope(arn.account_id, arn.region):
        eventbridge._dispatch_event(forwarded)
        eventbridge._archive_event({key: value for key, value in forwarded.items() if key != "_DispatchPath"})


def _to_state_machine(delivery: Delivery, arn: Arn) -> None:
    _role_allowed(delivery, delivery.target.get("RoleArn"), "states:StartExecution", delivery.arn)
    if stepfunctions._resolve_state_machine_arn(str(arn)) is None:
        raise _no_resource(delivery, f"the state machine {arn} does not exist")
    _as_json(delivery)
    status, _, body = stepfunctions._start_execution({"stateMachineArn": str(arn), "input": delivery.text})
    if status >= 400:
        raise DeliveryFailed("ERROR_FROM_TARGET", body.decode(errors="replace"), final=True)


def _to_stream(delivery: Delivery, arn: Arn) -> None:
    from ministack.services import kinesis

    _role_allowed(delivery, delivery.target.get("RoleArn"), "kinesis:PutRecord", delivery.arn)
    path = (delivery.target.get("KinesisParameters") or {}).get("PartitionKeyPath")
    key = value_at(delivery.event, path) if path else delivery.event["id"]
    if key is NOWHERE:
        raise DeliveryFailed("INVALID_PARAMETER", f"no partition key at {path}", final=True)
    data = base64.b64encode(delivery.text.encode()).decode()
    record = {"StreamName": arn.resource.split("/")[-1], "PartitionKey": str(key)[:256], "Data": data}
    status, _, body = kinesis._put_record(record)
    if status >= 400:
        raise _no_resource(delivery, body.decode(errors="replace"))


def _to_delivery_stream(delivery: Delivery, arn: Arn) -> None:
    from ministack.services import firehose

    _role_allowed(delivery, delivery.target.get("RoleArn"), "firehose:PutRecord", delivery.arn)
    data = base64.b64encode(delivery.text.encode()).decode()
    record = {"DeliveryStreamName": arn.resource.split("/")[-1], "Record": {"Data": data}}
    status, _, body = firehose._put_record(record)
    if status >= 400:
        raise _no_resource(delivery, body.decode(errors="replace"))


def _to_api_destination(delivery: Delivery, arn: Arn) -> None:
    _role_allowed(delivery, delivery.target.get("RoleArn"), "events:InvokeApiDestination", delivery.arn)
    destination = eventbridge._api_destinations.get(arn.resource.split("/")[1])
    connection_name = ((destination or {}).get("ConnectionArn") or "").split("connection/")[-1].split("/")[0]
    connection = eventbridge._connections.get(connection_name)
    if destination is None or connection is None:
        raise _no_resource(delivery, f"the API destination {arn} or its connection does not exist")
    parameters = eventbridge._resolve_http_parameters(delivery.target.get("HttpParameters") or {}, delivery.event)
    request = eventbridge._build_api_destination_request(destination, connection, parameters, delivery.text)
    key = (arn.account_id, arn.region, connection_name)
    try:
        headers = eventbridge._connection_auth_headers(copy.deepcopy(connection), key)
        status = eventbridge._api_destination_send_sync(request, headers)
    except (urllib.error.URLError, OSError) as error:
        raise DeliveryFailed("CONNECTION_FAILURE", f"{request['url']}: {error}", final=False) from error
    if not 200 <= status < 300:
        final = status not in _RETRIED_STATUS and status < 500
        raise DeliveryFailed("SDK_CLIENT_ERROR", f"{request['url']} answered {status}", final=final)


_WAYS = {
    "lambda": _to_function,
    "sqs": _to_queue,
    "sns": _to_topic,
    "logs": _to_log_group,
    "event-bus": _to_bus,
    "states": _to_state_machine,
    "kinesis": _to_stream,
    "firehose": _to_delivery_stream,
    "api-destination": _to_api_destination,
}


def _allowed(delivery: Delivery, action: str, policy: Any, whose: str) -> None:
    if (role := delivery.target.get("RoleArn")) or delivery.service == SCHEDULER:
        _role_allowed(delivery, role, action, delivery.arn)
    elif not service_may(policy, EVENTS, action, delivery.arn, delivery.rule_arn):
        raise _no_permission(delivery, action, whose)


def _role_allowed(delivery: Delivery, role: str | None, action: str, resource: str, policy: Any = None) -> None:
    if not role:
        raise DeliveryFailed("NO_PERMISSIONS", f"{resource} needs a role, and the target has none", final=True)
    _assume(delivery, role)
    if not role_may(role, action, resource, policy):
        raise _no_permission(delivery, action, f"the role {role}")


def _assume(delivery: Delivery, role: str) -> None:
    if not service_may_assume(role, delivery.service, delivery.rule_arn):
        raise DeliveryFailed(
            "NO_PERMISSIONS", f"{delivery.service} may not assume {role}, or it does not exist", final=True
        )


def _no_permission(delivery: Delivery, action: str, whose: str) -> DeliveryFailed:
    message = f"{whose} does not allow {delivery.service} {action} on {delivery.arn} for {delivery.rule_arn}"
    return DeliveryFailed("NO_PERMISSIONS", message, final=True)


def _no_resource(delivery: Delivery, message: str) -> DeliveryFailed:
    return DeliveryFailed("NO_RESOURCE", f"{message} (target {delivery.target.get('Id')})", final=True)


def _as_json(delivery: Delivery) -> Any:
    try:
        return json.loads(delivery.text)
    except ValueError as error:
        raise DeliveryFailed(
            "INVALID_JSON", f"{delivery.arn} takes JSON, got {delivery.text[:200]}", final=True
        ) from error


def _epoch_ms(event: Mapping[str, Any]) -> int:
    moment = event.get("time")
    if isinstance(moment, int | float) and not isinstance(moment, bool):
        return int(moment)
    try:
        return int(time.mktime(time.strptime(str(moment), "%Y-%m-%dT%H:%M:%SZ")) - time.timezone) * 1000
    except ValueError:
        return int(time.time() * 1000)
