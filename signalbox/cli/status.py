"""`status`: definitions, store and rules side by side for each route, and state machines for each flow, live."""

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
from signalbox.flows import Names, compile_flow, definition, flow_of, machine_type
from signalbox.model import Definitions
from signalbox.problems import errors
from signalbox.reconcile.difference import Live, difference, owner
from signalbox.reconcile.machines import DELETING, Plant, UnusableError, wanted_machine
from signalbox.reconcile.machines import owner as owner_of_machine
from signalbox.reconcile.ports import CallError, pages
from signalbox.reconcile.wanted import Bus, WantedEvent, WantedRule, wanted
from signalbox.store import FREEZE, RELEASE, Item, StoreSnapshot, declared_config, is_of_api

AGREE = "in step"


@dataclass(frozen=True, slots=True)
class Row:
    """One route: what each of the three says, and whether they agree."""

    route: str
    definitions: str
    store: str
    rules: str
    ok: bool


@dataclass(frozen=True, slots=True)
class FlowRow:
    """One flow: what each of the three says, and whether they agree."""

    flow: str
    definitions: str
    store: str
    machine: str
    ok: bool


@dataclass(frozen=True, slots=True)
class Found:
    """What there is. `targets` by rule name; `machines` by flow, also those of ours that no flow has any more."""

    store: StoreSnapshot
    rules: list[Live]
    targets: Mapping[str, list[Live]]
    bus: Bus
    machines: Mapping[str, Live]
    names: Names


@click.command()
@stack_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def status(stack_name: str | None, config_file: Path | None, as_json: bool) -> None:
    """Definitions, event store and EventBridge rules route by route, and state machines flow by flow, as they are now.

    Exit code 1 where they differ: a deploy is due, something made at run time is not in the definitions, or a rule or a
    state machine is not what the store says.
    """
    stack = read_stack(stack_name, config_file)
    definitions, problems = read(
        stack.mappings, stack.functions, own_bus=stack.name, rules_quota=stack.rules_quota, source=stack.get("source")
    )
    if definitions is None:
        show_problems(errors(problems), as_json=as_json)
        raise click.ClickException("the definitions have errors")
    there = _read(stack, definitions.flows)
    declared = {event.id: event.routing_config() for event in definitions.events.values()}
    found = list(rows(declared, there.store, there.rules, there.targets, there.bus))
    flows = list(flow_rows(definitions, there.store, there.machines, there.names))
    foreign = sorted(each["Name"] for each in there.rules if not owner(each, stack.name) and not each.get("ManagedBy"))
    words = [word for word in (FREEZE, RELEASE) if word in there.store.control]
    ok = all(row.ok for row in [*found, *flows]) and not words
    if as_json:
        report = {
            "ok": ok,
            "routes": [asdict(row) for row in found],
            "flows": [asdict(row) for row in flows],
            "foreign": foreign,
            "control": words,
        }
        click.echo(json.dumps(report, indent=2, ensure_ascii=False))
    else:
        _show(found, flows, foreign, words)
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


def flow_rows(
    definitions: Definitions, store: StoreSnapshot, machines: Mapping[str, Live], names: Names
) -> Iterator[FlowRow]:
    """A row for every flow that is declared, stored, or has a state machine of ours; `machines` by flow."""
    for flow_id in sorted({*definitions.flows, *store.flows, *machines}):
        item, live = store.flows.get(flow_id), machines.get(flow_id)
        if item is not None and is_of_api(item):
            made = f"made by {item['EditedBy']} on {item['EditedAt'][:10]}"
            said = [_definitions(definitions.flows.get(flow_id), None), made, _run_time(item, store, live, names)]
        else:
            agrees = _definitions(definitions.flows.get(flow_id), None if item is None else json.loads(item["Data"]))
            said = [agrees, "—" if item is None else AGREE, _declared(flow_id, item, definitions, live, names)]
            if agrees not in (AGREE, "—") and said[2].startswith("differs"):
                said[2] = "—"  # it is what was deployed before
        yield FlowRow(flow_id, *said, ok=all(each in (AGREE, "—") for each in said))


