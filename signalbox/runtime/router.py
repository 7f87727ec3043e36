"""The Router: what a rule handed over is checked against its event's schema and given to each function and flow.

No event is lost, whatever fails: targets that may answer later go to the retry queue, alone and with growing delay;
what no retry can help goes to `undelivered` with the reason; and when neither queue takes it, `route` raises, so that
Lambda tries again and then uses the Router's own on-failure destination.
"""

import hashlib
import logging
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from random import random
from typing import Any, Protocol

from signalbox.runtime.errors import CallError, Refused, Unavailable
from signalbox.runtime.queues import MAX_DELAY_SECONDS, undelivered
from signalbox.runtime.schemas import SchemaMissing, Schemas
from signalbox.runtime.text import to_text

logger = logging.getLogger(__name__)

ATTEMPTS = 20
"""How often a target is tried: with the delays below, over about three hours."""
DENIED_ATTEMPTS = 4
"""How often where permission is denied: a policy that a deploy has just written takes seconds to be in force."""
DENIED = frozenset({"AccessDenied", "AccessDeniedException"})
FIRST_DELAY_SECONDS = 5
ENOUGH_MILLISECONDS = 30_000
"""The time that one more call and the writes to the queues may need: with less left, targets go to the retry queue
untried, because a Router that is killed has told nobody what it did."""

_NAME = re.compile(r"[A-Za-z0-9._-]{1,128}")

Target = Mapping[str, str]
"""`{"function": "<name>"}` or `{"flow": "<name>"}`."""


class Targets(Protocol):
    """What the Router starts. Both raise Refused or Unavailable."""

    def start_function(self, name: str, payload: str) -> None:
        """Invoke the function `name`, asynchronously."""
        ...

    def start_flow(self, name: str, run: str, payload: str) -> None:
        """Start the flow `name` under the execution name `run`; that it has run under this name is success."""
        ...


class Queue(Protocol):
    """Where messages wait: `signalbox.runtime.queues.Queue`."""

    def send(self, document: Mapping[str, Any], delay: int = 0) -> None:
        """Raises Refused or Unavailable."""
        ...


