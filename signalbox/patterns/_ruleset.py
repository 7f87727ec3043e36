"""Many rules at once: one look at the event, and work for those rules that can match it."""

from collections.abc import Hashable, Mapping
from typing import Any, Generic, TypeVar

from signalbox.patterns._conditions import Leaf
from signalbox.patterns._event import Node, View, event_object, fields_of
from signalbox.patterns._index import ValueIndex
from signalbox.patterns._pattern import Pattern, compile

Id = TypeVar("Id", bound=Hashable)

# How likely an event meets a condition, by its kind: rules are looked up by their least likely leaf. The figures
# need only be in the right order.
_LIKELY = {
    "equals-ignore-case": 0.05,
    "cidr": 0.1,
    "wildcard": 0.1,
    "prefix": 0.1,
    "suffix": 0.1,
    "numeric": 0.3,
    "exists": 0.6,
    "anything-but": 0.95,
}


class RuleSet(Generic[Id]):
    """Rules by id, compiled together.

    Each alternative of a rule waits at the one of its leaves that the fewest events meet; only when a value of the
    event meets that leaf, the others are looked at, each leaf once per event however many rules share it.
    """

    def __init__(self, rules: Mapping[Id, str | Mapping[str, Any] | Pattern]) -> None:
        """Raises PatternError for the first rule that EventBridge would refuse."""
        self._count = len(rules)
        self._leaves: dict[tuple[str, tuple[Any, ...]], Leaf] = {}
        # What such a rule sees of an event depends on its other fields (see reads_empty_names): it is matched alone.
        self._alone: dict[Id, Pattern] = {}
        alternatives: list[tuple[Id, tuple[Leaf, ...]]] = []
        for rule, source in rules.items():
            pattern = compile(source)
            if any(leaf.field.endswith(".") for leaf in pattern.leaves):
                self._alone[rule] = pattern
                continue
            for leaves in pattern.alternatives:
                alternatives.append((rule, tuple(self._intern(leaf) for leaf in leaves)))
        self._tree = Node.of({leaf.field for leaf in self._leaves.values()})
        self._always: list[tuple[Id, tuple[Leaf, ...]]] = []
        self._indexes = self._place(alternatives)

    def match(self, event: str | Mapping[str, Any]) -> set[Id]:
        """The ids of the rules that the event (JSON text or object) matches. Raises EventError when it is no event."""
        value = event_object(event)
        fields = fields_of(value, self._tree, True)
        view = View(fields)
        matched = {rule for rule, pattern in self._alone.items() if pattern.matches(value)}
        for field, index in self._indexes.items():
            values = fields.get(field)
            if not values:
                continue
            waiting = index.of(values[0][0]) if len(values) == 1 else _of_all(index, values)
            for alternatives in waiting:
                for rule, leaves in alternatives:
                    if rule not in matched and view.holds(leaves):
                        matched.add(rule)
        for rule, leaves in self._always:
            if rule not in matched and view.holds(leaves):
                matched.add(rule)
        return matched

    def __len__(self) -> int:
        return self._count

    def _intern(self, leaf: Leaf) -> Leaf:
        return self._leaves.setdefault((leaf.field, leaf.conditions), leaf)

    def _place(self, alternatives: list[tuple[Id, tuple[Leaf, ...]]]) -> dict[str, ValueIndex]:
        """For each field the alternatives that wait at it, indexed by the values that they wait for."""
        texts: dict[str, set[str]] = {}
        for leaf in self._leaves.values():
            for condition in leaf.conditions:
                if condition.operator in ("equals", "exactly"):
                    texts.setdefault(leaf.field, set()).add(condition.values[0])
        likely = {id(leaf): _likelihood(leaf, len(texts.get(leaf.field, ()))) for leaf in self._leaves.values()}
        waiting: dict[int, list[tuple[Id, tuple[Leaf, ...]]]] = {}
        for rule, leaves in alternatives:
            first = min(leaves, key=lambda leaf: likely[id(leaf)])
            if first.absent:
                self._always.append((rule, leaves))
            else:
                waiting.setdefault(id(first), []).append((rule, leaves))
        lists: dict[str, list[tuple[tuple[Any, ...], Any]]] = {}
        for leaf in self._leaves.values():
            if id(leaf) in waiting:
                lists.setdefault(leaf.field, []).append((leaf.conditions, waiting[id(leaf)]))
        return {field: ValueIndex(entries) for field, entries in lists.items()}


def _likelihood(leaf: Leaf, texts: int) -> float:
    """How likely an event meets `leaf`, when `texts` different values are asked for in its field."""
    if leaf.absent:
        return 2.0
    exact = 1 / (texts + 1)
    return sum(exact if c.operator in ("equals", "exactly") else _LIKELY[c.operator] for c in leaf.conditions)


def _of_all(index: ValueIndex, values: list[tuple[Any, Any]]) -> list[Any]:
    found: dict[int, Any] = {}
    for value, _ in values:
        for item in index.of(value):
            found[id(item)] = item
    return list(found.values())
