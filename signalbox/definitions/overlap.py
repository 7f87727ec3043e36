"""Can one text be matched by two lists of match values?"""

from signalbox.model import Json
from signalbox.patterns import check, matches


def overlap(one: tuple[Json, ...] | None, other: tuple[Json, ...] | None) -> bool:
    """Can one text be matched by both lists of match values? True also where that cannot be told."""
    if one is None or other is None:
        return True
    return any(_both(a, b) for a in one for b in other)


def _both(a: Json, b: Json) -> bool:
    if isinstance(a, str) and isinstance(b, str):
        return a == b
    if isinstance(b, str):
        a, b = b, a
    if isinstance(a, str):
        pattern = {"x": [b]}
        return not check(pattern) and matches(pattern, {"x": a})  # what is refused is told where it is
    prefixes = [each["prefix"] for each in (a, b) if isinstance(each.get("prefix"), str)]
    if len(prefixes) == 2:
        return prefixes[0].startswith(prefixes[1]) or prefixes[1].startswith(prefixes[0])
    return True
