"""One check of the whole theme park: everything that a permission is for happens once, and is looked for at its end.

A check takes one to two seconds when all is well. Each makes events of its own (a fresh `mark` in the rides' names), so
that what an earlier one left behind cannot speak for it. For a new permission: send what needs it (`_send`, `_calls`),
and look for what comes of it (`PROBES`).
"""

import http.client
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence, Set
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit
from uuid import uuid4

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from botocore.exceptions import ClientError

from sandbox.emulator import ACCOUNT, HOST, REGION, Emulator
from sandbox.received import Received, Record, read
from sandbox.stack import PARK_TOPIC, Sandbox
from signalbox.aws.store import DynamoStore
from signalbox.classic import mark as rule_mark
from signalbox.flows import Names
from signalbox.model import Route
from signalbox.names import rule_name
from signalbox.store import (
    EVENTS,
    FLOW,
    HISTORY,
    IDEMPOTENCY,
    ORIGIN_API,
    OVERRIDE,
    PK,
    SK,
    SYNC,
    Item,
    declared_config,
    flow_item,
    sync_item,
)

RECONCILER = "rule_sync"
EDITED = "outage"
"""The event whose routes are edited."""
TARGET = "maintenance-email"
"""A destination that its routes may name."""
OUTAGES = "/aws/events/theme-park-outages"
SUMMARIES = "/aws/events/theme-park-summaries"
FLOWS = ("park-summary", "repeat-outages")
"""Those of the definitions."""
COLLECTING, CALLING = "permission-check-collects", "permission-check-calls"
"""Flows made at run time, which need between them all that such flows may do."""
RUN_TIME_FLOWS: Mapping[str, Any] = {
    COLLECTING: {
        "input": "waitTimesSummary",
        "steps": [
            {"name": "put", "function": "metrics", "retry": {"attempts": 0}},
            {
                "name": "together",
                "aggregate": {"key": "$event.id", "count": 2, "window": 1, "item": "$event.id"},
            },
            {
                "name": "tell",
                "emit": "parkSummary",
                "detail": '{"open": 1, "closed": 0, "averageWait": 7, '
                '"longestWait": {"rideId": $event.id, "wait": $count($input)}}',
            },
        ],
    },
    CALLING: {
        "input": "waitTimes",
        "steps": [{"name": "call", "function": "outage", "retry": {"attempts": 0}}],
    },
}
PLAIN: Mapping[str, Any] = {"steps": [{"name": "a", "transform": "$input"}]}
SOURCE = "themepark.rides"
STRANGER = "permission-check"
"""Source of the event, and name of the rule and its queue, of which EventBridge has no permission to deliver."""
POLL_SECONDS = 0.05
LOOK_SECONDS = 0.15
"""Nothing under way for this long: worth a look whether all has come."""
QUIET_SECONDS = 0.6
"""Nothing under way for this long: nothing more will come."""
POLLER_SECONDS = 5.0
"""A message in the retry queue may take this long to reach the Router: Lambda's poller looks every second."""
STREAM_SECONDS = 2.5
"""An edit may take this long to start the reconciler: after a failure the poller of the stream waits for a second."""
DENIED_SECONDS = 1.5
"""So long after the last look it is looked whether a flow was denied something, or the reconciler fails."""
TRIES = 3
"""So often the reconciler may fail on the same edits."""
PATIENCE_SECONDS = 120.0
"""For all that is under way to end."""


@dataclass(frozen=True, slots=True)
class Caller:
    """Somebody who calls the HTTP API."""

    credentials: Credentials
    host: str

    def __call__(self, method: str, path: str, body: str = "", **headers: str) -> int:
        """The status of the answer."""
        headers = {"Host": self.host, **{name.replace("_", "-"): value for name, value in headers.items()}}
        request = AWSRequest(method, f"http://{self.host}{path}", data=body.encode(), headers=headers)
        SigV4Auth(self.credentials, "execute-api", REGION).add_auth(request)
        connection = http.client.HTTPConnection(HOST, urlsplit(f"//{self.host}").port or 80, timeout=PATIENCE_SECONDS)
        try:
            connection.request(method, path, body=request.data, headers=dict(request.headers.items()))
            return connection.getresponse().status
        finally:
            connection.close()


