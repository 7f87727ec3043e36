"""JSON Schema (2020-12) of an event's `detail`: compiled once, then checked in microseconds.

This runs in the Router for every event, so it imports one small compiled library and nothing else. What a schema may
not do is fetch (`$ref` reaches no other document) or take long: regular expressions run in linear time, and what a
schema costs at worst is counted beforehand. Recursion that branches (an expression that is any of ten kinds, each with
expressions inside) costs a multiple with every level of a value, so such a schema takes values of some levels only.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import jsonschema_rs

from signalbox.model import Json

DIALECT = "https://json-schema.org/draft/2020-12/schema"
EVALUATIONS = 1_000_000
"""How often the subschemas of a schema may be looked at for one place of a value, at worst."""
WORK = 10_000_000
"""The same for all places of a value together: some tenths of a second to say yes or no."""
WORK_OF_ERRORS = 50_000
"""The same for saying why not, which costs a hundred times as much where alternatives fail."""
MESSAGE_LENGTH = 300
ERRORS = 20
DEPTH = 128
"""Levels of nesting of a detail, and of a schema. The validator recurses; deeper ones are refused, not followed."""
MIN_LEVELS = 3
"""Levels of nesting that a detail must be able to have for its schema to be of use."""

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

    __slots__ = ("_compiled", "_costs")

    def __init__(self, compiled: jsonschema_rs.Validator, costs: list[int]) -> None:
        self._compiled = compiled
        self._costs = costs

    def errors(self, value: Json, limit: int = ERRORS) -> list[Violation]:
        """Where `value` does not fit, at most `limit` places; empty when it fits."""
        depth, places = _extent(value)
        if depth >= len(self._costs):
            return [Violation((), f"nested deeper than {len(self._costs) - 1} levels, more than this schema can check")]
        work = places * self._costs[depth]
        if work > WORK:
            return [Violation((), f"with {places} places too big for a schema as complex as this one")]
        try:
            if self._compiled.is_valid(value):
                return []
            if work > WORK_OF_ERRORS:
                return [Violation((), "does not fit; the value and the schema are too complex to say where")]
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
    if faults := _faults(schema):
        raise SchemaError(faults)
    costs = _costs(schema)
    if len(costs) <= MIN_LEVELS:
        raise SchemaError([_expensive(len(costs))])
    try:
        compiled = jsonschema_rs.Draft202012Validator(
            dict(schema), validate_formats=True, offline=True, pattern_options=jsonschema_rs.RegexOptions()
        )
    except (jsonschema_rs.ValidationError, jsonschema_rs.ReferencingError, ValueError) as error:
        fault = SchemaFault("schema-invalid", "no usable JSON Schema", allowed=_bounded(_first_line(error)))
        raise SchemaError([fault]) from error
    return Validator(compiled, costs)


def _faults(schema: Mapping[str, Json]) -> list[SchemaFault]:
    """What can be said to be wrong before compiling, with its place."""
    if _extent(schema)[0] > DEPTH:
        return [SchemaFault("schema-invalid", "the schema is nested too deeply", allowed=f"{DEPTH} levels")]
    faults: list[SchemaFault] = []
    for error in _meta().iter_errors(schema):
        path, allowed = path_in(schema, error.instance_path), _bounded(error.message)
        fault = SchemaFault("schema-invalid", "no valid JSON Schema", path, allowed=allowed)
        if fault not in faults:  # each vocabulary of the meta-schema says it again
            faults.append(fault)
        if len(faults) == ERRORS:
            break
    # What is well-formed is looked at all the same, so that all faults are told at once.
    parts = list(subschemas(schema))
    named = any("$id" in part for _, part in parts)
    for path, part in parts:
        faults.extend(_faults_of_part(path, part, named=named))
    if not any("$id" in part for _, part in parts[1:]):  # an inner $id changes what references are relative to
        faults.extend(_lost_references(schema, parts))
    return faults


def _expensive(levels: int) -> SchemaFault:
    return SchemaFault(
        "schema-expensive",
        "the schema's nested combinations would be evaluated too often",
        got=f"more than {EVALUATIONS} times for a value of {levels} level{'s' if levels != 1 else ''}",
        allowed=f"at most {EVALUATIONS} for one of {MIN_LEVELS} levels",
        fix="say the same with fewer nested allOf, anyOf, oneOf and $ref",
    )


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


def _meta() -> jsonschema_rs.Validator:
    global _meta_validator
    if _meta_validator is None:
        _meta_validator = jsonschema_rs.Draft202012Validator({"$ref": DIALECT}, offline=True)
    return _meta_validator


_meta_validator: jsonschema_rs.Validator | None = None


def _faults_of_part(path: SchemaPath, part: Mapping[str, Json], *, named: bool) -> Iterator[SchemaFault]:
    """`named`: some part of the schema has an `$id`, which references may lead to; compiling tells whether they do."""
    dialect = part.get("$schema")
    if isinstance(dialect, str) and dialect.rstrip("#") != DIALECT:
        yield SchemaFault(
            "schema-dialect", "this JSON Schema dialect is not supported", (*path, "$schema"), dialect, DIALECT
        )
    if isinstance(part.get("pattern"), str):
        yield from _regex_fault((*path, "pattern"), part["pattern"])
    for regex in _mapping(part.get("patternProperties")):
        yield from _regex_fault((*path, "patternProperties", regex), regex)
    for keyword in _REFERENCES:
        reference = part.get(keyword)
        if isinstance(reference, str) and not (named or reference.startswith("#")) and reference.rstrip("#") != DIALECT:
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
                known = ", ".join(f"#/$defs/{name}" for name in list(_mapping(schema.get("$defs")))[:10])
                what = "this reference leads to nothing"
                yield SchemaFault("schema-lost-ref", what, (*path, keyword), reference, known)


def _mapping(value: Json) -> Mapping[str, Json]:
    """`value` where it is a mapping, else an empty one: that it should be one is told already."""
    return value if isinstance(value, Mapping) else {}


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


def _costs(schema: Mapping[str, Json]) -> list[int]:
    """For values of 0, 1, 2, … levels: how often subschemas are evaluated, at worst, on the way to one place.

    The list ends at DEPTH, or before a number beyond EVALUATIONS.
    """
    edges = _edges(schema)
    order = _order(schema, edges)
    costs: list[int] = []
    before: dict[int, int] = {}
    for _ in range(DEPTH + 1):
        now: dict[int, int] = {}
        for node in order:  # what is evaluated at the same place comes first; a way back to it counts as one
            here, fields, others = edges[node]
            total = 1 + sum(now.get(each, 1) for each in here)
            total += max((before.get(each, 1) for each in fields), default=0)
            total += sum(before.get(each, 1) for each in others)
            now[node] = min(total, EVALUATIONS + 1)
        if now[id(schema)] > EVALUATIONS:
            break
        costs.append(now[id(schema)])
        if now == before:
            return costs + [costs[-1]] * (DEPTH + 1 - len(costs))
        before = now
    return costs


_Edges = tuple[list[int], list[int], list[int]]
"""Of a subschema: those evaluated at the same place; those of single fields or items, of which a place has one; and
those of fields and items that can meet at one place."""


def _edges(schema: Mapping[str, Json]) -> dict[int, _Edges]:
    parts = [part for _, part in subschemas(schema)]
    anchors: dict[str, list[Mapping[str, Json]]] = {}
    for part in parts:
        for keyword in ("$anchor", "$dynamicAnchor"):
            if isinstance(part.get(keyword), str):
                anchors.setdefault(f"#{part[keyword]}", []).append(part)
        if isinstance(part.get("$id"), str):
            anchors.setdefault(part["$id"], []).append(part)
    edges: dict[int, _Edges] = {}
    waiting = parts
    while waiting:
        part = waiting.pop()
        if id(part) in edges:
            continue
        here: list[Json] = []
        fields: list[Json] = []
        others: list[Json] = []
        for keyword, value in part.items():
            if keyword in _REFERENCES and isinstance(value, str):
                here += anchors.get(value) or [referred(schema, value)]
            elif keyword in _IN_PLACE:
                here += _combined(keyword, value)
            elif keyword in ("properties", "prefixItems"):
                fields += value.values() if isinstance(value, Mapping) else value
            elif keyword == "patternProperties":
                others += value.values()
            elif keyword in _ONE:
                others.append(value)
        found = [[each for each in group if isinstance(each, Mapping)] for group in (here, fields, others)]
        edges[id(part)] = (
            [id(each) for each in found[0]],
            [id(each) for each in found[1]],
            [id(each) for each in found[2]],
        )
        waiting += [each for group in found for each in group]  # references reach what is no subschema by its place
    # What leads nowhere is looked at once wherever it stands, and needs no counting.
    return {node: each for node, each in edges.items() if node == id(schema) or any(each)}


def _order(schema: Mapping[str, Json], edges: dict[int, _Edges]) -> list[int]:
    """The subschemas, each after those that are evaluated at the same place as it, as far as no circle prevents it."""
    order: list[int] = []
    seen: set[int] = set()
    for start in [id(schema), *edges]:
        path = [(start, iter(edges[start][0]))] if start not in seen else []
        seen.add(start)
        while path:
            node, following = path[-1]
            for each in following:
                if each not in seen and each in edges:
                    seen.add(each)
                    path.append((each, iter(edges[each][0])))
                    break
            else:
                order.append(node)
                path.pop()
    return order


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


def _extent(value: Json) -> tuple[int, int]:
    """Levels of nesting of `value` (0: neither object nor array; at most DEPTH + 1), and how many values it has.

    Level by level, because a recursion could be what a deep value breaks.
    """
    places = 1
    layer = [value] if isinstance(value, dict | list) else []
    for level in range(DEPTH + 1):
        if not layer:
            return level, places
        inner = [part for outer in layer for part in (outer.values() if isinstance(outer, dict) else outer)]
        places += len(inner)
        layer = [part for part in inner if isinstance(part, dict | list)]
    return DEPTH + 1, places


def _bounded(message: str) -> str:
    """`message`, its middle left out where it is long: values stand first in messages, and what is wrong last."""
    half = MESSAGE_LENGTH // 2
    return message if len(message) <= MESSAGE_LENGTH else f"{message[:half]} … {message[-half:]}"


def _first_line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
