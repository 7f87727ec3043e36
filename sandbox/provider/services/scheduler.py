"""EventBridge Scheduler: schedules.

Upstream: hashicorp/terraform-provider-aws, internal/service/scheduler/schedule.go.
"""

from datetime import datetime
from typing import Any

from sandbox.provider.resource import (
    Context,
    Created,
    ResourceError,
    ResourceType,
    camel,
    conflicting,
    given,
    pascal,
    unique,
)
from sandbox.provider.schema import arn, between, block, integer, longest, matches, name, one_of, text, unsupported
from sandbox.provider.wire import Props

_NAME = r"[0-9A-Za-z_.\-]+"
_SETTINGS = (
    "actionAfterCompletion",
    "description",
    "endDate",
    "flexibleTimeWindow",
    "kmsKeyArn",
    "scheduleExpression",
    "scheduleExpressionTimezone",
    "startDate",
    "state",
    "target",
)
_OTHER = {"eventbridgeParameters": "EventBridgeParameters"}


def _settings(new: Props) -> Props:
    wanted = pascal(SCHEDULE.inputs, given(new, *_SETTINGS), **_OTHER)
    if wanted["FlexibleTimeWindow"].get("MaximumWindowInMinutes") == 0:
        del wanted["FlexibleTimeWindow"]["MaximumWindowInMinutes"]
    return wanted


def _create(context: Context, new: Props) -> Created:
    schedule, group = new.get("name") or unique(new.get("namePrefix", "")), new.get("groupName") or "default"
    context.client("scheduler").create_schedule(Name=schedule, GroupName=group, **_settings(new))
    return Created(f"{group}/{schedule}")


def _parts(id_: str) -> dict[str, str]:
    group, _, schedule = id_.partition("/")
    if not schedule:
        raise ResourceError(f"unexpected format of ID ({id_}), expected GROUP/SCHEDULE")
    return {"GroupName": group, "Name": schedule}


def _time(value: Any) -> str | None:
    return value.strftime("%Y-%m-%dT%H:%M:%SZ") if isinstance(value, datetime) else None


def _read(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("scheduler").get_schedule(**_parts(id_))
    target = camel(SCHEDULE.inputs["target"].fields, found["Target"], **_OTHER)
    return {
        "arn": found["Arn"],
        "actionAfterCompletion": found.get("ActionAfterCompletion"),
        "description": found.get("Description") or None,
        "endDate": _time(found.get("EndDate")),
        "flexibleTimeWindow": camel(SCHEDULE.inputs["flexibleTimeWindow"].fields, found["FlexibleTimeWindow"]),
        "groupName": found.get("GroupName", "default"),
        "kmsKeyArn": found.get("KmsKeyArn"),
        "name": found["Name"],
        "scheduleExpression": found["ScheduleExpression"],
        "scheduleExpressionTimezone": found.get("ScheduleExpressionTimezone") or "UTC",
        "startDate": _time(found.get("StartDate")),
        "state": found.get("State", "ENABLED"),
        "target": {key: value for key, value in target.items() if value not in ({}, None)},
    }


def _update(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    context.client("scheduler").update_schedule(**_parts(id_), **_settings(new))


def _delete(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("scheduler").delete_schedule(**_parts(id_))


SCHEDULE = ResourceType(
    token="aws:scheduler/schedule:Schedule",
    inputs={
        "actionAfterCompletion": text(one_of("NONE", "DELETE"), computed=True),
        "description": text(longest(512)),
        "endDate": text(),
        "flexibleTimeWindow": block(
            {
                "maximumWindowInMinutes": integer(between(1, 1440)),
                "mode": text(one_of("OFF", "FLEXIBLE"), required=True),
            },
            required=True,
        ),
        "groupName": text(longest(64, 1), matches(_NAME), replaces=True, computed=True),
        "kmsKeyArn": text(arn),
        "name": name(64, _NAME),
        "namePrefix": text(longest(38), matches(_NAME), replaces=True, computed=True),
        "scheduleExpression": text(longest(256, 1), required=True),
        "scheduleExpressionTimezone": text(longest(50, 1), default="UTC"),
        "startDate": text(),
        "state": text(one_of("ENABLED", "DISABLED"), default="ENABLED"),
        "target": block(
            {
                "arn": text(arn, required=True),
                "deadLetterConfig": block({"arn": text(arn, required=True)}),
                "ecsParameters": unsupported(),
                "eventbridgeParameters": block(
                    {"detailType": text(longest(128, 1), required=True), "source": text(longest(256, 1), required=True)}
                ),
                "input": text(longest(262144, 1)),
                "kinesisParameters": block({"partitionKey": text(longest(256, 1), required=True)}),
                "retryPolicy": block(
                    {
                        "maximumEventAgeInSeconds": integer(between(60, 86400), default=86400),
                        "maximumRetryAttempts": integer(between(0, 185), default=185),
                    },
                    computed=True,
                ),
                "roleArn": text(arn, required=True),
                "sagemakerPipelineParameters": unsupported(),
                "sqsParameters": block({"messageGroupId": text(longest(128, 1))}),
            },
            required=True,
        ),
    },
    outputs=("arn",),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    rules=(conflicting("name", "namePrefix"),),
)

TYPES = (SCHEDULE,)
