# pyright: reportMissingImports=false
"""From an event on a bus to the targets of the rules that match it: EventBridge's part, in place of MiniStack's.

Delivery happens beside the call that brought the event, as on AWS. What fails and may pass is tried again by the
target's retry policy; what is given up goes to its dead-letter queue, and is lost, with a loud line in the log, where
it has none or the queue's policy does not allow it.
"""

import contextvars
import functools
import json
import random
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from ministack.core import iam_evaluator
from ministack.core.responses import get_account_id, get_region, request_scope
from ministack.services import eventbridge, scheduler

from sandbox.hooks import activity
from sandbox.hooks.permissions import role_may
from sandbox.hooks.queues import QueueRefused, send, send_as_service
from sandbox.hooks.records import log, record
from sandbox.hooks.targets import EVENTS, SCHEDULER, Delivery, DeliveryFailed, deliver
from sandbox.hooks.transform import Context, target_input
from signalbox.patterns import RuleSet, check

WORKERS = 8
DEFAULT_ATTEMPTS = 185
DEFAULT_MAX_AGE_SECONDS = 86_400
# AWS spreads its retries over a day; here they start fast, so that a developer sees the end of it.
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 60.0
TICK_SECONDS = 1
"""How often schedules are looked at."""

_pool = ThreadPoolExecutor(WORKERS, thread_name_prefix="delivery")


def install() -> None:
    """Take over the dispatch of events (archives and replays call it as well) and the reading of patterns."""
    eventbridge._dispatch_event = dispatch
    eventbridge._invoke_target = start
    eventbridge._SCHEDULER_TICK_INTERVAL = scheduler._SCHEDULE_TICK_INTERVAL = TICK_SECONDS
    eventbridge._event_pattern_error = _pattern_error
    eventbridge._matches_pattern_view = _pattern_matches


def dispatch(entry: Mapping[str, Any], view: Any = None) -> None:
    """Start the deliveries of one event. Returns at once; the deliveries go on beside."""
    view = view or eventbridge._pattern_event_view(entry)
    event = view.event_with_detail()
    candidates = _rules_for(entry)
    matched = _compiled(tuple((rule["Arn"], rule["EventPattern"]) for rule in candidates)).match(event)
    rules = [rule for rule in candidates if rule["Arn"] in matched]
    name = entry["EventBusName"]
    arn = f"arn:aws:events:{get_region()}:{get_account_id()}:event-bus/{name}"
    record("event", bus=name, arn=arn, rules=[rule["Name"] for rule in rules], event=event)
    for rule in rules:
        for target in list(eventbridge._targets.get(_key(rule), ())):
            start(target, entry, rule, view)


