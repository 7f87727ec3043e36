"""From a flow to its state machine in Amazon States Language: pure, and the same text for the same flow.

Each step begins with a state of its own name; what else it needs is called `<step> (word)`. The steps stand in one
branch of a Parallel state, `(steps)`, because only Parallel, Map and Task states can catch an error: so an expression
that fails is caught like a function that does.

    (claim) …    only where the flow counts, aggregates or emits: one run for one event
    (steps)      the flow's steps
    (done) / (result)
    (caught)     the flow's `catch`, if it has one
    (undelivered), (release), (failed)
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from signalbox.canonical import canonical
from signalbox.flows import memory
from signalbox.flows.conditions import condition, text
from signalbox.flows.model import (
    Aggregate,
    AnyStep,
    Branch,
    Call,
    Choose,
    Count,
    Emit,
    Filter,
    Flow,
    Split,
    Transform,
    Wait,
    walk,
)
from signalbox.flows.names import Names
from signalbox.flows.states import (
    EVENT,
    INPUT,
    NOT_EVALUATED,
    RUN,
    State,
    author,
    caught,
    error_of,
    failure,
    goes,
    jsonata,
    service_retry,
    size_of,
    unwrapped,
)
from signalbox.flows.validity import faults
from signalbox.model import Event

STEPS, CAUGHT, RESULT, UNDELIVERED, FAILED = "(steps)", "(caught)", "(result)", "(undelivered)", "(failed)"
FLOW_FAILED = "Signalbox.FlowFailed"
"""The error of a run that failed and whose event is in `undelivered`."""
WHOLE_EVENT_BYTES = 200_000
"""Events up to this size are told of whole; a state's input and arguments have 262,144 bytes."""
REASON = "flow-failed"
"""The reason of its message there."""


def compile_flow(flow: Flow, names: Names, events: Mapping[str, Event]) -> dict[str, Any]:
    """The state machine of `flow`, which has no faults. `events`: those that it may emit, by id."""
    after = memory.DONE if flow.stateful else RESULT
    handled = UNDELIVERED
    states: dict[str, State] = {}
    if flow.stateful:
        states |= memory.claim(flow, names, STEPS, _catcher(handled))
    states[STEPS] = _guarded(_Steps(flow, names, events, "steps"), flow.steps, CAUGHT if flow.catch else handled, after)
    if flow.catch:
        states[CAUGHT] = _guarded(_Steps(flow, names, events, "catch"), flow.catch, handled, after)
    if flow.stateful:
        states[memory.DONE] = memory.done(flow, names, [_catcher(handled)])
    else:
        states[RESULT] = {"Type": "Pass", "Output": jsonata("$states.input[0]"), "End": True}
    last = memory.RELEASE if flow.stateful else FAILED
    states[UNDELIVERED] = _undelivered(flow, names, last)
    if flow.stateful:
        states[memory.RELEASE] = memory.release(flow, names, FAILED)
    states[FAILED] = {
        "Type": "Fail",
        "Error": FLOW_FAILED,
        "Cause": jsonata(
            '"step " & $states.input.error.step & ": " & $states.input.error.name & ": " & '
            "$substring($states.input.error.cause, 0, 4000)"
        ),
    }
    return {
        "Comment": flow.description or f"The flow {flow.id}",
        "QueryLanguage": "JSONata",
        "TimeoutSeconds": flow.timeout,
        "StartAt": next(iter(states)),
        "States": states,
    }


def definition(machine: Mapping[str, Any]) -> str:
    """A compiled flow as the text that Step Functions is given: readable, and always the same."""
    return json.dumps(machine, indent=2, ensure_ascii=False)


def _guarded(scope: "_Steps", steps: Sequence[AnyStep], on_error: str, after: str) -> State:
    scope.add(steps, None)
    return {
        "Type": "Parallel",
        "Branches": [scope.machine(steps[0].name)],
        "Catch": [_catcher(on_error)],
        "Next": after,
    }


def _catcher(to: str) -> State:
    # Only that: with an event of the greatest size nothing else would fit.
    return {"ErrorEquals": ["States.ALL"], "Output": {"error": jsonata(error_of())}, "Next": to}


def _undelivered(flow: Flow, names: Names, then: str) -> State:
    error = "$states.input.error"
    # An event that would not fit with the rest is left out: it is the input of the execution.
    body = (
        f'($event := {EVENT}; $merge([{{"signalbox": 1, "reason": {text(REASON)}, '
        f'"message": $substring("flow " & {text(flow.id)} & ", step " & {error}.step & ": " & {error}.name & ": " & '
        f"{error}.cause, 0, 500), "
        f'"flow": {text(flow.id)}, "step": {error}.step, "errors": [{error}.name & ": " & {error}.cause], '
        f'"targets": [{{"flow": {text(flow.id)}}}], "execution": {RUN}}}, '
        f'{size_of("$string($event)")} <= {WHOLE_EVENT_BYTES} ? {{"event": $event}} : {{}}]))'
    )
    return {
        "Type": "Task",
        "Resource": names.resource("sqs:sendMessage"),
        "Arguments": {
            "QueueUrl": names.undelivered_url,
            "MessageBody": jsonata(body),
            "MessageAttributes": {"reason": {"DataType": "String", "StringValue": REASON}},
        },
        "TimeoutSeconds": 60,
        "Retry": service_retry(),
        "Output": jsonata(INPUT),
        "Next": then,
    }


