"""A line of text of an event."""

from typing import Any


def handle(event: Any, context: Any) -> str:
    """Where, what and from whom."""
    return f"{event['account']}/{event['region']}: {event['detail-type']} from {event['source']}"
