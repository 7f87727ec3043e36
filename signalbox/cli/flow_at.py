"""The flow that a command is about."""

import contextlib
import sys
from collections.abc import Mapping
from pathlib import Path

import click

from signalbox.cli.console import show_problems
from signalbox.cli.definitions_at import place_of
from signalbox.definitions.loader import read_anyway
from signalbox.flows import Flow, flow_of
from signalbox.flows.model import Emit
from signalbox.model import Event
from signalbox.problems import Problem, did_you_mean, errors


def flow_and_events(
    flow_id: str, mappings: Path, functions: Path | None, source: str | None
) -> tuple[Flow, Mapping[str, Event]]:
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
