"""An event as the fields that patterns ask for, and the choice of array elements in which all conditions hold.

An event is searched by dotted names: `{"a": {"b": 1}}` and `{"a.b": 1}` both have the field `a.b`. Arrays do not count
as steps, so that a field may have many values; each is kept with its *chain*: the elements of arrays of objects that
it lies in. Conditions on several fields must hold within the same elements (Event, ArrayMembership and
StructuredFinder in the reference).
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import chain as chained
from itertools import repeat
from typing import Any, NamedTuple

from signalbox.patterns._conditions import Leaf
from signalbox.patterns._errors import EventError
from signalbox.patterns._json import MAX_DEPTH, MAX_NODES, Number, Repeated, event_of_text

Chain = tuple[int, ...]
"""Elements from the outside in, each as the number of its array (within the event) times ELEMENTS, plus its index."""
Fields = dict[str, list[tuple[Any, Chain]]]

# By these most values are told apart; what else an object in memory may hold is asked what it is.
_SCALARS = frozenset((str, int, float, bool, type(None), Number))
_CONTAINERS = frozenset((dict, list, Repeated))
ELEMENTS = 1 << 32
MAX_CHAIN = 64
MAX_STEPS = 150_000
# All chains together: thousands of elements, each within dozens of arrays, take too long.
MAX_LINKS = 300_000


class Node:
    """A place in the tree of the names that patterns ask for; `field` is set where a pattern has conditions.

    `shared`: are there conditions on more than one field here and below? Else the elements of an array can bring
    nothing apart.
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


def fields_of(event: Mapping[str, Any], root: Node, empty_names: bool) -> tuple[Fields, set[str]]:
    """The values of the fields in `root` that `event` has, and which fields have values in elements of arrays that
    exclude each other. `empty_names`: see `reads_empty_names`.
    """
    found: Fields = {}
    branched: set[str] = set()
    stack: list[tuple[Any, Node, Chain, int]] = [(event, root, (), 0)]
    arrays = visited = links = 0
    while stack:
        value, node, chain, depth = stack.pop()
        if depth > MAX_DEPTH:
            raise _too_deep()
        if type(value) is dict or isinstance(value, Mapping):
            children = node.children
            if not children:
                continue
            for name, member in value.pairs if type(value) is Repeated else value.items():
                child = children.get(name)
                if child is None:
                    if not isinstance(name, str) or "." not in name:
                        continue
                    child = _descend(node, name)
                    if child is None:
                        continue
                elif not name and not empty_names:
                    continue
                if type(member) not in _SCALARS and isinstance(member, Mapping | list | tuple):
                    stack.append((member, child, chain, depth + 1))
                    continue
                field = child.field
                if field is not None:
                    if field in found:
                        found[field].append((member, chain))
                    else:
                        found[field] = [(member, chain)]
                    if chain:
                        branched.add(field)
            continue
        visited += len(value)
        if visited > MAX_NODES:
            raise EventError("The event is too large, or contains itself")
        field = node.field
        kinds = set(map(type, value))
        indexes: Sequence[int] = range(len(value))
        inner: Sequence[Any] = value
        scalars: Sequence[Any] = ()
        if kinds <= _SCALARS:
            inner, scalars = (), value
        elif not kinds <= _CONTAINERS:
            indexes = [
                index
                for index, element in enumerate(value)
                if type(element) not in _SCALARS and isinstance(element, Mapping | list | tuple)
            ]
            inner = [value[index] for index in indexes]
            skip = set(indexes)
            scalars = [element for index, element in enumerate(value) if index not in skip]
        # An array in which only one element can hold more can bring nothing apart, and is not numbered.
        if len(inner) > 1 and node.shared:
            links += len(inner) * (len(chain) + 1)
            if links > MAX_LINKS or len(chain) >= MAX_CHAIN:
                raise _too_deep()
            first = arrays * ELEMENTS
            chains = [(*chain, first + index) for index in indexes]
            stack += zip(inner, repeat(node), chains, repeat(depth + 1))
            arrays += 1
        else:
            stack += zip(inner, repeat(node), repeat(chain), repeat(depth + 1))
        if field is not None and scalars:
            found.setdefault(field, []).extend(zip(scalars, repeat(chain)))
            if chain:
                branched.add(field)
    return found, branched


def _too_deep() -> EventError:
    return EventError(
        f"The event is nested too deeply (more than {MAX_DEPTH} levels, {MAX_CHAIN} of arrays with branches,"
        f" or {MAX_LINKS} of them over all elements)"
    )


def _descend(node: Node, name: str) -> Node | None:
    for step in name.split("."):
        child = node.children.get(step)
        if child is None:
            return None
        node = child
    return node


class _Places(NamedTuple):
    """Where the values of a field are."""

    chains: list[Chain]
    """Each once."""
    arrays: frozenset[int]
    """The arrays that they lie in."""
    loose: list[Chain]
    """Those that do not lie in all of these arrays."""
    mask: int
    """A bit for each element, if all are in elements of one array, and not in arrays within these; else -1."""


