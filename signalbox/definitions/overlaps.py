"""Can one text meet two match values? What can be told for certain, and what cannot."""

from collections.abc import Iterator
from functools import lru_cache
from typing import Literal

from signalbox.canonical import canonical
from signalbox.model import Json
from signalbox.patterns import Condition, Leaf, PatternError, leaves

Answer = Literal["yes", "no", "maybe"]


def overlap(one: tuple[Json, ...] | None, other: tuple[Json, ...] | None) -> Answer:
    """Can one text be matched by both lists of match values? None stands for any text."""
    if one is None or other is None:
        return "yes"
    texts, matchers = _divided(one)
    other_texts, other_matchers = _divided(other)
    if texts & other_texts or _any_accepts(matchers, other_texts) or _any_accepts(other_matchers, texts):
        return "yes"
    answers = {_both(a, b) for a in matchers for b in other_matchers}
    return "yes" if "yes" in answers else "maybe" if "maybe" in answers else "no"


def _divided(values: tuple[Json, ...]) -> tuple[set[str], list[Leaf]]:
    """The plain texts and the matchers; what EventBridge refuses is told where it is, and matches nothing."""
    leaves_ = (_leaf(canonical(value)) for value in values if not isinstance(value, str))
    return {value for value in values if isinstance(value, str)}, [leaf for leaf in leaves_ if leaf is not None]


def _any_accepts(matchers: list[Leaf], texts: set[str]) -> bool:
    return any(leaf.accepts(text) for leaf in matchers for text in texts)


def _both(first: Leaf, second: Leaf) -> Answer:
    one, two = first.conditions[0], second.conditions[0]
    if any(first.accepts(text) and second.accepts(text) for text in _witnesses(one, two)):
        return "yes"
    if "exactly" in (_operator(one), _operator(two)) or _apart(one, two):
        return "no"
    return "maybe"


@lru_cache(maxsize=4096)
def _leaf(matcher: str) -> Leaf | None:
    try:
        return next(leaves(f'{{"x":[{matcher}]}}'))
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
