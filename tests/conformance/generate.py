"""Patterns and events that are likely to meet, as text; the same seed gives the same."""

import json
import random
from collections.abc import Iterator
from typing import Any

from tests.conformance.reference import Question

NAMES = ["a", "b", "c", "d", "a.b", "b.c", "x-y", "é", "a b"]
ODD_NAMES = ["", ".", "a.", ".a", "$or", "prefix", "numeric", "😀", "\ud800"]
TEXTS = [
    "",
    "a",
    "b",
    "ab",
    "abc",
    "ABC",
    "aB",
    "ba",
    "b/a",
    "x.jar",
    "10",
    "true",
    'q"',
    '"',
    "*",
    "a*b",
    "\\",
    "aaab",
]
ODD_TEXTS = [
    "é",
    "É",
    "ß",
    "SS",
    "ss",
    "ſ",
    "K",
    "k",
    "K",
    "İ",
    "i̇",
    "ı",
    "ς",
    "σ",
    "Σ",
    "ǅ",
    "ǆ",
    "Ⱥ",
    "ⱥ",
    "ΰ",
    "大雨",
    "😀",
    "??",
]
ADDRESSES = [
    *("10.0.0.1", "10.0.0.255", "10.0.1.0", "16.0.0.0", "16.0.0.1", "32.1.13.184", "255.255.255.255", "010.0.0.1"),
    *("::1", "::", "2001:db8::1", "2001:DB8:0:0::1", "::ffff:a00:1", "fe80::", "1:2:3:4:5:6:7:8", "00001::", "a00:1::"),
    *("10.0.0", "256.0.0.1", "1.2.3.4.5", ":", "1::2::3", "12345::", "1:2:3:4:5:6:7", "::1%eth0", "10.0.0.0000000001"),
]
BLOCKS = [
    *("10.0.0.0/8", "10.0.0.0/24", "10.0.0.1/31", "0.0.0.0/0", "16.0.0.0/8", "32.1.13.184/29", "255.255.255.254/31"),
    *("2000::/3", "::/0", "2001:db8::/32", "::1/127", "fe80::/10", "::ffff:a00:0/8"),
]
BAD_BLOCKS = [
    *(
        "10.0.0.0/32",
        "10.0.0.0",
        "10.0.0.0/-1",
        "10.0.0.0/a",
        "::/128",
        "x/1",
        "10.0.0/8",
        "1/2/3",
        "10.0.0.0/",
        "/",
        "",
    ),
    *("10.0.0.0/+8", "10.0.0.0/8/", "256.0.0.0/8", "10.0.0.0/ 8", "10.0.0.0/99999999999", "10.0.0.0/٣"),
]
NUMBERS = [
    *(
        "0",
        "-0",
        "0.0",
        "1",
        "1.0",
        "1.00",
        "1e0",
        "10",
        "1E1",
        "1e+1",
        "100e-1",
        "-1",
        "-1.5",
        "2",
        "5",
        "5.5",
        "3.018e2",
    ),
    *("301.8", "0.1", "1e-7", "300", "105", "12", "10000001", "16000000", "123456789012", "9007199254740991"),
]
ODD_NUMBERS = [
    *("9007199254740993", "12345678901234567890", "0.1000000000000000055511151231257827", "1e400", "-1e400", "1e-400"),
    *("0e5", "1.7976931348623156e308", "-1.7976931348623156e308", "1e22"),
    *("1152921504606846976", "4.35", "1e21", "123456789.123456789"),
]
WORDS = ["true", "false", "null"]


