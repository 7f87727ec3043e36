"""EventBridge: buses, archives, rules, targets, API destinations.

Upstream: hashicorp/terraform-provider-aws, internal/service/events/{bus,archive,rule,target,api_destination}.go.
"""

import json
import re
from typing import Any

from botocore.exceptions import ClientError

from sandbox.provider.resource import (
    Context,
    Created,
    ResourceError,
    ResourceType,
    Tags,
    camel,
    code_of,
    conflicting,
    given,
    is_missing,
    pascal,
    seconds_from,
    some_of,
    text_of,
    unique,
)
from sandbox.provider.schema import (
    Change,
    Check,
    arn,
    array,
    at_most,
    between,
    block,
    boolean,
    integer,
    is_json,
    longest,
    mapping,
    matches,
    name,
    normal_json,
    one_of,
    tags,
    text,
    unsupported,
)
from sandbox.provider.wire import Props
from signalbox.canonical import canonical

_NAME = r"[0-9A-Za-z_.\-]+"
_BUS = matches(r"(arn:aws[\w-]*:events:.*:event-bus/)?[0-9A-Za-z_./\-]{1,256}", "a bus name or ARN")


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    listed = context.client("events").list_tags_for_resource(ResourceARN=state["arn"])
    return {tag["Key"]: tag["Value"] for tag in listed.get("Tags", [])}


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("events").untag_resource(ResourceARN=state["arn"], TagKeys=gone)
    if wanted:
        context.client("events").tag_resource(ResourceARN=state["arn"], Tags=_tags(wanted))


def _tags(wanted: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in wanted.items()]


def _pattern(greatest: int = 4096) -> Check:
    def check(value: str) -> str | None:
        if fault := is_json(value):
            return fault
        try:
            written = canonical(json.loads(value))
        except OverflowError as error:
            return str(error)
        size = len(written.encode())
        return f"at most {greatest} bytes in canonical form; got {size}" if size > greatest else None

    return check


# --- bus --------------------------------------------------------------------------------------------------------------


def _create_bus(context: Context, new: Props) -> Created:
    wanted = pascal(
        BUS.inputs, given(new, "deadLetterConfig", "description", "eventSourceName", "kmsKeyIdentifier", "logConfig")
    )
    if context.tags:
        wanted["Tags"] = _tags(context.tags)
    context.client("events").create_event_bus(Name=new["name"], **wanted)
    return Created(new["name"])


