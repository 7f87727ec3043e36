"""Faults put into the product, each of which the simulation must catch: what says that its checks can fail.

`python -m tests.simulation.mutants NAME` plays seeds with that mutant until one breaks. A mutant is a text in a
module's source and what stands in its place; a text that is not there exactly once is an error, so that the list cannot
rot.
"""

import importlib
import importlib.util
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Mutant:
    """`text` of `module` is replaced by `by`."""

    name: str
    module: str
    text: str
    by: str


CALLS = "signalbox.reconcile.calls"
PORTS = "signalbox.reconcile.ports"
DIFFERENCE = "signalbox.reconcile.difference"
RECONCILER = "signalbox.reconcile.reconciler"
ROUTES = "signalbox.reconcile.routes"
DEPLOY = "signalbox.reconcile.deploy"
WANTED = "signalbox.reconcile.wanted"
RULES = "signalbox.aws.rules"
STORE = "signalbox.aws.store"
EFFECTIVE = "signalbox.effective"
CONFLICTS = "signalbox.conflicts"
PLAN = "signalbox.plan"
OVERRIDES = "signalbox.overrides"
ITEMS = "signalbox.store"
MACHINES = "signalbox.reconcile.machines"
STATES = "signalbox.aws.machines"
FLOW_EDITS = "signalbox.flow_edits"

