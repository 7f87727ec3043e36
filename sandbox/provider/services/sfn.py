"""Step Functions: state machines.

Upstream: hashicorp/terraform-provider-aws, internal/service/sfn/state_machine.go. Differs: the definition is not sent
to ValidateStateMachineDefinition at preview time.
"""

from botocore.exceptions import ClientError

from sandbox.provider.resource import (
    Context,
    Created,
    ResourceType,
    Tags,
    conflicting,
    given,
    is_missing,
    unique,
)
from sandbox.provider.schema import arn, block, boolean, integer, longest, matches, name, one_of, tags, text
from sandbox.provider.wire import Props

_NAME = r"[0-9A-Za-z_\-]+"
_SETTINGS = ("definition", "roleArn", "publish")


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    listed = context.client("stepfunctions").list_tags_for_resource(resourceArn=id_)
    return {tag["key"]: tag["value"] for tag in listed.get("tags", [])}


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("stepfunctions").untag_resource(resourceArn=id_, tagKeys=gone)
    if wanted:
        tagging = [{"key": key, "value": value} for key, value in wanted.items()]
        context.client("stepfunctions").tag_resource(resourceArn=id_, tags=tagging)


def _settings(new: Props) -> Props:
    wanted = given(new, *_SETTINGS, "tracingConfiguration", "encryptionConfiguration")
    if logging := new.get("loggingConfiguration"):
        destination = logging.get("logDestination")
        wanted["loggingConfiguration"] = {
            "level": logging.get("level", "OFF"),
            "includeExecutionData": logging.get("includeExecutionData", False),
            **({"destinations": [{"cloudWatchLogsLogGroup": {"logGroupArn": destination}}]} if destination else {}),
        }
    return wanted


def _create(context: Context, new: Props) -> Created:
    answer = context.client("stepfunctions").create_state_machine(
        name=new.get("name") or unique(new.get("namePrefix", "")),
        type=new["type"],
        **_settings(new),
        **({"tags": [{"key": key, "value": value} for key, value in context.tags.items()]} if context.tags else {}),
    )
    return Created(answer["stateMachineArn"], None)


def _read(context: Context, id_: str, state: Props) -> Props | None:
    found = context.client("stepfunctions").describe_state_machine(stateMachineArn=id_)
    if found.get("status") == "DELETING":
        return None
    logging = found.get("loggingConfiguration") or {}
    groups = [each["cloudWatchLogsLogGroup"]["logGroupArn"] for each in logging.get("destinations", [])]
    return {
        "arn": id_,
        "creationDate": found["creationDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "definition": found["definition"],
        "description": found.get("description"),
        "encryptionConfiguration": found.get("encryptionConfiguration"),
        "loggingConfiguration": {
            "level": logging.get("level", "OFF"),
            "includeExecutionData": logging.get("includeExecutionData", False),
            **({"logDestination": groups[0]} if groups else {}),
        },
        "name": found["name"],
        "publish": state.get("publish", False),
        "revisionId": found.get("revisionId"),
        "roleArn": found["roleArn"],
        "status": found.get("status"),
        # AWS always tells; the emulator never does.
        **({"tracingConfiguration": found["tracingConfiguration"]} if "tracingConfiguration" in found else {}),
        "type": found["type"],
        "versionDescription": None,
    }


def _update(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    context.client("stepfunctions").update_state_machine(stateMachineArn=id_, **_settings(new))


def _delete(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    """Deletion goes on after the call: running executions end first. Upstream waits for it, and so does this."""
    client = context.client("stepfunctions")

    def gone() -> bool:
        try:
            client.describe_state_machine(stateMachineArn=id_)
        except ClientError as error:
            return is_missing(error)
        return False

    client.delete_state_machine(stateMachineArn=id_)
    context.until(gone, f"state machine {id_} to be deleted", 300)


STATE_MACHINE = ResourceType(
    token="aws:sfn/stateMachine:StateMachine",
    inputs={
        "definition": text(longest(1024 * 1024), required=True),
        "encryptionConfiguration": block(
            {
                "kmsDataKeyReusePeriodSeconds": integer(),
                "kmsKeyId": text(),
                "type": text(one_of("AWS_OWNED_KEY", "CUSTOMER_MANAGED_KMS_KEY")),
            },
            computed=True,
        ),
        "loggingConfiguration": block(
            {
                "includeExecutionData": boolean(),
                "level": text(one_of("ALL", "ERROR", "FATAL", "OFF")),
                "logDestination": text(matches(r".*:\*", "the ARN of a log group followed by :*")),
            },
            computed=True,
        ),
        "name": name(80, _NAME),
        "namePrefix": text(longest(54), matches(_NAME), replaces=True, computed=True),
        "publish": boolean(default=False),
        "roleArn": text(arn, required=True),
        "tags": tags(),
        "tracingConfiguration": block({"enabled": boolean(default=False)}, computed=True),
        "type": text(one_of("STANDARD", "EXPRESS"), default="STANDARD", replaces=True),
    },
    outputs=(
        "arn",
        "creationDate",
        "description",
        "revisionId",
        "stateMachineVersionArn",
        "status",
        "versionDescription",
    ),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    rules=(conflicting("name", "namePrefix"),),
    unsettled=lambda changed: {"revisionId", "stateMachineVersionArn"} if changed - {"tags", "tagsAll"} else set(),
    tags=(_read_tags, _write_tags),
)

TYPES = (STATE_MACHINE,)
