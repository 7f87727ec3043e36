"""The way that a run took through its flow, read from the history of its execution. No I/O.

The compiler makes one state or several of a step; all are called after it. So a step begins where the state of its name
is entered, and all that follows in states `<step> (word)` is still it, until the next step begins.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from signalbox.flows.model import Flow

Event = Mapping[str, Any]
"""As GetExecutionHistory has it: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html"""

_ENTERED, _EXITED = "StateEntered", "StateExited"
_FAILED = ("Failed", "TimedOut")
_CALLS = ("Task", "LambdaFunction", "Evaluation")
_WORDS = frozenset(("filtered", "counted", "collected"))


@dataclass(slots=True)
class Taken:
    """A step that the run came to. `items`: numbers of the items, of the splits around it from the outermost on."""

    step: str
    items: tuple[int, ...]
    input: Any
    output: Any = None
    ended: bool = False
    """Has it an output?"""
    word: str = ""
    """Why nothing came after it: `filtered`, `counted` or `collected`."""
    error: str = ""
    cause: str = ""
    tries: int = 0
    """How often it called a service."""
    began: datetime | None = None
    left: datetime | None = None


@dataclass(slots=True)
class _Place:
    """Where an event stands: in which items, in which state, and in which step."""

    items: tuple[int, ...] = ()
    outside: tuple["_Place", ...] = ()
    """Before each of those items."""
    taken: Taken | None = None
    states: Mapping[str, "_Place"] = field(default_factory=dict)


def path(flow: Flow, events: Iterable[Event]) -> list[Taken]:
    """The steps of `flow` in the order in which they began; of a failed one with what went wrong."""
    steps = {step.name for step in flow.walk()}
    places: dict[int, _Place] = {0: _Place()}
    found: list[Taken] = []
    for event in events:
        before = places.get(event.get("previousEventId", 0), places[0])
        places[event["id"]] = _next(event, before, steps, found)
    return found


def _next(event: Event, before: _Place, steps: set[str], found: list[Taken]) -> _Place:
    kind = event["type"]
    if kind.endswith(_ENTERED):
        return _entered(event, before, steps, found)
    if kind.endswith(_EXITED):
        return _exited(event, before)
    if kind == "MapIterationStarted":
        index = event["mapIterationStartedEventDetails"]["index"]
        return _Place((*before.items, index), (*before.outside, before), before.taken, before.states)
    if kind.startswith("MapIteration") and before.outside:
        return before.outside[-1]
    if before.taken is not None and not kind.startswith("Execution"):
        _tell(before.taken, kind, _details(event))
    return before


def _tell(taken: Taken, kind: str, details: Mapping[str, Any]) -> None:
    """What an event that is about no state in particular says of the step in which it is."""
    if kind in ("TaskScheduled", "LambdaFunctionScheduled"):
        taken.tries += 1
    elif kind in ("TaskSucceeded", "LambdaFunctionSucceeded"):
        taken.error = taken.cause = ""
    elif kind == "MapStateFailed":
        taken.error, taken.cause = "failed in an item", ""
    elif kind.endswith(_FAILED) and kind.startswith(_CALLS):
        taken.error = details.get("error") or ("States.Timeout" if kind.endswith("TimedOut") else kind)
        taken.cause = details.get("cause") or ""


def _entered(event: Event, before: _Place, steps: set[str], found: list[Taken]) -> _Place:
    details = event["stateEnteredEventDetails"]
    name = details["name"]
    taken = before.taken
    if name in steps:
        taken = Taken(name, before.items, _value(details.get("input")), began=event.get("timestamp"))
        found.append(taken)
    elif taken is not None and _owner(name, steps) != taken.step:
        taken = None  # `(undelivered)` and the like belong to no step
    place = _Place(before.items, before.outside, taken)
    place.states = {**before.states, name: place}
    return place


def _exited(event: Event, before: _Place) -> _Place:
    details = event["stateExitedEventDetails"]
    name = details["name"]
    # What was inside of it is over: the items of a split, and whatever failed in them.
    place = before.states.get(name, before)
    taken = place.taken
    if taken is not None and taken.items == place.items:
        taken.output, taken.ended, taken.left = _value(details.get("output")), True, event.get("timestamp")
        word = name.removeprefix(taken.step).strip(" ()")
        taken.word = word if word in _WORDS else ""
    return _Place(place.items, place.outside, taken, place.states)


def _owner(state: str, steps: set[str]) -> str | None:
    step = state.rpartition(" (")[0]
    return step if step in steps else None


def _details(event: Event) -> Mapping[str, Any]:
    return next((value for name, value in event.items() if name.endswith("EventDetails")), {})


def _value(text: str | None) -> Any:
    return None if text is None else json.loads(text)