class Malformed(ValueError):
    """A message that no rule and no retry of ours has made; carries every fault."""

    def __init__(self, faults: Sequence[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = list(faults)


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event for some targets of one route: the message that a rule's template makes, read and checked."""

    event: Mapping[str, Any]
    route: str
    """`<event-id>/<route>`"""
    schema: str
    targets: tuple[Target, ...]
    attempt: int = 1
    run: str = ""
    """Names a redrive or replay, whose executions are others than those of the first delivery."""

    @property
    def event_id(self) -> str:
        """The id in the definitions of the kind of event that it is."""
        return self.route.partition("/")[0]

    def document(self, targets: Sequence[Target], attempt: int) -> dict[str, Any]:
        """The message that has this event delivered to `targets` alone."""
        document: dict[str, Any] = {
            "event": self.event,
            "route": self.route,
            "schema": self.schema,
            "targets": list(targets),
            "attempt": attempt,
        }
        if self.run:
            document["run"] = self.run
        return document


def parse(message: Any) -> Delivery:
    """The delivery that `message` asks for. Raises Malformed with all faults."""
    if not isinstance(message, dict):
        raise Malformed([f"an object is needed; got {type(message).__name__}"])
    faults = []
    event, route, targets = message.get("event"), message.get("route"), message.get("targets")
    if not isinstance(event, dict) or "detail" not in event or not isinstance(event.get("id"), str):
        faults.append("event: the event as EventBridge made it is needed, an object with id and detail")
    if not isinstance(route, str) or not all(_NAME.fullmatch(part) for part in _halves(route)):
        faults.append("route: <event-id>/<route> is needed")
    if not isinstance(message.get("schema"), str):
        faults.append("schema: the hash of a schema is needed")
    if not isinstance(targets, list) or not targets or not all(map(_is_target, targets)):
        faults.append('targets: a list of {"function": "<name>"} and {"flow": "<name>"} is needed')
    attempt, run = message.get("attempt", 1), message.get("run", "")
    if not isinstance(attempt, int) or attempt < 1:
        faults.append("attempt: a number from 1 is needed")
    if not isinstance(run, str):
        faults.append("run: a text is needed")
    if faults:
        raise Malformed(faults)
    return Delivery(message["event"], message["route"], message["schema"], tuple(message["targets"]), attempt, run)


def execution_name(delivery: Delivery, flow: str) -> str:
    """The name under which `flow` runs for this delivery: the same for a repeat, another for a redrive or a replay.

    64 hex digits; Step Functions takes 80 characters. EventBridge marks what its archive replays with `replay-name`.
    """
    run = delivery.run or str(delivery.event.get("replay-name", ""))
    return hashlib.sha256(to_text([delivery.event["id"], delivery.route, flow, run]).encode()).hexdigest()


class Router:
    """`remaining` gives the milliseconds until Lambda stops this invocation; `jitter` a number from 0 to 1."""

    def __init__(
        self,
        schemas: Schemas,
        targets: Targets,
        retry: Queue,
        dead: Queue,
        remaining: Callable[[], int],
        jitter: Callable[[], float] = random,
    ) -> None:
        self._schemas = schemas
        self._targets = targets
        self._retry = retry
        self._dead = dead
        self._remaining = remaining
        self._jitter = jitter

    def route(self, message: Any) -> None:
        """Deliver what `message` asks for, see to what fails. Raises CallError when no queue takes what failed."""
        try:
            delivery = parse(message)
        except Malformed as error:
            text = "the Router was given what no rule of ours sends"
            self._dead.send(undelivered("malformed", text, errors=error.faults, input=message))
            return
        try:
            faults = self._schemas.validator(delivery.event_id, delivery.schema).errors(delivery.event["detail"])
        except SchemaMissing as error:
            self._give_up(delivery, delivery.targets, error.code, str(error))
        except CallError as error:
            self._again(delivery, delivery.targets, error)
        else:
            if faults:
                message = f"detail does not fit the schema of {delivery.event_id}"
                self._give_up(delivery, delivery.targets, "invalid", message, [str(fault) for fault in faults])
            else:
                self._start(delivery)

    def _start(self, delivery: Delivery) -> None:
        payload = to_text(delivery.event)
        waiting: list[Target] = []
        late: CallError | None = None
        for target in delivery.targets:
            try:
                self._start_one(delivery, target, payload)
            except Refused as error:
                if error.code in DENIED and delivery.attempt < DENIED_ATTEMPTS:
                    waiting.append(target)
                    late = error
                else:
                    self._give_up(delivery, [target], *_refusal(target, error))
            except Unavailable as error:
                waiting.append(target)
                late = error
        if late is not None:
            self._again(delivery, waiting, late)

    def _start_one(self, delivery: Delivery, target: Target, payload: str) -> None:
        if self._remaining() < ENOUGH_MILLISECONDS:
            raise Unavailable("OutOfTime", "the Router had no time left for this target")
        if "function" in target:
            self._targets.start_function(target["function"], payload)
        else:
            self._targets.start_flow(target["flow"], execution_name(delivery, target["flow"]), payload)

    def _again(self, delivery: Delivery, targets: Sequence[Target], error: CallError) -> None:
        if delivery.attempt >= ATTEMPTS:
            self._give_up(delivery, targets, "retries-exhausted", f"{delivery.attempt} attempts; the last: {error}")
            return
        logger.warning("%s: %s tried again later: %s", delivery.route, list(targets), error)
        delay = min(FIRST_DELAY_SECONDS * 2 ** (delivery.attempt - 1), MAX_DELAY_SECONDS)
        try:
            self._retry.send(
                delivery.document(targets, delivery.attempt + 1), delay=round(delay * (1 + self._jitter()) / 2)
            )
        except CallError as queue_error:
            text = f"{error}; and the retry queue did not take it: {queue_error}"
            self._dead.send(self._document(delivery, targets, "retry-failed", text))

    def _give_up(
        self, delivery: Delivery, targets: Sequence[Target], reason: str, text: str, errors: Sequence[str] = ()
    ) -> None:
        logger.warning("%s: undelivered to %s: %s: %s", delivery.route, list(targets), reason, text)
        try:
            self._dead.send(self._document(delivery, targets, reason, text, errors))
        except CallError as queue_error:
            logger.error("%s: the queue undelivered did not take it: %s", delivery.route, queue_error)
            self._retry.send(delivery.document(targets, delivery.attempt), delay=MAX_DELAY_SECONDS)

    @staticmethod
    def _document(
        delivery: Delivery, targets: Sequence[Target], reason: str, text: str, errors: Sequence[str] = ()
    ) -> dict[str, Any]:
        return undelivered(
            reason,
            text,
            errors=errors,
            route=delivery.route,
            targets=list(targets),
            schema=delivery.schema,
            run=delivery.run,
            event=delivery.event,
        )


def _refusal(target: Target, error: Refused) -> tuple[str, str]:
    ((kind, name),) = target.items()
    reason = "too-large" if error.code == "TooLarge" else "target-refused"
    return reason, f"{kind} {name}: {error}"


def _halves(route: str) -> tuple[str, str]:
    event_id, _, name = route.partition("/")
    return event_id, name


def _is_target(target: Any) -> bool:
    if not isinstance(target, dict) or len(target) != 1:
        return False
    ((kind, name),) = target.items()
    return kind in ("function", "flow") and isinstance(name, str) and bool(_NAME.fullmatch(name))
