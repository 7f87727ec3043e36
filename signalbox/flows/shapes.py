"""What is known of a value before anything runs: the input event's schema, followed through expressions.

Known is little and certain: the fields of the event, what a path leads to, what an object constructor makes. Where an
expression computes, nothing is known, and nothing is said.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from signalbox.definitions.fields import Fields
from signalbox.flows.expressions import Expression, kind, pairs
from signalbox.model import Event, Json, JsonObject
from signalbox.problems import did_you_mean
from signalbox.schema import referred

_NUMBERS = frozenset(
    (
        *("abs", "average", "ceil", "count", "floor", "length", "max", "millis"),
        *("min", "number", "power", "random", "round", "sqrt", "sum"),
    )
)
_TEXTS = frozenset(
    (
        *("formatNumber", "fromMillis", "hash", "join", "lowercase", "now", "pad", "string"),
        *("substring", "trim", "type", "uppercase", "uuid"),
    )
)
_TRUTHS = frozenset((*("boolean", "contains", "exists", "not"),))
_REFERENCES = 8


@dataclass(frozen=True, slots=True)
class Shape:
    """A value's schema (in its document `root`), or, for one that is put together, the shapes of its `fields`."""

    schema: Json = field(default_factory=dict)
    root: JsonObject = field(default_factory=dict)
    fields: "Mapping[str, Shape | None] | None" = None

    def field(self, name: str) -> "Shape | None":
        """The shape under `name`, of an object or of each in a list; None: not known."""
        if self.fields is not None:
            return self.fields.get(name)
        for schema in (self.resolved(), self._items()):
            if isinstance(schema, Mapping) and name in schema.get("properties", {}):
                return Shape(schema["properties"][name], self.root)
        return None

    def lacks(self, name: str) -> list[str] | None:
        """The fields that there are, where it is certain that `name` is none of them; else None."""
        if self.fields is not None:
            return None if name in self.fields else [*self.fields]
        known = Fields(self.root, [self.schema])
        return known.names() if known.field(name) is None else None

    def item(self) -> "Shape | None":
        """The shape of each item of a list; None: not known."""
        items = self._items()
        return Shape(items, self.root) if isinstance(items, Mapping) else None

    def resolved(self) -> Json:
        """The schema, references followed."""
        schema = self.schema
        for _ in range(_REFERENCES):
            if not isinstance(schema, Mapping) or "$ref" not in schema:
                break
            schema = referred(self.root, schema["$ref"])
        return schema

    def type(self) -> str | None:
        """The one JSON Schema type that the value has; None: not known."""
        if self.fields is not None:
            return "object"
        schema = self.resolved()
        found = schema.get("type") if isinstance(schema, Mapping) else None
        return found if isinstance(found, str) else None

    def _items(self) -> Json:
        schema = self.resolved()
        return schema.get("items") if isinstance(schema, Mapping) else None


_TEXT = Shape({"type": "string"})
_TEXTS_LIST = Shape({"type": "array", "items": {"type": "string"}})


def of_event(event: Event | None) -> Shape:
    """The shape of a whole event; `event` None: of some event."""
    names = ("version", "id", "detail-type", "source", "account", "time", "region", "replay-name", "ingestion-time")
    detail = Shape(event.schema, event.schema) if event is not None else None
    return Shape(fields={**dict.fromkeys(names, _TEXT), "resources": _TEXTS_LIST, "detail": detail})


def of_error() -> Shape:
    """The shape of what the steps of `catch` are given."""
    error = Shape(fields={"step": _TEXT, "name": _TEXT, "cause": _TEXT})
    return Shape(fields={"error": error})


Lacking = Callable[[str, list[str]], None]
"""Told of a field that a value does not have, and of those that it has."""


def infer(expression: Expression, known: Mapping[str, Shape | None], lacking: Lacking) -> Shape | None:
    """The shape of what `expression` gives, its variables having the shapes `known`; None: not known.

    Only what leads to the result is followed, and `lacking` told of what is missing on every path from a variable.
    """
    for path in _paths(expression.tree):
        _follow(path, known, lacking)
    return _infer(expression.tree, known)


