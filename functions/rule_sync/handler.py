"""The reconciler: on every edit and every few minutes, rules and state machines become what the store says."""

import logging
import os
import time
from typing import Any

from signalbox.aws.machines import StepFunctionsMachines
from signalbox.aws.metrics import CloudWatchMetrics
from signalbox.aws.rules import EventBridgeRules
from signalbox.aws.store import DynamoStore
from signalbox.flows import Names
from signalbox.reconcile import Bus, Plant, Reconciler
from signalbox.reconcile.ports import SystemClock
from signalbox.runtime.aws import client
from signalbox.runtime.text import to_text

SPARE_SECONDS = 15
"""What is left at the end of the function's time for the notes and metrics of a run that ran out of it."""

logger = logging.getLogger(__name__)


def handle(event: Any, context: Any) -> dict[str, Any]:
    """Run the reconciler; its report.

    What started it does not matter: it reads the store, not the event. A batch of the store's stream is done when the
    store held still and all was looked at; a run that raises, or that ran out of time, leaves it to be tried again.
    """
    name = os.environ["NAME"]
    reconciler = Reconciler(
        DynamoStore(client("dynamodb"), os.environ["STORE"]),
        EventBridgeRules(client("events"), name),
        Bus(name, os.environ["UNDELIVERED"]),
        StepFunctionsMachines(client("stepfunctions")),
        Plant(_names(name), os.environ["FLOWS_ROLE"], os.environ["FLOWS_LOGS"]),
        clock=SystemClock(),
        metrics=CloudWatchMetrics(client("cloudwatch"), name),
        deadline=time.time() + context.get_remaining_time_in_millis() / 1000 - SPARE_SECONDS,
    )
    report = reconciler.run().as_json()
    logger.info("%s", to_text(report))
    # Lambda reads `batchItemFailures` of a batch's answer; the rest is for whoever invoked it.
    return {"batchItemFailures": [] if report["settled"] else _first(event), **report}


def _names(stack: str) -> Names:
    """The stack as its flows see it; the queue's ARN says where it is."""
    _, partition, _, region, account, _ = os.environ["UNDELIVERED"].split(":")
    return Names(stack, region, account, os.environ["UNDELIVERED_URL"], partition)


def _first(event: Any) -> list[dict[str, str]]:
    """The first record of a stream's batch, from which on Lambda shall try again; nothing of another event."""
    records = event.get("Records", ()) if isinstance(event, dict) else ()
    return [{"itemIdentifier": record["dynamodb"]["SequenceNumber"]} for record in records[:1]]
