"""What patterns say that nobody means: found by holding them against the schema of the event.

Every finding is a warning: the pattern is one that EventBridge takes. What is said is certain for events that fit the
schema; where a schema leaves a question open, nothing is said. One thing is taken for granted: that events have no
fields with dots in their names which the schema does not name. EventBridge takes `{"a.b": 1}` for `{"a": {"b": 1}}`.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from signalbox.canonical import canonical
from signalbox.classic import pattern_of
from signalbox.definitions.places import Document
from signalbox.model import Event, Json, Route
from signalbox.patterns import Condition, Leaf, Pattern
from signalbox.problems import Problem
from signalbox.schema import referred, subschemas

_SCALARS = frozenset(("string", "number", "boolean", "null"))
_ALL = _SCALARS | {"object", "array"}
_DETAIL = "detail"
_IN_ADDRESSES = frozenset("0123456789abcdefABCDEF.:")
_COMPARED = 5.0e9
# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html ("Numeric matching")
_DEPTH = 20
"""Levels of allOf, $ref and arrays that are followed."""


class Known:
    """What a schema says for certain of one value: all of `views` must hold of it. No views: nothing is known."""

    def __init__(self, root: Mapping[str, Json], schemas: Sequence[Json], depth: int = 0) -> None:
        self._root = root
        self._depth = depth
        self.never = any(schema is False for schema in schemas)
        self.views = _certain(root, schemas)

    @property
    def types(self) -> frozenset[str]:
        """The JSON types that the value can have; `number` stands for integers, too."""
        types = _ALL
        for view in self.views:
            said = view.get("type")
            if isinstance(said, str):
                said = [said]
            if isinstance(said, list):
                types &= {"number" if each == "integer" else each for each in said}
            if "const" in view:
                types &= {_type(view["const"])}
            if "enum" in view:
                types &= {_type(value) for value in view["enum"]}
        return types

    @property
    def integer(self) -> bool:
        """Must a number be whole?"""
        return any(
            "integer" in _list(view.get("type")) and "number" not in _list(view.get("type")) for view in self.views
        )

    def values(self) -> list[Json] | None:
        """All values that are possible, if they are listed or the type has few; None: they are not known."""
        for view in self.views:
            if "const" in view:
                return [view["const"]]
            if "enum" in view:
                return [value for value in view["enum"] if _type(value) in self.types]
        if self.types and self.types <= {"boolean", "null"}:
            return [value for value in (True, False, None) if _type(value) in self.types]
        return None

    def field(self, name: str) -> "Known":
        """What is known of the field `name` of the value, where it is an object."""
        found: list[Json] = []
        for view in self.views:
            properties = view.get("properties", {})
            if name in properties:
                found.append(properties[name])
            elif not view.get("patternProperties") and "additionalProperties" in view:
                found.append(view["additionalProperties"])
        return Known(self._root, found, self._depth + 1)

    def dotted(self) -> bool:
        """Do fields have dots in their names?"""
        return any("." in name for view in self.views for name in view.get("properties", ()))

    def required(self, name: str) -> bool:
        """Must the value, where it is an object, have the field `name`?"""
        return any(name in view.get("required", ()) for view in self.views)

    def items(self) -> "Known | None":
        """What is known of every item of the value, where it is an array; None beyond what is followed."""
        if self._depth > _DEPTH:
            return None
        found = [view["items"] for view in self.views if "items" in view and "prefixItems" not in view]
        return Known(self._root, found, self._depth + 1)

    def range(self) -> tuple[float, bool, float, bool]:
        """Least and most that a number can be, and whether each of them itself is possible."""
        low, has_low, high, has_high = float("-inf"), True, float("inf"), True
        for view in self.views:
            for keyword, inclusive in (("minimum", True), ("exclusiveMinimum", False)):
                bound = view.get(keyword)
                if bound is not None and (bound > low or (bound == low and not inclusive)):
                    low, has_low = bound, inclusive
            for keyword, inclusive in (("maximum", True), ("exclusiveMaximum", False)):
                bound = view.get(keyword)
                if bound is not None and (bound < high or (bound == high and not inclusive)):
                    high, has_high = bound, inclusive
        return low, has_low, high, has_high


def check_findings(event: Event, patterns: Mapping[str, Pattern], document: Document) -> Iterator[Problem]:
    """The findings of the routes of `event`; `patterns` are those of the rules of its routes."""
    yield from _unlike_samples(event, document)
    if any("$id" in part for path, part in subschemas(event.schema) if path):
        return  # what references lead to would be another question
    schema = Known(event.schema, [event.schema])
    for name, route in event.routes.items():
        part = document.part("routes", name)
        if route.pattern:
            yield from _route_findings(patterns[name], schema, part)
        if _takes_the_bus(event, route):
            yield part.problem(
                "route-takes-bus",
                "this route takes every event on the bus, of whatever source",
                fix="give the event a source, or the route a pattern or an envelope",
                severity="warning",
            )
    yield from _twins(event, document)


def _route_findings(pattern: Pattern, schema: Known, part: Document) -> Iterator[Problem]:
    leaves = of_detail(pattern.leaves)
    impossible = {id(leaf): why for leaf in leaves if (why := _impossible(leaf, schema))}
    if all(any(id(leaf) in impossible for leaf in alternative) for alternative in pattern.alternatives):
        leaf = next(leaf for leaf in leaves if id(leaf) in impossible)
        yield part.problem(
            "pattern-never",
            "no event that fits the schema can match this pattern",
            ("pattern", *leaf.place[1:]),
            got=f"{leaf.field} must {leaf.words}",
            allowed=impossible[id(leaf)],
            fix="mend the pattern or the schema",
            severity="warning",
        )
        return
    for leaf in leaves:
        yield from _large_numbers(leaf, part)
        if id(leaf) in impossible:
            yield part.problem(
                "pattern-branch-never",
                "no event that fits the schema can match this part of the pattern",
                ("pattern", *leaf.place[1:]),
                got=f"{leaf.field} must {leaf.words}",
                allowed=impossible[id(leaf)],
                severity="warning",
            )
        else:
            yield from _dead_conditions(leaf, schema, part)
    always = {id(leaf) for leaf in leaves if _certain_to_hold(leaf, schema)}
    if any(all(id(leaf) in always for leaf in of_detail(each)) for each in pattern.alternatives):
        yield part.problem(
            "pattern-always",
            "every event that fits the schema matches this pattern",
            ("pattern",),
            fix="leave the pattern out, if that is meant",
            severity="warning",
        )


def _large_numbers(leaf: Leaf, part: Document) -> Iterator[Problem]:
    for index, condition in enumerate(leaf.conditions):
        large = (
            [text for _, text in condition.values if abs(float(text)) > _COMPARED]
            if condition.operator == "numeric"
            else []
        )
        if large:
            yield part.problem(
                "pattern-numeric-range",
                "EventBridge documents `numeric` for numbers from -5.0e9 to 5.0e9 only",
                ("pattern", *leaf.place[1:], index),
                got=", ".join(large),
                fix="try it with `aws events test-event-pattern` before you rely on it",
                severity="warning",
            )


def of_detail(leaves: Iterable[Leaf]) -> list[Leaf]:
    """Those of the leaves of a rule's pattern that are on the detail."""
    return [leaf for leaf in leaves if leaf.path[0] == _DETAIL]


