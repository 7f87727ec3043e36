"""What a deploy changes for routing, in words for the person who reviews it. Pure.

`changes` compares two states of all events, each with the routes that are live in it: which routes come and go, which
send elsewhere, and which samples take another way from now on.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from signalbox.canonical import canonical, same
from signalbox.classic import feeds, pattern_of, schema_hash
from signalbox.effective import effective_routes, stored
from signalbox.model import Event, Retry, Route, Target, target_config
from signalbox.patterns import EventError, Pattern, PatternError
from signalbox.patterns import compile as compile_pattern
from signalbox.plan import Plan
from signalbox.problems import alike
from signalbox.runtime.text import printable
from signalbox.samples import NoExampleError, sample_event
from signalbox.store import StoreSnapshot, event_from_item

Kind = Literal["added", "removed", "changed", "schema", "bus"]

SHOWN_SAMPLES = 5
SHOWN_FIELDS = 2
SHOWN_TEXT = 60
SHOWN_PATTERN = 200
SHOWN_TARGETS = 10
SHOWN_BUS = 300


@dataclass(frozen=True, slots=True)
class Change:
    """What becomes of one route, or (`kind` schema or bus) of one event.

    `samples` say which events go another way; `patterns` are what the rule's pattern was and is, where it changes, as
    canonical JSON text.
    """

    kind: Kind
    route: str
    """`<event-id>/<route>`, or `<event-id>`."""
    what: tuple[str, ...]
    samples: tuple[str, ...] = field(default=())
    patterns: tuple[str, str] | None = None

    def all_lines(self) -> list[str]:
        """The change as text: a line that says what, two for the patterns, and a line for each sample."""
        return [f"{self.route}: {each}" for each in ("; ".join(self.what), *self.shown_patterns(), *self.samples)]

    def shown_patterns(self) -> list[str]:
        """What the pattern was and is, from a little before the place where they part."""
        if self.patterns is None:
            return []
        was, now = self.patterns
        start = max(0, alike(was, now) - SHOWN_PATTERN // 4)
        return [f"the pattern {verb} {_from(start, text)}" for verb, text in (("was", was), ("is now", now))]

    def lines(self) -> list[str]:
        """The change as text, with the first few samples only."""
        more = len(self.samples) - SHOWN_SAMPLES
        said = [f"{self.route}: and {more} more samples"] if more > 0 else []
        lines = self.all_lines()
        return [*lines[: len(lines) - max(0, more)], *said]

    def as_dict(self) -> dict[str, Any]:
        """The change as JSON."""
        patterns = {"patterns": dict(zip(("was", "now"), self.patterns, strict=True))} if self.patterns else {}
        return {
            "kind": self.kind,
            "route": self.route,
            "what": list(self.what),
            "samples": list(self.samples),
            **patterns,
        }


def changes(before: Mapping[str, Event], after: Mapping[str, Event], *, buses: bool = True) -> list[Change]:
    """Every difference for routing between two states, sorted by event and route.

    Samples are those of `after` (of `before` for an event that is gone): the store keeps none. Nor does it keep from
    which bus events come: `buses` False does not look at that.
    """
    found: list[Change] = []
    for event_id in sorted({*before, *after}):
        found += _event_changes(before.get(event_id), after.get(event_id), buses=buses)
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


def _event_changes(before: Event | None, after: Event | None, *, buses: bool) -> Iterable[Change]:
    event = after or before
    assert event is not None
    if before and after and schema_hash(before.schema) != schema_hash(after.schema):
        yield Change("schema", event.id, ("the schema changes: events that do not fit it go to undelivered",))
    if buses and before and after and _buses(before) != _buses(after):
        yield Change("bus", event.id, (f"its events now come from {_buses(after)}, no longer from {_buses(before)}",))
    for name in sorted({*(before.routes if before else ()), *(after.routes if after else ())}):
        old = before.routes.get(name) if before else None
        new = after.routes.get(name) if after else None
        samples = _samples(event, before if old else None, old, after if new else None, new)
        if old is None and new is not None:
            yield Change("added", new.id, (f"added, to {_targets(new.targets)}{_off(new)}",), samples)
        elif new is None and old is not None:
            yield Change("removed", old.id, (f"removed; it went to {_targets(old.targets)}",), samples)
        elif old is not None and new is not None and before and after:
            patterns = _patterns(before, old, after, new)
            if what := _what(old, new, patterns):
                yield Change("changed", new.id, tuple(what), samples, patterns)


def _what(old: Route, new: Route, patterns: tuple[str, str] | None) -> list[str]:
    what: list[str] = []
    if patterns:
        what.append("the pattern changes")
    old_targets = {(target.kind, target.name): target for target in old.targets}
    new_targets = {(target.kind, target.name): target for target in new.targets}
    if gained := [new_targets[key] for key in new_targets if key not in old_targets]:
        what.append(f"now also goes to {_targets(gained)}")
    if lost := [old_targets[key] for key in old_targets if key not in new_targets]:
        what.append(f"no longer goes to {_targets(lost)}")
    for key in [key for key in new_targets if key in old_targets]:
        was, now = target_config(old_targets[key]), target_config(new_targets[key])
        if parts := [words for part, words in _PARTS.items() if not same(was.get(part), now.get(part))]:
            what.append(f"sends to {_targets([new_targets[key]])} with another {' and '.join(parts)}")
    if old.enabled != new.enabled:
        what.append("is switched on" if new.enabled else "is switched off")
    if old.retry != new.retry:
        what.append(f"is tried {_retry(new.retry)}, was {_retry(old.retry)}")
    return what


_PARTS = {"input": "input", "message-group": "message group", "partition-key": "partition key"}


def _patterns(before: Event, old: Route, after: Event, new: Route) -> tuple[str, str] | None:
    """What changes of a rule's pattern, as it was and as it is now; None: nothing."""
    was, now = pattern_of(before, old), pattern_of(after, new)
    same_ = {key for key in was.keys() & now.keys() if same(was[key], now[key])}
    if same_ == was.keys() | now.keys():
        return None
    left = [{key: value for key, value in each.items() if key not in same_} for each in (was, now)]
    return canonical(left[0]), canonical(left[1])


