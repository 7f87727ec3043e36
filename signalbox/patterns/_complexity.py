"""How hard the wildcards of a pattern are for EventBridge, which refuses what is too hard.

The measure is that of MachineComplexityEvaluator in the reference: over all texts that a value could be, the largest
number of beginnings of wildcard patterns on one field that the text may have reached at once. `*a*` counts 3 (after
`…a…"`: `"*`, `"*a*` and the whole); `*aaaa` counts 5.

The reference goes through all sets of beginnings, of which there can be more than anybody waits for. We need not: a
wildcard that was reached stays reached, so that the texts to look at are those that have reached all wildcards there
are, and of these only what they end with tells them apart.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice

from signalbox.patterns._conditions import Condition, Leaf
from signalbox.patterns._index import wildcard_pieces

# EventBridge does not say where it stops. The reference's README suggests 10 for a single rule where a bus may have 30
# rules with wildcards, which is EventBridge's quota; known are a rule of 9 that was taken and one of 12 that was not.
MAX_COMPLEXITY = 10
# Texts that are looked at for one pattern, half of them for one field: what is not looked at counts for nothing.
# Only wildcards after hundreds of different beginnings come near.
MAX_TEXTS = 12_000

REASON = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a"
    " wildcard character"
)

_QUOTE = ord('"')
_States = frozenset[int]


def complexity(leaves: Sequence[Leaf], ways: Iterable[int]) -> int:
    """The complexity of a pattern, 0 without wildcards, no more than MAX_COMPLEXITY + 1.

    `leaves`: in the order of their fields; `ways`: the alternatives, a bit for each of their leaves. Leaves on one
    field meet in one machine where those before them are the same.

    The reference adds a pattern once for each of its alternatives, and what comes after the first `*` of a wildcard is
    no state that was there. So alternatives that part only behind a field count its wildcard once each; known is how
    where it is the only one in its list.
    """
    first: dict[str, int] = {}
    for i, leaf in enumerate(leaves):
        first.setdefault(leaf.field, i)
    ways = list(ways)
    used = 0  # a leaf can be lost: of two on one field in one alternative the last counts
    for way in ways:
        used |= way
    trees = _Trees()
    wild: dict[str, list[tuple[int, _States]]] = {}
    alone: dict[int, int] = {}
    parting = 0  # behind such a leaf each alternative has states of its own
    for i, leaf in enumerate(leaves):
        if leaf.wild and used >> i & 1:
            asked = [each for each in dict.fromkeys(leaf.conditions) if each.wild]
            wild.setdefault(leaf.field, []).append((1 << i, frozenset(map(trees.root, asked))))
            if len(asked) == 1 and not _is_open(asked[0]):
                alone[1 << i] = trees.root(asked[0])
            if not all(map(_is_open, asked)):
                parting |= 1 << i
    machines: set[_States] = set()
    widest = 0
    for field, some in wild.items():
        before = (1 << first[field]) - 1
        together = [way for way in ways if not way & before & parting]
        for bit, _ in some:
            if bit in alone and (copies := _copies(before, bit, together)) > 1:
                # One is the state in which a text ends: that is there already.
                widest = max(widest, 1 + copies * (trees.widest([frozenset([alone[bit]])]) - 1))
        for bits in {some[0][0]} if len(some) == 1 else _meeting(before, sum(bit for bit, _ in some), ways):
            machines.add(frozenset().union(*(roots for bit, roots in some if bits & bit)))
    return min(max(widest, trees.widest(machines)), MAX_COMPLEXITY + 1)


def _is_open(condition: Condition) -> bool:
    """Are its texts a beginning and one `*`? For such the reference finds the states that are there."""
    return all(len(pieces := wildcard_pieces(text)) == 2 and not pieces[1] for text in condition.values)


def _copies(before: int, leaf: int, ways: Sequence[int]) -> int:
    """How many of `ways` that have the bit `leaf` have the same of the bits `before`, at most."""
    return max(Counter(way & before for way in ways if way & leaf).values(), default=1)


def _meeting(before: int, leaves: int, ways: Iterable[int]) -> set[int]:
    """Which of `leaves` (bits) meet: those of the ways that have the same of the bits `before`."""
    together: dict[int, int] = {}
    for way in {way & (before | leaves) for way in ways}:
        together[way & before] = together.get(way & before, 0) | (way & leaves)
    return set(together.values())


class _Trees:
    """Wildcard conditions as automata over bytes, each condition a tree of states with loops at its wildcards."""

    def __init__(self) -> None:
        self._steps: list[dict[int, int]] = []
        self._star: list[int] = []
        # How many bytes after the last wildcard.
        self._depth: list[int] = []
        # With which states a text of which condition ends: one end for each condition.
        self._ends: dict[int, int] = {}
        self._loops: set[int] = set()
        # States that are reached only by texts that begin so.
        self._initial: set[int] = set()
        self._roots: dict[Condition, int] = {}
        self._texts = 0

    def root(self, condition: Condition) -> int:
        """The state in which `condition` begins to read."""
        if condition not in self._roots:
            self._roots[condition] = self._add(condition.values)
        return self._roots[condition]

    def widest(self, machines: Iterable[_States]) -> int:
        """The largest number of states that one text can be in, in one of `machines` (given by where they begin)."""
        widest = 0
        for roots in machines:
            for count in islice(self._counts(roots), min(MAX_TEXTS // 2, MAX_TEXTS - self._texts)):
                widest = max(widest, count)
                self._texts += 1
                if widest > MAX_COMPLEXITY:
                    return MAX_COMPLEXITY + 1
        return widest

    def _state(self, depth: int, initial: bool) -> int:
        state = len(self._steps)
        self._steps.append({})
        self._star.append(-1)
        self._depth.append(depth)
        if initial:
            self._initial.add(state)
        return state

    def _step(self, state: int, byte: int) -> int:
        following = self._steps[state].get(byte)
        if following is None:
            following = self._state(self._depth[state] + 1, state in self._initial)
            self._steps[state][byte] = following
        return following

    def _add(self, texts: Iterable[str]) -> int:
        root = self._state(0, True)
        for text in texts:
            state = self._step(root, _QUOTE)
            for i, piece in enumerate(wildcard_pieces(text)):
                if i:
                    if self._star[state] < 0:
                        self._star[state] = self._state(0, False)
                        self._loops.add(self._star[state])
                    state = self._star[state]
                for byte in piece.encode("utf-8", "replace"):
                    state = self._step(state, byte)
            self._ends[self._step(state, _QUOTE)] = root
        return root

    def _counts(self, roots: _States) -> Iterator[int]:
        """In how many states the texts are that matter."""
        todo = [roots]
        while todo:
            current = todo.pop()
            stars = current & self._loops | {self._star[state] for state in current if self._star[state] >= 0}
            if current is not roots:
                yield self._count(current | stars)
            beginning = current & self._initial
            further = {byte for state in beginning for byte in self._steps[state]}
            every = current | stars
            todo += [
                frozenset(stars.union(self._steps[state][byte] for state in every if byte in self._steps[state]))
                for byte in further
            ]
            if not further and stars:
                yield from self._counts_behind(self._below(stars))

    def _below(self, stars: Iterable[int]) -> _States:
        """`stars` and all loops that come after them."""
        found, waiting = set(stars), list(stars)
        while waiting:
            state = waiting.pop()
            waiting += self._steps[state].values()
            if (star := self._star[state]) >= 0:
                found.add(star)
                waiting.append(star)
        return frozenset(found)

    def _counts_behind(self, stars: _States) -> Iterator[int]:
        """In how many states texts are that have reached all of `stars`: by what they end with.

        Only the longest of what a text ends with has to be followed: with what does not go on there the text is where
        a shorter one is.
        """
        first: dict[int, set[int]] = {}
        for state in stars:
            for byte, following in self._steps[state].items():
                first.setdefault(byte, set()).add(following)
        todo = [frozenset(following) for following in first.values()]
        yield len(stars)
        while todo:
            current = todo.pop()
            yield len(stars) + self._count(current)
            longest = max(self._depth[state] for state in current)
            further = {byte for state in current if self._depth[state] == longest for byte in self._steps[state]}
            for byte in further:
                reached = {self._steps[state][byte] for state in current if byte in self._steps[state]}
                todo.append(frozenset(reached | first.get(byte, set())))

    def _count(self, states: Iterable[int]) -> int:
        """How many they are; where a text ends and another goes on (with a quote) there are two."""
        ends = {self._ends[state] for state in states if state in self._ends}
        return len(ends) + sum(state not in self._ends or bool(self._steps[state]) for state in states)
