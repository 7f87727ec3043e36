"""Batches of SQS messages: the ones that fail come back, the others do not.

https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html#services-sqs-batchfailurereporting
"""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from signalbox.runtime.errors import CallError

logger = logging.getLogger(__name__)


def is_batch(event: Any) -> bool:
    """Is it what Lambda's SQS trigger invokes a function with?"""
    records = event.get("Records") if isinstance(event, dict) else None
    return bool(records) and isinstance(records, list) and records[0].get("eventSource") == "aws:sqs"


def each(event: Mapping[str, Any], handle: Callable[[Mapping[str, Any]], None]) -> dict[str, Any]:
    """`handle` each record of the batch; what fails is reported, so that SQS shows it again."""
    failures = []
    for record in event["Records"]:
        try:
            handle(record)
        except CallError as error:
            logger.warning("message %s goes back to its queue: %s", record["messageId"], error)
            failures.append({"itemIdentifier": record["messageId"]})
        except Exception:  # a message on which our own code fails must not take its neighbours with it
            logger.exception("message %s goes back to its queue", record["messageId"])
            failures.append({"itemIdentifier": record["messageId"]})
    return {"batchItemFailures": failures}
