"""An event as the fields that patterns ask for, and the choice of array elements in which all conditions hold.

An event is searched by dotted names: `{"a": {"b": 1}}` and `{"a.b": 1}` both have the field `a.b`. Arrays do not count
as steps, so that a field may have many values; each is kept with its *chain*: the elements of arrays of objects that
it lies in. Conditions on several fields must hold within the same elements (Event, ArrayMembership and
StructuredFinder in the reference).
"""

from collections.abc import Iterable, Mapping
from typing import Any

from signalbox.patterns._conditions import Leaf
from signalbox.patterns._errors import EventError
from signalbox.patterns._json import MAX_DEPTH, MAX_NODES, Number, Repeated, event_of_text

Chain = tuple[tuple[int, int], ...]
"""Pairs of array (numbered within the event) and element, from the outside in."""
Fields = dict[str, list[tuple[Any, Chain]]]

_SCALARS = frozenset((str, int, float, bool, type(None), Number))
MAX_CHAIN = 64
MAX_STEPS = 150_000


class Node:
    """A place in the tree of the names that patterns ask for; `field` is set where a pattern has conditions."""

    __slots__ = ("children", "field")

    def __init__(self) -> None:
        self.children: dict[str, Node] = {}
        self.field: str | None = None

    @classmethod
    def of(cls, fields: Iterable[str]) -> "Node":
        """The tree of `fields` (dotted names)."""
        root = cls()
        for field in fields:
            node = root
            for step in field.split("."):
                node = node.children.setdefault(step, cls())
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
    arrays = visited = 0
    while stack:
        value, node, chain, depth = stack.pop()
        if depth > MAX_DEPTH or len(chain) > MAX_CHAIN:
            raise EventError(
                f"The event is nested too deeply (more than {MAX_DEPTH} levels, or {MAX_CHAIN} of arrays with branches)"
            )
        if type(value) is dict or isinstance(value, Mapping):
            children = node.children
            if not children:
                continue
            for name, member in value.pairs if isinstance(value, Repeated) else value.items():
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
        inner = [
            (index, element)
            for index, element in enumerate(value)
            if type(element) not in _SCALARS and isinstance(element, Mapping | list | tuple)
        ]
        # An array in which only one element can hold more can bring nothing apart, and is not numbered.
        if len(inner) > 1:
            stack += [(element, node, (*chain, (arrays, index)), depth + 1) for index, element in inner]
            arrays += 1
        elif inner:
            stack.append((inner[0][1], node, chain, depth + 1))
        field = node.field
        if field is not None and len(inner) < len(value):
            skip = {index for index, _ in inner}
            found.setdefault(field, []).extend(
                (element, chain) for index, element in enumerate(value) if index not in skip
            )
            if chain:
                branched.add(field)
    return found, branched


def _descend(node: Node, name: str) -> Node | None:
    for step in name.split("."):
        child = node.children.get(step)
        if child is None:
            return None
        node = child
    return node


