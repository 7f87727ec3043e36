"""All the conditions on one field at once: from a value to those that it meets.

The work grows with what the value can meet, not with the number of conditions: texts are looked up, prefixes and
suffixes by their length, numbers and addresses in trees of intervals. What a condition means is what the reference
does with it (ByteMachine.transitionOn), on a value with its quotes: `"a` is a prefix, `*` runs over quotes as well.
"""

from __future__ import annotations

import math
import sys
from bisect import bisect_right
from collections.abc import Iterable
from itertools import accumulate
from operator import itemgetter
from typing import TYPE_CHECKING, Any

from signalbox.patterns._errors import EventError
from signalbox.patterns._json import Number, number_text
from signalbox.patterns._numbers import cidr_range, comparable, ip_digits

if TYPE_CHECKING:
    from signalbox.patterns._conditions import Condition


# Longer and smaller numbers take long to compare.
_SHORT = 15
_TINY = sys.float_info.min
# Integers up to here are what they are in a 64-bit float.
_EXACT = 2**53


class Refusal(Exception):
    """A condition that EventBridge refuses; the message is its reason."""


def wildcard_pieces(text: str) -> tuple[str, ...]:
    """The literal texts between the wildcards of `text`. Raises Refusal, places in UTF-8 bytes, quote counted."""
    pieces = [""]
    i = 0
    while i < len(text):
        char = text[i]
        following = text[i + 1 : i + 2]
        if char == "*":
            if following == "*":
                raise Refusal(f"Consecutive wildcard characters at pos {_position(text, i)}")
            pieces.append("")
        elif char == "\\":
            if following not in ("*", "\\"):
                raise Refusal(f"Invalid escape character at pos {_position(text, i)}")
            pieces[-1] += following
            i += 1
        else:
            pieces[-1] += char
        i += 1
    return tuple(pieces)


def _position(text: str, i: int) -> int:
    return 1 + len(text[:i].encode("utf-8", "surrogatepass"))


def _like(text: str, pieces: tuple[str, ...]) -> bool:
    """Does `text` consist of the pieces with anything between them? The leftmost place for each is as good as any."""
    if len(pieces) == 1:
        return text == pieces[0]
    first, last = pieces[0], pieces[-1]
    if not (text.startswith(first) and text.endswith(last)):
        return False
    position, end = len(first), len(text) - len(last)
    if position > end:
        return False
    for piece in pieces[1:-1]:
        position = text.find(piece, position, end)
        if position < 0:
            return False
        position += len(piece)
    return True


def fold(text: str) -> str:
    """Texts that can be equal in any case have equal folds; not all with equal folds are."""
    return text.lower().upper()


class _AnyCase:
    """A text whose characters each stand for their lower and their upper case, as Java has them one by one.

    The reference takes UTF-16 units for characters, so what is beyond U+FFFF becomes two question marks.
    """

    __slots__ = ("ascii", "cases", "fold")

    def __init__(self, text: str) -> None:
        units = "".join("??" if ord(char) > 0xFFFF else char for char in text)
        self.ascii = units.isascii()
        self.cases = [(char.lower(), char.upper()) for char in units]
        self.fold = fold(units)

    def ends(self, text: str) -> set[int]:
        """The places up to which `text`, from its start, is this text."""
        ends = {0}
        for cases in self.cases:
            ends = {end + len(case) for end in ends for case in cases if text.startswith(case, end)}
            if not ends:
                break
        return ends

    def is_end(self, text: str) -> bool:
        """Does `text` end with this text?"""
        starts = {len(text)}
        for cases in reversed(self.cases):
            starts = {start - len(case) for start in starts for case in cases if text.endswith(case, 0, start)}
            if not starts:
                break
        return bool(starts)


class _Affixes:
    """Texts looked up as the start or the end of another, by their lengths."""

    __slots__ = ("at_end", "by_length")

    def __init__(self, at_end: bool) -> None:
        self.at_end = at_end
        self.by_length: dict[int, dict[str, list[Any]]] = {}

    def add(self, text: str, item: Any) -> None:
        if len(text) not in self.by_length:
            # Shortest first, so that a look-up can stop.
            self.by_length = dict(sorted([*self.by_length.items(), (len(text), {})], key=itemgetter(0)))
        self.by_length[len(text)].setdefault(text, []).append(item)

    def of(self, text: str) -> list[Any]:
        """What was added under a text that `text` starts (ends) with."""
        found: list[Any] = []
        size = len(text)
        for length, items in self.by_length.items():
            if length > size:
                break
            part = text[size - length :] if self.at_end else text[:length]
            if part in items:
                found += items[part]
        return found