@dataclass(frozen=True, slots=True)
class Seen:
    """What came of the check `mark`."""

    stack: str
    """`signalbox:name`."""
    mark: str
    received: Received
    undelivered: Sequence[Record]
    retry: Sequence[Record]
    answers: Mapping[str, int]
    """HTTP statuses by what was asked."""
    rules: Mapping[str, Sequence[str]]
    """The ids of the targets of the rules that are the check's own, by route."""
    notes: Mapping[str, Item]
    """What the reconciler did last, by event."""
    machines: Mapping[str, str]
    """The definitions of the state machines, by flow."""
    memory: Sequence[str]
    """The keys of the items that flows remember of the check, as `flow event`."""

    def ride(self, name: str) -> str:
        return f"{self.mark}-{name}"

    def told(self, kind: str, name: str) -> bool:
        return any(self.ride(name) in each["message"] for each in self.received.of(kind))

    def dead(self, text: str, **fields: Any) -> bool:
        """Does a message lie in `undelivered` that has these fields and holds `text`?"""
        return any(
            isinstance(each["body"], dict)
            and all(each["body"].get(name) == value for name, value in fields.items())
            and text in json.dumps(each["body"])
            for each in self.undelivered
        )

    def waits(self, text: str) -> bool:
        """Does a message with `text` lie in the retry queue, or has the Router got it from there already?"""
        runs = [run["event"] for run in self.received.of("function", function=f"{self.stack}-router")]
        batches = [event for event in runs if "Records" in event]
        return any(text in json.dumps(each) for each in [*self.retry, *batches])

    def failed(self, function: str, text: str) -> bool:
        """Does a message lie in `undelivered` that is what Lambda says of an event which `function` failed on?"""
        return any(
            isinstance(each["body"], dict)
            and f":{self.stack}-{function}:" in each["body"].get("requestContext", {}).get("functionArn", "")
            and text in json.dumps(each["body"]["requestPayload"])
            for each in self.undelivered
        )

    def ran(self, flow: str, name: str) -> list[Record]:
        """The runs of a flow for the check's event of a name."""
        runs = self.received.of("run", machine=f"{self.stack}-{flow}")
        return [run for run in runs if run["input"]["id"] == self.ride(name)]

    def flow_failed(self, flow: str) -> bool:
        """Does the event that the flow fails on lie in `undelivered`, as the flow itself tells it?"""
        return self.dead(self.ride("fails"), reason="flow-failed", flow=flow)

    def edit_noticed(self) -> bool:
        """Did the check's edit start the reconciler?"""
        return any(self.mark in json.dumps(each["event"].get("Records")) for each in self._reconciled())

    def clock_noticed(self) -> bool:
        """Did the schedule start the reconciler?"""
        return any(each["event"].get("detail-type") == "Scheduled Event" for each in self._reconciled())

    def noted(self) -> bool:
        """Does the reconciler say that the rule follows the check's edit?"""
        routes = json.loads(self.notes[EDITED]["Routes"]) if EDITED in self.notes else {}
        return routes.get(f"{self.mark}-new", {}).get("state") == "in-step"

    def _reconciled(self) -> list[Record]:
        return self.received.of("function", function=f"{self.stack}-{RECONCILER}")


def _denied(received: Received) -> bool:
    """Was a state machine denied something? Traces that it may not write are dropped without another word."""
    return any(each["who"].startswith("state machine ") for each in received.of("denied"))


