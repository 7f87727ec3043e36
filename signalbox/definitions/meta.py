"""The meta-schemas that ship with the package, and what they say about a value in words that help to mend it.

The schema files say more than JSON Schema can check: `errorMessage` and `patternErrorMessage` are what editors on
vscode-json-languageservice show, and what is shown here as "allowed".
"""

import json
from collections.abc import Collection, Iterable, Iterator, Mapping
from functools import cache
from importlib.resources import files
from typing import Any, Literal

import jsonschema_rs

from signalbox.definitions.numbers import plain
from signalbox.definitions.places import Document, Path
from signalbox.model import Json
from signalbox.problems import Problem, did_you_mean
from signalbox.schema import path_in

MetaSchema = Literal["event", "routes", "destinations", "function", "sample", "flow"]

Found = tuple[Path, Problem]
"""A fault of form, with the path of the part that it is about."""

_BASE = "signalbox:///"
_FILES = (
    "event.schema.json",
    "route.schema.json",
    "destinations.schema.json",
    "function.schema.json",
    "flow.schema.json",
)
_ROOTS: dict[MetaSchema, str] = {
    "event": "event.schema.json",
    "routes": "event.schema.json#/properties/routes",
    "destinations": "destinations.schema.json",
    "function": "function.schema.json",
    "sample": "event.schema.json#/$defs/longSample",
    "flow": "flow.schema.json",
}
_AROUND = ("form-missing-key", "form-name")
"""Faults of what lacks a key, or has a wrong one: what else is in it may be right."""
_SHOWN = 100
"""Characters of a value in a message."""
_UNKNOWN_KEYS = 50
"""Unknown keys of one mapping that are told."""
_MISSING = {
    "schema": "`schema: {}` accepts every detail",
    "targets": "`targets: [{<kind>: <name>}]`",
    "kind": "`kind: topic`, or another one",
    "template": "`template: '\"text with <variables>\"'`",
}
_TYPES = {"object": "a mapping", "array": "a list", "string": "text", "boolean": "true or false", "null": "nothing"}


def check_form(document: Document, schema: MetaSchema) -> list[Problem]:
    """What is wrong with the form of `document`, by one of the meta-schemas; empty when nothing is."""
    return [problem for _, problem in form_problems(document, schema)]


def form_problems(document: Document, schema: MetaSchema) -> list[Found]:
    """As `check_form`, with the path in `document` of the part that each problem is about."""
    found = _validator(schema).iter_errors(plain(document.value))
    told = [(path, problem) for error in found for path, problem in _problems(document, error)]
    # What is of the wrong type fits none of several forms either: that goes without saying.
    mistyped = {path for path, problem in told if problem.code == "form-type"}
    return [(path, problem) for path, problem in told if problem.code != "form-oneOf" or path not in mistyped]


def by_part(found: Iterable[Found]) -> dict[str | int, list[Found]]:
    """What of `found` is about each part of a value, with the paths from there. What is about the whole is left out."""
    parts: dict[str | int, list[Found]] = {}
    for path, problem in found:
        if path:
            parts.setdefault(path[0], []).append((path[1:], problem))
    return parts


def well_formed(document: Document, found: Collection[Found]) -> Document:
    """`document` without the parts that `found` is about, so that the others can be checked in the same run.

    Keys are taken out of mappings; an item of a list gives way to None, so that the others keep their places. A key
    that is missing stays missing. None takes the place of a value that is wrong as a whole.
    """
    return Document(_well_formed(document.value, found), document.file, document.place, document.base)


def _well_formed(value: Json, found: Collection[Found]) -> Json:
    if not found:
        return value
    if _is_bad(found):
        return None
    bad = by_part(found)
    if isinstance(value, dict):
        parts = {key: part for key, part in value.items() if not _is_bad(bad.get(key, ()))}
        return {key: _well_formed(part, bad.get(key, ())) for key, part in parts.items()}
    if isinstance(value, list):
        return [_well_formed(part, bad.get(index, ())) for index, part in enumerate(value)]
    return value


def _is_bad(found: Collection[Found]) -> bool:
    """Is one of `found` about the value itself?"""
    return any(not path and problem.code not in _AROUND for path, problem in found)


def meta_schema(name: Literal["event", "route", "destinations", "function", "flow"]) -> Mapping[str, Any]:
    """One of the files, as JSON Schema with what editors read besides."""
    return _documents()[f"{name}.schema.json"]


