"""A flow as types: what its definition says, step by step, with the place of each step in it. No I/O.

A flow's written form is the same in mappings/flows/<flow-id>.yaml, in the store and in the body of `POST /flow`; the
meta-schema flow.schema.json says it in full. `flow_of` expects what the meta-schema accepts.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from signalbox.definitions.places import Path
from signalbox.model import JsonObject

KINDS = ("filter", "transform", "function", "split", "choose", "count", "aggregate", "wait", "emit")

DEFAULT_TIMEOUT = 3_600
"""Seconds that a run may take beside its waits, where the flow says nothing."""
EXPRESS_TIMEOUT = 300
DEFAULT_MAX_ITEMS = 1_000
DEFAULT_CONCURRENCY = 10
DEFAULT_FUNCTION_TIMEOUT = 60


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What all steps have: `name`, unique in the flow, and `path`, the place in the definition."""

    name: str
    path: Path


@dataclass(frozen=True, slots=True, kw_only=True)
class Filter(Step):
    """Ends the run where `pattern` does not match the step's input."""

    pattern: JsonObject


@dataclass(frozen=True, slots=True, kw_only=True)
class Transform(Step):
    """Makes the input what `expression` (JSONata) gives."""

    expression: str


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often a function is tried again: `attempts` times, first after `interval` seconds, then `backoff` longer."""

    attempts: int = 2
    interval: int = 2
    backoff: float = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Call(Step):
    """Calls the processing function `function` and goes on with what it returns. `timeout` in seconds."""

    function: str
    retry: Attempts = Attempts()
    timeout: int = DEFAULT_FUNCTION_TIMEOUT


@dataclass(frozen=True, slots=True, kw_only=True)
class Split(Step):
    """Runs `steps` for each item of the list that `items` gives; `combine` makes one value of the results."""

    items: str
    steps: "tuple[AnyStep, ...]"
    concurrency: int = DEFAULT_CONCURRENCY
    max_items: int = DEFAULT_MAX_ITEMS
    combine: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Branch:
    """One way of a choice: taken where `pattern` matches or `condition` (JSONata) holds; one of them is None."""

    path: Path
    steps: "tuple[AnyStep, ...]"
    pattern: JsonObject | None = None
    condition: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Choose(Step):
    """Goes the way of the first branch that fits, else `otherwise`."""

    branches: tuple[Branch, ...]
    otherwise: "tuple[AnyStep, ...]" = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Count(Step):
    """Lets an event on that completes `threshold` events of its `key` within `window` seconds, once a window."""

    key: str
    threshold: int
    window: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Aggregate(Step):
    """Collects what `item` gives of events of one `key`: `count` of them, or those of `window` seconds, become one."""

    key: str
    count: int
    window: int
    item: str = "$input"


@dataclass(frozen=True, slots=True, kw_only=True)
class Wait(Step):
    """Waits: `seconds`, or what the JSONata `expression` gives in seconds, or `until` the time that it gives."""

    seconds: int | None = None
    expression: str | None = None
    until: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit(Step):
    """Publishes the event `event` with what `detail` (JSONata) gives."""

    event: str
    detail: str = "$input"


AnyStep = Filter | Transform | Call | Split | Choose | Count | Aggregate | Wait | Emit


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A named pipeline. `input`: the id of the events it is for, if it says; `catch`: the steps after a failure."""

    id: str
    steps: tuple[AnyStep, ...]
    description: str = ""
    input: str | None = None
    catch: tuple[AnyStep, ...] = ()
    timeout: int = DEFAULT_TIMEOUT
    repeatable: bool = False

    def walk(self) -> Iterator[AnyStep]:
        """Every step, those inside other steps included, in the order of the definition."""
        for steps in (self.steps, self.catch):
            yield from walk(steps)

    @property
    def stateful(self) -> bool:
        """Does it do what must happen once per event (count, aggregate, emit)? Then a run claims its event first."""
        return not self.repeatable and any(isinstance(step, Count | Aggregate | Emit) for step in self.walk())


def walk(steps: tuple[AnyStep, ...]) -> Iterator[AnyStep]:
    """`steps` and all steps inside them, in the order of the definition."""
    for step in steps:
        yield step
        for inner in inside(step):
            yield from walk(inner)


def inside(step: AnyStep) -> tuple[tuple[AnyStep, ...], ...]:
    """The lists of steps that `step` holds."""
    match step:
        case Split():
            return (step.steps,)
        case Choose():
            return (*(branch.steps for branch in step.branches), step.otherwise)
    return ()


def flow_of(flow_id: str, value: JsonObject) -> Flow:
    """The flow that `value`, of the form of the meta-schema, says."""
    steps = _steps(value["steps"], ("steps",))
    catch = _steps(value.get("catch", ()), ("catch",))
    repeatable = value.get("repeatable", False)
    alone = EXPRESS_TIMEOUT if repeatable else DEFAULT_TIMEOUT + sum(map(_waiting, walk(steps + catch)))
    timeout = value.get("timeout", alone)
    return Flow(
        id=flow_id,
        steps=steps,
        description=value.get("description", ""),
        input=value.get("input"),
        catch=catch,
        timeout=timeout,
        repeatable=repeatable,
    )


def _waiting(step: AnyStep) -> int:
    match step:
        case Wait():
            return step.seconds or 0
        case Aggregate():
            return step.window
    return 0


def _steps(values: Any, path: Path) -> tuple[AnyStep, ...]:
    return tuple(_step(value, (*path, index)) for index, value in enumerate(values))


def _step(value: JsonObject, path: Path) -> AnyStep:
    name = value["name"]
    match next(kind for kind in KINDS if kind in value):
        case "filter":
            return Filter(name=name, path=path, pattern=value["filter"])
        case "transform":
            return Transform(name=name, path=path, expression=value["transform"])
        case "function":
            timeout = value.get("timeout", DEFAULT_FUNCTION_TIMEOUT)
            retry = Attempts(**value.get("retry", {}))
            return Call(name=name, path=path, function=value["function"], retry=retry, timeout=timeout)
        case "split":
            return Split(
                name=name,
                path=path,
                items=value["split"],
                steps=_steps(value.get("steps", ()), (*path, "steps")),
                concurrency=value.get("concurrency", DEFAULT_CONCURRENCY),
                max_items=value.get("max-items", DEFAULT_MAX_ITEMS),
                combine=value.get("combine"),
            )
        case "choose":
            return Choose(
                name=name,
                path=path,
                branches=tuple(
                    _branch(branch, (*path, "choose", index)) for index, branch in enumerate(value["choose"])
                ),
                otherwise=_steps(value.get("otherwise", ()), (*path, "otherwise")),
            )
        case "count":
            return Count(name=name, path=path, **value["count"])
        case "aggregate":
            return Aggregate(name=name, path=path, **value["aggregate"])
        case "wait":
            wait = value["wait"]
            if isinstance(wait, int):
                return Wait(name=name, path=path, seconds=wait)
            return Wait(name=name, path=path, expression=wait.get("seconds"), until=wait.get("until"))
        case _:
            return Emit(name=name, path=path, event=value["emit"], detail=value.get("detail", "$input"))


def _branch(value: JsonObject, path: Path) -> Branch:
    return Branch(
        path=path,
        steps=_steps(value["steps"], (*path, "steps")),
        pattern=value.get("pattern"),
        condition=value.get("condition"),
    )


def machine_type(flow: Flow) -> Literal["STANDARD", "EXPRESS"]:
    """The type of the flow's state machine. Starting an Express one again under the same name starts a second run."""
    return "EXPRESS" if flow.repeatable else "STANDARD"