PROBES: Mapping[str, Callable[[Seen], bool]] = {
    "metric of a ride": lambda seen: any(
        each["dimensions"].get("Ride") == seen.ride("open") for each in seen.received.of("metric")
    ),
    "closed ride in the log group": lambda seen: (
        seen.ride("closed") in json.dumps(seen.received.log_events.get(OUTAGES, []))
    ),
    "outage by mail": lambda seen: seen.told("mail", "closed"),
    "test event by SMS": lambda seen: seen.told("sms", "emergency"),
    "broken ride undelivered": lambda seen: seen.dead(seen.ride("broken"), reason="malformed"),
    "message that a topic cannot hand over undelivered": lambda seen: seen.dead(seen.ride("open"), Type="Notification"),
    "event that a rule cannot deliver undelivered": lambda seen: seen.dead(seen.mark, source=STRANGER),
    "event that does not fit its schema undelivered": lambda seen: seen.dead(seen.ride("unfit"), reason="invalid"),
    "event that metrics fails on undelivered": lambda seen: seen.failed("metrics", f'"{seen.mark}"'),
    "event that outage fails on undelivered": lambda seen: seen.failed("outage", f'"{seen.mark}"'),
    "throttled target in the retry queue": lambda seen: seen.waits(seen.ride("throttled")),
    "outage from the retry queue, with a schema not seen before": lambda seen: seen.told("mail", "again"),
    "reader reads an event": lambda seen: seen.answers["reader GET /event"] == 200,
    "reader lists events": lambda seen: seen.answers["reader GET /events"] == 200,
    "reader cannot write": lambda seen: seen.answers["reader POST"] == 403,
    "operator reads": lambda seen: seen.answers["operator GET /event"] == 200,
    "operator writes": lambda seen: seen.answers["operator POST"] == 200,
    "others cannot read": lambda seen: seen.answers["other GET /event"] == 403,
    "edit starts the reconciler": Seen.edit_noticed,
    "schedule starts the reconciler": Seen.clock_noticed,
    "rule of a route made at run time": lambda seen: list(seen.rules.get(f"{seen.mark}-new", ())) == [TARGET, "router"],
    "rule of no route gone": lambda seen: f"{seen.mark}-stray" not in seen.rules,
    "reconciler notes what it did": Seen.noted,
    "note on an event that is no more gone": lambda seen: seen.mark not in seen.notes,
    "metric of the reconciler": lambda seen: any(
        each["namespace"] == "Signalbox" and each["dimensions"] == {"Stack": seen.stack}
        for each in seen.received.of("metric")
    ),
    "event that the reconciler fails on undelivered": lambda seen: seen.failed(RECONCILER, f'"{seen.mark}"'),
    "summary of the park in the log group": lambda seen: (
        seen.ride("open") in json.dumps(seen.received.log_events.get(SUMMARIES, []))
    ),
    "maintenance asked for by mail": lambda seen: any(
        seen.ride("repeated") in each["message"] and "maintenanceRequest" in each["message"]
        for each in seen.received.of("mail")
    ),
    "run that was stopped undelivered": lambda seen: seen.dead(seen.ride("stopped"), source="aws.states"),
    **{
        f"event that {flow} fails on undelivered": lambda seen, flow=flow: seen.flow_failed(flow)
        for flow in (*FLOWS, CALLING)
    },
    **{
        f"event that {flow} has had already is known": lambda seen, flow=flow: any(
            "repeat" in run.get("output", "") for run in seen.ran(flow, "had")
        )
        for flow in FLOWS
    },
    **{
        f"claim of a run of {flow} that failed given back": lambda seen, flow=flow: (
            f"{flow} {seen.ride('fails')}" not in seen.memory
        )
        for flow in FLOWS
    },
    **{
        f"{flow} may be deployed again": lambda seen, flow=flow: seen.answers[f"deploy {flow}"] == 200 for flow in FLOWS
    },
    "no state machine is denied anything": lambda seen: not _denied(seen.received),
    "operator makes a flow": lambda seen: seen.answers["operator POST /flow"] == 201,
    "operator changes a flow": lambda seen: seen.answers["operator POST /flow again"] == 200,
    "operator deletes a flow": lambda seen: seen.answers["operator DELETE /flow"] == 200,
    "state machine of a new flow": lambda seen: f"{seen.mark}-new" in seen.machines,
    "state machine of a changed flow": lambda seen: seen.mark in seen.machines.get(CALLING, ""),
    "state machine of no flow gone": lambda seen: f"{seen.mark}-stray" not in seen.machines,
    "flow made at run time calls metrics": lambda seen: any(
        each["dimensions"].get("Ride") == seen.ride("calls") for each in seen.received.of("metric")
    ),
    "flow made at run time calls outage": lambda seen: any(
        each["event"].get("id") == seen.ride("fails")
        for each in seen.received.of("function", function=f"{seen.stack}-outage")
        if isinstance(each["event"], dict)
    ),
    "flow made at run time collects and emits": lambda seen: (
        seen.ride("calls") in json.dumps(seen.received.log_events.get(SUMMARIES, []))
    ),
}
_BY_STREAM = frozenset(
    (
        "edit starts the reconciler",
        *(f"state machine of {which}" for which in ("a new flow", "a changed flow", "no flow gone")),
    )
)
LATE_PROBES: Mapping[str, Callable[[Seen], bool]] = {
    "outage of the throttled target, in the end": lambda seen: seen.told("mail", "throttled"),
}


