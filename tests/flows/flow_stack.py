"""A bus, a table, queues and functions on an emulator, for flows to run on."""

import io
import json
import time
import uuid
import zipfile
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from sandbox.emulator import ACCOUNT, REGION, Emulator
from signalbox.definitions.places import Document
from signalbox.flows import Names, compile_flow, definition, machine_type, read_flow, statements
from signalbox.model import Event, Statement
from signalbox.problems import errors
from signalbox.registry import Entry, Registry
from tests.unit.flows.validator import faults

STACK = "flows-test"
FUNCTIONS = {
    "double": "def handle(event, context):\n    return {'was': event, 'doubled': event['n'] * 2}",
    "fails": "def handle(event, context):\n    raise ValueError('no luck')",
    "nothing": "def handle(event, context):\n    pass",
    "slow": "import time\ndef handle(event, context):\n    time.sleep(3)",
    "later": (
        "import os, pathlib\n"
        "def handle(event, context):\n"
        "    tries = pathlib.Path(event['file'])\n"
        "    tries.write_text(tries.read_text() + '.' if tries.exists() else '.')\n"
        "    if len(tries.read_text()) < 3:\n"
        "        raise RuntimeError('not yet')\n"
        "    return len(tries.read_text())"
    ),
}
EVENTS = {
    "told": Event(
        "told",
        ("flows",),
        ("told",),
        {"type": "object", "required": ["n"], "properties": {"n": {"type": "number", "minimum": 0}}},
    )
}
SERVICES = {"Service": ["lambda.amazonaws.com", "states.amazonaws.com"]}
REGISTRY = Registry({name: Entry(name, "function") for name in FUNCTIONS})


