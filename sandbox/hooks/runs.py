# pyright: reportMissingImports=false
"""A run of a state machine while it runs: its history, its end, and how what is under way learns of the end.

History: https://docs.aws.amazon.com/step-functions/latest/apireference/API_HistoryEvent.html. Status events:
https://docs.aws.amazon.com/step-functions/latest/dg/eventbridge-integration.html
"""

import json
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, nullcontext
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

from ministack.core.responses import now_iso
from ministack.services import stepfunctions

from sandbox.hooks import activity, rules
from sandbox.hooks.functions import denied
from sandbox.hooks.permissions import role_may
from sandbox.hooks.records import log, record

HISTORY = 25_000
"""https://docs.aws.amazon.com/step-functions/latest/dg/service-quotas.html"""
IDLE_SECONDS = 5
"""A pause that is longer is not waited for by those who want to know whether all has been done."""
EXPRESS = "EXPRESS"

_ENDS = {
    "SUCCEEDED": "ExecutionSucceeded",
    "FAILED": "ExecutionFailed",
    "TIMED_OUT": "ExecutionTimedOut",
    "ABORTED": "ExecutionAborted",
}
_TRACES = ("xray:PutTraceSegments", "xray:PutTelemetryRecords", "xray:GetSamplingRules", "xray:GetSamplingTargets")
_FATAL = frozenset(("ExecutionFailed", "ExecutionTimedOut", "ExecutionAborted"))


class Stopped(Exception):
    """What this is part of has ended meanwhile: nothing of it may go on."""


class Token:
    """Something that can be called off, and with it all that is part of it."""

    def __init__(self, parent: "Token | None" = None) -> None:
        self._event = threading.Event()
        self._parts: list[Token] = []
        self._lock = threading.Lock()
        if parent is not None:
            parent._add(self)

    def cancel(self) -> None:
        """Call it off."""
        self._event.set()
        with self._lock:
            parts, self._parts = self._parts, []
        for part in parts:
            part.cancel()

    def drop(self, part: "Token") -> None:
        """Forget a part that is over."""
        with self._lock:
            if part in self._parts:
                self._parts.remove(part)

    @property
    def cancelled(self) -> bool:
        return self._event.is_set()

    def wait(self, seconds: float | None = None) -> bool:
        """Wait until it is called off, at most `seconds`. Was it?"""
        return self._event.wait(seconds)

    def _add(self, part: "Token") -> None:
        with self._lock:
            self._parts.append(part)
        if self.cancelled:
            part.cancel()


@dataclass(slots=True, eq=False)
class Run:
    """One execution. `record` is MiniStack's, which the API answers from."""

    record: dict[str, Any]
    machine: Mapping[str, Any]
    """As it was when the run began: what is changed later is for later runs."""
    token: Token = field(default_factory=Token)
    lock: Any = field(default_factory=threading.RLock)

    @property
    def express(self) -> bool:
        return self.machine["type"] == EXPRESS

    @property
    def role(self) -> str:
        return self.machine["roleArn"]

    @property
    def arn(self) -> str:
        return self.record["executionArn"]

    def add(self, kind: str, previous: int, details: Mapping[str, Any] | None = None) -> int:
        """Append an event to the history; gives its id. Raises Stopped: the run has ended, perhaps by this."""
        with self.lock:
            if self.record["status"] != "RUNNING":
                raise Stopped
            if len(self.record["events"]) >= HISTORY - 1 and not self.express:
                cause = f"The execution reached the maximum number of history events ({HISTORY})."
                self.end("FAILED", error="States.Runtime", cause=cause)
                raise Stopped
            return self._append(kind, previous, details or {})

    def _append(self, kind: str, previous: int, details: Mapping[str, Any]) -> int:
        events = self.record["events"]
        number = len(events) + 1
        events.append({"id": number, "previousEventId": previous, "type": kind, "timestamp": now_iso(), **details})
        return number

    def end(
        self, status: str, *, output: str | None = None, error: str | None = None, cause: str | None = None
    ) -> bool:
        """End the run, if it has not ended yet: record, history, status event, and all that is under way in it."""
        kind = _ENDS[status]
        said = {"error": error, "cause": cause} if output is None else {"output": output}
        details = {name: value for name, value in said.items() if value is not None}
        with self.lock:
            if self.record["status"] != "RUNNING":
                return False
            self._append(kind, len(self.record["events"]), {f"{kind[0].lower()}{kind[1:]}EventDetails": details})
            self.record.update(details, stopDate=now_iso(), status=status)
        self.token.cancel()
        record("run", machine=self.machine["name"], input=json.loads(self.record["input"]), status=status, **details)
        emit_status(self)
        write_log(self)
        if (self.machine.get("tracingConfiguration") or {}).get("enabled"):
            for action in _TRACES:
                if not role_may(self.role, action, "*"):  # AWS drops the trace, and says nothing
                    denied(f"state machine {self.machine['name']}", self.role, action, "*")
        return True

    def pause(self, seconds: float) -> None:
        """Wait as long as the run goes on. Raises Stopped."""
        with activity.idle() if seconds > IDLE_SECONDS else nullcontext():
            stopped = current_token.get().wait(max(0.0, seconds))
        if stopped:
            raise Stopped