class ParkCheck:
    """The check, on what `prepared` has put beside the stack."""

    def __init__(
        self, emulator: Emulator, outputs: Mapping[str, Any], callers: Mapping[str, Caller], role: str
    ) -> None:
        """`role` is one that any state machine may take."""
        self._emulator = emulator
        self._bus: str = outputs["bus"]
        self._undelivered: str = outputs["undelivered"]
        self._callers = callers
        self._role = role
        self._sns, self._sqs = emulator.client("sns"), emulator.client("sqs")
        self._events, self._lambda, self._logs = (emulator.client(name) for name in ("events", "lambda", "logs"))
        self._retry: str = self._sqs.get_queue_url(QueueName=f"{self._bus}-retry")["QueueUrl"]
        self._functions = [each["FunctionName"] for each in self._lambda.list_functions()["Functions"]]
        self._states, self._tables = emulator.client("stepfunctions"), emulator.client("dynamodb")
        self._memory: str = outputs["state"]
        self._store = DynamoStore(self._tables, outputs["store"])
        self._last = ""
        """The flow that the check before has made."""
        event = self._store.get(EVENTS, EDITED)
        assert event is not None
        self._declared = declared_config(event)

    def run(self, *, to_the_end: bool = False) -> list[str]:
        """The names of what did not come.

        `to_the_end`: waits for all that the Router tries again, so the throttled target must also get its event.
        """
        mark, since = uuid4().hex[:12], time.time()
        self._emulator.fail_next("Invoke", code="ResourceConflictException", holding=f"{mark}-throttled")
        self._emulator.fail_next("Run", code="Runtime.ExitError", holding=_unreadable(RECONCILER, mark))
        self._leave_behind(mark)
        self._emulator.fire(f"{self._bus}-{RECONCILER}-schedule")
        self._settle()  # one pass at a time: the edit's would have to wait for a second
        with ThreadPoolExecutor(3) as pool:
            calls = {name: pool.submit(call) for name, call in self._calls(mark).items()}
            self._send(mark)
            answers = {name: call.result() for name, call in calls.items()}
        self._last = f"{mark}-new"
        failed = self._outcome(mark, since, answers, to_the_end)
        if failed:
            self._stop_runs()
        for queue in (self._retry, self._undelivered):
            self._sqs.purge_queue(QueueUrl=queue)
        return failed

    def _leave_behind(self, mark: str) -> None:
        """A rule and a state machine of ours that nobody asks for, and a note on an event that is not there: work for
        the reconciler. An event that the flows have had, and a flow to delete."""
        name = rule_name(EDITED, f"{mark}-stray")
        self._events.put_rule(
            Name=name,
            EventBusName=self._bus,
            EventPattern=json.dumps({"source": [mark]}),
            Description=rule_mark(self._bus, Route(EDITED, f"{mark}-stray", ())),
        )
        target = {"Id": TARGET, "Arn": _arn("sns", f"{self._bus}-{TARGET}")}
        answer = self._events.put_targets(Rule=name, EventBusName=self._bus, Targets=[target])
        assert answer["FailedEntryCount"] == 0, answer
        self._store.put(sync_item(mark, at="", revision=0, routes={}))
        tags = Names(self._bus, REGION, ACCOUNT, "").tags(f"{mark}-stray", ORIGIN_API)
        self._states.create_state_machine(
            name=f"{self._bus}-{mark}-stray",
            roleArn=self._role,
            definition=json.dumps({"StartAt": "a", "States": {"a": {"Type": "Succeed"}}}),
            tags=[{"key": key, "value": value} for key, value in tags.items()],
        )
        for flow in FLOWS:
            key = _claim(flow, f"{mark}-had")
            self._tables.put_item(TableName=self._memory, Item={**key, "Run": {"S": "other"}, "Done": {"BOOL": True}})
        if not self._last or self._store.get(FLOW, self._last) is None:
            self._last = f"{mark}-last"
            by = {"Revision": 1, "EditedAt": "2026-01-01T00:00:00Z", "EditedBy": STRANGER, "Named": 0}
            self._store.put({**flow_item(self._last, PLAIN, ORIGIN_API), **by})

    def _stop_runs(self) -> None:
        """End what would try again for minutes what it may not do."""
        machines = self._states.list_state_machines()["stateMachines"]
        for machine in [each["stateMachineArn"] for each in machines if each["name"].startswith(self._bus)]:
            running = self._states.list_executions(stateMachineArn=machine, statusFilter="RUNNING")["executions"]
            for run in running:
                self._states.stop_execution(executionArn=run["executionArn"])
        self._settle()

    def _settle(self) -> None:
        until = time.monotonic() + PATIENCE_SECONDS
        while self._emulator.get("/_signalbox/pending")["pending"]:
            assert time.monotonic() < until, f"work is still under way after {PATIENCE_SECONDS} s"
            time.sleep(POLL_SECONDS)

    def _calls(self, mark: str) -> dict[str, Callable[[], int]]:
        reader, operator, other = (self._callers[name] for name in ("reader", "operator", "other"))
        new = {"pattern": {"rideId": [f"{mark}-new"]}, "targets": [{"topic": TARGET}, {"flow": "repeat-outages"}]}
        made = json.dumps({"id": f"{mark}-new", **PLAIN})
        changed = json.dumps({"id": CALLING, "description": mark, **RUN_TIME_FLOWS[CALLING]})
        last = f"/flow/{self._last}"
        edit = json.dumps({**self._declared, f"{mark}-new": new})
        return {
            "operator POST": lambda: operator("POST", f"/route/{EDITED}", edit),
            "operator POST /flow": lambda: operator("POST", "/flow", made, Idempotency_Key=mark),
            "operator POST /flow again": lambda: operator("POST", "/flow", changed),
            "operator DELETE /flow": lambda: operator("DELETE", last),
            **{f"deploy {flow}": lambda flow=flow: self._deploy(flow) for flow in FLOWS},
            "reader GET /event": lambda: reader("GET", "/event/outage"),
            "reader GET /events": lambda: reader("GET", "/events"),
            "reader POST": lambda: reader("POST", "/route/no-such-event", "{}"),
            "operator GET /event": lambda: operator("GET", "/event/outage"),
            "other GET /event": lambda: other("GET", "/event/outage"),
        }

    def _deploy(self, flow: str) -> int:
        """Write a state machine as it is, which asks whether its role may log."""
        arn = self._machine(flow)
        live = self._states.describe_state_machine(stateMachineArn=arn)
        kept = {key: live[key] for key in ("definition", "roleArn", "loggingConfiguration", "tracingConfiguration")}
        try:
            answer = self._states.update_state_machine(stateMachineArn=arn, **kept)
        except ClientError as error:
            answer = error.response
        return answer["ResponseMetadata"]["HTTPStatusCode"]

    def _machine(self, flow: str) -> str:
        return _arn("states", f"stateMachine:{self._bus}-{flow}")

    def _run_flows(self, mark: str) -> None:
        """Start flows for events that they fail on, have had already, can do all for; and stop one."""

        def start(flow: str, name: str, detail: Any) -> str:
            event = {"id": f"{mark}-{name}", "time": _now(), "detail": detail}
            return self._states.start_execution(stateMachineArn=self._machine(flow), input=json.dumps(event))[
                "executionArn"
            ]

        for flow in FLOWS:
            start(flow, "fails", {})
            start(flow, "had", {})
        start(CALLING, "fails", {})
        calls = [{"rideId": f"{mark}-calls", "inService": True, "wait": 7, "lastUpdated": 0}]
        start(COLLECTING, "calls", {"type": "summary", "msg": json.dumps(calls)})
        stopped = start("park-summary", "stopped", {"type": "summary", "msg": json.dumps(calls * 500)})
        self._states.stop_execution(executionArn=stopped)

    def _send(self, mark: str) -> None:
        def ride(name: str, **more: Any) -> dict[str, Any]:
            return {"rideId": f"{mark}-{name}", "inService": False, "wait": 7, "lastUpdated": 0, **more}

        entries = [
            ("waitTimes", ride("throttled")),
            ("waitTimes", ride("unfit", wait="soon")),
            ("waitTimesSummary", {"type": "summary", "msg": mark}),
            ("outage", {"rideId": f"{mark}-emergency", "type": "Emergency", "description": "Test alert"}),
            *[("outage", {"rideId": f"{mark}-repeated", "type": "Info", "description": "Again"})] * 3,
            ("stranger", {"mark": mark}),
        ]
        answer = self._events.put_events(
            Entries=[
                {
                    "EventBusName": self._bus,
                    "Source": STRANGER if kind == "stranger" else SOURCE,
                    "DetailType": kind,
                    "Detail": json.dumps(detail),
                }
                for kind, detail in entries
            ]
        )
        assert answer["FailedEntryCount"] == 0, answer
        rides = [ride("open", inService=True), ride("closed"), {"wait": f"{mark}-broken"}]
        message = {"type": "summary", "msg": json.dumps(rides)}
        self._sns.publish(TopicArn=_arn("sns", PARK_TOPIC), Message=json.dumps(message))
        self._run_flows(mark)
        # What the outage function cannot read, and what ends the reconciler.
        for function in ("outage", RECONCILER):
            payload = _unreadable(function, mark)
            self._lambda.invoke(FunctionName=f"{self._bus}-{function}", InvocationType="Event", Payload=payload)
        again = {
            "event": {
                "version": "0",
                "id": str(uuid4()),
                "detail-type": "waitTimes",
                "source": SOURCE,
                "account": ACCOUNT,
                "time": _now(),
                "region": REGION,
                "resources": [],
                "detail": ride("again"),
            },
            "route": "waitTimes/outages",
            "schema": mark,
            "targets": [{"function": "outage"}],
        }
        self._sqs.send_message(QueueUrl=self._retry, MessageBody=json.dumps(again))

    def _outcome(self, mark: str, since: float, answers: Mapping[str, int], to_the_end: bool) -> list[str]:
        quiet_since, size, failed = time.monotonic(), -1, None
        until, denied_at = quiet_since + PATIENCE_SECONDS, quiet_since + DENIED_SECONDS
        while time.monotonic() < until:
            if time.monotonic() > denied_at:
                denied_at = time.monotonic() + DENIED_SECONDS
                received = read(self._emulator, since)
                if _denied(received) or self._gives_up(mark, received):  # it would be tried again for minutes
                    return self._look(mark, since, answers, to_the_end)
            now = self._emulator.records.stat().st_size
            if now != size or self._emulator.get("/_signalbox/pending")["pending"]:
                quiet_since, size, failed = time.monotonic(), now, None
                time.sleep(POLL_SECONDS)
                continue
            waiting, delayed = self._retries()
            if to_the_end and delayed:
                quiet_since, failed = time.monotonic(), None
            quiet = time.monotonic() - quiet_since
            if failed is None and quiet >= LOOK_SECONDS:
                failed = self._look(mark, since, answers, to_the_end)
                size = self._emulator.records.stat().st_size  # looking is recorded, too
                if not failed:
                    return []
            if failed and quiet >= self._patience(failed, answers, waiting):
                return self._look(mark, since, answers, to_the_end)
            time.sleep(POLL_SECONDS)
        raise AssertionError(f"work is still under way after {PATIENCE_SECONDS} s")

    def _gives_up(self, mark: str, received: Received) -> bool:
        """Has the reconciler failed on the check's edits again and again?"""
        runs = received.of("function", function=f"{self._bus}-{RECONCILER}")
        mine = [run for run in runs if mark in json.dumps(run["event"].get("Records"))]
        return sum("error" in run or '"batchItemFailures": [{' in json.dumps(run["result"]) for run in mine) >= TRIES

    def _patience(self, failed: Sequence[str], answers: Mapping[str, int], waiting: int) -> float:
        """For how long it must be quiet until nothing more can come."""
        if waiting:
            return POLLER_SECONDS
        edited = answers["operator POST"] == 200
        return STREAM_SECONDS if edited and not _BY_STREAM.isdisjoint(failed) else QUIET_SECONDS

    def _retries(self) -> tuple[int, int]:
        """Messages in the retry queue that wait for the poller or are with it, and those that are delayed."""
        parts = ("", "NotVisible", "Delayed")
        names = [f"ApproximateNumberOfMessages{part}" for part in parts]
        got = self._sqs.get_queue_attributes(QueueUrl=self._retry, AttributeNames=names)["Attributes"]
        waiting, taken, delayed = (int(got[name]) for name in names)
        return waiting + taken, delayed

    def _look(self, mark: str, since: float, answers: Mapping[str, int], to_the_end: bool) -> list[str]:
        received = read(self._emulator, since)
        queues = {url: received.queues.get(url.rpartition("/")[2], []) for url in (self._undelivered, self._retry)}
        rules = _rules(self._events, self._bus, rule_name(EDITED, mark))
        seen = Seen(
            stack=self._bus,
            mark=mark,
            received=received,
            undelivered=queues[self._undelivered],
            retry=queues[self._retry],
            answers=answers,
            rules={name.removeprefix(f"{EDITED}."): targets for name, targets in rules.items()},
            notes={item[SK].removeprefix("event#"): item for item in self._store.partition(SYNC)},
            machines=_machines(self._states, self._bus, {CALLING, f"{mark}-new", f"{mark}-stray"}),
            memory=[
                f"{flow} {mark}-fails"
                for flow in FLOWS
                if "Item" in self._tables.get_item(TableName=self._memory, Key=_claim(flow, f"{mark}-fails"))
            ],
        )
        probes = {**PROBES, **(LATE_PROBES if to_the_end else {})}
        failed = [name for name, came in probes.items() if not came(seen)]
        return failed + [f"log of {name}" for name in self._functions if not self._logged(name, received, since)]

    def _logged(self, function: str, received: Received, since: float) -> bool:
        """Does the function's log tell of each of its runs?"""
        runs = [each["request"] for each in received.of("function", function=function)]
        pages = self._logs.get_paginator("filter_log_events").paginate(
            logGroupName=f"/aws/lambda/{function}", startTime=int(since * 1000)
        )
        text = "\n".join(event["message"] for page in pages for event in page["events"])
        return bool(runs) and all(run in text for run in runs)


