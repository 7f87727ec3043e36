"""`check`: what is wrong with definitions, before anything is deployed."""

import json
import sys
from dataclasses import asdict
from pathlib import Path

import click

from signalbox.classic import RULES_PER_BUS
from signalbox.cli.console import Progress, counted, problems_report, show_problems, show_table
from signalbox.cli.definitions_at import functions_option, place_of
from signalbox.definitions.budget import Use, budget, budget_problems
from signalbox.definitions.context import Stack
from signalbox.definitions.loader import read
from signalbox.model import Definitions
from signalbox.problems import Problem, errors


@click.command()
@click.argument("path", type=click.Path(exists=True, path_type=Path), default=Path("mappings"), metavar="[FOLDER|FILE]")
@functions_option
@click.option(
    "--rules-quota",
    type=click.IntRange(min=1),
    default=RULES_PER_BUS,
    show_default=True,
    help="Rules that the account allows on a bus, as signalbox:rules-quota.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of text.")
def check(path: Path, functions: Path | None, source: str | None, rules_quota: int, as_json: bool) -> None:
    """Check definitions, without AWS and without Pulumi.

    FOLDER holds events/*.yaml, flows/*.yaml and destinations.yaml (default: mappings); FILE is one of those files,
    whose faults only are then shown, or a Python file with the dicts event_schemas and routing_configs.

    Every fault is shown at once, with its file and line. Exit code: 0 fine, also with warnings; 1 errors; 2 wrong use.
    """
    place = place_of(path, functions)
    progress = Progress("checking events")
    definitions, problems = read(
        place.mappings, place.functions, stack=Stack(rules_quota=rules_quota), source=source, progress=progress
    )
    uses = [] if definitions is None else budget(definitions, rules_quota)
    problems += budget_problems(uses)
    progress.clear()
    shown = place.asked(problems)
    if as_json:
        report = {**problems_report(shown), "budget": [asdict(use) for use in uses]}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        show_problems(shown)
        if shown:
            click.echo()
        click.echo(_summary(definitions, shown, len(problems) - len(shown)))
        if uses and place.file is None:
            click.echo()
            _show_budget(uses)
    sys.exit(1 if errors(shown) else 0)


def _show_budget(uses: list[Use]) -> None:
    rows = [(f"{use.share:.0%}", use.what, use.amount, use.where) for use in uses]
    show_table(("used", "limit", "how much", "where"), rows)


def _summary(definitions: Definitions | None, problems: list[Problem], elsewhere: int) -> str:
    bad = len(errors(problems))
    warnings = len(problems) - bad
    parts = [counted(number, word) for number, word in ((bad, "error"), (warnings, "warning")) if number]
    head = click.style(", ".join(parts) or "fine", fg="red" if bad else "yellow" if warnings else "green", bold=True)
    if definitions is not None and not bad:
        things = (
            (len(definitions.events), "event"),
            (len(definitions.routes()), "route"),
            (len(definitions.flows), "flow"),
            (len(definitions.destinations), "destination"),
            (len(definitions.functions), "function"),
        )
        head += ": " + ", ".join(counted(number, word) for number, word in things)
    if elsewhere:
        head += f" (and {counted(elsewhere, 'problem')} in other files: check the whole folder)"
    return head
