"""What the messages in `undelivered` say: an event, why it is there, and what has missed it. Pure.

The forms of messages are those of docs/operations.md.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from signalbox.classic import feed_name
from signalbox.model import JsonObject
from signalbox.runtime.text import from_text


class StaysError(ValueError):
    """An event that cannot be sent again, or not as things are: what is in the way, and what helps (may be empty)."""

    def __init__(self, what: str, fix: str = "") -> None:
        super().__init__(what)
        self.fix = fix


@dataclass(frozen=True, slots=True)
class Missed:
    """What a message says. `reason` is its sender's code for why, `event` the event as EventBridge made it.

    Of `route` (`<event-id>/<route>`) and `rule` (a rule's name) at most one is known. What missed the event are
    `targets` (`{"function": name}`, `{"flow": name}`, …), or what has the ARN `arn`: a rule's target, a function, a
    state machine. `unfed`: it never came from its foreign bus to ours, and all that would have had it has missed it;
    not `archived`: so that our archive has not got it. `run` not None: the Router may have reached some of the targets
    in this run of its, which it goes on with.
    """

    event: JsonObject
    reason: str
    route: str = ""
    rule: str = ""
    targets: tuple[Mapping[str, str], ...] = ()
    arn: str = ""
    unfed: bool = False
    archived: bool = True
    run: str | None = None


def read_message(body: Any, attributes: Mapping[str, str], stack: str) -> Missed:
    """What the message of this body (parsed, where it is JSON) and these attributes says, in the queue of `stack`.

    Raises StaysError where it holds no event that a route could be asked about.
    """
    if not isinstance(body, Mapping):
        raise StaysError(
            "not a message that Signalbox or AWS puts here", "see who may write to the queue, and delete it"
        )
    if "RULE_ARN" in attributes:
        return _of_eventbridge(body, attributes, stack)
    if "requestContext" in body:
        return _of_lambda(body)
    if body.get("source") == "aws.states" and "executionArn" in _mapping(body.get("detail")):
        return _of_step_functions(_mapping(body["detail"]))
    if body.get("Type") == "Notification":
        raise StaysError("a message of a topic that its function did not take", "publish it on the topic again")
    return _of_router(body, str(body.get("reason", "retries-failed")))


def _of_eventbridge(body: Mapping[str, Any], attributes: Mapping[str, str], stack: str) -> Missed:
    """A dead letter: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-rule-dlq.html"""
    bus, _, rule = attributes["RULE_ARN"].partition(":rule/")[2].rpartition("/")
    reason = attributes.get("ERROR_CODE", "undelivered")
    if bus == stack:
        return Missed(_event(body), reason, rule=rule, arn=attributes.get("TARGET_ARN", ""))
    if rule.startswith(feed_name(stack, None).rstrip("*")):
        return Missed(_event(body), reason, unfed=True, archived=False)
    raise StaysError(f"the rule {rule} is no route's", "delete the message: the rule works when its time comes again")


def _of_lambda(body: Mapping[str, Any]) -> Missed:
    """A function failed for good: https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html"""
    context, payload = _mapping(body["requestContext"]), _mapping(body.get("requestPayload"))
    reason = str(_mapping(body.get("responsePayload")).get("errorType") or context.get("condition", "failed"))
    if "route" in payload:
        return _of_router(payload, reason)
    arn = str(context.get("functionArn", "")).removesuffix(":$LATEST")
    name = arn.rpartition(":")[2]
    if "DDBStreamBatchInfo" in body:
        raise StaysError(f"{name} failed on changes of a table", "delete the message: its schedule makes up for it")
    if not _is_event(payload):
        raise StaysError(f"{name} was called with no event", "call it again with the requestPayload")
    return Missed(payload, reason, arn=arn)


def _of_step_functions(detail: Mapping[str, Any]) -> Missed:
    """A run that ended in silence: https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html"""
    try:
        event = from_text(detail["input"])
    except (KeyError, TypeError, ValueError):
        raise StaysError(*_input_of(detail["executionArn"])) from None
    return Missed(_event(event), str(detail.get("status", "")), arn=str(detail.get("stateMachineArn", "")))


def _of_router(body: Mapping[str, Any], reason: str) -> Missed:
    """Our own: of the Router, its retry queue, or a flow, which does not know its route."""
    if "event" not in body:
        if "execution" in body:
            raise StaysError(*_input_of(body["execution"]))
        raise StaysError(str(body.get("message", "it holds no event")), "its sender must send it again")
    targets = body.get("targets")
    if "targets" not in body and "signalbox" in body:
        raise StaysError("the event did not come onto the bus", "put it there: aws events put-events")
    if not isinstance(targets, list) or not all(isinstance(each, Mapping) and len(each) == 1 for each in targets):
        raise StaysError("it does not say what missed the event", "delete the message")
    # What the Router did not come to the end of, some flows may have got. A flow's own message has no run of it.
    run = None if "signalbox" in body and "run" not in body else str(body.get("run", ""))
    return Missed(
        _event(body["event"]),
        reason,
        route=str(body.get("route", "")),
        targets=tuple(targets),
        archived=body.get("archived") is not False,
        run=run,
    )


def _input_of(execution: Any) -> tuple[str, str]:
    return (
        "the event was too large for the message",
        f"it is the input of the run: aws stepfunctions describe-execution --execution-arn {execution}",
    )


def _event(value: Any) -> JsonObject:
    if not _is_event(value):
        raise StaysError("it holds no event of EventBridge", "delete the message")
    return value


def _is_event(value: Any) -> bool:
    texts = ("id", "source", "detail-type")
    return isinstance(value, Mapping) and all(isinstance(value.get(each), str) for each in texts) and "detail" in value


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
