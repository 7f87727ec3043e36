"""Flow definitions: from a document to a `Flow`, and everything that is wrong with it. The loader asks it of files, the
API of bodies: the rules are the same."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from signalbox import schema as schemas
from signalbox.definitions.fields import check_fields
from signalbox.definitions.matchers import changed_numbers, check_pattern
from signalbox.definitions.meta import check_form, shown
from signalbox.definitions.places import Document, Path
from signalbox.flows.compiler import compile_flow, definition, literals
from signalbox.flows.conditions import Unsayable, condition
from signalbox.flows.expressions import check_expression, words_of
from signalbox.flows.model import (
    KINDS,
    Aggregate,
    AnyStep,
    Call,
    Choose,
    Count,
    Emit,
    Filter,
    Flow,
    Split,
    Transform,
    Wait,
    flow_of,
    inside,
)
from signalbox.flows.names import EXAMPLE
from signalbox.flows.shapes import Shape, infer, misfits, of_error, of_event
from signalbox.flows.validity import unchecked
from signalbox.model import Event, Json, Target
from signalbox.problems import Problem, did_you_mean, errors
from signalbox.registry import Registry

STEPS = 200
"""Steps of a flow, those inside others included, and branches."""
MAPPINGS = 3 * STEPS
PARTS = 20 * STEPS
"""Mappings, and keys and values, of a definition without its patterns: more than STEPS steps have."""
WORDS = 5_000
"""Names, numbers and signs of all expressions of a flow."""
NESTING = 5
"""Steps in steps in steps."""
DEPTH = 40
"""Levels of a definition, before it is looked at: nothing that recurses may be given more."""
# https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html
MACHINE_BYTES = 1_048_576
HISTORY = 25_000
"""Entries in the history of an execution: it fails at the next, and nothing can catch that."""
EXPRESS_SECONDS = 300
EVENT_UNKNOWN = "flow-event-unknown"
"""The code of the problem that a flow names an event, `got`, that there is not."""

_FLOW_ID = re.compile(r"[A-Za-z0-9_-]{1,64}", re.ASCII)
_OPTIONS = {
    "function": ("retry", "timeout"),
    "split": ("steps", "concurrency", "max-items", "combine"),
    "choose": ("otherwise",),
    "emit": ("detail",),
}
"""What a step of a kind may say beside its name and its kind."""


def read_flow(
    flow_id: str, document: Document, registry: Registry, events: Mapping[str, Event], *, runtime: bool = False
) -> tuple[Flow | None, list[Problem]]:
    """The flow that `document` defines, and all that is wrong with it; None where its form cannot be used.

    `registry` and `events` say which functions and events it may name; `runtime`: it comes from the API, and not from
    definitions.
    """
    problems = []
    if not _FLOW_ID.fullmatch(flow_id):
        problems.append(
            document.problem(
                "flow-id", "this is no flow id", got=shown(flow_id), allowed="1 to 64 of letters, digits, _ and -"
            )
        )
    if _deeper_than(document.value, DEPTH):
        problems.append(
            document.problem("flow-nesting", "the definition is nested too deeply", allowed=f"at most {DEPTH} levels")
        )
        return None, problems
    if (place := _no_text(document.value)) is not None:
        problems.append(
            document.problem(
                "flow-text", "this text holds half a character (a lone surrogate)", place, fix="write it anew"
            )
        )
        return None, problems
    if (fault := _too_many_parts(document)) is not None:
        return None, [*problems, fault]
    problems += check_form(document, "flow")
    if errors(problems):
        return None, problems
    problems += _integer_problems(document, document.value, ())
    if errors(problems):
        return None, problems
    flow = flow_of(flow_id, document.value)
    return flow, problems + check_flow(flow, document, registry, events, runtime=runtime)


def check_flow(
    flow: Flow, document: Document, registry: Registry, events: Mapping[str, Event], *, runtime: bool = False
) -> list[Problem]:
    """What is wrong with `flow`, which `document` defines in the right form; empty: it can be compiled and run."""
    check = _Check(flow, document, registry, events, runtime)
    if not check.small():
        return check.problems
    check.whole()
    event = events.get(flow.input) if flow.input is not None else None
    envelope = of_event(event)
    check.steps(flow.steps, {"input": envelope, "event": envelope})
    check.steps(flow.catch, {"input": of_error(), "event": envelope})
    if not errors(check.problems):
        check.machine()
    return check.problems


Known = Mapping[str, Shape | None]


@dataclass(slots=True)
class _Check:
    flow: Flow
    document: Document
    registry: Registry
    events: Mapping[str, Event]
    runtime: bool
    problems: list[Problem] = field(default_factory=list)
    words: int = 0

    def fault(self, code: str, what: str, path: Path = (), **more: Any) -> None:
        self.problems.append(self.document.problem(code, what, path, **more))

    def small(self) -> bool:
        """Is the flow of a size at which looking at every part of it takes no long time? Says so if not."""
        count = sum(1 + len(step.branches) if isinstance(step, Choose) else 1 for step in self.flow.walk())
        if count > STEPS:
            self.fault(
                "flow-steps",
                "too many steps and branches",
                got=str(count),
                allowed=f"at most {STEPS}",
                fix="make two flows of it, one emitting an event for the other",
            )
        return count <= STEPS

    def whole(self) -> None:
        """What is about the flow and not about one step."""
        flow = self.flow
        if flow.input is not None and flow.input not in self.events:
            self._unknown_event(flow.input, ("input",))
        steps = list(flow.walk())
        for deep in _too_deep(flow.steps + flow.catch, 1):
            self.fault(
                "flow-nesting",
                f"{deep.name} is nested too deeply",
                deep.path,
                allowed=f"at most {NESTING} levels of steps in steps",
                fix="make a flow of the inner steps",
            )
        seen: dict[str, AnyStep] = {}
        for step in steps:
            if step.name in seen:
                self.fault(
                    "flow-step-twice",
                    f"there is another step {step.name}",
                    (*step.path, "name"),
                    got=step.name,
                    fix="choose another name: steps are found by it in runs and messages",
                )
            seen[step.name] = step
            self._options(step)
        self._times(steps)

    def _options(self, step: AnyStep) -> None:
        value = self.document.part(*step.path).value
        kind = next(kind for kind in KINDS if kind in value)
        allowed = _OPTIONS.get(kind, ())
        for key in value:
            if key not in ("name", kind, *allowed):
                self.fault(
                    "flow-step-key",
                    f"a {kind} has no {key!r}",
                    (*step.path, key),
                    allowed=", ".join(("name", kind, *allowed)),
                    fix="remove it" if key in ("retry", "timeout", "steps") else did_you_mean(key, allowed),
                )
        if kind == "split" and "steps" not in value:
            self.fault("form-missing-key", "the key 'steps' is missing", step.path)

    def _times(self, steps: Sequence[AnyStep]) -> None:
        flow = self.flow
        for step in steps:
            waits = self._waits(step)
            if waits > flow.timeout:
                self.fault(
                    "flow-timeout",
                    f"{step.name} may take longer than the whole flow",
                    step.path,
                    got=f"{waits:.0f} s",
                    allowed=f"timeout: {flow.timeout}",
                    fix="give the flow a longer timeout, or the step fewer attempts",
                )
        if flow.repeatable and flow.timeout > EXPRESS_SECONDS:
            self.fault(
                "flow-timeout",
                "a repeatable flow runs as an Express state machine, for five minutes at most",
                ("timeout",) if "timeout" in self.document.value else ("repeatable",),
                got=f"{flow.timeout} s",
                allowed=f"timeout: {EXPRESS_SECONDS}",
                fix="shorten its waits, or leave `repeatable` out",
            )

    def _waits(self, step: AnyStep) -> float:
        match step:
            case Wait():
                return step.seconds or 0
            case Aggregate():
                return step.window
            case Call():
                retry = step.retry
                pauses = sum(min(retry.interval * retry.backoff**each, 1e9) for each in range(retry.attempts))
                return pauses + step.timeout * (retry.attempts + 1)
        return 0

    def steps(self, steps: Sequence[AnyStep], known: Known) -> Shape | None:
        """Check `steps`, the first having variables of the shapes `known`; the shape of what the last gives."""
        shape = known["input"]
        for step in steps:
            shape = self._step(step, {**known, "input": shape})
        return shape

    def _step(self, step: AnyStep, known: Known) -> Shape | None:
        path = step.path
        match step:
            case Filter():
                self._pattern((*path, "filter"), known["input"])
            case Transform():
                return self._expression((*path, "transform"), known)
            case Call():
                self._function(step)
                return None
            case Split():
                return self._split(step, known)
            case Choose():
                return self._choose(step, known)
            case Count():
                self._expression((*path, "count", "key"), known)
            case Aggregate():
                self._expression((*path, "aggregate", "key"), known)
                self._optional((*path, "aggregate"), "item", known)
                return None
            case Wait():
                for key in ("seconds", "until"):
                    self._optional((*path, "wait"), key, known)
            case Emit():
                self._emit(step, known)
        return known["input"]

    def _optional(self, path: Path, key: str, known: Known) -> None:
        value = self.document.part(*path).value
        if isinstance(value, Mapping) and key in value:
            self._expression((*path, key), known)

    def _expression(self, path: Path, known: Known) -> Shape | None:
        self.words += words_of(self.document.part(*path).value)
        if self.words > WORDS:
            if not any(problem.code == "flow-words" for problem in self.problems):
                self.fault(
                    "flow-words",
                    "the expressions of the flow are too long, all together",
                    path,
                    allowed=f"at most {WORDS} names, numbers and signs",
                    fix="make two flows of it, or call a processing function",
                )
            return None
        expression, problems = check_expression(self.document, path, tuple(known))
        self.problems += problems
        if expression is None or problems:
            return None

        said: set[tuple[str, ...]] = set()

        def lacking(name: str, names: list[str]) -> None:
            if (name, *names) in said:
                return
            said.add((name, *names))
            self.fault(
                "flow-field",
                f"nothing is called {name!r} here: does the expression mean another field?",
                path,
                got=shown(expression.text),
                allowed=", ".join(names[:20]),
                fix=did_you_mean(name, names),
                severity="warning",
            )

        return infer(expression, known, lacking)

    def _pattern(self, path: Path, shape: Shape | None) -> None:
        part = self.document.part(*path)
        pattern = part.value
        problems = [*check_pattern(part, pattern, lambda place: place), *changed_numbers(part, "pattern-number")]
        if not problems:
            try:
                condition(pattern)
            except Unsayable as error:
                problems.append(
                    part.problem("flow-pattern", error.what, error.place, got=shown(error.got), fix=error.fix)
                )
            else:
                problems += _field_problems(part, shape)
        self.problems += problems

    def _function(self, step: Call) -> None:
        path = (*step.path, "function")
        refused = self.registry.resolve(Target("function", step.function), self.flow.input or "", runtime=self.runtime)
        if refused is None:
            return
        what, fix = refused.what, refused.fix
        if refused.code == "target-event" and self.flow.input is None:
            what, fix = (
                f"{step.function} takes only some events, and the flow does not say which it is for",
                "say `input: …`",
            )
        self.fault(refused.code, what, path, got=refused.got, allowed=refused.allowed, fix=fix)

    def _split(self, step: Split, known: Known) -> Shape | None:
        items = self._expression((*step.path, "split"), known)
        self.steps(step.steps, {**known, "input": items.item() if items is not None else None})
        if step.combine is not None:
            return self._expression((*step.path, "combine"), {**known, "results": None})
        return None

    def _choose(self, step: Choose, known: Known) -> Shape | None:
        shapes = []
        for branch in step.branches:
            if branch.condition is not None:
                self._expression((*branch.path, "condition"), known)
            else:
                self._pattern((*branch.path, "pattern"), known["input"])
            shapes.append(self.steps(branch.steps, known))
        shapes.append(self.steps(step.otherwise, known))
        return shapes[0] if all(shape is shapes[0] for shape in shapes) else None

    def _emit(self, step: Emit, known: Known) -> None:
        path = (*step.path, "emit")
        detail = known["input"]
        if "detail" in self.document.part(*step.path).value:
            detail = self._expression((*step.path, "detail"), known)
        event = self.events.get(step.event)
        if event is None:
            self._unknown_event(step.event, path)
            return
        if step.event == self.flow.input:
            self.fault(
                "flow-emit-loop",
                "the flow would emit the event that it runs for, and so start itself for ever",
                path,
                got=step.event,
                fix="emit another event",
            )
        try:
            literals(event)
        except ValueError:
            self.fault(
                "flow-emit-event",
                f"{step.event} has not one source and one detail-type, so it cannot be emitted",
                path,
                got=shown([list(event.source), None if event.detail_type is None else list(event.detail_type)]),
                fix="define an event of its own for what the flow emits",
            )
        if event.from_bus is not None or any(str(each).startswith("aws.") for each in event.source):
            self.fault("flow-emit-event", f"{step.event} comes from elsewhere: only it can be received", path)
        try:
            schemas.compile_schema(event.schema)
        except schemas.SchemaError:
            return  # told where the event is defined
        place = (*step.path, "detail") if "detail" in self.document.part(*step.path).value else path
        for what, fix in misfits(detail, event.schema) if detail is not None else ():
            self.fault(
                "flow-emit-schema", f"the detail does not fit the schema of {step.event}: {what}", place, fix=fix
            )
        if left := unchecked(event.schema):
            self.fault(
                "flow-emit-unchecked",
                f"a part of the schema of {step.event} is not checked when it is emitted, only when it is routed",
                path,
                got=", ".join(left[:10]),
                fix="say it without them, if what is emitted should be refused in the flow",
                severity="warning",
            )

    def _unknown_event(self, event: str, path: Path) -> None:
        names = sorted(self.events)
        self.fault(
            EVENT_UNKNOWN,
            f"there is no event {event}",
            path,
            got=event,
            allowed=", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else ""),
            fix=did_you_mean(event, names) or "define it in mappings/events/<event-id>.yaml",
        )

    def machine(self) -> None:
        """What Step Functions' limits refuse of the state machine that the flow would be."""
        size = len(definition(compile_flow(self.flow, EXAMPLE, self.events)).encode())
        if size > MACHINE_BYTES // 2:  # room for longer names, and for what a deploy adds
            self.fault(
                "flow-size",
                "the state machine would be too big",
                got=f"{size} bytes",
                allowed=f"{MACHINE_BYTES // 2}",
                fix="make two flows of it, one emitting an event for the other",
            )
        entries = _history(self.flow.steps) + _history(self.flow.catch) + 60
        if entries > HISTORY and not self.flow.repeatable:
            worst = max(
                (step for step in self.flow.walk() if isinstance(step, Split)), key=lambda step: _history((step,))
            )
            self.fault(
                "flow-history",
                "a run could be longer than Step Functions' history, at the end of which it fails",
                worst.path,
                got=f"about {entries} entries, with {worst.max_items} items in {worst.name}",
                allowed=f"{HISTORY}",
                fix="give the split a lower max-items, or fewer steps",
            )


