"""CloudWatch Logs: groups and resource policies.

Upstream: hashicorp/terraform-provider-aws, internal/service/logs/{group,resource_policy}.go.
"""

from collections.abc import Iterable

from sandbox.provider.resource import Context, Created, ResourceType, Tags, conflicting, given, unique
from sandbox.provider.schema import Failure, arn, boolean, integer, longest, matches, name, one_of, policy, tags, text
from sandbox.provider.wire import Props

_DAYS = (0, 1, 3, 5, 7, 14, 30, 60, 90, 120, 150, 180, 365, 400, 545, 731, 1096, 1827, 2192, 2557, 2922, 3288, 3653)
_GROUP = r"[\w\-./#]+"


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    return context.client("logs").list_tags_for_resource(resourceArn=state["arn"]).get("tags", {})


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("logs").untag_resource(resourceArn=state["arn"], tagKeys=gone)
    if wanted:
        context.client("logs").tag_resource(resourceArn=state["arn"], tags=wanted)


def _create_group(context: Context, new: Props) -> Created:
    group = new.get("name") or unique(new.get("namePrefix", ""))
    wanted = given(new, "kmsKeyId", "logGroupClass", "deletionProtectionEnabled")
    if context.tags:
        wanted["tags"] = context.tags
    client = context.client("logs")
    client.create_log_group(logGroupName=group, **wanted)
    if new.get("retentionInDays"):
        client.put_retention_policy(logGroupName=group, retentionInDays=new["retentionInDays"])
    return Created(group)


def _read_group(context: Context, id_: str, state: Props) -> Props | None:
    pages = context.client("logs").get_paginator("describe_log_groups").paginate(logGroupNamePrefix=id_)
    found = next((group for page in pages for group in page["logGroups"] if group["logGroupName"] == id_), None)
    if found is None:
        return None
    return {
        "arn": found["arn"].removesuffix(":*"),
        "name": id_,
        "kmsKeyId": found.get("kmsKeyId"),
        "logGroupClass": found.get("logGroupClass", "STANDARD"),
        "retentionInDays": found.get("retentionInDays", 0),
        "deletionProtectionEnabled": found.get("deletionProtectionEnabled", state.get("deletionProtectionEnabled")),
        "skipDestroy": state.get("skipDestroy", False),
    }


def _update_group(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    client = context.client("logs")
    if "deletionProtectionEnabled" in changed:
        client.put_log_group_deletion_protection(
            logGroupIdentifier=id_, deletionProtectionEnabled=new.get("deletionProtectionEnabled", False)
        )
    if "retentionInDays" in changed:
        if new.get("retentionInDays"):
            client.put_retention_policy(logGroupName=id_, retentionInDays=new["retentionInDays"])
        else:
            client.delete_retention_policy(logGroupName=id_)
    if "kmsKeyId" in changed:
        if new.get("kmsKeyId"):
            client.associate_kms_key(logGroupName=id_, kmsKeyId=new["kmsKeyId"])
        else:
            client.disassociate_kms_key(logGroupName=id_)


def _delete_group(context: Context, id_: str, state: Props) -> None:
    if state.get("skipDestroy"):
        return
    context.client("logs").delete_log_group(logGroupName=id_)


GROUP = ResourceType(
    token="aws:cloudwatch/logGroup:LogGroup",
    inputs={
        "deletionProtectionEnabled": boolean(computed=True),
        "kmsKeyId": text(arn),
        "logGroupClass": text(one_of("STANDARD", "INFREQUENT_ACCESS", "DELIVERY"), replaces=True, computed=True),
        "name": name(512, _GROUP),
        "namePrefix": text(longest(483), matches(_GROUP), replaces=True, computed=True),
        "retentionInDays": integer(
            lambda days: None if days in _DAYS else f"expected one of {', '.join(map(str, _DAYS))}; got {days}",
            default=0,
        ),
        "skipDestroy": boolean(default=False),
        "tags": tags(),
    },
    outputs=("arn",),
    create=_create_group,
    read=_read_group,
    update=_update_group,
    delete=_delete_group,
    rules=(conflicting("name", "namePrefix"),),
    tags=(_read_tags, _write_tags),
)

# --- resource policy --------------------------------------------------------------------------------------------------


def _put_policy(context: Context, new: Props) -> None:
    wanted = given(new, "policyName", "policyDocument", "resourceArn")
    context.client("logs").put_resource_policy(**wanted)


def _create_policy(context: Context, new: Props) -> Created:
    _put_policy(context, new)
    return Created(new.get("policyName") or new["resourceArn"])


def _read_policy(context: Context, id_: str, state: Props) -> Props | None:
    client = context.client("logs")
    scope = {"resourceArn": state["resourceArn"], "policyScope": "RESOURCE"} if state.get("resourceArn") else {}
    token: dict[str, str] = {}
    while True:
        page = client.describe_resource_policies(**scope, **token)
        for found in page["resourcePolicies"]:
            if scope or found["policyName"] == id_:
                return {
                    "policyName": found.get("policyName"),
                    "policyDocument": found["policyDocument"],
                    "policyScope": found.get("policyScope"),
                    "revisionId": found.get("revisionId"),
                }
        if not page.get("nextToken"):
            return None
        token = {"nextToken": page["nextToken"]}


def _update_policy(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    _put_policy(context, new)


def _delete_policy(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("logs").delete_resource_policy(**given(state, "policyName", "resourceArn"))


def _one_owner(inputs: Props) -> Iterable[Failure]:
    if ("policyName" in inputs) == ("resourceArn" in inputs):
        yield "policyName", "exactly one of 'policyName' and 'resourceArn' must be given"


POLICY = ResourceType(
    token="aws:cloudwatch/logResourcePolicy:LogResourcePolicy",
    inputs={
        "policyDocument": policy(longest(5120), required=True),
        "policyName": text(replaces=True),
        "resourceArn": text(arn, replaces=True),
    },
    outputs=("policyScope", "revisionId"),
    create=_create_policy,
    read=_read_policy,
    update=_update_policy,
    delete=_delete_policy,
    rules=(_one_owner,),
)

TYPES = (GROUP, POLICY)
