"""Run-time edits of routes: `edit`, `disable`, `enable`, `history`, `revert`. All of them go over the HTTP API."""

import json
from collections.abc import Callable
from http import HTTPStatus
from pathlib import Path
from typing import Any

import click
import yaml

from signalbox.canonical import canonical, same
from signalbox.cli.api import Api, ApiError
from signalbox.cli.console import show_problems, show_table
from signalbox.cli.stack import Stack, read_stack, stack_options
from signalbox.definitions.yaml12 import read_text
from signalbox.problems import DefinitionError
from signalbox.store import EVENTS, HISTORY

TRIES = 5
"""How often a switch is tried when others edit the same event."""
HINT = """\
# The routes of {event} as they are live. Save to make them so, close without a change to leave them.
# A route that you delete is deleted; one that you make equal to the definitions is theirs again.
"""

Routes = dict[str, Any]


def _api_options(command: Callable[..., Any]) -> Callable[..., Any]:
    command = click.option("--api", "url", envvar="SIGNALBOX_API", help="Address of the API.  [default: looked up]")(
        command
    )
    command = click.option("--token", envvar="SIGNALBOX_TOKEN", help="A JSON Web Token, where the API wants one.")(
        command
    )
    return stack_options(command)


def _api(stack_name: str | None, config_file: Path | None, url: str | None, token: str | None) -> Api:
    return Api(read_stack(stack_name, config_file), url, token)


@click.command()
@click.argument("event")
@_api_options
def edit(event: str, stack_name: str | None, config_file: Path | None, url: str | None, token: str | None) -> None:
    """Edit the routes of EVENT in $EDITOR and make them live.

    They are checked as definitions are, and refused with every fault; nothing is lost then: the editor opens again.
    """
    api = _api(stack_name, config_file, url, token)
    answer = api.get("event", event)
    text = HINT.format(event=event) + yaml.safe_dump(answer.body["routes"], sort_keys=False, allow_unicode=True)
    while True:
        edited = click.edit(text, extension=".yaml")
        if edited is None or edited == text:
            click.echo("nothing changed")
            return
        text = edited
        try:
            routes = read_text(text, event, empty={}).value
        except DefinitionError as error:
            show_problems(error.problems)
        else:
            try:
                _post(api, event, routes, answer.etag)
                return
            except ApiError as error:
                if error.status == HTTPStatus.PRECONDITION_FAILED:
                    raise click.ClickException(
                        f"{event} was changed by somebody else meanwhile; fix: `edit {event}` again"
                    ) from error
                error.show()
        click.confirm("open the editor again?", default=True, abort=True)


@click.command()
@click.argument("route", metavar="EVENT/ROUTE")
@_api_options
def disable(route: str, stack_name: str | None, config_file: Path | None, url: str | None, token: str | None) -> None:
    """Switch a route off: its rule stays, and takes no events."""
    named = _named(route)
    _switch(_api(stack_name, config_file, url, token), *named, on=False)


@click.command()
@click.argument("route", metavar="EVENT/ROUTE")
@_api_options
def enable(route: str, stack_name: str | None, config_file: Path | None, url: str | None, token: str | None) -> None:
    """Switch a route on."""
    named = _named(route)
    _switch(_api(stack_name, config_file, url, token), *named, on=True)


@click.command()
@click.argument("event")
@stack_options
@click.option("--json", "as_json", is_flag=True, help="Print the routing configs too, as JSON.")
def history(event: str, stack_name: str | None, config_file: Path | None, as_json: bool) -> None:
    """Every accepted edit of EVENT: when, by whom, and (with --json) its routes after it."""
    found = _history(read_stack(stack_name, config_file), event)
    if as_json:
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
    elif not found:
        click.echo(f"{event} was never edited")
    else:
        rows = [(str(each["revision"]), each["at"], each["by"], ", ".join(each["routes"])) for each in found]
        show_table(("revision", "at", "by", "routes after it"), rows)


@click.command()
@click.argument("event")
@click.argument("revision", type=click.IntRange(min=1))
@_api_options
def revert(
    event: str, revision: int, stack_name: str | None, config_file: Path | None, url: str | None, token: str | None
) -> None:
    """Make the routes of EVENT what they were after its edit REVISION."""
    stack = read_stack(stack_name, config_file)
    found = {each["revision"]: each["routes"] for each in _history(stack, event)}
    if revision not in found:
        known = ", ".join(map(str, found)) or "none"
        raise click.ClickException(f"{event} has no revision {revision} in its history; allowed: {known}")
    api = Api(stack, url, token)
    _post(api, event, found[revision], api.get("event", event).etag)


