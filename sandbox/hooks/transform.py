"""What a target is given: the event, a part of it, a constant, or an input template filled in. Pure; no MiniStack.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html (paths, predefined
variables, what is quoted) and https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html.
"""

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# In a template a string literal is taken whole, so that a placeholder inside it is told from one in a value's place.
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>\s]+>')
_PLACEHOLDER = re.compile(r"<([^<>\s]+)>")
_STEP = re.compile(r"\.([A-Za-z0-9_/-]+|\*)|\[(\d+|\*)\]|\['([^']+)'\]")
_MISSING = object()


@dataclass(frozen=True, slots=True)
class Context:
    """What the predefined variables say."""

    rule_arn: str
    rule_name: str
    ingestion_time: str
    """ISO 8601, seconds, `Z`."""


def target_input(target: Mapping[str, Any], event: Mapping[str, Any], context: Context) -> str:
    """The text that `target` (as PutTargets has it) is given for `event`.

    An InputPath that leads nowhere gives the whole event.
    """
    if transformer := target.get("InputTransformer"):
        return render(transformer.get("InputPathsMap") or {}, transformer.get("InputTemplate", ""), event, context)
    if constant := target.get("Input"):
        return constant
    found = lookup(event, target["InputPath"]) if target.get("InputPath") else _MISSING
    return _json(event if found is _MISSING else found)


def render(paths: Mapping[str, str], template: str, event: Mapping[str, Any], context: Context) -> str:
    """`template` with its `<name>` filled in.

    In a value's place: the value as JSON. Inside a string literal: a string's text, escaped so that the literal stays
    one; an object or list without its quotation marks. A path that leads nowhere gives the empty string; a name that
    is not declared stays as it is.
    """
    values: dict[str, Any] = {name: _present(lookup(event, path)) for name, path in paths.items()}
    values |= {
        "aws.events.rule-arn": context.rule_arn,
        "aws.events.rule-name": context.rule_name,
        "aws.events.event.ingestion-time": context.ingestion_time,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
        "aws.events.event.json": event,
    }

    def inside(match: re.Match[str]) -> str:
        name = match[1]
        if name not in values:
            return match[0]
        value = values[name]
        return _json(value)[1:-1] if isinstance(value, str) else _json(value).replace('"', "")

    def token(match: re.Match[str]) -> str:
        text = match[0]
        if text.startswith('"'):
            return _PLACEHOLDER.sub(inside, text)
        return _json(values[text[1:-1]]) if text[1:-1] in values else text

    text = _TOKEN.sub(token, template)
    if '"' not in template and not _is_json(text):  # plain text: every variable is part of a sentence
        return _PLACEHOLDER.sub(lambda match: _plain(values.get(match[1], match[0])), template)
    return text


def lookup(event: Mapping[str, Any], path: str) -> Any:
    """The value at a JSON path of EventBridge's subset (dots, indices, `*`), or a marker that is no JSON value."""
    if not path.startswith("$"):
        return _MISSING
    value: Any = event
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            return _MISSING
        value = _step(value, step[1] or step[3], step[2])
        if value is _MISSING:
            return _MISSING
        position = step.end()
    return value


def missing(value: Any) -> bool:
    """Did `lookup` find nothing?"""
    return value is _MISSING


def _step(value: Any, key: str | None, index: str | None) -> Any:
    if key == "*" or index == "*":
        children = value.values() if isinstance(value, dict) else value
        return list(children) if isinstance(value, dict | list) else _MISSING
    if index is not None:
        return value[int(index)] if isinstance(value, list) and int(index) < len(value) else _MISSING
    return value.get(key, _MISSING) if isinstance(value, dict) else _MISSING


def _present(value: Any) -> Any:
    return "" if value is _MISSING else value


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else _json(value).replace('"', "")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
