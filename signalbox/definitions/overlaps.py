"""Can one text meet two match values? What can be told for certain, and what cannot."""

from collections.abc import Iterator
from typing import Literal

from signalbox.model import Json
from signalbox.patterns import Condition, Leaf, PatternError, leaves

Answer = Literal["yes", "no", "maybe"]


def overlap(one: tuple[Json, ...] | None, other: tuple[Json, ...] | None) -> Answer:
    """Can one text be matched by both lists of match values? None stands for any text."""
    if one is None or other is None:
        return "yes"
    answers = {_both(a, b) for a in one for b in other}
    return "yes" if "yes" in answers else "maybe" if "maybe" in answers else "no"


def _both(a: Json, b: Json) -> Answer:
    first, second = _leaf(a), _leaf(b)
    if first is None or second is None:
        return "no"  # what is refused is told where it is
    one, two = first.conditions[0], second.conditions[0]
    if any(first.accepts(text) and second.accepts(text) for text in _witnesses(one, two)):
        return "yes"
    if "exactly" in (_operator(one), _operator(two)) or _apart(one, two):
        return "no"
    return "maybe"


def _leaf(value: Json) -> Leaf | None:
    try:
        return next(leaves({"x": [value]}))
    except PatternError:
        return None


def _operator(condition: Condition) -> str:
    """The operator; a plain text is meant exactly."""
    return "exactly" if condition.operator == "equals" else condition.operator


def _witnesses(one: Condition, two: Condition) -> Iterator[str]:
    """Texts that are likely to meet both: made of what they ask for."""
    starts, ends = zip(*(_ends(condition) for condition in (one, two)), strict=True)
    for start in ("", *starts):
        for end in ("", *ends):
            yield start + end
            yield f"{start} {end}"
    for condition in (one, two):
        for value in condition.values:
            yield str(value).replace("*", "")
            yield str(value).upper()


def _ends(condition: Condition) -> tuple[str, str]:
    """What a text that meets the condition starts and ends with, as far as that is said; letters in any case may be."""
    text = str(condition.values[0])
    match _operator(condition):
        case "exactly" | "equals-ignore-case":
            return text, text
        case "prefix":
            return text, ""
        case "suffix":
            return "", text
        case "wildcard" if "\\" not in text:
            return text.partition("*")[0], text.rpartition("*")[2]
    return "", ""


def _apart(one: Condition, two: Condition) -> bool:
    """Do the conditions ask for different starts or ends? Letters of ASCII only, as others have cases of their own."""
    asked = [*_ends(one), *_ends(two)]
    if "equals-ignore-case" in (one.operator, one.modifier, two.operator, two.modifier):
        # The Kelvin sign and the long s are in any case equal to letters of ASCII, and of that no lower case speaks.
        if not all(map(str.isascii, asked)):
            return False
        asked = [text.lower() for text in asked]
    if '"' in "".join(asked):
        return False  # the reference's starts and ends may run over the quotes around a text
    start, end, other_start, other_end = asked
    return not (
        (start.startswith(other_start) or other_start.startswith(start))
        and (end.endswith(other_end) or other_end.endswith(end))
    )