def _dead_conditions(leaf: Leaf, schema: Known, part: Document) -> Iterator[Problem]:
    """Values in a list that the field never has: most often one that is misspelt, or was renamed in the schema."""
    known, _ = _at(schema, leaf.path[1:])
    if known is None or len(leaf.conditions) < 2:
        return
    for index, condition in enumerate(leaf.conditions):
        if condition.operator in ("equals", "exactly") and not _possible(condition, known):
            yield part.problem(
                "pattern-value-never",
                f"{leaf.field} never has this value",
                ("pattern", *leaf.place[1:], index),
                got=str(condition.values[0]),
                allowed=_allowed(known),
                severity="warning",
            )


def _impossible(leaf: Leaf, schema: Known) -> str:
    """Why no event that fits `schema` can meet `leaf`; empty where one can, or where that cannot be told."""
    known, required = _at(schema, leaf.path[1:])
    if known is None:
        return ""
    if leaf.absent:
        if required and len(leaf.conditions) == 1 and "object" not in known.types and known.types <= _SCALARS:
            return f"{leaf.field} is always there"
        return ""
    if known.never:
        return f"{leaf.field} is never there"
    if any(_possible(condition, known) for condition in leaf.conditions):
        return ""
    return _allowed(known) or "another type"


def _at(schema: Known, path: tuple[str, ...]) -> tuple[Known | None, bool]:
    """What is known of the field at `path`, and whether it must be there. None where nothing is known for certain."""
    known, required = schema, True
    types = frozenset({"object"})  # a detail is an object, whether the schema says so or not
    for name in path:
        if "array" in types:
            items = known.items()
            if "object" in types or items is None or not items.views or "array" in items.types:
                return None, False  # it may be this or that: nothing certain can be said of what is inside
            known, required, types = items, False, items.types
        if "object" not in types:
            return Known({}, [False]), False
        if "." in name or known.dotted():
            return None, False  # a dot is a step, too: several fields can have this name
        required = required and types == {"object"} and known.required(name)
        known = known.field(name)
        types = known.types
    return known, required


