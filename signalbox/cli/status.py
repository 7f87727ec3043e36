"""`status`: definitions, store and rules side by side, for each route, live."""

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import click

from signalbox.cli.console import show_problems, show_table
from signalbox.cli.stack import Stack, read_stack, stack_options
from signalbox.definitions import read
from signalbox.effective import EffectiveRoute, config_hash
from signalbox.problems import errors
from signalbox.reconcile.difference import Live, difference, owner
from signalbox.reconcile.wanted import Bus, WantedEvent, WantedRule, wanted
from signalbox.store import FREEZE, RELEASE, StoreSnapshot, declared_config

AGREE = "in step"


@dataclass(frozen=True, slots=True)
class Row:
    """One route: what each of the three says, and whether they agree."""

    route: str
    definitions: str
    store: str
    rules: str
    ok: bool


@click.command()
@stack_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(stack_name: str | None, config_file: Path | None, as_json: bool) -> None:
    """Definitions, event store and EventBridge rules, route by route, as they are now.

    Exit code 1 where they differ: a deploy is due, a run-time edit is not in the definitions, or a rule is not what the
    store says.
    """
    stack = read_stack(stack_name, config_file)
    definitions, problems = read(
        stack.mappings, stack.functions, own_bus=stack.name, rules_quota=stack.rules_quota, source=stack.get("source")
    )
    if definitions is None:
        show_problems(errors(problems))
        raise click.ClickException("the definitions have errors")
    store, live, targets, bus = _read(stack)
    declared = {event.id: event.routing_config() for event in definitions.events.values()}
    found = list(rows(declared, store, live, targets, bus))
    foreign = sorted(rule["Name"] for rule in live if owner(rule, stack.name) is None and not rule.get("ManagedBy"))
    words = [word for word in (FREEZE, RELEASE) if word in store.control]
    ok = all(row.ok for row in found) and not words
    if as_json:
        report = {"ok": ok, "routes": [asdict(row) for row in found], "foreign": foreign, "control": words}
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _show(found, foreign, words)
    sys.exit(0 if ok else 1)


def rows(
    declared: Mapping[str, Mapping[str, Any]],
    store: StoreSnapshot,
    live: list[Live],
    targets: Mapping[str, list[Live]],
    bus: Bus,
) -> Iterator[Row]:
    """A row for every route that is declared, stored, edited, or has a rule of ours; `targets` by rule name."""
    events = wanted(store, bus)
    rules: dict[tuple[str, str], Live] = {ours: rule for rule in live if (ours := owner(rule, bus.stack))}
    names = {(event, name) for event, routes in declared.items() for name in routes}
    names |= {(event.event_id, name) for event in events.values() for name in [*event.routes, *event.rules]}
    for event_id, name in sorted(names | rules.keys()):
        event = events.get(event_id, WantedEvent(event_id))
        item = store.events.get(event_id)
        stored = None if item is None or event.error else declared_config(item).get(name)
        mine = declared.get(event_id, {}).get(name)
        rule = rules.get((event_id, name))
        said = [
            _definitions(mine, stored),
            _store(event, event.routes.get(name)),
            _rule(event.rules.get(name), rule, targets),
        ]
        yield Row(f"{event_id}/{name}", *said, ok=all(each in (AGREE, "—") for each in said))


def _definitions(mine: Any, stored: Any) -> str:
    if config_hash(mine) == config_hash(stored):
        return AGREE if mine is not None else "—"
    if mine is None:
        return "gone; deployed before"
    return "new; not deployed" if stored is None else "changed; not deployed"


def _store(event: WantedEvent, route: EffectiveRoute | None) -> str:
    if event.error:
        return event.error
    if route is None:
        return "—"
    if route.edit is None or route.outcome in ("void", "converged"):
        return AGREE
    edit = "deleted" if route.config is None else "edited"
    head = f"{edit} by {route.edit.by} on {route.edit.at[:10]}"
    return {"conflict": f"CONFLICT: {head}", "orphaned": f"without its event: {head}"}.get(route.outcome, head)


def _rule(wanted_rule: WantedRule | None, live: Live | None, targets: Mapping[str, list[Live]]) -> str:
    if wanted_rule is None:
        return "—" if live is None else "still there"
    if wanted_rule.missing:
        return f"waits for {', '.join(wanted_rule.missing)}"
    if live is None:
        return "missing"
    change = difference(wanted_rule, live, targets.get(live["Name"], []))
    parts = ["rule"] * change.rule + [f"target {each['Id']}" for each in change.put]
    parts += [f"extra target {name}" for name in change.remove]
    return f"differs: {', '.join(parts)}" if change else AGREE


def _show(found: list[Row], foreign: list[str], words: list[str]) -> None:
    marked = [(row.route, row.definitions, row.store, row.rules) for row in found]
    show_table(("route", "definitions", "store", "rules"), marked)
    out = [row for row in found if not row.ok]
    click.echo()
    click.echo(f"{len(found) - len(out)} of {len(found)} routes in step")
    for word in words:
        click.echo(f"the reconciler stands still: {word} (python -m signalbox thaw)")
    for name in foreign:
        click.echo(f"the rule {name} on the bus is not ours and is left alone")


def _read(stack: Stack) -> tuple[StoreSnapshot, list[Live], dict[str, list[Live]], Bus]:
    from botocore.exceptions import BotoCoreError, ClientError

    from signalbox.aws.rules import EventBridgeRules, rules_on_bus
    from signalbox.aws.store import StoreError, read_store
    from signalbox.reconcile.ports import RulesError

    session = stack.session()
    try:
        account = session.client("sts").get_caller_identity()
        store = read_store(session.client("dynamodb"), stack.store)
        events = session.client("events")
        bus = EventBridgeRules(events, stack.name)
        live = list(rules_on_bus(events, stack.name))
        ours = [rule["Name"] for rule in live if owner(rule, stack.name)]
        targets = {name: list(_targets(bus, name)) for name in ours}
    except (StoreError, RulesError, BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from error
    return (
        store,
        live,
        targets,
        Bus(stack.name, stack.undelivered_arn(account["Account"], account["Arn"].split(":")[1])),
    )


def _targets(bus: Any, rule: str) -> Iterator[Live]:
    token = None
    while True:
        page = bus.list_targets(rule, token)
        yield from page.entries
        token = page.token
        if token is None:
            return
