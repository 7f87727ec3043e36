# pyright: reportMissingImports=false
"""The API of Step Functions where AWS is stricter, or does otherwise, than MiniStack: what makes, changes and deletes a
state machine, and what starts and stops its executions.

Sources: the API reference, https://docs.aws.amazon.com/step-functions/latest/apireference/, of each call.
"""

import contextvars
import copy
import json
import re
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response, now_iso
from ministack.services import stepfunctions

from sandbox.hooks import executions, faults
from sandbox.hooks.functions import denied
from sandbox.hooks.integrations import STATES
from sandbox.hooks.permissions import role_may, service_may_assume
from sandbox.hooks.records import record
from sandbox.hooks.runs import EXPRESS, Run, emit_status

INPUT_BYTES = 262_144
DEFINITION_BYTES = 1_048_576
RESERVED_SECONDS = 90 * 86_400
"""For how long the name of an execution that has ended is taken."""
LOGS_ACTIONS = (
    *("logs:CreateLogDelivery", "logs:GetLogDelivery", "logs:UpdateLogDelivery", "logs:DeleteLogDelivery"),
    *("logs:ListLogDeliveries", "logs:PutResourcePolicy", "logs:DescribeResourcePolicies", "logs:DescribeLogGroups"),
)
"""What the role of a machine that logs needs: https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html"""

# https://docs.aws.amazon.com/step-functions/latest/apireference/API_StartExecution.html
_BAD_IN_NAME = re.compile(r'[\s<>{}\[\]?*"#%\\^|~`$&,;:/\x00-\x1f\x7f-\x9f\ufffe\uffff\ud800-\udfff]')
_OFF = {"level": "OFF", "includeExecutionData": False}
_NO_TRACES = {"enabled": False}
_WRITES = frozenset(("create", "update", "delete", "start", "stop"))
_TERMINAL = frozenset(("Succeed", "Fail"))
_TYPES = _TERMINAL | {"Pass", "Task", "Choice", "Wait", "Parallel", "Map"}

_create = stepfunctions._create_state_machine
_update = stepfunctions._update_state_machine
_delete = stepfunctions._delete_state_machine
_describe = stepfunctions._describe_state_machine

Answer = Any
_runs: dict[str, Run] = {}
"""Executions that run, by ARN."""
_lock = threading.RLock()


