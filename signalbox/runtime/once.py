"""Doing something once, however often it is asked for: the memory of processing functions, in the `state` table.

EventBridge, Lambda and the Router deliver at least once. A processing function that must not act twice for one event:

    from signalbox.runtime.once import once

    @once()
    def handle(event, context):
        ...

with `environment: {STATE: "${state.name}"}` and a statement for `dynamodb:PutItem` on `${state.arn}` in its
function.yaml. The event's own `id` is the key; a repeat within `remember` seconds returns None and does nothing.

How it holds under concurrency and crashes. A key is claimed by a conditional write, so one of any number of workers
gets it. The claim is a lease that ends when Lambda would have stopped the claimer anyway, so that a claimer that died
is followed by the next who asks; one that raised gives its claim back at once. Only after the work is done does the
claim become a memory. So the work is done at least once, and twice only when a worker dies between doing it and saying
so.
"""

import functools
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Protocol, TypeVar
from uuid import uuid4

from signalbox.runtime.aws import calls, client
from signalbox.runtime.errors import CallError, Refused, Unavailable
from signalbox.store import PK, SK, TTL, from_attributes, to_attributes

T = TypeVar("T")
Handler = Callable[[Any, Any], Any]

logger = logging.getLogger(__name__)

GRACE_MILLISECONDS = 1_000
"""A lease outlives its invocation by this, for clocks that differ."""
POLL_SECONDS = 0.25
DAY = 86_400


@dataclass(frozen=True, slots=True)
class Claim:
    """Who holds a key. `owner` is who asked (an event's id), `token` this very try, `until` in epoch milliseconds."""

    owner: str
    token: str
    until: int
    done: bool = False


class Memory(Protocol):
    """Where claims are kept. All methods raise Refused or Unavailable."""

    def claim(self, key: str, claim: Claim, now: int) -> Claim | None:
        """Take `key` unless a claim holds it beyond `now`: None when taken, else the claim that holds it."""
        ...

    def replace(self, key: str, claim: Claim) -> None:
        """Put `claim` in the place of the claim with the same token; do nothing where there is none any more."""
        ...


class AwsMemory:
    """Claims in the table `table`, under the partition `once#<name>`, through a botocore DynamoDB client."""

    def __init__(self, client: Any, table: str, name: str) -> None:
        self._client = client
        self._table = table
        self._partition = f"once#{name}"

    def claim(self, key: str, claim: Claim, now: int) -> Claim | None:
        """A PutItem on condition that no claim holds `key` beyond `now`."""
        return self._put(key, claim, "attribute_not_exists(PK) OR #until <= :now", {"#until": "Until"}, {":now": now})

    def replace(self, key: str, claim: Claim) -> None:
        """A PutItem on condition that the claim is still there."""
        self._put(key, claim, "#token = :token", {"#token": "Token"}, {":token": claim.token})

    def _put(
        self, key: str, claim: Claim, condition: str, names: dict[str, str], values: dict[str, Any]
    ) -> Claim | None:
        item = {
            PK: self._partition,
            SK: key,
            "Owner": claim.owner,
            "Token": claim.token,
            "Until": claim.until,
            "Done": claim.done,
            TTL: claim.until // 1000 + DAY,
        }
        try:
            with calls():
                self._client.put_item(
                    TableName=self._table,
                    Item=to_attributes(item),
                    ConditionExpression=condition,
                    ExpressionAttributeNames=names,
                    ExpressionAttributeValues=to_attributes(values),
                    ReturnValuesOnConditionCheckFailure="ALL_OLD",
                )
        except Refused as error:
            if error.code != "ConditionalCheckFailedException":
                raise
            return _held(error)
        return None


class Once:
    """`act` at most once per key and time. `now` gives epoch milliseconds, `pause` waits for seconds."""

    def __init__(
        self,
        memory: Memory,
        now: Callable[[], int] = lambda: time.time_ns() // 1_000_000,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self._memory = memory
        self._now = now
        self._pause = pause

    def act(self, key: str, owner: str, remember: int, lease: int, work: Callable[[], T]) -> T | None:
        """What `work` gives; None when it was done for `key` in the last `remember` seconds, or another owner is at it.

        `lease`: the milliseconds after which this worker is surely dead. While another worker is at it for the *same*
        owner, this one waits for the outcome, because it may be here in the place of one that died; it raises
        Unavailable when its own time ends before. What `work` raises goes through, and the key is free again.
        """
        end = self._now() + lease
        mine = Claim(owner, uuid4().hex, end + GRACE_MILLISECONDS)
        # The SDK repeats a call whose answer got lost: a claim of our own token that is held already is ours.
        while (held := self._memory.claim(key, mine, self._now())) is not None and held.token != mine.token:
            if held.done or held.owner != owner:
                return None
            if self._now() + POLL_SECONDS * 1000 >= end:
                raise Unavailable("Busy", f"{key} is being worked on for {owner}")
            self._pause(POLL_SECONDS)
        done = False
        try:
            result = work()
            done = True
        finally:
            now = self._now()
            self._end(key, replace(mine, until=now + remember * 1000 if done else now, done=done))
        return result

    def _end(self, key: str, claim: Claim) -> None:
        try:
            self._memory.replace(key, claim)
        except CallError as error:
            # The claim stays until its lease ends. To raise would have the work done again, or hide why it failed.
            logger.warning("the end of work on %s could not be noted: %s", key, error)


def once(remember: int = DAY, table_variable: str = "STATE") -> Callable[[Handler], Handler]:
    """A decorator for the handler of a processing function: it runs once for each event `id`.

    A repeat within `remember` seconds, and an event that another worker has just finished, give None. The environment
    variable `table_variable` names the `state` table.
    """

    def decorate(handler: Handler) -> Handler:
        @functools.wraps(handler)
        def wrapper(event: Any, context: Any) -> Any:
            memory = AwsMemory(client("dynamodb"), os.environ[table_variable], os.environ["AWS_LAMBDA_FUNCTION_NAME"])
            event_id = event["id"]
            lease = context.get_remaining_time_in_millis()
            return Once(memory).act(event_id, event_id, remember, lease, lambda: handler(event, context))

        return wrapper

    return decorate


def _held(error: Refused) -> Claim:
    response = getattr(error.__cause__, "response", {})
    if "Item" not in response:
        raise Unavailable("Busy", "the claim that holds the key was not told")
    item = from_attributes(response["Item"])
    return Claim(item["Owner"], item["Token"], item["Until"], item["Done"])
