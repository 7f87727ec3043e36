"""The operator's word to the reconciler: `sync`, `freeze`, `thaw`, `release`."""

import json
import time
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from signalbox.cli.stack import Stack, read_stack, stack_options, talking
from signalbox.effective import live_edits
from signalbox.names import physical
from signalbox.reconcile.difference import owner
from signalbox.runtime.text import printable
from signalbox.store import CONTROL, FREEZE, RELEASE, StoreSnapshot, control_item, is_of_api

RECONCILER = "rule_sync"
LONGEST_SECONDS = 900
"""Lambda's limit: https://docs.aws.amazon.com/lambda/latest/dg/gettingstarted-limits.html"""
BUSY_SECONDS = 60
"""How long a command waits for its turn with the reconciler."""
RELEASE_SECONDS = 60
"""How long `release` waits for the reconciler to take our rules off the bus."""


@click.command()
@stack_options
@click.option("--json", "as_json", is_flag=True, help="Print the reconciler's report as it is.")
def sync(stack_name: str | None, config_file: Path | None, as_json: bool) -> None:
    """Reconcile now: make rules and state machines what the store says, without waiting for the schedule."""
    with talking():
        report = _reconcile(read_stack(stack_name, config_file))
    if as_json:
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        for line in _told(report):
            click.echo(printable(line, 1_000))
    if report["frozen"] or any(report[each] for each in _TROUBLE):
        raise SystemExit(1)


_TROUBLE = ("out_of_step", "errors", "flows_out_of_step", "machines_error")
"""What a report says when something is not as it must be."""


@click.command()
@stack_options
@click.option("--why", default="", help="For whoever wonders why nothing changes.")
def freeze(stack_name: str | None, config_file: Path | None, why: str) -> None:
    """Stop the reconciler, for an incident: run-time edits are stored, and no rule is written until `thaw`."""
    stack = read_stack(stack_name, config_file)
    with talking():
        there = _store(stack).get(CONTROL, FREEZE)
        if there is None:
            _store(stack).put(control_item(FREEZE, at=_now(), by=_caller(stack), why=why))
            click.echo("frozen; python -m signalbox thaw goes on")
            return
    since = f"since {there['At']} by {there['By']}{_because(there)}"
    click.echo(f"frozen already, {printable(since, 1_000)}; thaw goes on")


@click.command()
@stack_options
def thaw(stack_name: str | None, config_file: Path | None) -> None:
    """Let the reconciler work again after `freeze` or `release`, and reconcile now."""
    stack = read_stack(stack_name, config_file)
    with talking():
        store = _store(stack)
        for word in (FREEZE, RELEASE):
            store.delete(CONTROL, word)
        report = _reconcile(stack)
    for line in _told(report):
        click.echo(printable(line, 1_000))


@click.command()
@stack_options
@click.option(
    "--save",
    type=click.Path(dir_okay=False, path_type=Path),
    help="Where run-time edits and flows are saved.  [default: <name>-edits.json]",
)
def release(stack_name: str | None, config_file: Path | None, save: Path | None) -> None:
    """Before a `pulumi destroy`: save run-time edits and flows to a file, and take away our rules and their machines.

    Rules, targets and state machines that were made at run time are in no Pulumi state: they would block the deletion
    of the bus, or stay behind. From now on the reconciler keeps the bus empty, and events are routed nowhere: `thaw`
    takes it back.
    """
    from signalbox.aws.store import read_store

    stack = read_stack(stack_name, config_file)
    with talking():
        store = _store(stack)
        _refuse_protected(stack)
        if store.get(CONTROL, FREEZE) is not None:
            raise click.ClickException("the reconciler is frozen; fix: python -m signalbox thaw, then release")
        made = made_at_run_time(read_store(stack.session().client("dynamodb"), stack.store))
        edits, flows = made["edits"], made["flows"]
        file = save or Path(f"{stack.name}-edits.json")
        if edits or flows:
            file.write_text(json.dumps(made, indent=2, ensure_ascii=False))
            click.echo(f"{len(edits)} events have run-time edits, {len(flows)} flows were made so; saved to {file}")
            click.echo(f"after the next pulumi up, `python -m signalbox restore {file}` brings them back")
        store.put(control_item(RELEASE, at=_now(), by=_caller(stack)))
        _wait_until_empty(stack)
    click.echo("the bus holds no rule of ours, and no flow made at run time has a machine; next: pulumi destroy")