def _possible(condition: Condition, known: Known, depth: int = 0) -> bool:
    """Can a value of which that is known meet the condition? True where it cannot be told."""
    if known.never:
        return False
    if (values := known.values()) is not None:
        return any(_accepts(condition, value) for value in values)
    types = known.types
    if "array" in types:
        items = known.items()
        if items is None or depth > _DEPTH or _possible(condition, items, depth + 1):
            return True
    if condition.operator in ("exists", "anything-but"):
        return bool(types & _SCALARS)
    if _address(condition):
        return bool(types & {"string", "number"})  # addresses have several forms, and numbers are read as digits of one
    wanted = _wanted_type(condition)
    if wanted not in types:
        return False
    if wanted == "string":
        return _possible_text(condition, known)
    if wanted == "number":
        return _possible_number(condition, known)
    return True


def _address(condition: Condition) -> bool:
    """Is the condition about an IP address, or may it be?"""
    if (condition.operator, condition.modifier) != ("equals", "string"):
        return condition.operator == "cidr"
    text = condition.values[0]
    return _IN_ADDRESSES.issuperset(text) and (text.count(".") == 3 or text.count(":") > 1)


def _wanted_type(condition: Condition) -> str:
    match condition.operator, condition.modifier:
        case "numeric", _:
            return "number"
        case "equals", "number":
            return "number"
        case "equals", "literal":
            return "null" if condition.values[0] == "null" else "boolean"
    return "string"


def _possible_text(condition: Condition, known: Known) -> bool:
    least = max((view["minLength"] for view in known.views if "minLength" in view), default=0)
    most = min((view["maxLength"] for view in known.views if "maxLength" in view), default=float("inf"))
    match condition.operator:
        case "equals" | "exactly":
            return least <= len(condition.values[0]) <= most
        case "prefix" | "suffix" if not condition.modifier:
            return len(condition.values[0].strip('"')) <= most  # may run over the quotes around the value
    return True


