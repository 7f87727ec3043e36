"""Input transformers as EventBridge takes them: paths, variables and the template.

https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-transform-target-input.html
"""

import json
import re
from collections.abc import Iterator

from signalbox.definitions.meta import shown
from signalbox.definitions.places import Document
from signalbox.problems import Problem, did_you_mean

VARIABLES = (
    "aws.events.rule-arn",
    "aws.events.rule-name",
    "aws.events.event.ingestion-time",
    "aws.events.event",
    "aws.events.event.json",
)
"""What EventBridge defines itself."""

_VARIABLE_NAME = re.compile(r"[A-Za-z0-9_-]{1,256}", re.ASCII)
_STEP = r"(?:\.(?:[A-Za-z0-9_/-]+|\*)|\[(?:[0-9]+|\*)\])"
_JSON_PATH = re.compile(rf"\$(?:{_STEP})*", re.ASCII)
_PLACEHOLDER = re.compile(r"<([A-Za-z0-9._-]+)>", re.ASCII)
_FILLED = "\ue000"
"""What stands for a variable in a text: a character of private use, so that it is known again."""
_STRING = re.compile(r'"(?:[^"\\]|\\.)*"', re.DOTALL)


def is_json_path(text: str) -> bool:
    """May `text` be a JSON path in a target? EventBridge knows fields, `[0]` and `*`, and no filters."""
    return _JSON_PATH.fullmatch(text) is not None


def variables_of(template: str) -> list[str]:
    """The names of the variables in `template`, in order, each once."""
    return list(dict.fromkeys(_PLACEHOLDER.findall(template)))


def check_transformer(document: Document) -> Iterator[Problem]:
    """What EventBridge would refuse of the `input` in `document`, whose form is checked."""
    paths: dict[str, str] = document.value.get("paths", {})
    template: str = document.value["template"]
    for name, path in paths.items():
        if not _VARIABLE_NAME.fullmatch(name) or name.upper().startswith("AWS"):
            yield document.problem(
                "input-variable",
                "this is no name of a variable",
                ("paths", name),
                got=name,
                allowed="letters, digits, _ and -, not beginning with AWS",
            )
        if not is_json_path(path):
            yield document.problem(
                "input-path",
                "this is no JSON path that EventBridge takes",
                ("paths", name),
                got=path,
                allowed="$, $.detail.field, $.resources[0]: fields, indexes and *",
            )
    used = variables_of(template)
    for name in used:
        if name not in paths and name not in VARIABLES:
            yield document.problem(
                "input-undefined",
                f"the template uses <{name}>, which `paths` does not define",
                ("template",),
                got=f"<{name}>",
                allowed=", ".join(f"<{each}>" for each in (*paths, *VARIABLES)),
                fix=did_you_mean(name, (*paths, *VARIABLES)) or f"add `{name}: $.detail.…` to `paths`",
            )
    for name in paths:
        if name not in used:
            yield document.problem(
                "input-unused",
                f"the template does not use <{name}>",
                ("paths", name),
                fix="remove it, or use it",
                severity="warning",
            )
    if (values := template_values(template)) is None:
        yield document.problem(
            "input-template",
            "the template is neither JSON nor text in quotes",
            ("template",),
            got=shown(template),
            allowed="a JSON value with <variables> in it, not as keys, or lines of text in double quotes",
            fix="in YAML, put the double quotes inside single quotes: '\"Ride <ride> stopped\"'",
        )
    elif document.base and values == []:
        yield document.problem("input-template", "the template is empty", ("template",))


def template_values(template: str) -> list[object] | None:
    """What `template` says with some value for each variable: one JSON value, or one text a line; None: neither."""
    # Inside a text a variable stands for characters, elsewhere for a JSON value.
    filled = _STRING.sub(lambda text: _PLACEHOLDER.sub(_FILLED, text[0]), template)
    filled = _PLACEHOLDER.sub("null", filled)
    try:
        return [_strict(filled)]
    except ValueError:
        pass
    values = []
    for line in filter(str.strip, filled.splitlines()):
        try:
            values.append(_strict(line))
        except ValueError:
            return None
        if not isinstance(values[-1], str):
            return None
    return values


def _strict(text: str) -> object:
    def refuse(constant: str) -> object:
        raise ValueError(f"no JSON: {constant}")

    def object_of(pairs: list[tuple[str, object]]) -> dict[str, object]:
        if any(_FILLED in key for key, _ in pairs):
            raise ValueError("a variable cannot be a key")
        return dict(pairs)

    try:
        return json.loads(text, parse_constant=refuse, object_pairs_hook=object_of)
    except RecursionError as error:
        raise ValueError("nested too deeply") from error
