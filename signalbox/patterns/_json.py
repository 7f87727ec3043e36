"""JSON as this package needs it: patterns as tokens with their places, events as plain values, neither by recursion.

The standard library's decoder keeps no positions, loses the second of two equal keys (the matcher sees both), turns
numbers into floats (the matcher compares some of them as text) and recurses. So patterns are read by a tokenizer of
our own; events by the standard decoder with hooks, those that are nested too deeply for it in pieces.
"""

import json
import math
import re
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, NoReturn

from signalbox.patterns._errors import EventError, PatternError

# Jackson's default, which the reference uses: StreamReadConstraints.DEFAULT_MAX_DEPTH.
MAX_DEPTH = 1000
MAX_NUMBER_LENGTH = 1000
# Far above what fits in a pattern of 4,096 or an event of 1 MB; stops objects that contain themselves.
MAX_NODES = 600_000


class Number(str):
    """A number as it was written: `1.0` and `1` are different texts of an equal number."""

    __slots__ = ()


class Repeated(dict[str, Any]):
    """An object with a key that occurs more than once; `pairs` has all of its members."""

    pairs: list[tuple[str, Any]]


class Token(NamedTuple):
    """One JSON token. `kind`: `{ } [ ]`, `k` (a key), `s`, `n` (a number), `t`, `f`, `0` (null)."""

    kind: str
    text: str
    line: int
    column: int


_LEXEME = re.compile(
    r'[ \t\n\r]*(?:(?P<mark>[{}\[\]:,])|(?P<string>"(?:[^"\\\x00-\x1f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*")'
    r"|(?P<number>-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?(?![0-9.eE+\-a-zA-Z_]))"
    r"|(?P<word>true|false|null)(?![0-9a-zA-Z_]))"
)
_SPACE = re.compile(r"[ \t\n\r]*")
_WORD_KINDS = {"true": "t", "false": "f", "null": "0"}


class _Fault(Exception):
    def __init__(self, reason: str, position: int) -> None:
        super().__init__(reason)
        self.reason = reason
        self.position = position


def tokens_of_text(text: str) -> list[Token]:
    """The tokens of a JSON text. Raises PatternError where it is not JSON."""
    tokens: list[Token] = []
    line, line_start, scanned = 1, 0, 0
    try:
        for kind, value, position in _lex(text):
            newlines = text.count("\n", scanned, position)
            if newlines:
                line += newlines
                line_start = text.rindex("\n", scanned, position) + 1
            scanned = position
            tokens.append(Token(kind, value, line, position - line_start + 1))
    except _Fault as fault:
        line = text.count("\n", 0, fault.position) + 1
        column = fault.position - (text.rfind("\n", 0, fault.position) + 1) + 1
        raise PatternError(fault.reason, (), line, column) from None
    return tokens


def _lex(text: str) -> Iterator[tuple[str, str, int]]:
    """Kind, text and position of each token of one JSON value that takes up all of `text`."""
    match = _LEXEME.match
    closers: list[str] = []
    position = 0
    # What may come next: a value ("v"), a value or "]" ("[v"), a key or "}" ("{k"), a key ("k"), "," or a closer (",").
    expect = "v"
    while True:
        found = match(text, position)
        if found is None:
            start = _SPACE.match(text, position).end()  # type: ignore[union-attr]
            raise _Fault(_not_json(text, start), start)
        group = found.lastgroup
        lexeme = found.group(group)  # type: ignore[arg-type]
        start = found.start(group)  # type: ignore[arg-type]
        position = found.end()
        if group == "mark":
            if lexeme in "{[":
                if expect not in ("v", "[v"):
                    raise _Fault(_unexpected(lexeme, expect), start)
                if len(closers) >= MAX_DEPTH:
                    raise _Fault(
                        f"Document nesting depth ({MAX_DEPTH + 1}) exceeds the maximum allowed ({MAX_DEPTH})", start
                    )
                yield lexeme, lexeme, start
                closers.append("}" if lexeme == "{" else "]")
                expect = "{k" if lexeme == "{" else "[v"
                continue
            if lexeme in "}]":
                fits = expect == "," or (lexeme == "}" and expect == "{k") or (lexeme == "]" and expect == "[v")
                if not closers or closers[-1] != lexeme or not fits:
                    raise _Fault(_unexpected(lexeme, expect), start)
                closers.pop()
                yield lexeme, lexeme, start
            elif lexeme == "," and expect == ",":
                expect = "k" if closers[-1] == "}" else "v"
                continue
            else:
                raise _Fault(_unexpected(lexeme, expect), start)
        elif expect in ("{k", "k"):
            if group != "string":
                raise _Fault(_unexpected(lexeme, expect), start)
            yield "k", _unquote(lexeme), start
            colon = _SPACE.match(text, position).end()  # type: ignore[union-attr]
            if text[colon : colon + 1] != ":":
                raise _Fault("Not JSON: a ':' is missing after a field name", colon)
            position = colon + 1
            expect = "v"
            continue
        elif expect in ("v", "[v"):
            if group == "string":
                yield "s", _unquote(lexeme), start
            elif group == "number":
                if len(lexeme) > MAX_NUMBER_LENGTH:
                    raise _Fault(
                        f"Number value length ({len(lexeme)}) exceeds the maximum allowed ({MAX_NUMBER_LENGTH})", start
                    )
                yield "n", lexeme, start
            else:
                yield _WORD_KINDS[lexeme], lexeme, start
        else:
            raise _Fault(_unexpected(lexeme, expect), start)
        if not closers:
            break
        expect = ","
    rest = _SPACE.match(text, position).end()  # type: ignore[union-attr]
    if rest != len(text):
        raise _Fault("Not JSON: text after the end of the object", rest)


