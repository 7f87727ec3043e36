# pyright: reportMissingImports=false
"""Rules with a schedule whose time comes when the host says so, at `/_signalbox/due/<rule>`: nobody waits for minutes.

From there on all is as the clock would have it: EventBridge's event, its targets, what it must be allowed.
"""

import json
from typing import Any

from ministack import app
from ministack.services import eventbridge

from sandbox.hooks import activity

PATH = "/_signalbox/due/"


def install() -> None:
    """Serve the path, besides the one of `activity`."""
    app._handle_health_request = answer


def answer(path: str, request_id: str) -> Any:
    """Start the rules of this name. 404: none of them has a schedule."""
    if not path.startswith(PATH):
        return activity.answer(path, request_id)
    name = path.removeprefix(PATH)
    due = [key for key, rule in eventbridge._rules._data.items() if rule["Name"] == name and _scheduled(rule)]
    for key in due:
        eventbridge._rule_last_fired[key] = 0.0
    eventbridge._tick_scheduled_rules()
    return 200 if due else 404, {"Content-Type": "application/json"}, json.dumps({"due": len(due)}).encode()


def _scheduled(rule: Any) -> bool:
    return bool(rule.get("ScheduleExpression")) and rule["State"] == "ENABLED"
