"""What is to be done about an event."""

from typing import Any


def handle(event: Any, context: Any) -> dict[str, Any]:
    """The event that it is about, and what of it to look at."""
    return {"event": event["id"], "look-at": event["resources"] or [event["source"]]}
