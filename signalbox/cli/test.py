"""`test`: samples and events tried on the routes, as a matrix."""

import json
import sys
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from signalbox.classic import pattern_of
from signalbox.cli.console import counted, in_terminal, short, show_table
from signalbox.cli.definitions_at import (
    DIFFERENCES,
    event_option,
    kind_of,
    mappings_option,
    place_of,
    usable_definitions,
)
from signalbox.cli.events_in import Given, read_events
from signalbox.model import Definitions
from signalbox.patterns import EventError, RuleSet
from signalbox.samples import NoExampleError, sample_event

_COLUMNS = 12
"""Routes that a matrix has columns for; of more, those that take a sample are listed by name."""
_LABEL = 48


@dataclass(frozen=True, slots=True)
class Trial:
    """One event tried on all routes. `event` is the id of the kind that a sample is of, empty for an event of a file;
    `taken` and `expected` are route ids, the latter None where nothing is said."""

    event: str
    name: str
    label: str
    taken: frozenset[str]
    expected: frozenset[str] | None = None
    fault: str = ""
    """Why it could not be tried."""

    @property
    def missing(self) -> frozenset[str]:
        """Routes that should take it and do not."""
        return frozenset() if self.expected is None else self.expected - self.taken

    @property
    def extra(self) -> frozenset[str]:
        """Routes of its kind that take it and should not."""
        own = {route for route in self.taken if route.startswith(f"{self.event}/")}
        return frozenset() if self.expected is None else frozenset(own - self.expected)


@click.command()
@click.argument("files", nargs=-1, type=click.Path(allow_dash=True, path_type=Path), metavar="[EVENT.json]...")
@event_option
@mappings_option
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead of tables.")
def test(
    files: tuple[Path, ...],
    event_id: str | None,
    mappings: Path,
    functions: Path | None,
    source: str | None,
    as_json: bool,
) -> None:
    """Try samples and events on the routes: what each route takes.

    Shows the samples of the definitions, and the events of the files, against the routes; then samples that several
    routes take, samples that no route takes, and routes that no sample reaches. Whether a route is enabled makes no
    difference here.

    EVENT.json holds events as EventBridge delivers them or entries of PutEvents, one or a list; - is standard input.

    Exit code: 0 every sample takes the routes that it says; 1 one does not, or the definitions have errors.
    """
    definitions = usable_definitions(place_of(mappings, functions), source, but=DIFFERENCES, as_json=as_json)
    kind = kind_of(event_id, definitions)
    given = [
        (f"{file.name} {number}", each) for file in files for number, each in enumerate(read_events(file, kind), 1)
    ]
    trials = _trials(definitions, given)
    wrong = [trial for trial in trials if trial.missing or trial.extra]
    if as_json:
        click.echo(json.dumps(_report(definitions, trials), indent=2, ensure_ascii=False))
    else:
        _show(definitions, trials, wrong)
    sys.exit(1 if wrong else 0)


def _trials(definitions: Definitions, given: Iterable[tuple[str, Given]]) -> list[Trial]:
    events = definitions.events
    rules = RuleSet({route.id: pattern_of(events[route.event_id], route) for route in definitions.routes()})
    trials = []
    for event in events.values():
        for number, sample in enumerate(event.samples, 1):
            expected = None if sample.routes is None else frozenset(f"{event.id}/{name}" for name in sample.routes)
            name, label = f"sample {number}", short(sample.detail, _LABEL)
            try:
                whole = sample_event(event, sample)
            except NoExampleError as error:
                trials.append(Trial(event.id, name, label, frozenset(), fault=str(error)))
                continue
            trials.append(Trial(event.id, name, label, _taken(rules, whole, f"{event.id}, {name}"), expected))
    for name, each in given:
        trials.append(Trial("", name, short(each.value["detail"], _LABEL), _taken(rules, each.text, name)))
    return trials


def _taken(rules: RuleSet[str], event: str | dict[str, Any], name: str) -> frozenset[str]:
    try:
        return frozenset(rules.match(event))
    except EventError as error:
        raise click.ClickException(f"{name}: the event cannot be matched: {error}") from error