def start(target: Mapping[str, Any], entry: Mapping[str, Any], rule: Mapping[str, Any], view: Any = None) -> None:
    """Start the delivery of an event to one target; rules with a schedule, and Scheduler's schedules, come in here."""
    event = (view or eventbridge._pattern_event_view(entry)).event_with_detail()
    context = Context(rule["Arn"], rule["Name"], datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"))
    delivery = Delivery(rule, target, event, entry, target_input(target, event, context))
    if delivery.service == SCHEDULER and not target.get("Input"):
        delivery = replace(delivery, text="{}")  # it has no event to give
    _in_background(0, _Attempt(delivery, time.time(), 0).run)


@functools.lru_cache(maxsize=16)
def _compiled(patterns: tuple[tuple[str, str], ...]) -> RuleSet:
    """The rules of a bus as one matcher, made anew when one of them has changed."""
    return RuleSet(dict(patterns))


def _pattern_error(pattern: str) -> str | None:
    """Why EventBridge would refuse the pattern; MiniStack asks this for every API that takes one."""
    problems = check(pattern) if pattern else []
    return problems[0].reason if problems else None


def _pattern_matches(pattern: str, view: Any, _owner: str = "") -> bool:
    return _compiled((("", pattern),)).match(view.event_with_detail()) == {""}


def _rules_for(entry: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The enabled rules with a pattern on the event's bus; of a replay with a filter only those that it names."""
    replay = eventbridge._replays.get(entry.get("ReplayName", ""))
    only = set(((replay or {}).get("Destination") or {}).get("FilterArns") or ())
    path = entry.get("_DispatchPath", ())
    found = []
    for rule in eventbridge._rules.values():
        if rule["EventBusName"] != entry["EventBusName"] or rule["State"] == "DISABLED" or not rule.get("EventPattern"):
            continue
        if rule.get("ManagedBy"):  # an archive's; MiniStack fills archives by itself
            continue
        if only and rule["Arn"] not in only:
            continue
        if _key(rule) in path:
            log.warning("rule %s sends events in a circle; this one stops here", rule["Arn"])
            continue
        found.append(rule)
    return found


def _key(rule: Mapping[str, Any]) -> str:
    return f"{rule['EventBusName']}|{rule['Name']}"


@dataclass(frozen=True, slots=True)
class _Attempt:
    delivery: Delivery
    first_tried: float
    retries: int
    """How often it has been tried again."""

    def run(self) -> None:
        try:
            status = deliver(self.delivery)
        except DeliveryFailed as failure:
            self._failed(failure)
        else:
            self._record(status)

    def _failed(self, failure: DeliveryFailed) -> None:
        policy = self.delivery.target.get("RetryPolicy") or {}
        pause = retry_pause(self.retries)
        too_old = time.time() + pause - self.first_tried > policy.get(
            "MaximumEventAgeInSeconds", DEFAULT_MAX_AGE_SECONDS
        )
        if failure.final:
            self._give_up(failure, None)
        elif self.retries >= policy.get("MaximumRetryAttempts", DEFAULT_ATTEMPTS):
            self._give_up(failure, "MaximumRetryAttempts")
        elif too_old:
            self._give_up(failure, "MaximumEventAgeInSeconds")
        else:
            self._record("retry", failure)
            _in_background(pause, _Attempt(self.delivery, self.first_tried, self.retries + 1).run)

    def _give_up(self, failure: DeliveryFailed, exhausted: str | None) -> None:
        queue = (self.delivery.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            self._lost(failure, "the target has no dead-letter queue")
            return
        attributes = {
            "RULE_ARN": self.delivery.rule_arn,
            "TARGET_ARN": self.delivery.arn,
            "ERROR_CODE": failure.code,
            "ERROR_MESSAGE": str(failure),
        }
        if exhausted:
            attributes |= {"EXHAUSTED_RETRY_CONDITION": exhausted, "RETRY_ATTEMPTS": str(self.retries)}
        body = json.dumps(self.delivery.event)
        try:
            if self.delivery.service == SCHEDULER:
                if not role_may(self.delivery.target.get("RoleArn") or "", "sqs:SendMessage", queue):
                    raise QueueRefused("NO_PERMISSIONS", "the schedule's role may not")
                send(queue, body, attributes=attributes)
            else:
                send_as_service(queue, body, service=EVENTS, source=self.delivery.rule_arn, attributes=attributes)
        except QueueRefused as refused:
            self._lost(failure, f"and the dead-letter queue refused it: {refused}")
        else:
            self._record("dead-letter", failure)

    def _lost(self, failure: DeliveryFailed, why: str) -> None:
        event = self.delivery.event["id"]
        log.error("EVENT LOST: %s of %s for %s: %s; %s", event, self.delivery.rule_arn, self.delivery.arn, failure, why)
        self._record("lost", failure)

    def _record(self, status: str, failure: DeliveryFailed | None = None) -> None:
        record(
            "delivery",
            status=status,
            rule=self.delivery.rule["Name"],
            bus=self.delivery.rule.get("EventBusName"),
            target=self.delivery.target.get("Id"),
            arn=self.delivery.arn,
            event=self.delivery.event["id"],
            input=self.delivery.text,
            retries=self.retries,
            **({"code": failure.code, "error": str(failure)} if failure else {}),
        )


def retry_pause(retries: int) -> float:
    """Seconds to wait before the next try after `retries` of them: exponential, with jitter."""
    longest = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(retries, 20))
    return longest * random.uniform(0.5, 1.0)


def _in_background(after: float, work: Callable[[], None]) -> None:
    """Run `work` on the pool, in the account and region of now but with nothing else of the caller's."""
    account, region = get_account_id(), get_region()

    def scoped() -> None:
        iam_evaluator._request_origin.set(("127.0.0.1", True))
        with request_scope(account, region):
            work()

    def guarded() -> None:
        try:
            contextvars.Context().run(scoped)
        except BaseException:
            log.exception("delivery failed by a fault of the sandbox")
            raise
        finally:
            activity.end()

    def submit() -> None:
        activity.begin()
        _pool.submit(guarded)

    if after:
        timer = threading.Timer(after, submit)
        timer.daemon = True
        timer.start()
    else:
        submit()