class _Intervals:
    """Intervals `start <= x < end`; which of them hold a number is found in logarithmic time."""

    __slots__ = ("bounds", "covered", "nodes", "size")

    def __init__(self, intervals: list[tuple[Any, Any, Any]]) -> None:
        self.bounds = sorted({bound for start, end, _ in intervals for bound in (start, end)})
        self.size = len(self.bounds) + 1
        self.nodes: list[list[Any]] = [[] for _ in range(2 * self.size)]
        changes = [0] * (self.size + 1)
        for start, end, item in intervals:
            low = bisect_right(self.bounds, start)
            high = bisect_right(self.bounds, end)
            changes[low] += 1
            changes[high] -= 1
            low += self.size
            high += self.size
            while low < high:
                if low & 1:
                    self.nodes[low].append(item)
                    low += 1
                if high & 1:
                    high -= 1
                    self.nodes[high].append(item)
                low >>= 1
                high >>= 1
        self.covered = [depth > 0 for depth in accumulate(changes)]

    def of(self, number: Any) -> list[Any]:
        """What was given with the intervals that hold `number`."""
        found: list[Any] = []
        place = bisect_right(self.bounds, number)
        if not self.covered[place]:
            return found
        node = place + self.size
        while node:
            found += self.nodes[node]
            node >>= 1
        return found


_DIGITS = "0123456789ABCDEF"


class _Addresses:
    """Ranges of addresses, given as hexadecimal digits, and which of them a text of such digits falls into.

    As the reference reads digit by digit and has matched as soon as nothing that follows could change it, the text
    may be longer or shorter than the range's digits: 32.16.0.0 (2010…) is in 2000::/3, and 2001:db8:: (20010db8…) is
    in 32.1.0.0/16.
    """

    __slots__ = ("ranges", "starts", "trees")

    def __init__(self) -> None:
        self.starts: set[str] = set()
        self.ranges: dict[int, list[tuple[str, str, Any]]] = {}
        self.trees: dict[tuple[int, int], _Intervals] = {}

    def add(self, first: str, last: str, item: Any) -> None:
        self.ranges.setdefault(len(first), []).append((first, last, item))
        self.starts.update(_DIGITS[int(first[0], 16) : int(last[0], 16) + 1])

    def may_hold(self, text: str) -> bool:
        """False when no range begins like `text`."""
        return text[:1] in self.starts

    def of(self, digits: str) -> list[Any]:
        """What was added with the ranges that `digits` fall into."""
        found: list[Any] = []
        if not self.may_hold(digits):
            return found
        for width, ranges in self.ranges.items():
            size = min(width, len(digits))
            tree = self.trees.get((width, size))
            if tree is None:
                inner = 1 if size < width else 0
                tree = self.trees[width, size] = _Intervals(
                    [
                        (start, end, item)
                        for first, last, item in ranges
                        if (start := int(first[:size], 16) + inner) < (end := int(last[:size], 16) + 1 - inner)
                    ]
                )
            found += tree.of(int(digits[:size], 16))
        return found


def _hexadecimal(literal: str) -> str:
    """The digits 0-9A-F that `literal` starts with."""
    return literal[: len(literal) - len(literal.lstrip(_DIGITS))]


