"""SQS: queues and their policies.

Upstream: hashicorp/terraform-provider-aws, internal/service/sqs/{queue,queue_policy}.go. Differs: upstream waits until
the attributes read back as written (up to 2 minutes, several reads in a row); here one read must do.
"""

from collections.abc import Iterable

from sandbox.provider.resource import Context, Created, ResourceType, Tags, conflicting, unique
from sandbox.provider.schema import (
    Change,
    Failure,
    between,
    boolean,
    integer,
    json_text,
    longest,
    name,
    one_of,
    policy,
    tags,
    text,
)
from sandbox.provider.services.attributes import from_api, to_api, written
from sandbox.provider.wire import Props

_NAMES = {
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deduplicationScope": "DeduplicationScope",
    "delaySeconds": "DelaySeconds",
    "fifoQueue": "FifoQueue",
    "fifoThroughputLimit": "FifoThroughputLimit",
    "kmsDataKeyReusePeriodSeconds": "KmsDataKeyReusePeriodSeconds",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maxMessageSize": "MaximumMessageSize",
    "messageRetentionSeconds": "MessageRetentionPeriod",
    "policy": "Policy",
    "receiveWaitTimeSeconds": "ReceiveMessageWaitTimeSeconds",
    "redriveAllowPolicy": "RedriveAllowPolicy",
    "redrivePolicy": "RedrivePolicy",
    "sqsManagedSseEnabled": "SqsManagedSseEnabled",
    "visibilityTimeoutSeconds": "VisibilityTimeout",
}

_FIELDS = {
    "contentBasedDeduplication": boolean(default=False),
    "deduplicationScope": text(one_of("messageGroup", "queue"), computed=True),
    "delaySeconds": integer(between(0, 900), default=0),
    "fifoQueue": boolean(default=False, replaces=True),
    "fifoThroughputLimit": text(one_of("perQueue", "perMessageGroupId"), computed=True),
    "kmsDataKeyReusePeriodSeconds": integer(between(60, 86400), computed=True),
    "kmsMasterKeyId": text(),
    "maxMessageSize": integer(between(1024, 1048576), default=262144),
    "messageRetentionSeconds": integer(between(60, 1209600), default=345600),
    "name": name(80, r"[a-zA-Z0-9_\-]{1,80}|[a-zA-Z0-9_\-]{1,75}\.fifo"),
    "namePrefix": text(longest(54), replaces=True, computed=True),
    "policy": policy(computed=True),
    "receiveWaitTimeSeconds": integer(between(0, 20), default=0),
    "redriveAllowPolicy": json_text(),
    "redrivePolicy": json_text(),
    "sqsManagedSseEnabled": boolean(computed=True),
    "tags": tags(),
    "visibilityTimeoutSeconds": integer(between(0, 43200), default=30),
}


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    return context.client("sqs").list_queue_tags(QueueUrl=id_).get("Tags", {})


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("sqs").untag_queue(QueueUrl=id_, TagKeys=gone)
    if wanted:
        context.client("sqs").tag_queue(QueueUrl=id_, Tags=wanted)


def _create(context: Context, new: Props) -> Created:
    fifo = new.get("fifoQueue", False)
    queue = new.get("name") or unique(new.get("namePrefix", "")) + (".fifo" if fifo else "")
    attributes = to_api(_NAMES, _FIELDS, new)
    if not fifo:
        for theirs in ("FifoQueue", "ContentBasedDeduplication"):
            attributes.pop(theirs, None)
    if attributes.get("KmsMasterKeyId") and attributes.get("SqsManagedSseEnabled") == "false":
        del attributes["SqsManagedSseEnabled"]
    answer = context.client("sqs").create_queue(
        QueueName=queue,
        Attributes={key: value for key, value in attributes.items() if value != ""},
        **({"tags": context.tags} if context.tags else {}),
    )
    return Created(answer["QueueUrl"])


def _read(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("sqs").get_queue_attributes(QueueUrl=id_, AttributeNames=["All"])["Attributes"]
    settings = from_api(_NAMES, _FIELDS, found)
    settings["fifoQueue"] = bool(settings["fifoQueue"])
    settings["contentBasedDeduplication"] = bool(settings["contentBasedDeduplication"])
    return {**settings, "arn": found["QueueArn"], "name": found["QueueArn"].rpartition(":")[2], "url": id_}


def _update(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    names = {ours: theirs for ours, theirs in _NAMES.items() if ours in changed}
    attributes = {theirs: written(_FIELDS[ours], new.get(ours)) for ours, theirs in names.items()}
    context.client("sqs").set_queue_attributes(QueueUrl=id_, Attributes=attributes)


def _delete(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("sqs").delete_queue(QueueUrl=id_)


def _check_fifo(inputs: Props) -> Iterable[Failure]:
    queue, fifo = inputs.get("name"), inputs.get("fifoQueue")
    if isinstance(queue, str) and isinstance(fifo, bool) and fifo != queue.endswith(".fifo"):
        yield (
            "name",
            f"the name of a FIFO queue, and of no other, ends in .fifo; got {queue!r} with fifoQueue={fifo}",
        )
    if inputs.get("contentBasedDeduplication") is True and fifo is False:
        yield "contentBasedDeduplication", "content-based deduplication is for FIFO queues only"


def _revise(changes: dict[str, Change], old: Props, new: Props) -> dict[str, Change]:  # noqa: ARG001
    # Upstream suppresses a key's reuse period without a key.
    return {
        path: change
        for path, change in changes.items()
        if path != "kmsDataKeyReusePeriodSeconds" or "kmsMasterKeyId" in new
    }


QUEUE = ResourceType(
    token="aws:sqs/queue:Queue",
    inputs=_FIELDS,
    outputs=("arn", "url"),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    rules=(conflicting("name", "namePrefix"), conflicting("kmsMasterKeyId", "sqsManagedSseEnabled"), _check_fifo),
    revise=_revise,
    tags=(_read_tags, _write_tags),
)

# --- policy -----------------------------------------------------------------------------------------------------------


def _put_policy(context: Context, url: str, document: str) -> None:
    context.client("sqs").set_queue_attributes(QueueUrl=url, Attributes={"Policy": document})


def _create_policy(context: Context, new: Props) -> Created:
    _put_policy(context, new["queueUrl"], new["policy"])
    return Created(new["queueUrl"])


def _read_policy(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("sqs").get_queue_attributes(QueueUrl=id_, AttributeNames=["Policy"]).get("Attributes", {})
    return {"queueUrl": id_, "policy": found["Policy"]} if found.get("Policy") else None


def _update_policy(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    _put_policy(context, id_, new["policy"])


def _delete_policy(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    _put_policy(context, id_, "")


POLICY = ResourceType(
    token="aws:sqs/queuePolicy:QueuePolicy",
    inputs={"policy": policy(required=True), "queueUrl": text(required=True, replaces=True)},
    create=_create_policy,
    read=_read_policy,
    update=_update_policy,
    delete=_delete_policy,
)

TYPES = (QUEUE, POLICY)
