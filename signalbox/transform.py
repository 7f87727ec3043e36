"""What an input transformer makes of an event, as EventBridge does it. Pure.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html (paths, predefined variables,
what is quoted) and https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_InputTransformer.html.
"""

import json
import re
from collections.abc import Mapping
from typing import Any, Final

from signalbox.model import Json

# A text in quotes is one token, so that a variable inside it is told from one that stands for a JSON value.
_TOKEN = re.compile(r'"(?:\\.|[^"\\])*"|<[^<>\s]+>', re.DOTALL)
_VARIABLE = re.compile(r"<([^<>\s]+)>")
_STEP = re.compile(r"\.([A-Za-z0-9_/-]+|\*)|\[(\d+|\*)\]|\['([^']+)'\]", re.ASCII)

NOWHERE: Final = object()
"""What `value_at` gives for a path that leads nowhere: no JSON value, so that it is told from null."""


def transformed(
    paths: Mapping[str, str], template: str, event: Mapping[str, Json], variables: Mapping[str, Json]
) -> str:
    """The text that a target receives for `event`: `template` with its `<name>` filled in, by `paths`.

    `variables` are those of `rule_variables`; the two that EventBridge defines of the event itself need not be given.
    In a value's place a variable becomes JSON; inside a text in quotes a string becomes its characters, escaped so that
    the text stays one, and an object or list loses its quotation marks. A path that leads nowhere gives an empty text;
    a name that nobody declared stays as it is.
    """
    values: dict[str, Json] = {
        **{name: _present(value_at(event, path)) for name, path in paths.items()},
        **variables,
        "aws.events.event.json": event,
        "aws.events.event": {key: value for key, value in event.items() if key != "detail"},
    }

    def in_text(found: re.Match[str]) -> str:
        if found[1] not in values:
            return found[0]
        value = values[found[1]]
        return _json(value)[1:-1] if isinstance(value, str) else _plain(value)

    def in_json(found: re.Match[str]) -> str:
        if found[0].startswith('"'):
            return _VARIABLE.sub(in_text, found[0])
        name = found[0][1:-1]
        return _json(values[name]) if name in values else found[0]

    text = _TOKEN.sub(in_json, template)
    if '"' not in template and not _is_json(text):  # plain text: every variable is part of a sentence
        return _VARIABLE.sub(lambda found: _plain(values.get(found[1], found[0])), template)
    return text


def rule_variables(rule_arn: str, rule_name: str, ingestion_time: str) -> dict[str, Json]:
    """The variables that EventBridge defines of the rule and of when it got the event (ISO 8601)."""
    return {
        "aws.events.rule-arn": rule_arn,
        "aws.events.rule-name": rule_name,
        "aws.events.event.ingestion-time": ingestion_time,
    }


def value_at(event: Mapping[str, Json], path: str) -> Any:
    """The value at `path`, a JSON path of EventBridge's kind (dots, indices, `*`); NOWHERE where it leads nowhere."""
    if not path.startswith("$"):
        return NOWHERE
    value: Any = event
    position = 1
    while position < len(path):
        step = _STEP.match(path, position)
        value = NOWHERE if step is None else _step(value, step[1] or step[3], step[2])
        if step is None or value is NOWHERE:
            return NOWHERE
        position = step.end()
    return value


def _step(value: Any, key: str | None, index: str | None) -> Any:
    if "*" in (key, index):
        children = value.values() if isinstance(value, Mapping) else value
        return list(children) if isinstance(value, Mapping | list) else NOWHERE
    if index is not None:
        return value[int(index)] if isinstance(value, list) and int(index) < len(value) else NOWHERE
    return value.get(key, NOWHERE) if isinstance(value, Mapping) else NOWHERE


def _present(value: Any) -> Json:
    return "" if value is NOWHERE else value


def _plain(value: Json) -> str:
    return value if isinstance(value, str) else _json(value).replace('"', "")


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _json(value: Json) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
