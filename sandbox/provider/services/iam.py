"""IAM: roles, their inline policies, managed policies.

Upstream: hashicorp/terraform-provider-aws, internal/service/iam/{role,role_policy,policy}.go. Differs: no waiting for
IAM's propagation.
"""

import json
from typing import Any
from urllib.parse import unquote

from sandbox.provider.resource import (
    Context,
    Created,
    ResourceError,
    ResourceType,
    Tags,
    conflicting,
    unique,
)
from sandbox.provider.schema import (
    arn,
    array,
    between,
    block,
    boolean,
    integer,
    longest,
    matches,
    name,
    policy,
    tags,
    text,
)
from sandbox.provider.wire import Props

_NAME = r"[\w+=,.@\-]+"
_PATH = matches(r"/|/[!-~]+/", "a path that begins and ends with a slash")


def _document(value: Any) -> str:
    """A policy document as IAM gives it: URL-encoded text, which the SDK has parsed already."""
    return json.dumps(value, separators=(",", ":")) if isinstance(value, dict) else unquote(value)


def _tags(wanted: Tags) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value} for key, value in wanted.items()]


# --- role -------------------------------------------------------------------------------------------------------------


def _read_role_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    pages = context.client("iam").get_paginator("list_role_tags").paginate(RoleName=id_)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def _write_role_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("iam").untag_role(RoleName=id_, TagKeys=gone)
    if wanted:
        context.client("iam").tag_role(RoleName=id_, Tags=_tags(wanted))


def _create_role(context: Context, new: Props) -> Created:
    role = new.get("name") or unique(new.get("namePrefix", ""))
    wanted: Props = {"AssumeRolePolicyDocument": new["assumeRolePolicy"], "Path": new["path"]}
    for ours, theirs in (
        ("description", "Description"),
        ("maxSessionDuration", "MaxSessionDuration"),
        ("permissionsBoundary", "PermissionsBoundary"),
    ):
        if new.get(ours):
            wanted[theirs] = new[ours]
    if context.tags:
        wanted["Tags"] = _tags(context.tags)
    client = context.client("iam")
    client.create_role(RoleName=role, **wanted)
    for inline in new.get("inlinePolicies") or []:
        if inline.get("name"):
            client.put_role_policy(RoleName=role, PolicyName=inline["name"], PolicyDocument=inline.get("policy", ""))
    for managed in new.get("managedPolicyArns") or []:
        client.attach_role_policy(RoleName=role, PolicyArn=managed)
    return Created(role)


def _inline(context: Context, role: str) -> list[Props]:
    client = context.client("iam")
    names = [
        n for page in client.get_paginator("list_role_policies").paginate(RoleName=role) for n in page["PolicyNames"]
    ]
    found = (client.get_role_policy(RoleName=role, PolicyName=each) for each in names)
    return [{"name": each["PolicyName"], "policy": _document(each["PolicyDocument"])} for each in found]


def _managed(context: Context, role: str) -> list[str]:
    pages = context.client("iam").get_paginator("list_attached_role_policies").paginate(RoleName=role)
    return [attached["PolicyArn"] for page in pages for attached in page["AttachedPolicies"]]


def _read_role(context: Context, id_: str, state: Props) -> Props | None:
    role = context.client("iam").get_role(RoleName=id_)["Role"]
    inline, managed = _inline(context, id_), _managed(context, id_)
    return {
        "arn": role["Arn"],
        "assumeRolePolicy": _document(role["AssumeRolePolicyDocument"]),
        "createDate": role["CreateDate"].strftime("%Y-%m-%dT%H:%M:%SZ"),
        "description": role.get("Description") or None,
        "forceDetachPolicies": state.get("forceDetachPolicies", False),
        "inlinePolicies": inline,
        "managedPolicyArns": managed,
        "maxSessionDuration": role.get("MaxSessionDuration", 3600),
        "name": role["RoleName"],
        "path": role["Path"],
        "permissionsBoundary": role.get("PermissionsBoundary", {}).get("PermissionsBoundaryArn"),
        "uniqueId": role["RoleId"],
    }