current: ContextVar[Run] = ContextVar("current")
"""The run that this thread works for."""
current_token: ContextVar[Token] = ContextVar("current_token")
"""The innermost branch or item of it."""
previous: ContextVar[int] = ContextVar("previous", default=0)
"""The id of the event before the next, in this branch."""


def note(kind: str, **details: Any) -> int:
    """Append an event to the history of this thread's run; gives its id. `details`: its one member of that kind."""
    number = current.get().add(kind, previous.get(), details)
    previous.set(number)
    return number


@contextmanager
def part() -> Iterator[Token]:
    """A part of what this thread works for that can be called off by itself."""
    whole = current_token.get()
    token = Token(whole)
    reset = current_token.set(token)
    try:
        yield token
    finally:
        current_token.reset(reset)
        whole.drop(token)


def emit_status(run: Run) -> None:
    """Tell the account's default bus of the run's status, as AWS does for Standard state machines."""
    if run.express or run.record.get("sync"):
        return
    status = run.record["status"]
    input_, output = run.record["input"], run.record.get("output")
    redrivable = status in ("FAILED", "TIMED_OUT", "ABORTED")
    reason = None if redrivable else f"Execution is {status} and cannot be redriven"
    detail = {
        "executionArn": run.arn,
        "stateMachineArn": run.record["stateMachineArn"],
        "name": run.record["name"],
        "status": status,
        "startDate": stepfunctions._iso_to_epoch_ms(run.record["startDate"]),
        "stopDate": stepfunctions._iso_to_epoch_ms(run.record.get("stopDate")),
        "input": _within(input_),
        "output": _within(output),
        "stateMachineVersionArn": None,
        "stateMachineAliasArn": None,
        "redriveCount": 0,
        "redriveDate": None,
        "redriveStatus": "REDRIVABLE" if redrivable else "NOT_REDRIVABLE",
        "redriveStatusReason": reason,
        "inputDetails": {"included": _within(input_) is not None},
        "outputDetails": None if output is None else {"included": _within(output) is not None},
        "error": run.record.get("error"),
        "cause": run.record.get("cause"),
    }
    entry = {
        "EventBusName": "default",
        "Source": "aws.states",
        "DetailType": "Step Functions Execution Status Change",
        "Detail": json.dumps(detail),
        "Resources": [run.arn],
    }
    answer = rules.put_event(entry, allow_aws_source=True)
    if "ErrorCode" in answer:
        log.error("status event of %s: %s", run.arn, answer["ErrorMessage"])


def _within(text: str | None) -> str | None:
    """What a status event holds of an input or output: nothing where it is above 248 KiB, with its quotes escaped."""
    fits = (
        text is not None
        and len(json.dumps(text, ensure_ascii=False).encode()) <= stepfunctions._STATUS_EVENT_PAYLOAD_CAP
    )
    return text if fits else None


def write_log(run: Run) -> None:
    """Write the history into the machine's log group, by the machine's level.

    https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html
    """
    from ministack.services import cloudwatch_logs as logs

    settings = run.machine.get("loggingConfiguration") or {}
    level = settings.get("level", "OFF")
    groups = [each["cloudWatchLogsLogGroup"]["logGroupArn"] for each in settings.get("destinations") or ()]
    if level == "OFF" or not groups:
        return
    group = groups[0].split(":log-group:")[1].removesuffix(":*")
    if group not in logs._log_groups:
        return
    lines = [_line(run, event, settings) for event in run.record["events"] if _logged(event["type"], level)]
    stream = f"states/{run.machine['name']}/{run.record['startDate'][:13]}/{run.record['name'][:8]}"
    name = {"logGroupName": group, "logStreamName": stream}
    if lines:
        logs._create_log_stream(name)
        logs._put_log_events({**name, "logEvents": lines})


def _logged(kind: str, level: str) -> bool:
    if level == "ALL":
        return True
    return kind in _FATAL or (level == "ERROR" and kind.endswith(("Failed", "TimedOut", "Aborted")))


def _line(run: Run, event: Mapping[str, Any], settings: Mapping[str, Any]) -> dict[str, Any]:
    at = stepfunctions._iso_to_epoch_ms(event["timestamp"])
    details = next((value for name, value in event.items() if name.endswith("EventDetails")), {})
    if not settings.get("includeExecutionData"):
        details = {name: value for name, value in details.items() if name not in ("input", "output", "parameters")}
    message = {
        "id": str(event["id"]),
        "type": event["type"],
        "details": details,
        "previous_event_id": str(event.get("previousEventId", 0)),
        "event_timestamp": str(at),
        "execution_arn": run.arn,
        "redrive_count": "0",
    }
    return {"timestamp": at, "message": json.dumps(message, ensure_ascii=False)}