class ValueIndex:
    """Lists of conditions on one field, each with an item; gives the items of those that a value meets.

    A list is met when one of its conditions is. `exists: false` is nothing that a value can meet, and left out.
    """

    def __init__(self, lists: Iterable[tuple[Iterable[Condition], Any]]) -> None:
        self.texts: dict[str, list[Any]] = {}
        self.literals: dict[str, list[Any]] = {}
        self.numbers: dict[float, list[Any]] = {}
        self.prefixes = _Affixes(at_end=False)
        self.suffixes = _Affixes(at_end=True)
        self.any_case: dict[str, list[tuple[_AnyCase, Any]]] = {}
        self.any_case_prefixes = _Affixes(at_end=False)
        self.any_case_suffixes = _Affixes(at_end=True)
        self.wildcards = _Affixes(at_end=False)
        self.addresses = _Addresses()
        self.address_texts: dict[str, list[Any]] = {}
        self.textual_addresses = _Addresses()
        self.existing: list[Any] = []
        self.excluding: list[Any] = []
        self.excluded: ValueIndex | None = None
        intervals: list[tuple[float, float, Any]] = []
        excluded: dict[Condition, int] = {}
        for conditions, item in lists:
            self._add(list(conditions), item, intervals, excluded)
        self.intervals = _Intervals(intervals) if intervals else None
        if excluded:
            self.excluded = ValueIndex([((condition,), mask) for condition, mask in excluded.items()])
        self.has_numbers = bool(self.numbers or intervals or self.addresses.ranges or self.literals)
        self.by_digits = bool(self.literals or self.addresses.ranges)
        self.has_affixes = bool(
            self.prefixes.by_length
            or self.suffixes.by_length
            or self.wildcards.by_length
            or self.any_case
            or self.any_case_prefixes.by_length
            or self.any_case_suffixes.by_length
        )
        self._spent = 0

    @property
    def spent(self) -> int:
        """What the values so far took, beside a look-up each: steps of about a quarter of a microsecond."""
        return self._spent + (self.excluded.spent if self.excluded is not None else 0)

    def _add(
        self,
        conditions: list[Condition],
        item: Any,
        intervals: list[tuple[float, float, Any]],
        excluded: dict[Condition, int],
    ) -> None:
        numeric = any(_is_numeric(condition) for condition in conditions)
        addresses = False
        for condition in conditions:
            operator, modifier, values = condition
            match operator, modifier:
                case "equals", "string":
                    digits = ip_digits(values[0])
                    if digits is None:
                        self.texts.setdefault(values[0], []).append(item)
                    else:
                        addresses = True
                        self._add_addresses(digits, digits, item, numeric)
                case "exactly", _:
                    self.texts.setdefault(values[0], []).append(item)
                case "equals", _:
                    number = comparable(values[0]) if modifier == "number" else None
                    if number is None:
                        self.literals.setdefault(values[0], []).append(item)
                    else:
                        self.numbers.setdefault(number, []).append(item)
                case "prefix", "":
                    self.prefixes.add(values[0], item)
                case "suffix", "":
                    self.suffixes.add(values[0], item)
                case "prefix", _:
                    text = _AnyCase(values[0])
                    self.any_case_prefixes.add(text.fold, (text, item))
                case "suffix", _:
                    text = _AnyCase(values[0])
                    self.any_case_suffixes.add(text.fold, (text, item))
                case "equals-ignore-case", _:
                    text = _AnyCase(values[0])
                    self.any_case.setdefault(text.fold, []).append((text, item))
                case "wildcard", _:
                    pieces = wildcard_pieces(values[0])
                    self.wildcards.add(pieces[0], (pieces, item))
                case "numeric", _:
                    intervals.append((*_interval(values), item))
                case "cidr", _:
                    addresses = True
                    self._add_addresses(*cidr_range(values[0]), item, numeric)
                case "exists", _:
                    if values[0] == "true":
                        self.existing.append(item)
                case _:
                    # What each text, prefix, … excludes: one bit for each anything-but that names it.
                    for positive in _positive(condition):
                        excluded[positive] = excluded.get(positive, 0) | 1 << len(self.excluding)
                    self.excluding.append(item)
        if addresses:
            # An address is also compared, as digits, with the texts of the numbers beside it.
            for condition in conditions:
                if condition.operator == "equals" and condition.modifier == "number":
                    self.address_texts.setdefault(condition.values[0], []).append(item)

    def _add_addresses(self, first: str, last: str, item: Any, numeric: bool) -> None:
        self.addresses.add(first, last, item)
        if not numeric:
            self.textual_addresses.add(first, last, item)

    def any(self, value: Any) -> bool:
        """Does `value` (no array, no object) meet a condition?"""
        if self.existing:
            return True
        if self.excluding and self._failed(value) + 1 != 1 << len(self.excluding):
            return True
        return bool(self._met(value))

    def of(self, value: Any) -> list[Any]:
        """The items of the lists that `value` (no array, no object) meets; some may come more than once."""
        found = self._met(value)
        found += self.existing
        if self.excluding:
            failed = self._failed(value)
            if failed:
                self._spent += len(self.excluding) // 2
                bits = reversed(f"{failed:0{len(self.excluding)}b}")
                found += [item for item, bit in zip(self.excluding, bits, strict=True) if bit == "0"]
            else:
                found += self.excluding
        return found

    def _failed(self, value: Any) -> int:
        """A bit for each anything-but that names `value`."""
        failed = 0
        for mask in self.excluded.of(value) if self.excluded is not None else ():
            failed |= mask
        return failed

    def _met(self, value: Any) -> list[Any]:
        kind = type(value)
        if kind is str:
            return self._met_by_text(value)
        if kind is Number:
            if not self.has_numbers:
                return []
            number = comparable(value)
            if len(value) > _SHORT or (number is not None and -_TINY < number < _TINY):
                self._spent += 14
            return self._met_by_number(value, number)
        if value is None or value is True or value is False:
            return list(self.literals.get("null" if value is None else "true" if value else "false", ()))
        if kind is int and -_EXACT <= value <= _EXACT and not self.by_digits:
            return self._met_by_number("", value)
        if isinstance(value, Number):
            return self._met_by_number(value, comparable(value)) if self.has_numbers else []
        if isinstance(value, str):
            return self._met_by_text(str(value))
        literal = number_text(value) if isinstance(value, int | float) else None
        if literal is None:
            raise EventError(f"Not a JSON value: {type(value).__name__}")
        return self._met_by_number(literal, comparable(literal))

    def _met_by_text(self, text: str) -> list[Any]:
        found: list[Any] = []
        if text in self.texts:
            found += self.texts[text]
        if self.has_affixes:
            self._affixes_of(text, found)
        if self.addresses.ranges and ("." in text or ":" in text):
            digits = ip_digits(text)
            self._spent += 12
            if digits is not None:
                found += self.addresses.of(digits)
                found += self.address_texts.get(digits, ())
        return found

    def _affixes_of(self, text: str, found: list[Any]) -> None:
        if self.prefixes.by_length:
            found += self.prefixes.of(text + '"')
        if self.suffixes.by_length:
            found += self.suffixes.of('"' + text)
        spent = (len(self.prefixes.by_length) + len(self.suffixes.by_length)) // 4
        if self.wildcards.by_length:
            for pieces, item in self.wildcards.of(text):
                spent += 2 + (len(text) >> 9)
                if _like(text, pieces):
                    found.append(item)
        if self.any_case or self.any_case_prefixes.by_length or self.any_case_suffixes.by_length:
            folded = fold(text)
            plain = text.isascii()
            for other, item in self.any_case.get(folded, ()):
                spent += 2 if plain and other.ascii else 2 + 2 * len(other.cases)
                if (plain and other.ascii) or len(text) in other.ends(text):
                    found.append(item)
            for other, item in self.any_case_prefixes.of(folded + '"'):
                spent += 2 if plain and other.ascii else 2 + 2 * len(other.cases)
                if (plain and other.ascii) or other.ends(text + '"'):
                    found.append(item)
            for other, item in self.any_case_suffixes.of('"' + folded):
                spent += 2 if plain and other.ascii else 2 + 2 * len(other.cases)
                if (plain and other.ascii) or other.is_end('"' + text):
                    found.append(item)
            spent += 4 + (len(self.any_case_prefixes.by_length) + len(self.any_case_suffixes.by_length)) // 4
        self._spent += spent

    def _met_by_number(self, literal: str, number: float | None) -> list[Any]:
        found = list(self.literals.get(literal, ())) if self.literals else []
        if number is not None:
            if number in self.numbers:
                found += self.numbers[number]
            if self.intervals is not None:
                found += self.intervals.of(number)
            if self.textual_addresses.may_hold(literal):
                self._spent += 8
                found += self.textual_addresses.of(_hexadecimal(literal))
        elif self.addresses.ranges:
            self._spent += 8
            found += self.addresses.of(_hexadecimal(literal))
        return found


def _is_numeric(condition: Condition) -> bool:
    operator, modifier, values = condition
    if operator == "equals" and modifier == "number":
        return comparable(values[0]) is not None
    return operator == "numeric" or (operator == "anything-but" and modifier == "number")


def _interval(terms: tuple[tuple[str, str], ...]) -> tuple[float, float]:
    """The numbers that a numeric condition takes, as `start <= x < end`."""
    start, end = -math.inf, math.inf
    for comparison, literal in terms:
        number = float(literal)
        after = math.nextafter(number, math.inf)
        if comparison in ("=", ">="):
            start = number
        if comparison == ">":
            start = after
        if comparison in ("=", "<="):
            end = after
        if comparison == "<":
            end = number
    return start, end


def _positive(condition: Condition) -> list[Condition]:
    """What an anything-but condition excludes, as conditions."""
    make = type(condition)
    match condition.modifier:
        case "":
            return [make("exactly", "", (value,)) for value in condition.values]
        case "number":
            return [make("numeric", "", (("=", value),)) for value in condition.values]
        case operator:
            return [make(operator, "", (value,)) for value in condition.values]
