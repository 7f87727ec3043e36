"""How hard the wildcards of a pattern are for EventBridge, which refuses what is too hard.

The measure is that of MachineComplexityEvaluator in the reference: over all texts that a value could be, the largest
number of beginnings of wildcard patterns on one field that the text may have reached at once. `*a*` counts 3 (after
`…a…"`: `"*`, `"*a*` and the whole); `*aaaa` counts 5.
"""

from collections.abc import Iterable, Sequence

from signalbox.patterns._conditions import Condition, Leaf
from signalbox.patterns._index import wildcard_pieces

# EventBridge does not say where it stops. The reference's README suggests 10 for a single rule where a bus may have 30
# rules with wildcards, which is EventBridge's quota; known are a rule of 9 that was taken and one of 12 that was not.
MAX_COMPLEXITY = 10
# What no rule that people write comes near; the number of texts that behave differently grows exponentially.
MAX_STATES = 1500

REASON = (
    "Rule is too complex - try using fewer wildcard characters or fewer repeating character sequences after a"
    " wildcard character"
)


def complexity(leaves: Sequence[Leaf], ways: Iterable[int]) -> int:
    """The complexity of a pattern, 0 without wildcards, no more than MAX_COMPLEXITY + 1.

    `leaves`: in the order of their fields; `ways`: the alternatives, a bit for each of their leaves. Leaves on one
    field meet in one machine where those before them are the same.
    """
    first: dict[str, int] = {}
    for i, leaf in enumerate(leaves):
        first.setdefault(leaf.field, i)
    wild = [
        (1 << i, (1 << first[leaf.field]) - 1, leaf.field, dict.fromkeys(each for each in leaf.conditions if each.wild))
        for i, leaf in enumerate(leaves)
        if leaf.wild
    ]
    machines: dict[tuple[int, str], dict[Condition, None]] = {}
    for way in ways:
        for bit, before, field, conditions in wild:
            if way & bit:
                machines.setdefault((way & before, field), {}).update(conditions)
    sets = {tuple(conditions) for conditions in machines.values()}
    return max((_Machine(conditions).widest() for conditions in sets), default=0)


class _Machine:
    """All wildcard conditions on one field as an automaton over bytes, each condition a tree of its own."""

    def __init__(self, conditions: Iterable[Condition]) -> None:
        self.steps: list[dict[int, int]] = []
        self.star: list[int] = []
        self.loops: set[int] = set()
        self.start = frozenset(self._add(condition.values) for condition in conditions)

    def _state(self) -> int:
        self.steps.append({})
        self.star.append(-1)
        return len(self.steps) - 1

    def _add(self, texts: tuple[str, ...]) -> int:
        root, end = self._state(), self._state()
        for text in texts:
            state = self._step(root, ord('"'))
            for i, piece in enumerate(wildcard_pieces(text)):
                if i:
                    if self.star[state] < 0:
                        self.star[state] = self._state()
                        self.loops.add(self.star[state])
                    state = self.star[state]
                for byte in piece.encode("utf-8", "replace"):
                    state = self._step(state, byte)
            self.steps[state].setdefault(ord('"'), end)
        return root

    def _step(self, state: int, byte: int) -> int:
        following = self.steps[state].get(byte)
        if following is None:
            following = self.steps[state][byte] = self._state()
        return following

    def widest(self) -> int:
        """The largest number of states that one text can be in, no more than MAX_COMPLEXITY + 1."""
        widest = 0
        seen = {self.start}
        todo = [self.start]
        while todo:
            current = todo.pop()
            stars = {self.star[state] for state in current if self.star[state] >= 0}
            if current is not self.start:
                widest = max(widest, len(current | stars))
            if widest > MAX_COMPLEXITY or len(seen) > MAX_STATES:
                break
            stay = (current & self.loops) | stars
            reach: dict[int, set[int]] = {}
            for state in current | stars:
                for byte, following in self.steps[state].items():
                    reach.setdefault(byte, set()).add(following)
            for following in reach.values():
                states = frozenset(following | stay)
                if states not in seen:
                    seen.add(states)
                    todo.append(states)
        return min(widest, MAX_COMPLEXITY + 1)
