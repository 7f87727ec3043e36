"""Wait times as CloudWatch metrics: one data point for each ride of a summary."""

import logging
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from signalbox.runtime.aws import calls, client
from signalbox.runtime.text import from_text

NAMESPACE = "InnovatorIsland"
METRIC = "wait-times"

# https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/API_PutMetricData.html
CALL_POINTS = 1_000
PAST = timedelta(days=14)
FUTURE = timedelta(hours=2)
RIDE_LENGTH = 1_024
LARGEST_VALUE = 2.0**360

logger = logging.getLogger(__name__)

Point = dict[str, Any]


def handle(event: Any, context: Any) -> None:  # noqa: ARG001
    """Put the wait times of a `waitTimesSummary` event as metric data."""
    for points in in_calls(data(event, datetime.now(UTC))):
        with calls():
            client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=points)


def data(event: Any, now: datetime) -> list[Point]:
    """A data point for each ride of the summary, at the time of the event, so that a repeat changes no average.

    A ride that CloudWatch would refuse, and the rest of its call with it, is left out and logged.
    """
    time = timestamp(event, now)
    points = []
    for ride in from_text(event["detail"]["msg"]):
        name, seconds = (ride.get("rideId"), _seconds(ride.get("wait"))) if isinstance(ride, dict) else (None, None)
        if not _is_dimension(name) or seconds is None:
            logger.warning("no metric for a ride without id or wait: %.200r", ride)
            continue
        points.append(
            {
                "MetricName": METRIC,
                "Dimensions": [{"Name": "Type", "Value": "ride"}, {"Name": "Ride", "Value": name}],
                "Timestamp": time,
                "Value": seconds,
                "Unit": "Seconds",
            }
        )
    return points


def timestamp(event: Any, now: datetime) -> datetime:
    """The time at which EventBridge got the event; `now` where CloudWatch would refuse that, as for an old replay.

    Not a ride's `lastUpdated`, which is 0 until its first update.
    """
    try:
        time = datetime.fromisoformat(event["time"])
    except (KeyError, TypeError, ValueError):
        return now
    return time if time.tzinfo and now - PAST < time < now + FUTURE else now


def in_calls(points: Sequence[Point]) -> Iterator[list[Point]]:
    """`points` in the portions that PutMetricData takes: 1,000 of ours are far below its 1 MB."""
    for start in range(0, len(points), CALL_POINTS):
        yield list(points[start : start + CALL_POINTS])


def _is_dimension(name: Any) -> bool:
    return isinstance(name, str) and bool(name.strip()) and name.isascii() and len(name) <= RIDE_LENGTH


def _seconds(minutes: Any) -> float | None:
    if isinstance(minutes, bool) or not isinstance(minutes, int | float):
        return None
    return minutes * 60 if abs(minutes * 60) <= LARGEST_VALUE else None
