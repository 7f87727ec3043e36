"""JSONata in flows: read offline, and refused where it could run without end or make something huge of little.

JSONata is a whole programming language, and a flow may come from an API. Its loops come from functions that call
themselves, so here a function may be written only where a built-in function such as `$map` calls it, and has no name:
what is left always ends. How much it can make of its input is bounded by counting, as far as it grows with the text of
the expression (`$a & $a` again and again doubles) and by loops in loops. The rest is Step Functions' own: a state whose
expression takes too long or gives more than 256 KiB fails with States.QueryEvaluationError.
https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html
"""

import re
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any

from signalbox.definitions.meta import shown
from signalbox.definitions.places import Document, Path
from signalbox.problems import Problem, did_you_mean

LENGTH = 4_096
"""Characters of one expression."""
WORDS = 1_000
"""Names, numbers and signs of one expression: reading takes a tenth of a millisecond for each."""
NESTING = 100
"""Brackets in brackets."""
LEVELS = 80
"""How deep an expression may be. Step Functions evaluates 100 levels of one, and what we put around it has some."""
RANGE = 10_000
"""Numbers that `[a..b]` and `$range` may make."""
PAD = 1_000
"""Characters that `$pad` may fill up to."""
COPIES = 1_000
"""How many times its input an expression may give."""
LOOPS = 3
"""Loops in loops: the work is at most this power of the input's size."""

VARIABLES = ("input", "event")

# JSONata 2.0.6 (https://docs.jsonata.org/2.0.0/overview) without $eval, which Step Functions does not have, and what
# Step Functions adds (https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html).
_SMALL = frozenset(
    (
        *("abs", "average", "boolean", "ceil", "contains", "count", "exists", "floor"),
        *("formatBase", "formatInteger", "formatNumber", "fromMillis", "hash", "length", "max", "millis"),
        *("min", "not", "now", "number", "parseInteger", "power", "random", "round"),
        *("sqrt", "sum", "toMillis", "type", "uuid"),
    )
)
"""Give something small, whatever they are given."""
_ESCAPING = frozenset(("base64encode", "encodeUrl", "encodeUrlComponent", "string"))
"""Give more text than they are given."""
_PASSING = frozenset(
    (
        *("append", "assert", "base64decode", "decodeUrl", "decodeUrlComponent", "distinct", "error", "keys"),
        *("lookup", "lowercase", "match", "merge", "partition", "parse", "reverse", "shuffle"),
        *("split", "spread", "substring", "substringAfter", "substringBefore", "trim", "uppercase", "zip"),
    )
)
"""Give at most what they are given."""
_MULTIPLYING = frozenset(("join", "replace"))
"""Give one argument for each part of another."""
_CALLING = frozenset(("each", "filter", "map", "reduce", "sift", "single", "sort"))
"""Call the function that is their second argument, for each part of the first."""
_FUNCTIONS = frozenset((*_SMALL, *_ESCAPING, *_PASSING, *_MULTIPLYING, *_CALLING, "pad", "range"))
_REGEX_TAKERS = frozenset(("contains", "match", "replace", "split"))

# What refers to other parts of the tree and is no part of its own, or says nothing of the expression.
_NO_PARTS = frozenset(("_outer_instance", "ancestor", "seeking_parent", "slot", "next_function", "token", "errors"))


class Unreadable(ValueError):
    """Text that is no JSONata; `offset` is the character at which that shows (from 0)."""

    def __init__(self, reason: str, offset: int) -> None:
        super().__init__(reason)
        self.offset = offset


@dataclass(frozen=True, slots=True)
class Expression:
    """A JSONata expression, read: its text and its tree (the parser's own)."""

    text: str
    tree: Any


@lru_cache(maxsize=1024)
def parse(text: str) -> Expression:
    """`text` read. Raises Unreadable."""
    if len(text) > LENGTH:
        raise Unreadable(f"an expression has at most {LENGTH} characters, this has {len(text)}", LENGTH)
    if (count := words_of(text)) > WORDS:
        raise Unreadable(f"an expression has at most {WORDS} names, numbers and signs, this has {count}", 0)
    if (offset := _too_deep(text)) is not None:
        raise Unreadable(f"brackets are nested deeper than {NESTING}", offset)
    parser, fault = _jsonata()
    try:
        return Expression(text, parser.parse(text))
    except fault as error:
        raise Unreadable(_reason(error), max(0, getattr(error, "location", 0) or 0)) from None
    except re.error as error:
        raise Unreadable(f"no regular expression that can be read: {error}", 0) from None
    except RecursionError:
        raise Unreadable("nested too deeply", 0) from None
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError):
        # What is left by the parser for texts that end where it does not expect it.
        raise Unreadable("this cannot be read", 0) from None


