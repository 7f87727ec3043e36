"""Many rules at once: one look at the event, and work for those rules that can match it."""

from collections.abc import Hashable, Iterable, Mapping
from typing import Any, Generic, NamedTuple, TypeVar

from signalbox.patterns._conditions import Leaf
from signalbox.patterns._errors import EventError
from signalbox.patterns._event import MAX_STEPS, Node, event_object, find
from signalbox.patterns._index import ValueIndex
from signalbox.patterns._numbers import ip_digits
from signalbox.patterns._pattern import Pattern, compile
from signalbox.patterns._view import View, distinct

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
# So few are looked at one by one.
_FEW = 4
# A list of more texts than this is not spread over the branches of the tree.
_MANY_TEXTS = 32
_MAX_DEPTH = 8


class _Candidate(NamedTuple):
    """One alternative of a rule: all its leaves in the reference's order, and `open`, least likely first, those that
    are not known to be met when it is looked at.
    """

    rule: Any
    leaves: tuple[Leaf, ...]
    fields: frozenset[str]
    open: tuple[Leaf, ...]


class _Branch(NamedTuple):
    """A part of the rules: split by the text in `field`, or (field None) looked up by other conditions."""

    field: str | None
    children: dict[str, "_Branch"]
    rest: "_Branch | None"
    indexes: list[tuple[str, ValueIndex]]
    always: list[_Candidate]


class RuleSet(Generic[Id]):
    """Rules by id, compiled together.

    Rules are spread over a tree by the plain texts that they ask for (source, detail-type, …); what is left at a leaf
    of the tree waits, each rule at the one of its conditions that the fewest events meet. Only then its other
    conditions are looked at, each once per event however many rules share it.
    """

    def __init__(self, rules: Mapping[Id, str | Mapping[str, Any] | Pattern]) -> None:
        """Raises PatternError for the first rule that EventBridge would refuse."""
        self._patterns: dict[Id, Pattern] = {}
        self._leaves: dict[tuple[str, tuple[Any, ...]], Leaf] = {}
        # What such a rule sees of an event depends on its other fields (see reads_empty_names): it is matched alone.
        self._alone: dict[Id, Pattern] = {}
        alternatives: list[tuple[Id, tuple[Leaf, ...]]] = []
        for rule, source in rules.items():
            pattern = self._patterns[rule] = compile(source)
            if any(leaf.field.endswith(".") for leaf in pattern.leaves):
                self._alone[rule] = pattern
                continue
            for leaves in pattern.alternatives:
                alternatives.append((rule, tuple(self._intern(leaf) for leaf in leaves)))
        self._tree = Node.of({leaf.field for leaf in self._leaves.values()})
        likely = _likelihoods(self._leaves.values())
        candidates = [
            _Candidate(
                rule,
                leaves,
                frozenset(leaf.field for leaf in leaves),
                tuple(sorted(leaves, key=lambda leaf: likely[id(leaf)])),
            )
            for rule, leaves in alternatives
        ]
        self._root = _branch(candidates, 0)

    def __len__(self) -> int:
        return len(self._patterns)

    def match(self, event: str | Mapping[str, Any]) -> set[Id]:
        """The ids of the rules that the event (JSON text or object) matches. Raises EventError when it is no event, or
        when `Pattern.matches` of one of the rules does.
        """
        value = event_object(event)
        try:
            return self._match(value)
        except EventError:
            if len(self._patterns) == 1:
                raise
            # What takes too long for all rules together, as arrays that each of two rules asks something else of,
            # may be little for each of them.
            return {rule for rule, pattern in self._patterns.items() if pattern.matches(value)}

    def _match(self, value: Mapping[str, Any]) -> set[Id]:
        view = View(find(value, self._tree, True), limit=MAX_STEPS * len(self._patterns))
        found = view.values
        matched = {rule for rule, pattern in self._alone.items() if pattern.matches(value)}
        branches = [self._root]
        while branches:
            branch = branches.pop()
            if branch.field is not None:
                children = branch.children
                for text in _texts(found, branch.field):
                    child = children.get(text)
                    if child is not None:
                        branches.append(child)
                if branch.rest is not None:
                    branches.append(branch.rest)
                continue
            for field, index in branch.indexes:
                values = found.get(field)
                if values:
                    for waiting in index.of(values[0]) if len(values) == 1 else _of_all(index, values):
                        _collect(waiting, view, matched)
            _collect(branch.always, view, matched)
        return matched

    def _intern(self, leaf: Leaf) -> Leaf:
        return self._leaves.setdefault((leaf.field, leaf.conditions), leaf)


