"""What an input transformer makes of an event, as EventBridge does it. Pure.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from signalbox.model import InputTransform, Json

# A text in quotes is one token, so that a variable inside it is told from one that stands for a JSON value.
_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|<[A-Za-z0-9._-]+>', re.DOTALL)
_VARIABLE = re.compile(r"<([A-Za-z0-9._-]+)>")
_STEP = re.compile(r"\.([A-Za-z0-9_/-]+|\*)|\[([0-9]+|\*)\]")


def transformed(transform: InputTransform, event: Mapping[str, Json], variables: Mapping[str, Json]) -> str:
    """The text that a target receives for `event`. `variables` are those that EventBridge defines, such as
    `aws.events.rule-name`; the two that hold the event need not be given.

    A path that leads nowhere gives an empty text, as on AWS.
    """
    values: dict[str, Json] = {
        **variables,
        "aws.events.event.json": event,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        **{name: value_at(event, path) for name, path in transform.paths.items()},
    }

    def in_text(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        value = values[found[1]]
        if isinstance(value, str):
            return _json(value)[1:-1]
        # Objects and arrays lose their quotation marks inside a text.
        return _json(value).replace('"', "")

    def in_json(found: re.Match[str]) -> str:
        if found[0].startswith('"'):
            return _VARIABLE.sub(in_text, found[0])
        name = found[0][1:-1]
        return _json(values[name]) if name in values else found[0]

    return _TOKEN.sub(in_json, transform.template)


def value_at(event: Mapping[str, Json], path: str) -> Json:
    """The value at `path`, a JSON path of the kind that EventBridge takes; an empty text where it leads nowhere."""
    value: Any = event
    for field, index in _STEP.findall(path):
        if "*" in (field, index):
            inner = value.values() if isinstance(value, Mapping) else value
            value = list(inner) if isinstance(value, Mapping | list) else ""
        elif index and isinstance(value, list) and int(index) < len(value):
            value = value[int(index)]
        elif field and isinstance(value, Mapping) and field in value:
            value = value[field]
        else:
            return ""
    return value


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
