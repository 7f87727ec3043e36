"""What patterns say that nobody means: found by holding them against the schema of the event.

Every finding is a warning: the pattern is one that EventBridge takes. What is said is certain for events that fit the
schema; where a schema leaves a question open, nothing is said. One thing is taken for granted: that events have no
fields with dots in their names which the schema does not name. EventBridge takes `{"a.b": 1}` for `{"a": {"b": 1}}`.
And one more: that float64 holds their numbers. EventBridge compares others as texts.
"""

import json
import math
from collections.abc import Hashable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

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
_CASES = 50
"""Ways in which anyOf and oneOf may be met that are looked at one by one."""
_LISTED = 100
"""Whole numbers between two bounds that are looked at one by one."""


class Known:
    """What a schema says for certain of one value: all of `views` must hold of it. No views: nothing is known."""

    def __init__(self, root: Mapping[str, Json], schemas: Sequence[Json], depth: int = 0) -> None:
        self._root = root
        self._depth = depth
        self._schemas = list(schemas)
        self.views = _certain(root, schemas)
        self.never = any(schema is False for schema in schemas) or any(
            schema is False for view in self.views for schema in view.get("allOf", ())
        )

    @cached_property
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

    def every(self) -> list[Json] | None:
        """As `values`, and the whole numbers of a short range."""
        low, _, high, _ = self.range()
        if (values := self.values()) is not None or not (
            self.types == {"number"} and self.integer and high - low <= _LISTED
        ):
            return values
        numbers = range(math.ceil(low), math.floor(high) + 1)
        return [number for number in numbers if self._in_range(number)]

    def _in_range(self, number: float) -> bool:
        low, has_low, high, has_high = self.range()
        return (low < number or (low == number and has_low)) and (number < high or (number == high and has_high))

    def cases(self) -> "tuple[Known, ...]":
        """One of these holds: what is known where each of anyOf and oneOf is met in one of its ways."""
        done: list[list[Json]] = []
        waiting: list[tuple[list[Json], frozenset[int]]] = [(self._schemas, frozenset())]
        while waiting:
            schemas, split = waiting.pop()
            views = _certain(self._root, schemas)
            choices = [view[keyword] for view in views for keyword in ("anyOf", "oneOf") if keyword in view]
            choice = next((each for each in choices if id(each) not in split), None)
            if choice is None:
                done.append(schemas)
            else:
                waiting += [([*schemas, branch], split | {id(choice)}) for branch in choice]
            if len(done) + len(waiting) > _CASES:
                return (self,)
        return tuple(Known(self._root, schemas, self._depth) for schemas in reversed(done))

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

    def named(self, name: str) -> bool:
        """Does the schema name the field `name`?"""
        return any(name in view.get("properties", ()) for view in self.views)

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
    yield from _twins(event, patterns, document)


def _route_findings(pattern: Pattern, schema: Known, part: Document) -> Iterator[Problem]:
    yield from _lost(pattern, part)
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
    if _always(pattern, schema):
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
    field = _at(schema, leaf.path[1:])
    if field is None or len(leaf.conditions) < 2:
        return
    for index, condition in enumerate(leaf.conditions):
        if condition.operator in ("equals", "exactly") and not _possible_in(condition, field):
            yield part.problem(
                "pattern-value-never",
                f"{leaf.field} never has this value",
                ("pattern", *leaf.place[1:], index),
                got=str(condition.values[0]),
                allowed=_allowed(field),
                severity="warning",
            )


def _impossible(leaf: Leaf, schema: Known) -> str:
    """Why no event that fits `schema` can meet `leaf`; empty where one can, or where that cannot be told."""
    field = _at(schema, leaf.path[1:])
    if field is None:
        return ""
    if leaf.absent:
        if field.required and len(leaf.conditions) == 1 and field.types and field.types <= _SCALARS:
            return f"{leaf.field} is always there"
        return ""
    if field.never:
        return f"{leaf.field} is never there"
    if _mixed(leaf.conditions) or any(_possible_in(condition, field) for condition in leaf.conditions):
        return ""
    return _allowed(field) or "another type"


