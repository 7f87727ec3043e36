"""`flow`: what the state machine of a flow is, and how it looks."""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from signalbox.cli.console import show_problems
from signalbox.cli.definitions_at import mappings_option, place_of
from signalbox.definitions.loader import read_anyway
from signalbox.flows import EXAMPLE, Flow, Names, compile_flow, definition, flow_of
from signalbox.flows import draw as drawing
from signalbox.flows.model import Emit
from signalbox.model import Event
from signalbox.problems import Problem, did_you_mean, errors


@click.group()
def flow() -> None:
    """See what flows become: state machines of AWS Step Functions."""


@flow.command(name="compile")
@click.argument("flow_id", metavar="ID")
@click.option("--stack", default=EXAMPLE.stack, show_default=True, help="Name of the stack, as signalbox:name.")
@click.option("--region", default=EXAMPLE.region, show_default=True)
@click.option("--account", default=EXAMPLE.account, show_default=True)
@click.option("--partition", default=EXAMPLE.partition, show_default=True)
@mappings_option
def compile_(
    flow_id: str,
    stack: str,
    region: str,
    account: str,
    partition: str,
    mappings: Path,
    functions: Path | None,
    source: str | None,
) -> None:
    """Print the flow ID as Amazon States Language, as a deploy gives it to Step Functions.

    Exit code: 0 fine, also with warnings; 1 errors in the flow.
    """
    found, events = _read(flow_id, mappings, functions, source)
    queue = f"https://sqs.{region}.amazonaws.com/{account}/{stack}-undelivered"
    names = Names(stack=stack, region=region, account=account, undelivered_url=queue, partition=partition)
    click.echo(definition(compile_flow(found, names, events)))


@flow.command()
@click.argument("flow_id", metavar="ID")
@mappings_option
def draw(flow_id: str, mappings: Path, functions: Path | None, source: str | None) -> None:
    """Print the flow ID as a Mermaid flowchart, which GitHub and many editors show as a picture.

    Exit code: 0 fine, also with warnings; 1 errors in the flow.
    """
    found, _ = _read(flow_id, mappings, functions, source)
    click.echo(drawing(found), nl=False)


def _read(flow_id: str, mappings: Path, functions: Path | None, source: str | None) -> tuple[Flow, Mapping[str, Event]]:
    """The flow and the events; ends the program, with every fault of the flow said, where there are errors."""
    place = place_of(mappings, functions)
    definitions, problems = read_anyway(place.mappings, place.functions, source=source)
    own = [problem for problem in problems if _is_about(problem, flow_id, place.mappings)]
    if flow_id not in definitions.flows and not own:
        hint = did_you_mean(flow_id, definitions.flows) or "flows are mappings/flows/<flow-id>.yaml"
        raise click.UsageError(f"there is no flow {flow_id}; {hint}")
    found = flow_of(flow_id, definitions.flows[flow_id]) if flow_id in definitions.flows else None
    if found is not None and _emits(found) - definitions.events.keys():
        own = errors(problems)  # its own, or those of the events that it emits
    with contextlib.redirect_stdout(sys.stderr):  # standard output is for what was asked for
        show_problems(own)
    if found is None or errors(own):
        sys.exit(1)
    return found, definitions.events


def _is_about(problem: Problem, flow_id: str, mappings: Path) -> bool:
    if mappings.suffix == ".py":
        return problem.path == f"flows.{flow_id}" or problem.path.startswith(f"flows.{flow_id}.")
    return Path(problem.file) == mappings / "flows" / f"{flow_id}.yaml"


def _emits(flow: Flow) -> set[str]:
    return {step.event for step in flow.walk() if isinstance(step, Emit)}