def _update_role(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:
    client = context.client("iam")
    if "assumeRolePolicy" in changed:
        client.update_assume_role_policy(RoleName=id_, PolicyDocument=new["assumeRolePolicy"])
    if changed & {"description", "maxSessionDuration"}:
        client.update_role(
            RoleName=id_, Description=new.get("description", ""), MaxSessionDuration=new.get("maxSessionDuration", 3600)
        )
    if "permissionsBoundary" in changed:
        if new.get("permissionsBoundary"):
            client.put_role_permissions_boundary(RoleName=id_, PermissionsBoundary=new["permissionsBoundary"])
        else:
            client.delete_role_permissions_boundary(RoleName=id_)
    if "inlinePolicies" in changed:
        wanted = {each["name"]: each.get("policy", "") for each in new.get("inlinePolicies") or [] if each.get("name")}
        for each in old.get("inlinePolicies") or []:
            if each.get("name") and each["name"] not in wanted:
                client.delete_role_policy(RoleName=id_, PolicyName=each["name"])
        for policy_name, document in wanted.items():
            client.put_role_policy(RoleName=id_, PolicyName=policy_name, PolicyDocument=document)
    if "managedPolicyArns" in changed:
        before, after = set(old.get("managedPolicyArns") or []), set(new.get("managedPolicyArns") or [])
        for each in sorted(before - after):
            client.detach_role_policy(RoleName=id_, PolicyArn=each)
        for each in sorted(after - before):
            client.attach_role_policy(RoleName=id_, PolicyArn=each)


def _delete_role(context: Context, id_: str, state: Props) -> None:
    """As upstream: policies that the role itself declares go with it, others block it unless `forceDetachPolicies`."""
    client = context.client("iam")
    force = state.get("forceDetachPolicies", False)
    if force or state.get("managedPolicyArns"):
        for each in _managed(context, id_):
            client.detach_role_policy(RoleName=id_, PolicyArn=each)
    if force or state.get("inlinePolicies"):
        for each in _inline(context, id_):
            client.delete_role_policy(RoleName=id_, PolicyName=each["name"])
    client.delete_role(RoleName=id_)


ROLE = ResourceType(
    token="aws:iam/role:Role",
    inputs={
        "assumeRolePolicy": policy(required=True),
        "description": text(longest(1000)),
        "forceDetachPolicies": boolean(default=False),
        # Upstream deprecates both in favour of resources of their own.
        "inlinePolicies": array(
            block({"name": text(longest(128, 1)), "policy": policy()}), unordered=True, computed=True, deprecated=True
        ),
        "managedPolicyArns": array(text(arn), unordered=True, computed=True, deprecated=True),
        "maxSessionDuration": integer(between(3600, 43200), default=3600),
        "name": name(64, _NAME),
        "namePrefix": text(longest(38), matches(_NAME), replaces=True, computed=True),
        "path": text(longest(512), _PATH, default="/", replaces=True),
        "permissionsBoundary": text(arn),
        "tags": tags(),
    },
    outputs=("arn", "createDate", "uniqueId"),
    create=_create_role,
    read=_read_role,
    update=_update_role,
    delete=_delete_role,
    rules=(conflicting("name", "namePrefix"),),
    tags=(_read_role_tags, _write_role_tags),
    is_global=True,
)

# --- role policy ------------------------------------------------------------------------------------------------------


def _create_role_policy(context: Context, new: Props) -> Created:
    policy_name = new.get("name") or unique(new.get("namePrefix", ""))
    context.client("iam").put_role_policy(RoleName=new["role"], PolicyName=policy_name, PolicyDocument=new["policy"])
    return Created(f"{new['role']}:{policy_name}")


def _read_role_policy(context: Context, id_: str, state: Props) -> Props | None:  # noqa: ARG001
    role, _, policy_name = id_.partition(":")
    if not policy_name:
        raise ResourceError(f"unexpected format for ID ({id_}), expected ROLE:POLICY")
    found = context.client("iam").get_role_policy(RoleName=role, PolicyName=policy_name)
    return {"role": role, "name": policy_name, "policy": _document(found["PolicyDocument"])}


def _update_role_policy(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    role, _, policy_name = id_.partition(":")
    context.client("iam").put_role_policy(RoleName=role, PolicyName=policy_name, PolicyDocument=new["policy"])


def _delete_role_policy(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    role, _, policy_name = id_.partition(":")
    context.client("iam").delete_role_policy(RoleName=role, PolicyName=policy_name)


ROLE_POLICY = ResourceType(
    token="aws:iam/rolePolicy:RolePolicy",
    inputs={
        "name": name(128, _NAME),
        "namePrefix": text(longest(102), matches(_NAME), replaces=True, computed=True),
        "policy": policy(required=True),
        "role": text(matches(_NAME), required=True, replaces=True),
    },
    create=_create_role_policy,
    read=_read_role_policy,
    update=_update_role_policy,
    delete=_delete_role_policy,
    rules=(conflicting("name", "namePrefix"),),
    is_global=True,
)

# --- managed policy ---------------------------------------------------------------------------------------------------


def _read_policy_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    pages = context.client("iam").get_paginator("list_policy_tags").paginate(PolicyArn=id_)
    return {tag["Key"]: tag["Value"] for page in pages for tag in page["Tags"]}


def _write_policy_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("iam").untag_policy(PolicyArn=id_, TagKeys=gone)
    if wanted:
        context.client("iam").tag_policy(PolicyArn=id_, Tags=_tags(wanted))


def _create_policy(context: Context, new: Props) -> Created:
    answer = context.client("iam").create_policy(
        PolicyName=new.get("name") or unique(new.get("namePrefix", "")),
        Path=new["path"],
        PolicyDocument=new["policy"],
        **({"Description": new["description"]} if new.get("description") else {}),
        **({"Tags": _tags(context.tags)} if context.tags else {}),
    )
    return Created(answer["Policy"]["Arn"])


def _read_policy(context: Context, id_: str, state: Props) -> Props | None:
    client = context.client("iam")
    found = client.get_policy(PolicyArn=id_)["Policy"]
    version = client.get_policy_version(PolicyArn=id_, VersionId=found["DefaultVersionId"])["PolicyVersion"]
    return {
        "arn": id_,
        "name": found["PolicyName"],
        "path": found["Path"],
        "description": found.get("Description") or state.get("description"),
        "policy": _document(version["Document"]),
        "policyId": found["PolicyId"],
        "attachmentCount": found.get("AttachmentCount", 0),
    }


def _update_policy(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    """A new default version; the oldest goes first where there are five, IAM's limit."""
    if "policy" not in changed:
        return
    client = context.client("iam")
    versions = client.list_policy_versions(PolicyArn=id_)["Versions"]
    if len(versions) >= 5:
        oldest = min((v for v in versions if not v["IsDefaultVersion"]), key=lambda version: version["CreateDate"])
        client.delete_policy_version(PolicyArn=id_, VersionId=oldest["VersionId"])
    client.create_policy_version(PolicyArn=id_, PolicyDocument=new["policy"], SetAsDefault=True)


def _delete_policy(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    client = context.client("iam")
    for version in client.list_policy_versions(PolicyArn=id_)["Versions"]:
        if not version["IsDefaultVersion"]:
            client.delete_policy_version(PolicyArn=id_, VersionId=version["VersionId"])
    client.delete_policy(PolicyArn=id_)


POLICY = ResourceType(
    token="aws:iam/policy:Policy",
    inputs={
        "delayAfterPolicyCreationInMs": integer(),
        "description": text(longest(1000), replaces=True),
        "name": name(128, _NAME),
        "namePrefix": text(longest(102), matches(_NAME), replaces=True, computed=True),
        "path": text(longest(512), _PATH, default="/", replaces=True),
        "policy": policy(required=True),
        "tags": tags(),
    },
    outputs=("arn", "attachmentCount", "policyId"),
    create=_create_policy,
    read=_read_policy,
    update=_update_policy,
    delete=_delete_policy,
    rules=(conflicting("name", "namePrefix"),),
    tags=(_read_policy_tags, _write_policy_tags),
    is_global=True,
)

TYPES = (ROLE, ROLE_POLICY, POLICY)
