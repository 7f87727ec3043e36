"""Samples as whole events: what patterns are tried on before any event was sent."""

from collections.abc import Mapping
from typing import Any

from signalbox.model import Event, Json, Sample

ENVELOPE = {
    "version": "0",
    "id": "00000000-0000-0000-0000-000000000000",
    "account": "123456789012",
    "time": "2026-01-01T00:00:00Z",
    "region": "us-east-1",
    "resources": [],
}
"""What EventBridge adds to an event: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-events-structure.html"""

_STATED = ("prefix", "suffix", "equals-ignore-case", "wildcard")


def sample_event(event: Event, sample: Sample) -> dict[str, Any]:
    """The event that EventBridge would make of `sample`.

    Where the event allows several sources or detail-types and the sample names none, it has the first.
    """
    detail_types = event.detail_type or ("sample",)
    return {
        **ENVELOPE,
        "source": sample.source or example(event.source[0]),
        "detail-type": sample.detail_type or example(detail_types[0]),
        **sample.envelope,
        "detail": sample.detail,
    }


def example(matcher: Json) -> str:
    """A value that an EventBridge matcher for strings takes; a string is itself."""
    if isinstance(matcher, str):
        return matcher
    if isinstance(matcher, Mapping):
        for operator in _STATED:
            value = matcher.get(operator)
            if isinstance(value, Mapping):
                value = value.get("equals-ignore-case")
            if isinstance(value, str):
                return value.replace("*", "")
    return "sample"
