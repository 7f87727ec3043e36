"""Patterns in definitions: what EventBridge refuses of them, and what would not survive the way to EventBridge."""

import math
import sys
from collections.abc import Callable, Iterator

from signalbox import patterns
from signalbox.definitions.meta import shown
from signalbox.definitions.numbers import Rounded
from signalbox.definitions.places import Document, Path
from signalbox.model import Json
from signalbox.problems import Problem, did_you_mean

OPERATORS = (
    *("prefix", "suffix", "anything-but", "numeric", "exists", "cidr"),
    *("equals-ignore-case", "wildcard", "exactly"),
)
_UNKNOWN = "Unrecognized match type"
EXACT = 2**53
"""Integers beyond it are changed on their way: the provider and JavaScript read them as float64."""


def check_pattern(document: Document, pattern: Json, where: Callable[[Path], Path | None]) -> Iterator[Problem]:
    """What EventBridge would refuse of `pattern`, which `document` says.

    `where` gives the path in `document` of a path in the pattern, None for what is not its to tell.
    """
    for error in patterns.check(pattern):
        if (path := where(error.path)) is None:
            continue
        value = part_of(pattern, error.path)
        yield document.problem(
            "pattern-refused",
            f"EventBridge refuses this: {error.reason}",
            path,
            got="" if value is None else shown(value),
            allowed=", ".join(OPERATORS) if _UNKNOWN in error.reason else "",
            fix=_fix(value, error.reason),
        )


def part_of(value: Json, path: Path) -> Json:
    """The part of `value` at `path`; None where there is none."""
    for step in path:
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
    return value


def _fix(value: Json, reason: str) -> str:
    if _UNKNOWN in reason:
        return did_you_mean(reason.rsplit(maxsplit=1)[-1], OPERATORS)
    # The mistake that everybody makes.
    return f"write a list: [{shown(value)}]" if isinstance(value, str | int | float) else ""


def changed_numbers(document: Document, code: str, *, fractions: bool = True) -> Iterator[Problem]:
    """An error for every number in `document` that float64 does not hold exactly; without `fractions` for integers."""
    for path, value in _numbers(document.value, ()):
        if isinstance(value, Rounded) and fractions:
            yield document.problem(
                code,
                "this number would be changed on its way to AWS",
                path,
                got=value.text,
                allowed=f"up to 15 digits, or what float64 holds exactly (this would become {value!r})",
                fix="round it, or let the producer send it as text, and quote it here",
            )
        if isinstance(value, int) and abs(value) > EXACT and (held := _held(value)) != value:
            yield document.problem(
                code,
                "this number would be changed on its way to AWS",
                path,
                got=shown(value),
                allowed=f"integers up to 2^53, or what float64 holds exactly (this would become {held})",
                fix="let the producer send it as text, and quote it here",
            )


def _held(value: int) -> int | float:
    """What float64 makes of an integer."""
    return int(float(value)) if abs(value) <= sys.float_info.max else math.inf


def _numbers(value: Json, path: Path) -> Iterator[tuple[Path, int | float]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _numbers(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _numbers(inner, (*path, index))
    elif isinstance(value, int | float) and not isinstance(value, bool):
        yield path, value
