"""One event held against the leaves of patterns, and the choice of array elements in which all conditions hold."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, NamedTuple, TypeVar

from signalbox.patterns._conditions import Leaf
from signalbox.patterns._errors import EventError
from signalbox.patterns._event import MAX_STEPS, SCALARS, Found
from signalbox.patterns._index import ValueIndex

T = TypeVar("T")

Alternatives = frozenset[int]
"""Alternatives of a pattern, each a bit for every leaf that must hold."""

Together = Mapping[str, tuple[ValueIndex, Sequence[Leaf]]]

_CHUNK = 32


class _Shape(NamedTuple):
    """Where the values of a field are."""

    places: list[int]
    """Each once."""
    arrays: frozenset[int]
    """The arrays that they lie in."""
    loose: list[int]
    """Those that do not lie in all of these arrays."""
    mask: int
    """A bit for each element, if all are in elements of one array, and not in arrays within these; else -1."""


class View:
    """One event while patterns are matched against it: what was found out once is kept, for all alternatives.

    `together` has, by field, several leaves on it and an index of them, so that a value is looked up once for all.
    Methods raise EventError for what is no JSON value, and where more than `limit` steps would be taken.
    """

    __slots__ = ("_by_element", "_found", "_met", "_shapes", "_steps_left", "_together", "placed", "values")

    def __init__(self, found: Found, together: Together | None = None, limit: int = MAX_STEPS) -> None:
        self.values = found.values
        self.placed = found.places
        self._found = found
        self._together = together or {}
        self._steps_left = limit - found.steps
        self._met: dict[int, list[int]] = {}
        self._shapes: dict[str, _Shape] = {}
        self._by_element: dict[int | str, dict[int, list[int]]] = {}

    def met(self, leaf: Leaf) -> list[int]:
        """The places, each once, of the values that meet `leaf`; of a field that is not in `placed` only one."""
        places = self._met.get(id(leaf))
        if places is None:
            values = self.values.get(leaf.field)
            if not values:
                places = self._met[id(leaf)] = []
            elif leaf.field in self._together:
                self._find_all(leaf.field, values)
                places = self._met[id(leaf)]
            else:
                places = self._met[id(leaf)] = self._find(leaf, values)
        return places

    def _find(self, leaf: Leaf, values: list[Any]) -> list[int]:
        ask = leaf.index.any
        places = self.placed.get(leaf.field)
        if len(values) <= _CHUNK:  # too few to be worth counting
            if places is None:
                for value in values:
                    if ask(value):
                        return [0]
                return []
            return list(dict.fromkeys([place for value, place in zip(values, places, strict=True) if ask(value)]))
        if places is None:
            return [0] if any(map(ask, self._metered(leaf.index, distinct(values)))) else []
        answers = self._answers(leaf.index, ask, values)
        self._step(len(values) // 2)
        return list(dict.fromkeys(place for place, met in zip(places, answers, strict=True) if met))

    def _find_all(self, field: str, values: list[Any]) -> None:
        """Finds what meets each of the leaves on `field`."""
        index, leaves = self._together[field]
        found: dict[int, dict[int, None]] = {id(leaf): {} for leaf in leaves}
        places = self.placed.get(field)
        if places is None:
            left = set(found)
            for some in map(index.of, self._metered(index, distinct(values), 4)):
                if some:
                    self._step(len(some))
                    left.difference_update(map(id, some))
                    if not left:
                        break
            self._met.update((leaf, [] if leaf in left else [0]) for leaf in found)
            return
        for place, some in zip(places, self._answers(index, index.of, values), strict=True):
            self._step(1 + len(some))
            for leaf in some:
                found[id(leaf)][place] = None
        self._met.update((leaf, list(places)) for leaf, places in found.items())

    def _answers(self, index: ValueIndex, ask: Callable[[Any], T], values: list[Any]) -> Iterator[T]:
        """What `ask` says of each value. It is asked once for each: long arrays often hold the same over and over."""
        known: dict[type, dict[Any, T]] = {}
        for kind in SCALARS.intersection(map(type, values)):
            some = {value for value in values if type(value) is kind}
            known[kind] = {value: ask(value) for value in self._metered(index, some)}
        for value in values:
            answers = known.get(type(value))
            yield ask(value) if answers is None else answers[value]

    def _metered(self, index: ValueIndex, values: Iterable[Any], each: int = 3) -> Iterator[Any]:
        """`values`, while what looking them up in `index` takes is counted: `each`, and what the index says."""
        spent = index.spent
        for count, value in enumerate(values, 1):
            yield value
            if not count % _CHUNK:
                self._step(each * _CHUNK + index.spent - spent)
                spent = index.spent

    def holds(self, leaves: Sequence[Leaf]) -> bool:
        """Does the event meet every leaf of an alternative (sorted by field), within the same elements of arrays?"""
        apart: list[Leaf] = []
        for leaf in leaves:
            if leaf.field in self.placed:
                if not leaf.absent and not self.met(leaf):
                    return False
                apart.append(leaf)
            elif not self.met(leaf) and (not leaf.absent or self.values.get(leaf.field)):
                return False
        return not apart or self._choose(apart, frozenset(((1 << len(apart)) - 1,)))

    def any_holds(self, leaves: Sequence[Leaf], alternatives: Iterable[int]) -> bool:
        """Does the event meet one of `alternatives`, each a bit for every one of `leaves` (sorted by field)?"""
        failed = apart = 0
        for i, leaf in enumerate(leaves):
            if leaf.field in self.placed:
                if leaf.absent or self.met(leaf):
                    apart |= 1 << i
                else:
                    failed |= 1 << i
            elif not self.met(leaf) and (not leaf.absent or self.values.get(leaf.field)):
                failed |= 1 << i
        left = frozenset(alternative & apart for alternative in alternatives if not alternative & failed)
        return 0 in left or (bool(left) and self._choose(leaves, left))

    def _choose(self, leaves: Sequence[Leaf], alternatives: Alternatives) -> bool:
        """Is there, for one of `alternatives`, a choice of one value for each leaf such that no two lie in different
        elements of one array?

        Leaves are taken in the reference's order; a field may be absent with regard to the elements that were chosen
        before it.
        """
        every = 0
        for alternative in alternatives:
            every |= alternative
        shapes = {i: self._shape(leaf.field) for i, leaf in enumerate(leaves) if every >> i & 1}
        first = next(iter(shapes.values()))
        if len(shapes) == 1:
            return bool(self.met(leaves[next(iter(shapes))]))
        if all(each.mask >= 0 and each.arrays == first.arrays for each in shapes.values()):
            return self._choose_element(leaves, alternatives, shapes)
        return self._choose_elements(leaves, alternatives, shapes)

    def _shape(self, field: str) -> _Shape:
        shape = self._shapes.get(field)
        if shape is None:
            parents, array_of, depths = self._found.parents, self._found.arrays, self._found.depths
            places = list(dict.fromkeys(self.placed[field]))
            arrays: set[int] = set()
            for place in places:
                while place and array_of[place] not in arrays:
                    arrays.add(array_of[place])
                    place = parents[place]
            loose = [place for place in places if depths[place] < len(arrays)]
            mask = self._mask(places) if len(arrays) == 1 and not loose else -1
            shape = self._shapes[field] = _Shape(places, frozenset(arrays), loose, mask)
            self._step(2 * len(places) + 2 * len(arrays))
        return shape

    def _mask(self, places: Sequence[int]) -> int:
        """A bit for each of `places`, which are elements of one array."""
        if not places:
            return 0
        self._step(len(places) // 2)
        first = self._found.firsts[self._found.arrays[places[0]]]
        bits = bytearray((max(places) - first) // 8 + 1)
        for place in places:
            place -= first
            bits[place >> 3] |= 1 << (place & 7)
        return int.from_bytes(bits, "little")

    def _choose_element(self, leaves: Sequence[Leaf], alternatives: Alternatives, shapes: Mapping[int, _Shape]) -> bool:
        """As `_choose`, for values that are all in elements of one array.

        Leaf by leaf: what is left of alternatives, and the elements in which the leaves up to here hold. Alternatives
        of which the same is left go on as one. -1: no element is chosen yet, so there is none to be absent from.
        """
        states: dict[tuple[Alternatives, bool], int] = {(alternatives, False): -1}
        for i, shape in shapes.items():
            bit = 1 << i
            met = self._mask(self.met(leaves[i]))
            following: dict[tuple[Alternatives, bool], int] = {}
            for (left, chosen), elements in states.items():
                self._step(6 + len(left) // 2 + shape.mask.bit_length() // 2048)
                asking = frozenset(each ^ bit for each in left if each & bit)
                if len(asking) < len(left):
                    others = frozenset(each for each in left if not each & bit), chosen
                    following[others] = following.get(others, 0) | elements
                if not asking:
                    continue
                elements &= met | ~shape.mask if leaves[i].absent and chosen else met
                if elements:
                    if 0 in asking:
                        return True
                    following[asking, True] = following.get((asking, True), 0) | elements
            states = following
        return False

    def _choose_elements(
        self, leaves: Sequence[Leaf], alternatives: Alternatives, shapes: Mapping[int, _Shape]
    ) -> bool:
        """As `_choose`, for values in elements of several arrays: depth first.

        Of the elements chosen so far only those matter that later leaves can contradict; each such state, with what is
        left of the alternatives, is looked at once.
        """
        # The last leaf that each array matters to.
        last: dict[int, int] = {}
        for i, shape in shapes.items():
            self._step(len(shape.arrays) // 4)
            last.update(dict.fromkeys(shape.arrays, i))
        divided: dict[Alternatives, tuple[int, Alternatives, Alternatives]] = {}
        todo: list[tuple[Alternatives, dict[int, int]]] = [(alternatives, {})]
        seen: set[tuple[Alternatives, frozenset[int]]] = set()
        while todo:
            left, chosen = todo.pop()
            self._step(12 + len(chosen))
            if left not in divided:
                divided[left] = _divided(left)
                self._step(len(left))
            i, asking, others = divided[left]
            following = [(others, chosen)] if others else []
            for then in self._nexts(leaves[i], shapes[i], chosen):
                if 0 in asking:
                    return True
                following.append((asking, {a: e for a, e in then.items() if last[a] > i}))
            for state in following:
                known = state[0], frozenset(state[1].values())
                if known not in seen:
                    seen.add(known)
                    todo.append(state)
        return False

    def _nexts(self, leaf: Leaf, shape: _Shape, chosen: dict[int, int]) -> Iterator[dict[int, int]]:
        """The choices with which `leaf` holds, too, where elements are `chosen` already (by their arrays)."""
        bound = [element for array, element in chosen.items() if array in shape.arrays]
        if leaf.absent:
            # A field that lies in and beside an array (`a.b` and `a`) is there if any of them fits.
            there = chain(self._pool(leaf.field, shape.places, bound), shape.loose)
            if not any(self._within(place, chosen) is not None for place in there):
                yield chosen
        for place in self._pool(id(leaf), self.met(leaf), bound):
            more = self._within(place, chosen)
            if more is not None:
                self._step(8 + len(chosen) + len(more))
                yield chosen | more

    def _within(self, place: int, chosen: dict[int, int]) -> dict[int, int] | None:
        """The elements around `place`, by their arrays, that are not `chosen` yet; None where another one is."""
        parents, arrays = self._found.parents, self._found.arrays
        more: dict[int, int] = {}
        while place and arrays[place] not in chosen:
            more[arrays[place]] = place
            place = parents[place]
        self._step(4 + len(more))
        # Elements are chosen with all those around them.
        return None if place and chosen[arrays[place]] != place else more

    def _pool(self, key: int | str, places: list[int], bound: list[int]) -> list[int]:
        """Those of `places` that may be within the elements `bound`; `key` is that of `places` for keeping."""
        if not bound:
            return places
        elements = self._by_element.get(key)
        if elements is None:
            elements = self._by_element[key] = {}
            for place in places:
                self._step(2 + 2 * self._found.depths[place])
                element = place
                while element:
                    elements.setdefault(element, []).append(place)
                    element = self._found.parents[element]
        return min((elements.get(element, []) for element in bound), key=len)

    def _step(self, count: int) -> None:
        self._steps_left -= count
        if self._steps_left < 0:
            raise EventError("The event has too many values for what the pattern asks of them")


def distinct(values: list[Any]) -> Iterable[Any]:
    """The values, equal ones once. (A number is not what a text of the same characters is.)"""
    if len(values) == 1:
        return values
    kinds = set(map(type, values))
    if len(kinds) == 1:
        return set(values) if kinds <= SCALARS else values
    some = [[value for value in values if type(value) is kind] for kind in kinds]
    return chain.from_iterable(set(each) if type(each[0]) in SCALARS else each for each in some)


def _divided(alternatives: Alternatives) -> tuple[int, Alternatives, Alternatives]:
    """The first leaf that any of `alternatives` asks for; what is left of those that ask for it; the others."""
    bit = min(each & -each for each in alternatives)
    asking = frozenset(each ^ bit for each in alternatives if each & bit)
    return bit.bit_length() - 1, asking, frozenset(each for each in alternatives if not each & bit)
