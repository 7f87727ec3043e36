"""Samples as whole events: what patterns are tried on before any event was sent."""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from signalbox.canonical import canonical
from signalbox.model import Event, Json, Sample
from signalbox.patterns import compile as compile_pattern

ENVELOPE = {
    "version": "0",
    "id": "00000000-0000-0000-0000-000000000000",
    "account": "123456789012",
    "time": "2026-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
}
"""What EventBridge adds to an event: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html"""


class NoExampleError(ValueError):
    """Nothing could be made up that the event's matchers take; the text says of what, and what to do."""


def sample_event(event: Event, sample: Sample) -> dict[str, Any]:
    """The event that EventBridge would make of `sample`. Raises NoExampleError.

    What the sample does not name of source and detail-type is made up: what the first of the event's matchers takes for
    which that can be done.
    """
    return {
        **ENVELOPE,
        "source": sample.source or _made_up("source", event.source),
        "detail-type": sample.detail_type or _made_up("detail-type", event.detail_type or ("sample",)),
        **sample.envelope,
        "detail": sample.detail,
    }


def _made_up(field: str, matchers: Iterable[Json]) -> str:
    made = next((each for each in map(example, matchers) if each is not None), None)
    if made is None:
        raise NoExampleError(
            f"it names no {field}, and none could be made up that the event's matchers take; "
            f"fix: write it in the long form, with `{field}:`"
        )
    return made


def example(matcher: Json) -> str | None:
    """A text that an EventBridge matcher takes; a text is itself. None: no text is known that it takes."""
    if isinstance(matcher, str):
        return matcher
    pattern = compile_pattern({"field": [matcher]})
    return next((each for each in _candidates(matcher) if pattern.matches({"field": each})), None)


def _candidates(matcher: Json) -> Iterator[str]:
    """Texts that `matcher` may take: what it names, and what has nothing in common with that."""
    for operator, value in matcher.items() if isinstance(matcher, Mapping) else ():
        stated = value.get("equals-ignore-case") if isinstance(value, Mapping) else value
        if isinstance(stated, str) and operator != "anything-but":
            yield {"wildcard": _shortest, "cidr": _first_address}.get(operator, str)(stated)
    yield "sample"
    written = canonical(matcher).lower()
    yield from (letter for letter in "abcdefghijklmnopqrstuvwxyz0123456789" if letter not in written)


def _shortest(wildcard: str) -> str:
    """The shortest text like `wildcard`, in which a backslash makes the character after it mean itself."""
    return re.sub(r"\\(.)|\*", lambda found: found[1] or "", wildcard)


def _first_address(cidr: str) -> str:
    return cidr.partition("/")[0]
