"""The Router: rules hand it events for functions and flows, its retry queue hands it what it could not deliver."""

import os
import time
from typing import Any

from signalbox.runtime import sqs_batch
from signalbox.runtime.aws import client
from signalbox.runtime.event_store import EventStore
from signalbox.runtime.queues import Queue, unpack
from signalbox.runtime.router import Router
from signalbox.runtime.schemas import Schemas
from signalbox.runtime.targets import AwsTargets

_schemas: Schemas | None = None


def handle(event: Any, context: Any) -> dict[str, Any] | None:
    """Route one event that a rule handed over, or a batch of the retry queue's messages."""
    router = Router(
        schemas=_kept_schemas(),
        targets=AwsTargets(os.environ["NAME"], os.environ["FLOWS"], client),
        retry=Queue(client, os.environ["RETRY"]),
        dead=Queue(client, os.environ["UNDELIVERED"]),
        remaining=context.get_remaining_time_in_millis,
    )
    if sqs_batch.is_batch(event):
        return sqs_batch.each(event, lambda record: router.route(_message(record)))
    router.route(event)
    return None


def _message(record: Any) -> Any:
    try:
        return unpack(record["body"], record.get("messageAttributes") or {})
    except ValueError:
        # Not of our making. The Router refuses a text and keeps it in `undelivered`.
        return record["body"]


def _kept_schemas() -> Schemas:
    # Kept for the life of this execution environment: what makes the store a stranger to the hot path.
    global _schemas
    if _schemas is None:
        _schemas = Schemas(EventStore(client("dynamodb"), os.environ["STORE"]).schema, time.monotonic)
    return _schemas