def _history(steps: Sequence[AnyStep]) -> int:
    """Entries that `steps` make in an execution's history when nothing is tried again.

    Each state has two, a task three more, an item of a Map two.
    """
    total = 0
    for step in steps:
        match step:
            case Split():
                total += 6 + step.max_items * (_history(step.steps) + 6)
            case Choose():
                total += 4 + max((_history(each) for each in inside(step)), default=0)
            case Call() | Emit():
                total += 5
            case Count():
                total += 16
            case Aggregate():
                total += 40
            case _:
                total += 2
    return total


def _too_deep(steps: Sequence[AnyStep], level: int) -> Iterator[AnyStep]:
    for step in steps:
        if level > NESTING:
            yield step
            return
        for inner in inside(step):
            yield from _too_deep(inner, level + 1)


def _field_problems(part: Document, shape: Shape | None) -> Iterator[Problem]:
    """A warning for each field of the pattern in `part` that the value to be matched does not have."""
    if shape is None:
        return
    if shape.fields is None:
        if shape.schema is shape.root:
            yield from check_fields(part, shape.root)
        return
    for name, value in part.value.items():
        if name == "$or" or "." in name:
            continue
        if name not in shape.fields:
            yield part.problem(
                "pattern-field",
                f"there is no field {name!r} here: does the pattern mean another one?",
                (name,),
                allowed=", ".join(shape.fields),
                fix=did_you_mean(name, shape.fields) or _inside_detail(name, shape),
                severity="warning",
            )
        elif isinstance(value, Mapping):
            yield from _field_problems(part.part(name), shape.fields[name])


