"""Messages of Signalbox on SQS, such that an event of any size that EventBridge takes fits.

SQS takes 1 MiB, body and attributes together, and EventBridge events of 1 MB: an event with a reason around it can be
too long by a little. Its bulky part is then sent gzipped as a binary attribute (base64 in the body would give back what
gzip saves): JSON text of 1 MB that does not shrink by the few hundred bytes that are missing does not exist, because
its characters use far fewer than the 256 values of a byte.
Limits: https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/quotas-messages.html
"""

import base64
import gzip
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from signalbox.runtime.aws import calls
from signalbox.runtime.errors import Refused
from signalbox.runtime.text import clip, from_text, size, to_text

MESSAGE_BYTES = 1_048_576
MAX_DELAY_SECONDS = 900
BULKY = ("event", "input")
"""The fields that may be sent as an attribute of the same name."""

_ERRORS = 20
_ERROR_LENGTH = 500


class Queue:
    """An SQS queue. `client` gives the botocore client of a service, asked for when there is something to send."""

    def __init__(self, client: Callable[[str], Any], url: str) -> None:
        self._client = client
        self._url = url

    def send(self, document: Mapping[str, Any], delay: int = 0) -> None:
        """Send `document` as one message, to be seen after `delay` seconds. Raises Refused or Unavailable."""
        with calls():
            self._client("sqs").send_message(QueueUrl=self._url, DelaySeconds=delay, **pack(document))


def undelivered(
    reason: str,
    message: str,
    *,
    errors: Sequence[str] = (),
    **what: Any,
) -> dict[str, Any]:
    """The message that says why something was not delivered, for the queue `undelivered`.

    `reason` is a code for scripts, `message` says it in words, `errors` lists faults; all are bounded. `what` holds
    what is known of `route`, `targets`, `schema`, `event`, or `input`: something that is no event.
    """
    document: dict[str, Any] = {"signalbox": 1, "reason": reason, "message": clip(message, _ERROR_LENGTH)}
    if errors:
        document["errors"] = [clip(error, _ERROR_LENGTH) for error in errors[:_ERRORS]]
        if len(errors) > _ERRORS:
            document["errors"].append(f"and {len(errors) - _ERRORS} more")
    return {**document, **what}


def pack(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` as the `MessageBody` and `MessageAttributes` of SendMessage; its `reason` is an attribute as well.

    Raises Refused when even gzip does not make it fit.
    """
    attributes: dict[str, dict[str, Any]] = {}
    if "reason" in document:
        attributes["reason"] = {"DataType": "String", "StringValue": document["reason"]}
    body = _safe(to_text(document))
    bulky = next((key for key in BULKY if key in document), None)
    if bulky and size(body) + _attribute_bytes(attributes) > MESSAGE_BYTES:
        packed = gzip.compress(to_text(document[bulky]).encode(), compresslevel=6, mtime=0)
        attributes[bulky] = {"DataType": "Binary", "BinaryValue": packed}
        body = _safe(to_text({key: value for key, value in document.items() if key != bulky}))
    total = size(body) + _attribute_bytes(attributes)
    if total > MESSAGE_BYTES:
        raise Refused("MessageTooLong", f"{total} bytes; SQS takes {MESSAGE_BYTES}")
    return {"MessageBody": body, "MessageAttributes": attributes}


def unpack(body: str, attributes: Mapping[str, Mapping[str, Any]]) -> Any:
    """What `pack` was given, from a message as ReceiveMessage or as Lambda's SQS trigger gives it.

    Raises ValueError when the body or the attribute is no JSON.
    """
    document = from_text(body)
    if isinstance(document, dict):
        for key in BULKY:
            attribute = attributes.get(key, {})
            packed = attribute.get("BinaryValue") or base64.b64decode(attribute.get("binaryValue") or "")
            if packed:
                try:
                    document[key] = from_text(gzip.decompress(packed).decode())
                except (OSError, EOFError, zlib.error) as error:
                    raise ValueError(f"attribute {key}: {error}") from error
    return document


def _safe(text: str) -> str:
    # The two characters that JSON text may hold and SQS refuses; outside of strings they cannot be.
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def _attribute_bytes(attributes: Mapping[str, Mapping[str, Any]]) -> int:
    return sum(
        size(name) + size(value["DataType"]) + len(value.get("BinaryValue", b"")) + size(value.get("StringValue", ""))
        for name, value in attributes.items()
    )