@contextmanager
def prepared(sandbox: Sandbox) -> Iterator[ParkCheck]:
    """The check of a deployed park, with what it needs: callers of the API, and failures that are not the stack's own.

    Removed in the end, and the queues emptied.
    """
    emulator, outputs = sandbox.emulator, sandbox.outputs()
    undelivered = _arn("sqs", outputs["undelivered"].rpartition("/")[2])
    host = urlsplit(outputs["api"]).netloc
    with ExitStack() as stack:
        role = _any_machines_role(emulator, stack)
        _edits_undone(emulator, stack, outputs)
        _fail_at_once(emulator, stack)
        _unreachable_target(emulator, stack, outputs["bus"], undelivered)
        _unreachable_subscriber(emulator, stack, f"{outputs['bus']}-metrics", undelivered)
        policies = {"reader": outputs["reader-policy"], "operator": outputs["operator-policy"], "other": None}
        callers = {name: Caller(_user(emulator, stack, name, arn), host) for name, arn in policies.items()}
        for flow, document in RUN_TIME_FLOWS.items():
            assert callers["operator"]("POST", "/flow", json.dumps({"id": flow, **document})) == 201
        until = time.monotonic() + PATIENCE_SECONDS
        while len(_machines(emulator.client("stepfunctions"), outputs["bus"], set(RUN_TIME_FLOWS))) < 2:
            assert time.monotonic() < until, "the flows are not made"
            time.sleep(POLL_SECONDS)
        yield ParkCheck(emulator, outputs, callers, role)


