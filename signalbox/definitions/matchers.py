"""Patterns in definitions: what EventBridge refuses of them, and what would not survive the way to EventBridge."""

from collections.abc import Iterator

from signalbox.definitions.places import Document, Path
from signalbox.model import Json
from signalbox.problems import Problem

EXACT = 2**53
"""Integers beyond it are changed on their way: the provider and JavaScript read them as float64."""


def check_pattern(document: Document) -> list[Problem]:
    """What is wrong with the EventBridge pattern in `document`."""
    return list(changed_numbers(document, "pattern-number"))


def changed_numbers(document: Document, code: str) -> Iterator[Problem]:
    """An error for every integer in `document` that float64 does not hold exactly."""
    for path, value in _integers(document.value, ()):
        if abs(value) > EXACT and int(float(value)) != value:
            yield document.problem(
                code,
                "this number would be changed on its way to AWS",
                path,
                got=str(value),
                allowed=f"integers up to 2^53, or what float64 holds exactly (this would become {int(float(value))})",
                fix="let the producer send it as text, and quote it here",
            )


def _integers(value: Json, path: Path) -> Iterator[tuple[Path, int]]:
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _integers(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _integers(inner, (*path, index))
    elif isinstance(value, int) and not isinstance(value, bool):
        yield path, value
