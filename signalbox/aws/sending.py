"""The calls that give a target what EventBridge would have given it, with the caller's own permissions."""

import functools
import time
import uuid
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from signalbox.definitions.arns import Arn, read_arn
from signalbox.redrive import Left, Sending
from signalbox.runtime.aws import calls
from signalbox.runtime.errors import Refused
from signalbox.runtime.queues import Queue
from signalbox.runtime.text import from_text, to_text


class Sender:
    """Sends by the clients of a boto3 `session`; `retry` is the URL of the Router's retry queue, `undelivered` that of
    the queue for what cannot be sent."""

    def __init__(self, session: Any, *, retry: str, undelivered: str) -> None:
        self._client = functools.cache(session.client)
        self._retry, self._undelivered = Queue(self._client, retry), Queue(self._client, undelivered)

    def send(self, sending: Sending, letter: str) -> None:
        """Give the target what it has missed. `letter` is the id of the message that says so: sent again for the same,
        a flow or state machine is not started again, nor does a FIFO queue take it twice. Raises CallError."""
        if sending.document is not None:
            self._retry.send({"run": letter, **sending.document})
            return
        arn = read_arn(sending.arn)
        client = self._client(_CLIENTS.get(arn.service, arn.service), region_name=arn.region)
        with calls():
            _WAYS[arn.service](_Call(client, arn, sending, sending.run(letter)))

    def leave(self, left: Left) -> None:
        """Put what cannot be sent now into `undelivered`, as a message of its own. Raises CallError."""
        self._undelivered.send(left.document())


@dataclass(frozen=True, slots=True)
class _Call:
    """`client` is that of the service of `arn`; `run` names this very sending."""

    client: Any
    arn: Arn
    sending: Sending
    run: str


def _to_queue(call: _Call) -> None:
    name, sending = call.arn.resource, call.sending
    url = call.client.get_queue_url(QueueName=name, QueueOwnerAWSAccountId=call.arn.account)["QueueUrl"]
    more = {"MessageGroupId": sending.group} if sending.group else {}
    if name.endswith(".fifo"):
        more["MessageDeduplicationId"] = call.run  # or two events of one text would be one
    call.client.send_message(QueueUrl=url, MessageBody=sending.text, **more)


def _to_topic(call: _Call) -> None:
    call.client.publish(TopicArn=call.sending.arn, Message=call.sending.text)


def _to_log_group(call: _Call) -> None:
    group = call.arn.resource.removeprefix("log-group:").removesuffix(":*")
    stream, event = f"redrive/{uuid.uuid4()}", _log_event(call.sending)
    call.client.create_log_stream(logGroupName=group, logStreamName=stream)
    answer = call.client.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[event])
    if refused := answer.get("rejectedLogEventsInfo"):
        raise Refused("RejectedLogEvents", f"{group} takes no log event of that time: {refused}")


def _log_event(sending: Sending) -> dict[str, Any]:
    """What EventBridge writes to a log group: the event at its time, or what a template made, which has its own."""
    try:
        made = from_text(sending.text)
    except ValueError as error:
        raise Refused("InvalidJson", f"the route's template makes no JSON of this event: {error}") from error
    if isinstance(made, dict) and set(made) == {"timestamp", "message"}:
        message = made["message"]
        return {
            "timestamp": _epoch_ms(made["timestamp"]),
            "message": message if isinstance(message, str) else to_text(message),
        }
    return {"timestamp": _epoch_ms(sending.missed.event.get("time")), "message": sending.text}


def _epoch_ms(moment: Any) -> int:
    """Milliseconds of a time in ISO 8601, or in milliseconds already; now, where it is neither."""
    with suppress(ValueError, OverflowError):
        return int(moment) if isinstance(moment, int | float) else int(_time(moment).timestamp() * 1000)
    return int(time.time() * 1000)


def _time(text: Any) -> datetime:
    return datetime.fromisoformat(str(text))


def _to_state_machine(call: _Call) -> None:
    try:
        call.client.start_execution(stateMachineArn=call.sending.arn, name=call.run, input=call.sending.text)
    except call.client.exceptions.ExecutionAlreadyExists:
        return  # by an earlier try, whose answer did not come


def _to_stream(call: _Call) -> None:
    key = (call.sending.key or call.run)[:256]
    call.client.put_record(StreamARN=call.sending.arn, Data=call.sending.text.encode(), PartitionKey=key)


def _to_delivery_stream(call: _Call) -> None:
    name = call.arn.resource.removeprefix("deliverystream/")
    call.client.put_record(DeliveryStreamName=name, Record={"Data": call.sending.text.encode()})


def _to_function(call: _Call) -> None:
    call.client.invoke(FunctionName=call.sending.arn, InvocationType="Event", Payload=call.sending.text.encode())


def _to_bus(call: _Call) -> None:
    event = call.sending.missed.event
    entry: dict[str, Any] = {
        "EventBusName": call.sending.arn,
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": to_text(event["detail"]),
        "Resources": event.get("resources", []),
    }
    with suppress(ValueError):  # of no time: PutEvents takes now
        entry["Time"] = _time(event.get("time"))
    (answer,) = call.client.put_events(Entries=[entry])["Entries"]
    if "ErrorCode" in answer:
        raise Refused(answer["ErrorCode"], answer.get("ErrorMessage", ""))


_CLIENTS = {"states": "stepfunctions"}
_WAYS: Mapping[str, Callable[[_Call], None]] = {
    "events": _to_bus,
    "firehose": _to_delivery_stream,
    "kinesis": _to_stream,
    "lambda": _to_function,
    "logs": _to_log_group,
    "sns": _to_topic,
    "sqs": _to_queue,
    "states": _to_state_machine,
}
"""By service. `signalbox.redrive` asks for no other."""
