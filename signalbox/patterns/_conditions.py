"""One condition of a pattern, and all the conditions that it puts on one field."""

from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, NamedTuple

from signalbox.patterns._index import ValueIndex

Operator = Literal[
    "equals",
    "exactly",
    "prefix",
    "suffix",
    "equals-ignore-case",
    "wildcard",
    "numeric",
    "cidr",
    "exists",
    "anything-but",
]


_TEXT = 80
_LISTED = 20


def shown(text: str, characters: int = _TEXT) -> str:
    """`text` as people may be shown it: on one line, with escapes for what a terminal acts on, clipped."""
    clipped = text if len(text) <= characters else f"{text[: characters - 1]}…"
    return "".join(char if char.isprintable() else ascii(char)[1:-1] for char in clipped)


def _listed(words: Sequence[str]) -> str:
    more = len(words) - _LISTED
    return " or ".join([*words[:_LISTED], *([f"{more} more"] if more > 0 else [])])


class Condition(NamedTuple):
    """What one entry of a field's list asks for.

    `operator` is the key of the match expression, or `equals` for a plain value. `modifier` narrows it: for `equals`
    the kind of value (`string`, `number`, `literal` for true, false and null); for `prefix` and `suffix` "" or
    `equals-ignore-case`; for `anything-but` "" (strings), `number`, `prefix`, `suffix`, `equals-ignore-case` or
    `wildcard`. `values` holds the operands as texts (numbers as they were written; `exists` has `true` or `false`);
    for `numeric` pairs of comparison and number.
    """

    operator: str
    modifier: str
    values: tuple[Any, ...]

    @property
    def words(self) -> str:
        """The condition in words, to follow "must": `start with "a"`, `be more than 5 and at most 10`."""
        bare = self.modifier in ("number", "literal")
        quoted = [shown(str(value)) if bare else f'"{shown(str(value))}"' for value in self.values]
        match self.operator, self.modifier:
            case (("equals" | "exactly"), _):
                return f"be {quoted[0]}"
            case ("prefix" | "suffix") as operator, modifier:
                verb = "start" if operator == "prefix" else "end"
                return f"{verb} with {quoted[0]}{' in any case' if modifier else ''}"
            case "equals-ignore-case", _:
                return f"be {quoted[0]} in any case"
            case "wildcard", _:
                return f"be like {quoted[0]}"
            case "cidr", _:
                return f"be an IP address in {shown(self.values[0])}"
            case "exists", _:
                return "be there" if self.values[0] == "true" else "not be there"
            case "numeric", _:
                names = {"=": "equal to", "<": "less than", "<=": "at most", ">": "more than", ">=": "at least"}
                return "be " + " and ".join(
                    f"{names[comparison]} {shown(number)}" for comparison, number in self.values
                )
            case _, modifier:
                relation = {"prefix": "start with ", "suffix": "end with ", "wildcard": "be like "}.get(modifier, "be ")
                case = " in any case" if modifier == "equals-ignore-case" else ""
                return f"be there and not {relation}{_listed(quoted)}{case}"

    @property
    def wild(self) -> bool:
        """Is it about wildcards (`wildcard`, or `anything-but` with `wildcard`)?"""
        return "wildcard" in (self.operator, self.modifier)

    def accepts(self, value: Any) -> bool:
        """Does a field with this one JSON value (no array, no object) meet the condition?"""
        return _alone(self).any(value)


@lru_cache(maxsize=1024)
def _alone(condition: Condition) -> ValueIndex:
    return ValueIndex([((condition,), None)])


class Leaf:
    """The conditions that a pattern puts on one field, of which one must hold.

    `field` is the dotted name by which events are searched, `path` the names that lead to it in the pattern (without
    `$or`), `place` the way to its list of conditions in the pattern (with `$or` and branch numbers).
    """

    __slots__ = ("_index", "absent", "column", "conditions", "field", "line", "path", "place")

    def __init__(
        self,
        field: str,
        path: tuple[str, ...],
        conditions: tuple[Condition, ...],
        place: tuple[str | int, ...] = (),
        line: int = 0,
        column: int = 0,
    ) -> None:
        self.field = field
        self.path = path
        self.conditions = conditions
        self.place = place
        self.line = line
        self.column = column
        self.absent = any(c.operator == "exists" and c.values == ("false",) for c in conditions)
        """May the field be missing?"""
        self._index: ValueIndex | None = None

    def __repr__(self) -> str:
        return f"Leaf({self.field}: {self.words})"

    @property
    def wild(self) -> bool:
        """Has it a condition with wildcards?"""
        return any(condition.wild for condition in self.conditions)

    @property
    def words(self) -> str:
        """All conditions in words: `be "a" or be "b"`, to follow "must"."""
        return _listed([condition.words for condition in self.conditions])

    @property
    def index(self) -> ValueIndex:
        """The conditions, made for speed."""
        if self._index is None:
            # Equal conditions count once, so that a list of the same thing a hundred times costs nothing.
            self._index = ValueIndex([(dict.fromkeys(self.conditions), None)])
        return self._index

    def accepts(self, value: Any) -> bool:
        """Does a field with this one JSON value (no array, no object) meet one of the conditions?"""
        return self.index.any(value)
