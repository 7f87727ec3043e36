"""What the program reads before it declares anything: the definitions, where it deploys to, and the event store.

Every fault ends the run before any resource is registered, so that a preview shows it and an `up` changes nothing.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import boto3
import pulumi
import pulumi_aws as aws

from components.scope import Scope
from components.settings import Settings
from signalbox.aws.rules import rules_on_bus
from signalbox.aws.session import WrongAccountError, session_of
from signalbox.aws.store import StoreError, read_store
from signalbox.changes import Change, bounded, changes, planned_events, stored_events, summary
from signalbox.classic import ROUTER, Rule, rule_of
from signalbox.definitions import load
from signalbox.model import Definitions, Function
from signalbox.packaging import PackagingError, function_zip, layer_zip
from signalbox.plan import EventPlan, Plan, plan
from signalbox.problems import DefinitionError, Problem, errors
from signalbox.reconcile import clashes
from signalbox.reconcile.difference import Live
from signalbox.reconcile.ports import RulesError
from signalbox.registry import taken_names, targets_of
from signalbox.store import StoreSnapshot

SHOWN_LINES = 40
"""What a reviewer reads in a preview; `python -m signalbox plan` has the rest."""


@dataclass(frozen=True, slots=True)
class Code:
    """Where the zips are: the layer's, and those of the functions by name."""

    layer: Path
    functions: Mapping[str, Path]


WRAPPER = "event_store_wrapper"
RULE_SYNC = "rule_sync"
PARTS_OF_SIGNALBOX = (ROUTER, WRAPPER, RULE_SYNC)
"""Functions that have a component of their own; every other folder under functions/ is a processing function."""


def processing(functions: Mapping[str, Function]) -> dict[str, Function]:
    """The processing functions among `functions`."""
    return {name: each for name, each in functions.items() if name not in PARTS_OF_SIGNALBOX}


def read_scope(settings: Settings) -> Scope:
    """Where the stack's provider deploys to."""
    return Scope(
        settings.name,
        account=aws.get_caller_identity().account_id,
        region=aws.get_region().region,
        partition=aws.get_partition().partition,
    )


def read_definitions(mappings: Path, functions: Path, settings: Settings, scope: Scope) -> Definitions:
    """The definitions; warnings become diagnostics. Raises pulumi.RunError that lists every error."""
    try:
        definitions, problems = load(
            mappings,
            functions,
            own_bus=scope.name,
            account=scope.account,
            region=scope.region,
            partition=scope.partition,
            rules_quota=settings.rules_quota,
            source=settings.source or None,
        )
    except DefinitionError as error:
        raise pulumi.RunError(f"{error}\ncheck them without a deploy: python -m signalbox check") from error
    for problem in problems:
        pulumi.log.warn(str(problem))
    topics = {name for name, each in definitions.destinations.items() if each.kind == "topic"}
    _stop_on(
        Problem(
            code="subscription-unknown",
            what="subscriptions are for topic destinations",
            got=name,
            allowed=", ".join(sorted(topics)) or "none is defined",
            fix=f"pulumi config rm --path signalbox:subscriptions.{name}",
            path="signalbox:subscriptions",
        )
        for name in sorted(settings.subscriptions.keys() - topics)
    )
    return definitions


def pack_code(functions: Path, definitions: Definitions, settings: Settings) -> Code:
    """The zips to deploy. Raises pulumi.RunError when they cannot be made."""
    try:
        return Code(
            layer=layer_zip(settings.runtime, settings.architecture),
            functions={name: function_zip(functions / name) for name in definitions.functions},
        )
    except PackagingError as error:
        raise pulumi.RunError(str(error)) from error


def read_plan(definitions: Definitions, settings: Settings, scope: Scope) -> Plan:
    """What to declare: the definitions and the run-time edits of the store together.

    What a reviewer must know of edits becomes diagnostics. Raises pulumi.RunError when the store cannot be read, or
    when an edit and the definitions collide and `signalbox:conflicts` does not say who wins.
    """
    store, live = _read_live(settings, scope)
    _stop_on(taken_names(definitions, store.flows))
    targets = targets_of(definitions, store.flows)
    try:
        before = stored_events(store)
        made = plan(definitions.events, store, settings.conflicts, targets=targets, rules_quota=settings.rules_quota)
    except (KeyError, TypeError, ValueError) as error:
        raise pulumi.RunError(
            f"the event store {scope.store_table} holds an item that Signalbox did not write: {error!r}; "
            "fix: put the item right, or restore the table (docs/operations.md)"
        ) from error
    for note in made.notes:
        (pulumi.log.warn if note.severity == "warning" else pulumi.log.info)(str(note))
    _stop_on([*made.problems, *clashes(planned_rules(made, scope), live, scope.name)])
    _say(changes(before, planned_events(made), buses=False))
    return made


def planned_rules(plan: Plan, scope: Scope) -> list[Rule]:
    """The rule of every route that `plan` makes."""
    return [rule for each in plan.events.values() for rule in rules_of(each, scope)]


def rules_of(each: EventPlan, scope: Scope) -> list[Rule]:
    """The rule of every route of one event."""
    return [rule_of(each.event, route, scope.name) for route in each.routes.values()]


_session = cache(session_of)
"""Asks once for a program whose credentials they are."""


def session_for(scope: Scope) -> boto3.Session:
    """A session with the credentials of the stack's provider. Raises pulumi.RunError."""
    try:
        return _session(scope.account, scope.region, pulumi.Config("aws").get("profile"))
    except WrongAccountError as error:
        raise pulumi.RunError(str(error)) from error


def _say(found: list[Change]) -> None:
    pulumi.log.info("\n".join([f"routing: {summary(found)}", *(f"  {line}" for line in bounded(found, SHOWN_LINES))]))


def _read_live(settings: Settings, scope: Scope) -> tuple[StoreSnapshot, list[Live]]:
    """What the event store says, and the rules that are on the bus."""
    if settings.store == "offline":
        if not pulumi.runtime.is_dry_run():
            raise pulumi.RunError(
                "signalbox:store is offline, which is for previews only; fix: pulumi config rm signalbox:store"
            )
        pulumi.log.warn("signalbox:store is offline: run-time edits are not read, and an up may show other changes")
        return StoreSnapshot(), []
    session = session_for(scope)
    try:
        store = read_store(session.client("dynamodb"), scope.store_table)
        return store, list(rules_on_bus(session.client("events"), scope.name))
    except (StoreError, RulesError) as error:
        raise pulumi.RunError(str(error)) from error


def _stop_on(problems: Iterable[Problem]) -> None:
    if found := errors(problems):
        raise pulumi.RunError("\n".join(["nothing has been changed:", *(f"  {problem}" for problem in found)]))
