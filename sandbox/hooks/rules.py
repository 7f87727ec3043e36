# pyright: reportMissingImports=false
"""What AWS refuses and MiniStack takes: limits, names, order of deletion, malformed entries; and managed rules.

Sources: the API reference of each call and https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-quota.html.
"""

import json
import os
import re
import time
import uuid
from collections.abc import Callable, Mapping
from typing import Any

from ministack.core.responses import error_response_json, get_account_id, get_region, json_response
from ministack.services import eventbridge

from sandbox.hooks import faults
from sandbox.hooks.records import record

RULES_PER_BUS = int(os.environ.get("SIGNALBOX_RULES_PER_BUS", "300"))
WILDCARD_RULES_PER_BUS = 30
TARGETS_PER_RULE = 5
ENTRIES_PER_CALL = 10
REQUEST_BYTES = 1_048_576
TIME_BYTES = 14
PATTERN_LENGTH = 4_096
TEMPLATE_LENGTH = 8_192
INPUT_PATHS = 100
EMIT = "sandbox-emit:"
"""How a PutEvents entry of `Emulator.emit` begins its TraceHeader."""

_NAME = re.compile(r"[\.\-_A-Za-z0-9]{1,64}")
_WILDCARD = re.compile(r'"wildcard"\s*:')
_LIMIT = "The requested resource exceeds the maximum number allowed."
_ARCHIVE_RULE = "Events-Archive-"
# An archive takes what is no replay, from every source.
_ARCHIVE_PATTERN = '{"replay-name":[{"exists":false}]}'

Answer = Any
Call = Callable[[dict[str, Any]], Answer]


class Refused(Exception):
    """A call that AWS refuses: error code and message as AWS says them."""

    def __init__(self, code: str, message: str) -> None:
        self.code = code
        super().__init__(message)


def install() -> None:
    """Wrap the calls of the EventBridge API."""
    wrappers: dict[str, Callable[[Call], Call]] = {
        "PutRule": put_rule,
        "DeleteRule": delete_rule,
        "EnableRule": existing_rule,
        "DisableRule": existing_rule,
        "DescribeRule": existing_rule,
        "ListRules": existing_bus,
        "PutTargets": put_targets,
        "RemoveTargets": remove_targets,
        "ListTargetsByRule": list_targets,
        "DeleteEventBus": delete_bus,
        "PutPermission": put_permission,
        "CreateArchive": create_archive,
        "DeleteArchive": delete_archive,
    }
    for name, wrap in wrappers.items():
        function = "_" + re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower()
        setattr(eventbridge, function, _answering(name, wrap(getattr(eventbridge, function))))
    eventbridge._put_events = put_events


def _answering(name: str, call: Call) -> Call:
    def answer(data: dict[str, Any]) -> Answer:
        record("call", call=name)
        try:
            _fail_if_ordered(name)
            return call(_with_bus_name(data))
        except Refused as refused:
            return error_response_json(refused.code, str(refused), 400)

    return answer


def _fail_if_ordered(name: str) -> None:
    fault = faults.take(name)
    if fault is not None:
        raise Refused(fault.get("code", "InternalException"), "fault ordered by a test")


def _with_bus_name(data: dict[str, Any]) -> dict[str, Any]:
    """AWS takes a bus by name or ARN everywhere."""
    bus = data.get("EventBusName") or "default"
    return {**data, "EventBusName": bus.split(":event-bus/")[-1]}


def _key(data: Mapping[str, Any]) -> str:
    return f"{data['EventBusName']}|{data.get('Name') or data.get('Rule')}"


def _require_bus(data: Mapping[str, Any]) -> None:
    if data["EventBusName"] not in eventbridge._event_buses:
        raise Refused("ResourceNotFoundException", f"Event bus {data['EventBusName']} does not exist.")


def _require_rule(data: Mapping[str, Any]) -> dict[str, Any]:
    _require_bus(data)
    rule = eventbridge._rules.get(_key(data))
    if rule is None:
        name = data.get("Name") or data.get("Rule")
        raise Refused("ResourceNotFoundException", f"Rule {name} does not exist on EventBus {data['EventBusName']}.")
    return rule


def _not_managed(rule: Mapping[str, Any] | None) -> None:
    if rule and rule.get("ManagedBy"):
        raise Refused("ManagedRuleException", f"Rule {rule['Name']} is managed by {rule['ManagedBy']}.")