class _Field(NamedTuple):
    """What is known of a field: one of `cases` holds of its value. `required`: it must be there. `inside`: it lies in
    arrays, so that it may be there more than once.
    """

    cases: tuple[Known, ...]
    required: bool
    inside: bool = False

    @property
    def never(self) -> bool:
        """Is the field never there?"""
        return all(known.never for known in self.cases)

    @property
    def types(self) -> frozenset[str]:
        """The JSON types that the value can have."""
        return frozenset().union(*(known.types for known in self.cases if not known.never))


_NOWHERE = _Field((), False)


def _at(schema: Known, path: tuple[str, ...]) -> _Field | None:
    """What is known of the field at `path`. None where nothing is known for certain."""
    # A detail is an object, whether the schema says so or not.
    details = tuple(each for each in schema.cases() if not each.never and "object" in each.types)
    if not details:
        return None
    found = _Field(details, True)
    for n, name in enumerate(path):
        # A dot is a step, too. Where the schema does not name the first of them, the whole may be the name of a field.
        steps = name.split(".")
        if len(steps) > 1 and not all(known.never or known.named(steps[0]) for known in found.cases):
            return None
        for m, step in enumerate(steps):
            following = _step(found, step, is_detail=not n and not m)
            if following is None:
                return None
            found = following
    return found


def _step(field: _Field, name: str, is_detail: bool) -> _Field | None:
    """What is known of the field `name` in objects of which `field` is known."""
    cases: list[Known] = []
    required, inside = field.required, field.inside
    for outer in field.cases:
        known = outer
        types = frozenset({"object"}) if is_detail else known.types
        if "array" in types and not known.never:
            items = known.items()
            if "object" in types or items is None or not items.views or "array" in items.types:
                return None  # it may be this or that: nothing certain can be said of what is inside
            known, required, inside, types = items, False, True, items.types
        if known.never or "object" not in types:
            required = required and known.never
            continue
        if known.dotted():
            return None  # several fields can have this name
        required = required and types == {"object"} and known.required(name)
        cases += known.field(name).cases()
        if len(cases) > _CASES:
            return None
    return _Field(tuple(cases), required, inside) if cases else _NOWHERE


def _possible_in(condition: Condition, field: _Field) -> bool:
    return any(_possible(condition, known) for known in field.cases)


def _possible(condition: Condition, known: Known, depth: int = 0) -> bool:
    """Can a value of which that is known meet the condition? True where it cannot be told."""
    if known.never:
        return False
    if (values := known.every()) is not None:
        return any(_accepts(condition, value) for value in values)
    types = known.types
    if "array" in types:
        items = known.items()
        if items is None or depth > _DEPTH or any(_possible(condition, each, depth + 1) for each in items.cases()):
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
    least, most = _lengths(known)
    match condition.operator:
        case "equals" | "exactly":
            return least <= len(condition.values[0]) <= most
        case "prefix" | "suffix" if not condition.modifier:
            return len(condition.values[0].strip('"')) <= most  # may run over the quotes around the value
    return True


def _lengths(known: Known) -> tuple[int, float]:
    """The least and the most characters of a text."""
    least = max((view["minLength"] for view in known.views if "minLength" in view), default=0)
    return least, min((view["maxLength"] for view in known.views if "maxLength" in view), default=math.inf)


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


def _certain_to_hold(conditions: Iterable[Condition], field: _Field | None) -> bool:
    """Does every event meet one of the conditions on `field`? False where it cannot be told."""
    if field is None or field.inside:
        return False
    conditions = list(conditions)
    absent = any(each.operator == "exists" and each.values == ("false",) for each in conditions)
    if not (absent or (field.required and field.types)) or not field.types <= _SCALARS:
        return False
    return all(known.never or _covered(conditions, known) for known in field.cases)


