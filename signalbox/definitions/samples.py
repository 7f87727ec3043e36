"""What samples say of routes, held against what the routes take."""

from collections.abc import Iterator, Mapping

from signalbox.classic import pattern_of
from signalbox.definitions.places import Document
from signalbox.model import Event, Route
from signalbox.patterns import EventError, Pattern, RuleSet, compile
from signalbox.problems import Problem
from signalbox.samples import NoExampleError, sample_event


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
        try:
            made = sample_event(event, sample)
            if not kind.matches(made):
                guessed = " and ".join(
                    key
                    for key, said in (("source", sample.source), ("detail-type", sample.detail_type))
                    if said is None
                )
                yield part.problem(
                    "sample-kind",
                    "the sample's source or detail-type is not that of the event",
                    got=f"{made['source']} · {made['detail-type']}{f' ({guessed}: guessed)' if guessed else ''}",
                    fix="say `source:` and `detail-type:` in the sample, as the event's matchers take them",
                )
                continue
            taken = rules.match(made)
            missed = [route for route in sample.routes if route in event.routes and route not in taken]
            reasons = {route: str(patterns[route].explain(made)) for route in missed}
        except NoExampleError as error:
            yield part.problem("sample-kind", f"the sample cannot be tried: {error}")
            continue
        except EventError as error:
            yield part.problem("sample-detail", f"the sample cannot be matched: {error}")
            continue
        for route, reason in reasons.items():
            yield part.problem(
                "sample-missed",
                f"the route {route} does not take this sample",
                ("routes",),
                got=reason,
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