def shown(value: Json) -> str:
    """`value` as it is shown in messages: JSON text, cut where it is long."""
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _SHOWN else f"{text[: _SHOWN - 1]}…"


@cache
def _documents() -> dict[str, Any]:
    folder = files("signalbox.definitions") / "schemas"
    return {name: json.loads((folder / name).read_text("utf-8")) for name in _FILES}


@cache
def _validator(schema: MetaSchema) -> jsonschema_rs.Validator:
    registry = jsonschema_rs.Registry([(_BASE + name, contents) for name, contents in _documents().items()])
    return jsonschema_rs.Draft202012Validator(
        {"$ref": _BASE + _ROOTS[schema]}, registry=registry, offline=True, pattern_options=jsonschema_rs.RegexOptions()
    )


def _problems(document: Document, error: jsonschema_rs.ValidationError) -> Iterator[tuple[Path, Problem]]:
    path: Path = path_in(document.value, error.instance_path)
    kind: Any = error.kind
    home = _keyword_home(error)
    if kind.name == "propertyNames":
        # The part that is wrong is the key, not the mapping that holds it.
        path = (*path, str(kind.error.instance))
        allowed = _allowed(kind.error, _keyword_home(kind.error) or home)
        what = "this name is not allowed"
        yield path, document.problem("form-name", what, path, got=shown(kind.error.instance), allowed=allowed)
    elif kind.name == "additionalProperties":
        known = list(home.get("properties", ()))
        for key in kind.unexpected[:_UNKNOWN_KEYS]:
            what, fix = f"unknown key {key!r}", did_you_mean(key, known)
            where = (*path, key)
            yield where, document.problem("form-unknown-key", what, where, allowed=", ".join(known), fix=fix)
        if (left := len(kind.unexpected) - _UNKNOWN_KEYS) > 0:
            yield path, document.problem("form-unknown-key", f"{left} more unknown keys", path)
    elif kind.name == "required":
        what, fix = f"the key {kind.property!r} is missing", _MISSING.get(kind.property, "")
        yield path, document.problem("form-missing-key", what, path, fix=fix)
    else:
        value = document.value
        for step in path:
            value = value[step]
        texts = [each for each in home.get("enum", ()) if isinstance(each, str)]
        fix = did_you_mean(value, texts) if kind.name == "enum" and isinstance(value, str) else ""
        allowed, what = _allowed(error, home), _what(kind.name)
        yield path, document.problem(f"form-{kind.name}", what, path, got=_got(value), allowed=allowed, fix=fix)


def _what(keyword: str) -> str:
    match keyword:
        case "type":
            return "this is of the wrong type"
        case "minimum" | "maximum":
            return "this number is out of range"
        case "minItems" | "minLength":
            return "this is empty"
        case "maxItems" | "maxLength" | "maxProperties":
            return "this is too long"
        case "uniqueItems":
            return "something is in this list twice"
    return "this value is not allowed"


def _got(value: Json) -> str:
    if value is None:
        return "nothing"
    if value in ("", [], {}):
        return f"empty {_TYPES['string' if value == '' else 'array' if value == [] else 'object'].split()[-1]}"
    return shown(value)


def _allowed(error: jsonschema_rs.ValidationError, home: dict[str, Any]) -> str:
    keyword = error.kind.name
    value: Any = home.get(keyword)
    match keyword:
        case "pattern":
            return home.get("patternErrorMessage", value)
        case "type":
            types = value if isinstance(value, list) else [value]
            return " or ".join(_TYPES.get(each, f"a number ({each})") for each in types)
        case "enum":
            return ", ".join(map(str, value or ()))
        case "minimum" | "maximum":
            return f"{home.get('minimum', '')} to {home.get('maximum', '')}"
        case "minItems" | "minLength":
            return f"at least {value}"
        case "maxItems" | "maxLength" | "maxProperties":
            return f"at most {value}"
        case "uniqueItems":
            return "each once"
    return home.get("errorMessage", error.message)


def _keyword_home(error: jsonschema_rs.ValidationError) -> dict[str, Any]:
    """The schema object whose keyword failed."""
    name, _, pointer = (error.absolute_keyword_location or "").removeprefix(_BASE).partition("#/")
    node: Any = _documents().get(name, {})
    for step in pointer.split("/")[:-1]:
        step = step.replace("~1", "/").replace("~0", "~")
        node = node[int(step)] if isinstance(node, list) else node.get(step, {})
    return node
