"""What commands have in common in how they talk: colours and tables in a terminal, plain text into pipes and files."""

import json
import sys
from collections.abc import Iterable, Sequence
from itertools import groupby
from typing import Any

import click

from signalbox.problems import Problem, errors
from signalbox.runtime.text import printable

_CELL = 2_000
"""Characters of a table's cell that are shown."""
_COLOURS = {"error": "red", "warning": "yellow"}


def in_terminal() -> bool:
    """Does somebody read standard output as it comes?"""
    return sys.stdout.isatty()


def short(value: Any, characters: int) -> str:
    """`value` as JSON text that may be shown, cut where it is longer than `characters`."""
    return printable(json.dumps(value, ensure_ascii=False), characters)


def problems_report(problems: Sequence[Problem]) -> dict[str, Any]:
    """Problems as the JSON that is printed of them."""
    bad = len(errors(problems))
    return {
        "ok": not bad,
        "errors": bad,
        "warnings": len(problems) - bad,
        "problems": [problem.as_dict() for problem in problems],
    }


def show_problems(problems: Sequence[Problem], *, as_json: bool = False) -> None:
    """Print problems by file, each with `file:line` first, and what was got, what is allowed, and how to mend it; or as
    one JSON object, for whoever asked for JSON."""
    if as_json:
        click.echo(json.dumps(problems_report(problems), indent=2, ensure_ascii=False))
        return
    ordered = sorted(problems, key=lambda p: (p.file, p.line, p.path))
    for position, (_, group) in enumerate(groupby(ordered, key=lambda p: p.file)):
        if position:
            click.echo()
        for problem in group:
            show_problem(problem)


def show_problem(problem: Problem) -> None:
    """Print one problem."""
    problem = problem.shown()
    place = f"{problem.file}:{problem.line}" if problem.file and problem.line else problem.file
    head = [click.style(place, bold=True)] if place else []
    head.append(click.style(problem.severity, fg=_COLOURS[problem.severity], bold=True))
    if problem.path:
        head.append(click.style(problem.path, fg="cyan"))
    head.append(problem.what)
    click.echo(": ".join(head))
    for label, text in (("got", problem.got), ("allowed", problem.allowed), ("fix", problem.fix)):
        if text:
            click.echo(f"    {click.style(f'{label}:', dim=True)} {text}")


def show_table(headers: Sequence[str], rows: Iterable[Sequence[str]], title: str = "") -> None:
    """Print a table: ruled in a terminal, else in plain columns."""
    rows = [[printable(str(cell), _CELL) for cell in row] for row in rows]
    if in_terminal():
        from rich.console import Console  # a tenth of a second that pipes need not wait for
        from rich.table import Table
        from rich.text import Text

        table = Table(*headers, title=title or None, title_justify="left")
        for row in rows:
            table.add_row(*map(Text, row))
        Console().print(table)
        return
    if title:
        click.echo(title)
    widths = [max(map(len, column)) for column in zip(headers, *rows, strict=True)]
    for row in [list(headers), *rows]:
        click.echo("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def counted(number: int, thing: str) -> str:
    """`1 error`, `2 errors`."""
    return f"{number} {thing}{'' if number == 1 else 's'}"


class Progress:
    """A line on standard error that says how far we are; nothing unless a terminal is there to show it."""

    def __init__(self, what: str) -> None:
        self._what = what
        self._shown = False

    def __call__(self, done: int, total: int) -> None:
        """Say that `done` of `total` are done."""
        if sys.stderr.isatty():
            click.echo(f"\r{self._what} {done}/{total} ", nl=False, err=True)
            self._shown = True

    def clear(self) -> None:
        """Take the line away."""
        if self._shown:
            click.echo(f"\r{' ' * (len(self._what) + 24)}\r", nl=False, err=True)
