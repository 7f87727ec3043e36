"""The calls that give a target what EventBridge would have given it, with the caller's own permissions."""

import time
import uuid
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from signalbox.definitions.arns import Arn, read_arn
from signalbox.redrive import Sending
from signalbox.runtime.aws import calls
from signalbox.runtime.errors import Refused
from signalbox.runtime.queues import Queue
from signalbox.runtime.text import from_text, to_text


class Sender:
    """Sends by the clients of a boto3 `session`; what the Router is to do goes to its retry queue at `retry`."""

    def __init__(self, session: Any, retry: str) -> None:
        self._session = session
        self._retry = Queue(session.client, retry)

    def send(self, sending: Sending, run: str) -> None:
        """Give the target what it has missed. `run` names this very sending: a flow or state machine that was started
        under it already is not started again. Raises CallError."""
        if sending.document is not None:
            self._retry.send({**sending.document, "run": run})
            return
        arn = read_arn(sending.arn)
        client = self._session.client(_CLIENTS.get(arn.service, arn.service), region_name=arn.region)
        with calls():
            _WAYS[arn.service](client, arn, sending, run)


def _to_queue(sqs: Any, arn: Arn, sending: Sending, run: str) -> None:  # noqa: ARG001
    url = sqs.get_queue_url(QueueName=arn.resource, QueueOwnerAWSAccountId=arn.account)["QueueUrl"]
    group = {"MessageGroupId": sending.group} if sending.group else {}
    sqs.send_message(QueueUrl=url, MessageBody=sending.text, **group)


def _to_topic(sns: Any, arn: Arn, sending: Sending, run: str) -> None:  # noqa: ARG001
    sns.publish(TopicArn=sending.arn, Message=sending.text)


def _to_log_group(logs: Any, arn: Arn, sending: Sending, run: str) -> None:
    group = arn.resource.removeprefix("log-group:").removesuffix(":*")
    stream = f"redrive/{run}/{uuid.uuid4()}"
    logs.create_log_stream(logGroupName=group, logStreamName=stream)
    answer = logs.put_log_events(logGroupName=group, logStreamName=stream, logEvents=[_log_event(sending)])
    if refused := answer.get("rejectedLogEventsInfo"):
        raise Refused("RejectedLogEvents", f"{group} takes no log event of that time: {refused}")


def _log_event(sending: Sending) -> dict[str, Any]:
    """What EventBridge writes to a log group: the event at its time, or what a template made, which has its own."""
    made = from_text(sending.text)
    if isinstance(made, dict) and set(made) == {"timestamp", "message"}:
        message = made["message"]
        return {
            "timestamp": _epoch_ms(made["timestamp"]),
            "message": message if isinstance(message, str) else to_text(message),
        }
    return {"timestamp": _epoch_ms(sending.event.get("time")), "message": sending.text}


def _epoch_ms(moment: Any) -> int:
    if isinstance(moment, int | float):
        return int(moment)
    try:
        return int(datetime.fromisoformat(str(moment)).timestamp() * 1000)
    except ValueError:
        return int(time.time() * 1000)


def _to_state_machine(states: Any, arn: Arn, sending: Sending, run: str) -> None:  # noqa: ARG001
    try:
        states.start_execution(stateMachineArn=sending.arn, name=run, input=sending.text)
    except states.exceptions.ExecutionAlreadyExists:
        return  # by an earlier try, whose answer did not come


def _to_stream(kinesis: Any, arn: Arn, sending: Sending, run: str) -> None:  # noqa: ARG001
    kinesis.put_record(StreamARN=sending.arn, Data=sending.text.encode(), PartitionKey=(sending.key or run)[:256])


def _to_delivery_stream(firehose: Any, arn: Arn, sending: Sending, run: str) -> None:  # noqa: ARG001
    name = arn.resource.removeprefix("deliverystream/")
    firehose.put_record(DeliveryStreamName=name, Record={"Data": sending.text.encode()})


def _to_function(functions: Any, arn: Arn, sending: Sending, run: str) -> None:  # noqa: ARG001
    functions.invoke(FunctionName=sending.arn, InvocationType="Event", Payload=sending.text.encode())


def _to_bus(events: Any, arn: Arn, sending: Sending, run: str) -> None:  # noqa: ARG001
    event = sending.event
    entry: dict[str, Any] = {
        "EventBusName": sending.arn,
        "Source": event["source"],
        "DetailType": event["detail-type"],
        "Detail": to_text(event["detail"]),
        "Resources": event.get("resources", []),
    }
    if "time" in event:
        entry["Time"] = datetime.fromisoformat(event["time"])
    (answer,) = events.put_events(Entries=[entry])["Entries"]
    if "ErrorCode" in answer:
        raise Refused(answer["ErrorCode"], answer.get("ErrorMessage", ""))


_CLIENTS = {"states": "stepfunctions"}
_WAYS: Mapping[str, Callable[[Any, Arn, Sending, str], None]] = {
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
