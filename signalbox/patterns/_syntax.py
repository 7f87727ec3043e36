"""From a pattern to what it means: the alternatives that it stands for, or every reason why it is refused.

The reading is that of JsonRuleCompiler of the reference (event-ruler 2.1.0), whose first refusal is ours too; after
one we go on behind the faulty value to find the others. `$or` is expanded here: a pattern is a list of alternatives,
each a mapping of field to conditions, and a field written twice in one alternative keeps the last conditions.
"""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from signalbox.patterns._complexity import MAX_COMPLEXITY, REASON, complexity
from signalbox.patterns._conditions import Condition, Leaf
from signalbox.patterns._errors import PatternError
from signalbox.patterns._index import Refusal, wildcard_pieces
from signalbox.patterns._json import Token, tokens_of_object, tokens_of_text
from signalbox.patterns._numbers import cidr_range, comparable, exceeds_limits

# https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-create-pattern-operators.html ("$or")
MAX_COMBINATIONS = 1000
# GenericMachine.MAXIMUM_RULE_SIZE of the reference.
MAX_FIELDS = 256

# Constants.RESERVED_FIELD_NAMES_IN_OR_RELATIONSHIP of the reference.
_RESERVED_IN_OR = frozenset(
    (
        *("exactly", "equals-ignore-case", "prefix", "suffix", "anything-but", "exists", "wildcard", "numeric", "cidr"),
        *("=", "<", "<=", ">", ">=", "regex", "not-wildcard", "not-equals-ignore-case"),
        *("date-after", "date-on-or-after", "date-before", "date-on-or-before", "in-date-range"),
        *("ip-address-in-range", "ip-address-not-in-range"),
    )
)

Alternative = dict[str, Leaf]


class _Level(NamedTuple):
    """An object or a `$or` list that is being read.

    `alternatives` is the list that it writes to. For a `$or`: `base` is what stood before it, of which every branch
    starts a copy. `read` counts the fields or branches read so far.
    """

    is_or: bool
    inside_or: bool
    alternatives: list[Alternative]
    base: list[Alternative]
    read: list[int]
    branch_of: "_Level | None"


class Reading(NamedTuple):
    """What a pattern means: its leaves in the order of the text; the same in the order in which they are to be taken,
    that of the reference where it matters (a field may be absent with regard to what those before it have taken); and
    its alternatives, each as a bit for every one of `ordered` that it asks for. With `faults` all are empty.
    """

    leaves: tuple[Leaf, ...]
    ordered: tuple[Leaf, ...]
    ways: tuple[int, ...]
    faults: list[PatternError]


def read(pattern: str | Mapping[str, Any]) -> Reading:
    """Reads `pattern`, JSON text or an object."""
    if isinstance(pattern, str):
        try:
            tokens = tokens_of_text(pattern)
        except PatternError as error:
            return Reading((), (), (), [error])
    elif isinstance(pattern, Mapping):
        try:
            tokens = tokens_of_object(pattern)
        except PatternError as error:
            return Reading((), (), (), [error])
    else:
        return Reading((), (), (), [PatternError("Filter is not an object")])
    reader = _Reader(tokens)
    reader.read()
    if reader.faults:
        return Reading((), (), (), reader.faults)
    ordered = sorted(reader.leaves, key=lambda leaf: leaf.field.encode("utf-16-be", "surrogatepass"))
    wild = next((leaf for leaf in reader.leaves if leaf.wild), None)
    if wild is not None and complexity(ordered, reader.ways(ordered)) > MAX_COMPLEXITY:
        return Reading((), (), (), [PatternError(REASON, wild.place, wild.line, wild.column)])
    if not any(leaf.absent for leaf in reader.leaves):
        ordered = reader.leaves  # what belongs to one `$or` is together, which is less work
    return Reading(tuple(reader.leaves), tuple(ordered), reader.ways(ordered), [])


