"""Single routes put in step: their rules looked up on the bus, compared with what they must be, and made so.

Order is what keeps events from being missed: new rules are made before others change, and those before any goes; of one
rule, new targets are put before old ones are removed, and all are removed before the rule is deleted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from signalbox.reconcile.calls import Calls
from signalbox.reconcile.difference import Difference, Live, difference, owner
from signalbox.reconcile.ports import FULL, NOT_FOUND, RulesError
from signalbox.reconcile.wanted import WantedEvent, WantedRule
from signalbox.store import FAILED, IN_STEP, KEPT_OLD


@dataclass(frozen=True, slots=True)
class Job:
    """One route to look at: its live rule, the wanted one, or both."""

    event_id: str
    route: str
    live: Live | None
    wanted: WantedRule | None

    @property
    def rank(self) -> int:
        """Rules that start to catch events come first, those that stop come last."""
        if self.wanted is None:
            return 3
        if self.wanted.rule.state == "DISABLED":
            return 2
        return 0 if self.live is None or self.live.get("State") == "DISABLED" else 1


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a route: `state` is IN_STEP, KEPT_OLD (a target is missing) or FAILED, `error` says why, and
    `changed`: something had to be done."""

    state: str
    error: str = ""
    changed: bool = False


class Routes:
    """The rules of one bus, looked up once and then put in step one by one. Methods raise OutOfTimeError."""

    def __init__(self, calls: Calls, stack: str) -> None:
        self._calls = calls
        self._stack = stack
        self._live: dict[tuple[str, str], Live] = {}
        self._taken: set[str] = set()
        self.foreign: list[str] = []
        """Rules that are neither ours nor AWS's own."""

    def look(self) -> None:
        """Lists the bus: a call for each page. Raises RulesError."""
        for rule in self._calls.rules():
            ours = owner(rule, self._stack)
            if ours is not None:
                self._live[ours] = rule
                continue
            self._taken.add(rule["Name"])
            if not rule.get("ManagedBy"):
                self.foreign.append(rule["Name"])

    def ours(self, event_ids: Iterable[str]) -> list[str]:
        """The names of the rules that are on the bus for these events."""
        of = set(event_ids)
        return [rule["Name"] for (event_id, _), rule in self._live.items() if event_id in of]

    def jobs(self, events: Mapping[str, WantedEvent]) -> list[Job]:
        """Every route that has a rule or must have one, but for events whose items are malformed."""
        rules = {(event.event_id, name): rule for event in events.values() for name, rule in event.rules.items()}
        return [
            Job(event_id, name, self._live.get((event_id, name)), rules.get((event_id, name)))
            for event_id, name in sorted({*self._live, *rules})
            if event_id not in events or not events[event_id].error
        ]

    def put_in_step(self, job: Job, *, written_anew: bool = False) -> Outcome | None:
        """Makes one route's rule what it must be; None when nothing is left of the route. `written_anew`: whatever the
        lists say of it."""
        try:
            if job.wanted is None:
                if job.live is not None:
                    self._calls.delete_rule(job.live["Name"])
                return None
            if job.wanted.rule.name in self._taken:
                return Outcome(FAILED, f"a rule named {job.wanted.rule.name} is on the bus that is not ours: delete it")
            if job.wanted.missing:
                return Outcome(KEPT_OLD, f"not there: {', '.join(job.wanted.missing)}")
            return Outcome(IN_STEP, changed=self._put(job.wanted, job.live, written_anew))
        except RulesError as error:
            return Outcome(FAILED, str(error))

    def put_targets(self, job: Job) -> Outcome | None:
        """Puts the targets of one route on its rule, and leaves all else as it is; None where there is no rule."""
        if job.live is None or job.wanted is None or job.wanted.missing:
            return None
        try:
            self._calls.put_targets(job.wanted.rule.name, job.wanted.targets)
        except RulesError as error:
            return None if error.code == NOT_FOUND else Outcome(FAILED, str(error))
        return Outcome(IN_STEP, changed=True)

    def targets(self, rule: str) -> list[Live]:
        """The targets of a rule, none of one that is not there. Raises RulesError."""
        try:
            return self._calls.targets(rule)
        except RulesError as error:
            if error.code != NOT_FOUND:
                raise
            return []

    def _put(self, wanted: WantedRule, live: Live | None, written_anew: bool) -> bool:
        """Makes or changes a rule, if it must be."""
        try:
            targets = self._calls.targets(wanted.rule.name) if live is not None else []
            return self._change(wanted, live, difference(wanted, live, targets, written_anew=written_anew))
        except RulesError as error:
            if error.code != NOT_FOUND or live is None:
                raise
            # It was listed, but is gone: the list was old, or somebody deletes behind our back.
            return self._change(wanted, None, difference(wanted, None, ()))

    def _change(self, wanted: WantedRule, live: Live | None, change: Difference) -> bool:
        # A live rule first takes its new targets, so that one which is refused leaves all as it was; a new rule must be
        # there before them, and one that is switched off shall send nothing to new targets.
        first = live is None or wanted.rule.state == "DISABLED"
        if change.rule and first:
            self._calls.put_rule(wanted)
        left = self._put_targets(wanted.rule.name, change)
        if change.rule and not first:
            self._calls.put_rule(wanted)
        self._calls.remove_targets(wanted.rule.name, left)
        return bool(change)

    def _put_targets(self, rule: str, change: Difference) -> list[str]:
        """Puts the new targets, and gives the old ones that must go yet.

        New targets come before old ones go, so that no event finds the rule without. Only where both do not fit the
        rule at once (an edit that would need that is refused, so this takes a hand that changed the rule, or a second
        edit before the first was live) does an old one go for a new one that the bus has refused. Not sooner: a list
        may be old, and the bus knows. So a rule that has five targets never has fewer than four.
        """
        left = list(change.remove)
        try:
            self._calls.put_targets(rule, change.put)
        except RulesError as error:
            if error.code != FULL:
                raise
            for target in change.put:
                self._put_in_place(rule, target, left)
        return left

    def _put_in_place(self, rule: str, target: Live, left: list[str]) -> None:
        """Puts one target, for which some of `left` go while the rule is full; those are taken out of it."""
        while True:
            try:
                return self._calls.put_targets(rule, [target])
            except RulesError as error:
                if error.code != FULL or not left:
                    raise
            self._calls.remove_targets(rule, [left.pop(0)])