class Refused(Exception):
    """A call that AWS refuses: error code and message as AWS says them."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def install() -> None:
    """Wrap the calls of the API."""
    for name, call in (
        ("create_state_machine", create),
        ("update_state_machine", update),
        ("delete_state_machine", delete),
        ("describe_state_machine", describe),
        ("start_execution", start),
        ("stop_execution", stop),
        ("describe_execution", _of_standard(stepfunctions._describe_execution)),
        ("get_execution_history", _of_standard(stepfunctions._get_execution_history)),
        ("list_executions", _of_standard(stepfunctions._list_executions)),
    ):
        setattr(stepfunctions, f"_{name}", _answering(name, call))


def _answering(name: str, call: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    api_name = "".join(word.capitalize() for word in name.split("_"))

    def answer(data: dict[str, Any]) -> Answer:
        if name.split("_")[0] in _WRITES:  # who looks again and again changes nothing
            record("call", call=api_name)
        if fault := faults.take(api_name, json.dumps(data)):
            return error_response_json(fault["code"], "fault ordered by a test", 400)
        try:
            return call(data)
        except Refused as refused:
            return error_response_json(refused.code, str(refused), 400)

    return answer


def create(data: dict[str, Any]) -> Answer:
    """Idempotent for the same definition, type, logging and tracing: role and tags may differ, and stay as they are."""
    name = str(data.get("name") or "")
    _check_name(name)
    arn = f"arn:aws:states:{get_region()}:{get_account_id()}:stateMachine:{name}"
    with _lock:
        existing = _found(arn)
        if existing and existing["status"] == "DELETING":
            raise _deleting(arn)
        _check_definition(data.get("definition") or "")
        if existing:
            if data.get("tracingConfiguration", _NO_TRACES) != existing.get("tracingConfiguration", _NO_TRACES):
                raise Refused("StateMachineAlreadyExists", f"State Machine Already Exists: '{arn}'")
        else:
            _check_role(data, arn)
        answer = _create(data)
        if answer[0] < 400 and not existing:
            stepfunctions._state_machines[arn]["tracingConfiguration"] = data.get("tracingConfiguration", _NO_TRACES)
        return answer


def update(data: dict[str, Any]) -> Answer:
    """What runs goes on as it was."""
    arn = data.get("stateMachineArn")
    with _lock:
        machine = _machine(arn)
        if not any(key in data for key in ("definition", "roleArn", "loggingConfiguration", "tracingConfiguration")):
            raise Refused(
                "MissingRequiredParameter",
                "Either the definition, the role ARN, the LoggingConfiguration, or the TracingConfiguration must be "
                "specified",
            )
        if "definition" in data:
            _check_definition(data["definition"])
        _check_role({**machine, **data}, str(arn))
        answer = _update(data)
        if answer[0] < 400 and "tracingConfiguration" in data:
            machine["tracingConfiguration"] = data["tracingConfiguration"]
        return answer


def delete(data: dict[str, Any]) -> Answer:
    """A machine that is not there counts as deleted. Executions end at their next state, and the machine after them.

    What its executions were can still be read, and their names stay taken.
    """
    arn = str(data.get("stateMachineArn"))
    with _lock:
        machine = _found(arn)
        if machine is None:
            return json_response({})
        machine["status"] = "DELETING"
        running = _running(arn)
        _found(arn)  # without executions it is gone at once
    for run in running:
        run.end("ABORTED")
    return json_response({})


def _running(arn: str) -> list[Run]:
    return [run for run in _runs.values() if run.record["stateMachineArn"] == arn]


def _found(arn: str | None) -> dict[str, Any] | None:
    """The machine as it is kept. One that is being deleted goes with the last of its executions."""
    machine = stepfunctions._state_machines.get(arn) if arn else None
    if machine is not None and machine["status"] == "DELETING" and not _running(str(arn)):
        _gone(str(arn))
        return None
    return machine


def _gone(arn: str) -> None:
    executions_of = {key: value for key, value in stepfunctions._executions.items() if value["stateMachineArn"] == arn}
    _delete({"stateMachineArn": arn})
    stepfunctions._executions.update(executions_of)


def describe(data: dict[str, Any]) -> Answer:
    """With the fields that AWS always gives."""
    with _lock:
        _found(data.get("stateMachineArn"))
    status, _, body = _describe(data)
    if status >= 400:
        raise Refused("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{data.get('stateMachineArn')}'")
    return json_response({"tracingConfiguration": _NO_TRACES, **json.loads(body)})


def start(data: dict[str, Any]) -> Answer:
    """Under a name that is taken: the same answer while an execution with the same input runs, else refused."""
    asked = str(data.get("stateMachineArn") or "")
    arn = stepfunctions._resolve_state_machine_arn(asked)
    machine = _machine(arn, asked)
    text = data.get("input") or "{}"
    _check_input(text)
    name = data.get("name") or str(uuid.uuid4())
    _check_name(name)
    place = f"arn:aws:states:{get_region()}:{get_account_id()}"
    execution = f"{place}:execution:{machine['name']}:{name}"
    if machine["type"] == EXPRESS:
        execution = f"{place}:express:{machine['name']}:{name}:{uuid.uuid4()}"
    with _lock:
        earlier = stepfunctions._executions.get(execution)
        if earlier is not None and not _free(earlier):
            if earlier["status"] == "RUNNING" and earlier["input"] == text:
                return json_response({"executionArn": execution, "startDate": earlier["startDate"]})
            raise Refused("ExecutionAlreadyExists", f"Execution Already Exists: '{execution}'")
        began = now_iso()
        started = {"input": text, "inputDetails": {"truncated": False}, "roleArn": machine["roleArn"]}
        found = {
            "executionArn": execution,
            "stateMachineArn": arn,
            "name": name,
            "status": "RUNNING",
            "startDate": began,
            "stopDate": None,
            "input": text,
            "inputDetails": {"included": True},
            "output": None,
            "outputDetails": {"included": True},
            "events": [
                {
                    "id": 1,
                    "previousEventId": 0,
                    "type": "ExecutionStarted",
                    "timestamp": began,
                    "executionStartedEventDetails": started,
                }
            ],
        }
        run = Run(found, copy.deepcopy(machine))
        stepfunctions._executions[execution] = found
        _runs[execution] = run
    emit_status(run)
    context = contextvars.copy_context()
    threading.Thread(target=context.run, args=(_to_end, run), daemon=True, name=f"execution {name}").start()
    return json_response({"executionArn": execution, "startDate": began})


def _to_end(run: Run) -> None:
    try:
        executions.run_to_end(run)
    finally:
        with _lock:
            _runs.pop(run.arn, None)
            _found(run.record["stateMachineArn"])


def stop(data: dict[str, Any]) -> Answer:
    """End an execution; again: the same answer."""
    arn = data.get("executionArn")
    if ":express:" in str(arn):
        raise _not_of_express()
    found = stepfunctions._executions.get(arn)
    if found is None:
        raise Refused("ExecutionDoesNotExist", f"Execution Does Not Exist: '{arn}'")
    run = _runs.get(str(arn))
    if run is not None:
        run.end("ABORTED", error=data.get("error"), cause=data.get("cause"))
    return json_response({"stopDate": found["stopDate"]})


def _of_standard(original: Callable[[dict[str, Any]], Answer]) -> Callable[[dict[str, Any]], Answer]:
    def call(data: dict[str, Any]) -> Answer:
        if ":express:" in str(data.get("executionArn")):
            raise _not_of_express()
        machine = stepfunctions._state_machines.get(data.get("stateMachineArn"))
        if machine is not None and machine["type"] == EXPRESS:
            raise Refused(
                "StateMachineTypeNotSupported", "This operation is not supported by this type of state machine"
            )
        return original(data)

    return call


def _not_of_express() -> Refused:
    return Refused("InvalidArn", "Invalid Arn: 'Resource type not valid in this context: express'")


def _free(execution: Mapping[str, Any]) -> bool:
    stopped = execution["stopDate"]
    if not stopped:
        return False
    return time.time() - datetime.fromisoformat(stopped.replace("Z", "+00:00")).timestamp() > RESERVED_SECONDS


def _machine(arn: str | None, asked: str | None = None) -> dict[str, Any]:
    with _lock:
        machine = _found(arn)
    if machine is None:
        raise Refused("StateMachineDoesNotExist", f"State Machine Does Not Exist: '{asked or arn}'")
    if machine["status"] == "DELETING":
        raise _deleting(str(arn))
    return machine


def _deleting(arn: str) -> Refused:
    return Refused("StateMachineDeleting", f"State Machine is being deleted: '{arn}'")


def _too_long(what: str, limit: int) -> Refused:
    return Refused(
        "ValidationException",
        f"1 validation error detected: {what} failed to satisfy constraint: Member must have length less than or equal "
        f"to {limit}",
    )


def _check_name(name: str) -> None:
    if len(name) > 80:
        raise _too_long(f"Value '{name}' at 'name'", 80)
    if not name or _BAD_IN_NAME.search(name):
        raise Refused("InvalidName", f"Invalid Name: '{name}'")


def _check_input(text: str) -> None:
    if len(text.encode()) > INPUT_BYTES:
        raise _too_long("Value at 'input'", INPUT_BYTES)
    try:
        json.loads(text, parse_constant=_no_constant)
    except (RecursionError, ValueError) as error:
        raise Refused("InvalidExecutionInput", f"Invalid State Machine Execution Input: '{error}'") from error


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _check_role(data: Mapping[str, Any], arn: str) -> None:
    role = str(data.get("roleArn") or "")
    if not service_may_assume(role, STATES, arn):
        raise Refused(
            "AccessDeniedException",
            f"Neither the global service principal {STATES}, nor the regional one is authorized to assume the provided "
            "role.",
        )
    if (data.get("loggingConfiguration") or _OFF).get("level", "OFF") == "OFF":
        return
    for action in LOGS_ACTIONS:
        if not role_may(role, action, "*"):
            denied(f"state machine {arn.rpartition(':')[2]}", role, action, "*")
            message = "The state machine IAM Role is not authorized to access the Log Destination"
            raise Refused("AccessDeniedException", message)


def _check_definition(text: str) -> None:
    if len(text.encode()) > DEFINITION_BYTES:
        raise _too_long("Value at 'definition'", DEFINITION_BYTES)
    try:
        definition = json.loads(text)
    except (RecursionError, ValueError) as error:
        raise _invalid(f"INVALID_JSON_DESCRIPTION: {error}") from error
    if not isinstance(definition, dict):
        raise _invalid("INVALID_JSON_DESCRIPTION: the definition must be an object")
    if (problem := next(_problems(definition, "", set()), None)) is not None:
        raise _invalid(problem)


def _invalid(problem: str) -> Refused:
    return Refused("InvalidDefinition", f"Invalid State Machine Definition: '{problem}'")


def _problems(part: Any, path: str, names: set[str]) -> Iterator[str]:
    """What cannot be run: the states that AWS's own validation finds missing, unreachable, endless or there twice."""
    states = part.get("States") if isinstance(part, dict) else None
    if not isinstance(states, dict) or not states:
        yield f"SCHEMA_VALIDATION_FAILED: The field 'States' must be an object with at least one state at {path or '/'}"
        return
    if part.get("StartAt") not in states:
        yield f"MISSING_TRANSITION_TARGET: Missing 'StartAt' target: {part.get('StartAt')} at {path}/StartAt"
        return
    reached = {part["StartAt"]}
    for name, state in states.items():
        place = f"{path}/States/{name}"
        if not isinstance(state, dict) or state.get("Type") not in _TYPES:
            yield f"SCHEMA_VALIDATION_FAILED: A state needs a Type of {', '.join(sorted(_TYPES))} at {place}"
            return
        if name in names:
            yield f"DUPLICATE_STATE_NAME: Duplicate State name: {name} at {place}"
        names.add(name)
        targets = [each["Next"] for key in ("Catch", "Choices") for each in _objects(state.get(key)) if "Next" in each]
        targets += [state[key] for key in ("Next", "Default") if key in state]
        for target in targets:
            if not isinstance(target, str) or target not in states:
                yield f"MISSING_TRANSITION_TARGET: Missing 'Next' target: {target} at {place}"
                return
        reached.update(targets)
        if state["Type"] not in _TERMINAL | {"Choice"} and not state.get("End") and "Next" not in state:
            yield f"SCHEMA_VALIDATION_FAILED: A state must have 'Next' or 'End' at {place}"
        if missing := [key for key in _NEEDED.get(state["Type"], ()) if not state.get(key)]:
            yield f"SCHEMA_VALIDATION_FAILED: The field '{missing[0]}' is required at {place}"
            return
        inner = [
            *_objects(state.get("Branches")),
            *(state[key] for key in ("ItemProcessor", "Iterator") if key in state),
        ]
        for each in inner:
            yield from _problems(each, place, names)
    for name in states:
        if name not in reached:
            yield f'MISSING_TRANSITION_TARGET: State "{name}" is not reachable. at {path}/States/{name}'


_NEEDED = {"Task": ("Resource",), "Choice": ("Choices",), "Parallel": ("Branches",)}


def _objects(value: Any) -> list[dict[str, Any]]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []
