"""What a deploy does to rules itself, beside what Pulumi's engine does.

The engine compares what the program declares with its own state, never with the bus. That state is old where routes
were edited at run time, and wrong where a deploy died and the reconciler finished it: the engine would leave out a
target that it believes to be there, and then take away the only one that is (docs/adr/0009). So the deploy looks at the
bus twice: when an event's items are written, for rules that must be there to be written to (`restore`), and when all is
written and before the engine takes anything away (`settle`).
"""

import random
from collections.abc import Callable, Iterable
from dataclasses import replace

from signalbox.classic import Rule
from signalbox.plan import Plan, settled_digest
from signalbox.problems import Problem
from signalbox.reconcile.calls import Calls
from signalbox.reconcile.difference import Live
from signalbox.reconcile.ports import Clock, Rules, Store
from signalbox.reconcile.routes import Job, Routes
from signalbox.reconcile.wanted import Bus, WantedEvent, WantedRule, wanted
from signalbox.store import EVENTS, IN_STEP, PK, RELEASE, SK, Item, StoreSnapshot, gone_item, settled_item


def begin(plan: Plan, store: Store) -> None:
    """Before the deploy writes any item: should it die, the next shall not take it for the one before. Raises
    StoreError."""
    if plan.settled_before and plan.settled != plan.settled_before:
        store.put(settled_item(""))


def restore(rules: Rules, wanted_rules: Iterable[Rule], live: Iterable[Live], *, clock: Clock) -> None:
    """Makes those of `wanted_rules` that are not `live`, without targets, so that they send nothing anywhere.

    The engine may believe that they are there, when an edit or the reconciler took them away, and put targets on them
    without making them. Raises RulesError.
    """
    there = {rule["Name"] for rule in live}
    calls = Calls(rules, clock)
    for rule in wanted_rules:
        if rule.name not in there:
            calls.put_rule(WantedRule(rule, ()))


def settle(
    plan: Plan,
    store: Store,
    rules: Rules,
    bus: Bus,
    items: Iterable[Item] = (),
    *,
    clock: Clock,
    jitter: Callable[[], float] = random.random,
) -> list[Problem]:
    """Makes the rules that `plan` changes what the store says, and gives those that could not be made so.

    `items` are those that the engine takes for written. One that is another in the store is written first: a deploy
    that died may have written it without the engine's knowing.

    It goes by what the store says then, not by the plan: an update of chosen resources (`--target`) has written only a
    part of the plan. A route that was edited since the plan was made only gets the plan's targets besides its own: the
    engine goes on to take away what the plan does not have, and nothing might be left; the edit itself is the
    reconciler's. In the end the store is told for which items the rules are right, so that the next deploy knows that
    this one did not die.

    Raises RulesError when the bus cannot be listed, and StoreError.
    """
    snapshot = store.snapshot()
    if other := [item for item in items if item != _there(snapshot, item)]:
        for item in other:
            store.put(item)
        snapshot = store.snapshot()
    if RELEASE in snapshot.control:
        return []  # somebody has said so meanwhile: the reconciler takes the rules off the bus
    problems = _settle(plan, snapshot, bus, Routes(Calls(rules, clock, jitter=jitter), bus.stack))
    there = settled_digest(snapshot, plan.decided)
    if not problems and not there == plan.settled == plan.settled_before:
        store.put(settled_item(there))
    return problems


def _there(snapshot: StoreSnapshot, item: Item) -> Item | None:
    """What the store has in the place of an item of an event or of a decision."""
    if item[SK] in snapshot.gone and item[PK] == EVENTS:
        return gone_item(item[SK])
    return (snapshot.events if item[PK] == EVENTS else snapshot.decisions).get(item[SK])


def _settle(plan: Plan, snapshot: StoreSnapshot, bus: Bus, routes: Routes) -> list[Problem]:
    planned = wanted(replace(snapshot, overrides=plan.overrides), bus)
    edited = _edited_meanwhile(plan, snapshot, planned, wanted(snapshot, bus))
    if not plan.changing and not edited:
        return []
    malformed = [each for each in planned.values() if each.error and each.event_id in plan.changing]
    problems = [_problem(each.event_id, each.error) for each in malformed]
    routes.look()
    for job in sorted(routes.jobs(planned), key=lambda job: job.rank):
        outcome = None
        if (job.event_id, job.route) in edited:
            outcome = routes.put_targets(job)
        elif _is_changing(plan, job) and not (job.wanted is None and problems):
            outcome = routes.put_in_step(job, written_anew=True)
        if outcome is not None and outcome.state != IN_STEP:
            problems.append(_problem(f"{job.event_id}/{job.route}", outcome.error))
    return problems


def _is_changing(plan: Plan, job: Job) -> bool:
    """A rule that must not be there is never left for the engine alone, which may not know it."""
    return job.event_id in plan.changing and (job.wanted is None or job.route in plan.changing[job.event_id])


def _edited_meanwhile(
    plan: Plan, snapshot: StoreSnapshot, planned: dict[str, WantedEvent], now: dict[str, WantedEvent]
) -> set[tuple[str, str]]:
    """The routes (event id and name) that must be something else than when the plan was made."""
    found: set[tuple[str, str]] = set()
    nothing = WantedEvent("")
    for event_id in {*snapshot.overrides, *plan.overrides}:
        if snapshot.overrides.get(event_id) != plan.overrides.get(event_id):
            was, is_ = planned.get(event_id, nothing).rules, now.get(event_id, nothing).rules
            found |= {(event_id, name) for name in {*was, *is_} if was.get(name) != is_.get(name)}
    return found


def _problem(path: str, error: str) -> Problem:
    return Problem(
        code="out-of-step",
        what="the rule is not what it must be, and the engine has taken nothing away",
        got=error,
        fix="mend that and run `pulumi up` again; `python -m signalbox status` shows what is live",
        path=path,
    )
