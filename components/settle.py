"""The deploy's own look at the bus, in an `up` only: Pulumi's state may be old where routes are edited at run time."""

import json
from collections.abc import Sequence
from typing import Any

import pulumi
import pulumi_aws as aws

from components.inputs import rules_of, session_for
from components.scope import Scope
from signalbox.aws.rules import EventBridgeRules, rules_on_bus
from signalbox.aws.store import DynamoStore
from signalbox.plan import Plan
from signalbox.reconcile import Bus, begin, restore, settle
from signalbox.reconcile.ports import RulesError, SystemClock
from signalbox.store import StoreError, from_attributes


def begin_deploy(plan: Plan, scope: Scope) -> None:
    """Before any item is declared. Raises pulumi.RunError."""
    if pulumi.runtime.is_dry_run() or not plan.to_settle:
        return
    try:
        begin(plan, _store(session_for(scope), scope))
    except StoreError as error:
        raise pulumi.RunError(str(error)) from error


def restore_rules(plan: Plan, scope: Scope, event_id: str) -> None:
    """When the items of an event are written and before its rules are: those that are not there are made, for the
    engine to write to. Raises pulumi.RunError."""
    if pulumi.runtime.is_dry_run() or event_id not in plan.changing or event_id not in plan.events:
        return
    client = session_for(scope).client("events")
    rules = rules_of(plan.events[event_id], scope)
    try:
        restore(_rules(client, scope), rules, rules_on_bus(client, scope.name), clock=SystemClock())
    except RulesError as error:
        raise pulumi.RunError(f"rules of {event_id} that are not there cannot be made: {error}") from error


def settle_rules(
    plan: Plan,
    scope: Scope,
    undelivered: pulumi.Input[str],
    items: Sequence[aws.dynamodb.TableItem],
    written: Sequence[pulumi.Output[Any]],
) -> None:
    """Make rules that change what the store says, once all of `items` and `written` are written.

    The program ends after that only, and the engine deletes nothing before the program has ended.

    What cannot be made so ends the `up` with a pulumi.RunError.
    """
    if pulumi.runtime.is_dry_run() or not plan.to_settle:
        return

    def run(known: list[Any]) -> None:
        queue, *texts = known[: 1 + len(items)]
        if not isinstance(queue, str):
            raise pulumi.RunError("the queue `undelivered` is not there, without which no rule can be written")
        session = session_for(scope)
        rules = _rules(session.client("events"), scope)
        try:
            store, bus = _store(session, scope), Bus(scope.name, queue)
            believed = [from_attributes(json.loads(text)) for text in texts if isinstance(text, str)]
            problems = settle(plan, store, rules, bus, believed, clock=SystemClock())
        except (StoreError, RulesError) as error:
            raise pulumi.RunError(f"the rules could not be made what they must be: {error}") from error
        if problems:
            raise pulumi.RunError("\n".join(str(problem) for problem in problems))

    # What an up leaves out (--target) or could not make (--continue-on-error) is unknown, and the engine deletes all
    # the same.
    pulumi.Output.all(undelivered, *(item.item for item in items), *written).apply(run, run_with_unknowns=True)


def _store(session: Any, scope: Scope) -> DynamoStore:
    return DynamoStore(session.client("dynamodb"), scope.store_table)


def _rules(client: Any, scope: Scope) -> EventBridgeRules:
    """Rules that are made here have the tags that the provider would give them."""
    given = (pulumi.Config("aws").get_object("defaultTags") or {}).get("tags") or {}
    tags = {key: str(value).lower() if isinstance(value, bool) else str(value) for key, value in given.items()}
    return EventBridgeRules(client, scope.name, tags)