def _inside_detail(name: str, shape: Shape) -> str:
    detail = shape.field("detail")
    return f"did you mean {{detail: {{{name}: …}}}}?" if detail is not None and detail.lacks(name) is None else ""


def _integer_problems(document: Document, value: Json, path: Path) -> Iterator[Problem]:
    """1.0 is an integer to JSON Schema, and none to Step Functions."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            if key not in ("filter", "pattern", "backoff"):
                yield from _integer_problems(document, inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _integer_problems(document, inner, (*path, index))
    elif isinstance(value, float):
        yield document.problem("form-type", "this must be written as an integer", path, got=json.dumps(value))


def _too_many_parts(document: Document) -> Problem | None:
    """A definition of more parts than one of STEPS steps has: not to be looked at part by part. Patterns are apart."""
    mappings = parts = 0
    waiting = [document.value]
    while waiting:
        value = waiting.pop()
        parts += 1
        if isinstance(value, dict):
            mappings += 1
            parts += len(value)
            waiting += (inner for key, inner in value.items() if key not in ("filter", "pattern"))
        elif isinstance(value, list):
            waiting += value
        if mappings > MAPPINGS or parts > PARTS:
            return document.problem(
                "flow-steps",
                "too many steps and branches",
                allowed=f"at most {STEPS} steps and branches",
                fix="make two flows of it, one emitting an event for the other",
            )
    return None


def _no_text(value: Json) -> Path | None:
    """The place of a text or key that UTF-8 cannot hold; None: there is none."""
    waiting: list[tuple[Path, Json]] = [((), value)]
    while waiting:
        path, each = waiting.pop()
        if isinstance(each, str) and any("\ud800" <= character <= "\udfff" for character in each):
            return path
        if isinstance(each, Mapping):
            for key, inner in each.items():
                # A key that cannot be written is told at what holds it.
                waiting += [(path, key), ((*path, key), inner)]
        elif isinstance(each, list):
            waiting += (((*path, index), inner) for index, inner in enumerate(each))
    return None


def _deeper_than(value: Json, levels: int) -> bool:
    layer = [value] if isinstance(value, dict | list) else []
    for _ in range(levels):
        layer = [
            inner
            for outer in layer
            for inner in (outer.values() if isinstance(outer, dict) else outer)
            if isinstance(inner, dict | list)
        ]
    return bool(layer)