def words_of(text: str) -> int:
    """How many names, numbers and signs `text` has, about."""
    return len(_WORD.findall(text))


_WORD = re.compile(r"\w+|[^\w\s]")


@cache
def _jsonata() -> tuple[Any, type[Exception]]:
    # Imported where an expression is checked: the Lambdas that only route have no need of it. Its import raises the
    # recursion limit of the whole process, which is not its to set.
    limit = sys.getrecursionlimit()
    try:
        from jsonata import jexception, parser
    finally:
        sys.setrecursionlimit(limit)
    return parser.Parser(), jexception.JException


def _too_deep(text: str) -> int | None:
    depth = 0
    for offset, character in enumerate(text):
        depth += (character in "([{") - (character in ")]}")
        if depth > NESTING:
            return offset
    return None


def _reason(error: Exception) -> str:
    text = str(error).splitlines()[0] if str(error) else ""
    return text or getattr(error, "error", "") or "this cannot be read"


def check_expression(
    document: Document, path: Path, variables: tuple[str, ...] = VARIABLES
) -> tuple[Expression | None, list[Problem]]:
    """The expression at `path` of `document` and what is wrong with it; None where it cannot be read.

    `variables`: the names, without `$`, that it may use.
    """
    text = document.part(*path).value
    try:
        expression = parse(text)
    except Unreadable as error:
        line = text.count("\n", 0, error.offset) + 1
        where = f"line {line}" if "\n" in text else f"character {error.offset + 1}"
        return None, [
            document.problem(
                "flow-jsonata",
                f"this is no JSONata: {error}",
                path,
                got=_near(text, error.offset),
                allowed=f"see {where}",
            )
        ]
    checker = _Checker(document, path, variables)
    checker.check(expression.tree)
    return expression, checker.problems


def parts(node: Any) -> Iterator[Any]:
    """The parts of a node of the tree."""
    for name, value in vars(node).items():
        if name not in _NO_PARTS:
            yield from _nodes(value)


def _nodes(value: Any) -> Iterator[Any]:
    if isinstance(value, list | tuple):
        for each in value:
            yield from _nodes(each)
    elif hasattr(value, "type") and hasattr(value, "position"):
        yield value


def _levels(tree: Any) -> int:
    """How deep the tree is, which is about as deep as its evaluation goes."""
    deepest, waiting = 0, [(tree, 1)]
    while waiting:
        node, level = waiting.pop()
        deepest = max(deepest, level)
        waiting += [(part, level + 1) for part in parts(node)]
    return deepest


def kind(node: Any) -> str:
    """The parser's word for what the node is."""
    return getattr(node, "type", "") or ""


def pairs(node: Any) -> list[tuple[Any, Any]]:
    """The keys and values of an object constructor."""
    return [(pair[0], pair[1]) for pair in getattr(node, "lhs_object", None) or ()]


def _near(text: str, offset: int) -> str:
    start = max(0, min(offset, len(text)) - 30)
    return f"{'…' if start else ''}{text[start : offset + 20]}{'…' if offset + 20 < len(text) else ''}"


@dataclass(frozen=True, slots=True)
class _Size:
    """How much a value may be: `copies` of the input, to the power of `power` by loops."""

    copies: float = 1
    loops: int = 0

    def plus(self, other: "_Size") -> "_Size":
        return _Size(self.copies + other.copies, max(self.loops, other.loops))

    def times(self, other: "_Size") -> "_Size":
        return _Size(self.copies * other.copies, self.loops + other.loops)

    def or_else(self, other: "_Size") -> "_Size":
        return _Size(max(self.copies, other.copies), max(self.loops, other.loops))


_UNIT = _Size()
_SHORT = 0.001
"""What a character counts for that an expression gives by itself."""