def made_at_run_time(store: StoreSnapshot) -> dict[str, Any]:
    """What the definitions do not say: `edits`, the routes' configs by event and route (None: deleted), and `flows`,
    the definitions by id. `restore` posts them."""
    edits: dict[str, dict[str, Any]] = {}
    for event_id in sorted(store.overrides):
        if live := live_edits(event_id, store):
            edits[event_id] = {name: each.config for name, each in live.items()}
    flows = {name: json.loads(item["Data"]) for name, item in store.flows.items() if is_of_api(item)}
    return {"edits": edits, "flows": flows}


def _refuse_protected(stack: Stack) -> None:
    table = stack.session().client("dynamodb").describe_table(TableName=stack.store)["Table"]
    if table.get("DeletionProtectionEnabled"):
        raise click.ClickException(
            f"the event store {stack.store} is protected from deletion, so a destroy would stop halfway; "
            "fix: pulumi config set signalbox:deletion-protection false, pulumi up, then release"
        )


def _wait_until_empty(stack: Stack) -> None:
    from signalbox.aws.rules import rules_on_bus

    events = stack.session().client("events")
    until = time.monotonic() + RELEASE_SECONDS
    while True:
        report = _reconcile(stack)
        left = [f"rule {rule['Name']}" for rule in rules_on_bus(events, stack.name) if owner(rule, stack.name)]
        left += (f"state machine of flow {flow}" for flow in report["flows_out_of_step"])
        if not left and not report["machines_error"]:
            return
        if time.monotonic() > until:
            why = "; ".join(_told(report))
            raise click.ClickException(f"still there after {RELEASE_SECONDS} s: {', '.join(left) or '?'}; {why}")
        time.sleep(1)


def _because(word: Mapping[str, Any]) -> str:
    return f" ({word['Why']})" if word.get("Why") else ""


def _reconcile(stack: Stack) -> dict[str, Any]:
    """Run the reconciler, wait for it, and give its report."""
    name = physical(stack.name, RECONCILER)
    answer = _invoke(stack.session().client("lambda", config=_patient()), name)
    content = json.loads(answer["Payload"].read() or b"null")
    if "FunctionError" in answer:
        raise click.ClickException(
            f"the reconciler failed: {content.get('errorMessage', content)}; see the log group /aws/lambda/{name}"
        )
    return content


def _patient() -> Any:
    """A pass is waited for as long as Lambda lets it run: another that is asked for meanwhile would be turned away."""
    from botocore.config import Config

    return Config(read_timeout=LONGEST_SECONDS, retries={"total_max_attempts": 1})


def _invoke(client: Any, name: str) -> dict[str, Any]:
    """Invoke the reconciler, which runs once at a time: while it does, everybody else is told to come back."""
    until = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            return client.invoke(FunctionName=name, InvocationType="RequestResponse", Payload=b"{}")
        except client.exceptions.TooManyRequestsException:
            if time.monotonic() > until:
                raise
            time.sleep(1)


def _told(report: dict[str, Any]) -> Iterator[str]:
    if report["frozen"]:
        yield "frozen: nothing was done (python -m signalbox thaw)"
        return
    out = len(report["out_of_step"]) + len(report["errors"])
    yield f"{report['routes']} routes, {out} out of step; {report['writes']} calls changed a rule"
    flows = report["flows_out_of_step"]
    if report["flows"] or report["machine_writes"]:
        yield (
            f"{report['flows']} flows made at run time, {len(flows)} out of step; "
            f"{report['machine_writes']} calls changed a state machine"
        )
    if report["machines_error"]:
        yield f"state machines cannot be listed: {report['machines_error']}"
    for flow, note in flows.items():
        yield f"flow {flow}: {note['state']}: {note.get('error', '')}"
    for route, entry in report["out_of_step"].items():
        yield f"{route}: {entry['state']}: {entry.get('error', '')}"
    for event, error in report["errors"].items():
        yield f"{event}: {error}"
    for route in report["repaired"]:
        yield f"{route}: was changed by hand, and put right"
    for route in report["conflicts"]:
        yield f"{route}: the run-time edit collides with the definitions: pulumi preview says how to decide"


def _store(stack: Stack) -> Any:
    from signalbox.aws.store import DynamoStore

    return DynamoStore(stack.session().client("dynamodb"), stack.store)


def _caller(stack: Stack) -> str:
    return stack.session().client("sts").get_caller_identity()["Arn"]


def _now() -> str:
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