def _read_bus(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("events").describe_event_bus(Name=id_)
    return {
        "arn": found["Arn"],
        "name": found["Name"],
        "description": found.get("Description") or None,
        "kmsKeyIdentifier": found.get("KmsKeyIdentifier") or None,
        "deadLetterConfig": None,
        "logConfig": None,
        **camel(BUS.inputs, {key: found[key] for key in ("DeadLetterConfig", "LogConfig") if found.get(key)}),
    }


def _update_bus(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    wanted = pascal(BUS.inputs, given(new, "deadLetterConfig", "description", "kmsKeyIdentifier", "logConfig"))
    context.client("events").update_event_bus(Name=id_, **{"Description": "", **wanted})


def _delete_bus(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("events").delete_event_bus(Name=id_)


BUS = ResourceType(
    token="aws:cloudwatch/eventBus:EventBus",
    inputs={
        "deadLetterConfig": block({"arn": text(arn)}),
        "description": text(longest(512)),
        "eventSourceName": text(replaces=True),
        "kmsKeyIdentifier": text(longest(2048, 1)),
        "logConfig": block(
            {
                "includeDetail": text(one_of("NONE", "FULL")),
                "level": text(one_of("OFF", "ERROR", "INFO", "TRACE")),
            }
        ),
        "name": name(256, r"(?!default$)[0-9A-Za-z_./\-]+"),
        "tags": tags(),
    },
    outputs=("arn",),
    create=_create_bus,
    read=_read_bus,
    update=_update_bus,
    delete=_delete_bus,
    tags=(_read_tags, _write_tags),
)

# --- archive ----------------------------------------------------------------------------------------------------------


def _archive_settings(new: Props) -> Props:
    return {
        "Description": new.get("description", ""),
        "EventPattern": canonical(json.loads(new["eventPattern"])) if new.get("eventPattern") else "",
        "RetentionDays": new.get("retentionDays", 0),
        **pascal(ARCHIVE.inputs, given(new, "kmsKeyIdentifier")),
    }


def _create_archive(context: Context, new: Props) -> Created:
    context.client("events").create_archive(
        ArchiveName=new["name"],
        EventSourceArn=new["eventSourceArn"],
        **{key: value for key, value in _archive_settings(new).items() if value},
    )
    return Created(new["name"])


def _read_archive(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("events").describe_archive(ArchiveName=id_)
    return {
        "arn": found["ArchiveArn"],
        "name": found["ArchiveName"],
        "eventSourceArn": found["EventSourceArn"],
        "description": found.get("Description") or None,
        "eventPattern": found.get("EventPattern") or None,
        "kmsKeyIdentifier": found.get("KmsKeyIdentifier") or None,
        "retentionDays": found.get("RetentionDays") or None,
    }


def _update_archive(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    context.client("events").update_archive(ArchiveName=id_, **_archive_settings(new))


def _delete_archive(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("events").delete_archive(ArchiveName=id_)


ARCHIVE = ResourceType(
    token="aws:cloudwatch/eventArchive:EventArchive",
    inputs={
        "description": text(longest(512)),
        "eventPattern": text(_pattern(), normal=normal_json, keeps_normal=True),
        "eventSourceArn": text(arn, required=True, replaces=True),
        "kmsKeyIdentifier": text(longest(2048, 1)),
        "name": name(48, _NAME),
        "retentionDays": integer(between(0, 2**31 - 1)),
    },
    outputs=("arn",),
    create=_create_archive,
    read=_read_archive,
    update=_update_archive,
    delete=_delete_archive,
)

# --- rule -------------------------------------------------------------------------------------------------------------

DELETE_SECONDS = "SIGNALBOX_RULE_DELETE_SECONDS"
"""Environment: how long the deletion of a rule waits for its targets to go. Upstream waits 5 minutes."""


def _rule_id(bus: str, rule: str) -> str:
    return rule if bus == "default" else f"{bus}/{rule}"


def _rule_of(id_: str) -> tuple[str, str]:
    bus, _, rule = id_.rpartition("/")
    if not rule:
        raise ResourceError(f"unexpected format for ID ({id_}), expected EVENTBUSNAME/RULENAME or RULENAME")
    return bus or "default", rule


def _put_rule(context: Context, new: Props, rule: str) -> Props | None:
    """PutRule with all fields, as upstream at create and update: what is not declared is reset, a rule of that name is
    adopted. Where `state` is declared the answer tells the whole state, and the read after it is spared."""
    wanted = pascal(RULE.inputs, given(new, "description", "eventBusName", "roleArn", "scheduleExpression", "state"))
    pattern = canonical(json.loads(new["eventPattern"])) if new.get("eventPattern") else None
    if pattern:
        wanted["EventPattern"] = pattern
    if "state" not in new and "isEnabled" in new:
        wanted["State"] = "ENABLED" if new["isEnabled"] else "DISABLED"
    if context.tags:
        wanted["Tags"] = _tags(context.tags)
    answer = context.client("events").put_rule(
        Name=rule, **{key: value for key, value in wanted.items() if value != ""}
    )
    if "State" not in wanted:
        return None
    return {
        "arn": answer["RuleArn"],
        "name": rule,
        "eventPattern": pattern,
        "isEnabled": wanted["State"] != "DISABLED",
        "state": wanted["State"],
    }


def _create_rule(context: Context, new: Props) -> Created:
    rule = new.get("name") or unique(new.get("namePrefix", ""))
    return Created(_rule_id(new["eventBusName"], rule), _put_rule(context, {**new, "name": rule}, rule))


def _read_rule(context: Context, id_: str, state: Props) -> Props | None:
    bus, rule = _rule_of(id_)
    found = context.client("events").describe_rule(Name=rule, EventBusName=bus)
    return {
        "arn": found["Arn"],
        "name": found["Name"],
        "eventBusName": bus,
        "description": found.get("Description") or None,
        "roleArn": found.get("RoleArn") or None,
        "scheduleExpression": found.get("ScheduleExpression") or None,
        "state": found["State"],
        "isEnabled": found["State"] != "DISABLED",
        "forceDestroy": state.get("forceDestroy", False),
        # As upstream: a pattern that is gone is not noticed.
        **({"eventPattern": normal_json(found["EventPattern"])} if found.get("EventPattern") else {}),
    }


def _update_rule(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> Props | None:  # noqa: ARG001
    if changed - {"tags", "tagsAll", "forceDestroy"}:
        return _put_rule(context, new, _rule_of(id_)[1])
    return None


def _delete_rule(context: Context, id_: str, state: Props) -> None:
    """Refused while the rule has targets, as by AWS (the emulator alone would not); tried again for a bounded time."""
    bus, rule = _rule_of(id_)
    client = context.client("events")
    error: ClientError | None = None

    def attempt() -> bool:
        nonlocal error
        try:
            if not state.get("forceDestroy"):
                _refuse_targets(client.list_targets_by_rule(Rule=rule, EventBusName=bus, Limit=1)["Targets"])
            client.delete_rule(Name=rule, EventBusName=bus, Force=state.get("forceDestroy", False))
        except ClientError as refusal:
            if is_missing(refusal):
                return True
            if "since it has targets" not in text_of(refusal):
                raise
            error = refusal
            return False
        return True

    try:
        context.until(attempt, f"rule {id_} to lose its targets", seconds_from(DELETE_SECONDS, 300))
    except ResourceError:
        raise error or ResourceError(f"rule {id_} could not be deleted") from None


def _refuse_targets(targets: list[Any]) -> None:
    if targets:
        message = "Rule can't be deleted since it has targets."
        raise ClientError({"Error": {"Code": "ValidationException", "Message": message}}, "DeleteRule")


def _revise_rule(changes: dict[str, Change], old: Props, new: Props) -> dict[str, Change]:  # noqa: ARG001
    # Upstream: a `state` or `isEnabled` that the program does not give is no difference.
    return {
        path: change for path, change in changes.items() if not (path in ("state", "isEnabled") and path not in new)
    }


RULE = ResourceType(
    token="aws:cloudwatch/eventRule:EventRule",
    inputs={
        "description": text(longest(512)),
        "eventBusName": text(_BUS, replaces=True, default="default"),
        "eventPattern": text(_pattern(), normal=normal_json, keeps_normal=True),
        "forceDestroy": boolean(default=False),
        "isEnabled": boolean(deprecated=True),
        "name": name(64, _NAME),
        "namePrefix": text(longest(38), matches(_NAME), replaces=True, computed=True),
        "roleArn": text(arn),
        "scheduleExpression": text(longest(256)),
        "state": text(one_of("ENABLED", "DISABLED", "ENABLED_WITH_ALL_CLOUDTRAIL_MANAGEMENT_EVENTS")),
        "tags": tags(),
    },
    outputs=("arn",),
    create=_create_rule,
    read=_read_rule,
    update=_update_rule,
    delete=_delete_rule,
    rules=(
        conflicting("name", "namePrefix"),
        conflicting("isEnabled", "state"),
        some_of("eventPattern", "scheduleExpression"),
    ),
    revise=_revise_rule,
    tags=(_read_tags, _write_tags),
)

# --- target -----------------------------------------------------------------------------------------------------------

_BLOCKS = {
    "deadLetterConfig": ("DeadLetterConfig", {}),
    "httpTarget": ("HttpParameters", {}),
    "inputTransformer": ("InputTransformer", {"inputPaths": "InputPathsMap"}),
    "kinesisTarget": ("KinesisParameters", {}),
    "retryPolicy": ("RetryPolicy", {}),
    "sqsTarget": ("SqsParameters", {}),
}


def _put_target(context: Context, new: Props) -> Props:
    """PutTargets of the one target, as upstream at create and update; its answer tells all, so no read follows."""
    target = {"Id": new["targetId"], **pascal(TARGET.inputs, given(new, "arn", "input", "inputPath", "roleArn"))}
    for key, (member, other) in _BLOCKS.items():
        if new.get(key):
            target[member] = pascal(TARGET.inputs[key].fields, new[key], **other)
    if "RetryPolicy" in target:
        # As upstream: a half that is not given is sent as 0.
        target["RetryPolicy"] = {"MaximumEventAgeInSeconds": 0, "MaximumRetryAttempts": 0, **target["RetryPolicy"]}
    answer = context.client("events").put_targets(Rule=new["rule"], EventBusName=new["eventBusName"], Targets=[target])
    _refuse_failures(answer)
    return {"targetId": new["targetId"]}


def _refuse_failures(answer: Props) -> None:
    """EventBridge answers 200 and lists what failed."""
    failed = answer.get("FailedEntries", [])
    if failed:
        raise ResourceError(
            "; ".join(f"{e['TargetId']}: {e.get('ErrorCode')}: {e.get('ErrorMessage')}" for e in failed)
        )
    if answer.get("FailedEntryCount"):
        raise ResourceError(f"{answer['FailedEntryCount']} entries failed")


def _target_id(bus: str, rule: str, target: str) -> str:
    return f"{rule}-{target}" if bus == "default" else f"{bus}-{rule}-{target}"


def _create_target(context: Context, new: Props) -> Created:
    new = {**new, "targetId": new.get("targetId") or unique()}
    return Created(_target_id(new["eventBusName"], new["rule"], new["targetId"]), _put_target(context, new))


def _read_target(context: Context, id_: str, state: Props) -> Props | None:
    found_id = {}
    if "rule" not in state:
        bus, rule, target = _target_of(id_)
        found_id = {"id": _target_id(bus, rule, target)}
    else:
        bus, rule, target = state["eventBusName"], state["rule"], state["targetId"]
    try:
        pages = context.client("events").get_paginator("list_targets_by_rule")
        listed = [found for page in pages.paginate(Rule=rule, EventBusName=bus) for found in page["Targets"]]
    except ClientError as error:
        if is_missing(error) or code_of(error) == "ValidationException":
            return None
        raise
    found = next((entry for entry in listed if entry["Id"] == target), None)
    if found is None:
        return None
    blocks = {}
    for key, (member, other) in _BLOCKS.items():
        if found.get(member):
            blocks[key] = camel(TARGET.inputs[key].fields, found[member], **other)
        elif key == "httpTarget":
            blocks[key] = None  # The other blocks, when gone, are not noticed by upstream.
    return {
        "arn": found["Arn"],
        "rule": rule,
        "eventBusName": bus,
        "targetId": target,
        "forceDestroy": state.get("forceDestroy", False),
        "input": found.get("Input") or None,
        "inputPath": found.get("InputPath") or None,
        "roleArn": found.get("RoleArn") or None,
        **blocks,
        **found_id,
    }


def _target_of(id_: str) -> tuple[str, str, str]:
    """An import id: [BUS/]RULE/TARGET. The resource's own id cannot be taken apart: its separator may be in a name."""
    parts = re.fullmatch(r"(?:(.+)/)?([^/]+)/([^/]+)", id_)
    if not parts:
        form = "EVENTBUSNAME/RULENAME/TARGETID or RULENAME/TARGETID"
        raise ResourceError(f"unexpected format for ID ({id_}), expected {form}")
    return parts[1] or "default", parts[2], parts[3]


def _update_target(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> Props:  # noqa: ARG001
    return _put_target(context, new) if changed - {"forceDestroy"} else {"targetId": new["targetId"]}


def _delete_target(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    try:
        answer = context.client("events").remove_targets(
            Rule=state["rule"],
            EventBusName=state["eventBusName"],
            Ids=[state["targetId"]],
            Force=state.get("forceDestroy", False),
        )
    except ClientError as error:
        if is_missing(error):
            return
        raise
    _refuse_failures(answer)


TARGET = ResourceType(
    token="aws:cloudwatch/eventTarget:EventTarget",
    inputs={
        "appsyncTarget": unsupported(),
        "arn": text(arn, required=True),
        "batchTarget": unsupported(),
        "deadLetterConfig": block({"arn": text(arn)}),
        "ecsTarget": unsupported(),
        "eventBusName": text(_BUS, replaces=True, default="default"),
        "forceDestroy": boolean(default=False),
        "httpTarget": block(
            {
                "headerParameters": mapping(),
                "pathParameterValues": array(text()),
                "queryStringParameters": mapping(),
            }
        ),
        "input": text(is_json, longest(8192)),
        "inputPath": text(longest(256)),
        "inputTransformer": block(
            {
                "inputPaths": mapping(
                    at_most(100),
                    lambda paths: next(
                        (f'{key!r} must not start with "AWS"' for key in paths if key.startswith("AWS")), None
                    ),
                ),
                "inputTemplate": text(longest(8192, 1), required=True),
            }
        ),
        "kinesisTarget": block({"partitionKeyPath": text(longest(256, 1))}),
        "redshiftTarget": unsupported(),
        "retryPolicy": block(
            {
                "maximumEventAgeInSeconds": integer(between(0, 86400)),
                "maximumRetryAttempts": integer(between(0, 185)),
            }
        ),
        "roleArn": text(arn),
        "rule": text(longest(64, 1), matches(_NAME), required=True, replaces=True),
        "runCommandTargets": unsupported(),
        "sagemakerPipelineTarget": unsupported(),
        "sqsTarget": block({"messageGroupId": text()}),
        "targetId": text(longest(64, 1), matches(_NAME), replaces=True, auto_name=64),
    },
    create=_create_target,
    read=_read_target,
    update=_update_target,
    delete=_delete_target,
    rules=(conflicting("input", "inputPath", "inputTransformer"),),
)

# --- API destination --------------------------------------------------------------------------------------------------


def _api_settings(new: Props) -> Props:
    names = ("connectionArn", "description", "httpMethod", "invocationEndpoint", "invocationRateLimitPerSecond")
    return pascal(API_DESTINATION.inputs, given(new, *names))


def _create_api(context: Context, new: Props) -> Created:
    context.client("events").create_api_destination(Name=new["name"], **_api_settings(new))
    return Created(new["name"])


def _read_api(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("events").describe_api_destination(Name=id_)
    return {
        "arn": found["ApiDestinationArn"],
        "name": found["Name"],
        "connectionArn": found["ConnectionArn"],
        "description": found.get("Description") or None,
        "httpMethod": found["HttpMethod"],
        "invocationEndpoint": found["InvocationEndpoint"],
        "invocationRateLimitPerSecond": found.get("InvocationRateLimitPerSecond"),
    }


def _update_api(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    context.client("events").update_api_destination(Name=id_, **_api_settings(new))


def _delete_api(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("events").delete_api_destination(Name=id_)


API_DESTINATION = ResourceType(
    token="aws:cloudwatch/eventApiDestination:EventApiDestination",
    inputs={
        "connectionArn": text(arn, required=True),
        "description": text(longest(512)),
        "httpMethod": text(one_of("POST", "GET", "HEAD", "OPTIONS", "PUT", "PATCH", "DELETE"), required=True),
        "invocationEndpoint": text(longest(2048, 1), matches(r"https://.*"), required=True),
        "invocationRateLimitPerSecond": integer(between(1, 300), default=300),
        "name": name(64, _NAME),
    },
    outputs=("arn",),
    create=_create_api,
    read=_read_api,
    update=_update_api,
    delete=_delete_api,
)

TYPES = (BUS, ARCHIVE, RULE, TARGET, API_DESTINATION)