class View:
    """One event while patterns are matched against it: what was found out once is kept, for all alternatives."""

    __slots__ = ("_chains", "_elements", "_masks", "_places", "branched", "fields", "steps")

    def __init__(self, fields: Fields, branched: set[str]) -> None:
        self.fields = fields
        self.branched = branched
        self.steps = 0
        self._chains: dict[int, list[Chain]] = {}
        self._masks: dict[int, int] = {}
        self._places: dict[str, _Places] = {}
        self._elements: dict[int | str, dict[int, list[Chain]]] = {}

    def chains(self, leaf: Leaf) -> list[Chain]:
        """The chains, each once, of the values that meet `leaf`."""
        chains = self._chains.get(id(leaf))
        if chains is None:
            values = self.fields.get(leaf.field)
            chains = self._chains[id(leaf)] = self._find(leaf, values) if values else []
        return chains

    def _find(self, leaf: Leaf, values: list[tuple[Any, Chain]]) -> list[Chain]:
        accepts = leaf.index.any
        apart = leaf.field in self.branched
        # Long arrays often hold the same over and over. (A number is not what a text of the same characters is.)
        known: dict[type, dict[Any, bool]] = {str: {}, Number: {}}
        chains: dict[Chain, None] = {}
        for value, chain in values:
            answers = known.get(type(value))
            if answers is None:
                met = accepts(value)
            else:
                met = answers.get(value)
                if met is None:
                    met = answers[value] = accepts(value)
            if met:
                if not apart:
                    return [chain]
                chains[chain] = None
        return list(chains)

    def holds(self, leaves: tuple[Leaf, ...]) -> bool:
        """Does the event meet every leaf of an alternative (sorted by field), within the same elements of arrays?"""
        apart: list[Leaf] = []
        for leaf in leaves:
            if leaf.field in self.branched:
                if not leaf.absent and not self.chains(leaf):
                    return False
                apart.append(leaf)
            elif not self.chains(leaf) and (not leaf.absent or self.fields.get(leaf.field)):
                return False
        if not apart or (len(apart) == 1 and self.chains(apart[0])):
            return True
        places = [self._places_of(leaf.field) for leaf in apart]
        if all(each.mask >= 0 and each.arrays == places[0].arrays for each in places):
            return self._same_element(apart, places)
        return self._consistent(apart, places)

    def _places_of(self, field: str) -> _Places:
        places = self._places.get(field)
        if places is None:
            chains = list({chain: None for _, chain in self.fields[field]})
            arrays = frozenset(element // ELEMENTS for chain in chains for element in chain)
            loose = [chain for chain in chains if len(chain) < len(arrays)]
            single = len(arrays) == 1 and not loose
            places = self._places[field] = _Places(chains, arrays, loose, _mask(chains) if single else -1)
        return places

    def _same_element(self, leaves: list[Leaf], places: list[_Places]) -> bool:
        """As `_consistent`, for values that are all in elements of one array."""
        elements = -1
        for leaf, (_, _, _, mask) in zip(leaves, places, strict=True):
            met = self._masks.get(id(leaf))
            if met is None:
                met = self._masks[id(leaf)] = _mask(self.chains(leaf))
            # The first has no element to be absent from.
            elements &= met | ~mask if leaf.absent and elements != -1 else met
            if not elements:
                return False
        return True

    def _consistent(self, leaves: list[Leaf], places: list[_Places]) -> bool:
        """Is there a choice of one value for each leaf such that no two lie in different elements of one array?

        Depth first, field by field in the reference's order; a field may be absent with regard to the elements that
        were chosen before it. Of the choices so far only those matter that later fields can contradict; each such
        state is looked at once.
        """
        # The last leaf that each array matters to.
        last: dict[int, int] = {}
        for i, place in enumerate(places):
            self._step(len(place.arrays) // 8)
            last.update(dict.fromkeys(place.arrays, i))
        seen: set[tuple[int, frozenset[int]]] = set()
        todo: list[tuple[int, dict[int, int]]] = [(0, {})]
        while todo:
            i, chosen = todo.pop()
            if i == len(leaves):
                return True
            leaf, (every, arrays, loose, _) = leaves[i], places[i]
            bound = [element for array, element in chosen.items() if array in arrays]
            kept = {array: element for array, element in chosen.items() if last[array] > i}
            nexts: list[dict[int, int]] = []
            if leaf.absent:
                # A field that lies in and beside an array (`a.b` and `a`) is there if any of them fits.
                there = chained(self._pool(leaf.field, every, bound), loose)
                if not self._any_fits(there, chosen):
                    nexts.append(kept)
            fitting = self._pool(id(leaf), self.chains(leaf), bound)
            self._step(sum(map(len, fitting)) + len(fitting) * (1 + len(chosen)))
            for chain in fitting:
                if _fits(chain, chosen):
                    nexts.append(kept | {array: e for e in chain if last[array := e // ELEMENTS] > i})
            for following in nexts:
                state = (i + 1, frozenset(following.values()))
                if state not in seen:
                    seen.add(state)
                    todo.append((i + 1, following))
        return False

    def _pool(self, key: int | str, chains: list[Chain], bound: list[int]) -> list[Chain]:
        """Those of `chains` that may fit the elements already chosen; `key` is that of `chains` for keeping."""
        if not bound:
            return chains
        elements = self._elements.get(key)
        if elements is None:
            elements = self._elements[key] = {}
            for chain in chains:
                for element in chain:
                    elements.setdefault(element, []).append(chain)
        return min((elements.get(element, []) for element in bound), key=len)

    def _any_fits(self, chains: Iterable[Chain], chosen: dict[int, int]) -> bool:
        for chain in chains:
            self._step(1 + len(chain))
            if _fits(chain, chosen):
                return True
        return False

    def _step(self, count: int) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise EventError("The event has too many elements in arrays to find those in which all conditions hold")


def _fits(chain: Chain, chosen: dict[int, int]) -> bool:
    """Does `chain` keep to the elements that were chosen?"""
    for element in chain:  # noqa: SIM110 (a generator takes three times as long)
        if chosen.get(element // ELEMENTS, element) != element:
            return False
    return True


def _mask(chains: Iterable[Chain]) -> int:
    """A bit for the innermost element of each of `chains`."""
    indexes = [chain[-1] % ELEMENTS for chain in chains]
    bits = bytearray(max(indexes, default=0) // 8 + 1)
    for index in indexes:
        bits[index >> 3] |= 1 << (index & 7)
    return int.from_bytes(bits, "little")
