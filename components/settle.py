"""The deploy's own look at the bus, in an `up` only: Pulumi's state may be old where routes are edited at run time."""

from collections.abc import Sequence
from typing import Any

import pulumi

from components.inputs import planned_rules, session_for
from components.scope import Scope
from signalbox.aws.rules import EventBridgeRules, rules_on_bus
from signalbox.aws.store import DynamoStore
from signalbox.effective import Plan
from signalbox.reconcile import Bus, begin, not_there, settle
from signalbox.reconcile.ports import RulesError, SystemClock
from signalbox.store import StoreError


def restore_rules(plan: Plan, scope: Scope) -> None:
    """Before anything is declared: rules of events that change and that are not there are made, without targets, for
    the engine to write to. Raises pulumi.RunError."""
    if pulumi.runtime.is_dry_run() or not plan.to_settle:
        return
    session = session_for(scope)
    client = session.client("events")
    store = DynamoStore(session.client("dynamodb"), scope.physical("store", 255))
    try:
        missing = not_there(planned_rules(plan, scope), plan.changing, rules_on_bus(client, scope.name))
        begin(plan, store, _rules(client, scope), missing, clock=SystemClock())
    except (StoreError, RulesError) as error:
        raise pulumi.RunError(f"rules that are not there cannot be made: {error}") from error


def settle_rules(plan: Plan, scope: Scope, undelivered: pulumi.Input[str], written: Sequence[pulumi.Output]) -> None:
    """When all of `written` is, and before the engine deletes anything: the rules of events that change are made what
    the store says. The program does not end before, and the engine deletes when it has.

    What cannot be made so ends the `up` with a pulumi.RunError.
    """
    if pulumi.runtime.is_dry_run() or not plan.to_settle:
        return

    def run(known: list[str]) -> None:
        session = session_for(scope)
        store = DynamoStore(session.client("dynamodb"), scope.physical("store", 255))
        rules = _rules(session.client("events"), scope)
        try:
            problems = settle(plan, store, rules, Bus(scope.name, known[0]), clock=SystemClock())
        except (StoreError, RulesError) as error:
            raise pulumi.RunError(f"the rules could not be looked at, and nothing was taken away: {error}") from error
        if problems:
            raise pulumi.RunError("\n".join(str(problem) for problem in problems))

    pulumi.Output.all(undelivered, *written).apply(run)


def _rules(client: Any, scope: Scope) -> EventBridgeRules:
    """Rules that are made here have the tags that the provider would give them."""
    tags = (pulumi.Config("aws").get_object("defaultTags") or {}).get("tags")
    return EventBridgeRules(client, scope.name, tags)