class View:
    """One event while patterns are matched against it: what was found out once is kept."""

    __slots__ = ("_chains", "branched", "fields", "steps")

    def __init__(self, fields: Fields, branched: set[str]) -> None:
        self.fields = fields
        self.branched = branched
        self.steps = 0
        self._chains: dict[int, list[Chain]] = {}

    def chains(self, leaf: Leaf) -> list[Chain]:
        """The chains, each once, of the values that meet `leaf`."""
        chains = self._chains.get(id(leaf))
        if chains is None:
            values = self.fields.get(leaf.field)
            chains = self._chains[id(leaf)] = self._find(leaf, values) if values else []
        return chains

    def _find(self, leaf: Leaf, values: list[tuple[Any, Chain]]) -> list[Chain]:
        accepts = leaf.index.any
        if len(values) == 1 or leaf.field not in self.branched:
            return [values[0][1]] if any(accepts(value) for value, _ in values) else []
        chains: dict[Chain, None] = {}
        for value, chain in values:
            if chain not in chains and accepts(value):
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
        every = [{chain: None for _, chain in self.fields[leaf.field]} for leaf in apart]
        if self._in_one_array(every):
            return self._same_element(apart, every)
        return self._consistent(apart, every, [self.chains(leaf) for leaf in apart])

    @staticmethod
    def _in_one_array(every: list[dict[Chain, None]]) -> bool:
        """Are all values in elements of the same array, and not in arrays within these?"""
        first = next(iter(every[0]))
        if len(first) != 1:
            return False
        array = first[0][0]
        return all(len(chain) == 1 and chain[0][0] == array for chains in every for chain in chains)

    def _same_element(self, leaves: list[Leaf], every: list[dict[Chain, None]]) -> bool:
        """As `_consistent`, for what `_in_one_array` is true of."""
        elements: set[Chain] | None = None
        for leaf, chains in zip(leaves, every, strict=True):
            met = self.chains(leaf)
            if elements is None:
                elements = set(met)
            elif leaf.absent:
                met = set(met)
                elements = {element for element in elements if element in met or element not in chains}
            else:
                elements.intersection_update(met)
        return bool(elements)

    def _consistent(self, leaves: list[Leaf], every: list[dict[Chain, None]], together: list[list[Chain]]) -> bool:
        """Is there a choice of one value for each leaf such that no two lie in different elements of one array?

        Depth first, field by field in the reference's order; a field may be absent with regard to the elements that
        were chosen before it. Of the choices so far only those matter that later fields can contradict; each such
        state is looked at once.
        """
        arrays = [{array for chain in chains for array, _ in chain} for chains in every]
        later: list[set[int]] = [set()]
        for own in reversed(arrays):
            later.append(later[-1] | own)
        later.reverse()
        pools = [_by_element(chains) for chains in together]
        all_pools = [_by_element(chains) if leaf.absent else {} for leaf, chains in zip(leaves, every, strict=True)]
        # A field that lies in and beside an array (`a.b` and `a`) is there if any of them fits.
        loose = [
            [chain for chain in chains if len(chain) < len(own)] for chains, own in zip(every, arrays, strict=True)
        ]
        seen: set[tuple[int, frozenset[tuple[int, int]]]] = set()
        todo: list[tuple[int, dict[int, int]]] = [(0, {})]
        while todo:
            i, chosen = todo.pop()
            if i == len(leaves):
                return True
            bound = [(array, chosen[array]) for array in chosen if array in arrays[i]]
            nexts: list[dict[int, int]] = []
            if leaves[i].absent and not self._any_fits(_pool(list(every[i]), all_pools[i], bound) + loose[i], chosen):
                nexts.append({array: index for array, index in chosen.items() if array in later[i + 1]})
            for chain in _pool(together[i], pools[i], bound):
                merged = self._merge(chain, chosen, later[i + 1])
                if merged is not None:
                    nexts.append(merged)
            for following in nexts:
                state = (i + 1, frozenset(following.items()))
                if state not in seen:
                    seen.add(state)
                    todo.append((i + 1, following))
        return False

    def _merge(self, chain: Chain, chosen: dict[int, int], later: set[int]) -> dict[int, int] | None:
        """`chosen` with `chain`, of it what matters later; None if they contradict each other."""
        self._step(1 + len(chain) + len(chosen))
        for array, index in chain:
            if chosen.get(array, index) != index:
                return None
        merged = {array: index for array, index in chosen.items() if array in later}
        merged.update(pair for pair in chain if pair[0] in later)
        return merged

    def _any_fits(self, chains: list[Chain], chosen: dict[int, int]) -> bool:
        for chain in chains:
            self._step(1 + len(chain))
            if all(chosen.get(array, index) == index for array, index in chain):
                return True
        return False

    def _step(self, count: int) -> None:
        self.steps += count
        if self.steps > MAX_STEPS:
            raise EventError("The event has too many elements in arrays to find those in which all conditions hold")


def _by_element(chains: Iterable[Chain]) -> dict[tuple[int, int], list[Chain]]:
    elements: dict[tuple[int, int], list[Chain]] = {}
    for chain in chains:
        for pair in chain:
            elements.setdefault(pair, []).append(chain)
    return elements


def _pool(
    chains: list[Chain], elements: dict[tuple[int, int], list[Chain]], bound: list[tuple[int, int]]
) -> list[Chain]:
    """Those of `chains` that may fit the elements already chosen."""
    if not bound:
        return chains
    return min((elements.get(pair, []) for pair in bound), key=len)
