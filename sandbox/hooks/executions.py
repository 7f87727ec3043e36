# pyright: reportMissingImports=false
"""Executions of state machines as Step Functions runs them, in place of MiniStack's: errors with the sentences that
name the state, whole histories, limits, timeouts, and an end that ends all of it.

States in JSONata are run in here; those in JSONPath by MiniStack's own functions, inside this module's loop. Sources:
https://states-language.net/spec.html, https://docs.aws.amazon.com/step-functions/latest/dg/concepts-error-handling.html,
…/dg/service-quotas.html and …/dg/transforming-data.html.
"""

import contextvars
import copy
import json
import random
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from ministack.services import stepfunctions

from sandbox.hooks import activity, expressions, integrations
from sandbox.hooks.records import log
from sandbox.hooks.runs import Run, Stopped, Token, current, current_token, note, part, previous

StateError = stepfunctions._ExecutionError
State = Mapping[str, Any]
Context = dict[str, Any]

PAYLOAD_BYTES = 262_144
INLINE_ITEMS_AT_ONCE = 40
EXPRESS_SECONDS = 300
LONGEST_PAUSE = 60
QUERY = "States.QueryEvaluationError"
RUNTIME = "States.Runtime"
TOO_LARGE = "States.DataLimitExceeded"
TIMEOUT = "States.Timeout"
_NOBODYS = frozenset((RUNTIME, TOO_LARGE))
"""Errors that `States.ALL` does not catch."""
_MISSING = object()


def install() -> None:
    """Put the loop, and what it shares with MiniStack's states, in place."""
    stepfunctions._run_execution = run_execution
    stepfunctions._run_sub_machine = walk
    stepfunctions._add_event = add_event
    stepfunctions._scaled_sleep = pause
    stepfunctions._error_matches = matches
    stepfunctions._invoke_resource_with_timeout = call
    stepfunctions._validate_definition_jsonata = refused_expression


def run_execution(arn: str) -> None:
    """Run the execution of this ARN to its end. MiniStack calls this for executions that somebody waits for."""
    record = stepfunctions._executions[arn]
    machine = copy.deepcopy(stepfunctions._state_machines[record["stateMachineArn"]])
    contextvars.copy_context().run(run_to_end, Run(record, machine))


def run_to_end(run: Run) -> None:
    """Run an execution that has been recorded. Changes the context that it is called in."""
    current.set(run)
    current_token.set(run.token)
    previous.set(1)
    activity.begin()
    try:
        _run(run)
    finally:
        activity.end()


def _run(run: Run) -> None:
    definition = json.loads(run.machine["definition"])
    seconds = definition.get("TimeoutSeconds")
    if run.express:
        seconds = min(seconds or EXPRESS_SECONDS, EXPRESS_SECONDS)
    timer = None
    if seconds:
        timer = threading.Timer(seconds, contextvars.copy_context().run, [run.end, "TIMED_OUT"])
        timer.daemon = True
        timer.start()
    try:
        context = _context(run, definition)
        output = walk(definition["States"], definition["StartAt"], context["Execution"]["Input"], run.record, context)
        run.end("SUCCEEDED", output=_json(output))
    except Stopped:
        pass
    except StateError as error:
        run.end("FAILED", error=error.error, cause=error.cause)
    except Exception as error:
        log.exception("execution %s failed by a fault of the sandbox", run.arn)
        run.end("FAILED", error=RUNTIME, cause=f"a fault of the sandbox: {error!r}")
        raise
    finally:
        if timer:
            timer.cancel()


def _context(run: Run, definition: Mapping[str, Any]) -> Context:
    return {
        "QueryLanguage": definition.get("QueryLanguage", "JSONPath"),
        "Execution": {
            "Id": run.arn,
            "Input": json.loads(run.record["input"]),
            "Name": run.record["name"],
            "RoleArn": run.role,
            "StartTime": run.record["startDate"],
            "RedriveCount": 0,
        },
        "StateMachine": {"Id": run.record["stateMachineArn"], "Name": run.machine["name"]},
        "variables": {},
    }


def walk(states: Mapping[str, State], start: str, value: Any, _record: Any, context: Context) -> Any:
    """Run states from `start` to an end; gives its output. MiniStack calls this for branches and items.

    Raises StateError, and Stopped.
    """
    name: str | None = start
    while name is not None:
        if current_token.get().cancelled:
            raise Stopped
        if name not in states:
            raise StateError(RUNTIME, f"State '{name}' not found in definition")
        value, name = _Entered(name, states[name], value, context).run()
    return value


