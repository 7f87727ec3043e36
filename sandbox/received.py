"""What every target of the sandbox received, read from the emulator and from the records that its hooks keep."""

import json
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.emulator import Emulator

QUIET_SECONDS = 0.7
LOG_GROUP = ":log-group:"

Record = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """Records since some moment, and what lies in log groups and queues now."""

    records: Sequence[Record]
    log_events: Mapping[str, Sequence[Any]]
    """Messages by log group, of the groups that rules deliver to; parsed where they are JSON."""
    queues: Mapping[str, Sequence[Record]]
    """Messages that wait in a queue, by its name: `body` (parsed where JSON) and `attributes`."""

    def of(self, kind: str, **fields: Any) -> list[Record]:
        """The records of a kind (`event`, `delivery`, `function`, `run` of a state machine, `mail`, `sms`, `metric`,
        `lost`, `denied`)."""
        return [
            each
            for each in self.records
            if each["kind"] == kind and all(each.get(name) == value for name, value in fields.items())
        ]

    def as_json(self) -> dict[str, Any]:
        """Everything, for scripts."""
        kinds = {"events": "event", "deliveries": "delivery", "functions": "function", "runs": "run"}
        kinds |= {"mails": "mail", "sms": "sms", "metrics": "metric", "lost": "lost", "denied": "denied"}
        parts: dict[str, Any] = {name: [_without_kind(each) for each in self.of(kind)] for name, kind in kinds.items()}
        lost = [_without_kind(each) for each in self.of("delivery", status="lost")]
        return parts | {"lost": [*lost, *parts["lost"]], "log-events": self.log_events, "queues": self.queues}


def read(emulator: Emulator, since: float = 0.0) -> Received:
    """What came since `since` (epoch seconds). The queues are looked into without receiving anything."""
    records = list(_records(emulator, since))
    groups = {
        each["arn"].split(LOG_GROUP)[1].removesuffix(":*")
        for each in records
        if each["kind"] == "delivery" and LOG_GROUP in each["arn"]
    }
    return Received(
        records, {group: _log_events(emulator, group, since) for group in sorted(groups)}, _queues(emulator)
    )


def wait_until_quiet(emulator: Emulator, seconds: float = 60.0) -> bool:
    """Wait until nothing is under way any more. False: after `seconds` something still is."""
    until = time.monotonic() + seconds
    quiet_since, size = time.monotonic(), -1
    while time.monotonic() < until:
        pending = emulator.get("/_signalbox/pending")["pending"]
        now = emulator.records.stat().st_size if emulator.records.exists() else 0
        if pending or now != size:
            quiet_since, size = time.monotonic(), now
        elif time.monotonic() - quiet_since >= QUIET_SECONDS:
            return True
        time.sleep(0.05)
    return False


def _records(emulator: Emulator, since: float = 0.0) -> Iterable[dict[str, Any]]:
    if not emulator.records.exists():
        return
    with emulator.records.open(encoding="utf-8") as lines:
        for line in lines:
            # The last one may be half written. `at` comes first, so that what is old need not be parsed.
            if line.endswith("\n") and float(line[len('{"at": ') : line.index(",")]) >= since:
                yield json.loads(line)


def _log_events(emulator: Emulator, group: str, since: float) -> list[Any]:
    logs = emulator.client("logs")
    try:
        pages = logs.get_paginator("filter_log_events").paginate(logGroupName=group)
        events = [event for page in pages for event in page["events"]]
    except logs.exceptions.ResourceNotFoundException:
        return []
    return [_parsed(event["message"]) for event in events if event["ingestionTime"] >= since * 1000]


def _queues(emulator: Emulator) -> dict[str, list[Record]]:
    found: dict[str, list[Record]] = {}
    for regions in emulator.get("/_ministack/sqs/messages")["messages"].values():
        for queues in regions.values():
            for url, messages in queues.items():
                found[url.rsplit("/", 1)[-1]] = [_message(message) for message in messages]
    return found


def _message(message: Record) -> Record:
    attributes = {name: each.get("StringValue") for name, each in message["MessageAttributes"].items()}
    group = {"group": message["MessageGroupId"]} if message.get("MessageGroupId") else {}
    return {"body": _parsed(message["Body"]), "attributes": attributes, **group}


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _without_kind(record: Record) -> dict[str, Any]:
    return {key: value for key, value in record.items() if key != "kind"}
