"""EventBridge patterns as JSONata conditions, for states that filter and choose.

A pattern is met by an array as by each of its elements, and several conditions on one array by one element together:
JSONata's paths and predicates say the same, so `{"detail": {"type": ["Info"]}}` becomes
`"Info" in $states.input.detail.type`. Four things JSONata cannot say, or not exactly: they are refused.
What differs and cannot be seen in a pattern: a field whose name holds a dot is not found, nor a value in an array that
is directly in an array.
"""

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal
from ipaddress import AddressValueError, IPv4Network, NetmaskValueError
from itertools import product

from signalbox import patterns
from signalbox.model import JsonObject
from signalbox.patterns import Condition, Leaf

ALTERNATIVES = 50
"""Ways in which a pattern with `$or` and `exists: false` may be met: more would make a condition that nobody reads."""

CHAIN = 8
"""How many parts stand in one chain of `and` or `or`."""

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*", re.ASCII)
_OPERATORS = frozenset(("and", "or", "in", "true", "false", "null", "function"))
_IPV4 = r"/^(0|[1-9][0-9]{0,2})(\.(0|[1-9][0-9]{0,2})){3}$/"


class Unsayable(ValueError):
    """A pattern that JSONata cannot say. `place` leads to the conditions in the pattern, `fix` is a way out."""

    def __init__(self, what: str, place: tuple[str | int, ...], got: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.place = place
        self.got = got
        self.fix = fix


def condition(pattern: JsonObject, subject: str = "$states.input") -> str:
    """JSONata that is true exactly where `pattern` matches the object that the expression `subject` gives.

    Raises patterns.PatternError where EventBridge would refuse the pattern, Unsayable where JSONata cannot say it.
    """
    ways: list[str] = []
    for leaves in patterns.compile(pattern).alternatives:
        choices = [_choices(leaf) for leaf in leaves]
        for chosen in product(*choices):
            if len(ways) == ALTERNATIVES:
                raise Unsayable(
                    "this pattern can be met in too many ways",
                    (),
                    f"more than {ALTERNATIVES}",
                    "make several branches or flows of it",
                )
            ways.append(_all(subject, chosen))
    ways = list(dict.fromkeys(ways))
    return ways[0] if len(ways) == 1 else _joined("or", [f"({way})" for way in ways])


def _joined(word: str, parts: list[str]) -> str:
    """`parts` with `word` between them, in groups where they are many.

    JSONata goes one level deeper for each link of a chain, and Step Functions allows an expression 100 levels.
    """
    while len(parts) > CHAIN:
        parts = [f"({f' {word} '.join(parts[at : at + CHAIN])})" for at in range(0, len(parts), CHAIN)]
    return f" {word} ".join(parts)


def name_step(name: str) -> str:
    """`name` as a step of a JSONata path."""
    if _PLAIN.fullmatch(name) and name not in _OPERATORS:
        return name
    return f"`{name}`" if "`" not in name else text(name)


def text(value: str) -> str:
    """`value` as a JSONata string."""
    return json.dumps(value, ensure_ascii=not value.isprintable())


@dataclass(frozen=True, slots=True)
class _Must:
    """One field's conditions, of which one must hold; none: the field must be absent."""

    leaf: Leaf
    conditions: tuple[Condition, ...]


def _choices(leaf: Leaf) -> list[_Must]:
    # That a field is absent is said of the whole event, everything else of one element of an array.
    present = tuple(dict.fromkeys(c for c in leaf.conditions if c != _ABSENT))
    return ([_Must(leaf, present)] if present else []) + ([_Must(leaf, ())] if leaf.absent else [])


_ABSENT = Condition("exists", "", ("false",))


@dataclass(slots=True)
class _Node:
    """The fields of one object: what is asked of each, or of what is inside it."""

    musts: dict[str, _Must] = field(default_factory=dict)
    inside: "dict[str, _Node]" = field(default_factory=dict)

    def only(self) -> tuple[tuple[str, ...], _Must] | None:
        """The one thing that is asked in here and the way to it, or None where it is not one."""
        if len(self.musts) == 1 and not self.inside:
            ((name, must),) = self.musts.items()
            return (name,), must
        if len(self.inside) == 1 and not self.musts:
            ((name, node),) = self.inside.items()
            if (found := node.only()) is not None:
                return (name, *found[0]), found[1]
        return None


def _all(subject: str, chosen: Iterable[_Must]) -> str:
    root = _Node()
    parts: list[str] = []
    for must in chosen:
        steps = must.leaf.field.split(".")
        if not must.conditions:
            parts.append(f"$not($exists({_path(subject, steps)}{_VALUE}))")
            continue
        node = root
        for step in steps[:-1]:
            node = node.inside.setdefault(step, _Node())
        node.musts[steps[-1]] = must
    return _joined("and", [*_node(subject, root), *parts]) or "true"


_VALUE = '[$type($) != "object"]'
"""Objects are no values to EventBridge, and so is no element of an empty array."""


def _node(subject: str, node: _Node) -> list[str]:
    parts = [_must(_path(subject, (name,)), must) for name, must in node.musts.items()]
    for name, inner in node.inside.items():
        if (only := inner.only()) is not None:
            parts.append(_must(_path(subject, (name, *only[0])), only[1]))
        else:
            parts.append(f"$exists({_path(subject, (name,))}[{_joined('and', _node('', inner))}])")
    return parts


def _path(subject: str, names: Iterable[str]) -> str:
    steps = [name_step(name) for name in names]
    if not subject and steps[0].startswith('"'):
        steps.insert(0, "$")  # else it would be a text
    return ".".join([subject, *steps] if subject else steps)


def _must(path: str, must: _Must) -> str:
    if all(condition.operator in ("equals", "exactly") for condition in must.conditions):
        tests = [f"{_literal(must.leaf, condition)} in {path}" for condition in must.conditions]
        return tests[0] if len(tests) == 1 else f"({_joined('or', tests)})"
    return f"$exists({path}[{_tests(must)}])"


def _tests(must: _Must) -> str:
    """The condition on `$`, one value."""
    of_any: list[str] = []
    of_text: list[str] = []
    of_number: list[str] = []
    equal: list[str] = []
    for each in must.conditions:
        match each.operator:
            case "equals" | "exactly":
                equal.append(_literal(must.leaf, each))
            case "exists":
                of_any.append('$type($) != "object"')
            case "numeric":
                terms = [f"$ {comparison} {_number(must.leaf, value)}" for comparison, value in each.values]
                of_number.append(terms[0] if len(terms) == 1 else f"({' and '.join(terms)})")
            case "anything-but":
                of_any.append(_anything_but(must.leaf, each))
            case _:
                of_text.append(_text_test(must.leaf, each.operator, each.modifier, each.values[0]))
    tests = [f"$ in [{', '.join(equal)}]"] if equal else []
    tests += of_any
    # Asked in this way no function is ever given a value of a type that it does not take.
    if of_text:
        tests.append(f'($type($) = "string" ? {_joined("or", of_text)} : false)')
    if of_number:
        tests.append(f'($type($) = "number" ? {_joined("or", of_number)} : false)')
    return _joined("or", tests)


def _anything_but(leaf: Leaf, condition: Condition) -> str:
    if condition.modifier in ("", "number"):
        values = [text(each) if not condition.modifier else _number(leaf, each) for each in condition.values]
        return f'($type($) != "object" and $not($ in [{", ".join(values)}]))'
    tests = [_text_test(leaf, condition.modifier, "", each) for each in condition.values]
    return f'($type($) = "string" ? $not({_joined("or", tests)}) : $type($) != "object")'


def _text_test(leaf: Leaf, operator: str, modifier: str, value: str) -> str:
    value_of, any_case = "$", modifier == "equals-ignore-case" or operator == "equals-ignore-case"
    if any_case:
        value = _lower(leaf, value)
        value_of = "$lowercase($)"
    match operator:
        case "prefix":
            return f"$substring({value_of}, 0, {len(value)}) = {text(value)}" if value else "true"
        case "suffix":
            return f"$substring({value_of}, -{len(value)}) = {text(value)}" if value else "true"
        case "equals-ignore-case":
            return f"{value_of} = {text(value)}"
        case "wildcard":
            return _wildcard(value)
    return _cidr(leaf, value)


def _wildcard(pattern: str) -> str:
    """Piece by piece from the left, each at its first place: right for `*`, and linear where a regex would not be."""
    pieces = [""]
    characters = iter(pattern)
    for character in characters:
        if character == "*":
            pieces.append("")
        else:
            pieces[-1] += next(characters) if character == "\\" else character
    first, rest = pieces[0], "$"
    if len(pieces) == 1:
        return f"$ = {text(first)}"
    tests = []
    if first:
        tests.append(f"$substring($, 0, {len(first)}) = {text(first)}")
        rest = f"$substring($, {len(first)})"
    for piece in pieces[1:-1]:
        if piece:
            tests.append(f"$contains({rest}, {text(piece)})")
            rest = f"$substringAfter({rest}, {text(piece)})"
    if pieces[-1]:
        tests.append(f"$substring({rest}, -{len(pieces[-1])}) = {text(pieces[-1])}")
    return f"({' and '.join(tests)})" if tests else "true"


def _cidr(leaf: Leaf, block: str) -> str:
    try:
        network = IPv4Network(block, strict=False)
    except (AddressValueError, NetmaskValueError, ValueError):
        raise Unsayable(
            "JSONata cannot say whether an address is in this block",
            leaf.place,
            block,
            "only IPv4 blocks can be asked for in a flow; ask in the route's pattern",
        ) from None
    first, last = int(network.network_address), int(network.broadcast_address)
    number = '$reduce($split($, "."), function($a, $b) { $number($a) * 256 + $number($b) })'
    octets = '$max($map($split($, "."), $number)) < 256'
    return f"($contains($, {_IPV4}) ? {octets} and {number} >= {first} and {number} <= {last} : false)"


def _lower(leaf: Leaf, value: str) -> str:
    # Where upper and lower case are no pairs, JSONata and EventBridge fold differently.
    if any(len(c.lower()) > 1 or len(c.upper()) > 1 or c.lower() != c.upper().lower() for c in value):
        raise Unsayable(
            "the letter case of this text cannot be ignored in a flow",
            leaf.place,
            value,
            "ask in the route's pattern, or for each spelling",
        )
    return value.lower()


def _literal(leaf: Leaf, condition: Condition) -> str:
    (value,) = condition.values
    match condition.modifier:
        case "number":
            return _number(leaf, value)
        case "literal":
            return value
    return text(value)


def _number(leaf: Leaf, literal: str) -> str:
    number = float(literal)
    if number in (float("inf"), float("-inf")) or Decimal(repr(number)) != Decimal(literal):
        raise Unsayable(
            "this number is not what JSONata would compare with",
            leaf.place,
            literal,
            "numbers are 64-bit floats in a flow; let the producer send it as text",
        )
    return json.dumps(int(number) if number.is_integer() and abs(number) < 1e15 else number)