def _unquote(lexeme: str) -> str:
    return json.loads(lexeme) if "\\" in lexeme else lexeme[1:-1]


def _not_json(text: str, start: int) -> str:
    if start >= len(text):
        return "Not JSON: the text ends too early"
    return f"Not JSON: {text[start : start + 12]!r} is no JSON value"


def _unexpected(lexeme: str, expect: str) -> str:
    wanted = {"v": "a value", "[v": "a value or ']'", "{k": "a field name or '}'", "k": "a field name"}
    shown = lexeme if len(lexeme) <= 12 else lexeme[:12] + "…"
    return f"Not JSON: {shown} where {wanted.get(expect, 'a comma or the end')} belongs"


def tokens_of_object(value: Any) -> list[Token]:
    """The tokens of an object in memory, places 0. Raises PatternError for what JSON cannot hold."""
    tokens: list[Token] = []
    stack: list[Any] = [iter((value,))]
    closers: list[str] = [""]
    path: list[str | int] = []
    while stack:
        if len(tokens) > MAX_NODES:
            raise PatternError("The pattern is too large, or contains itself", tuple(path))
        try:
            item = next(stack[-1])
        except StopIteration:
            stack.pop()
            closer = closers.pop()
            if closer:
                tokens.append(Token(closer, closer, 0, 0))
            if path:
                path.pop()
            continue
        if closers[-1] == "}":
            key, item = item
            if not isinstance(key, str):
                raise PatternError(f"Field names must be strings; got {key!r:.80}", tuple(path[:-1]))
            tokens.append(Token("k", str(key), 0, 0))
            path[-1] = key
        elif closers[-1] == "]":
            path[-1] = int(path[-1]) + 1
        if isinstance(item, Mapping | list | tuple):
            if len(stack) > MAX_DEPTH:
                raise PatternError(
                    f"Document nesting depth ({MAX_DEPTH + 1}) exceeds the maximum allowed ({MAX_DEPTH})", tuple(path)
                )
            opener = "{" if isinstance(item, Mapping) else "["
            tokens.append(Token(opener, opener, 0, 0))
            stack.append(iter(item.items()) if isinstance(item, Mapping) else iter(item))
            closers.append("}" if opener == "{" else "]")
            path.append("" if opener == "{" else -1)
        else:
            literal = _literal(item)
            if literal is None:
                raise PatternError(f"Not a JSON value: {type(item).__name__}", tuple(path))
            tokens.append(Token(*literal, 0, 0))
    return tokens


def _literal(item: Any) -> tuple[str, str] | None:
    """Kind and text of a scalar, None if JSON has no such scalar."""
    match item:
        case None:
            return "0", "null"
        case bool():
            return ("t", "true") if item else ("f", "false")
        case Number():
            return "n", str(item)
        case str():
            return "s", str(item)
        case int() | float():
            text = number_text(item)
            return None if text is None else ("n", text)
    return None


