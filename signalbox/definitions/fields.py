"""Which fields a schema knows: a pattern on a field that no event has never matches, and nobody notices."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

from signalbox.definitions.places import Document, Path
from signalbox.model import Json
from signalbox.problems import Problem, did_you_mean

_REFERENCES = ("$ref", "$dynamicRef")
_COMBINED = ("allOf", "anyOf", "oneOf")
_ONE = ("if", "then", "else")
_ITEMS = ("items", "contains", "unevaluatedItems")
_OF_EVENTS = ("source", "detail-type", "account", "region", "resources")
_TEXT = {"type": "string"}
_AROUND: Mapping[str, Json] = {
    **dict.fromkeys(("version", "id", "time", *_OF_EVENTS, "replay-name"), _TEXT),
    "resources": {"type": "array", "items": _TEXT},
}
"""The fields of an event beside its detail: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html"""
_STEP = re.compile(r"\.([^.\[]+)|\[(\d+|\*)\]")
_VIEWS = 500
"""Schemas looked at for one field: enough for real ones, a bound for made-up ones."""


class Fields:
    """The schemas that may describe one value, and what fields they know."""

    def __init__(
        self, root: Mapping[str, Json], schemas: list[Json] | None = None, *, into_arrays: bool = True
    ) -> None:
        self._root = root
        self._schemas = [root] if schemas is None else schemas
        self._into_arrays = into_arrays
        self._views = _expanded(root, self._schemas, into_arrays)

    @property
    def closed(self) -> bool:
        """Do the schemas name fields at all? Where they name none, or not by their names only, or refer to what is not
        followed here, every field is as good as another."""
        if any(schema is True for schema in self._schemas):
            return False
        return any("properties" in view for view in self._views) and not any(
            "propertyNames" in view or self._refers_elsewhere(view) for view in self._views
        )

    def _refers_elsewhere(self, view: Mapping[str, Any]) -> bool:
        return any(key in view and _referred(self._root, view[key]) is None for key in _REFERENCES)

    def names(self) -> list[str]:
        """The fields that are named, with a schema of their own or only as required."""
        return list(dict.fromkeys(name for view in self._views for name in _named(view)))

    def field(self, name: str) -> "Fields | None":
        """The schemas of the field `name`; None where the schemas name fields and this one is not among them."""
        found: list[Json] = []
        open_ = not self.closed
        for view in self._views:
            if name in view.get("properties", ()):
                found.append(view["properties"][name])
                continue
            for regex, schema in view.get("patternProperties", {}).items():
                if _matches(regex, name):
                    found.append(schema)
            more = view.get("additionalProperties", view.get("unevaluatedProperties"))
            if isinstance(more, Mapping):
                found.append(more)
            elif more is True:
                open_ = True
            open_ = open_ or name in _named(view)
        if open_:
            found.append(True)  # it may be anything
        return Fields(self._root, found, into_arrays=self._into_arrays) if found else None

    def item(self, index: int) -> "Fields":
        """The schemas of the item `index` of an array."""
        found = []
        for view in self._views:
            first = view.get("prefixItems", ())
            more = view.get("items", view.get("unevaluatedItems", True))
            found.append(first[index] if index < len(first) else more)
        return Fields(self._root, found, into_arrays=self._into_arrays)

    def may_be(self, kind: str) -> bool:
        """May the value be of this JSON type, as far as its schemas say so outright?"""
        types = [each.get("type") if isinstance(each, Mapping) else None for each in self._schemas]
        return not types or any(each is None or kind in ([each] if isinstance(each, str) else each) for each in types)


def check_fields(document: Document, schema: Mapping[str, Json]) -> Iterator[Problem]:
    """A warning for each field of the pattern in `document` that `schema` (of what the pattern is on) does not have."""
    fields = Fields(schema)
    pattern = document.value
    if _is_whole(pattern, fields):
        yield document.problem(
            "pattern-field",
            "the pattern is on the event's detail already, and there the schema has no detail",
            ("detail",),
            allowed=", ".join(fields.names()[:20]),
            fix="write here what is under `detail`; `source` and `detail-type` are the event's, other fields go under"
            " `envelope`",
            severity="warning",
        )
        return
    yield from _check(document, pattern, fields, ())


def check_path(document: Document, place: Path, path: str, schema: Mapping[str, Json]) -> Iterator[Problem]:
    """A warning where `path`, the JSON path at `place` of `document`, leads to what events with this schema of their
    detail do not have."""
    known, prefix = Fields(schema, [{"properties": {**_AROUND, "detail": schema}}], into_arrays=False), "$"
    for key, index in _STEP.findall(path):
        if "*" in (key, index):
            return
        kind = "object" if key else "array"
        if not known.may_be(kind):
            an_item = f"name an item: {prefix}[0].{key}" if key and known.may_be("array") else ""
            what = f"by the schema {prefix} is no {kind}: the path leads nowhere"
            yield document.problem("input-field", what, place, got=path, fix=an_item, severity="warning")
            return
        inner = known.field(key) if key else known.item(int(index))
        if inner is None:
            yield document.problem(
                "input-field",
                f"the event has no field {key!r}: does the path mean another one?",
                place,
                got=path,
                allowed=", ".join(known.names()[:20]),
                fix=did_you_mean(key, known.names()),
                severity="warning",
            )
            return
        known, prefix = inner, f"{prefix}.{key}" if key else f"{prefix}[{index}]"


def _is_whole(pattern: Mapping[str, Json], fields: Fields) -> bool:
    """Is it the whole pattern of a rule, as people know it from EventBridge?"""
    named = fields.names()
    return (
        isinstance(pattern.get("detail"), Mapping)
        and "detail" not in named
        and (fields.field("detail") is None or any(key in pattern and key not in named for key in _OF_EVENTS))
    )


def _check(document: Document, pattern: Json, fields: Fields, path: Path) -> Iterator[Problem]:
    for name, value in pattern.items():
        here = (*path, name)
        if name == "$or" and isinstance(value, list):
            for index, branch in enumerate(value):
                if isinstance(branch, Mapping):
                    yield from _check(document, branch, fields, (*here, index))
            continue
        inner = _descend(fields, name)
        if inner is None:
            so = ", so that this holds where events have only its fields" if value == [{"exists": False}] else ""
            yield document.problem(
                "pattern-field",
                f"the event's schema has no field {name!r}{so}: does the pattern mean another one?",
                here,
                allowed=", ".join(fields.names()[:20]),
                fix=did_you_mean(name, fields.names()) or "add the field to the schema",
                severity="warning",
            )
        elif isinstance(value, Mapping):
            yield from _check(document, value, inner, here)


def _descend(fields: Fields, name: str) -> Fields | None:
    """The field `name`; EventBridge reads a dot in a name as a step into an object, too."""
    found = fields.field(name)
    if found is None and "." in name:
        found = fields
        for step in name.split("."):
            found = found.field(step) if found is not None else None
    return found


def _expanded(root: Mapping[str, Json], schemas: list[Json], into_arrays: bool) -> list[Mapping[str, Any]]:
    """`schemas` with what they refer to and combine: every object schema that may describe the same value.

    `into_arrays`: for an array that is its items, too, as patterns look into arrays.
    """
    views: list[Mapping[str, Any]] = []
    waiting = list(schemas)
    seen: set[int] = set()
    while waiting and len(views) < _VIEWS:
        schema = waiting.pop(0)
        if not isinstance(schema, Mapping) or id(schema) in seen:
            continue
        seen.add(id(schema))
        views.append(schema)
        for keyword in _COMBINED:
            waiting.extend(schema.get(keyword, ()))
        waiting.extend(schema[keyword] for keyword in _ONE if keyword in schema)
        waiting.extend(schema.get("dependentSchemas", {}).values())
        if into_arrays:
            waiting.extend(schema[keyword] for keyword in _ITEMS if keyword in schema)
            waiting.extend(schema.get("prefixItems", ()))
        for keyword in _REFERENCES:
            if keyword in schema:
                waiting.append(_referred(root, schema[keyword]))
    return views


def _named(view: Mapping[str, Any]) -> Iterator[str]:
    yield from view.get("properties", ())
    yield from view.get("required", ())
    for name, others in view.get("dependentRequired", {}).items():
        yield from (name, *others)


def _referred(root: Mapping[str, Json], reference: str) -> Json:
    from signalbox.schema import referred

    return referred(root, reference)


def _matches(regex: str, name: str) -> bool:
    # The regular expressions of a schema are written for the validator's engine; what Python's cannot read is open.
    try:
        return re.search(regex, name) is not None
    except re.error:
        return True