class Stack:
    """A bus, a table, two queues and functions on the emulator, and flows made on it."""

    def __init__(self, emulator: Emulator) -> None:
        self.emulator = emulator
        client = emulator.client
        self.states, self.queues, self.tables = client("stepfunctions"), client("sqs"), client("dynamodb")
        self.tables.create_table(
            TableName=f"{STACK}-state",
            KeySchema=[{"AttributeName": "PK", "KeyType": "HASH"}, {"AttributeName": "SK", "KeyType": "RANGE"}],
            AttributeDefinitions=[{"AttributeName": key, "AttributeType": "S"} for key in ("PK", "SK")],
            BillingMode="PAY_PER_REQUEST",
        )
        self.roles = client("iam")
        self.role("functions", [])
        self.undelivered_url = self.queues.create_queue(QueueName=f"{STACK}-undelivered")["QueueUrl"]
        self.out_url = self._out(client("events"))
        functions = client("lambda")
        for name, code in FUNCTIONS.items():
            archive = io.BytesIO()
            with zipfile.ZipFile(archive, "w") as file:
                file.writestr("handler.py", code)
            functions.create_function(
                FunctionName=f"{STACK}-{name}",
                Runtime="python3.13",
                Handler="handler.handle",
                Role=f"arn:aws:iam::{ACCOUNT}:role/functions",
                Code={"ZipFile": archive.getvalue()},
            )
        self.names = Names(STACK, REGION, ACCOUNT, self.undelivered_url)

    def role(self, name: str, allowed: list[Statement], assumed_by: Any = SERVICES) -> str:
        """The ARN of a new role that may do just this."""
        trust = {"Effect": "Allow", "Principal": assumed_by, "Action": "sts:AssumeRole"}
        version = "2012-10-17"
        arn = self.roles.create_role(
            RoleName=name, AssumeRolePolicyDocument=json.dumps({"Version": version, "Statement": [trust]})
        )["Role"]["Arn"]
        if allowed:
            policy = [
                {"Effect": "Allow", "Action": each.actions, "Resource": each.resources, "Condition": each.conditions}
                for each in allowed
            ]
            text = json.dumps({"Version": version, "Statement": policy})
            self.roles.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=text)
        return arn

    def _out(self, bus: Any) -> str:
        """The URL of a queue that gets every event of the bus."""
        url = self.queues.create_queue(QueueName=f"{STACK}-out")["QueueUrl"]
        arn = f"arn:aws:sqs:{REGION}:{ACCOUNT}:{STACK}-out"
        allow = {
            "Effect": "Allow",
            "Principal": {"Service": "events.amazonaws.com"},
            "Action": "sqs:SendMessage",
            "Resource": arn,
        }
        policy = json.dumps({"Version": "2012-10-17", "Statement": [allow]})
        self.queues.set_queue_attributes(QueueUrl=url, Attributes={"Policy": policy})
        bus.create_event_bus(Name=STACK)
        bus.put_rule(Name="all", EventBusName=STACK, EventPattern=json.dumps({"account": [{"exists": True}]}))
        bus.put_targets(Rule="all", EventBusName=STACK, Targets=[{"Id": "out", "Arn": arn}])
        return url

    def deploy(self, *steps: dict[str, Any], events: dict[str, Event] | None = None, **more: Any) -> str:
        """The ARN of the state machine of a flow of these steps."""
        flow, problems = read_flow(
            f"f-{uuid.uuid4().hex[:8]}", Document({"steps": list(steps), **more}), REGISTRY, events or EVENTS
        )
        assert flow is not None, problems
        assert not errors(problems), problems
        compiled = compile_flow(flow, self.names, events or EVENTS)
        assert faults(compiled) == []
        text = definition(compiled)
        role = self.role(flow.id, statements(flow, self.names, events or EVENTS))
        made = self.states.create_state_machine(
            name=self.names.machine(flow.id), type=machine_type(flow), definition=text, roleArn=role
        )
        return made["stateMachineArn"]

    def machine(self, states: dict[str, Any], *allowed: Statement, **fields: Any) -> str:
        """The ARN of a state machine of these states in JSONata, with a role that may do just `allowed`."""
        name = f"m-{uuid.uuid4().hex[:8]}"
        whole = {"QueryLanguage": "JSONata", "StartAt": next(iter(states)), "States": states, **fields}
        made = self.states.create_state_machine(
            name=name, definition=json.dumps(whole), roleArn=self.role(name, [*allowed])
        )
        return made["stateMachineArn"]

    def start(self, machine: str, event: dict[str, Any]) -> str:
        """The ARN of a new execution."""
        return self.states.start_execution(stateMachineArn=machine, input=json.dumps(event))["executionArn"]

    def end(self, execution: str, seconds: float = 120) -> tuple[str, Any]:
        """Status and output of an execution, once it has ended."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            found = self.states.describe_execution(executionArn=execution)
            if found["status"] != "RUNNING":
                return found["status"], json.loads(found.get("output") or "null")
            time.sleep(0.1)
        raise AssertionError(f"{execution} still runs")

    def run(self, *steps: dict[str, Any], event: dict[str, Any], **more: Any) -> tuple[str, Any]:
        """Status and output of a flow of these steps for `event`."""
        return self.end(self.start(self.deploy(*steps, **more), event))

    def at_once(self, machine: str, events: list[dict[str, Any]]) -> list[tuple[str, Any]]:
        """How runs end that are all started at once."""
        with ThreadPoolExecutor(len(events)) as pool:
            executions = list(pool.map(lambda event: self.start(machine, event), events))
        return [self.end(execution) for execution in executions]

    def received(self, url: str, count: int = 0) -> list[dict[str, Any]]:
        """What is in a queue, waiting until it is `count`; it is then empty."""
        found: list[dict[str, Any]] = []
        until = time.monotonic() + 10
        while True:
            messages = self.queues.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
            for message in messages:
                found.append(json.loads(message["Body"]))
                self.queues.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
            if not messages and (len(found) >= count or time.monotonic() > until):
                return found
            if not messages:
                time.sleep(0.1)

    def told(self, count: int = 0) -> list[Any]:
        """The details of the events on the bus since the last time."""
        return [event["detail"] for event in self.received(self.out_url, count)]

    def undelivered(self, count: int = 0) -> list[dict[str, Any]]:
        """The messages in `undelivered` since the last time."""
        return self.received(self.undelivered_url, count)


def event(detail: Any, at: str = "2026-11-23T08:00:00Z") -> dict[str, Any]:
    """An event as EventBridge makes them."""
    return {
        "version": "0",
        "id": str(uuid.uuid4()),
        "source": "test",
        "detail-type": "test",
        "account": ACCOUNT,
        "time": at,
        "region": REGION,
        "resources": [],
        "detail": detail,
    }
