"""Which definitions a command is about, and what it says when they cannot be used."""

import sys
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from os.path import normpath, relpath
from pathlib import Path
from typing import Any

import click

from signalbox.cli.console import show_problems
from signalbox.definitions.loader import read_anyway
from signalbox.model import Definitions, Event
from signalbox.problems import Problem, did_you_mean, errors

DIFFERENCES = ("sample-missed", "sample-taken")
"""Errors that say how definitions and their samples differ, which some commands show themselves."""


@dataclass(frozen=True, slots=True)
class Place:
    """Which definitions to read, and the one file of them that is asked about, if it is one: as the person wrote it."""

    mappings: Path
    functions: Path
    file: Path | None = None

    def asked(self, problems: Iterable[Problem]) -> list[Problem]:
        """Those of `problems` that are asked about."""
        if self.file is None:
            return list(problems)
        file = _absolute(self.file)
        return [replace(each, file=str(self.file)) for each in problems if each.file and _absolute(each.file) == file]


def place_of(path: Path, functions: Path | None) -> Place:
    """Where the definitions are that `path` is, or is a file of. `functions` None: the folder `functions` beside."""
    whole = _absolute(path)  # `.` and `a.yaml` have no parents of their own
    if path.suffix != ".yaml":
        return Place(path, functions or _written(whole.parent / "functions", path))
    root = whole.parent.parent if whole.parent.name in ("events", "flows") else whole.parent
    return Place(_written(root, path), functions or _written(root.parent / "functions", path), path)


def _absolute(path: Path | str) -> Path:
    """`path` from the root, links as they are: what is beside a link is not what is beside the thing it leads to."""
    return Path(normpath(Path(path).absolute()))


def _written(whole: Path, like: Path) -> Path:
    """The absolute path `whole` as the person who wrote `like` would write it."""
    return whole if like.is_absolute() else Path(relpath(whole))


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


def event_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """`--event`: for commands that read events from files."""
    return click.option(
        "--event", "event_id", metavar="ID", help="EVENT.json holds just the detail of this event of the definitions."
    )(command)


def kind_of(event_id: str | None, definitions: Definitions) -> Event | None:
    """The event that `--event` names. Raises click.UsageError where there is no such event."""
    if event_id is None or event_id in definitions.events:
        return None if event_id is None else definitions.events[event_id]
    hint = did_you_mean(event_id, definitions.events) or f"allowed: {', '.join(definitions.events) or 'none'}"
    raise click.UsageError(f"there is no event {event_id}; {hint}")


def usable_definitions(
    place: Place, source: str | None, *, but: Collection[str] = (), as_json: bool = False
) -> Definitions:
    """The definitions at `place`. Where they have errors (codes `but` aside), shows them and ends with 1."""
    definitions, problems = read_anyway(place.mappings, place.functions, source=source)
    if bad := [problem for problem in errors(problems) if problem.code not in but]:
        show_problems(bad, as_json=as_json)
        click.echo("\nthe definitions have errors: mend them first", err=True)
        sys.exit(1)
    return definitions