def _covered(conditions: Sequence[Condition], known: Known) -> bool:
    """Does every value (no array, no object) of which that is known meet one of the conditions?"""
    if any(each.operator == "exists" and each.values == ("true",) for each in conditions):
        return True
    if _mixed(conditions):
        return False
    if (values := known.every()) is not None:
        return all(any(_accepts(each, value) for each in conditions) for value in values)
    if any(_excludes_nothing(each, known) for each in conditions if each.operator == "anything-but"):
        return True
    if known.types == {"string"}:
        return any(
            (each.operator in ("prefix", "suffix") and each.values == ("",))
            or (each.operator == "wildcard" and each.values == ("*",))
            for each in conditions
        )
    return known.types == {"number"} and _cover(conditions, known)


def _mixed(conditions: Iterable[Condition]) -> bool:
    """Are addresses and numbers in one list? EventBridge takes both for the same digits, so that what each condition
    takes alone says little."""
    conditions = list(conditions)
    return any(each.operator == "cidr" for each in conditions) and any(
        each.operator == "numeric" or each.modifier == "number" for each in conditions
    )


def _excludes_nothing(condition: Condition, known: Known) -> bool:
    operator, modifier = {"": ("exactly", ""), "number": ("equals", "number")}.get(
        condition.modifier, (condition.modifier, "")
    )
    return not any(_possible(Condition(operator, modifier, (value,)), known) for value in condition.values)


def _cover(conditions: Iterable[Condition], known: Known) -> bool:
    """Do the numeric conditions together take every number of the range that is known?"""
    low, has_low, high, has_high = known.range()
    # Numbers as `start <= x < end`, so that what is left of the range can be taken away from its start.
    left = low if has_low else math.nextafter(low, math.inf)
    end = math.nextafter(high, math.inf) if has_high else high
    spans = sorted(_span(each) for each in conditions if _wanted_type(each) == "number")
    for start, stop in spans:
        if start <= left < stop:
            left = stop
    return left >= end


def _span(condition: Condition) -> tuple[float, float]:
    """The numbers that a condition takes, as `start <= x < end`."""
    start, end = -math.inf, math.inf
    for comparison, text in condition.values if condition.operator == "numeric" else (("=", condition.values[0]),):
        number = float(text)
        after = math.nextafter(number, math.inf)
        if comparison in (">", ">=", "="):
            start = after if comparison == ">" else number
        if comparison in ("<", "<=", "="):
            end = number if comparison == "<" else after
    return start, end


def _always(pattern: Pattern, schema: Known) -> bool:
    """Does every event that fits `schema` match? Where alternatives differ in one field only, they count together."""
    at = {leaf.field: _at(schema, leaf.path[1:]) for leaf in of_detail(pattern.leaves)}
    together: dict[str, list[Condition]] = {}
    for alternative in pattern.alternatives:
        leaves = of_detail(alternative)
        failing = [leaf for leaf in leaves if not _certain_to_hold(leaf.conditions, at[leaf.field])]
        if not failing:
            return True
        if len(failing) == 1:
            together.setdefault(failing[0].field, []).extend(failing[0].conditions)
    return any(_certain_to_hold(conditions, at[field]) for field, conditions in together.items())


def _takes_the_bus(event: Event, route: Route) -> bool:
    """Does the rule of this route let every event through, whatever its source and kind?"""
    if route.pattern or route.envelope:
        return False
    return all(values is None or any(map(_takes_any_text, values)) for values in (event.source, event.detail_type))


def _takes_any_text(value: Json) -> bool:
    return value in (
        *({operator: text} for operator in ("prefix", "suffix") for text in ("", {"equals-ignore-case": ""})),
        *({"wildcard": "*"}, {"exists": True}),
    )


def _twins(event: Event, patterns: Mapping[str, Pattern], document: Document) -> Iterator[Problem]:
    """Routes of one event that send the same events to the same target."""
    groups: dict[Hashable, list[Route]] = {}
    for route in event.routes.values():
        if route.enabled:
            groups.setdefault(_meaning(patterns[route.name]), []).append(route)
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