class Generator:
    """One stream of questions. `odd` is how often (0-1) the unusual is chosen."""

    def __init__(self, seed: int, odd: float = 0.1) -> None:
        self.random = random.Random(seed)
        self.odd = odd

    def chance(self, probability: float) -> bool:
        return self.random.random() < probability

    def pick(self, usual: list[str], unusual: list[str]) -> str:
        return self.random.choice(unusual if self.chance(self.odd) else usual)

    def name(self) -> str:
        return self.pick(NAMES[: self.random.choice([3, 4, 9])], ODD_NAMES if self.chance(0.3) else NAMES)

    def text(self) -> str:
        text = self.pick(TEXTS, ODD_TEXTS)
        if self.chance(0.15):
            text += self.pick(TEXTS, ODD_TEXTS)
        return self.random.choice(ADDRESSES) if self.chance(0.08) else text

    def number(self) -> str:
        if self.chance(0.1):
            return f"{self.random.uniform(-1000, 1000):.{self.random.randint(0, 12)}f}"
        return self.random.choice(ODD_NUMBERS if self.chance(self.odd / 3) else NUMBERS)

    def quoted(self, text: str | None = None) -> str:
        return json.dumps(self.text() if text is None else text, ensure_ascii=self.chance(0.2))

    def scalar(self) -> str:
        roll = self.random.random()
        if roll < 0.55:
            return self.quoted()
        return self.number() if roll < 0.85 else self.random.choice(WORDS)

    def members(self, pairs: list[tuple[str, str]]) -> str:
        return "{" + ",".join(f"{json.dumps(name)}:{value}" for name, value in pairs) + "}"

    # Patterns

    def wildcard(self) -> str:
        parts = [
            self.random.choice(["a", "b", "ab", "", "/", ".jar", "é", "aa", "\\*", "\\\\"])
            for _ in range(self.random.randint(1, 4))
        ]
        text = "*".join(parts)
        while "**" in text and not self.chance(self.odd / 5):
            text = text.replace("**", "*")
        if self.chance(self.odd / 10):
            text += "\\" + self.random.choice(["", "a", "n"])
        return text

    def some(self, one: Any, at_most: int = 3) -> str:
        return "[" + ",".join(one() for _ in range(self.random.randint(1, at_most))) + "]"

    def one_or_some(self, one: Any) -> str:
        return one() if self.chance(0.5) else self.some(one)

    def condition(self) -> str:
        roll = self.random.random()
        if roll < 0.3:
            return self.scalar()
        kind = self.random.choice(
            [
                "prefix",
                "suffix",
                "equals-ignore-case",
                "wildcard",
                "numeric",
                "cidr",
                "exists",
                "anything-but",
                "exactly",
                "ic",
            ]
        )
        match kind:
            case "numeric":
                return f'{{"numeric":{self.numeric()}}}'
            case "cidr":
                return self.members(
                    [("cidr", self.quoted(self.random.choice(BAD_BLOCKS if self.chance(self.odd / 5) else BLOCKS)))]
                )
            case "exists":
                return f'{{"exists":{self.random.choice(["true", "false", "false"])}}}'
            case "anything-but":
                return f'{{"anything-but":{self.anything_but()}}}'
            case "wildcard":
                return self.members([("wildcard", self.quoted(self.wildcard()))])
            case "ic":
                inner = self.members([("equals-ignore-case", self.quoted())])
                return self.members([(self.random.choice(["prefix", "suffix"]), inner)])
        return self.members([(kind, self.quoted())])

    def numeric(self) -> str:
        low, high = self.number(), self.number()
        if self.chance(0.9) and float(low) > float(high):
            low, high = high, low
        if self.chance(0.5):
            return f'["{self.random.choice([">", ">="])}",{low},"{self.random.choice(["<", "<="])}",{high}]'
        return f'["{self.random.choice(["=", "<", "<=", ">", ">="])}",{low}]'

    def anything_but(self) -> str:
        match self.random.choice(["text", "number", "prefix", "suffix", "equals-ignore-case", "wildcard"]):
            case "text":
                return self.one_or_some(self.quoted)
            case "number":
                return self.one_or_some(self.number)
            case "wildcard":
                return self.members([("wildcard", self.one_or_some(lambda: self.quoted(self.wildcard())))])
            case kind:
                return self.members([(kind, self.one_or_some(self.quoted))])

    def object(self, depth: int = 0) -> str:
        pairs = []
        for _ in range(self.random.choice([1, 1, 2, 2, 3, 4])):
            roll = self.random.random()
            if roll < 0.12 and depth < 3:
                branches = [self.object(depth + 1) for _ in range(self.random.randint(2, 3))]
                pairs.append(("$or", "[" + ",".join(branches) + "]"))
            elif roll < 0.45 and depth < 3:
                pairs.append((self.name(), self.object(depth + 1)))
            else:
                pairs.append((self.name(), self.some(self.condition)))
        return self.members(pairs)

    def broken(self, pattern: str) -> str:
        """`pattern` with one token replaced, removed or doubled."""
        tokens = _tokens(pattern)
        i = self.random.randrange(len(tokens))
        replacement = self.random.choice(
            [
                "",
                tokens[i] * 2,
                tokens[self.random.randrange(len(tokens))],
                "[]",
                "{}",
                "5",
                "null",
                '"x"',
                '"$or"',
                '{"a":1}',
                '">"',
                "[1]",
            ]
        )
        return "".join([*tokens[:i], replacement, *tokens[i + 1 :]])

    # Events

    def value(self, depth: int) -> str:
        roll = self.random.random()
        if depth < 4 and roll < 0.3:
            return self.event(depth + 1)
        if depth < 4 and roll < 0.55:
            return "[" + ",".join(self.value(depth + 1) for _ in range(self.random.choice([0, 1, 2, 2, 3]))) + "]"
        return self.scalar()

    def event(self, depth: int = 0) -> str:
        return self.members([(self.name(), self.value(depth)) for _ in range(self.random.randint(0, 4))])

    def event_for(self, pattern: Any) -> str:
        """An event with the shape of `pattern` (parsed), and values near those that it asks for."""
        return self.shape(pattern, 0)

    def shape(self, pattern: Any, depth: int) -> str:
        pairs: list[tuple[str, str]] = []
        for name, value in pattern.pairs if isinstance(pattern, _Pairs) else ():
            if name == "$or" and isinstance(value, list) and self.chance(0.9):
                branch = self.random.choice(value) if value else None
                pairs += self.inner(self.shape(branch, depth)) if isinstance(branch, _Pairs) else []
            elif self.chance(0.93):
                if isinstance(value, _Pairs):
                    pairs.append((name, self.perhaps_list(lambda value=value: self.shape(value, depth + 1))))
                elif isinstance(value, list) and value:
                    pairs.append((name, self.perhaps_list(lambda value=value: self.near(self.random.choice(value)))))
        if self.chance(0.2):
            pairs.append((self.name(), self.value(2)))
        self.random.shuffle(pairs)
        if self.chance(0.9):
            pairs = list(dict(pairs).items())
        return self.members(pairs)

    @staticmethod
    def inner(members: str) -> list[tuple[str, str]]:
        parsed = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_Literal, parse_float=_Literal).decode(members)
        return [(name, _dump(value)) for name, value in parsed.pairs]

    def perhaps_list(self, one: Any) -> str:
        if self.chance(0.6):
            return one()
        return (
            "["
            + ",".join(one() if self.chance(0.85) else self.value(3) for _ in range(self.random.choice([1, 2, 2, 3])))
            + "]"
        )

    def near(self, condition: Any) -> str:
        """A value that might meet `condition` (parsed)."""
        if not isinstance(condition, _Pairs):
            return self.scalar() if isinstance(condition, list) or self.chance(0.2) else _dump(condition)
        operands = [value for _, value in condition.pairs]
        while operands and isinstance(operands[0], list | _Pairs):
            first = operands[0]
            operands = list(first) if isinstance(first, list) else [v for _, v in first.pairs]
            self.random.shuffle(operands)
        operand = operands[0] if operands else None
        if not isinstance(operand, str) or self.chance(0.2):
            return _dump(operand) if isinstance(operand, _Literal) and self.chance(0.6) else self.scalar()
        if isinstance(operand, _Literal):
            return operand if self.chance(0.6) else self.number()
        operand = (
            operand.replace("\\*", "\0")
            .replace("*", self.random.choice(["", "a", "ab", "b*"]))
            .replace("\0", "*")
            .replace("\\\\", "\\")
        )
        if "/" in operand and ("." in operand or ":" in operand) and self.chance(0.7):
            return self.quoted(self.random.choice([operand.partition("/")[0], *ADDRESSES]))
        change = self.random.choice(
            [str, str, str.upper, str.lower, str.title, lambda t: t + "b", lambda t: "b" + t, lambda t: t[:-1]]
        )
        return self.quoted(change(operand))

    def questions(self, events: int = 5) -> Iterator[Question]:
        while True:
            pattern = self.object()
            if self.chance(0.15):
                pattern = self.broken(pattern)
            try:
                parsed = json.JSONDecoder(object_pairs_hook=_Pairs, parse_int=_Literal, parse_float=_Literal).decode(
                    pattern
                )
            except ValueError:
                parsed = None
            made = [
                self.event_for(parsed) if isinstance(parsed, _Pairs) and self.chance(0.85) else self.event()
                for _ in range(events)
            ]
            yield Question(pattern, tuple(made))


class _Literal(str):
    __slots__ = ()


class _Pairs:
    def __init__(self, pairs: list[tuple[str, Any]]) -> None:
        self.pairs = pairs


def _dump(value: Any) -> str:
    if isinstance(value, _Literal):
        return str(value)
    if isinstance(value, _Pairs):
        return "{" + ",".join(f"{json.dumps(name)}:{_dump(member)}" for name, member in value.pairs) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(_dump, value)) + "]"
    return json.dumps(value)


def _tokens(text: str) -> list[str]:
    import re

    return re.findall(r'"(?:[^"\\]|\\.)*"|[^\s"{}\[\]:,]+|[{}\[\]:,]', text)
