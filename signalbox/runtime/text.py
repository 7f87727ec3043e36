"""Text as others may have it: JSON as it goes over the wire (compact, UTF-8, and never with a value or character that a
service refuses), and what people are shown."""

import json
from typing import Any
from uuid import uuid4

_INFINITE = (float("inf"), float("-inf"))


def to_text(value: Any) -> str:
    """`value` (anything that `json.loads` gives) as compact JSON text that encodes as UTF-8.

    Keys keep their order and numbers stay as Python read them. Two things that `json.loads` lets in have no plain way
    out: half of a surrogate pair is written as its escape, and a number too big for a float, which was read as
    infinite, as 1e999. Raises ValueError for NaN and nesting too deep, and TypeError for what JSON does not have.
    """
    try:
        try:
            text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
        except ValueError:
            text = _with_infinities(value)
    except RecursionError:
        raise ValueError("nested too deep") from None
    return encodable(text)


def encodable(text: str) -> str:
    """`text` as it encodes as UTF-8: half of a surrogate pair is written as its escape."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def from_text(text: str) -> Any:
    """The value of a JSON text. Raises ValueError for what is not JSON, NaN and nesting too deep to read included."""
    try:
        return json.loads(text, parse_constant=_refuse)
    except RecursionError:
        raise ValueError("nested too deep") from None


def size(text: str) -> int:
    """Bytes of `text` in UTF-8."""
    return len(text) if text.isascii() else len(text.encode())


def clip(text: str, length: int) -> str:
    """`text`, or its beginning and an ellipsis where it is longer than `length` characters."""
    return text if len(text) <= length else f"{text[: length - 1]}…"


def printable(text: str, length: int) -> str:
    """`text`, whoever wrote it, as it may be shown to people: on one line, at most `length` characters, and escapes in
    place of what a terminal would act on or nobody can see."""
    text = clip(text, length)  # what is left out need not be looked at
    if text.isprintable():
        return text
    return clip("".join(char if char.isprintable() else ascii(char)[1:-1] for char in text), length)


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is no JSON value")


def _with_infinities(value: Any) -> str:
    mark = uuid4().hex

    def marked(part: Any) -> Any:
        match part:
            case dict():
                return {key: marked(each) for key, each in part.items()}
            case list():
                return [marked(each) for each in part]
            case float() if part in _INFINITE:
                return f"{'-' if part < 0 else ''}{mark}"
        return part

    text = json.dumps(marked(value), ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return text.replace(f'"{mark}"', "1e999").replace(f'"-{mark}"', "-1e999")
