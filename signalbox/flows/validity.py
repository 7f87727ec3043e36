"""A JSON Schema as JSONata: what is wrong with a value, said inside a state machine, which has no validator.

Translated is what JSONata can say exactly; `unchecked` names the keywords that are left out. They are still validated
where events are: by the Router, for every function and flow that a route gives the event to.
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any

from signalbox.flows.conditions import name_step, text
from signalbox.model import Json, JsonObject
from signalbox.schema import referred

TESTS = 200
"""Tests of one schema: more would make a state that nobody reads."""

_NUMBERS = {"minimum": ">=", "maximum": "<=", "exclusiveMinimum": ">", "exclusiveMaximum": "<"}
_TYPES = {"object": "an object", "array": "a list", "string": "text", "number": "a number", "boolean": "true or false"}
_SAYS_NOTHING = frozenset(("$schema", "$id", "$comment", "$defs", "definitions", "title", "description", "default"))
_SAYS_NOTHING |= {"examples", "deprecated", "readOnly", "writeOnly"}
_CHECKED = frozenset(("type", "properties", "required", "items", "enum", "const", "$ref", *_NUMBERS))
_CHECKED |= {"minLength", "maxLength", "minItems", "maxItems", "minProperties", "maxProperties", "additionalProperties"}


def faults(schema: JsonObject, value: str) -> list[str]:
    """JSONata expressions of which each gives a text that says what is wrong with `value`, or nothing.

    `value` is a variable (`$detail`). At most TESTS of them.
    """
    return [f"{test} ? [] : {text(message)}" for test, message in _tests(schema, schema, value, "", 0)][:TESTS]


def unchecked(schema: JsonObject) -> list[str]:
    """The keywords in `schema` that `faults` does not look at, each once."""
    return list(dict.fromkeys(_unchecked(schema, schema, 0)))


def _unchecked(root: JsonObject, schema: Json, depth: int) -> Iterator[str]:
    if not isinstance(schema, Mapping):
        return
    for keyword, value in schema.items():
        inner = keyword == "additionalProperties" and isinstance(value, Mapping) and value
        if inner or (keyword not in _CHECKED and keyword not in _SAYS_NOTHING):
            yield keyword
    if "$ref" in schema:
        if depth == _DEPTH:
            yield "$ref"
        else:
            yield from _unchecked(root, referred(root, schema["$ref"]), depth + 1)
    for inner in schema.get("properties", {}).values():
        yield from _unchecked(root, inner, depth + 1 if depth else 0)
    yield from _unchecked(root, schema.get("items"), depth)


_DEPTH = 8
"""How far references are followed: what refers to itself is not followed for ever."""


def _tests(root: JsonObject, schema: Json, value: str, where: str, depth: int) -> Iterator[tuple[str, str]]:
    """(a condition that must hold, what is wrong where it does not), such that none can fail to be evaluated."""
    place = where or "detail"
    if schema is False:
        yield "false", f"{place} must not be there"
    if not isinstance(schema, Mapping):
        return
    if "$ref" in schema and depth < _DEPTH:
        yield from _tests(root, referred(root, schema["$ref"]), value, where, depth + 1)
    if "type" in schema:
        yield _of_types(schema["type"], value), f"{place} must be {_words(schema['type'])}"
    if "enum" in schema:
        yield (
            f"$exists({value}) and {_one_of(schema['enum'], value)}",
            f"{place} must be one of {_shown(schema['enum'])}",
        )
    if "const" in schema:
        yield f"$exists({value}) and {_one_of([schema['const']], value)}", f"{place} must be {_shown(schema['const'])}"
    for keyword, operator in _NUMBERS.items():
        if keyword in schema:
            bound = json.dumps(schema[keyword])
            yield (
                f'($type({value}) = "number" ? {value} {operator} {bound} : true)',
                f"{place} must be {operator} {bound}",
            )
    yield from _sizes(schema, value, place)
    for name in schema.get("required", ()):
        test = f'($type({value}) = "object" ? {_has(value, name)} : true)'
        yield test, f"{_inner(where, name)} is missing"
    for name, inner in schema.get("properties", {}).items():
        for test, message in _tests(root, inner, f"{value}.{name_step(name)}", _inner(where, name), depth):
            yield f"({_has(value, name)} ? {test} : true)", message
    if schema.get("additionalProperties") is False:
        names = ", ".join(text(name) for name in schema.get("properties", {}))
        test = f'($type({value}) = "object" ? $not($exists($keys({value})[$not($ in [{names}])])) : true)'
        yield test, f"{place} has a field that is not allowed"
    for test, message in _tests(root, schema.get("items"), "$", f"{where}[]", depth):
        yield f'($type({value}) = "array" ? $not($exists({value}[$not({test})])) : true)', message


def _sizes(schema: JsonObject, value: str, place: str) -> Iterator[tuple[str, str]]:
    for unit, kind, count in (
        ("Length", "string", f"$length({value})"),
        ("Items", "array", f"$count({value})"),
        ("Properties", "object", f"$count($keys({value}))"),
    ):
        for end, operator, words in (("min", ">=", "at least"), ("max", "<=", "at most")):
            if (bound := schema.get(f"{end}{unit}")) is not None:
                test = f'($type({value}) = "{kind}" ? {count} {operator} {json.dumps(bound)} : true)'
                yield test, f"{place} must have {words} {bound} {_UNITS[unit]}"


_UNITS = {"Length": "characters", "Items": "items", "Properties": "fields"}


def _has(value: str, name: str) -> str:
    return f"{text(name)} in $keys({value})"


def _of_types(types: Any, value: str) -> str:
    tests = [_of_type(each, value) for each in (types if isinstance(types, list) else [types])]
    return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"


def _of_type(name: str, value: str) -> str:
    if name == "integer":
        return f'($type({value}) = "number" ? {value} = $floor({value}) : false)'
    return f'$type({value}) = "{name}"'


def _one_of(values: list[Any], value: str) -> str:
    tests = [f"{value} = {json.dumps(each, ensure_ascii=False)}" for each in values]
    return tests[0] if len(tests) == 1 else f"({' or '.join(tests)})"


def _words(types: Any) -> str:
    return " or ".join(_TYPES.get(each, f"an {each}" if each == "integer" else each) for each in _listed(types))


def _listed(types: Any) -> list[str]:
    return types if isinstance(types, list) else [types]


def _shown(value: Any) -> str:
    text_of = json.dumps(value, ensure_ascii=False)
    return text_of if len(text_of) <= 100 else f"{text_of[:99]}…"


def _inner(where: str, name: str) -> str:
    return f"{where}.{name}" if where else name
