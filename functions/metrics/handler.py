"""Wait times as CloudWatch metrics: one data point for each ride of a summary."""

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

Point = dict[str, Any]


class RefusedRides(ValueError):
    """Some rides of a summary got no metric; those that could have one have it."""


def handle(event: Any, context: Any) -> None:  # noqa: ARG001
    """Put the wait times of a `waitTimesSummary` event as metric data.

    Raises RefusedRides when some rides could not be put: the event then ends in `undelivered`, and is not forgotten in
    a log.
    """
    points, refused = data(event, datetime.now(UTC))
    for portion in in_calls(points):
        with calls():
            client("cloudwatch").put_metric_data(Namespace=NAMESPACE, MetricData=portion)
    if refused:
        raise RefusedRides(
            f"no metric for {len(refused)} rides without a usable id or wait, such as {refused[0]!r:.200}"
        )


def data(event: Any, now: datetime) -> tuple[list[Point], list[Any]]:
    """A data point for each ride of the summary, at the time of the event, so that a repeat changes no average; and
    the rides that CloudWatch would refuse, and the rest of their call with them.

    Raises RefusedRides where there is no list of rides.
    """
    time = timestamp(event, now)
    points, refused = [], []
    rides = from_text(event["detail"]["msg"])
    if not isinstance(rides, list):
        raise RefusedRides(f"msg is no list of rides: {event['detail']['msg']!r:.200}")
    for ride in rides:
        name, seconds = (ride.get("rideId"), _seconds(ride.get("wait"))) if isinstance(ride, dict) else (None, None)
        if not _is_dimension(name) or seconds is None:
            refused.append(ride)
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
    return points, refused


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
    return (
        isinstance(name, str)
        and bool(name.strip())
        and name.isascii()
        and name.isprintable()
        and len(name) <= RIDE_LENGTH
    )


def _seconds(minutes: Any) -> float | None:
    if isinstance(minutes, bool) or not isinstance(minutes, int | float):
        return None
    return minutes * 60 if abs(minutes * 60) <= LARGEST_VALUE else None