@click.command()
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@_api_options
def restore(file: Path, stack_name: str | None, config_file: Path | None, url: str | None, token: str | None) -> None:
    """Make the run-time edits and flows in FILE, which `release` has saved, once more.

    Flows first, as routes may send to them. Each is checked as any other; what is refused is told, stops nothing else,
    and can be restored again. What is live already is left as it is.
    """
    edits, flows = _saved(file)
    api = _api(stack_name, config_file, url, token)
    refused = 0
    for flow_id, definition in flows.items():
        refused += not _told(f"flow {flow_id}", lambda body=definition | {"id": flow_id}: api.post("flow", body=body))
    for event, routes in edits.items():
        refused += not _told(event, lambda event=event, routes=routes: _put_back(api, event, routes))
    if refused:
        said = f"{refused} of {len(flows) + len(edits)} were refused"
        raise click.ClickException(f"{said}; fix: mend {file}, or the definitions, and restore again")


def _saved(file: Path) -> tuple[dict[str, Routes], dict[str, Routes]]:
    try:
        saved = json.loads(file.read_text(encoding="utf-8"))
        canonical(saved)  # which has no place for NaN and 1e999
        edits, flows = saved["edits"], saved["flows"]
        if all(isinstance(each, dict) for each in (edits, flows, *edits.values(), *flows.values())):
            return edits, flows
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError):
        pass
    raise click.ClickException(
        f"{file} is not what `python -m signalbox release` saves; allowed: "
        '{"edits": {EVENT: {ROUTE: config or null}}, "flows": {FLOW: definition}}'
    )


def _told(what: str, post: Callable[[], Any]) -> bool:
    try:
        post()
    except ApiError as error:
        click.echo(f"{what}: {error.message}", err=True)
        return False
    click.echo(f"{what}: restored")
    return True


def _put_back(api: Api, event: str, saved: Routes) -> None:
    answer = api.get("event", event)
    routes = {**answer.body["routes"], **saved}
    wanted = {name: config for name, config in routes.items() if config is not None}
    if not same(wanted, answer.body["routes"]):
        api.post("route", event, body=wanted, if_match=answer.etag)


def _named(route_id: str) -> tuple[str, str]:
    event, _, name = route_id.partition("/")
    if not event or not name or "/" in name:
        raise click.UsageError(f"a route is said as EVENT/ROUTE; got: {route_id}")
    return event, name


def _switch(api: Api, event: str, name: str, *, on: bool) -> None:
    route_id = f"{event}/{name}"
    for attempt in range(1, TRIES + 1):
        answer = api.get("event", event)
        routes = answer.body["routes"]
        if name not in routes:
            raise click.ClickException(f"{event} has no route {name}; allowed: {', '.join(routes) or 'none'}")
        if routes[name].get("enabled", True) == on:
            click.echo(f"{route_id} is {'on' if on else 'off'} already")
            return
        changed = {**routes, name: {**routes[name], "enabled": on}}
        try:
            _post(api, event, changed, answer.etag)
            return
        except ApiError as error:
            if error.status != HTTPStatus.PRECONDITION_FAILED or attempt == TRIES:
                raise


def _post(api: Api, event: str, routes: Routes, etag: str | None) -> None:
    answer = api.post("route", event, body=routes, if_match=etag)
    click.echo(
        f"{event}: revision {answer.body['revision']}; the rules follow within seconds (python -m signalbox status)"
    )


def _history(stack: Stack, event: str) -> list[dict[str, Any]]:
    from signalbox.aws.store import DynamoStore, StoreError

    store = DynamoStore(stack.session().client("dynamodb"), stack.store)
    try:
        items = list(store.partition(HISTORY, prefix=f"{event}#"))
        if not items and store.get(EVENTS, event) is None:
            raise click.ClickException(f"there is no event {event}; python -m signalbox status lists all")
    except StoreError as error:
        raise click.ClickException(str(error)) from error
    return [
        {
            "revision": item["Revision"],
            "at": item["EditedAt"],
            "by": item["EditedBy"],
            "routes": json.loads(item["RoutingConfig"]),
        }
        for item in items
    ]