class _Reader:
    def __init__(self, tokens: list[Token]) -> None:
        self.tokens = tokens
        self.position = 0
        self.alternatives: list[Alternative] = []
        self.leaves: list[Leaf] = []
        self.faults: list[PatternError] = []
        self.where: list[str | int] = []
        self.steps: list[str] = []

    def ways(self, ordered: Sequence[Leaf]) -> tuple[int, ...]:
        """The alternatives, each as a bit for every one of `ordered` that it asks for."""
        bits = {id(leaf): 1 << i for i, leaf in enumerate(ordered)}
        return tuple(sum(map(bits.__getitem__, map(id, each.values()))) for each in self.alternatives)

    def next(self) -> Token:
        token = self.tokens[self.position]
        self.position += 1
        return token

    def fault(self, reason: str, token: Token) -> None:
        self.faults.append(PatternError(reason, tuple(self.where), token.line, token.column))

    def skip(self, token: Token) -> None:
        """Go behind the value that begins with `token`, which was just taken."""
        if token.kind in "{[":
            depth = 1
            while depth:
                kind = self.next().kind
                depth += (kind in "{[") - (kind in "}]")

    def read(self) -> None:
        first = self.next()
        if first.kind != "{":
            self.fault("Filter is not an object", first)
            return
        levels = [_Level(False, False, self.alternatives, [], [0], None)]
        while levels:
            level = levels[-1]
            (self.read_branch if level.is_or else self.read_field)(level, levels)
            if level.is_or and sum(len(each.alternatives) for each in levels if each.is_or) > MAX_COMBINATIONS:
                self.fault(
                    f"Event pattern contains more than {MAX_COMBINATIONS} rule combinations",
                    self.tokens[self.position - 1],
                )
                return
        if any(len(alternative) > MAX_FIELDS for alternative in self.alternatives):
            self.fault(f"Size of rule exceeds max value of {MAX_FIELDS}", first)

    def read_field(self, level: _Level, levels: list[_Level]) -> None:
        token = self.next()
        if token.kind == "}":
            if not level.read[0]:
                self.fault("Empty objects are not allowed", token)
            levels.pop()
            if level.branch_of is not None:
                level.branch_of.alternatives.extend(level.alternatives)
            elif levels:
                self.steps.pop()
            if levels:
                self.where.pop()
            return
        level.read[0] += 1
        name = token.text
        self.where.append(name)
        if name == "$or":
            opener = self.next()
            if opener.kind == "[":
                base = [dict(alternative) for alternative in level.alternatives]
                level.alternatives.clear()
                levels.append(_Level(True, True, level.alternatives, base, [0], None))
                return
            self.fault("It must be an Array followed with $or.", opener)
            self.skip(opener)
        elif level.inside_or and name in _RESERVED_IN_OR:
            self.fault(f"{name} is Ruler reserved fieldName which cannot be used inside $or.", token)
            self.skip(self.next())
        else:
            opener = self.next()
            if opener.kind == "{":
                self.steps.append(name)
                levels.append(_Level(False, level.inside_or, level.alternatives, [], [0], None))
                return
            if opener.kind == "[":
                self.read_conditions(name, level.alternatives)
            else:
                self.fault(f'"{name}" must be an object or an array', opener)
        self.where.pop()

    def read_branch(self, level: _Level, levels: list[_Level]) -> None:
        token = self.next()
        if token.kind == "]":
            if level.read[0] < 2:
                self.fault("There must have at least 2 Objects in $or relationship.", token)
            levels.pop()
            self.where.pop()
            return
        self.where.append(level.read[0])
        level.read[0] += 1
        if token.kind == "{":
            branch = [dict(alternative) for alternative in level.base] or [{}]
            levels.append(_Level(False, True, branch, [], [0], level))
            return
        self.fault("Only JSON object is allowed in array of $or relationship.", token)
        self.skip(token)
        self.where.pop()

    def read_conditions(self, name: str, alternatives: list[Alternative]) -> None:
        """The list of conditions of one field, whose `[` was just taken."""
        opener = self.position - 1
        conditions: list[Condition] = []
        index = 0
        while (token := self.next()).kind != "]":
            self.where.append(index)
            index += 1
            start = self.position - 1
            try:
                conditions += self.condition(token)
            except Refusal as refusal:
                self.fault(str(refusal), self.tokens[self.position - 1])
                self.position = start + 1
                self.skip(token)
            self.where.pop()
        if not index:
            self.fault("Empty arrays are not allowed", token)
        # As Path.extendedName of the reference: an empty name at the top adds no dot.
        base = ".".join(self.steps)
        field = f"{base}.{name}" if base else name
        start_token = self.tokens[opener]
        leaf = Leaf(
            field, (*self.steps, name), tuple(conditions), tuple(self.where), start_token.line, start_token.column
        )
        self.leaves.append(leaf)
        if not alternatives:
            alternatives.append({})
        for alternative in alternatives:
            alternative[field] = leaf

    def condition(self, token: Token) -> list[Condition]:
        """The condition that begins with `token`."""
        match token.kind:
            case "{":
                return [self.expression()]
            case "s":
                return [Condition("equals", "string", (token.text,))]
            case "n":
                return [Condition("equals", "number", (token.text,))]
            case "t" | "f" | "0":
                return [Condition("equals", "literal", (token.text,))]
        raise Refusal("Match value must be String, number, true, false, or null")

    def expression(self) -> Condition:
        token = self.next()
        if token.kind != "k":
            raise Refusal("Match expression name not found")
        match token.text:
            case "exactly":
                condition = Condition("exactly", "", (self.string("exact match pattern must be a string"),))
            case "prefix" | "suffix" as operator:
                return self.affix(operator)
            case "numeric":
                return self.numeric()
            case "anything-but":
                return self.anything_but()
            case "exists":
                flag = self.next()
                if flag.kind not in "tf":
                    raise Refusal("exists match pattern must be either true or false.")
                condition = Condition("exists", "", (flag.text,))
            case "cidr":
                text = self.string("prefix match pattern must be a string")
                try:
                    cidr_range(text)
                except ValueError as error:
                    raise Refusal(str(error)) from None
                condition = Condition("cidr", "", (text,))
            case "equals-ignore-case":
                text = self.string("equals-ignore-case match pattern must be a string")
                condition = Condition("equals-ignore-case", "", (text,))
            case "wildcard":
                text = self.string("wildcard match pattern must be a string")
                wildcard_pieces(text)
                condition = Condition("wildcard", "", (text,))
            case unknown:
                raise Refusal(f"Unrecognized match type {unknown}")
        self.close("Only one key allowed in match expression")
        return condition

    def string(self, refusal: str) -> str:
        token = self.next()
        if token.kind != "s":
            raise Refusal(refusal)
        return token.text

    def close(self, refusal: str, kind: str = "}") -> None:
        if self.next().kind != kind:
            raise Refusal(refusal)

    def affix(self, operator: str) -> Condition:
        token = self.next()
        if token.kind == "{":
            name = self.next()
            if name.kind != "k":
                raise Refusal(f"{operator.capitalize()} expression name not found")
            if name.text != "equals-ignore-case":
                raise Refusal(f"Unsupported {operator} pattern: {name.text}")
            text = self.string("equals-ignore-case match pattern must be a string")
            self.close("Only one key allowed in match expression")
            modifier = "equals-ignore-case"
        elif token.kind == "s":
            text, modifier = token.text, ""
        else:
            raise Refusal(f"{operator} match pattern must be a string")
        self.close("Only one key allowed in match expression")
        return Condition(operator, modifier, (text,))

    def numeric(self) -> Condition:
        if self.next().kind != "[":
            raise Refusal("Value of numeric must be an array.")
        token = self.next()
        if token.kind != "s":
            raise Refusal(f"Invalid member in numeric match: {token.text}")
        operator = token.text
        value = self.next()
        if operator not in ("=", ">=", ">", "<=", "<"):
            raise Refusal(f"Unrecognized numeric range operator: {operator}")
        if value.kind != "n":
            raise Refusal(f"Value of {'equals' if operator == '=' else operator} must be numeric")
        terms = [(operator, value.text)]
        token = self.next()
        if token.kind != "]":
            if operator not in (">=", ">"):
                raise Refusal("Too many elements in numeric expression")
            if token.kind != "s":
                raise Refusal(f"Bad value in numeric range: {token.text}")
            if token.text not in ("<", "<="):
                raise Refusal(f"Bad numeric range operator: {token.text}")
            top = self.next()
            if top.kind != "n":
                raise Refusal(f"Value of {token.text} must be numeric")
            terms.append((token.text, top.text))
            self.close("Too many terms in numeric range expression", "]")
        bounds = [_comparable(literal) for _, literal in terms]
        if len(bounds) == 2 and bounds[0] >= bounds[1]:
            raise Refusal("Bottom must be less than top")
        self.close("Too many elements in numeric expression")
        return Condition("numeric", "", tuple(terms))

    def anything_but(self) -> Condition:
        modifier = ""
        token = self.next()
        if token.kind == "{":
            name = self.next()
            if name.kind != "k":
                raise Refusal("Anything-But expression name not found")
            modifier = name.text
            if modifier not in ("equals-ignore-case", "prefix", "suffix", "wildcard"):
                raise Refusal(f"Unsupported anything-but pattern: {modifier}")
            token = self.next()
        if token.kind not in "[sn":
            raise Refusal("Value of anything-but must be an array or single string/number value.")
        values: list[Token] = []
        if token.kind == "[":
            while (token := self.next()).kind != "]":
                values.append(self.excluded(token, modifier))
        else:
            values.append(self.excluded(token, modifier))
        kinds = {value.kind for value in values}
        if not modifier and len(kinds) != 1:
            raise Refusal(
                "Inside anything but list, either all values are number or string, mixed type is not supported"
            )
        if modifier == "wildcard":
            for value in values:
                wildcard_pieces(value.text)
        self.close("Too many elements in numeric expression")
        if modifier:
            self.close("Too many elements in numeric expression")
        if not values:
            # The reference takes this and then fails when the rule is added.
            raise Refusal("Empty arrays are not allowed")
        return Condition(
            "anything-but", modifier or ("number" if kinds == {"n"} else ""), tuple(v.text for v in values)
        )

    def excluded(self, token: Token, modifier: str) -> Token:
        """`token` if it may be what an anything-but excludes."""
        if not modifier:
            if token.kind == "n":
                _comparable(token.text)
            elif token.kind != "s":
                raise Refusal("Inside anything but list, start|null|boolean is not supported.")
        elif token.kind != "s":
            if modifier == "equals-ignore-case":
                raise Refusal(
                    "Inside anything-but/equals-ignore-case list, number|start|null|boolean is not supported."
                )
            kind = "wildcard" if modifier == "wildcard" else "prefix/suffix"
            raise Refusal(f"{kind} match pattern must be a string")
        elif not token.text and modifier in ("prefix", "suffix"):
            raise Refusal("Null prefix/suffix not allowed")
        return token


def _comparable(literal: str) -> float:
    number = comparable(literal)
    if number is None:
        raise Refusal("value exceeds limits" if exceeds_limits(literal) else f"Cannot compare number : {literal}")
    return number
