"""The search of an event for the fields that patterns ask for.

An event is searched by dotted names: `{"a": {"b": 1}}` and `{"a.b": 1}` both have the field `a.b`. Arrays do not count
as steps, so that a field may have many values; each is kept with its *place*: the element of an array of objects that
it lies in. Conditions on several fields must hold within the same elements (Event, ArrayMembership and
StructuredFinder in the reference).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, repeat
from typing import Any

from signalbox.patterns._errors import EventError
from signalbox.patterns._json import MAX_DEPTH, MAX_NODES, Number, Repeated, event_of_text

# By these most values are told apart; what else an object in memory may hold is asked what it is.
SCALARS = frozenset((str, int, float, bool, type(None), Number))
_OBJECTS = frozenset((dict, Repeated))
_CONTAINERS = frozenset((*_OBJECTS, list))
_KNOWN = SCALARS | _CONTAINERS

# What a matching may cost, in steps of about a quarter of a microsecond. What people send costs a hundredth of it.
MAX_STEPS = 150_000


class Node:
    """A place in the tree of the names that patterns ask for; `field` is set where a pattern has conditions.

    `shared`: are there conditions on more than one field here and below? Else there is at most one child, and the
    elements of an array can bring nothing apart.
    """

    __slots__ = ("children", "field", "shared")

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.field: str | None = None
        self.shared = False

    @classmethod
    def of(cls, fields: Iterable[str]) -> "Node":
        """The tree of `fields` (dotted names)."""
        root = cls()
        for field in set(fields):
            node = root
            for step in field.split("."):
                # With a field here or below already, this one is another.
                node.shared = node.field is not None or bool(node.children)
                node = node.children.setdefault(step, cls())
            node.shared = bool(node.children)
            node.field = field
        return root


def reads_empty_names(fields: Iterable[str]) -> bool:
    """Does the reference look into members with an empty name for these fields?

    It passes by the names that no field uses, and misses those at the end of a field (GenericMachine.recordFieldStep
    splits as Java does), so that `{"a": {"": [1]}}` never sees its field.
    """
    trimmed = [(field, field.rstrip(".")) for field in fields]
    return any("" in stem.split(".") for field, stem in trimmed if stem or not field)


def event_object(event: str | Mapping[str, Any]) -> Mapping[str, Any]:
    """The event as an object; text is decoded. Raises EventError when it is none."""
    value = event_of_text(event) if isinstance(event, str) else event
    if not isinstance(value, Mapping):
        raise EventError("Event must be a JSON object")
    return value


class Found:
    """What an event has of the fields that are asked for.

    `values` are those of each field. `places`, only of the fields that have values in elements of arrays that exclude
    each other: for each value the number of the innermost such element, 0 for what lies in none. Of each element
    `parents` has the element around it (0: none), `arrays` the number of its array, `depths` the number of elements
    around it and itself; `firsts` has the first element of each array, whose other elements follow it. `steps`: what
    it took, beside going through the event.
    """

    __slots__ = ("arrays", "depths", "firsts", "parents", "places", "steps", "values")

    def __init__(self) -> None:
        self.values: dict[str, list[Any]] = {}
        self.places: dict[str, list[int]] = {}
        self.parents = [0]
        self.arrays = [0]
        self.depths = [0]
        self.firsts = [0]
        self.steps = 0

    def add(self, field: str, values: Sequence[Any], places: Sequence[int]) -> None:
        """Adds `values` of `field`, and their places."""
        if not values:
            return
        known = self.values.setdefault(field, [])
        if field not in self.places and any(places):
            self.places[field] = [0] * len(known)
        known += values
        if field in self.places:
            self.places[field] += places

    def number(self, count: int, parent: int) -> range:
        """New elements of one array that lies in the element `parent`."""
        first = len(self.parents)
        self.parents += repeat(parent, count)
        self.arrays += repeat(len(self.firsts), count)
        self.depths += repeat(self.depths[parent] + 1, count)
        self.firsts.append(first)
        return range(first, first + count)


_Waiting = tuple[list[Any], list[int], int]
"""Values that are found at one node, their places, and how deep they lie."""


def find(event: Mapping[str, Any], root: Node, empty_names: bool) -> Found:
    """The values of the fields in `root` that `event` has. `empty_names`: see `reads_empty_names`.

    Raises EventError for an event that contains itself or is nested too deeply.
    """
    found = Found()
    values = found.values
    stack: list[tuple[Mapping[str, Any], Node]] = [(event, root)]
    arrays: dict[Node, _Waiting] = {}
    while stack:
        value, node = stack.pop()
        children = node.children
        for name, member in value.pairs if type(value) is Repeated else value.items():
            child = children.get(name)
            if child is None:
                if not isinstance(name, str) or "." not in name:
                    continue
                child = _child(node, name, empty_names)
                if child is None:
                    continue
            elif not name and not empty_names:
                continue
            if type(member) not in SCALARS:
                if isinstance(member, Mapping):
                    if child.children:
                        stack.append((member, child))
                    continue
                if isinstance(member, list | tuple):
                    if SCALARS.issuperset(map(type, member)):
                        if child.field is not None:
                            found.add(child.field, member, [0] * len(member))
                        continue
                    waiting = arrays.setdefault(child, ([], [], 0))
                    waiting[0].append(member)
                    waiting[1].append(0)
                    continue
            field = child.field
            if field is None:
                continue
            if field in values:
                found.add(field, (member,), (0,))
            else:
                values[field] = [member]
    if arrays:
        _find_in_arrays(arrays, found, empty_names)
    return found


def _find_in_arrays(todo: dict[Node, _Waiting], found: Found, empty_names: bool) -> None:
    """As `find`, for what is in arrays: all that is at one node is taken together."""
    known, placed = found.values, found.places
    visited = 0
    while todo:
        node, (values, places, depth) = todo.popitem()
        children = node.children
        while values:
            depth += 1
            visited += len(values)
            if depth > MAX_DEPTH:
                raise EventError(f"The event is nested too deeply (more than {MAX_DEPTH} levels)")
            if visited > MAX_NODES or found.steps > MAX_STEPS:
                raise EventError("The event has too many arrays for what the pattern asks of them, or contains itself")
            (scalars, of_scalars), (objects, of_objects), (arrays, of_arrays) = _divided(values, places)
            if node.field is not None:
                found.add(node.field, scalars, of_scalars)
            for each, place in zip(objects, of_objects, strict=True) if children else ():
                for name, member in each.pairs if type(each) is Repeated else each.items():
                    child = children.get(name)
                    if child is None:
                        if not isinstance(name, str) or "." not in name:
                            continue
                        child = _child(node, name, empty_names)
                        if child is None:
                            continue
                    elif not name and not empty_names:
                        continue
                    if type(member) in SCALARS:
                        field = child.field
                        if field is None:
                            continue
                        if field in placed:
                            known[field].append(member)
                            placed[field].append(place)
                        elif place and field not in known:
                            known[field] = [member]
                            placed[field] = [place]
                        else:
                            found.add(field, (member,), (place,))
                        continue
                    below = todo.get(child)
                    if below is None:
                        todo[child] = [member], [place], depth
                    else:
                        below[0].append(member)
                        below[1].append(place)
            values, places = _elements(arrays, of_arrays, node, found)


_Some = tuple[Sequence[Any], Sequence[int]]
"""Values and their places."""


def _elements(arrays: Sequence[Any], places: Sequence[int], node: Node, found: Found) -> tuple[list[Any], list[int]]:
    """What is in `arrays`, with places: those of elements that can hold something in which others do not share."""
    if not node.shared:
        return list(chain.from_iterable(arrays)), list(chain.from_iterable(map(repeat, places, map(len, arrays))))
    inner: list[Any] = []
    inner_places: list[int] = []
    for array, place in zip(arrays, places, strict=True):
        if not SCALARS.issuperset(map(type, array)):
            parts = [each for each in array if type(each) in _CONTAINERS and each]
            scalars = [each for each in array if type(each) in SCALARS]
            if not _KNOWN.issuperset(map(type, array)):
                parts = [each for each in array if isinstance(each, Mapping | list | tuple) and each]
                scalars = [each for each in array if not isinstance(each, Mapping | list | tuple)]
            found.steps += 2
            # An array in which only one element can hold more can bring nothing apart, and is not numbered.
            if len(parts) > 1:
                found.steps += 14 + len(parts)
                inner += parts
                inner_places += found.number(len(parts), place)
                array = scalars
        inner += array
        inner_places += repeat(place, len(array))
    return inner, inner_places


def _divided(values: Sequence[Any], places: Sequence[int]) -> tuple[_Some, _Some, _Some]:
    """The scalars, objects and arrays in `values`."""
    every, none = (values, places), ((), ())
    kinds = set(map(type, values))
    if kinds <= SCALARS:
        return every, none, none
    if kinds <= _OBJECTS:
        return none, every, none
    if kinds == {list}:
        return none, none, every
    parts: tuple[Any, Any, Any] = ([], []), ([], []), ([], [])
    for value, place in zip(values, places, strict=True):
        kind = type(value)
        if kind in SCALARS:
            part = parts[0]
        elif kind is list:
            part = parts[2]
        elif isinstance(value, Mapping):
            part = parts[1]
        else:
            part = parts[2 if isinstance(value, tuple) else 0]
        part[0].append(value)
        part[1].append(place)
    return parts


def _child(node: Node, name: Any, empty_names: bool) -> Node | None:
    """The node that a member of this name leads to; None when no field is there."""
    child = node.children.get(name)
    if child is not None:
        return child if name or empty_names else None
    if not isinstance(name, str) or "." not in name:
        return None
    for step in name.split("."):
        child = node.children.get(step)
        if child is None:
            return None
        node = child
    return node


def without_values(event: Mapping[str, Any], field: str) -> str:
    """What `event` has at `field` (a dotted name) that is no value: "an object", "an empty list", or "" for nothing.

    For people, of the events of people: of huge ones only a part is looked at.
    """
    waiting: list[tuple[Any, tuple[str, ...]]] = [(event, tuple(field.split(".")))]
    for _ in range(MAX_STEPS):
        if not waiting:
            break
        value, steps = waiting.pop()
        if isinstance(value, list | tuple):
            if not value and not steps:
                return "an empty list"
            waiting += ((each, steps) for each in value)
        elif isinstance(value, Mapping):
            if not steps:
                return "an object"
            for name, member in value.pairs if isinstance(value, Repeated) else value.items():
                taken = tuple(name.split(".")) if isinstance(name, str) else ()
                if taken and steps[: len(taken)] == taken:
                    waiting.append((member, steps[len(taken) :]))
    return ""
