# pyright: reportMissingImports=false
"""Messages that services of AWS put on queues: rule targets, dead letters, on-failure destinations."""

from collections.abc import Mapping
from typing import Any

from ministack.services import sqs

from sandbox.hooks.permissions import service_may


class QueueRefused(Exception):
    """The queue does not take the message: `code` is EventBridge's word for why."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def send_as_service(
    queue_arn: str,
    body: str,
    *,
    service: str,
    source: str,
    group: str | None = None,
    attributes: Mapping[str, str] | None = None,
) -> None:
    """Put a message on a queue as `service` does for the resource `source`, if the queue's policy lets it.

    Raises QueueRefused.
    """
    found = sqs.queue_policy_for_arn(queue_arn)
    if found is None:
        raise QueueRefused("NO_RESOURCE", f"the queue {queue_arn} does not exist")
    if not service_may(found[0], service, "sqs:SendMessage", queue_arn, source):
        raise QueueRefused(
            "NO_PERMISSIONS", f"the policy of {queue_arn} does not allow {service} sqs:SendMessage for {source}"
        )
    send(queue_arn, body, group=group, attributes=attributes)


def send(queue_arn: str, body: str, *, group: str | None = None, attributes: Mapping[str, str] | None = None) -> None:
    """Put a message on a queue, policies aside. Raises QueueRefused."""
    queue = sqs._queue_by_arn(queue_arn)
    if queue is None:
        raise QueueRefused("NO_RESOURCE", f"the queue {queue_arn} does not exist")
    message: dict[str, Any] = {"QueueUrl": queue["url"], "MessageBody": body}
    if group is not None:
        message["MessageGroupId"] = group
    if attributes:
        message["MessageAttributes"] = {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        }
    try:
        sqs._act_send_message(message, queue["url"])
    except sqs._Err as error:
        raise QueueRefused("INVALID_PARAMETER", f"{queue_arn}: {error}") from error