def put_rule(original: Call) -> Call:
    """Names, limits and patterns; an omitted field is nulled, and tags are ignored on an existing rule."""

    def call(data: dict[str, Any]) -> Answer:
        _require_bus(data)
        if not _NAME.fullmatch(data.get("Name") or ""):
            raise Refused(
                "ValidationException", f"'name' must match [\\.\\-_A-Za-z0-9]{{1,64}}; got {data.get('Name')!r}"
            )
        existing = eventbridge._rules.get(_key(data))
        _not_managed(existing)
        pattern = data.get("EventPattern") or ""
        if not pattern and not data.get("ScheduleExpression"):
            raise Refused("ValidationException", "Parameter(s) EventPattern or ScheduleExpression must be specified.")
        if data.get("ScheduleExpression") and data["EventBusName"] != "default":
            raise Refused("ValidationException", "ScheduleExpression is supported only on the default event bus.")
        if len(pattern) > PATTERN_LENGTH:
            raise Refused("ValidationException", f"'eventPattern' must have length <= {PATTERN_LENGTH}")
        if len(data.get("Description") or "") > 512:
            raise Refused("ValidationException", "'description' must have length <= 512")
        others = [rule for rule in _rules_of(data["EventBusName"]) if rule is not existing]
        if len(others) >= RULES_PER_BUS:
            raise Refused("LimitExceededException", _LIMIT)
        wild = sum(bool(_WILDCARD.search(rule.get("EventPattern") or "")) for rule in others)
        if _WILDCARD.search(pattern) and wild >= WILDCARD_RULES_PER_BUS:
            raise Refused("LimitExceededException", "Rule limit for wildcard patterns exceeded.")
        whole = {"State": "ENABLED", "Description": "", "RoleArn": "", **data}
        if existing:
            whole.pop("Tags", None)
        return original(whole)

    return call


def _rules_of(bus: str) -> list[Mapping[str, Any]]:
    return [rule for rule in eventbridge._rules.values() if rule["EventBusName"] == bus]


def delete_rule(original: Call) -> Call:
    """Not while it has targets; a rule that is not there counts as deleted."""

    def call(data: dict[str, Any]) -> Answer:
        rule = eventbridge._rules.get(_key(data))
        if not data.get("Force"):
            _not_managed(rule)
        if rule and eventbridge._targets.get(_key(data)):
            raise Refused("ValidationException", "Rule can't be deleted since it has targets.")
        return original(data)

    return call


def existing_rule(original: Call) -> Call:
    """Refuse a rule or bus that is not there."""

    def call(data: dict[str, Any]) -> Answer:
        _require_rule(data)
        return original(data)

    return call


def existing_bus(original: Call) -> Call:
    """Refuse a bus that is not there."""

    def call(data: dict[str, Any]) -> Answer:
        _require_bus(data)
        return original(data)

    return call


def put_targets(original: Call) -> Call:
    """At most 5 targets a rule and 10 entries a call; each entry whole."""

    def call(data: dict[str, Any]) -> Answer:
        _not_managed(_require_rule(data))
        targets = data.get("Targets") or []
        _count(targets, "targets")
        for target in targets:
            _check_target(target)
        ids = [target["Id"] for target in targets]
        if len(set(ids)) < len(ids):
            raise Refused("ValidationException", "Duplicate target ids in the request.")
        kept = {target["Id"] for target in eventbridge._targets.get(_key(data), ())}
        if len(kept.union(ids)) > TARGETS_PER_RULE:
            raise Refused("LimitExceededException", _LIMIT)
        failed, rest = _partly("PutTargetsEntries", targets)
        status, headers, body = original({**data, "Targets": rest})
        return (status, headers, body) if status >= 400 else _partial(failed, lambda target: target["Id"])

    return call


def _check_target(target: Mapping[str, Any]) -> None:
    if not _NAME.fullmatch(target.get("Id") or "") or not target.get("Arn"):
        raise Refused("ValidationException", "A target needs an Id of [\\.\\-_A-Za-z0-9]{1,64} and an Arn.")
    if sum(bool(target.get(key)) for key in ("Input", "InputPath", "InputTransformer")) > 1:
        raise Refused(
            "ValidationException", f"Only one of Input, InputPath, or InputTransformer for target {target['Id']}."
        )
    transformer = target.get("InputTransformer") or {}
    if len(transformer.get("InputTemplate") or "") > TEMPLATE_LENGTH:
        raise Refused("ValidationException", f"'inputTemplate' must have length <= {TEMPLATE_LENGTH}")
    paths = transformer.get("InputPathsMap") or {}
    if len(paths) > INPUT_PATHS or any(name.upper().startswith("AWS.") for name in paths):
        raise Refused("ValidationException", "Invalid InputPathsMap.")
    used = re.findall(r"<([^<>\s]+)>", transformer.get("InputTemplate") or "")
    unknown = [name for name in used if name not in paths and not name.startswith("aws.events.")]
    if unknown:
        raise Refused(
            "ValidationException",
            f"InputTemplate for target {target['Id']} contains placeholder {unknown[0]} that is not in InputPathsMap.",
        )
    if target.get("Input"):
        try:
            json.loads(target["Input"])
        except ValueError as error:
            raise Refused("ValidationException", f"Input for target {target['Id']} is not valid JSON.") from error
    service = target["Arn"].split(":")[2] if target["Arn"].count(":") > 2 else ""
    fifo = service == "sqs" and target["Arn"].endswith(".fifo")
    if fifo and not (target.get("SqsParameters") or {}).get("MessageGroupId"):
        raise Refused(
            "ValidationException", f"Parameter(s) SqsParameters must be specified for target: {target['Id']}."
        )
    if service in ("states", "kinesis") and not target.get("RoleArn"):
        raise Refused("ValidationException", f"RoleArn is required for target {target['Arn']}.")