class _Checker:
    def __init__(self, document: Document, path: Path, variables: tuple[str, ...]) -> None:
        self.document = document
        self.path = path
        self.variables = variables
        self.problems: list[Problem] = []
        self.said: set[tuple[str, str]] = set()

    def fault(self, code: str, what: str, *, got: str = "", allowed: str = "", fix: str = "") -> None:
        if (code, got) not in self.said:
            self.said.add((code, got))
            self.problems.append(self.document.problem(code, what, self.path, got=shown(got), allowed=allowed, fix=fix))

    def check(self, tree: Any) -> None:
        bound = self._bound(tree)
        if (levels := _levels(tree)) > LEVELS:
            self.fault(
                "flow-jsonata-deep",
                "this expression goes too deep for Step Functions: one level for each bracket, and for each link of a "
                "chain such as a & b & c",
                got=f"{levels} levels",
                allowed=f"{LEVELS}",
                fix="put the links of a chain into brackets by the dozen, or make several steps",
            )
        try:
            self._walk(tree, bound=bound, inside=False, loops=0)
            if not self.problems:
                size = self._size(tree, {})
                if size.copies > COPIES:
                    self.fault(
                        "flow-jsonata-explodes",
                        "this expression may give far more than it is given",
                        allowed=f"each variable used so often that at most {COPIES} copies of the input come of it",
                        fix="do not put a value into itself again and again; use steps",
                    )
        except RecursionError:
            self.fault("flow-jsonata", "this expression is nested too deeply", fix="make several steps of it")

    def _bound(self, tree: Any) -> set[str]:
        """The variables that the expression itself makes; those that may not be made are told."""
        names: set[str] = set()
        waiting = [tree]
        while waiting:
            node = waiting.pop()
            waiting += parts(node)
            made: list[str] = []
            match kind(node):
                case "bind":
                    made = [node.lhs.value]
                case "lambda":
                    made = [argument.value for argument in node.arguments or ()]
            made += [
                each for each in (getattr(node, "focus", None), getattr(node, "index", None)) if isinstance(each, str)
            ]
            for name in made:
                names.add(name)
                if name in _FUNCTIONS or name in ("", "$", "states", *self.variables):
                    self.fault(
                        "flow-jsonata-variable",
                        "this variable has a meaning of its own, which may not be replaced",
                        got=f"${name}",
                        fix="choose another name",
                    )
        return names

    def _walk(self, node: Any, *, bound: set[str], inside: bool, loops: int) -> None:
        """`inside`: there is a context that names refer to, as in a predicate; `loops`: loops around this."""
        if loops > LOOPS:
            self.fault(
                "flow-jsonata-loops",
                "loops in loops in loops: this would take too long for a big input",
                allowed=f"{LOOPS} levels of predicates, mapped paths and functions",
                fix="split the list, or make several steps",
            )
            return

        def walk(part: Any, *, inside: bool = inside, loops: int = loops) -> None:
            self._walk(part, bound=bound, inside=inside, loops=loops)

        match kind(node):
            case "variable":
                self._variable(node.value, bound, inside)
            case "name" | "wildcard" | "descendant" | "parent":
                if not inside:
                    self._no_context(node)
            case "path":
                for index, step in enumerate(node.steps):
                    computed = index > 0 and kind(step) not in ("name", "wildcard", "descendant", "string")
                    walk(step, inside=inside or index > 0, loops=loops + computed)
            case "function" | "partial":
                self._call(node, bound, inside, loops, piped=False)
                return
            case "apply":
                walk(node.lhs)
                self._applied(node.rhs, bound, inside, loops)
                return
            case "lambda" if getattr(node, "thunk", False):
                pass  # the parser's own, around a call that ends a function
            case "lambda":
                self.fault(
                    "flow-jsonata-function",
                    "a function may be written only where a built-in function calls it: it could call itself for ever",
                    allowed=f"as second argument of {', '.join(f'${name}' for name in sorted(_CALLING))}",
                    fix="write it there, without a name",
                )
                return
            case "regex":
                self._regex(node, taken=False)
            case "binary" if node.value == "..":
                self._range(node.lhs, node.rhs)
            case "bind":
                walk(node.rhs)
                return
        # Predicates, sort orders and groups look at each part of what they belong to.
        for part in parts(node):
            if kind(node) == "path" and any(part is step for step in node.steps):
                continue
            grouped = kind(part) in ("filter", "sort") or part is getattr(node, "group", None)
            walk(
                part,
                inside=inside or grouped or kind(node) in ("filter", "sort"),
                loops=loops + (kind(part) == "filter"),
            )

    def _variable(self, name: str, bound: set[str], inside: bool) -> None:
        if name == "$":
            self.fault("flow-jsonata-variable", "$$ has no value in a flow", got="$$", fix="use $input or $event")
        elif name == "":
            if not inside:
                self.fault(
                    "flow-jsonata-variable", "$ has no value here", got="$", fix="use $input: what the step before gave"
                )
        elif name == "states":
            self.fault("flow-jsonata-variable", "$states is Step Functions' own", got="$states", fix=self._known())
        elif name in _FUNCTIONS:
            self.fault(
                "flow-jsonata-function",
                f"the function ${name} is no value",
                got=f"${name}",
                allowed="functions are called, or given to $map and the like as their second argument",
            )
        elif name not in self.variables and name not in bound:
            self.fault(
                "flow-jsonata-variable",
                f"there is no variable {shown(f'${name}')}",
                got=f"${name}",
                allowed=self._known(),
                fix=did_you_mean(name, [*self.variables, *bound]),
            )

    def _known(self) -> str:
        return ", ".join(f"${name}" for name in self.variables)

    def _no_context(self, node: Any) -> None:
        word = str(node.value) if kind(node) == "name" else {"wildcard": "*", "descendant": "**"}.get(kind(node), "%")
        self.fault(
            "flow-jsonata-context",
            "a path begins with a variable in a flow",
            got=word,
            allowed=self._known(),
            fix=f"did you mean '$input.{word}'?",
        )

    def _call(self, node: Any, bound: set[str], inside: bool, loops: int, *, piped: bool) -> None:
        name = node.procedure.value if kind(node.procedure) == "variable" else None
        if name not in _FUNCTIONS:
            self._unknown_function(name)
        calling = name in _CALLING
        function_at = 0 if piped else 1
        for index, argument in enumerate(node.arguments or ()):
            called = calling and index == function_at and self._is_function(argument)
            if called or (name == "replace" and index == function_at + 1 and kind(argument) == "lambda"):
                self._function(argument, bound, inside, loops + 1)
            elif kind(argument) == "regex":
                self._regex(argument, taken=name in _REGEX_TAKERS)
            elif kind(argument) == "operator" and argument.value == "?":
                self.fault(
                    "flow-jsonata-function",
                    "no function may be made of another with ?",
                    got="?",
                    fix="call it with all it needs",
                )
            else:
                self._walk(argument, bound=bound, inside=inside, loops=loops)
        if name == "range" and len(node.arguments) >= 2:
            self._range(node.arguments[0], node.arguments[1])
        if name == "pad":
            self._pad(node)

    def _applied(self, node: Any, bound: set[str], inside: bool, loops: int) -> None:
        match kind(node):
            case "function":
                self._call(node, bound, inside, loops, piped=True)
            case "variable" if node.value in _FUNCTIONS:
                pass
            case "transform":
                for part in parts(node):
                    self._walk(part, bound=bound, inside=True, loops=loops + 1)
            case _:
                self.fault(
                    "flow-jsonata-function",
                    "~> takes a built-in function",
                    allowed="$sum, $map(function($x) { … }), …",
                    fix="write the value as an argument of the function",
                )

    def _is_function(self, node: Any) -> bool:
        return kind(node) == "lambda" or (kind(node) == "variable" and node.value in _FUNCTIONS - _CALLING)

    def _function(self, node: Any, bound: set[str], inside: bool, loops: int) -> None:
        if kind(node) == "lambda":
            self._walk(node.body, bound=bound, inside=inside, loops=loops)

    def _unknown_function(self, name: str | None) -> None:
        if name == "eval":
            self.fault("flow-jsonata-function", "Step Functions has no $eval", got="$eval", fix="for JSON text, $parse")
            return
        got = f"${name}" if name else "a function that is no name"
        fix = did_you_mean(name, sorted(_FUNCTIONS)) if name else ""
        self.fault(
            "flow-jsonata-function",
            "only built-in functions may be called",
            got=got,
            allowed="JSONata 2.0.6 without $eval, and $partition, $range, $hash, $random, $uuid, $parse",
            fix=fix or "write it out, or call a processing function",
        )

    def _regex(self, node: Any, *, taken: bool) -> None:
        if not taken:
            self.fault(
                "flow-jsonata-regex",
                "a regular expression may stand only in a call",
                allowed=", ".join(f"${name}" for name in sorted(_REGEX_TAKERS)),
            )
        if (reason := slow_regex(node.value.pattern)) is not None:
            self.fault(
                "flow-jsonata-regex",
                f"this regular expression may take for ever: {reason}",
                got=node.value.pattern,
                fix="say it with fewer * and +, or use $contains, $split and $substringBefore",
            )

    def _range(self, first: Any, last: Any) -> None:
        low, high = _least(first), _most(last)
        if high is None or low is None:
            self.fault(
                "flow-jsonata-range",
                "it cannot be seen how long this range may get",
                allowed=f"numbers, $count(…) and $length(…), up to {RANGE}",
                fix=f"put a bound on it: $min([…, {RANGE}])",
            )
        elif high - low > RANGE:
            self.fault(
                "flow-jsonata-range",
                "this range is too long",
                got=f"{high - low + 1:.0f} numbers",
                allowed=f"at most {RANGE}",
            )

    def _pad(self, node: Any) -> None:
        width = _number(node.arguments[1]) if len(node.arguments) > 1 else None
        if width is None or abs(width) > PAD:
            self.fault("flow-jsonata-range", "$pad needs a width that is written out", allowed=f"at most {PAD}")

    # --- how much may come of it ---

    def _size(self, node: Any, known: dict[str, _Size]) -> _Size:
        match kind(node):
            case "variable":
                return known.get(node.value, _UNIT)
            case "string" | "number" | "value" | "regex":
                return _Size(_SHORT * (1 + len(str(node.value))))
            case "bind":
                size = known[node.lhs.value] = self._size(node.rhs, known)
                return size
            case "block":
                size = _UNIT
                for each in node.expressions:
                    size = self._size(each, known)
                return size
            case "condition":
                self._size(node.condition, known)
                size = self._size(node.then, known)
                return size if node._else is None else size.or_else(self._size(node._else, known))
            case "binary":
                sides = self._size(node.lhs, known).plus(self._size(node.rhs, known))
                return sides if node.value == "&" else _UNIT
            case "path":
                return self._path_size(node, known)
            case "function":
                return self._call_size(node, known)
            case "apply":
                left = self._size(node.lhs, known)
                if kind(node.rhs) == "function":
                    return self._call_size(node.rhs, known, piped=left)
                if kind(node.rhs) == "variable":
                    return self._result(node.rhs.value, [left])
                return self._sum(node.rhs, known).times(left)
        return self._sum(node, known)

    def _sum(self, node: Any, known: dict[str, _Size]) -> _Size:
        total = _Size(_SHORT)
        for part in parts(node):
            total = total.plus(self._size(part, known))
        return total

    def _path_size(self, node: Any, known: dict[str, _Size]) -> _Size:
        size = self._size(node.steps[0], known)
        for step in node.steps[1:]:
            if kind(step) in ("name", "wildcard", "descendant", "string", "sort"):
                continue
            # What is computed for each part of the value: in all the value again for what it takes from the part, and
            # as often as there are parts for what it takes from elsewhere.
            size = size.times(self._size(step, known))
        return size

    def _call_size(self, node: Any, known: dict[str, _Size], piped: _Size | None = None) -> _Size:
        name = node.procedure.value
        arguments = node.arguments or []
        function = next((each for each in arguments if kind(each) == "lambda"), None)
        sizes = [self._size(each, known) for each in arguments if each is not function and kind(each) != "regex"]
        if piped is not None:
            sizes.insert(0, piped)
        if function is None or name == "replace":
            return self._result(name, sizes)
        inner = dict(known)
        names = [argument.value for argument in function.arguments or ()]
        if name == "reduce" and names:
            self._reduce(function, names, inner)
        for each in names:
            inner[each] = _UNIT
        body = self._size(function.body, inner)
        base = sizes[0] if sizes else _UNIT
        return base if name in ("filter", "sort", "sift", "single") else base.times(body)

    def _reduce(self, function: Any, names: list[str], known: dict[str, _Size]) -> None:
        # What the accumulator is made of again: twice each time is a doubling each time.
        many = 1e6
        known = {**known, **dict.fromkeys(names, _UNIT), names[0]: _Size(many)}
        if self._size(function.body, known).copies >= 2 * many:
            self.fault(
                "flow-jsonata-explodes",
                f"$reduce doubles ${names[0]} with every item",
                fix=f"use ${names[0]} once in what the function gives",
            )

    def _result(self, name: str, sizes: list[_Size]) -> _Size:
        total = _Size(0)
        for size in sizes:
            total = total.plus(size)
        if name in _SMALL or not sizes:
            return _UNIT
        if name in _ESCAPING:
            return total.times(_Size(3))
        if name in _MULTIPLYING:
            product = _UNIT
            for size in sizes:
                product = product.times(size)
            return product.plus(total)
        return total