MUTANTS = (
    Mutant("no retry", CALLS, "if not error.retryable or attempt == ATTEMPTS:", "if True:"),
    Mutant("failed entries are not tried again", CALLS, "if lasting or attempt == ATTEMPTS:", "if True:"),
    Mutant("FailedEntryCount ignored", RULES, 'if not answer.get("FailedEntryCount"):', "if True:"),
    Mutant("rules are not paged", PORTS, "while page.token is not None:", "while False:"),
    Mutant("items are not paged", STORE, 'if not page.get("LastEvaluatedKey"):', "if True:"),
    Mutant(
        "inconsistent reads of items",
        STORE,
        '"ConsistentRead": True,\n        }',
        '"ConsistentRead": False,\n        }',
    ),
    Mutant("no condition at all", STORE, "**_condition(write.unchanged)}", "}"),
    Mutant("If-Match ignored", OVERRIDES, "if if_match is not None and", "if False and"),
    Mutant("edits are not counted on", OVERRIDES, "revision = old.revision + 1", "revision = len(old.routes) + 1"),
    Mutant("an edit forgets the others", OVERRIDES, "edits[name] = was.edit", "pass"),
    Mutant(
        "a route left out is not deleted",
        OVERRIDES,
        "for name in sorted({*before, *configs}):",
        "for name in sorted(configs):",
    ),
    Mutant("too many at once goes through", OVERRIDES, "if problems:", "if False:"),
    Mutant("no history", OVERRIDES, "Put(history, Unchanged(history[PK], history[SK], {PK: None})),", ""),
    Mutant(
        "a full rule is emptied for new targets",
        ROUTES,
        "            for target in change.put:\n",
        "            self._calls.remove_targets(rule, left)\n            for target in change.put:\n",
    ),
    Mutant(
        "remove before put",
        ROUTES,
        "left = self._put_targets(wanted.rule.name, change)",
        "left = (self._calls.remove_targets(wanted.rule.name, change.remove), "
        "self._put_targets(wanted.rule.name, change))[1]",
    ),
    Mutant("a full rule is left as it is", ROUTES, "            if error.code != FULL:\n", "            if True:\n"),
    Mutant("a list is taken at its word", DIFFERENCE, "if anew or live.get", "if live.get"),
    Mutant("a deploy knows of none that died", PLAN, "    died = _died(store)\n", "    died = False\n"),
    Mutant("a deploy that dies is one of before", DEPLOY, 'store.put(settled_item(""))', "pass"),
    Mutant("a deploy takes a list at its word", DEPLOY, ", written_anew=True", ""),
    Mutant("events that are gone count", ITEMS, "if item[PK] == EVENTS and is_gone(item):", "if False:"),
    Mutant("rules of other stacks are ours", DIFFERENCE, "mark[0] != stack or ", ""),
    Mutant("copies of our rules are ours", DIFFERENCE, ' or rule["Name"] != rule_name(mark[1], mark[2])', ""),
    Mutant("managed rules are ours", DIFFERENCE, ' or rule.get("ManagedBy")', ""),
    Mutant("foreign rules are adopted", ROUTES, "if job.wanted.rule.name in self._taken:", "if False:"),
    Mutant("a deploy adopts foreign rules", DIFFERENCE, "if rule.name in foreign", "if False"),
    Mutant("a deploy trusts the engine", DEPLOY, "elif _is_changing(plan, job) and", "elif False and"),
    Mutant("a deploy trusts the engine that rules are there", DEPLOY, "calls.put_rule(WantedRule(rule, ()))", "pass"),
    Mutant(
        "a deploy makes live what it then takes away",
        DEPLOY,
        "wanted(replace(snapshot, overrides=plan.overrides), bus)",
        "wanted(snapshot, bus)",
    ),
    Mutant("a deploy trusts the engine in items", DEPLOY, "if item != _there(snapshot, item)", "if False"),
    Mutant("a deploy takes no heed of edits meanwhile", DEPLOY, "if (job.event_id, job.route) in edited:", "if False:"),
    Mutant(
        "a deploy looks at events that it declares anew only",
        PLAN,
        "if unsure or declared_anew or changed",
        "if unsure or declared_anew",
    ),
    Mutant(
        "a deploy looks at unsure events only",
        PLAN,
        "if unsure or declared_anew or changed or before.keys() != routes.keys():",
        "if unsure:",
    ),
    Mutant("a deploy takes edits for live", PLAN, 'return note["Revision"] == revision and', "return"),
    Mutant("PutRule without the state", RULES, "State=state, ", ""),
    Mutant("PutRule without the description", RULES, ", Description=description", ""),
    Mutant(
        "a changed pattern is not seen",
        DIFFERENCE,
        'and _same_pattern(wanted.rule.pattern, live.get("EventPattern"))',
        "",
    ),
    Mutant("a disabled rule is not seen", DIFFERENCE, 'live.get("State") == wanted.rule.state\n        and ', ""),
    Mutant(
        "every target is written each time",
        DIFFERENCE,
        'if anew or live.get(target["Id"]) != _plain(target)',
        "if True",
    ),
    Mutant(
        "targets have no dead-letter queue", WANTED, '    made["DeadLetterConfig"] = {"Arn": bus.undelivered}\n', ""
    ),
    Mutant("a missing target is left out", WANTED, "    if missing:\n", "    if False:\n"),
    Mutant(
        "a route whose target is missing loses its rule",
        ROUTES,
        "if job.wanted is None:\n                if",
        "if job.wanted is None or job.wanted.missing:\n                if",
    ),
    Mutant(
        "targets stay when a rule is deleted",
        CALLS,
        'self.remove_targets(rule, [target["Id"] for target in self.targets(rule)])',
        "pass",
    ),
    Mutant(
        "no second pass when the store changed",
        RECONCILER,
        "settled = finished and not one.overtaken and _says(store) == _says(before)",
        "settled = finished",
    ),
    Mutant("freeze ignored", RECONCILER, "if FREEZE in store.control:", "if False:"),
    Mutant("release ignored", WANTED, "RELEASE in store.control or ", ""),
    Mutant("a deploy goes on after a release", PLAN, "list[Problem] = _control_problems(store)", "list[Problem] = []"),
    Mutant(
        "outcomes are written each time",
        RECONCILER,
        'if was is None or {**item, "At": ""} != {**was, "At": ""}:',
        "if True:",
    ),
    Mutant("outcomes are not written", RECONCILER, "self._notes.put(item)", "pass"),
    Mutant("conflicts are not noted", RECONCILER, 'if route.outcome in ("conflict", "orphaned"):', "if False:"),
    Mutant("conflicts never found", EFFECTIVE, "if now == edit.basis:", "if event_declared:"),
    Mutant("conflicts go to the definitions", CONFLICTS, 'if choice == "definitions":', 'if choice != "store":'),
    Mutant(
        "conflicts go to the edit", CONFLICTS, 'if choice == "store" and reason == "chosen":', 'if reason == "chosen":'
    ),
    Mutant(
        "a decision ends with its declared route",
        CONFLICTS,
        "return replace(decision, declared=ANY) if voided else None",
        "return None",
    ),
    Mutant("a decision holds before its time", EFFECTIVE, " and self.declared in (declared, ANY)", ""),
    Mutant("a decision voids later edits", EFFECTIVE, "and edit.revision <= self.revision ", ""),
    Mutant(
        "deleted routes stay",
        EFFECTIVE,
        'return is_("kept", edit.config)',
        'return is_("kept", edit.config or declared)',
    ),
    Mutant(
        "a flow in use is deleted", FLOW_EDITS, "if users := sorted(_users(store, flow_id)):\n", "if users := []:\n"
    ),
    Mutant(
        "a delete does not notice a route",
        FLOW_EDITS,
        "store.commit([Delete(flow_unchanged(item))])",
        "store.commit([Delete(Unchanged(FLOW, flow_id, {PK: FLOW}))])",
    ),
    Mutant(
        "a route is not counted by its flow",
        OVERRIDES,
        'Put({**item, "Named": item["Named"] + 1}, flow_unchanged(item))',
        'Unchanged(FLOW, item[SK], {"Origin": item["Origin"]})',
    ),
    Mutant(
        "a route does not notice that its flow goes",
        OVERRIDES,
        "(*_writes(items, item, history), *naming)",
        "_writes(items, item, history)",
    ),
    Mutant(
        "a repeat is a new request", FLOW_EDITS, "if request and answered and", "if False and request and answered and"
    ),
    Mutant("machines have no tags", STATES, "tags=made", "tags=[]"),
    Mutant(
        "machines are not paged",
        STATES,
        'Page(answer["stateMachines"], answer.get("nextToken"))',
        'Page(answer["stateMachines"], None)',
    ),
    Mutant("foreign machines are adopted", MACHINES, "and not self._is_ours(wanted.arn, wanted.tags)", "and False"),
    Mutant(
        "foreign machines are deleted",
        MACHINES,
        "return flow_id if ours else None",
        "return flow_id",
    ),
    Mutant(
        "a machine goes before its rules",
        RECONCILER,
        "self._flows.put_new()",
        "self._flows.put_new(), self._flows.remove(set)",
    ),
    Mutant("a machine goes from under a rule that stays", MACHINES, "if flow_id in used:", "if False:"),
    Mutant(
        "rules are written before their machines",
        RECONCILER,
        "wanted(self._store, self._bus, self._flows.absent())",
        "wanted(self._store, self._bus)",
    ),
    Mutant("a changed machine is not seen", MACHINES, "change = bool(differs(wanted, live))", "change = False"),
    Mutant("machines are looked at once", RECONCILER, "self._flows.check()", "pass"),
    Mutant("a machine that is being deleted counts", MACHINES, 'if live.get("status") == DELETING:', "if False:"),
    Mutant("a machine keeps its type", MACHINES, "        if other:\n", "        if False:\n"),
    Mutant("machines stay after a release", MACHINES, "if RELEASE in store.control:", "if False:"),
    Mutant("what machines are is not noted", MACHINES, "self._store.put(item)", "pass"),
    Mutant(
        "what machines are is noted each time",
        MACHINES,
        'if was is None or {**item, "At": ""} != {**was, "At": ""}:',
        "if True:",
    ),
)


