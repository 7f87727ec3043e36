"""`explain`: which routes take an event, what each target would receive, and why the other routes do not."""

import json
import sys
from pathlib import Path
from typing import Any

import click

from signalbox.classic import pattern_of
from signalbox.cli.console import counted, short
from signalbox.cli.definitions_at import (
    DIFFERENCES,
    event_option,
    kind_of,
    mappings_option,
    place_of,
    usable_definitions,
)
from signalbox.cli.events_in import Given, read_events
from signalbox.model import ROUTER_KINDS, Definitions, Event, Json, Route, Target
from signalbox.names import rule_name
from signalbox.patterns import EventError, Pattern, compile
from signalbox.runtime.text import printable
from signalbox.schema import Violation, compile_schema
from signalbox.transform import rule_variables, transformed

_LINE = 4_000
"""Characters of a line that is shown; --json has all."""
_OTHERS = 10


@click.command()
@click.argument("file", type=click.Path(allow_dash=True, path_type=Path), metavar="EVENT.json")
@event_option
@mappings_option
@click.option("--json", "as_json", is_flag=True, help="Print a JSON array, one object an event, instead of text.")
def explain(
    file: Path, event_id: str | None, mappings: Path, functions: Path | None, source: str | None, as_json: bool
) -> None:
    """Which routes take an event, what each of their targets would receive, and why the other routes do not.

    EVENT.json holds an event as EventBridge delivers it or an entry of PutEvents, or a list of them; - is standard
    input.

    Exit code: 0 explained, also where no route takes the event; 1 the event or the definitions cannot be read.
    """
    place = place_of(mappings, functions)
    definitions = usable_definitions(place, source, but=DIFFERENCES, as_json=as_json)
    events = read_events(file, kind_of(event_id, definitions))
    explained = []
    for number, event in enumerate(events, 1):
        try:
            explained.append(explanation(definitions, event))
        except EventError as error:
            raise click.ClickException(f"{file}, event {number}: the event cannot be matched: {error}") from error
    if as_json:
        click.echo(json.dumps(explained, indent=2, ensure_ascii=False))
    else:
        for event, what in zip(events, explained, strict=True):
            _show(event.value, what)
    sys.exit(0)


def explanation(definitions: Definitions, given: Given) -> dict[str, Any]:
    """What becomes of the event `given` under `definitions`, as JSON. Raises EventError where it cannot be matched.

    `kinds` are the ids of events that it is; `invalid` what of its detail does not fit their schemas; `taken` the
    routes that take it, with what each target receives; `missed` the other routes of its kinds, with the reason;
    `others` the kinds that it is not, with the reason.
    """
    event = given.value
    result: dict[str, Any] = {"kinds": [], "invalid": [], "taken": [], "missed": [], "others": []}
    for kind in definitions.events.values():
        why = compile(pattern_of(kind, Route(kind.id, "", ()))).explain(given.text)
        if not why.matched:
            result["others"].append({"event": kind.id, "routes": len(kind.routes), "why": str(why)})
            continue
        result["kinds"].append(kind.id)
        violations = compile_schema(kind.schema).errors(event["detail"])
        result["invalid"] += [{"event": kind.id, "path": each.pointer, "what": each.message} for each in violations]
        for route in kind.routes.values():
            pattern: Pattern = compile(pattern_of(kind, route))
            why = pattern.explain(given.text)
            if not why.matched:
                result["missed"].append({"route": route.id, "enabled": route.enabled, "why": str(why)})
            else:
                targets = [_received(kind, route, target, event, violations) for target in route.targets]
                result["taken"].append({"route": route.id, "enabled": route.enabled, "targets": targets})
    return result


def _received(
    kind: Event, route: Route, target: Target, event: dict[str, Json], violations: list[Violation]
) -> dict[str, Any]:
    made: dict[str, Any] = {"kind": target.kind, "name": target.name}
    if target.kind in ROUTER_KINDS and violations:
        made["refused"] = "the Router puts it into `undelivered`: the detail does not fit the schema"
    elif target.input is None:
        made["receives"] = event
    else:
        rule = rule_name(kind.id, route.name)
        arn = f"arn:aws:events:{event['region']}:{event['account']}:rule/<bus>/{rule}"
        variables = rule_variables(arn, rule, event["time"])
        text = transformed(target.input.paths, target.input.template, event, variables)
        try:
            made["receives"] = json.loads(text)
        except ValueError:  # texts line by line
            made["receives"] = text
    return made


def _show(event: dict[str, Json], what: dict[str, Any]) -> None:
    click.secho(printable(f"{event['source']} · {event['detail-type']}", _LINE), bold=True)
    if not what["kinds"]:
        click.echo("  is no event of the definitions")
    for each in what["invalid"]:
        place = each["path"] or "the detail"
        text = printable(f"the schema of {each['event']}: {place}: {each['what']}", _LINE)
        click.echo(f"  {click.style('does not fit', fg='red')} {text}")
    for route in what["taken"]:
        click.echo(f"  {click.style('taken', fg='green')} by {route['route']}{_state(route)}")
        for target in route["targets"]:
            name = f"{target['kind']} {target['name']}"
            if "refused" in target:
                click.echo(f"    {name} receives nothing: {target['refused']}")
            elif target["receives"] is event:
                click.echo(f"    {name} receives the event as it is")
            else:
                click.echo(f"    {name} receives {short(target['receives'], _LINE)}")
    if what["kinds"] and not what["taken"]:
        click.echo("  no route takes it")
    for route in what["missed"]:
        click.echo(f"  {click.style('not taken', fg='yellow')} by {route['route']}{_state(route)}: {route['why']}")
    if what["others"]:
        click.echo(f"  {click.style('not taken', dim=True)} by {_others(what['others'])}")


def _others(others: list[dict[str, Any]]) -> str:
    """The events that it is not, in a line: there may be hundreds, and --json has the reason for each."""
    routes = counted(sum(other["routes"] for other in others), "route")
    names = ", ".join(other["event"] for other in others[:_OTHERS])
    more = f" and {len(others) - _OTHERS} more" if len(others) > _OTHERS else ""
    return f"{counted(len(others), 'event')} ({routes}) of another source or detail-type: {names}{more}"


def _state(route: dict[str, Any]) -> str:
    return "" if route["enabled"] else " (disabled: receives nothing until it is enabled)"
