"""Calls to EventBridge and Step Functions, followed to their end: all pages, all entries, tried again if that helps."""

import random
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

from signalbox.reconcile.difference import CHUNK
from signalbox.reconcile.ports import (
    NOT_FOUND,
    RETRYABLE,
    CallError,
    Clock,
    Failed,
    Machines,
    Page,
    Rules,
    RulesError,
    pages,
)
from signalbox.reconcile.wanted import WantedRule

T = TypeVar("T")

ATTEMPTS = 6
"""How often one call is tried."""
FIRST_WAIT = 0.2
LONGEST_WAIT = 5.0
"""Seconds. Between tries the wait doubles up to the longest, with full jitter:
https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/"""

HAS_TARGETS = "ValidationException"
"""The code of DeleteRule's refusal "Rule can't be deleted since it has targets"."""
READS_BEFORE_DELETE = 3
"""How often the targets of a rule are read and removed when it refuses to go: a list may show a target late."""


class OutOfTimeError(Exception):
    """The run's time is up; what is undone is left to the next."""


class Patient:
    """Calls that are tried again, where that can help, until `deadline` on `clock`'s time.

    `jitter` gives numbers in [0, 1). `writes` counts the calls that changed, or tried to change, something.
    """

    def __init__(
        self, clock: Clock, *, deadline: float = float("inf"), jitter: Callable[[], float] = random.random
    ) -> None:
        self._clock = clock
        self._deadline = deadline
        self._jitter = jitter
        self.writes = 0

    def wait(self, attempt: int) -> None:
        """Waits before the next attempt."""
        self._clock.sleep(self._jitter() * min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))

    def _pages(self, fetch: Callable[[str | None], Page]) -> list[Mapping[str, Any]]:
        return list(pages(lambda token: self._call(lambda: fetch(token))))

    def _write(self, action: Callable[[], T]) -> T:
        self.writes += 1
        return self._call(action)

    def _call(self, action: Callable[[], T]) -> T:
        attempt = 1
        while True:
            if self._clock.now() >= self._deadline:
                raise OutOfTimeError
            try:
                return action()
            except CallError as error:
                if not error.retryable or attempt == ATTEMPTS:
                    raise
            self.wait(attempt)
            attempt += 1


class Calls(Patient):
    """The rules of one bus. Every method raises RulesError when a call failed for good, OutOfTimeError past its
    deadline."""

    def __init__(self, rules: Rules, clock: Clock, **patience: Any) -> None:
        super().__init__(clock, **patience)
        self._rules = rules

    def rules(self) -> list[Mapping[str, Any]]:
        """Every rule of the bus: a call for each page."""
        return self._pages(self._rules.list_rules)

    def targets(self, rule: str) -> list[Mapping[str, Any]]:
        """Every target of a rule: a call for each page, and five targets are one page."""
        return self._pages(lambda token: self._rules.list_targets(rule, token))

    def put_rule(self, wanted: WantedRule) -> None:
        """PutRule with all the fields that it would otherwise null."""
        rule = wanted.rule
        self._write(
            lambda: self._rules.put_rule(
                rule.name, pattern=rule.pattern, state=rule.state, description=rule.description
            )
        )

    def put_targets(self, rule: str, targets: Sequence[Mapping[str, Any]]) -> None:
        """Adds or replaces all of `targets`."""
        by_id = {target["Id"]: target for target in targets}
        self._entries(lambda ids: self._rules.put_targets(rule, [by_id[each] for each in ids]), list(by_id))

    def remove_targets(self, rule: str, ids: Sequence[str]) -> None:
        """Removes all of `ids`."""
        self._entries(lambda some: self._rules.remove_targets(rule, some), ids)

    def delete_rule(self, rule: str) -> None:
        """Deletes a rule and its targets; one that is not there is fine."""
        for reading in range(1, READS_BEFORE_DELETE + 1):
            try:
                self.remove_targets(rule, [target["Id"] for target in self.targets(rule)])
                self._write(lambda: self._rules.delete_rule(rule))
            except RulesError as error:
                if error.code == NOT_FOUND:
                    return
                if error.code != HAS_TARGETS or reading == READS_BEFORE_DELETE:
                    raise
                self.wait(reading)
            else:
                return

    def _entries(self, action: Callable[[Sequence[str]], Sequence[Failed]], ids: Sequence[str]) -> None:
        """`action` on all of `ids`, in chunks; HTTP 200 does not mean that all entries were done."""
        for start in range(0, len(ids), CHUNK):
            left = list(ids[start : start + CHUNK])
            for attempt in range(1, ATTEMPTS + 1):
                failed = self._write(lambda some=left: action(some))
                if not failed:
                    break
                lasting = [each for each in failed if each.code not in RETRYABLE]
                if lasting or attempt == ATTEMPTS:
                    raise _refusal(lasting or failed)
                left = [each.target_id for each in failed]
                self.wait(attempt)


class MachineCalls(Patient):
    """State machines. Every method raises MachinesError when a call failed for good, OutOfTimeError past its
    deadline."""

    def __init__(self, machines: Machines, clock: Clock, **patience: Any) -> None:
        super().__init__(clock, **patience)
        self._machines = machines

    def machines(self) -> list[Mapping[str, Any]]:
        """Every state machine of the account: a call for each page."""
        return self._pages(self._machines.list_machines)

    def describe(self, arn: str) -> Mapping[str, Any] | None:
        """One state machine; None: there is none."""
        return self._call(lambda: self._machines.describe(arn))

    def tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a state machine."""
        return self._call(lambda: self._machines.tags(arn))

    def create(self, name: str, kind: str, fields: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Makes a state machine."""
        self._write(lambda: self._machines.create(name, kind, fields, tags))

    def update(self, arn: str, fields: Mapping[str, Any]) -> None:
        """Changes a state machine."""
        self._write(lambda: self._machines.update(arn, fields))

    def delete(self, arn: str) -> None:
        """Begins to delete a state machine."""
        self._write(lambda: self._machines.delete(arn))


def _refusal(failed: Sequence[Failed]) -> RulesError:
    names = ", ".join(each.target_id for each in failed)
    return RulesError(failed[0].code, f"{failed[0].message} (target {names})", retryable=False)