def remove_targets(original: Call) -> Call:
    """At most 10 entries a call, of a rule that is there and nobody else's."""

    def call(data: dict[str, Any]) -> Answer:
        rule = _require_rule(data)
        if not data.get("Force"):
            _not_managed(rule)
        _count(data.get("Ids") or [], "ids")
        failed, rest = _partly("RemoveTargetsEntries", data["Ids"])
        original({**data, "Ids": rest})
        return _partial(failed, str)

    return call


def list_targets(_original: Call) -> Call:
    """In pages of at most 100, of a rule that is there."""

    def call(data: dict[str, Any]) -> Answer:
        _require_rule(data)
        start = eventbridge._opaque_offset_decode(data.get("NextToken") or "")
        limit = int(data.get("Limit") or 100)
        targets = list(eventbridge._targets.get(_key(data), ()))
        page: dict[str, Any] = {"Targets": targets[start : start + limit]}
        if start + limit < len(targets):
            page["NextToken"] = eventbridge._opaque_offset_encode(start + limit)
        return json_response(page)

    return call


def delete_bus(original: Call) -> Call:
    """Not while it has rules."""

    def call(data: dict[str, Any]) -> Answer:
        name = (data.get("Name") or "").split(":event-bus/")[-1]
        if _rules_of(name):
            raise Refused("ValidationException", f"Event bus {name} can't be deleted since it has rules.")
        return original({**data, "Name": name})

    return call


def put_permission(original: Call) -> Call:
    """A bus's policy: a whole one, or a statement for an account, which AWS keeps by its ARN.
    https://docs.aws.amazon.com/eventbridge/latest/APIReference/API_PutPermission.html"""

    def call(data: dict[str, Any]) -> Answer:
        _require_bus(data)
        if policy := data.get("Policy"):
            eventbridge._event_bus_policies[data["EventBusName"]] = json.loads(policy)
            return json_response({})
        if re.fullmatch(r"\d{12}", data.get("Principal", "")):
            data = {**data, "Principal": {"AWS": f"arn:aws:iam::{data['Principal']}:root"}}
        return original(data)

    return call


def create_archive(original: Call) -> Call:
    """AWS puts a managed rule on the bus, which counts against the quota and shows in ListRules."""

    def call(data: dict[str, Any]) -> Answer:
        bus = (data.get("EventSourceArn") or "").split(":event-bus/")[-1]
        if len(_rules_of(bus)) >= RULES_PER_BUS:
            raise Refused("LimitExceededException", _LIMIT)
        status, headers, body = original(data)
        if status < 400:
            name = f"{_ARCHIVE_RULE}{data['ArchiveName']}"
            eventbridge._rules[f"{bus}|{name}"] = {
                "Name": name,
                "Arn": eventbridge._rule_arn(name, bus),
                "EventBusName": bus,
                "ScheduleExpression": "",
                "EventPattern": _ARCHIVE_PATTERN,
                "State": "ENABLED",
                "Description": "",
                "RoleArn": "",
                "ManagedBy": "prod.vhs.events.aws.internal",
                "CreatedBy": get_account_id(),
                "CreationTime": time.time(),
            }
        return status, headers, body

    return call


def delete_archive(original: Call) -> Call:
    """Takes its managed rule along."""

    def call(data: dict[str, Any]) -> Answer:
        archive = eventbridge._archives.get(data.get("ArchiveName"))
        answer = original(data)
        if archive:
            bus = archive["EventSourceArn"].split(":event-bus/")[-1]
            eventbridge._rules.pop(f"{bus}|{_ARCHIVE_RULE}{data['ArchiveName']}", None)
        return answer

    return call