def _from(start: int, text: str) -> str:
    return printable(f"…{text[start:]}" if start else text, SHOWN_PATTERN)


def _buses(event: Event) -> str:
    """The bus that the event's feed is on; without one, events arrive on the stack's own."""
    return ", ".join(f"the bus {printable(bus, SHOWN_BUS)}" for bus in feeds([event])) or "the stack's own bus"


def _samples(
    event: Event, before: Event | None, old: Route | None, after: Event | None, new: Route | None
) -> tuple[str, ...]:
    was, now = _matcher(before, old), _matcher(after, new)
    asked = {key for route in (old, new) if route and route.pattern for key in route.pattern}
    found = []
    for index, sample in enumerate(event.samples, start=1):
        try:
            whole = sample_event(event, sample)
            taken, took = bool(now and now.matches(whole)), bool(was and was.matches(whole))
        except (EventError, NoExampleError) as error:
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
    shown = ", ".join(f"{printable(key, SHOWN_TEXT)}={_short(value)}" for key, value in plain[:SHOWN_FIELDS])
    return f" ({shown})" if shown else ""


def _short(value: str | float | bool) -> str:
    return printable(value if isinstance(value, str) else canonical(value), SHOWN_TEXT)


def _targets(targets: Sequence[Target]) -> str:
    said = [f"{target.kind} {printable(target.name, SHOWN_TEXT)}" for target in targets[:SHOWN_TARGETS]]
    more = len(targets) - SHOWN_TARGETS
    return ", ".join([*said, f"{more} more"] if more > 0 else said)


def _off(route: Route) -> str:
    return "" if route.enabled else ", switched off"


def _retry(retry: Retry) -> str:
    return f"up to {retry.attempts} times over {retry.max_age_seconds} s"


def summary(found: Sequence[Change]) -> str:
    """One line: how many routes are added, removed, changed, and how many events themselves."""
    counts = {kind: sum(change.kind == kind for change in found) for kind in ("added", "removed", "changed")}
    said = [f"{count} route{'s' if count != 1 else ''} {kind}" for kind, count in counts.items() if count]
    if events := len({change.route for change in found if change.kind in ("schema", "bus")}):
        said.append(f"{events} event{'s' if events != 1 else ''} changed")
    return ", ".join(said) or "no route changes"


def bounded(found: Sequence[Change], limit: int) -> list[str]:
    """The changes as at most `limit` lines and one more that says what was left out."""
    lines = [line for change in found for line in change.lines()]
    if len(lines) <= limit:
        return lines
    return [*lines[:limit], f"and {len(lines) - limit} lines more: python -m signalbox plan"]
