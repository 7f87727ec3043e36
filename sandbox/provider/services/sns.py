"""SNS: topics, their policies, subscriptions.

Upstream: hashicorp/terraform-provider-aws, internal/service/sns/{topic,topic_policy,topic_subscription}.go.
"""

import json
from collections.abc import Iterable

from botocore.exceptions import ClientError

from sandbox.provider.resource import Context, Created, ResourceType, Tags, conflicting, is_missing, unique
from sandbox.provider.schema import (
    Failure,
    arn,
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

_FEEDBACK = {
    f"{protocol}{outcome}": (f"{api}{outcome[0].upper()}{outcome[1:]}")
    for protocol, api in (
        ("application", "Application"),
        ("firehose", "Firehose"),
        ("http", "HTTP"),
        ("lambda", "Lambda"),
        ("sqs", "SQS"),
    )
    for outcome in ("FailureFeedbackRoleArn", "SuccessFeedbackRoleArn", "SuccessFeedbackSampleRate")
}

_NAMES = {
    **_FEEDBACK,
    "archivePolicy": "ArchivePolicy",
    "contentBasedDeduplication": "ContentBasedDeduplication",
    "deliveryPolicy": "DeliveryPolicy",
    "displayName": "DisplayName",
    "fifoThroughputScope": "FifoThroughputScope",
    "fifoTopic": "FifoTopic",
    "kmsMasterKeyId": "KmsMasterKeyId",
    "maximumMessageSize": "MaximumMessageSize",
    "policy": "Policy",
    "signatureVersion": "SignatureVersion",
    "tracingConfig": "TracingConfig",
}

_FIELDS = {
    **{key: integer(between(0, 100)) if key.endswith("Rate") else text(arn) for key in _FEEDBACK},
    "archivePolicy": json_text(),
    "contentBasedDeduplication": boolean(default=False),
    "deliveryPolicy": json_text(),
    "displayName": text(),
    "fifoThroughputScope": text(one_of("Topic", "MessageGroup"), computed=True),
    "fifoTopic": boolean(default=False, replaces=True),
    "kmsMasterKeyId": text(),
    "maximumMessageSize": integer(between(1024, 262144), computed=True),
    "name": name(256, r"[0-9A-Za-z_\-]{1,256}|[0-9A-Za-z_\-]{1,251}\.fifo"),
    "namePrefix": text(longest(230), replaces=True, computed=True),
    "policy": policy(computed=True),
    "signatureVersion": integer(between(1, 2), computed=True),
    "tags": tags(),
    "tracingConfig": text(one_of("Active", "PassThrough"), computed=True),
}


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    listed = context.client("sns").list_tags_for_resource(ResourceArn=id_)
    return {tag["Key"]: tag["Value"] for tag in listed.get("Tags", [])}


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("sns").untag_resource(ResourceArn=id_, TagKeys=gone)
    if wanted:
        tagging = [{"Key": key, "Value": value} for key, value in wanted.items()]
        context.client("sns").tag_resource(ResourceArn=id_, Tags=tagging)


def _create(context: Context, new: Props) -> Created:
    fifo = new.get("fifoTopic", False)
    topic = new.get("name") or unique(new.get("namePrefix", "")) + (".fifo" if fifo else "")
    attributes = to_api(_NAMES, _FIELDS, new)
    if not fifo:
        # As upstream: SNS refuses these two on a standard topic, even when false.
        for theirs in ("FifoTopic", "ContentBasedDeduplication"):
            attributes.pop(theirs, None)
    answer = context.client("sns").create_topic(
        Name=topic,
        Attributes={key: value for key, value in attributes.items() if value != ""},
        **({"Tags": [{"Key": key, "Value": value} for key, value in context.tags.items()]} if context.tags else {}),
    )
    return Created(answer["TopicArn"])


def _read(context: Context, id_: str, state: Props) -> Props | None:
    found = context.client("sns").get_topic_attributes(TopicArn=id_)["Attributes"]
    settings = from_api(_NAMES, _FIELDS, found)
    settings["fifoTopic"] = bool(settings["fifoTopic"])
    settings["contentBasedDeduplication"] = bool(settings["contentBasedDeduplication"])
    # AWS gives the delivery policy that is in force under another name; only a declared one is the resource's.
    for key in ("deliveryPolicy", "archivePolicy"):
        settings[key] = settings[key] if state.get(key) or not state else None
    return {
        **settings,
        "arn": id_,
        "name": id_.rpartition(":")[2],
        "owner": found.get("Owner"),
        "beginningArchiveTime": found.get("BeginningArchiveTime"),
    }


def _update(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    for ours in _NAMES:
        if ours in changed:
            context.client("sns").set_topic_attributes(
                TopicArn=id_, AttributeName=_NAMES[ours], AttributeValue=written(_FIELDS[ours], new.get(ours))
            )


def _delete(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("sns").delete_topic(TopicArn=id_)


def _check_fifo(inputs: Props) -> Iterable[Failure]:
    topic, fifo = inputs.get("name"), inputs.get("fifoTopic")
    if isinstance(topic, str) and isinstance(fifo, bool) and fifo != topic.endswith(".fifo"):
        yield (
            "name",
            f"the name of a FIFO topic, and of no other, ends in .fifo; got {topic!r} with fifoTopic={fifo}",
        )
    if inputs.get("contentBasedDeduplication") is True and fifo is False:
        yield "contentBasedDeduplication", "content-based deduplication is for FIFO topics only"
    if inputs.get("archivePolicy") and fifo is False:
        yield "archivePolicy", "message archive policy is for FIFO topics only"


TOPIC = ResourceType(
    token="aws:sns/topic:Topic",
    inputs=_FIELDS,
    outputs=("arn", "beginningArchiveTime", "owner"),
    create=_create,
    read=_read,
    update=_update,
    delete=_delete,
    rules=(conflicting("name", "namePrefix"), _check_fifo),
    tags=(_read_tags, _write_tags),
)

# --- policy -----------------------------------------------------------------------------------------------------------


def _put_policy(context: Context, topic: str, document: str) -> None:
    context.client("sns").set_topic_attributes(TopicArn=topic, AttributeName="Policy", AttributeValue=document)


def _create_policy(context: Context, new: Props) -> Created:
    _put_policy(context, new["arn"], new["policy"])
    return Created(new["arn"])


def _read_policy(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    found = context.client("sns").get_topic_attributes(TopicArn=id_)["Attributes"]
    return {"arn": id_, "policy": found["Policy"], "owner": found.get("Owner")} if found.get("Policy") else None


def _update_policy(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    _put_policy(context, id_, new["policy"])


def _delete_policy(context: Context, id_: str, state: Props) -> None:
    """A topic always has a policy: as upstream, what is left is AWS's default one."""
    owner = state.get("owner") or context.session.account
    actions = (
        "GetTopicAttributes SetTopicAttributes AddPermission RemovePermission DeleteTopic Subscribe "
        "ListSubscriptionsByTopic Publish"
    )
    document = {
        "Version": "2008-10-17",
        "Id": "__default_policy_ID",
        "Statement": [
            {
                "Sid": "__default_statement_ID",
                "Effect": "Allow",
                "Principal": {"AWS": "*"},
                "Action": [f"SNS:{action}" for action in actions.split()],
                "Resource": id_,
                "Condition": {"StringEquals": {"AWS:SourceOwner": owner}},
            }
        ],
    }
    _put_policy(context, id_, json.dumps(document))


POLICY = ResourceType(
    token="aws:sns/topicPolicy:TopicPolicy",
    inputs={"arn": text(arn, required=True, replaces=True), "policy": policy(required=True)},
    outputs=("owner",),
    create=_create_policy,
    read=_read_policy,
    update=_update_policy,
    delete=_delete_policy,
)

# --- subscription -----------------------------------------------------------------------------------------------------

_SUBSCRIPTION_NAMES = {
    "deliveryPolicy": "DeliveryPolicy",
    "filterPolicy": "FilterPolicy",
    "filterPolicyScope": "FilterPolicyScope",
    "rawMessageDelivery": "RawMessageDelivery",
    "redrivePolicy": "RedrivePolicy",
    "replayPolicy": "ReplayPolicy",
    "subscriptionRoleArn": "SubscriptionRoleArn",
}

_SUBSCRIPTION_FIELDS = {
    "confirmationTimeoutInMinutes": integer(default=1),
    "deliveryPolicy": json_text(),
    "endpoint": text(required=True, replaces=True),
    "endpointAutoConfirms": boolean(default=False),
    "filterPolicy": json_text(),
    "filterPolicyScope": text(one_of("MessageAttributes", "MessageBody"), computed=True),
    "protocol": text(
        one_of("application", "email", "email-json", "firehose", "http", "https", "lambda", "sms", "sqs"),
        required=True,
        replaces=True,
    ),
    "rawMessageDelivery": boolean(default=False),
    "redrivePolicy": json_text(),
    "replayPolicy": json_text(),
    "subscriptionRoleArn": text(arn),
    "topic": text(arn, required=True, replaces=True),
}


def _subscribe(context: Context, new: Props) -> Created:
    """As upstream the ARN is asked for even while an e-mail subscription waits for its confirmation. Differs: there is
    no waiting for an endpoint that confirms by itself."""
    attributes = to_api(_SUBSCRIPTION_NAMES, _SUBSCRIPTION_FIELDS, new)
    answer = context.client("sns").subscribe(
        TopicArn=new["topic"],
        Protocol=new["protocol"],
        Endpoint=new["endpoint"],
        ReturnSubscriptionArn=True,
        Attributes={key: value for key, value in attributes.items() if value not in ("", "false")},
    )
    return Created(answer["SubscriptionArn"])


def _read_subscription(context: Context, id_: str, state: Props) -> Props | None:
    found = context.client("sns").get_subscription_attributes(SubscriptionArn=id_)["Attributes"]
    settings = from_api(_SUBSCRIPTION_NAMES, _SUBSCRIPTION_FIELDS, found)
    return {
        **settings,
        "rawMessageDelivery": bool(settings["rawMessageDelivery"]),
        "arn": id_,
        "endpoint": found.get("Endpoint", state.get("endpoint")),
        "protocol": found.get("Protocol", state.get("protocol")),
        "topic": found["TopicArn"],
        "ownerId": found.get("Owner"),
        "pendingConfirmation": found.get("PendingConfirmation") == "true",
        "confirmationWasAuthenticated": found.get("ConfirmationWasAuthenticated") == "true",
        "confirmationTimeoutInMinutes": state.get("confirmationTimeoutInMinutes", 1),
        "endpointAutoConfirms": state.get("endpointAutoConfirms", False),
    }


def _update_subscription(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    # As upstream: a body's scope goes before the policy that needs it, that of attributes after the policy.
    first = new.get("filterPolicyScope") == "MessageBody"
    for ours in sorted(_SUBSCRIPTION_NAMES, key=lambda key: (key == "filterPolicyScope") != first):
        if ours not in changed:
            continue
        value = written(_SUBSCRIPTION_FIELDS[ours], new.get(ours))
        if ours == "filterPolicy" and not value:
            value = "{}"
        context.client("sns").set_subscription_attributes(
            SubscriptionArn=id_,
            AttributeName=_SUBSCRIPTION_NAMES[ours],
            # SNS refuses an empty redrive policy; left out it is none.
            **({} if ours == "redrivePolicy" and not value else {"AttributeValue": value}),
        )


def _unsubscribe(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    try:
        context.client("sns").unsubscribe(SubscriptionArn=id_)
    except ClientError as error:
        # AWS lets nobody end a subscription that waits for its confirmation; upstream passes over it as well.
        if not is_missing(error) and "pending confirmation" not in str(error):
            raise


SUBSCRIPTION = ResourceType(
    token="aws:sns/topicSubscription:TopicSubscription",
    inputs=_SUBSCRIPTION_FIELDS,
    outputs=("arn", "confirmationWasAuthenticated", "ownerId", "pendingConfirmation"),
    create=_subscribe,
    read=_read_subscription,
    update=_update_subscription,
    delete=_unsubscribe,
)

TYPES = (TOPIC, POLICY, SUBSCRIPTION)