def _collect(candidates: list[_Candidate], view: View, matched: set[Any]) -> None:
    """Adds to `matched` the rules of those candidates that the event of `view` meets."""
    met = view.met
    for rule, leaves, fields, left in candidates:
        if rule in matched:
            continue
        for leaf in left:
            if not met(leaf) and not leaf.absent:
                break
        else:
            # With no two elements of an array in play, conditions that hold one by one hold together.
            if (fields.isdisjoint(view.placed) and not any(leaf.absent for leaf in left)) or view.holds(leaves):
                matched.add(rule)


def _texts(found: Mapping[str, list[Any]], field: str) -> Iterable[str]:
    values = found.get(field)
    if not values:
        return ()
    if len(values) == 1:
        return values if type(values[0]) is str else ()
    return {value for value in values if type(value) is str}


def _of_all(index: ValueIndex, values: list[Any]) -> list[Any]:
    found: dict[int, Any] = {}
    for value in distinct(values):
        for item in index.of(value):
            found[id(item)] = item
    return list(found.values())


def _likelihoods(leaves: Iterable[Leaf]) -> dict[int, float]:
    """How likely an event meets each leaf, by its id."""
    leaves = list(leaves)
    asked: dict[str, set[str]] = {}
    for leaf in leaves:
        for condition in leaf.conditions:
            if condition.operator in ("equals", "exactly"):
                asked.setdefault(leaf.field, set()).add(condition.values[0])
    likely: dict[int, float] = {}
    for leaf in leaves:
        exact = 1 / (len(asked.get(leaf.field, ())) + 1)
        chances = (exact if c.operator in ("equals", "exactly") else _LIKELY[c.operator] for c in leaf.conditions)
        likely[id(leaf)] = 2.0 if leaf.absent else sum(chances)
    return likely


def _plain_texts(leaf: Leaf) -> tuple[str, ...]:
    """The texts that `leaf` asks for; () when it asks for anything else."""
    conditions = leaf.conditions
    if len(conditions) > _MANY_TEXTS:
        return ()
    for operator, modifier, values in conditions:
        if operator != "exactly" and (operator != "equals" or modifier != "string" or ip_digits(values[0]) is not None):
            return ()
    return tuple(dict.fromkeys(condition.values[0] for condition in conditions))


def _branch(candidates: list[_Candidate], depth: int) -> _Branch:
    """The tree of `candidates`."""
    texts: dict[str, dict[int, tuple[str, ...]]] = {}
    if len(candidates) > _FEW and depth < _MAX_DEPTH:
        for n, candidate in enumerate(candidates):
            for leaf in candidate.open:
                plain = _plain_texts(leaf)
                if plain:
                    texts.setdefault(leaf.field, {})[n] = plain
    field, gain = None, 0.0
    for name, plain_texts in texts.items():
        different = len({text for plain in plain_texts.values() for text in plain})
        if len(plain_texts) * 2 > len(candidates) and len(plain_texts) * (1 - 1 / different) > gain:
            field, gain = name, len(plain_texts) * (1 - 1 / different)
    if field is None:
        return _looked_up(candidates)
    children: dict[str, list[_Candidate]] = {}
    rest: list[_Candidate] = []
    for n, candidate in enumerate(candidates):
        if n not in texts[field]:
            rest.append(candidate)
            continue
        still_open = tuple(leaf for leaf in candidate.open if leaf.field != field)
        for text in texts[field][n]:
            children.setdefault(text, []).append(candidate._replace(open=still_open))
    branches = {text: _branch(some, depth + 1) for text, some in children.items()}
    return _Branch(field, branches, _branch(rest, depth + 1) if rest else None, [], [])


def _looked_up(candidates: list[_Candidate]) -> _Branch:
    """Candidates that wait at their least likely condition; those with none to wait at are always looked at."""
    waiting: dict[int, tuple[Leaf, list[_Candidate]]] = {}
    always: list[_Candidate] = []
    for candidate in candidates:
        first = candidate.open[0] if candidate.open else None
        if len(candidates) <= _FEW or first is None or first.absent:
            always.append(candidate)
        else:
            rest = candidate._replace(open=candidate.open[1:])
            waiting.setdefault(id(first), (first, []))[1].append(rest)
    lists: dict[str, list[tuple[tuple[Any, ...], Any]]] = {}
    for leaf, some in waiting.values():
        lists.setdefault(leaf.field, []).append((leaf.conditions, some))
    return _Branch(None, {}, None, [(field, ValueIndex(entries)) for field, entries in lists.items()], always)