def _edits_undone(emulator: Emulator, stack: ExitStack, outputs: Mapping[str, Any]) -> None:
    """In the end the store says of edits what it says now, and the rules are what they are now."""
    store, events, bus = (
        DynamoStore(emulator.client("dynamodb"), outputs["store"]),
        emulator.client("events"),
        outputs["bus"],
    )
    states = emulator.client("stepfunctions")
    edits, rules, machines = _edits(store), _rules(events, bus), _machines(states, bus)

    def undo() -> None:
        now = _edits(store)
        for key in now.keys() - edits.keys():
            store.delete(*key)
        for key, item in edits.items():
            if now.get(key) != item:
                store.put(item)
        until = time.monotonic() + PATIENCE_SECONDS
        while (_rules(events, bus), _machines(states, bus)) != (rules, machines):
            assert time.monotonic() < until, "the rules and state machines are not as they were"
            time.sleep(POLL_SECONDS)

    stack.callback(undo)


def _edits(store: DynamoStore) -> dict[tuple[str, str], Item]:
    written = (OVERRIDE, HISTORY, FLOW, IDEMPOTENCY)
    return {(item[PK], item[SK]): item for partition in written for item in store.partition(partition)}


def _machines(states: Any, bus: str, flows: Set[str] | None = None) -> dict[str, str]:
    """The definitions of the state machines of `flows`, or of all, by flow."""
    found = {}
    for page in states.get_paginator("list_state_machines").paginate():
        for machine in page["stateMachines"]:
            flow = machine["name"].removeprefix(f"{bus}-")
            if machine["name"].startswith(f"{bus}-") and (flows is None or flow in flows):
                with suppress(states.exceptions.StateMachineDoesNotExist):
                    live = states.describe_state_machine(stateMachineArn=machine["stateMachineArn"])
                    if live["status"] != "DELETING":
                        found[flow] = live["definition"]
    return found