class _Entered:
    """One state that has been entered."""

    def __init__(self, name: str, state: State, value: Any, context: Context) -> None:
        self.name, self.state, self.input = name, state, value
        self.context = {**context, "State": {"Name": name, "EnteredTime": _now(), "RetryCount": 0}}
        self.outer = context
        self.kind = state["Type"]
        self.number = note(f"{self.kind}StateEntered", stateEnteredEventDetails={"name": name, "input": _json(value)})
        self.assigned: dict[str, Any] = {}

    def run(self) -> tuple[Any, str | None]:
        """Output and name of the next state. Raises StateError."""
        if self.state.get("QueryLanguage", self.context["QueryLanguage"]) == "JSONata":
            output, then = getattr(self, f"_{self.kind.lower()}")()
        else:
            output, then = self._jsonpath()
        self._fits(output, self.name)
        variables = self.outer.setdefault("variables", {})
        variables |= self.assigned
        details: dict[str, Any] = {"name": self.name, "output": _json(output)}
        if self.assigned:
            details["assignedVariables"] = {name: _json(value) for name, value in self.assigned.items()}
        note(f"{self.kind}StateExited", stateExitedEventDetails=details)
        return output, then

    def _jsonpath(self) -> tuple[Any, str | None]:
        state, value, context = self.state, self.input, self.context
        try:
            match self.kind:
                case "Succeed":
                    value = stepfunctions._apply_input_path(state, value, context)
                    return stepfunctions._apply_output_path(state, value, context), None
                case "Fail":
                    raise StateError(*stepfunctions._fail_state_error(state, value, context))
                case "Task":
                    return stepfunctions._execute_task(state, value, current.get().record, context)
                case "Parallel" | "Map":
                    run = getattr(stepfunctions, f"_execute_{self.kind.lower()}")
                    return run(state, value, current.get().record, context)
                case _:
                    return getattr(stepfunctions, f"_execute_{self.kind.lower()}")(state, value, context)
        except StateError as error:
            if error.error in (RUNTIME, QUERY, "States.NoChoiceMatched"):
                raise StateError(error.error, self._sentence(error.cause)) from error
            raise

    # The states, in JSONata.

    def _pass(self) -> tuple[Any, str | None]:
        output = self._field("Output", default=self.input)
        self._assign(self.state, "")
        return output, self._next()

    def _succeed(self) -> tuple[Any, str | None]:
        return self._field("Output", default=self.input), None

    def _fail(self) -> tuple[Any, str | None]:
        error = self._typed("Error", "string") if "Error" in self.state else ""
        cause = self._typed("Cause", "string") if "Cause" in self.state else ""
        raise StateError(error, cause)

    def _wait(self) -> tuple[Any, str | None]:
        if "Seconds" in self.state:
            seconds = self._typed("Seconds", "number")
            if seconds != int(seconds) or not 0 <= seconds <= 99_999_999:
                raise self._query_error("Seconds", f"The field 'Seconds' takes 0 to 99999999, got {seconds}.")
        else:
            at = self._typed("Timestamp", "string")
            moment = stepfunctions._parse_ts(at)
            if moment is None:
                cause = (
                    f"The Timestamp field cannot be parsed as an ISO-8601 extended offset date-time format string: {at}"
                )
                raise self._query_error("Timestamp", cause)
            seconds = moment.timestamp() - time.time()
        current.get().pause(seconds)
        return self._pass()

    def _choice(self) -> tuple[Any, str | None]:
        for index, rule in enumerate(self.state["Choices"]):
            place = f"Choices[{index}]"
            condition = self._evaluate(rule["Condition"], f"{place}/Condition")
            if not isinstance(condition, bool):
                raise self._wrong_type(rule["Condition"], f"{place}/Condition", "boolean", condition)
            if condition:
                output = self._evaluate(rule["Output"], f"{place}/Output") if "Output" in rule else self.input
                self._assign(rule, f"{place}/")
                return output, rule["Next"]
        if "Default" not in self.state:
            raise StateError("States.NoChoiceMatched", self._sentence("Failed to match any choice, and no default."))
        output = self._field("Output", default=self.input)
        self._assign(self.state, "")
        return output, self.state["Default"]

    def _task(self) -> tuple[Any, str | None]:
        return self._trying(self._task_once)

    def _task_once(self) -> tuple[Any, str | None]:
        resource = self.state["Resource"]
        callback = resource.endswith(".waitForTaskToken")
        if callback:
            self.context["Task"] = {"Token": stepfunctions.new_uuid()}
        arguments = self._field("Arguments", default=self.input)
        self._fits(arguments, resource)
        seconds = self._typed("TimeoutSeconds", "number") if "TimeoutSeconds" in self.state else None
        kind = integrations.resource_type(resource)
        scheduled = {**kind, "parameters": _json(arguments), "region": stepfunctions.get_region()}
        if seconds is not None:
            scheduled["timeoutInSeconds"] = seconds
        note("TaskScheduled", taskScheduledEventDetails=scheduled)
        note("TaskStarted", taskStartedEventDetails=kind)
        try:
            if callback:
                integrations.require(resource, arguments)
                token = self.context["Task"]["Token"]
                result = stepfunctions._invoke_with_callback(resource, arguments, token, self.state)
            else:
                result = call(resource, arguments, seconds)
        except StateError as error:
            said = {**kind, "error": error.error, "cause": error.cause}
            if error.error == TIMEOUT:
                note("TaskTimedOut", taskTimedOutEventDetails=said)
            else:
                note("TaskFailed", taskFailedEventDetails=said)
            raise
        self._fits(result, resource)
        note("TaskSucceeded", taskSucceededEventDetails={**kind, "output": _json(result)})
        output = self._field("Output", default=result, result=result)
        self._assign(self.state, "", result=result)
        return output, self._next()

    def _parallel(self) -> tuple[Any, str | None]:
        return self._trying(self._parallel_once)

    def _parallel_once(self) -> tuple[Any, str | None]:
        given = self._field("Arguments", default=self.input)
        branches = self.state["Branches"]
        note("ParallelStateStarted")

        def branch(index: int) -> Any:
            inner = self._inner()
            return walk(branches[index]["States"], branches[index]["StartAt"], given, None, inner)

        with self._telling("ParallelStateFailed"):
            result = _at_once([lambda index=index: branch(index) for index in range(len(branches))], len(branches))
        note("ParallelStateSucceeded")
        output = self._field("Output", default=result, result=result)
        self._assign(self.state, "", result=result)
        return output, self._next()

    def _map(self) -> tuple[Any, str | None]:
        processor = self.state["ItemProcessor"]
        if (processor.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED":
            return stepfunctions._execute_map(self.state, self.input, current.get().record, self.context)
        return self._trying(lambda: self._map_once(processor))

    def _map_once(self, processor: Mapping[str, Any]) -> tuple[Any, str | None]:
        items = self.input
        if "Items" in self.state:
            items = self._typed("Items", "array")
        elif not isinstance(items, list):
            raise StateError(RUNTIME, self._sentence("The state's input is no array, and it has no Items."))
        at_once = self._typed("MaxConcurrency", "number") if "MaxConcurrency" in self.state else 0
        note("MapStateStarted", mapStateStartedEventDetails={"length": len(items)})

        def item(index: int) -> Any:
            told = {"name": self.name, "index": index}
            inner = self._inner()
            inner["Map"] = {"Item": {"Index": index, "Value": items[index]}}
            note("MapIterationStarted", mapIterationStartedEventDetails=told)
            try:
                given = items[index]
                if "ItemSelector" in self.state:
                    given = self._evaluate(self.state["ItemSelector"], "ItemSelector", context=inner)
                result = walk(processor["States"], processor["StartAt"], given, None, inner)
            except StateError:
                note("MapIterationFailed", mapIterationFailedEventDetails=told)
                raise
            note("MapIterationSucceeded", mapIterationSucceededEventDetails=told)
            return result

        with self._telling("MapStateFailed"):
            calls = [lambda index=index: item(index) for index in range(len(items))]
            result = _at_once(calls, int(at_once) or INLINE_ITEMS_AT_ONCE)
        note("MapStateSucceeded")
        output = self._field("Output", default=result, result=result)
        self._assign(self.state, "", result=result)
        return output, self._next()

    @contextmanager
    def _telling(self, kind: str) -> Iterator[None]:
        try:
            yield
        except StateError:
            note(kind)
            raise

    def _inner(self) -> Context:
        """The context of a branch or item: what it assigns is its own."""
        return {**self.context, "variables": dict(self.context["variables"])}

    # Errors.

    def _trying(self, once: Callable[[], tuple[Any, str | None]]) -> tuple[Any, str | None]:
        tried: dict[int, int] = {}
        retriers, catchers = self.state.get("Retry") or (), self.state.get("Catch") or ()
        while True:
            self.context["State"]["RetryCount"] = sum(tried.values())
            try:
                return once()
            except StateError as error:
                retrier, index = stepfunctions._find_matching_retrier(retriers, error.error, tried)
                if retrier is not None:
                    current.get().pause(_retry_pause(retrier, tried.get(index, 0)))
                    tried[index] = tried.get(index, 0) + 1
                    continue
                for number, catcher in enumerate(catchers):
                    if matches(catcher["ErrorEquals"], error.error):
                        return self._caught(catcher, f"Catch[{number}]/", error)
                raise

    def _caught(self, catcher: Mapping[str, Any], place: str, error: Any) -> tuple[Any, str | None]:
        found = {"Error": error.error, "Cause": error.cause}
        output: Any = found
        if "Output" in catcher:
            output = self._evaluate(catcher["Output"], f"{place}Output", error=found)
        self._assign(catcher, place, error=found)
        return output, catcher["Next"]

    def _sentence(self, cause: str) -> str:
        entered = "" if current.get().express else f" (entered at the event id #{self.number})"
        return f"An error occurred while executing the state '{self.name}'{entered}. {cause}"

    def _query_error(self, location: str, cause: str) -> Any:
        sentence = self._sentence(cause)
        told = {"error": QUERY, "cause": sentence, "location": location, "state": self.name}
        note("EvaluationFailed", evaluationFailedEventDetails=told)
        return StateError(QUERY, sentence)

    def _wrong_type(self, template: Any, location: str, expected: str, value: Any) -> Any:
        source = expressions.expression_in(template)
        cause = (
            f"The JSONata expression '{source}' specified for the field '{location}' returned an unexpected result "
            f"type. Expected '{expected}', but was '{stepfunctions._json_type(value)}' for value: {_json(value)}"
        )
        return self._query_error(location, cause)

    def _fits(self, value: Any, what: str) -> None:
        if len(_json(value).encode()) > PAYLOAD_BYTES:
            raise StateError(
                TOO_LARGE,
                f"The state/task '{what}' returned a result with a size exceeding the maximum number of bytes service "
                "limit.",
            )

    # Fields.

    def _next(self) -> str | None:
        return None if self.state.get("End") else self.state["Next"]

    def _field(self, name: str, *, default: Any, result: Any = _MISSING) -> Any:
        return self._evaluate(self.state[name], name, result=result) if name in self.state else default

    def _typed(self, name: str, kind: str) -> Any:
        value = self._evaluate(self.state[name], name)
        if stepfunctions._json_type(value) != kind:
            raise self._wrong_type(self.state[name], name, kind, value)
        return value

    def _assign(self, where: Mapping[str, Any], place: str, result: Any = _MISSING, error: Any = _MISSING) -> None:
        """All are evaluated with the values from before: https://states-language.net/spec.html#assign"""
        for name, template in (where.get("Assign") or {}).items():
            self.assigned[name] = self._evaluate(template, f"{place}Assign/{name}", result=result, error=error)

    def _evaluate(
        self,
        template: Any,
        place: str,
        *,
        result: Any = _MISSING,
        error: Any = _MISSING,
        context: Context | None = None,
    ) -> Any:
        """A field with the expressions in it evaluated. Raises StateError."""
        if isinstance(template, dict):
            return {
                name: self._evaluate(value, f"{place}/{name}", result=result, error=error, context=context)
                for name, value in template.items()
            }
        if isinstance(template, list):
            return [
                self._evaluate(value, f"{place}[{index}]", result=result, error=error, context=context)
                for index, value in enumerate(template)
            ]
        source = expressions.expression_in(template)
        if source is None:
            return template
        context = context or self.context
        inside = {name: value for name, value in context.items() if name not in ("variables", "QueryLanguage")}
        states = {"input": self.input, "context": inside}
        if result is not _MISSING:
            states["result"] = result
        if error is not _MISSING:
            states["errorOutput"] = error
        try:
            return expressions.evaluate(source, {**context["variables"], "states": states})
        except expressions.NotEvaluated as failure:
            cause = f"The JSONata expression '{source}' specified for the field '{place}' {failure}"
            raise self._query_error(place, cause) from failure


def _at_once(calls: Sequence[Callable[[], Any]], workers: int) -> list[Any]:
    """What the calls give, `workers` of them at a time. Raises the error of the first that fails; the rest stops."""
    if not calls:
        return []
    last = previous.get()
    ends: list[int] = [last]

    def one(work: Callable[[], Any]) -> Any:
        activity.begin()
        try:
            with part() as own:
                if own.cancelled:
                    raise Stopped
                previous.set(last)
                try:
                    return work()
                finally:
                    ends.append(previous.get())
        finally:
            activity.end()

    with part() as whole, ThreadPoolExecutor(min(workers, len(calls)), thread_name_prefix="state") as pool:
        futures = [pool.submit(contextvars.copy_context().run, one, work) for work in calls]
        error: BaseException | None = None
        with activity.idle():
            for future in as_completed(futures):
                error = error or future.exception()
                if error is not None:
                    whole.cancel()
    previous.set(max(ends))
    if error is not None:
        raise error
    return [future.result() for future in futures]


def call(resource: str, arguments: Any, seconds: float | None) -> Any:
    """Call a service for a task; after `seconds` it is left to itself. Raises StateError, and Stopped."""
    over = Token(current_token.get())
    outcome: list[Any] = []

    def work() -> None:
        try:
            # A copy: services keep parts of what they are given.
            outcome.append((True, integrations.invoke(resource, copy.deepcopy(arguments))))
        except StateError as error:
            outcome.append((False, error))
        except Exception as error:
            log.exception("%s", resource)
            cause = f"The Arguments '{_json(arguments)[:1000]}' could not be used to start the Task: [{error!r}]"
            outcome.append((False, StateError(RUNTIME, cause)))
            raise
        finally:
            over.cancel()

    threading.Thread(target=contextvars.copy_context().run, args=(work,), daemon=True, name="task").start()
    try:
        over.wait(seconds)
    finally:
        current_token.get().drop(over)
    if not outcome:
        if current_token.get().cancelled:
            raise Stopped
        raise StateError(TIMEOUT, "")
    done, value = outcome[0]
    if not done:
        raise value
    return value


def pause(seconds: float) -> None:
    """For MiniStack's states: wait as long as the run goes on."""
    current.get().pause(seconds * stepfunctions._SFN_WAIT_SCALE)


def add_event(_record: Any, kind: str, details: Mapping[str, Any] | None = None) -> None:
    """For MiniStack's states: append to the history of the run."""
    note(kind, **(details or {}))


def matches(names: Sequence[str], error: str) -> bool:
    """Does a retrier or catcher that lists `names` take the error?"""
    if error == RUNTIME:
        return False
    if error in names:
        return True
    if error in _NOBODYS:
        return False
    return "States.ALL" in names or ("States.TaskFailed" in names and error != TIMEOUT)


def refused_expression(text: Any) -> str | None:
    """Why CreateStateMachine refuses a definition for one of its expressions."""
    try:
        definition = json.loads(text)
    except (TypeError, ValueError):
        return None
    for source, path in _expressions(definition, ""):
        if problem := expressions.check(source):
            return f"Invalid State Machine Definition: 'INVALID_JSONATA_EXPRESSION: {problem} at {path}'"
    return None


def _expressions(value: Any, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, dict):
        for name, inner in value.items():
            yield from _expressions(inner, f"{path}/{name}")
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _expressions(inner, f"{path}[{index}]")
    elif (source := expressions.expression_in(value)) is not None:
        yield source, path


def _retry_pause(retrier: Mapping[str, Any], tries: int) -> float:
    seconds = retrier.get("IntervalSeconds", 1) * retrier.get("BackoffRate", 2.0) ** tries
    seconds = min(seconds, retrier.get("MaxDelaySeconds", seconds), LONGEST_PAUSE)
    return seconds * random.random() if retrier.get("JitterStrategy") == "FULL" else seconds


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
