"""Which definitions a command is about, and what it says when they cannot be used."""

import sys
from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from signalbox.cli.console import show_problems
from signalbox.definitions.loader import read_anyway
from signalbox.model import Definitions
from signalbox.problems import errors


@dataclass(frozen=True, slots=True)
class Place:
    """Which definitions to read, and the one file of them that is asked about, if it is one."""

    mappings: Path
    functions: Path
    file: Path | None = None


def place_of(path: Path, functions: Path | None) -> Place:
    """Where the definitions are that `path` is, or is a file of. `functions` None: the folder `functions` beside."""
    if path.suffix == ".yaml":
        root = path.parent.parent if path.parent.name in ("events", "flows") else path.parent
        return Place(root, functions or root.parent / "functions", path)
    return Place(path, functions or path.parent / "functions")


def functions_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--functions` and `--source`: what belongs to definitions and is not under their folder."""
    command = click.option("--source", help="Source of events whose Python dict gives none, as signalbox:source.")(
        command
    )
    return click.option(
        "--functions",
        type=click.Path(exists=True, file_okay=False, path_type=Path),
        help="Folder of the processing functions.  [default: functions/ beside the definitions]",
    )(command)


def mappings_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--mappings`: for commands whose arguments are something else."""
    return click.option(
        "--mappings",
        type=click.Path(exists=True, path_type=Path),
        default=Path("mappings"),
        show_default=True,
        help="The definitions: a folder, or a Python file with two dicts.",
    )(functions_option(command))


def usable_definitions(place: Place, source: str | None, *, but: Collection[str] = ()) -> Definitions:
    """The definitions at `place`. Where they have errors (codes `but` aside), shows them and ends with 1."""
    definitions, problems = read_anyway(place.mappings, place.functions, source=source)
    if bad := [problem for problem in errors(problems) if problem.code not in but]:
        show_problems(bad)
        click.echo("\nthe definitions have errors: mend them first", err=True)
        sys.exit(1)
    return definitions
