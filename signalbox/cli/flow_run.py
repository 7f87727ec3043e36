"""`flow run`: a flow for one event, for real, and the way that it took."""

import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import click

from signalbox.canonical import same
from signalbox.cli.console import counted, short, show_table
from signalbox.cli.events_in import read_events
from signalbox.cli.flow_at import flow_and_events
from signalbox.cli.stack import Stack, read_stack, stack_options
from signalbox.flows import Flow, Names, compile_flow, definition, statements
from signalbox.flows.model import Split, walk
from signalbox.flows.path import Taken, path
from signalbox.model import Event
from signalbox.names import physical
from signalbox.samples import ENVELOPE
from signalbox.schema import SchemaError, compile_schema

SANDBOX = ('python -m sandbox up, then eval "$(python -m sandbox env)"', "AWS_ENDPOINT_URL")
ITEMS_SHOWN = 3
"""Items of a split whose steps are shown; `--json` has all."""
SHOWN = 48
"""Characters of a value in the table."""
POLL_SECONDS = 0.2
ROLE_SECONDS = 20
"""A role that has just been made can be used after some seconds."""
TRUST = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"Service": "states.amazonaws.com"}, "Action": "sts:AssumeRole"},
    ],
}


@dataclass(frozen=True, slots=True)
class Machine:
    """The state machine that a flow runs in. `why`: it is a temporary one, because of this."""

    arn: str
    why: str = ""


@click.command()
@click.argument("flow_id", metavar="ID")
@click.option(
    "--input",
    "file",
    type=click.Path(exists=True, dir_okay=False, allow_dash=True, path_type=Path),
    required=True,
    help="The event, a JSON file (- for standard input): as EventBridge delivers it, or as PutEvents takes it.",
)
@click.option("--aws", is_flag=True, help="In the account of your credentials, and not in the sandbox.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every item and whole values.")
@stack_options
def run(flow_id: str, file: Path, aws: bool, as_json: bool, stack_name: str | None, config_file: Path | None) -> None:
    """Run the flow ID of the definitions for one event in the sandbox, and show the way that it took.

    It runs for real: what it emits is on the bus, what it counts is counted, and if it fails the event is in
    `undelivered`. The event gets an id of its own each time, so that no run is a repeat of another. Where the deployed
    state machine is not what the definitions say, the flow runs in a temporary one, with the role that it would have.

    Exit code: 0 the run succeeded; 1 it failed, or the flow has errors.
    """
    _choose(aws)
    stack = read_stack(stack_name, config_file)
    flow, events = flow_and_events(flow_id, stack.mappings, stack.functions, stack.get("source"))
    event = _event(file)
    for problem in _unfit(flow, events, event):
        click.echo(f"the Router would not give this event to the flow: {problem}", err=True)
    with _talking(aws), _machine(stack, flow, events) as (client, machine):
        report = _run(client, machine, flow, event)
    if as_json:
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _show(report, flow)
    sys.exit(0 if report["status"] == "SUCCEEDED" else 1)


def _choose(aws: bool) -> None:
    """The sandbox or the account, and never the one for the other."""
    fix, variable = SANDBOX
    there = any(os.environ.get(name) for name in (variable, f"{variable}_SFN"))
    if not aws and not there:
        raise click.ClickException(
            f"this shell does not talk to a sandbox ({variable} is not set); fix: {fix}; "
            "or --aws, to run the flow in the account of your credentials"
        )
    if aws and there:
        raise click.ClickException(f"--aws, and {variable} is set; fix: unset {variable}, or leave --aws out")


@contextmanager
def _talking(aws: bool) -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError, EndpointConnectionError

    try:
        yield
    except EndpointConnectionError as error:
        fix = "check your network" if aws else SANDBOX[0]
        raise click.ClickException(f"{error}; fix: {fix}") from error
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from error


def _event(file: Path) -> dict[str, Any]:
    found = read_events(file)
    if len(found) != 1:
        raise click.ClickException(f"{file}: a flow runs for one event; got: {len(found)}; allowed: 1")
    event = found[0].value
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {**event, "id": str(uuid.uuid4()), "time": now if event["time"] == ENVELOPE["time"] else event["time"]}


