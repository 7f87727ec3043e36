"""Which fault happens where: drawn from the seed, and counted, so that a range of seeds can say what it covered."""

from collections import Counter
from collections.abc import Iterator
from random import Random

RARE = (
    *("remove_targets", "delete_rule", "delete_item"),
    *("create_state_machine", "update_state_machine", "delete_state_machine"),
)
"""Calls that a run makes seldom, and that therefore fail more often."""

OFTEN = (
    *("query", "get_item", "list_rules", "list_targets_by_rule"),
    *("list_state_machines", "describe_state_machine", "list_tags_for_resource"),
)
"""Calls that a run makes many of, and that would otherwise end every run before it did anything."""

BEFORE = ("crash-before", "throttled", "error-before")
AFTER = ("crash-after", "error-after", "no-answer")

KINDS: dict[str, dict[str, tuple[str, ...]]] = {
    "reconciler": {
        "list_rules": ("crash-before", "throttled", "error-before", "crash-after", "stale"),
        "list_targets_by_rule": ("crash-before", "throttled", "error-before", "crash-after", "stale"),
        "put_rule": (*BEFORE, *AFTER, "concurrent", "quota"),
        "put_targets": (*BEFORE, *AFTER, "concurrent"),
        "remove_targets": (*BEFORE, *AFTER, "concurrent"),
        "delete_rule": (*BEFORE, *AFTER, "concurrent"),
        "query": ("crash-before", "throttled", "error-before", "crash-after"),
        "put_item": (*BEFORE, *AFTER),
        "delete_item": (*BEFORE, *AFTER),
        "list_state_machines": ("crash-before", "throttled", "error-before", "crash-after", "stale"),
        "describe_state_machine": ("crash-before", "throttled", "error-before", "crash-after", "stale"),
        "list_tags_for_resource": ("crash-before", "throttled", "error-before", "crash-after"),
        "create_state_machine": (*BEFORE, *AFTER, "conflicting"),
        "update_state_machine": (*BEFORE, *AFTER, "conflicting"),
        "delete_state_machine": (*BEFORE, *AFTER, "conflicting"),
    },
    "api": {
        "query": ("crash-before", "throttled", "error-before", "crash-after"),
        "get_item": ("crash-before", "throttled", "error-before", "crash-after"),
        "transact_write_items": (*BEFORE, *AFTER, "conflict"),
    },
    "deploy": {
        "query": ("crash-before", "throttled", "error-before", "crash-after"),
        "list_rules": ("crash-before", "throttled", "error-before", "crash-after", "stale"),
        "list_targets_by_rule": ("crash-before", "throttled", "error-before", "crash-after", "stale"),
        "put_item": (*BEFORE, *AFTER),
        "delete_item": (*BEFORE, *AFTER),
        "put_rule": (*BEFORE, *AFTER, "concurrent", "quota"),
        "put_targets": (*BEFORE, *AFTER, "concurrent"),
        "remove_targets": (*BEFORE, *AFTER, "concurrent"),
        "delete_rule": (*BEFORE, *AFTER, "concurrent"),
    },
}

CIRCUMSTANCES = (
    "stream dropped",
    "stream duplicated",
    "stream reordered",
    "stream expired",
    "passes overlap",
    "deploy and pass overlap",
    "two deploys at once",
    "deploy died halfway",
    "older revision deployed",
    "edit while a deploy runs",
    "rules right after an up",
    "rule changed by hand",
    "rule deleted by hand",
    "target removed by hand",
    "rule disabled by hand",
    "target added by hand",
    "frozen",
    "released",
    "target missing",
    "quota reached",
    "conflict: fail",
    "conflict: definitions",
    "conflict: store",
    "converged",
    "edit void",
    "event gone with edits",
    "foreign rule has the name",
    "edit refused: too many at once",
    "precondition failed",
    "does not fit one rule",
    "flow deleted",
    "flow deleted while it is named",
    "route to a flow",
    "flow that can have no machine",
    "request repeated",
    "machine being deleted",
    "machine deleted by hand",
    "machine changed by hand",
)


def sites() -> Iterator[str]:
    """Every place where a fault can be put in, and every circumstance that the simulation knows."""
    for kind, operations in KINDS.items():
        for operation, faults in operations.items():
            for fault in faults:
                yield f"{kind} {operation} {fault}"
    for operation in ("put_targets", "remove_targets"):
        for count in range(1, 6):
            for mask in range(1, 2**count):
                yield f"reconciler {operation} failed entries {mask:0{count}b}"
    yield from CIRCUMSTANCES


class Faults:
    """The faults of one run. `rate` is the chance of one at a call; one operation that the seed picks has more."""

    def __init__(self, rng: Random, rate: float, covered: Counter[str]) -> None:
        self._rng = rng
        self.rate = rate
        self.made = 0
        """Faults so far."""
        self._covered = covered
        kind = rng.choice(("reconciler", "reconciler", "reconciler", "api", "deploy"))
        self._subset = rng.randrange(2**5)
        seldom = [each for each in RARE if each in KINDS[kind]]
        self._favourite = (kind, rng.choice([*sorted(KINDS[kind]), *seldom, *seldom]))

    def draw(self, kind: str, operation: str) -> str:
        """The fault of this call, "" for none."""
        rate = self.rate * (4 if operation in RARE else 0.2 if operation in OFTEN else 1)
        if (kind, operation) == self._favourite:
            rate = max(rate, 0.4)
        elif kind == self._favourite[0]:
            rate *= 0.2  # or hardly a run would come as far as to the favourite
        if self.rate == 0 or self._rng.random() >= rate:
            return ""
        faults = [each for each in KINDS.get(kind, {}).get(operation, ()) if each not in ("stale", "quota")]
        self.made += bool(faults)
        return self._rng.choice(faults) if faults else ""

    def stale(self, kind: str, operation: str) -> bool:
        """Does this list show an older state?"""
        stale = self.rate > 0 and "stale" in KINDS.get(kind, {}).get(operation, ()) and self._rng.random() < 0.25
        self.made += stale
        return stale

    def subset(self, kind: str, operation: str, count: int) -> int:
        """Which of `count` entries fail, as a bit mask; 0 for none."""
        if kind != "reconciler" or self.rate == 0 or count == 0 or self._rng.random() >= 0.5:
            return 0
        # Each seed begins at another subset and goes on from there: a range of seeds meets all of them soon.
        self._subset += 1
        return 1 + self._subset % (2**count - 1)

    def hit(self, site: str) -> None:
        """Counts a fault that really happened."""
        self._covered[site] += 1
