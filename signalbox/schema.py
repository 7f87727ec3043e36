"""JSON Schema (2020-12) of an event's `detail`: compiled once, then checked in microseconds.

This runs in the Router for every event, so it imports one small compiled library and nothing else. What a schema may
not do is fetch (`$ref` reaches no other document) or take long (regular expressions run in linear time; a schema that
would be evaluated more than `EVALUATIONS` times at one place is refused).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from signalbox.model import Json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EVALUATIONS = 10_000
MESSAGE_LENGTH = 300
ERRORS = 20
DEPTH = 128
"""Levels of nesting of a detail. The validator recurses; deeper values are refused, not followed."""

# Where subschemas are. https://json-schema.org/draft/2020-12/json-schema-core#section-10
_ONE = frozenset(
    [
        *("additionalProperties", "contains", "contentSchema", "else", "if", "items", "not", "propertyNames", "then"),
        *("unevaluatedItems", "unevaluatedProperties"),
    ]
)
_MANY = frozenset(("allOf", "anyOf", "oneOf", "prefixItems"))
_NAMED = frozenset(("$defs", "definitions", "dependentSchemas", "patternProperties", "properties"))
_IN_PLACE = frozenset(("allOf", "anyOf", "oneOf", "not", "if", "then", "else", "dependentSchemas"))
_REFERENCES = ("$ref", "$dynamicRef")

SchemaPath = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class SchemaFault:
    """What is wrong with a schema, and where in it. `code` is the kind of fault, for scripts."""

    code: str
    what: str
    path: SchemaPath = ()
    got: str = ""
    allowed: str = ""
    fix: str = ""


class SchemaError(ValueError):
    """A schema that cannot be used: carries every fault found."""

    def __init__(self, faults: list[SchemaFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"/{'/'.join(map(str, f.path))}: {f.what} {f.got}".rstrip() for f in faults))


@dataclass(frozen=True, slots=True)
class Violation:
    """Where a value does not fit its schema: `path` (keys and indexes from the root), and what was expected there."""

    path: SchemaPath
    message: str

    @property
    def pointer(self) -> str:
        """`path` as a JSON pointer (RFC 6901); empty: the whole value."""
        return "".join(f"/{str(step).replace('~', '~0').replace('/', '~1')}" for step in self.path)

    def __str__(self) -> str:
        return f"{self.pointer or '(whole)'}: {self.message}"


class Validator:
    """A compiled schema. Made by `compile_schema`."""

    __slots__ = ("_compiled",)

    def __init__(self, compiled: jsonschema_rs.Validator) -> None:
        self._compiled = compiled

    def errors(self, value: Json, limit: int = ERRORS) -> list[Violation]:
        """Where `value` does not fit, at most `limit` places; empty when it fits."""
        if _deeper_than(value, DEPTH):
            return [Violation((), f"nested deeper than {DEPTH} levels")]
        try:
            if self._compiled.is_valid(value):
                return []
            found: list[Violation] = []
            for error in self._compiled.iter_errors(value):
                found.append(Violation(path_in(value, error.instance_path), _bounded(error.message)))
                if len(found) == limit:
                    break
            return found
        except ValueError as error:  # what JSON cannot say: NaN, a lone surrogate, a key that is no text
            return [Violation((), _bounded(f"not JSON: {error}"))]

    def accepts(self, value: Json) -> bool:
        """Does `value` fit the schema?"""
        return not self.errors(value, limit=1)


def compile_schema(schema: Mapping[str, Json]) -> Validator:
    """The validator of `schema`, a JSON Schema of draft 2020-12. Raises SchemaError with all faults."""
    faults = check_schema(schema)
    if faults:
        raise SchemaError(faults)
    return _compile(schema)


def check_schema(schema: Mapping[str, Json]) -> list[SchemaFault]:
    """What is wrong with `schema`; empty when it can be compiled."""
    faults: list[SchemaFault] = []
    for error in _meta().iter_errors(schema):
        allowed = _bounded(error.message)
        faults.append(
            SchemaFault("schema-invalid", "no valid JSON Schema", path_in(schema, error.instance_path), allowed=allowed)
        )
        if len(faults) == ERRORS:
            break
    if faults:
        return faults
    parts = list(subschemas(schema))
    for path, part in parts:
        faults.extend(_faults_of_part(path, part))
    if not any("$id" in part for _, part in parts[1:]):  # an inner $id changes what references are relative to
        faults.extend(_lost_references(schema, parts))
    if not faults and (evaluations := _evaluations(schema)) > EVALUATIONS:
        faults.append(
            SchemaFault(
                "schema-expensive",
                "the schema's nested combinations would be evaluated too often",
                got=f"{evaluations} times for one value",
                allowed=str(EVALUATIONS),
                fix="say the same with fewer nested allOf, anyOf, oneOf and $ref",
            )
        )
    if not faults:
        try:
            _compile(schema)
        except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
            faults.append(SchemaFault("schema-invalid", "no usable JSON Schema", allowed=_bounded(_first_line(error))))
    return faults


def path_in(value: Json, steps: Iterable[str | int]) -> SchemaPath:
    """`steps` as a path in `value`: the validator tells the key "0" of an object as the index 0, and leaves out keys
    that are empty. Ends early, at a whole that holds the part, where a step leads nowhere."""
    path: list[str | int] = []
    for step in steps:
        if isinstance(value, Mapping):
            step = str(step)
            while step not in value and isinstance(value.get(""), Mapping):
                path.append("")
                value = value[""]
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            break
        path.append(step)
    return tuple(path)


def subschemas(schema: Json, path: SchemaPath = ()) -> Iterator[tuple[SchemaPath, Mapping[str, Json]]]:
    """Every object schema in `schema`, itself first, with its path. Only where JSON Schema looks for schemas: a
    property that is called `pattern`, or an `enum` that holds one, is none."""
    if not isinstance(schema, Mapping):
        return
    yield path, schema
    for keyword, value in schema.items():
        if keyword in _ONE:
            yield from subschemas(value, (*path, keyword))
        elif keyword in _MANY and isinstance(value, list):
            for index, part in enumerate(value):
                yield from subschemas(part, (*path, keyword, index))
        elif keyword in _NAMED and isinstance(value, Mapping):
            for name, part in value.items():
                yield from subschemas(part, (*path, keyword, name))


def _compile(schema: Any) -> Validator:
    return Validator(
        jsonschema_rs.Draft202012Validator(
            schema, validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    )


def _meta() -> jsonschema_rs.Validator:
    global _meta_validator
    if _meta_validator is None:
        _meta_validator = jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, offline=True)
    return _meta_validator


_meta_validator: jsonschema_rs.Validator | None = None


def _faults_of_part(path: SchemaPath, part: Mapping[str, Json]) -> Iterator[SchemaFault]:
    dialect = part.get("$schema")
    if dialect is not None and dialect.rstrip("#") != DIALECT:
        yield SchemaFault(
            "schema-dialect", "this JSON Schema dialect is not supported", (*path, "$schema"), dialect, DIALECT
        )
    if isinstance(part.get("pattern"), str):
        yield from _regex_fault((*path, "pattern"), part["pattern"])
    for regex in part.get("patternProperties", ()):
        yield from _regex_fault((*path, "patternProperties", regex), regex)
    for keyword in _REFERENCES:
        reference = part.get(keyword)
        if isinstance(reference, str) and not reference.startswith("#") and reference.rstrip("#") != DIALECT:
            yield SchemaFault(
                "schema-remote-ref",
                "a reference must stay inside the schema: nothing is fetched",
                (*path, keyword),
                reference,
                "#/$defs/<name>",
                "copy what it refers to into $defs",
            )


def _lost_references(
    schema: Mapping[str, Json], parts: list[tuple[SchemaPath, Mapping[str, Json]]]
) -> Iterator[SchemaFault]:
    for path, part in parts:
        for keyword in _REFERENCES:
            reference = part.get(keyword)
            if isinstance(reference, str) and reference.startswith("#/") and referred(schema, reference) is None:
                known = ", ".join(f"#/$defs/{name}" for name in list(schema.get("$defs", ()))[:10])
                what = "this reference leads to nothing"
                yield SchemaFault("schema-lost-ref", what, (*path, keyword), reference, known)


def _regex_fault(path: SchemaPath, regex: str) -> Iterator[SchemaFault]:
    if _regex_works(regex, jsonschema_rs.RegexOptions()):
        return
    if _regex_works(regex, jsonschema_rs.FancyRegexOptions()):
        yield SchemaFault(
            "schema-regex-backtracking",
            "this regular expression needs backtracking, which can take for ever",
            path,
            regex,
            "no lookahead, lookbehind or backreference",
            "say it with several patterns in allOf, or with not",
        )
    else:
        yield SchemaFault("schema-regex", "no valid regular expression, or one that is too big", path, regex)


def _regex_works(regex: str, engine: Any) -> bool:
    try:
        jsonschema_rs.Draft202012Validator({"pattern": regex}, offline=True, pattern_options=engine)
    except (jsonschema_rs.ValidationError, ValueError):
        return False
    return True


def _evaluations(schema: Mapping[str, Json]) -> int:
    """How often subschemas are evaluated for one value at one place, references followed: the number that doubles with
    every level of `allOf: [{$ref: a}, {$ref: a}]`."""
    known: dict[int, int] = {}

    def count(part: Json) -> int:
        if not isinstance(part, Mapping):
            return 1
        if (before := known.get(id(part))) is not None:
            return before
        known[id(part)] = 1  # a reference back to where we are is not followed twice
        total = 1
        for keyword, value in part.items():
            if keyword in ("$ref", "$dynamicRef") and isinstance(value, str):
                total += count(referred(schema, value))
            elif keyword in _IN_PLACE:
                inner = (
                    value if isinstance(value, list) else value.values() if keyword == "dependentSchemas" else [value]
                )
                total += sum(map(count, inner))
            if total > EVALUATIONS:
                break
        known[id(part)] = total
        return total

    return max((count(part) for _, part in subschemas(schema)), default=1)


def _combined(keyword: str, value: Any) -> Iterable[Json]:
    if keyword == "dependentSchemas":
        return value.values()
    return value if isinstance(value, list) else [value]


def referred(schema: Mapping[str, Json], reference: str) -> Json:
    """The part of `schema` that `reference` points at, or None where it points at none, or elsewhere."""
    if reference == "#":
        return schema
    if not reference.startswith("#/"):
        return None
    from urllib.parse import unquote

    node: Any = schema
    for step in unquote(reference[2:]).split("/"):
        step = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, Mapping) and step in node:
            node = node[step]
        elif isinstance(node, list) and step.isdecimal() and int(step) < len(node):
            node = node[int(step)]
        else:
            return None
    return node


def _deeper_than(value: Json, levels: int) -> bool:
    """Is `value` nested deeper than `levels`? Level by level, as a recursion could be what a deep value breaks."""
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        if not layer:
            return False
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(layer)


def _bounded(message: str) -> str:
    return message if len(message) <= MESSAGE_LENGTH else f"{message[: MESSAGE_LENGTH - 1]}…"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