@dataclass(slots=True)
class _Steps:
    """A list of steps being made states: that of the flow, of its catch, or of a split.

    States cannot be reached from another list, so each has its own Fail state. `depth`: the splits around it.
    """

    flow: Flow
    names: Names
    events: Mapping[str, Event]
    label: str
    depth: int = 0
    drops: bool = False
    """Is this inside a split where items may end without a result?"""
    states: dict[str, State] = field(default_factory=dict)

    @property
    def failed(self) -> str:
        return f"({self.label} failed)"

    def machine(self, start: str) -> State:
        """The states, from `start`, as a branch or an item processor."""
        if any(each["Next"] == self.failed for state in self.states.values() for each in state.get("Catch", ())):
            self.states[self.failed] = failure()
        return {"StartAt": start, "States": self.states}

    def add(self, steps: Sequence[AnyStep], after: str | None) -> None:
        """The states of `steps`, the last of which goes on to `after`, or ends where that is None."""
        for index, step in enumerate(steps):
            self._add(step, steps[index + 1].name if index + 1 < len(steps) else after)

    def _add(self, step: AnyStep, then: str | None) -> None:
        match step:
            case Filter():
                self._choice(step.name, [(condition(step.pattern), then)], self._ended(step.name, "filtered"))
            case Transform():
                self.states[step.name] = {"Type": "Pass", "Output": jsonata(author(step.expression)), **goes(then)}
            case Call():
                self.states[step.name] = self._call(step, then)
            case Split():
                self.states[step.name] = self._split(step, then)
            case Choose():
                self._choose(step, then)
            case Wait():
                self.states[step.name] = {"Type": "Wait", **_wait(step), **goes(then)}
            case Emit():
                self.states[step.name] = self._emit(step, then)
            case Count():
                self._remembering(memory.counting, step, "counted", then)
            case Aggregate():
                self._remembering(memory.aggregating, step, "collected", then)

    def _remembering(self, make: Any, step: AnyStep, word: str, then: str | None) -> None:
        then = then if then is not None else self._end(step.name)
        made = make(self.flow, self.names, step, self.depth, then, f"{step.name} ({word})", self.failed)
        self.states |= made
        self._ended(step.name, word)

    def _ended(self, step: str, word: str) -> str:
        """The state in which a run ends, or an item falls out of its split, before the last step."""
        name = f"{step} ({word})"
        output = {"kept": False} if self.drops else {word: step}
        self.states[name] = {"Type": "Pass", "Output": output, "End": True}
        return name

    def _end(self, step: str) -> str:
        """A state that passes the result of the last step on, for states that cannot end by themselves."""
        name = f"{step} (end)"
        self.states[name] = {"Type": "Pass", "End": True}
        return name

    def _choice(self, name: str, ways: Sequence[tuple[str, str | None]], default: str | None) -> None:
        """A Choice state under `name`; ways that lead nowhere lead to an end."""
        ended = self._end(name) if default is None or any(to is None for _, to in ways) else None
        choice: State = {
            "Type": "Choice",
            "Choices": [{"Condition": jsonata(test), "Next": to if to is not None else ended} for test, to in ways],
            "Default": default if default is not None else ended,
        }
        ends = {each: self.states.pop(each) for each in [*self.states] if each.startswith(f"{name} (")}
        self.states |= {name: choice, **ends}

    def _choose(self, step: Choose, then: str | None) -> None:
        ways = [(_condition(branch), branch.steps[0].name if branch.steps else then) for branch in step.branches]
        self._choice(step.name, ways, step.otherwise[0].name if step.otherwise else then)
        for steps in (*(branch.steps for branch in step.branches), step.otherwise):
            self.add(steps, then)

    def _call(self, step: Call, then: str | None) -> State:
        retry: list[State] = [{"ErrorEquals": [NOT_EVALUATED], "MaxAttempts": 0}]
        if step.retry.attempts:
            # By name is not possible: what a function raises arrives under names that differ.
            retry.append(
                {
                    "ErrorEquals": ["States.TaskFailed", "States.Timeout"],
                    "IntervalSeconds": step.retry.interval,
                    "MaxAttempts": step.retry.attempts,
                    "BackoffRate": float(step.retry.backoff),
                    "JitterStrategy": "FULL",
                }
            )
        return {
            "Type": "Task",
            "Resource": self.names.resource("lambda:invoke"),
            "Arguments": {
                "FunctionName": self.names.function_arn(step.function),
                "Payload": jsonata(INPUT),
            },
            "TimeoutSeconds": step.timeout,
            "Retry": retry,
            "Catch": [caught(step.name, self.failed)],
            # A function that returns nothing gives null.
            "Output": jsonata("$exists($states.result.Payload) ? $states.result.Payload : null"),
            **goes(then),
        }

    def _split(self, step: Split, then: str | None) -> State:
        drops = any(isinstance(each, Filter | Count | Aggregate) for each in _own(step.steps))
        inner = _Steps(self.flow, self.names, self.events, step.name, self.depth + 1, drops)
        start = step.steps[0].name
        if any(isinstance(each, Count | Aggregate | Emit) for each in walk(step.steps)):
            # What remembers must tell the items of one event apart.
            start = f"{step.name} (item)"
            index = {memory.index_variable(inner.depth): jsonata("$states.context.Map.Item.Index")}
            inner.states[start] = {"Type": "Pass", "Assign": index, "Next": step.steps[0].name}
        kept = f"{step.name} (kept)"
        inner.add(step.steps, kept if drops else None)
        results = "$states.result"
        if drops:
            inner.states[kept] = {"Type": "Pass", "Output": {"kept": True, "value": jsonata(INPUT)}, "End": True}
            results = unwrapped("$states.result[kept]")
        too_many = text(f"{step.name} takes at most {step.max_items} items")
        output = results if step.combine is None else author(step.combine, results=results)
        return {
            "Type": "Map",
            # One item that JSONata has made no list of, and none at all, are lists too.
            "Items": jsonata(
                f"($items := [{author(step.items)}]; $count($items) <= {step.max_items} ? $items : $error({too_many}))"
            ),
            "MaxConcurrency": step.concurrency,
            "ItemProcessor": {"ProcessorConfig": {"Mode": "INLINE"}, **inner.machine(start)},
            "Catch": [caught(step.name, self.failed)],
            "Output": jsonata(output),
            **goes(then),
        }

    def _emit(self, step: Emit, then: str | None) -> State:
        event = self.events[step.event]
        source, detail_type = literals(event)
        checks = ['$type($detail) = "object" ? [] : "detail must be an object"', *faults(event.schema, "$detail")]
        wrong = text(f"the detail does not fit the schema of {event.id}: ")
        detail = (
            f"($detail := {author(step.detail)}; "
            f"$faults := [{', '.join(dict.fromkeys(checks))}]; "
            f'$count($faults) = 0 ? $string($detail) : $error({wrong} & $join($faults, "; ")))'
        )
        refused = text(f"the bus did not take the event {event.id}: ")
        return {
            "Type": "Task",
            "Resource": self.names.resource("events:putEvents"),
            "Arguments": {
                "Entries": [
                    {
                        "EventBusName": self.names.bus,
                        "Source": source,
                        "DetailType": detail_type,
                        "Detail": jsonata(detail),
                    }
                ]
            },
            "TimeoutSeconds": 60,
            "Retry": service_retry(),
            "Catch": [caught(step.name, self.failed)],
            # Step Functions fails the task itself when an entry was not taken, and tries again; this is for where not.
            "Output": jsonata(
                "$states.result.FailedEntryCount = 0 ? $states.input : "
                f"$error({refused} & $string($states.result.Entries[0].ErrorCode))"
            ),
            **goes(then),
        }


def literals(event: Event) -> tuple[str, str]:
    """The source and detail-type with which `event` can be emitted. Raises ValueError where it has not one of each."""
    values = (*event.source, *(event.detail_type or ()))
    if len(values) != 2 or len(event.source) != 1 or not all(isinstance(value, str) for value in values):
        raise ValueError(f"{event.id} has more than one source and detail-type, or matchers: {canonical(list(values))}")
    return str(values[0]), str(values[1])


def _condition(branch: Branch) -> str:
    if branch.condition is not None:
        return author(branch.condition)
    return condition(branch.pattern or {})


def _wait(step: Wait) -> State:
    if step.seconds is not None:
        return {"Seconds": step.seconds}
    if step.expression is not None:
        return {"Seconds": jsonata(author(step.expression))}
    return {"Timestamp": jsonata(author(step.until or ""))}


def _own(steps: Sequence[AnyStep]) -> list[AnyStep]:
    """The steps that run for an item of a split itself: not those of splits inside of it."""
    found: list[AnyStep] = []
    for step in steps:
        found.append(step)
        if isinstance(step, Choose):
            for inner in (*(branch.steps for branch in step.branches), step.otherwise):
                found += _own(inner)
    return found