def _meaning(pattern: Pattern) -> Hashable:
    """The same for patterns that are known to mean the same, however they are written."""
    return frozenset(
        frozenset((leaf.field, _meaning_of(leaf.conditions)) for leaf in alternative)
        for alternative in pattern.alternatives
    )


def _meaning_of(conditions: Iterable[Condition]) -> frozenset[Hashable]:
    conditions = list(conditions)
    # Beside addresses numbers are also compared as texts.
    plain = not any(map(_address, conditions))
    return frozenset(_meaning_of_one(each) if plain else each for each in conditions)


def _meaning_of_one(condition: Condition) -> Hashable:
    operator, modifier, values = condition
    match operator, modifier:
        case ("equals", "string") | ("exactly", _):
            return "exactly", values
        case "equals", "number":
            return "numeric", (("=", float(values[0])),)
        case "numeric", _:
            return "numeric", tuple((comparison, float(text)) for comparison, text in values)
        case "anything-but", _:
            return operator, modifier, frozenset(map(float, values) if modifier == "number" else values)
    return condition


def _lost(pattern: Pattern, part: Document) -> Iterator[Problem]:
    """Conditions that do not count: of several lists on one field in one alternative EventBridge takes the last."""
    before: dict[str, list[Leaf]] = {}
    for leaf in of_detail(pattern.leaves):
        for other in before.setdefault(leaf.field, []):
            if not _either(other.place, leaf.place):
                yield part.problem(
                    "pattern-lost",
                    "of several lists on one field EventBridge takes only one, and what the others ask for is lost",
                    ("pattern", *other.place[1:]),
                    got=f"{leaf.field} must {other.words}; {leaf.field} must {leaf.words}",
                    fix="write one list for the field in each branch of `$or`, and none beside them",
                    severity="warning",
                )
                break
        before[leaf.field].append(leaf)


def _either(one: Sequence[str | int], other: Sequence[str | int]) -> bool:
    """Are the two places in different branches of one `$or`?"""
    same = next((n for n, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), 0)
    return same > 0 and one[same - 1] == "$or" and isinstance(one[same], int)


def _accepts(condition: Condition, value: Json) -> bool:
    """Does a field of this value meet the condition? Arrays do where an item does; objects have no value."""
    if isinstance(value, list):
        return any(_accepts(condition, item) for item in value)
    return not isinstance(value, dict) and condition.accepts(value)


def _allowed(field: _Field) -> str:
    """What the schema lets the field be, in words."""
    words = [_words(known) for known in field.cases if not known.never]
    return "it is never there" if not words else " or ".join(dict.fromkeys(words)) if all(words) else ""


def _words(known: Known) -> str:
    if (values := known.values()) is not None:
        return ", ".join(json.dumps(value, ensure_ascii=False) for value in values[:20])
    types = known.types
    if types == _ALL:
        return ""
    words = [each for each in ("string", "number", "boolean", "null", "array", "object") if each in types]
    special = {"string": _text_words(known), "number": _number_words(known), "array": _array_words(known)}
    return " or ".join(special.get(each) or each for each in words)


def _text_words(known: Known) -> str:
    least, most = _lengths(known)
    if most < math.inf:
        return f"a text of {f'{least} to {most}' if least else f'at most {most}'} characters"
    return f"a text of at least {least} characters" if least else ""


def _number_words(known: Known) -> str:
    low, has_low, high, has_high = known.range()
    bounds = []
    if low > -math.inf and high < math.inf and has_low and has_high:
        bounds = [f"from {low:g} to {high:g}"]
    else:
        bounds += [f"{'at least' if has_low else 'more than'} {low:g}"] if low > -math.inf else []
        bounds += [f"{'at most' if has_high else 'less than'} {high:g}"] if high < math.inf else []
    return f"{'a whole number' if known.integer else 'a number'} {' and '.join(bounds)}" if bounds else ""


def _array_words(known: Known) -> str:
    items = known.items()
    inner = _allowed(_Field(items.cases(), False)) if items is not None and items.views else ""
    return f"array of {inner}" if inner else ""


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