class _Finder(MetaPathFinder, Loader):
    """Imports the mutated module in place of the real one."""

    def __init__(self, mutant: Mutant) -> None:
        self._mutant = mutant

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname != self._mutant.module:
            return None
        return importlib.util.spec_from_loader(fullname, self)

    def exec_module(self, module: ModuleType) -> None:
        exec(compile(mutated(self._mutant), f"<{self._mutant.name}>", "exec"), module.__dict__)


def mutated(mutant: Mutant) -> str:
    """The module's source with the fault in it. Raises ValueError when the text is not there exactly once."""
    source = (ROOT / Path(*mutant.module.split("."))).with_suffix(".py").read_text()
    if source.count(mutant.text) != 1:
        raise ValueError(f"mutant {mutant.name!r}: its text is {source.count(mutant.text)} times in {mutant.module}")
    return source.replace(mutant.text, mutant.by)


def caught(mutant: Mutant, seeds: int) -> int | None:
    """The first seed that the mutant breaks, None when it survives. Only in a process of its own: it stays in."""
    sys.meta_path.insert(0, _Finder(mutant))
    world = importlib.import_module("tests.simulation.world")
    for seed in range(seeds):
        try:
            world.World(seed, Counter()).run()
        except Exception:  # noqa: BLE001  # a mutant may break a promise, or simply break
            return seed
    return None


def main() -> int:
    """Exit code 1 when the mutant survives."""
    name, seeds = sys.argv[1], int(sys.argv[2]) if len(sys.argv) > 2 else 2000
    seed = caught(next(mutant for mutant in MUTANTS if mutant.name == name), seeds)
    print(f"{name}: {'survives' if seed is None else f'caught by seed {seed}'}")
    return 1 if seed is None else 0


if __name__ == "__main__":
    sys.exit(main())