def _possible_number(condition: Condition, known: Known) -> bool:
    low, has_low, high, has_high = known.range()
    terms = condition.values if condition.operator == "numeric" else (("=", condition.values[0]),)
    for comparison, text in terms:
        number = float(text)
        if comparison in (">", ">=", "=") and (number > low or (number == low and comparison == ">")):
            low, has_low = number, comparison != ">"
        if comparison in ("<", "<=", "=") and (number < high or (number == high and comparison == "<")):
            high, has_high = number, comparison != "<"
    if known.integer and low > float("-inf") and high < float("inf"):
        first = -(-low // 1) if has_low or low % 1 else low + 1
        last = high // 1 if has_high or high % 1 else high - 1
        return first <= last
    return low < high or (low == high and has_low and has_high)


def _certain_to_hold(leaf: Leaf, schema: Known) -> bool:
    """Does every event that fits `schema` meet `leaf`? False where it cannot be told."""
    known, required = _at(schema, leaf.path[1:])
    if known is None or not required or known.never or not known.types <= _SCALARS:
        return False
    if any(condition.operator == "exists" and condition.values == ("true",) for condition in leaf.conditions):
        return True
    if (values := known.values()) is not None:
        return bool(values) and all(any(_accepts(each, value) for each in leaf.conditions) for value in values)
    if known.types == {"string"}:
        return any(
            (each.operator in ("prefix", "suffix") and each.values == ("",))
            or (each.operator == "wildcard" and each.values == ("*",))
            for each in leaf.conditions
        )
    if known.types == {"number"}:
        return any(_covers(each, known) for each in leaf.conditions if each.operator == "numeric")
    return False


def _covers(condition: Condition, known: Known) -> bool:
    low, has_low, high, has_high = known.range()
    for comparison, text in condition.values:
        number = float(text)
        holds = {
            ">": low > number or (low == number and not has_low),
            ">=": low >= number,
            "<": high < number or (high == number and not has_high),
            "<=": high <= number,
            "=": low == high == number,
        }
        if not holds[comparison]:
            return False
    return True


def _takes_the_bus(event: Event, route: Route) -> bool:
    """Does the rule of this route let every event through, whatever its source and kind?"""
    if route.pattern or route.envelope:
        return False
    return all(values is None or any(map(_takes_any_text, values)) for values in (event.source, event.detail_type))


def _takes_any_text(value: Json) -> bool:
    return value in ({"prefix": ""}, {"suffix": ""}, {"wildcard": "*"}, {"exists": True})


def _twins(event: Event, document: Document) -> Iterator[Problem]:
    """Routes of one event that send the same events to the same target."""
    groups: dict[str, list[Route]] = {}
    for route in event.routes.values():
        if route.enabled:
            groups.setdefault(canonical(_sorted(pattern_of(event, route))), []).append(route)
    for group in groups.values():
        first: dict[str, str] = {}
        for route in group:
            common = [each.name for each in route.targets if each.name in first]
            if common:
                yield document.problem(
                    "route-twin",
                    f"the route {first[common[0]]} sends the same events to the same target",
                    ("routes", route.name),
                    got=", ".join(common),
                    fix="take the target out of one of them",
                    severity="warning",
                )
            for target in route.targets:
                first.setdefault(target.name, route.name)


def _sorted(value: Any, key: str = "") -> Json:
    """`value` with lists in an order of ours: conditions are alternatives, so theirs means nothing."""
    if isinstance(value, Mapping):
        return {name: _sorted(inner, name) for name, inner in value.items()}
    if isinstance(value, list):
        parts = [_sorted(inner) for inner in value]
        return parts if key == "numeric" else sorted(parts, key=canonical)
    return value


def _accepts(condition: Condition, value: Json) -> bool:
    """Does a field of this value meet the condition? Arrays do where an item does; objects have no value."""
    if isinstance(value, list):
        return any(_accepts(condition, item) for item in value)
    return not isinstance(value, dict) and condition.accepts(value)


def _allowed(known: Known) -> str:
    """What the schema lets the field be, in words."""
    if known.never:
        return "it is never there"
    if (values := known.values()) is not None:
        return ", ".join(json.dumps(value, ensure_ascii=False) for value in values[:20])
    types = known.types
    words = [each for each in ("string", "number", "boolean", "null", "array", "object") if each in types]
    low, _, high, _ = known.range()
    if types == {"number"} and (low, high) != (float("-inf"), float("inf")):
        return f"{'a whole number' if known.integer else 'a number'} from {low:g} to {high:g}"
    return " or ".join(words) if types != _ALL else ""


def _certain(root: Mapping[str, Json], schemas: Sequence[Json]) -> list[Mapping[str, Any]]:
    """`schemas` with what they refer to and what allOf adds: all of them hold at once."""
    views: list[Mapping[str, Any]] = []
    waiting = list(schemas)
    while waiting and len(views) < 200:
        schema = waiting.pop(0)
        if not isinstance(schema, Mapping) or any(schema is view for view in views):
            continue
        views.append(schema)
        waiting += schema.get("allOf", ())
        reference = schema.get("$ref")
        if isinstance(reference, str):
            waiting.append(referred(root, reference))
    return views


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _type(value: Json) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "boolean"
        case str():
            return "string"
        case int() | float():
            return "number"
        case list():
            return "array"
    return "object"


def _unlike_samples(event: Event, document: Document) -> Iterator[Problem]:
    """Samples that look like the long form and are read as plain details, because of a key more or less."""
    if Known(event.schema, [event.schema]).field(_DETAIL).views:
        return  # the detail has a field of that name
    for index, value in enumerate(document.value.get("samples", ())):
        if (
            isinstance(value, Mapping)
            and isinstance(value.get(_DETAIL), Mapping)
            and event.samples[index].detail is value
        ):
            yield document.problem(
                "sample-plain",
                "this sample is read as a plain detail that has a field `detail`",
                ("samples", index),
                got=", ".join(value),
                allowed="detail and routes, and maybe source, detail-type and envelope",
                fix="say `routes`, and take out what is not of the long form",
                severity="warning",
            )