def _run_time(item: Item, store: StoreSnapshot, live: Live | None, names: Names) -> str:
    """The state machine of a flow that the API made, against what the reconciler would make of it."""
    if RELEASE in store.control:
        return _no_more(live)
    try:
        # What it runs with is the reconciler's to know.
        wanted_one = wanted_machine(item, store, Plant(names, "", ""))
    except UnusableError as error:
        return str(error)
    return _machine(live, wanted_one.kind, wanted_one.fields["definition"])


def _declared(flow_id: str, item: Item | None, definitions: Definitions, live: Live | None, names: Names) -> str:
    """The state machine of a flow of the definitions, against what a deploy would make of them."""
    if item is None:
        return _no_more(live)
    if flow_id not in definitions.flows:
        return "—"
    flow = flow_of(flow_id, definitions.flows[flow_id])
    return _machine(live, machine_type(flow), definition(compile_flow(flow, names, definitions.events)))


def _no_more(live: Live | None) -> str:
    return "—" if live is None or live.get("status") == DELETING else "still there"


def _machine(live: Live | None, kind: str, text: str) -> str:
    if live is None:
        return "missing"
    if live.get("status", "ACTIVE") != "ACTIVE":
        return str(live["status"]).lower()
    parts = ["definition"] * (live.get("definition") != text) + ["type"] * (live.get("type") != kind)
    return f"differs: {', '.join(parts)}" if parts else AGREE


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


def _show(found: list[Row], flows: list[FlowRow], foreign: list[str], words: list[str]) -> None:
    marked = [(row.route, row.definitions, row.store, row.rules) for row in found]
    show_table(("route", "definitions", "store", "rules"), marked)
    if flows:
        click.echo()
        marked = [(row.flow, row.definitions, row.store, row.machine) for row in flows]
        show_table(("flow", "definitions", "store", "machine"), marked)
    click.echo()
    for kind, rows_ in (("routes", found), ("flows", flows)):
        if rows_:
            click.echo(f"{sum(row.ok for row in rows_)} of {len(rows_)} {kind} in step")
    for word in words:
        click.echo(f"the reconciler stands still: {word} (python -m signalbox thaw)")
    for name in foreign:
        click.echo(f"the rule {name} on the bus is not ours and is left alone")


def _read(stack: Stack, declared: Mapping[str, Any]) -> Found:
    from botocore.exceptions import BotoCoreError, ClientError

    from signalbox.aws.machines import StepFunctionsMachines
    from signalbox.aws.rules import EventBridgeRules, rules_on_bus
    from signalbox.aws.store import StoreError, read_store

    session = stack.session()
    try:
        names = stack.names(session)
        store = read_store(session.client("dynamodb"), stack.store)
        events = session.client("events")
        bus = EventBridgeRules(events, stack.name)
        live = list(rules_on_bus(events, stack.name))
        ours = [rule["Name"] for rule in live if owner(rule, stack.name)]
        targets = {name: list(pages(lambda token, name=name: bus.list_targets(name, token))) for name in ours}
        machines = _machines(StepFunctionsMachines(session.client("stepfunctions")), names, {*declared, *store.flows})
    except (StoreError, CallError, BotoCoreError, ClientError) as error:
        raise click.ClickException(str(error)) from error
    return Found(store, live, targets, Bus(stack.name, names.undelivered_arn), machines, names)


def _machines(port: Any, names: Names, flows: set[str]) -> dict[str, Live]:
    """The state machines of `flows`, and those that the API's flows had which are gone."""
    found = {flow: live for flow in sorted(flows) if (live := port.describe(names.machine_arn(flow))) is not None}
    known = {names.machine(flow) for flow in flows}
    for machine in pages(port.list_machines):
        name, arn = machine["name"], machine["stateMachineArn"]
        if not name.startswith(f"{names.stack}-") or name in known:
            continue
        flow = owner_of_machine(name, port.tags(arn), names)
        if flow is not None and (live := port.describe(arn)) is not None:
            found[flow] = live
    return found
