"""The queue `undelivered`, as people work it off."""

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from signalbox.runtime.aws import calls
from signalbox.runtime.errors import Refused
from signalbox.runtime.queues import unpack

VISIBILITY_SECONDS = 900
"""How long a message that was read is kept from others; whoever reads gives it back before."""
SAFE_SECONDS = 700
"""How long after the first reading somebody may begin to send: what is under way then has an end before the rest."""
READ_SECONDS = 120
"""How long the queue is read."""
BATCH = 10
# https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html
WAIT_SECONDS = 2
"""Long polling asks all servers of the queue, so that an empty answer means that nothing is there."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One message: `body` as it was sent (parsed where it is JSON), `attributes` that are texts, `sent` in UTC."""

    id: str
    sent: datetime
    body: Any
    attributes: Mapping[str, str]
    receipt: str


class Undelivered:
    """The queue at `url`, by a boto3 `client` for SQS. All methods raise CallError."""

    def __init__(self, client: Any, url: str) -> None:
        self._client = client
        self._url = url
        self.until = 0.0
        """Till when (`time.monotonic`) it is safe that nobody else sees what was read."""
        self.emptied = False
        """Has `read` seen the end of the queue?"""

    def read(self, limit: int) -> Iterator[Letter]:
        """Up to `limit` messages, in no order. They are kept from others for VISIBILITY_SECONDS or until `release`."""
        seen: set[str] = set()
        start = time.monotonic()
        self.until = start + SAFE_SECONDS
        while len(seen) < limit and time.monotonic() < start + READ_SECONDS:
            with calls():
                answer = self._client.receive_message(
                    QueueUrl=self._url,
                    MaxNumberOfMessages=min(BATCH, limit - len(seen)),
                    VisibilityTimeout=VISIBILITY_SECONDS,
                    WaitTimeSeconds=WAIT_SECONDS,
                    AttributeNames=["SentTimestamp"],
                    MessageAttributeNames=["All"],
                )
            new = [each for each in answer.get("Messages", ()) if each["MessageId"] not in seen]
            if not new:
                self.emptied = True
                return
            seen.update(each["MessageId"] for each in new)
            yield from map(_letter, new)

    def delete(self, letter: Letter) -> None:
        """Take a message off the queue."""
        with calls():
            self._client.delete_message(QueueUrl=self._url, ReceiptHandle=letter.receipt)

    def release(self, letters: Iterable[Letter]) -> None:
        """Give messages back, to be seen by everybody at once."""
        receipts = [each.receipt for each in letters]
        for start in range(0, len(receipts), BATCH):
            entries = [
                {"Id": str(index), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for index, receipt in enumerate(receipts[start : start + BATCH])
            ]
            with calls():
                answer = self._client.change_message_visibility_batch(QueueUrl=self._url, Entries=entries)
            if failed := answer.get("Failed"):
                raise Refused(failed[0].get("Code", ""), failed[0].get("Message", ""))


def _letter(message: Mapping[str, Any]) -> Letter:
    attributes = message.get("MessageAttributes", {})
    try:
        body = unpack(message["Body"], attributes)
    except ValueError:
        body = message["Body"]
    return Letter(
        message["MessageId"],
        datetime.fromtimestamp(int(message["Attributes"]["SentTimestamp"]) / 1000, UTC),
        body,
        {name: each["StringValue"] for name, each in attributes.items() if "StringValue" in each},
        message["ReceiptHandle"],
    )
