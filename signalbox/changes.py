"""What a deploy changes for routing, in words for the person who reviews it. Pure.

`changes` compares two states of all events, each with the routes that are live in it: which routes come and go, which
send elsewhere, and which samples take another way from now on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from signalbox.canonical import canonical, same
from signalbox.classic import pattern_of, schema_hash
from signalbox.effective import effective_routes, stored
from signalbox.model import Event, Retry, Route, Target, target_config
from signalbox.patterns import EventError, Pattern, PatternError
from signalbox.patterns import compile as compile_pattern
from signalbox.plan import Plan
from signalbox.samples import sample_event
from signalbox.store import StoreSnapshot, event_from_item

Kind = Literal["added", "removed", "changed", "schema"]

SHOWN_SAMPLES = 5
SHOWN_FIELDS = 2
SHOWN_TEXT = 60


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one route, or (`kind` schema) of one event. `samples` say which events go another way."""

    kind: Kind
    route: str
    """`<event-id>/<route>`, or `<event-id>`."""
    what: tuple[str, ...]
    samples: tuple[str, ...] = field(default=())

    def all_lines(self) -> list[str]:
        """The change as text: a line that says what, and a line for each sample."""
        return [f"{self.route}: {'; '.join(self.what)}", *(f"{self.route}: {sample}" for sample in self.samples)]

    def lines(self) -> list[str]:
        """The change as text, with the first few samples only."""
        more = len(self.samples) - SHOWN_SAMPLES
        said = [f"{self.route}: and {more} more samples"] if more > 0 else []
        return [*self.all_lines()[: 1 + SHOWN_SAMPLES], *said]

    def as_dict(self) -> dict[str, Any]:
        """The change as JSON."""
        return {"kind": self.kind, "route": self.route, "what": list(self.what), "samples": list(self.samples)}


def changes(before: Mapping[str, Event], after: Mapping[str, Event]) -> list[Change]:
    """Every difference for routing between two states, sorted by event and route.

    Samples are those of `after` (of `before` for an event that is gone): the store keeps none.
    """
    found: list[Change] = []
    for event_id in sorted({*before, *after}):
        found += _event_changes(before.get(event_id), after.get(event_id))
    return found


def stored_events(store: StoreSnapshot) -> dict[str, Event]:
    """The events of the store, each with the routes that are live.

    Raises KeyError, TypeError or ValueError for items that are malformed.
    """
    events = {event_id: event_from_item(item) for event_id, item in store.events.items()}
    return {
        event_id: replace(event, routes=effective_routes(event, stored(event_id, store)))
        for event_id, event in events.items()
    }


def planned_events(plan: Plan) -> dict[str, Event]:
    """The events of a plan, each with the routes that will be live."""
    return {event_id: replace(each.event, routes=each.routes) for event_id, each in plan.events.items()}


def _event_changes(before: Event | None, after: Event | None) -> Iterable[Change]:
    event = after or before
    assert event is not None
    if before and after and schema_hash(before.schema) != schema_hash(after.schema):
        yield Change("schema", event.id, ("the schema changes: events that do not fit it go to undelivered",))
    for name in sorted({*(before.routes if before else ()), *(after.routes if after else ())}):
        old = before.routes.get(name) if before else None
        new = after.routes.get(name) if after else None
        samples = _samples(event, before if old else None, old, after if new else None, new)
        if old is None and new is not None:
            yield Change("added", new.id, (f"added, to {_targets(new.targets)}{_off(new)}",), samples)
        elif new is None and old is not None:
            yield Change("removed", old.id, (f"removed; it went to {_targets(old.targets)}",), samples)
        elif old is not None and new is not None and before and after and (what := _what(before, old, after, new)):
            yield Change("changed", new.id, tuple(what), samples)


def _what(before: Event, old: Route, after: Event, new: Route) -> list[str]:
    what: list[str] = []
    if not same(pattern_of(before, old), pattern_of(after, new)):
        what.append("the pattern changes")
    old_targets = {(target.kind, target.name): target for target in old.targets}
    new_targets = {(target.kind, target.name): target for target in new.targets}
    if gained := [new_targets[key] for key in new_targets if key not in old_targets]:
        what.append(f"now also goes to {_targets(gained)}")
    if lost := [old_targets[key] for key in old_targets if key not in new_targets]:
        what.append(f"no longer goes to {_targets(lost)}")
    for key in new_targets:
        if key in old_targets and not same(target_config(old_targets[key]), target_config(new_targets[key])):
            what.append(f"sends another input to {_targets([new_targets[key]])}")
    if old.enabled != new.enabled:
        what.append("is switched on" if new.enabled else "is switched off")
    if old.retry != new.retry:
        what.append(f"is tried {_retry(new.retry)}, was {_retry(old.retry)}")
    return what


def _samples(
    event: Event, before: Event | None, old: Route | None, after: Event | None, new: Route | None
) -> tuple[str, ...]:
    was, now = _matcher(before, old), _matcher(after, new)
    asked = {key for route in (old, new) if route and route.pattern for key in route.pattern}
    found = []
    for index, sample in enumerate(event.samples, start=1):
        whole = sample_event(event, sample)
        try:
            taken, took = bool(now and now.matches(whole)), bool(was and was.matches(whole))
        except EventError as error:
            found.append(f"sample {index}{_hint(sample.detail, asked)} cannot be tried: {error}")
            continue
        if taken != took:
            way = "is now taken, was not" if taken else "is no longer taken"
            found.append(f"sample {index}{_hint(sample.detail, asked)} {way}")
    return tuple(found)


def _matcher(event: Event | None, route: Route | None) -> Pattern | None:
    """What the route takes; None where there is no route, it is off, or its pattern is one that EventBridge refuses."""
    if event is None or route is None or not route.enabled:
        return None
    try:
        return compile_pattern(pattern_of(event, route))
    except PatternError:
        return None


def _hint(detail: Any, asked: set[str]) -> str:
    """What tells a sample from the others: first the fields that the patterns ask for."""
    if not isinstance(detail, Mapping):
        return ""
    plain = [(key, value) for key, value in detail.items() if isinstance(value, str | int | float | bool)]
    plain.sort(key=lambda pair: pair[0] not in asked)
    shown = ", ".join(f"{key}={_short(value)}" for key, value in plain[:SHOWN_FIELDS])
    return f" ({shown})" if shown else ""


def _short(value: str | float | bool) -> str:
    text = value if isinstance(value, str) else canonical(value)
    return text if len(text) <= SHOWN_TEXT else f"{text[: SHOWN_TEXT - 1]}…"


def _targets(targets: Sequence[Target]) -> str:
    return ", ".join(f"{target.kind} {target.name}" for target in targets)


def _off(route: Route) -> str:
    return "" if route.enabled else ", switched off"


def _retry(retry: Retry) -> str:
    return f"up to {retry.attempts} times over {retry.max_age_seconds} s"


def summary(found: Sequence[Change]) -> str:
    """One line: how many routes are added, removed, changed."""
    counts = {kind: sum(change.kind == kind for change in found) for kind in ("added", "removed", "changed")}
    said = [f"{count} route{'s' if count != 1 else ''} {kind}" for kind, count in counts.items() if count]
    return ", ".join(said) or "no route changes"


def bounded(found: Sequence[Change], limit: int) -> list[str]:
    """The changes as at most `limit` lines and one more that says what was left out."""
    lines = [line for change in found for line in change.lines()]
    if len(lines) <= limit:
        return lines
    return [*lines[:limit], f"and {len(lines) - limit} lines more: python -m signalbox plan"]
