"""What the reconciler needs of the outside: the store, the rules of one bus, state machines, a clock, and a place for
metrics."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from signalbox.store import Item, StoreSnapshot

RETRYABLE = frozenset(
    {
        "ConcurrentModificationException",
        "ConflictException",
        "InternalException",
        "InternalFailure",
        "InternalServerError",
        "RequestLimitExceeded",
        "RequestTimeout",
        "ServiceUnavailable",
        "ThrottledException",
        "Throttling",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Error codes after which the same call may succeed, of a whole call or of one of its entries.

https://docs.aws.amazon.com/eventbridge/latest/APIReference/CommonErrors.html and the operations' own errors.
"""

NOT_FOUND = "ResourceNotFoundException"
FULL = "LimitExceededException"
"""Of PutTargets: the rule would have more targets than a rule may."""


class CallError(Exception):
    """A call to AWS failed. `code` is AWS's name of the error; `retryable`: the same call may yet succeed."""

    def __init__(self, code: str, message: str, *, retryable: bool | None = None) -> None:
        super().__init__(f"{code}: {message}" if message else code)
        self.code = code
        self.retryable = code in RETRYABLE if retryable is None else retryable


class RulesError(CallError):
    """A call to EventBridge failed."""


class MachinesError(CallError):
    """A call to Step Functions failed."""


@dataclass(frozen=True, slots=True)
class Failed:
    """An entry of a PutTargets or RemoveTargets call that was not done although the call succeeded."""

    target_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list; `token` fetches the next, None on the last."""

    entries: Sequence[Mapping[str, Any]]
    token: str | None


def pages(fetch: Callable[[str | None], Page]) -> Iterator[Mapping[str, Any]]:
    """The entries of all pages that `fetch` gives, from the token None on. Raises what `fetch` does."""
    page = fetch(None)
    yield from page.entries
    while page.token is not None:
        page = fetch(page.token)
        yield from page.entries


class Store(Protocol):
    """The event store. Reads are consistent; a store that cannot be read raises, and never looks empty."""

    def snapshot(self) -> StoreSnapshot:
        """The items that say what the rules must be."""
        ...

    def put(self, item: Item) -> None:
        """Writes a whole item, of which the caller is the only writer: `sync`, or the deploy's `deploy`."""
        ...

    def delete(self, pk: str, sk: str) -> None:
        """Deletes a `sync` item; one that is not there is fine."""
        ...


class Rules(Protocol):
    """The rules of one bus, in the words of EventBridge's API. Every method raises RulesError."""

    def list_rules(self, token: str | None) -> Page:
        """A page of rules: Name, EventPattern, State, Description, ManagedBy, …"""
        ...

    def list_targets(self, rule: str, token: str | None) -> Page:
        """A page of a rule's targets: Id, Arn, RoleArn, InputTransformer, …"""
        ...

    def put_rule(self, rule: str, *, pattern: str, state: str, description: str) -> None:
        """Makes the rule, or replaces all of it except its targets."""
        ...

    def put_targets(self, rule: str, targets: Sequence[Mapping[str, Any]]) -> Sequence[Failed]:
        """Adds or replaces up to ten targets; gives those that it did not."""
        ...

    def remove_targets(self, rule: str, ids: Sequence[str]) -> Sequence[Failed]:
        """Removes up to ten targets; gives those that it did not."""
        ...

    def delete_rule(self, rule: str) -> None:
        """Deletes a rule that has no targets."""
        ...


class Machines(Protocol):
    """The state machines of one account and region, in the words of Step Functions' API. Every method raises
    MachinesError. What describes a machine may be some moments old."""

    def list_machines(self, token: str | None) -> Page:
        """A page of state machines: name, stateMachineArn."""
        ...

    def describe(self, arn: str) -> Mapping[str, Any] | None:
        """A state machine: status, type, definition, roleArn, loggingConfiguration, …; None: there is none."""
        ...

    def tags(self, arn: str) -> Mapping[str, str]:
        """The tags of a state machine, none of one that is not there."""
        ...

    def create(self, name: str, kind: str, fields: Mapping[str, Any], tags: Mapping[str, str]) -> None:
        """Makes a state machine; one of the same definition and configuration that is there already is fine."""
        ...

    def update(self, arn: str, fields: Mapping[str, Any]) -> None:
        """Changes definition, role and configuration of a state machine."""
        ...

    def delete(self, arn: str) -> None:
        """Begins to delete a state machine; its name is free when its executions have ended."""
        ...


class Clock(Protocol):
    """Time, so that tests need not wait."""

    def now(self) -> float:
        """Seconds since the epoch."""
        ...

    def sleep(self, seconds: float) -> None:
        """Waits."""
        ...


class SystemClock:
    """The system's."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Waits."""
        time.sleep(seconds)


class Metrics(Protocol):
    """Where numbers about a pass go."""

    def put(self, values: Mapping[str, float]) -> None:
        """One value for each metric's name."""
        ...