def number_text(number: int | float) -> str | None:
    """A number of Python's as JSON text; None for what is no JSON number (NaN, infinities, thousands of digits)."""
    if isinstance(number, float) and not math.isfinite(number):
        return None
    if isinstance(number, int) and number.bit_length() > 3 * MAX_NUMBER_LENGTH:
        return None
    return (
        repr(number)
        if type(number) in (int, float)
        else repr(float(number) if isinstance(number, float) else int(number))
    )


def event_of_text(text: str) -> Any:
    """The value of a JSON text, numbers as they were written. Raises EventError where it is not JSON."""
    try:
        return _decode(text, _DECODER)
    except RecursionError:
        pass
    # How much of the stack is left is the caller's doing.
    for levels in _PIECES:
        try:
            return _decode_deep(text, levels)
        except RecursionError:
            continue
    raise EventError("The event is nested too deeply for what is left of the stack")


def _decode(text: str, decoder: json.JSONDecoder) -> Any:
    try:
        return decoder.decode(text)
    except EventError:
        raise
    except ValueError as error:
        raise EventError(f"The event is not JSON: {error}") from None


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) == len(pairs):
        return members
    repeated = Repeated(members)
    repeated.pairs = pairs
    return repeated


def _refuse_constant(name: str) -> NoReturn:
    raise EventError(f"The event is not JSON: {name}")


class _Literals(dict[str, Number]):
    """Short numbers by their text: events are full of them, and looking one up takes a fifth of making it."""

    def __missing__(self, text: str) -> Number:
        number = Number(text)
        if len(text) <= 3:
            self[text] = number
        return number


_integer = _Literals().__getitem__
_DECODER = json.JSONDecoder(
    parse_float=Number, parse_int=_integer, parse_constant=_refuse_constant, object_pairs_hook=_members
)


# Levels that are decoded at once, where they are too many to be decoded all at once.
_PIECES = (100, 10)
# Of an event that is nested deeper than Python recurses. What people send has neither the depth nor the number.
_MAX_DEEP_CONTAINERS = 20_000
# A string that does not end is taken up to the end of the text, for the decoder to find.
_STRUCTURE = re.compile(r'"(?:[^"\\]++|\\.)*+"?|[\[\]{}]|NaN|Infinity', re.DOTALL)


def _decode_deep(text: str, levels: int) -> Any:
    """As `event_of_text`, for what is nested too deeply to be decoded by recursion at once.

    Every `levels` levels what lies below is decoded by itself; in the text around it `NaN`, which JSON does not have,
    stands for it.
    """
    # The text of each piece that is begun, outermost first, and the values of the pieces within it.
    pieces: list[tuple[list[str], list[Any]]] = [([], [])]
    depth = containers = done = 0
    for found in _STRUCTURE.finditer(text):
        mark = found[0]
        if mark in "[{":
            containers += 1
            if depth >= MAX_DEPTH or containers > _MAX_DEEP_CONTAINERS:
                raise EventError(
                    f"The event is nested too deeply: at most {MAX_DEPTH} levels, and {_MAX_DEEP_CONTAINERS} arrays and"
                    " objects where there are hundreds of levels"
                )
            if depth > 0 and depth % levels == 0:
                pieces[-1][0].append(text[done : found.start()])
                pieces.append(([], []))
                done = found.start()
            depth += 1
        elif mark in "]}":
            depth -= 1
            if depth > 0 and depth % levels == 0:
                value = _decode_piece(*pieces.pop(), text[done : found.end()])
                pieces[-1][0].append("NaN")
                pieces[-1][1].append(value)
                done = found.end()
        elif mark[0] != '"':
            _refuse_constant(mark)
    if len(pieces) > 1:
        raise EventError("The event is not JSON: the text ends too early")
    return _decode_piece(*pieces.pop(), text[done:])


def _decode_piece(parts: list[str], inner: list[Any], rest: str) -> Any:
    if not inner:
        return _decode("".join(parts) + rest, _DECODER)
    values = iter(inner)
    decoder = json.JSONDecoder(
        parse_float=Number, parse_int=_integer, parse_constant=lambda _: next(values), object_pairs_hook=_members
    )
    return _decode("".join(parts) + rest, decoder)