def _show(definitions: Definitions, trials: Sequence[Trial], wrong: Sequence[Trial]) -> None:
    for event in definitions.events.values():
        own = [trial for trial in trials if trial.event == event.id]
        if own:
            _show_matrix(event.id, [f"{event.id}/{name}" for name in event.routes], own)
    if others := [trial for trial in trials if not trial.event]:
        rows = [(trial.name, trial.label, ", ".join(sorted(trial.taken)) or "none") for trial in others]
        show_table(("event", "detail", "taken by"), rows, title="events")
        click.echo()
    for trial in wrong:
        where = f"{trial.event}, {trial.name}"
        for route in sorted(trial.missing):
            click.echo(f"{click.style('missed', fg='red')}: {where} ({trial.label}): {route} does not take it")
        for route in sorted(trial.extra):
            click.echo(f"{click.style('not expected', fg='red')}: {where} ({trial.label}): {route} takes it")
    for what, names in _remarks(definitions, trials).items():
        for name in names:
            click.echo(f"{click.style(what, fg='yellow')}: {name}")
    said = sum(trial.expected is not None for trial in trials)
    head = click.style(counted(len(wrong), "failure"), fg="red") if wrong else click.style("fine", fg="green")
    routes = len(definitions.routes())
    click.echo(f"{head}: {counted(len(trials), 'event')}, {said} of which say their routes; {counted(routes, 'route')}")


def _show_matrix(event_id: str, routes: Sequence[str], trials: Sequence[Trial]) -> None:
    foreign = sorted({route for trial in trials for route in trial.taken} - set(routes))
    columns = [*routes, *foreign]
    if len(columns) <= _COLUMNS:
        names = [route.removeprefix(f"{event_id}/") for route in columns]
        rows = [(trial.name, trial.label, *(_mark(trial, route) for route in columns)) for trial in trials]
        show_table(("sample", "detail", *names), rows, title=event_id)
    else:
        rows = [(trial.name, trial.label, ", ".join(sorted(trial.taken)) or "none") for trial in trials]
        show_table(("sample", "detail", "taken by"), rows, title=event_id)
    click.echo()


def _mark(trial: Trial, route: str) -> str:
    if trial.fault:
        return "?"
    if route in trial.missing:
        return "MISSED"
    if route in trial.extra:
        return "NOT EXPECTED"
    if route not in trial.taken:
        return "·" if in_terminal() else "-"
    return "overlap" if len(trial.taken) > 1 else "match"


def _remarks(definitions: Definitions, trials: Sequence[Trial]) -> dict[str, list[str]]:
    """What is no failure, and worth a look."""
    reached = {route for trial in trials for route in trial.taken}

    def name(trial: Trial) -> str:
        return f"{f'{trial.event}, ' if trial.event else ''}{trial.name} ({trial.label})"

    return {
        "several routes take": [
            f"{name(trial)}: {', '.join(sorted(trial.taken))}" for trial in trials if len(trial.taken) > 1
        ],
        "no route takes": [
            name(trial) for trial in trials if not trial.taken and not trial.fault and trial.expected != frozenset()
        ],
        "cannot be tried": [f"{name(trial)}: {trial.fault}" for trial in trials if trial.fault],
        "no sample reaches": [route.id for route in definitions.routes() if route.id not in reached],
    }


def _report(definitions: Definitions, trials: Sequence[Trial]) -> dict[str, Any]:
    remarks = _remarks(definitions, trials)
    return {
        "ok": not any(trial.missing or trial.extra for trial in trials),
        "trials": [
            {
                "event": trial.event,
                "name": trial.name,
                "taken": sorted(trial.taken),
                "expected": None if trial.expected is None else sorted(trial.expected),
                "missing": sorted(trial.missing),
                "extra": sorted(trial.extra),
                **({"fault": trial.fault} if trial.fault else {}),
            }
            for trial in trials
        ],
        "overlaps": remarks["several routes take"],
        "untaken": remarks["no route takes"],
        "unreached": remarks["no sample reaches"],
    }