def _paths(node: Any) -> Iterator[Any]:
    from signalbox.flows.expressions import parts

    waiting = [node]
    while waiting:
        each = waiting.pop()
        waiting += parts(each)
        if kind(each) == "path":
            yield each


def _follow(path: Any, known: Mapping[str, Shape | None], lacking: Lacking) -> Shape | None:
    first = path.steps[0]
    shape = known.get(first.value) if kind(first) == "variable" else None
    for step in path.steps[1:]:
        if shape is None or kind(step) not in ("name", "string"):
            return None
        if (names := shape.lacks(step.value)) is not None:
            lacking(step.value, names)
            return None
        shape = shape.field(step.value)
    return shape


def _silent(name: str, names: list[str]) -> None:
    del name, names


def _plain(path: Any) -> bool:
    """Does the path give exactly the value that it leads to?"""
    return not getattr(path, "group", None) and not any(
        getattr(step, "predicate", None) or getattr(step, "stages", None) for step in path.steps
    )


def _infer(node: Any, known: Mapping[str, Shape | None]) -> Shape | None:
    match kind(node):
        case "variable" if not getattr(node, "predicate", None):
            return known.get(node.value)
        case "path" if _plain(node):
            return _follow(node, known, _silent)
        case "string":
            return Shape({"type": "string", "const": node.value})
        case "number":
            return Shape({"type": "number", "const": node.value})
        case "block" if len(node.expressions or ()) == 1:
            return _infer(node.expressions[0], known)
        case "unary" if node.value == "{":
            if all(kind(key) == "string" for key, _ in pairs(node)):
                return Shape(fields={key.value: _infer(value, known) for key, value in pairs(node)})
        case "unary" if node.value == "[":
            return Shape({"type": "array"})
        case "binary":
            word = {"&": "string"}.get(node.value) or ("number" if node.value in "+-*/%" else "boolean")
            return Shape({"type": word}) if node.value != ".." else None
        case "function":
            return _result(getattr(node.procedure, "value", None))
    return None


def _result(function: str | None) -> Shape | None:
    for names, word in ((_NUMBERS, "number"), (_TEXTS, "string"), (_TRUTHS, "boolean")):
        if function in names:
            return Shape({"type": word})
    return None


def misfits(shape: Shape, schema: JsonObject) -> Iterator[tuple[str, str]]:
    """(what is wrong, how to mend it) of a value of `shape`, by `schema`: only what is certain before it is made."""
    if shape.fields is None:
        found = shape.type()
        if found is not None and found != "object":
            yield f"it is of type {found}, and a detail is an object", "give an object: {…}"
        return
    properties = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in shape.fields:
            yield f"the field {name!r} is missing", f"add it: {{{name!r}: …}}"
    for name, value in shape.fields.items():
        if name not in properties:
            if schema.get("additionalProperties") is False:
                yield f"the field {name!r} is not allowed", did_you_mean(name, properties) or "leave it out"
            continue
        wanted = Shape(properties[name], schema)
        if value is not None and (fault := _misfit(value, wanted)):
            yield f"the field {name!r} is {fault[0]}, and must be {fault[1]}", ""


def _misfit(value: Shape, wanted: Shape) -> tuple[str, str] | None:
    have, want = value.type(), wanted.type()
    if have and want and have != want and {have, want} != {"integer", "number"}:
        return f"of type {have}", want
    schema, limits = value.resolved(), wanted.resolved()
    if isinstance(schema, Mapping) and isinstance(limits, Mapping) and "const" in schema and value.fields is None:
        allowed = limits.get("enum", [limits["const"]] if "const" in limits else None)
        if allowed is not None and schema["const"] not in allowed:
            return repr(schema["const"]), f"one of {', '.join(map(repr, allowed))}"
    return None