def put_events(data: dict[str, Any], allow_aws_source: bool = False) -> Answer:
    """PutEvents with AWS's checks of each entry, its size limit, and the time that the entry gives."""
    entries = data.get("Entries") or []
    record("call", call="PutEvents", entries=len(entries))
    try:
        _fail_if_ordered("PutEvents")
        _count(entries, "entries")
        if sum(map(_size, entries)) > REQUEST_BYTES:
            raise Refused("ValidationException", "Total size of the entries in the request is over the limit.")
    except Refused as refused:
        return error_response_json(refused.code, str(refused), 400)
    fault = faults.take("PutEventsEntries") or {}
    results = []
    for position, entry in enumerate(entries):
        if position in fault.get("entries", ()):
            code = fault.get("code", "InternalFailure")
            results.append({"ErrorCode": code, "ErrorMessage": "fault ordered by a test"})
        else:
            results.append(put_event(entry, allow_aws_source))
    failed = sum("ErrorCode" in result for result in results)
    return json_response({"FailedEntryCount": failed, "Entries": results})


def put_event(entry: Mapping[str, Any], allow_aws_source: bool) -> dict[str, str]:
    """Take one entry of PutEvents. The answer's entry: `EventId`, or `ErrorCode` and `ErrorMessage`."""
    bus, error = eventbridge._event_bus_name_from_ref(entry.get("EventBusName") or "default")
    if error:
        return {"ErrorCode": error[0], "ErrorMessage": error[1]}
    for field in ("Source", "DetailType", "Detail"):
        if not entry.get(field):
            message = f"Parameter {field} is not valid. Reason: {field} is a required argument."
            return {"ErrorCode": "InvalidArgument", "ErrorMessage": message}
    emitted = _emitted(entry)
    if entry["Source"].startswith("aws.") and not allow_aws_source and emitted is None:
        return {"ErrorCode": "NotAuthorizedForSourceException", "ErrorMessage": "Not authorized for the source."}
    try:
        detail = json.loads(entry["Detail"])
    except ValueError:
        detail = None
    if not isinstance(detail, dict):
        return {"ErrorCode": "MalformedDetail", "ErrorMessage": "Detail is malformed."}
    record = {
        "EventId": str(uuid.uuid4()),
        "Source": entry["Source"],
        "DetailType": entry["DetailType"],
        "Detail": entry["Detail"],
        "EventBusName": bus,
        "Time": int(entry.get("Time") or time.time()),
        "Resources": entry.get("Resources") or [],
        "Account": get_account_id(),
        "Region": get_region(),
        **(emitted or {}),
    }
    view = eventbridge._pattern_event_view(record)
    eventbridge._dispatch_event(record, view)
    eventbridge._archive_event(record, view)
    return {"EventId": record["EventId"]}


def _emitted(entry: Mapping[str, Any]) -> dict[str, str] | None:
    """What an entry of `Emulator.emit` gives: fields that only AWS itself can set."""
    header = entry.get("TraceHeader") or ""
    return json.loads(header.removeprefix(EMIT)) if header.startswith(EMIT) else None


def _size(entry: Mapping[str, Any]) -> int:
    """https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-putevent-size.html"""
    texts = [entry.get("Source"), entry.get("DetailType"), entry.get("Detail"), *(entry.get("Resources") or ())]
    return (TIME_BYTES if entry.get("Time") else 0) + sum(len((text or "").encode()) for text in texts)


def _count(entries: list[Any], name: str) -> None:
    if not 1 <= len(entries) <= ENTRIES_PER_CALL:
        raise Refused(
            "ValidationException",
            f"1 validation error detected: Value at '{name}' failed to satisfy constraint: Member must have length "
            f"between 1 and {ENTRIES_PER_CALL}; got {len(entries)}",
        )


def _partly(call: str, entries: list[Any]) -> tuple[list[tuple[Any, str]], list[Any]]:
    """The entries that a test wants to fail, with the error code, and the rest."""
    fault = faults.take(call) or {}
    chosen = set(fault.get("entries", ()))
    code = fault.get("code", "ConcurrentModificationException")
    failed = [(entry, code) for position, entry in enumerate(entries) if position in chosen]
    return failed, [entry for position, entry in enumerate(entries) if position not in chosen]


def _partial(failed: list[tuple[Any, str]], name: Callable[[Any], str]) -> Answer:
    entries = [
        {"TargetId": name(entry), "ErrorCode": code, "ErrorMessage": "fault ordered by a test"}
        for entry, code in failed
    ]
    return json_response({"FailedEntryCount": len(entries), "FailedEntries": entries})
