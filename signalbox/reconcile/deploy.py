"""What a deploy does to rules itself, beside what Pulumi's engine does.

The engine compares what the program declares with its own state, never with the bus. That state is old where routes
were edited at run time, and wrong where a deploy died and the reconciler finished it: the engine would leave out a
target that it believes to be there, and then take away the only one that is (docs/adr/0009). So the deploy looks at the
bus twice: before it declares anything, for rules that must be there to be written to (`not_there`), and when all is
written and before the engine takes anything away (`settle`).
"""

import random
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import replace

from signalbox.classic import Rule
from signalbox.effective import Plan
from signalbox.problems import Problem
from signalbox.reconcile.calls import Calls
from signalbox.reconcile.difference import Live
from signalbox.reconcile.ports import Clock, Rules, Store
from signalbox.reconcile.routes import Routes
from signalbox.reconcile.wanted import Bus, WantedEvent, WantedRule, wanted
from signalbox.store import FAILED, RELEASE, StoreSnapshot, settled_item


def not_there(rules: Iterable[Rule], event_ids: Collection[str], live: Iterable[Live]) -> list[Rule]:
    """The rules of these events that are not `live`. The engine may believe that they are, when an edit or the
    reconciler took them away, and put targets on them without making them."""
    there = {rule["Name"] for rule in live}
    return [rule for rule in rules if rule.event_id in event_ids and rule.name not in there]


def begin(plan: Plan, store: Store, rules: Rules, missing: Iterable[Rule], *, clock: Clock) -> None:
    """Before the deploy writes anything: what it is not to be told from an earlier one by is taken back, should it die,
    and the rules that are `missing` are made, without targets, so that they send nothing anywhere.

    Raises RulesError and StoreError.
    """
    if plan.settled_before and plan.settled != plan.settled_before:
        store.put(settled_item(""))
    calls = Calls(rules, clock)
    for rule in missing:
        calls.put_rule(WantedRule(rule, ()))


def settle(
    plan: Plan, store: Store, rules: Rules, bus: Bus, *, clock: Clock, jitter: Callable[[], float] = random.random
) -> list[Problem]:
    """Makes the rules of the events that `plan` changes what the store says, and gives those that could not be made so.

    What the store says now, where an update of chosen resources has written a part of the plan only; but with the
    run-time edits that the plan builds on. For the engine goes on to take away what the plan does not have, and of a
    route that was edited meanwhile nothing might be left: that edit is the next run's. Notes in the store that all is
    as planned: the next deploy knows by it that this one did not die. Raises RulesError when the bus
    cannot be listed, and StoreError.
    """
    snapshot = store.snapshot()
    if RELEASE in snapshot.control:
        return []  # somebody has said so meanwhile: the reconciler takes the rules off the bus
    snapshot = replace(snapshot, overrides=plan.overrides)
    problems = _settle(plan.changing, snapshot, bus, Routes(Calls(rules, clock, jitter=jitter), bus.stack))
    if not problems:
        store.put(settled_item(plan.settled))
    return problems


def _settle(of: Mapping[str, Collection[str]], snapshot: StoreSnapshot, bus: Bus, routes: Routes) -> list[Problem]:
    """`of` has the names of the routes, by event, that are written whatever the lists say."""
    if not of:
        return []
    events = dict.fromkeys(of, WantedEvent("")) | {e: each for e, each in wanted(snapshot, bus).items() if e in of}
    routes.look()
    problems = [_problem(event_id, each.error) for event_id, each in sorted(events.items()) if each.error]
    for job in sorted(routes.jobs(events), key=lambda job: job.rank):
        if job.event_id in of:
            outcome = routes.put_in_step(job, written_anew=job.route in of[job.event_id])
            if outcome is not None and outcome.state == FAILED:
                problems.append(_problem(f"{job.event_id}/{job.route}", outcome.error))
    return problems


def _problem(path: str, error: str) -> Problem:
    return Problem(
        code="out-of-step",
        what="the rules are not what they must be, and nothing has been taken away",
        got=error,
        fix="mend that and run `pulumi up` again; `python -m signalbox status` shows what is live",
        path=path,
    )