def slow_regex(pattern: str) -> str | None:
    """Why matching `pattern` may take longer than its text grows, or None. Engines that try everything are assumed."""
    # The parser of Python's own `re`, which has already read the pattern; it has no other name.
    from re import _constants as op  # type: ignore[attr-defined]
    from re import _parser  # type: ignore[attr-defined]

    unbounded = varying = 0
    if _SPECIAL_GROUP.search(pattern):
        return "it has a group that begins with (?"

    def walk(items: Any, repeated: bool) -> str | None:
        nonlocal unbounded, varying
        for code, argument in items:
            if code in (op.MAX_REPEAT, op.MIN_REPEAT, op.POSSESSIVE_REPEAT):
                low, high, inner = argument
                unbounded += high is op.MAXREPEAT or high > 100
                varying += high != low
                if repeated and high != low:
                    return "a repetition inside a repetition"
                if unbounded > 3 or varying > 10:
                    return "more than three repetitions without end, or more than ten"
                if (found := walk(inner, repeated or high > 1)) is not None:
                    return found
            elif code is op.BRANCH:
                if repeated:
                    return "alternatives inside a repetition"
                for branch in argument[1]:
                    if (found := walk(branch, repeated)) is not None:
                        return found
            elif code is op.SUBPATTERN:
                if (found := walk(argument[-1], repeated)) is not None:
                    return found
            elif code in (op.ASSERT, op.ASSERT_NOT, op.GROUPREF, op.GROUPREF_EXISTS, op.ATOMIC_GROUP):
                return "it looks ahead, behind or back"
        return None

    return walk(_parser.parse(pattern), False)


