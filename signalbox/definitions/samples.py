"""Samples as events: what EventBridge would make of them, and which routes take them."""

from collections.abc import Iterator, Mapping

from signalbox.classic import pattern_of
from signalbox.definitions.places import Document
from signalbox.model import Event, Json, Route, Sample
from signalbox.patterns import EventError, Pattern, RuleSet, check, compile, matches
from signalbox.problems import Problem

ACCOUNT = "123456789012"
REGION = "eu-west-1"
TIME = "2026-01-01T00:00:00Z"
"""What a sample has beside its detail where it does not say."""


def sample_event(event: Event, sample: Sample) -> dict[str, Json] | None:
    """`sample` as the event that EventBridge would deliver.

    Where the sample does not say its source and detail-type, they are the first that the event has; None where the
    event has matchers from which none can be guessed.
    """
    source = sample.source or _text_for(event.source)
    detail_type = sample.detail_type or ("sample" if event.detail_type is None else _text_for(event.detail_type))
    if source is None or detail_type is None:
        return None
    return {
        "version": "0",
        "id": "00000000-0000-0000-0000-000000000000",
        "account": ACCOUNT,
        "time": TIME,
        "region": REGION,
        "resources": [],
        **sample.envelope,
        "source": source,
        "detail-type": detail_type,
        "detail": sample.detail,
    }


def check_samples(event: Event, patterns: Mapping[str, Pattern], document: Document) -> Iterator[Problem]:
    """An error for each sample of `event` that does not take exactly the routes that it says.

    `patterns` are those of the rules of its routes; whether a route is enabled makes no difference.
    """
    if all(sample.routes is None for sample in event.samples):
        return
    rules = RuleSet(patterns)
    kind = compile(pattern_of(event, Route(event.id, "", ())))
    for index, sample in enumerate(event.samples):
        if sample.routes is None or not isinstance(sample.detail, Mapping):
            continue
        part = document.part("samples", index)
        made = sample_event(event, sample)
        if made is None:
            yield part.problem(
                "sample-kind",
                "it cannot be guessed from the event's matchers what source and detail-type the sample has",
                fix="add `source:` and `detail-type:` to the sample",
            )
            continue
        try:
            if not kind.matches(made):
                yield part.problem(
                    "sample-kind",
                    "the sample's source or detail-type is not that of the event",
                    got=f"{made['source']} · {made['detail-type']}",
                )
                continue
            taken = rules.match(made)
        except EventError as error:
            yield part.problem("sample-detail", f"the sample cannot be matched: {error}")
            continue
        for route in sample.routes:
            if route in event.routes and route not in taken:
                yield part.problem(
                    "sample-missed",
                    f"the route {route} does not take this sample",
                    ("routes",),
                    got=str(patterns[route].explain(made)),
                    fix="mend the pattern, or take the route off the sample's `routes`",
                )
        for route in sorted(taken - set(sample.routes)):
            yield part.problem(
                "sample-taken",
                f"the route {route} takes this sample, too",
                ("routes",),
                allowed=", ".join(sample.routes) or "no route",
                fix="mend the pattern, or add the route to the sample's `routes`",
            )


def _text_for(values: tuple[Json, ...]) -> str | None:
    """A text that one of the match values takes: the first plain one, else a guess from a matcher."""
    for value in sorted(values, key=lambda value: not isinstance(value, str)):
        if isinstance(value, str):
            return value
        for guess in _guesses(value):
            pattern = {"x": [value]}
            if not check(pattern) and matches(pattern, {"x": guess}):
                return guess
    return None


def _guesses(matcher: Json) -> Iterator[str]:
    for operand in matcher.values():
        if isinstance(operand, str):
            yield operand
            yield operand.replace("*", "")
    yield "sample"
