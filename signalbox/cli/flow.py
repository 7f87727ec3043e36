"""`flow`: what the state machine of a flow is, and how it looks."""

import contextlib
import sys
from pathlib import Path

import click

from signalbox.cli.console import show_problems
from signalbox.flows import EXAMPLE, Flow, Names, compile_flow, definition
from signalbox.flows import draw as drawing
from signalbox.flows.files import read_folder
from signalbox.model import Event
from signalbox.problems import did_you_mean, errors

_FOLDER = click.option(
    "--mappings",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    default=Path("mappings"),
    show_default=True,
    help="Folder of the definitions.",
)
_FUNCTIONS = click.option(
    "--functions",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Folder of the processing functions.  [default: functions/ beside the definitions]",
)


@click.group()
def flow() -> None:
    """See what flows become: state machines of AWS Step Functions."""


@flow.command(name="compile")
@click.argument("flow_id", metavar="ID")
@click.option("--stack", default=EXAMPLE.stack, show_default=True, help="Name of the stack, as signalbox:name.")
@click.option("--region", default=EXAMPLE.region, show_default=True)
@click.option("--account", default=EXAMPLE.account, show_default=True)
@click.option("--partition", default=EXAMPLE.partition, show_default=True)
@_FOLDER
@_FUNCTIONS
def compile_(
    flow_id: str, stack: str, region: str, account: str, partition: str, mappings: Path, functions: Path | None
) -> None:
    """Print the flow ID as Amazon States Language, as a deploy gives it to Step Functions.

    Exit code: 0 fine, also with warnings; 1 errors in the flow.
    """
    found, events = _read(flow_id, mappings, functions)
    queue = f"https://sqs.{region}.amazonaws.com/{account}/{stack}-undelivered"
    names = Names(stack=stack, region=region, account=account, undelivered_url=queue, partition=partition)
    click.echo(definition(compile_flow(found, names, events)))


@flow.command()
@click.argument("flow_id", metavar="ID")
@_FOLDER
@_FUNCTIONS
def draw(flow_id: str, mappings: Path, functions: Path | None) -> None:
    """Print the flow ID as a Mermaid flowchart, which GitHub and many editors show as a picture.

    Exit code: 0 fine, also with warnings; 1 errors in the flow.
    """
    found, _ = _read(flow_id, mappings, functions)
    click.echo(drawing(found), nl=False)


def _read(flow_id: str, mappings: Path, functions: Path | None) -> tuple[Flow, dict[str, Event]]:
    """The flow and the events; ends the program, with every fault of the flow said, where there are errors."""
    flows, events, problems = read_folder(mappings, functions or mappings.parent / "functions")
    file = str(mappings / "flows" / f"{flow_id}.yaml")
    own = [problem for problem in problems if problem.file == file]
    if flow_id not in flows and not own:
        hint = did_you_mean(flow_id, flows) or f"flows are {mappings}/flows/<flow-id>.yaml"
        raise click.UsageError(f"there is no flow {flow_id}; {hint}")
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for what was asked for
        show_problems(own)
    if errors(own):
        sys.exit(1)
    return flows[flow_id], events
