"""A pattern, ready to be matched and to say why an event does not match."""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from signalbox.patterns._conditions import Leaf, shown
from signalbox.patterns._errors import PatternError
from signalbox.patterns._event import Node, event_object, find, reads_empty_names, without_values
from signalbox.patterns._index import ValueIndex
from signalbox.patterns._syntax import Reading, read
from signalbox.patterns._view import View

MAX_SHOWN = 5
MAX_FIELD = 200


class Explanation(NamedTuple):
    """Why an event matches a pattern or not.

    For a miss: `leaf` is the first part of the pattern that the event fails, `field` its dotted name, `condition` what
    it asks for in words, `found` the values that the event has there (empty: none; `instead` is then what it has there
    that is no value: "an object", "an empty list"). With `$or`, of the alternative that comes closest. `split` is true
    when every condition holds, but not within the same element of an array.
    """

    matched: bool
    leaf: Leaf | None = None
    found: tuple[Any, ...] = ()
    split: bool = False
    instead: str = ""

    @property
    def field(self) -> str:
        """Dotted name of the field that fails; "" for a match."""
        return self.leaf.field if self.leaf else ""

    @property
    def condition(self) -> str:
        """What the pattern asks of the field, in words; "" for a match."""
        return self.leaf.words if self.leaf else ""

    def __str__(self) -> str:
        if self.leaf is None:
            return "matches"
        must = f"{shown(self.field, MAX_FIELD)}: must {self.condition}"
        if self.split:
            return (
                f"{must} within the same array element as the other conditions; got {self._shown()} only in another one"
            )
        return f"{must}; got {self._shown()}"

    def _shown(self) -> str:
        if not self.found:
            return self.instead or "no such field"
        values = ", ".join(_short(value) for value in self.found[:MAX_SHOWN])
        more = len(self.found) - MAX_SHOWN
        return f"{values} and {more} more" if more > 0 else values


def _short(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if type(value) is str:
        return f'"{shown(value)}"'
    return shown(str(value))


class Pattern:
    """A pattern that EventBridge accepts. Made by `compile`; immutable, and may be shared between threads."""

    __slots__ = ("_alternatives", "_empty_names", "_ordered", "_together", "_tree", "_ways", "leaves")

    def __init__(self, reading: Reading) -> None:
        self.leaves = reading.leaves
        self._ordered = reading.ordered
        self._ways = reading.ways
        self._alternatives: tuple[tuple[Leaf, ...], ...] | None = None
        fields: dict[str, list[Leaf]] = {}
        for leaf in reading.leaves:
            fields.setdefault(leaf.field, []).append(leaf)
        self._tree = Node.of(fields)
        self._empty_names = reads_empty_names(fields)
        self._together = {
            field: (ValueIndex([(leaf.conditions, leaf) for leaf in leaves]), leaves)
            for field, leaves in fields.items()
            if len(leaves) > 1
        }

    @property
    def alternatives(self) -> tuple[tuple[Leaf, ...], ...]:
        """What `$or` stands for: one of these, of which all leaves must hold; each in the reference's order."""
        if self._alternatives is None:
            self._alternatives = tuple(tuple(self._of(way)) for way in self._ways)
        return self._alternatives

    def matches(self, event: str | Mapping[str, Any]) -> bool:
        """Does the event (JSON text or object) match? Raises EventError when it is no event."""
        return self._matches(self._view(event))

    def explain(self, event: str | Mapping[str, Any]) -> Explanation:
        """Whether the event matches and, if not, the first condition that fails. Raises EventError as `matches`."""
        value = event_object(event)
        view = self._view(value)
        if self._matches(view):
            return Explanation(True)
        failing = sum(1 << i for i, leaf in enumerate(self._ordered) if not view.holds((leaf,)))
        closest = min(self._ways, key=lambda way: (way & failing).bit_count())
        missed = {id(leaf) for leaf in self._of(closest & failing)}
        leaf = next((leaf for leaf in self.leaves if id(leaf) in missed), None) or self._split(view, closest)
        found = tuple(view.values.get(leaf.field, ()))
        return Explanation(False, leaf, found, not missed, "" if found else without_values(value, leaf.field))

    def _view(self, event: str | Mapping[str, Any]) -> View:
        return View(find(event_object(event), self._tree, self._empty_names), self._together)

    def _matches(self, view: View) -> bool:
        return view.holds(self.alternatives[0]) if len(self._ways) == 1 else view.any_holds(self._ordered, self._ways)

    def _of(self, way: int) -> list[Leaf]:
        return [leaf for i, leaf in enumerate(self._ordered) if way >> i & 1]

    def _split(self, view: View, way: int) -> Leaf:
        """The leaf with which, after those before it, no choice of array elements is left."""
        leaves = self._of(way)
        for count in range(2, len(leaves)):
            if not view.holds(leaves[:count]):
                return leaves[count - 1]
        return leaves[-1]


def check(pattern: str | Mapping[str, Any]) -> list[PatternError]:
    """Every reason for which EventBridge would refuse the pattern, in the order of the text; [] for a good one."""
    return read(pattern).faults


def compile(pattern: str | Mapping[str, Any] | Pattern) -> Pattern:
    """The pattern, ready to match. Raises PatternError, the first of `check`, when EventBridge would refuse it."""
    if isinstance(pattern, Pattern):
        return pattern
    reading = read(pattern)
    if reading.faults:
        raise reading.faults[0]
    return Pattern(reading)


def matches(pattern: str | Mapping[str, Any] | Pattern, event: str | Mapping[str, Any]) -> bool:
    """Does the event match the pattern? Raises PatternError and EventError as `compile` and `Pattern.matches`."""
    return compile(pattern).matches(event)


def explain(pattern: str | Mapping[str, Any] | Pattern, event: str | Mapping[str, Any]) -> Explanation:
    """Why the event matches the pattern or not. Raises PatternError and EventError as `matches`."""
    return compile(pattern).explain(event)


def leaves(pattern: str | Mapping[str, Any] | Pattern) -> Iterator[Leaf]:
    """The conditions of the pattern by field, in the order of the text, those in every branch of `$or` included."""
    yield from compile(pattern).leaves


def has_wildcard(pattern: str | Mapping[str, Any] | Pattern) -> bool:
    """Does the pattern count against the quota of rules with wildcards? (Also `anything-but` with `wildcard`.)"""
    return any(leaf.wild for leaf in compile(pattern).leaves)