def _any_machines_role(emulator: Emulator, stack: ExitStack) -> str:
    iam, name = emulator.client("iam"), f"{STRANGER}-machine"
    trust = {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"}
    document = json.dumps({"Version": "2012-10-17", "Statement": [trust]})
    stack.callback(iam.delete_role, RoleName=name)
    return iam.create_role(RoleName=name, AssumeRolePolicyDocument=document)["Role"]["Arn"]


def _rules(events: Any, bus: str, prefix: str = "") -> dict[str, list[str]]:
    """The ids of the targets of the bus's rules, by rule."""
    found = {}
    for page in events.get_paginator("list_rules").paginate(
        EventBusName=bus, **({"NamePrefix": prefix} if prefix else {})
    ):
        for rule in page["Rules"]:
            targets = events.list_targets_by_rule(Rule=rule["Name"], EventBusName=bus)["Targets"]
            found[rule["Name"]] = sorted(target["Id"] for target in targets)
    return found


def _fail_at_once(emulator: Emulator, stack: ExitStack) -> None:
    """Functions that fail are not tried again: that takes seconds, and no permission."""
    functions = emulator.client("lambda")
    for each in functions.list_functions()["Functions"]:
        name = each["FunctionName"]
        for config in functions.list_function_event_invoke_configs(FunctionName=name)["FunctionEventInvokeConfigs"]:
            keys = ("MaximumRetryAttempts", "MaximumEventAgeInSeconds", "DestinationConfig")
            before = {"FunctionName": name} | {key: config[key] for key in keys if key in config}
            stack.callback(functions.put_function_event_invoke_config, **before)
            functions.put_function_event_invoke_config(**{**before, "MaximumRetryAttempts": 0})


def _unreachable_target(emulator: Emulator, stack: ExitStack, bus: str, undelivered: str) -> None:
    """A rule on the stack's bus with a queue that does not let it in."""
    events, queues = emulator.client("events"), emulator.client("sqs")
    url = queues.create_queue(QueueName=STRANGER)["QueueUrl"]
    stack.callback(queues.delete_queue, QueueUrl=url)
    events.put_rule(Name=STRANGER, EventBusName=bus, EventPattern=json.dumps({"source": [STRANGER]}))
    stack.callback(events.delete_rule, Name=STRANGER, EventBusName=bus)
    target = {"Id": STRANGER, "Arn": _arn("sqs", STRANGER), "DeadLetterConfig": {"Arn": undelivered}}
    answer = events.put_targets(Rule=STRANGER, EventBusName=bus, Targets=[target])
    assert answer["FailedEntryCount"] == 0, answer
    stack.callback(events.remove_targets, Rule=STRANGER, EventBusName=bus, Ids=[STRANGER])


def _unreachable_subscriber(emulator: Emulator, stack: ExitStack, function: str, undelivered: str) -> None:
    """A subscription of a function that does not let the topic in."""
    topics = emulator.client("sns")
    made = topics.subscribe(
        TopicArn=_arn("sns", PARK_TOPIC),
        Protocol="lambda",
        Endpoint=_arn("lambda", f"function:{function}"),
        Attributes={"RedrivePolicy": json.dumps({"deadLetterTargetArn": undelivered})},
        ReturnSubscriptionArn=True,
    )
    stack.callback(topics.unsubscribe, SubscriptionArn=made["SubscriptionArn"])


def _user(emulator: Emulator, stack: ExitStack, who: str, policy: str | None) -> Credentials:
    iam, name = emulator.client("iam"), f"{STRANGER}-{who}"
    iam.create_user(UserName=name)
    stack.callback(iam.delete_user, UserName=name)
    if policy:
        iam.attach_user_policy(UserName=name, PolicyArn=policy)
        stack.callback(iam.detach_user_policy, UserName=name, PolicyArn=policy)
    key = iam.create_access_key(UserName=name)["AccessKey"]
    stack.callback(iam.delete_access_key, UserName=name, AccessKeyId=key["AccessKeyId"])
    return Credentials(key["AccessKeyId"], key["SecretAccessKey"])


def _claim(flow: str, event: str) -> dict[str, Any]:
    """The key of a flow's claim of an event."""
    return {PK: {"S": f"flow#{flow}"}, SK: {"S": f"run#{event}"}}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _unreadable(function: str, mark: str) -> str:
    return json.dumps({"mark": mark, "for": function})


def _arn(service: str, resource: str) -> str:
    return f"arn:aws:{service}:{REGION}:{ACCOUNT}:{resource}"