_SPECIAL_GROUP = re.compile(r"(?<!\\)\(\?(?!:)")


def _number(node: Any) -> float | None:
    if kind(node) == "number":
        return float(node.value)
    if kind(node) == "unary" and node.value == "-":
        inner = _number(node.expression)
        return None if inner is None else -inner
    return None


def _least(node: Any) -> float | None:
    """A number that the expression cannot be below, as far as that can be seen."""
    if (number := _number(node)) is not None:
        return number
    if _counts(node):
        return 0
    return None


def _most(node: Any) -> float | None:
    """A number that the expression cannot be above; what counts something counts for nothing."""
    if (number := _number(node)) is not None:
        return number
    if _counts(node):
        return 0
    if kind(node) == "binary" and node.value in ("+", "-"):
        left, right = _most(node.lhs), _most(node.rhs)
        return None if left is None or right is None else left + abs(right)
    if kind(node) == "block" and len(node.expressions) == 1:
        return _most(node.expressions[0])
    if kind(node) == "function" and getattr(node.procedure, "value", "") == "min" and len(node.arguments) == 1:
        bounds = [_number(each) for each in getattr(node.arguments[0], "expressions", None) or ()]
        return min((bound for bound in bounds if bound is not None), default=None)
    return None


def _counts(node: Any) -> bool:
    return kind(node) == "function" and getattr(node.procedure, "value", "") in ("count", "length")


def bind(text: str, values: Mapping[str, str]) -> str:
    """`text` with those of the variables `values` bound that it speaks of, as JSONata for a state."""
    spoken = set(_VARIABLE.findall(text))
    bindings = "".join(f"${name} := {value}; " for name, value in values.items() if name in spoken)
    return f"({bindings}{text})" if bindings else f"({text})"


_VARIABLE = re.compile(r"\$(\w+)")