def _unfit(flow: Flow, events: Mapping[str, Event], event: Mapping[str, Any]) -> list[str]:
    if flow.input is None or flow.input not in events:
        return []
    try:
        return [str(each) for each in compile_schema(events[flow.input].schema).errors(event["detail"])]
    except SchemaError:
        return []  # said with the definitions


@contextmanager
def _machine(stack: Stack, flow: Flow, events: Mapping[str, Event]) -> Iterator[tuple[Any, Machine]]:
    session = stack.session()
    names = _names(stack, session)
    client = session.client("stepfunctions")
    text = definition(compile_flow(flow, names, events))
    why = _not_deployed(client, names.machine_arn(flow.id), text)
    if not why:
        yield client, Machine(names.machine_arn(flow.id))
        return
    with _temporary(session, client, names, flow, events, text) as arn:
        yield client, Machine(arn, why)


def _names(stack: Stack, session: Any) -> Names:
    names = stack.names(session)
    if not names.undelivered_url:
        raise click.ClickException(
            f"the stack {stack.name} is not deployed here: there is no queue {names.undelivered}; "
            f"fix: {SANDBOX[0]}, or pulumi up"
        )
    return names


def _not_deployed(client: Any, arn: str, text: str) -> str:
    """Why the deployed state machine is not the one to run; nothing where it is."""
    try:
        found = client.describe_state_machine(stateMachineArn=arn)
    except client.exceptions.StateMachineDoesNotExist:
        return "the flow is not deployed"
    if found["status"] != "ACTIVE":
        return "the deployed one is being deleted"
    if not same(json.loads(found["definition"]), json.loads(text)):
        return "the deployed one is not what the definitions say"
    return "the deployed one is of the type Express, which keeps no history" if found["type"] == "EXPRESS" else ""


@contextmanager
def _temporary(
    session: Any, client: Any, names: Names, flow: Flow, events: Mapping[str, Event], text: str
) -> Iterator[str]:
    """The ARN of a state machine that is there for now, with a role as a deploy would make it."""
    roles = session.client("iam")
    name = physical(names.stack, f"try-{uuid.uuid4().hex[:8]}-{flow.id}", 64)
    allowed = [
        {"Effect": "Allow", "Action": each.actions, "Resource": each.resources}
        | ({"Condition": each.conditions} if each.conditions else {})
        for each in statements(flow, names, events)
    ]
    with ExitStack() as made:
        role = roles.create_role(RoleName=name, AssumeRolePolicyDocument=json.dumps(TRUST))["Role"]["Arn"]
        made.callback(roles.delete_role, RoleName=name)
        policy = json.dumps({"Version": "2012-10-17", "Statement": allowed})
        roles.put_role_policy(RoleName=name, PolicyName="all", PolicyDocument=policy)
        made.callback(roles.delete_role_policy, RoleName=name, PolicyName="all")
        arn = _created(client, name, text, role)
        made.callback(client.delete_state_machine, stateMachineArn=arn)
        yield arn


def _created(client: Any, name: str, text: str, role: str) -> str:
    until = time.monotonic() + ROLE_SECONDS
    while True:
        try:
            return client.create_state_machine(name=name, definition=text, roleArn=role)["stateMachineArn"]
        except client.exceptions.ClientError as error:
            new = error.response["Error"]["Code"] == "AccessDeniedException" and "assume" in str(error)
            if not new or time.monotonic() > until:
                raise
        time.sleep(1)


