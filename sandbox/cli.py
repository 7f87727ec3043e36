"""`python -m sandbox`: the whole of AWS that the program needs, on this machine."""

import json
import re
import shutil
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from sandbox.emulator import Emulator, EmulatorError
from sandbox.places import DATA, STATE
from sandbox.progress import StepFailed
from sandbox.received import read, wait_until_quiet
from sandbox.report import show
from sandbox.stack import PARK_TOPIC, PulumiError, Sandbox
from sandbox.toolchain import ToolchainError

MESSAGE = DATA / "ride-times-3.json"
EMERGENCY = DATA / "outage-test-event.json"
RIDES = DATA / "rides.json"
OUTAGES = 3
"""So many of one ride within an hour are what mappings/flows/repeat-outages.yaml asks for maintenance at."""
LOUD = re.compile(r"EVENT LOST|DENIED| (ERROR|CRITICAL) |Traceback")

out = Console(highlight=False, width=None if sys.stdout.isatty() else 160)


class Commands(click.Group):
    """Says the sandbox's own errors without a traceback."""

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except (EmulatorError, PulumiError, StepFailed, ToolchainError) as error:
            raise click.ClickException(str(error)) from error


rules_quota = click.option(
    "--rules-quota",
    type=click.IntRange(min=1),
    help="Rules that a bus may have, in the emulator and as signalbox:rules-quota. Default: as last time, else 300.",
)
aws_plugin = click.option("--aws-plugin", is_flag=True, help="Use Pulumi's own plugin for AWS, not the stand-in.")


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
def main() -> None:
    """Signalbox on one machine: an emulated AWS, and the real Pulumi engine deploying to it."""


@main.command()
@rules_quota
@aws_plugin
def up(rules_quota: int | None, aws_plugin: bool) -> None:
    """Start everything, deploy the stack, send a ride-times message and outages, show what each route received."""
    sandbox = Sandbox(rules_per_bus=rules_quota, aws_plugin=aws_plugin)
    options = []
    if sandbox.emulator.was_killed():
        click.echo(
            "The emulator was killed: what it had not saved is gone. Pulumi looks at what is left (--refresh).",
            err=True,
        )
        options.append("--refresh")
    sandbox.start()
    sandbox.pulumi("up", "--yes", "--skip-preview", *options, show=True)
    since = time.time()
    _publish(sandbox, MESSAGE.read_text())
    ride = _ride_of_the_minute()
    _put_events(sandbox, [_outage(ride)] * OUTAGES + json.loads(EMERGENCY.read_text()))
    sent = f"{MESSAGE.name} to the topic {PARK_TOPIC}, {OUTAGES} outages of {ride} and {EMERGENCY.name} to the bus"
    out.print(f"Sent {sent}. What each route received:\n")
    _show(sandbox.emulator, since)


@main.command(context_settings={"ignore_unknown_options": True})
@rules_quota
@aws_plugin
@click.argument("arguments", nargs=-1, type=click.UNPROCESSED)
def preview(rules_quota: int | None, aws_plugin: bool, arguments: Sequence[str]) -> None:
    """Show what `up` would change; ARGUMENTS (such as --diff) go to `pulumi preview`."""
    sandbox = Sandbox(rules_per_bus=rules_quota, aws_plugin=aws_plugin)
    sandbox.start()
    sandbox.pulumi("preview", *arguments, show=True)


@main.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def send(file: Path) -> None:
    """Send FILE: a message of the ride controller (a JSON object), or events (a list of PutEvents entries)."""
    sandbox = _running()
    text = file.read_text()
    try:
        content = json.loads(text)
    except ValueError as error:
        raise click.ClickException(f"{file} is not JSON: {error}") from error
    since = time.time()
    if isinstance(content, list):
        _put_events(sandbox, content)
    else:
        _publish(sandbox, text)
    _show(sandbox.emulator, since)


@main.command()
@click.option("--json", "as_json", is_flag=True, help="Everything, for scripts.")
@click.option("--since", type=float, default=0.0, help="Epoch seconds; all by default.")
def received(as_json: bool, since: float) -> None:
    """Show what every target got: log events, mail, SMS, metric data, function results, dead letters."""
    emulator = _running().emulator
    wait_until_quiet(emulator)
    found = read(emulator, since)
    if as_json:
        click.echo(json.dumps(found.as_json(), indent=2))
    else:
        show(found, out)


@main.command()
@click.option("--all", "everything", is_flag=True, help="The whole log of the emulator.")
@click.option("--follow", "-f", is_flag=True, help="Go on as the log grows.")
def logs(everything: bool, follow: bool) -> None:
    """Show what went wrong inside the emulator: lost events, missing permissions, errors."""
    log = Sandbox().emulator.log
    if not log.exists():
        raise click.ClickException(f"there is no log yet at {log}; `python -m sandbox up` starts the sandbox")
    with log.open(errors="replace") as lines:
        while True:
            for line in lines:
                if everything or LOUD.search(line):
                    click.echo(line, nl=False)
            if not follow:
                return
            time.sleep(0.3)


@main.command()
@rules_quota
@aws_plugin
def env(rules_quota: int | None, aws_plugin: bool) -> None:
    """Print exports: `eval "$(python -m sandbox env)"` makes pulumi, aws and boto3 work in your shell."""
    sandbox = Sandbox(rules_per_bus=rules_quota, aws_plugin=aws_plugin)
    sandbox.start()
    click.echo(sandbox.exports())


@main.command()
@click.option("--forget", is_flag=True, help="Delete all its state as well: emulator, Pulumi backend, logs.")
def down(forget: bool) -> None:
    """Stop every process that the sandbox has started. State is kept for the next `up`."""
    stopped = Sandbox().stop()
    out.print("The sandbox is stopped." if stopped else "The sandbox was not running.")
    if forget:
        shutil.rmtree(STATE, ignore_errors=True)
        out.print(f"Its state in {STATE} is deleted.")


def _running() -> Sandbox:
    sandbox = Sandbox()
    if not sandbox.emulator.running():
        raise click.ClickException("the sandbox is not running; fix: `python -m sandbox up`")
    return sandbox


def _publish(sandbox: Sandbox, message: str) -> None:
    sns = sandbox.emulator.client("sns")
    sns.publish(TopicArn=sns.create_topic(Name=PARK_TOPIC)["TopicArn"], Message=message)


def _ride_of_the_minute() -> str:
    """A ride that the last minute's `up` has not taken: of one ride maintenance is asked for once an hour."""
    rides = json.loads(RIDES.read_text())
    return rides[int(time.time() // 60) % len(rides)]["rideId"]


def _outage(ride: str) -> dict[str, Any]:
    detail = {"rideId": ride, "type": "Info", "description": "Stopped by operator"}
    return {"Source": "themepark.rides", "DetailType": "outage", "Detail": json.dumps(detail)}


def _put_events(sandbox: Sandbox, entries: Sequence[dict[str, Any]]) -> None:
    bus = sandbox.outputs()["bus"]
    events = sandbox.emulator.client("events")
    for start in range(0, len(entries), 10):
        answer = events.put_events(Entries=[{"EventBusName": bus, **entry} for entry in entries[start : start + 10]])
        for position, entry in enumerate(answer["Entries"], start):
            if "ErrorCode" in entry:
                raise click.ClickException(
                    f"entry {position} was refused: {entry['ErrorCode']}: {entry['ErrorMessage']}"
                )


def _show(emulator: Emulator, since: float) -> None:
    if not wait_until_quiet(emulator):
        click.echo("Some work is still under way; `python -m sandbox received` shows the rest later.", err=True)
    show(read(emulator, since), out)