def _run(client: Any, machine: Machine, flow: Flow, event: Mapping[str, Any]) -> dict[str, Any]:
    # As small as it can be: Step Functions takes 256 KiB.
    text = json.dumps(event, ensure_ascii=False, separators=(",", ":"))
    started = client.start_execution(stateMachineArn=machine.arn, name=f"try-{event['id']}", input=text)
    execution = started["executionArn"]
    try:
        while (found := client.describe_execution(executionArn=execution))["status"] == "RUNNING":
            time.sleep(POLL_SECONDS)
    except KeyboardInterrupt:
        client.stop_execution(executionArn=execution, cause="stopped by flow run")
        found = client.describe_execution(executionArn=execution)
    pages = client.get_paginator("get_execution_history").paginate(executionArn=execution)
    events = [each for page in pages for each in page["events"]]
    taken = path(flow, events)
    return {
        "flow": flow.id,
        "machine": {"arn": machine.arn, "temporary": bool(machine.why), "why": machine.why},
        "execution": execution,
        "status": found["status"],
        "seconds": round((found["stopDate"] - found["startDate"]).total_seconds(), 3),
        "steps": [_step(each) for each in taken],
        **({"output": json.loads(found["output"])} if found["status"] == "SUCCEEDED" else {}),
        **{name: found[name] for name in ("error", "cause") if found.get(name)},
    }


def _step(taken: Taken) -> dict[str, Any]:
    seconds = (taken.left - taken.began).total_seconds() if taken.left and taken.began else None
    return {
        "step": taken.step,
        "items": list(taken.items),
        "input": taken.input,
        **({"output": taken.output} if taken.ended else {}),
        **({"ended": taken.word} if taken.word else {}),
        **({"error": taken.error, "cause": taken.cause} if taken.error else {}),
        **({"tries": taken.tries} if taken.tries else {}),
        **({"seconds": round(seconds, 3)} if seconds is not None else {}),
    }


def _show(report: Mapping[str, Any], flow: Flow) -> None:
    machine = report["machine"]
    where = "a temporary state machine" if machine["temporary"] else f"the deployed state machine {machine['arn']}"
    click.echo(f"Flow {report['flow']}, in {where}" + (f": {machine['why']}" if machine["why"] else ""))
    show_table(("step", "input", "output", "seconds", "what happened"), _rows(report["steps"], flow))
    click.echo()
    if report["status"] == "SUCCEEDED":
        click.echo(f"succeeded after {report['seconds']} s with:")
        click.echo(json.dumps(report["output"], indent=2, ensure_ascii=False))
        return
    why = ": ".join(report[name] for name in ("error", "cause") if name in report)
    click.echo(
        f"{report['status'].lower().replace('_', ' ')} after {report['seconds']} s" + (f": {why}" if why else "")
    )


def _rows(steps: Sequence[Mapping[str, Any]], flow: Flow) -> Iterator[tuple[str, ...]]:
    """A row a step; of the many items of a split the first."""
    splits = {inner.name: step.name for step in flow.walk() if isinstance(step, Split) for inner in walk(step.steps)}
    hidden: dict[str, set[int]] = {}
    for step in _by_item(steps):
        items = step["items"]
        if any(item >= ITEMS_SHOWN for item in items):
            hidden.setdefault(splits.get(step["step"], ""), set()).add(items[-1])
            continue
        if not items:
            yield from _left_out(hidden)
            hidden = {}
        number = f"[{items[-1]}] " if items else ""
        yield (
            "  " * len(items) + number + step["step"],
            short(step["input"], SHOWN),
            short(step["output"], SHOWN) if "output" in step and "error" not in step else "",
            str(step.get("seconds", "")),
            _happened(step),
        )
    yield from _left_out(hidden)


def _by_item(steps: Sequence[Mapping[str, Any]]) -> Iterator[Mapping[str, Any]]:
    """The items of a split run at once; here they stand one after another."""
    for inside, group in groupby(steps, key=lambda step: bool(step["items"])):
        found = [*group]
        yield from sorted(found, key=lambda step: step["items"]) if inside else found


def _left_out(hidden: Mapping[str, set[int]]) -> Iterator[tuple[str, ...]]:
    for split, numbers in hidden.items():
        yield (f"  … {counted(len(numbers), 'more item')} of {split}", *[""] * 4)


def _happened(step: Mapping[str, Any]) -> str:
    parts = [step["ended"]] if "ended" in step else []
    if "error" in step:
        parts.append(f"failed: {step['error']}")
    if step.get("tries", 0) > 1:
        parts.append(f"{step['tries']} calls")
    return ", ".join(parts)
