"""Lambda: functions, layers, permissions, event source mappings, asynchronous invocation.

Upstream: hashicorp/terraform-provider-aws, internal/service/lambda/{function,layer_version,permission,
event_source_mapping,function_event_invoke_config}.go. Differs: container images, VPCs, file systems, SnapStart and code
signing are not here; no waiting for IAM's propagation.
"""

import json
import re
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from sandbox.provider.archives import zip_bytes
from sandbox.provider.resource import (
    Context,
    Created,
    ResourceError,
    ResourceType,
    Tags,
    camel,
    conflicting,
    given,
    is_missing,
    pascal,
    some_of,
    unique,
)
from sandbox.provider.schema import (
    Change,
    Failure,
    archive,
    arn,
    array,
    at_most,
    between,
    block,
    boolean,
    integer,
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

_VARIABLE = re.compile(r"[a-zA-Z]\w+").fullmatch
_ARCHITECTURE = one_of("x86_64", "arm64")
_FUNCTION_NAME = (
    r"(arn:[\w-]+:lambda:)?([a-z]{2}-([a-z]+-){1,2}\d:)?(\d{12}:)?(function:)?"
    r"([0-9A-Za-z_-]+)(:(\$LATEST|[0-9A-Za-z_-]+))?"
)


def _code(new: Props) -> Props:
    if new.get("code"):
        return {"ZipFile": zip_bytes(new["code"])}
    return pascal(FUNCTION.inputs, given(new, "s3Bucket", "s3Key", "s3ObjectVersion"))


def _source_hash(state: Props, sha: str) -> str:
    """`sourceCodeHash` is the program's word, never AWS's: where it is not given the bridge puts the archive's hash."""
    return state.get("sourceCodeHash") or (state.get("code") or {}).get("hash") or sha


def _revise_code(changes: dict[str, Change], old: Props, new: Props) -> dict[str, Change]:  # noqa: ARG001
    return {path: change for path, change in changes.items() if path != "sourceCodeHash" or path in new}


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    return context.client("lambda").list_tags(Resource=state["arn"]).get("Tags", {})


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("lambda").untag_resource(Resource=state["arn"], TagKeys=gone)
    if wanted:
        context.client("lambda").tag_resource(Resource=state["arn"], Tags=wanted)


# --- function ---------------------------------------------------------------------------------------------------------

_CONFIGURATION = (
    "deadLetterConfig",
    "description",
    "environment",
    "ephemeralStorage",
    "handler",
    "kmsKeyArn",
    "layers",
    "loggingConfig",
    "memorySize",
    "role",
    "runtime",
    "timeout",
    "tracingConfig",
)
_CODE = ("architectures", "code", "codeSha256", "s3Bucket", "s3Key", "s3ObjectVersion", "sourceCodeHash")


def _configuration(new: Props) -> Props:
    """The settings of a function; what is not declared is reset."""
    wanted = pascal(FUNCTION.inputs, given(new, *_CONFIGURATION), kmsKeyArn="KMSKeyArn")
    wanted.setdefault("Environment", {"Variables": {}})
    wanted.setdefault("Description", "")
    wanted.setdefault("Layers", [])
    return wanted


def _ready(context: Context, function: str) -> None:
    def ready() -> bool:
        found = context.client("lambda").get_function_configuration(FunctionName=function)
        for status in ("State", "LastUpdateStatus"):
            if found.get(status) == "Failed":
                raise ResourceError(
                    f"function {function}: {found.get('StateReason') or found.get('LastUpdateStatusReason')}"
                )
        return found.get("State", "Active") != "Pending" and found.get("LastUpdateStatus") != "InProgress"

    context.until(ready, f"function {function} to be ready", 600)


def _create_function(context: Context, new: Props) -> Created:
    client = context.client("lambda")
    wanted = {key: value for key, value in _configuration(new).items() if value not in ("", [])}
    if not (new.get("environment") or {}).get("variables"):
        del wanted["Environment"]
    if context.tags:
        wanted["Tags"] = context.tags
    if new.get("architectures"):
        wanted["Architectures"] = new["architectures"]
    answer = client.create_function(
        FunctionName=new["name"], PackageType="Zip", Publish=new.get("publish", False), Code=_code(new), **wanted
    )
    if answer.get("State") == "Pending":
        _ready(context, new["name"])
    if new.get("reservedConcurrentExecutions", -1) >= 0:
        client.put_function_concurrency(
            FunctionName=new["name"], ReservedConcurrentExecutions=new["reservedConcurrentExecutions"]
        )
    return Created(new["name"])


def _read_function(context: Context, id_: str, state: Props) -> Props | None:
    client = context.client("lambda")
    whole = client.get_function(FunctionName=id_)
    found = whole["Configuration"]
    own = found["FunctionArn"]
    version = found["Version"]
    if state.get("publish"):
        pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=id_)
        published = [v["Version"] for page in pages for v in page["Versions"] if v["Version"] != "$LATEST"]
        version = max(published, key=int, default=version)
    qualified = f"{own}:{version}"
    sha = found["CodeSha256"]
    dead_letters = found.get("DeadLetterConfig", {}).get("TargetArn")
    return {
        "architectures": found.get("Architectures", ["x86_64"]),
        "arn": own,
        "codeSha256": sha,
        "sourceCodeHash": _source_hash(state, sha),
        "deadLetterConfig": {"targetArn": dead_letters} if dead_letters else None,
        "description": found.get("Description") or None,
        "environment": {"variables": v} if (v := found.get("Environment", {}).get("Variables")) else None,
        "ephemeralStorage": {"size": found.get("EphemeralStorage", {}).get("Size", 512)},
        "handler": found.get("Handler"),
        "invokeArn": _invoke_arn(context, own),
        "kmsKeyArn": found.get("KMSKeyArn"),
        "lastModified": found["LastModified"],
        "layers": [layer["Arn"] for layer in found.get("Layers", [])],
        "loggingConfig": camel(FUNCTION.inputs["loggingConfig"].fields, found.get("LoggingConfig", {})) or None,
        "memorySize": found["MemorySize"],
        "name": found["FunctionName"],
        "packageType": found.get("PackageType", "Zip"),
        "publish": state.get("publish", False),
        "qualifiedArn": qualified,
        "qualifiedInvokeArn": _invoke_arn(context, qualified),
        "replaceSecurityGroupsOnDestroy": None,
        "reservedConcurrentExecutions": whole.get("Concurrency", {}).get("ReservedConcurrentExecutions", -1),
        "responseStreamingInvokeArn": _invoke_arn(context, own, "2021-11-15", "response-streaming-invocations"),
        "role": found["Role"],
        "runtime": found.get("Runtime"),
        "skipDestroy": state.get("skipDestroy", False),
        "sourceCodeSize": found["CodeSize"],
        "timeout": found["Timeout"],
        "tracingConfig": {"mode": found.get("TracingConfig", {}).get("Mode", "PassThrough")},
        "version": version,
    }


def _invoke_arn(context: Context, function: str, version: str = "2015-03-31", call: str = "invocations") -> str:
    return f"arn:{context.partition}:apigateway:{context.region}:lambda:path/{version}/functions/{function}/{call}"


def _update_function(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    client = context.client("lambda")
    configured, coded = changed.intersection(_CONFIGURATION), changed.intersection(_CODE)
    if configured:
        wanted = _configuration(new)
        if "deadLetterConfig" in changed:
            wanted.setdefault("DeadLetterConfig", {"TargetArn": ""})
        if "kmsKeyArn" in changed:
            wanted.setdefault("KMSKeyArn", "")
        client.update_function_configuration(FunctionName=id_, **wanted)
        _ready(context, id_)
    if coded:
        architectures = {"Architectures": new["architectures"]} if new.get("architectures") else {}
        client.update_function_code(FunctionName=id_, **_code(new), **architectures)
        _ready(context, id_)
    if "reservedConcurrentExecutions" in changed:
        if (reserved := new.get("reservedConcurrentExecutions", -1)) >= 0:
            client.put_function_concurrency(FunctionName=id_, ReservedConcurrentExecutions=reserved)
        else:
            client.delete_function_concurrency(FunctionName=id_)
    if new.get("publish") and (configured or coded or "publish" in changed):
        client.publish_version(FunctionName=id_)


def _delete_function(context: Context, id_: str, state: Props) -> None:
    if state.get("skipDestroy"):
        return
    context.client("lambda").delete_function(FunctionName=id_)


def _check_function(inputs: Props) -> Iterable[Failure]:
    if inputs.get("packageType") == "Zip":
        for key in ("handler", "runtime"):
            if key not in inputs:
                yield key, f"{key!r} must be given for a function whose package is a zip file"
    if ("s3Bucket" in inputs) != ("s3Key" in inputs):
        yield "s3Bucket", "'s3Bucket' and 's3Key' go together"


FUNCTION = ResourceType(
    token="aws:lambda/function:Function",
    inputs={
        "architectures": array(text(_ARCHITECTURE), at_most(1), computed=True),
        "capacityProviderConfig": unsupported(),
        "code": archive(),
        "codeSha256": text(computed=True),
        "codeSigningConfigArn": unsupported(),
        "deadLetterConfig": block({"targetArn": text(arn, required=True)}),
        "description": text(longest(256)),
        "durableConfig": unsupported(),
        "environment": block(
            {
                "variables": mapping(
                    lambda variables: next(
                        (
                            f"bad name {key!r}: letters, digits and _, first a letter"
                            for key in variables
                            if not _VARIABLE(key)
                        ),
                        None,
                    )
                )
            }
        ),
        "ephemeralStorage": block({"size": integer(between(512, 10240), computed=True)}, computed=True),
        "fileSystemConfig": unsupported(),
        "handler": text(longest(128)),
        "imageConfig": unsupported(),
        "imageUri": unsupported(),
        "kmsKeyArn": text(arn),
        "layers": array(text(arn)),
        "loggingConfig": block(
            {
                "applicationLogLevel": text(one_of("TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"), computed=True),
                "logFormat": text(one_of("JSON", "Text"), required=True),
                "logGroup": text(matches(r"[a-zA-Z0-9_\-/.#]{1,512}"), computed=True),
                "systemLogLevel": text(one_of("DEBUG", "INFO", "WARN"), computed=True),
            },
            computed=True,
        ),
        "memorySize": integer(between(128, 32768), default=128),
        "name": name(64, r"[a-zA-Z0-9\-_]+|arn:.+"),
        "packageType": text(one_of("Zip"), default="Zip", replaces=True),
        "publish": boolean(default=False),
        "publishTo": unsupported(),
        "replaceSecurityGroupsOnDestroy": unsupported(),
        "replacementSecurityGroupIds": unsupported(),
        "reservedConcurrentExecutions": integer(between(-1, 2**31 - 1), default=-1),
        "role": text(arn, required=True),
        "runtime": text(matches(r"(nodejs|python|java|dotnet|ruby|go|provided)[\w.]*", "a Lambda runtime")),
        "s3Bucket": text(),
        "s3Key": text(),
        "s3ObjectVersion": text(),
        "skipDestroy": boolean(default=False),
        "snapStart": unsupported(),
        "sourceCodeHash": text(),
        "sourceKmsKeyArn": unsupported(),
        "tags": tags(),
        "tenancyConfig": unsupported(),
        "timeout": integer(between(1, 900), default=3),
        "tracingConfig": block({"mode": text(one_of("Active", "PassThrough"), required=True)}, computed=True),
        "useResourceTimeoutForPropagation": boolean(),
        "vpcConfig": unsupported(),
    },
    outputs=(
        "arn",
        "invokeArn",
        "lastModified",
        "qualifiedArn",
        "qualifiedInvokeArn",
        "responseStreamingInvokeArn",
        "sourceCodeSize",
        "version",
    ),
    create=_create_function,
    read=_read_function,
    update=_update_function,
    delete=_delete_function,
    rules=(conflicting("code", "s3Bucket"), some_of("code", "s3Bucket"), _check_function),
    revise=_revise_code,
    unsettled=lambda changed: (
        ({"lastModified"} if changed.intersection([*_CONFIGURATION, *_CODE]) else set())
        | ({"sourceCodeSize"} if changed.intersection(_CODE) else set())
    ),
    tags=(_read_tags, _write_tags),
)

# --- layer ------------------------------------------------------------------------------------------------------------


def _create_layer(context: Context, new: Props) -> Created:
    wanted = pascal(
        LAYER.inputs, given(new, "compatibleArchitectures", "compatibleRuntimes", "description", "licenseInfo")
    )
    answer = context.client("lambda").publish_layer_version(LayerName=new["layerName"], Content=_code(new), **wanted)
    return Created(answer["LayerVersionArn"])


def _layer(id_: str) -> tuple[str, int]:
    parts = re.fullmatch(r"arn:[^:]+:lambda:[^:]+:[^:]+:layer:([^:]+):(\d+)", id_)
    if not parts:
        raise ResourceError(f"unexpected format for ID ({id_}), expected the ARN of a layer version")
    return parts[1], int(parts[2])


def _read_layer(context: Context, id_: str, state: Props) -> Props | None:
    layer, version = _layer(id_)
    found = context.client("lambda").get_layer_version(LayerName=layer, VersionNumber=version)
    content = found["Content"]
    return {
        "arn": found["LayerVersionArn"],
        "codeSha256": content["CodeSha256"],
        "compatibleArchitectures": found.get("CompatibleArchitectures") or None,
        "compatibleRuntimes": found.get("CompatibleRuntimes") or None,
        "createdDate": found["CreatedDate"],
        "description": found.get("Description") or None,
        "layerArn": found["LayerArn"],
        "layerName": state.get("layerName", layer),
        "licenseInfo": found.get("LicenseInfo") or None,
        "skipDestroy": state.get("skipDestroy", False),
        "sourceCodeHash": _source_hash(state, content["CodeSha256"]),
        "sourceCodeSize": content["CodeSize"],
        "version": str(version),
    }


def _delete_layer(context: Context, id_: str, state: Props) -> None:
    if state.get("skipDestroy"):
        return
    layer, version = _layer(id_)
    context.client("lambda").delete_layer_version(LayerName=layer, VersionNumber=version)


LAYER = ResourceType(
    token="aws:lambda/layerVersion:LayerVersion",
    inputs={
        "code": archive(replaces=True),
        "compatibleArchitectures": array(text(_ARCHITECTURE), at_most(2), unordered=True, replaces=True),
        "compatibleRuntimes": array(text(), at_most(15), unordered=True, replaces=True),
        "description": text(longest(256), replaces=True),
        "layerName": text(longest(140, 1), required=True, replaces=True),
        "licenseInfo": text(longest(512), replaces=True),
        "s3Bucket": text(replaces=True),
        "s3Key": text(replaces=True),
        "s3ObjectVersion": text(replaces=True),
        "skipDestroy": boolean(default=False),
        "sourceCodeHash": text(replaces=True),
    },
    outputs=("arn", "codeSha256", "createdDate", "layerArn", "sourceCodeSize", "version"),
    create=_create_layer,
    read=_read_layer,
    delete=_delete_layer,
    rules=(conflicting("code", "s3Bucket"), some_of("code", "s3Bucket")),
    revise=_revise_code,
)

# --- permission -------------------------------------------------------------------------------------------------------


def _create_permission(context: Context, new: Props) -> Created:
    statement = new.get("statementId") or unique(new.get("statementIdPrefix", ""))
    names = (
        "action",
        "invokedViaFunctionUrl",
        "principalOrgId",
        "principal",
        "eventSourceToken",
        "functionUrlAuthType",
        "sourceAccount",
        "sourceArn",
        "qualifier",
    )
    wanted = pascal(PERMISSION.inputs, given(new, *names), principalOrgId="PrincipalOrgID")
    context.client("lambda").add_permission(FunctionName=new["function"], StatementId=statement, **wanted)
    return Created(statement, {"statementId": statement})


def _permission_of(id_: str, state: Props) -> tuple[str, str, str]:
    """Function, qualifier and statement; an import id is FUNCTION[:QUALIFIER]/STATEMENT."""
    if "function" in state:
        return state["function"], state.get("qualifier", ""), id_
    parts = re.fullmatch(r"((?:arn:[^/]+:function:)?[\w-]+)(?::([^/:]+))?/([^/]+)", id_)
    if not parts:
        raise ResourceError(
            f"unexpected format of ID ({id_}), expected FUNCTION_NAME/STATEMENT_ID "
            "or FUNCTION_NAME:QUALIFIER/STATEMENT_ID"
        )
    return parts[1], parts[2] or "", parts[3]


def _read_permission(context: Context, id_: str, state: Props) -> Props | None:
    function, qualifier, statement_id = _permission_of(id_, state)
    qualified = {"Qualifier": qualifier} if qualifier else {}
    found = json.loads(context.client("lambda").get_policy(FunctionName=function, **qualified)["Policy"])
    statement = next((each for each in found["Statement"] if each.get("Sid") == statement_id), None)
    if statement is None:
        return None
    principal = statement["Principal"]
    if isinstance(principal, dict):
        principal = principal.get("Service") or principal.get("AWS") or principal.get("Federated")
    action = statement["Action"]
    return {
        "action": action[0] if isinstance(action, list) else action,
        "function": function,
        "principal": principal,
        "qualifier": qualifier or None,
        "statementId": statement_id,
        **_conditions(statement.get("Condition") or {}),
        **({} if "function" in state else {"id": statement_id}),
    }


def _conditions(condition: dict[str, Any]) -> Props:
    values = {key.lower(): value for keys in condition.values() for key, value in keys.items()}
    return {
        "eventSourceToken": values.get("lambda:eventsourcetoken"),
        "functionUrlAuthType": values.get("lambda:functionurlauthtype"),
        "principalOrgId": values.get("aws:principalorgid"),
        "sourceAccount": values.get("aws:sourceaccount"),
        "sourceArn": values.get("aws:sourcearn"),
    }


def _delete_permission(context: Context, id_: str, state: Props) -> None:
    qualified = {"Qualifier": state["qualifier"]} if state.get("qualifier") else {}
    context.client("lambda").remove_permission(FunctionName=state["function"], StatementId=id_, **qualified)


PERMISSION = ResourceType(
    token="aws:lambda/permission:Permission",
    inputs={
        "action": text(matches(r"(lambda:[*]|lambda:[a-zA-Z]+|[*])"), required=True, replaces=True),
        "eventSourceToken": text(matches(r"[a-zA-Z0-9._\-]{1,256}"), replaces=True),
        "function": text(matches(_FUNCTION_NAME, "a function name or ARN"), required=True, replaces=True),
        "functionUrlAuthType": text(one_of("NONE", "AWS_IAM"), replaces=True),
        "invokedViaFunctionUrl": boolean(replaces=True),
        "principal": text(required=True, replaces=True),
        "principalOrgId": text(replaces=True),
        "qualifier": text(matches(r"[a-zA-Z0-9$_\-]{1,128}"), replaces=True),
        "sourceAccount": text(matches(r"\d{12}", "an account id"), replaces=True),
        "sourceArn": text(arn, replaces=True),
        "statementId": name(100, r"[a-zA-Z0-9_\-]{1,100}"),
        "statementIdPrefix": text(matches(r"[a-zA-Z0-9_\-]{1,74}"), replaces=True, computed=True),
    },
    create=_create_permission,
    read=_read_permission,
    delete=_delete_permission,
    rules=(conflicting("statementId", "statementIdPrefix"),),
)

# --- event source mapping ---------------------------------------------------------------------------------------------

_MAPPING = (
    "batchSize",
    "bisectBatchOnFunctionError",
    "destinationConfig",
    "enabled",
    "filterCriteria",
    "functionName",
    "functionResponseTypes",
    "maximumBatchingWindowInSeconds",
    "maximumRecordAgeInSeconds",
    "maximumRetryAttempts",
    "metricsConfig",
    "parallelizationFactor",
    "provisionedPollerConfig",
    "scalingConfig",
    "tumblingWindowInSeconds",
)


def _create_mapping(context: Context, new: Props) -> Created:
    names = (*_MAPPING, "eventSourceArn", "startingPosition", "startingPositionTimestamp")
    wanted = pascal(MAPPING.inputs, given(new, *names), destinationArn="Destination")
    if context.tags:
        wanted["Tags"] = context.tags
    answer = context.client("lambda").create_event_source_mapping(**wanted)
    _mapped(context, answer["UUID"])
    return Created(answer["UUID"])


def _mapped(context: Context, uuid: str) -> None:
    def settled() -> bool:
        state = context.client("lambda").get_event_source_mapping(UUID=uuid).get("State", "Enabled")
        return state not in ("Creating", "Enabling", "Disabling", "Updating")

    context.until(settled, f"event source mapping {uuid}", 600)


def _read_mapping(context: Context, id_: str, state: Props) -> Props | None:
    found = context.client("lambda").get_event_source_mapping(UUID=id_)
    own = found["FunctionArn"]
    modified = found.get("LastModified")
    said = state.get("functionName", "")
    status = found.get("State", "Enabled")
    return {
        **dict.fromkeys(_MAPPING),
        **{
            key: value
            for key, value in camel(MAPPING.inputs, found, destinationArn="Destination").items()
            if key in _MAPPING and value not in ([], {})
        },
        "arn": found.get("EventSourceMappingArn"),
        # As upstream: a name stands for the ARN that AWS gives.
        "functionName": said if said and own.split(":function:")[-1] == said.split(":function:")[-1] else own,
        "functionArn": own,
        "enabled": status not in ("Disabled", "Disabling"),
        "eventSourceArn": found.get("EventSourceArn"),
        "startingPosition": found.get("StartingPosition", state.get("startingPosition")),
        "destinationConfig": _failure(found.get("DestinationConfig")),
        "lastModified": modified.strftime("%Y-%m-%dT%H:%M:%SZ") if modified else None,
        "lastProcessingResult": found.get("LastProcessingResult"),
        "state": status,
        "stateTransitionReason": found.get("StateTransitionReason"),
        "uuid": id_,
    }


def _failure(config: Props | None) -> Props | None:
    target = ((config or {}).get("OnFailure") or {}).get("Destination")
    return {"onFailure": {"destinationArn": target}} if target else None


def _update_mapping(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    wanted = {key: new.get(key) for key in _MAPPING if key in changed and new.get(key) is not None}
    if "filterCriteria" in changed:
        wanted.setdefault("filterCriteria", {})
    if "destinationConfig" in changed:
        wanted.setdefault("destinationConfig", {"onFailure": {"destination": ""}})
    if "functionResponseTypes" in changed:
        wanted.setdefault("functionResponseTypes", [])
    context.client("lambda").update_event_source_mapping(
        UUID=id_, **pascal(MAPPING.inputs, wanted, destinationArn="Destination")
    )
    _mapped(context, id_)


def _delete_mapping(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    client = context.client("lambda")

    def gone() -> bool:
        try:
            client.get_event_source_mapping(UUID=id_)
        except ClientError as error:
            return is_missing(error)
        return False

    client.delete_event_source_mapping(UUID=id_)
    context.until(gone, f"event source mapping {id_} to be deleted", 300)


MAPPING = ResourceType(
    token="aws:lambda/eventSourceMapping:EventSourceMapping",
    inputs={
        "amazonManagedKafkaEventSourceConfig": unsupported(),
        "batchSize": integer(between(1, 10000), computed=True),
        "bisectBatchOnFunctionError": boolean(),
        "destinationConfig": block({"onFailure": block({"destinationArn": text(arn, required=True)})}),
        "documentDbEventSourceConfig": unsupported(),
        "enabled": boolean(default=True),
        "eventSourceArn": text(replaces=True),
        "filterCriteria": block(
            {"filters": array(block({"pattern": text(longest(4096), normal=normal_json)}), at_most(10), unordered=True)}
        ),
        "functionName": text(required=True, normal=lambda value: value.split(":function:")[-1]),
        "functionResponseTypes": array(text(one_of("ReportBatchItemFailures")), unordered=True),
        "kmsKeyArn": unsupported(),
        "maximumBatchingWindowInSeconds": integer(between(0, 300)),
        "maximumRecordAgeInSeconds": integer(between(-1, 604800), computed=True),
        "maximumRetryAttempts": integer(between(-1, 10000), computed=True),
        "metricsConfig": block({"metrics": array(text(one_of("EventCount")), unordered=True, required=True)}),
        "parallelizationFactor": integer(between(1, 10), computed=True),
        "provisionedPollerConfig": unsupported(),
        "queues": unsupported(),
        "scalingConfig": block({"maximumConcurrency": integer(between(2, 1000))}),
        "selfManagedEventSource": unsupported(),
        "selfManagedKafkaEventSourceConfig": unsupported(),
        "sourceAccessConfigurations": unsupported(),
        "startingPosition": text(one_of("TRIM_HORIZON", "LATEST", "AT_TIMESTAMP"), replaces=True),
        "startingPositionTimestamp": text(replaces=True),
        "tags": tags(),
        "topics": unsupported(),
        "tumblingWindowInSeconds": integer(between(0, 900)),
        "useResourceTimeoutForPropagation": boolean(),
    },
    outputs=("arn", "functionArn", "lastModified", "lastProcessingResult", "state", "stateTransitionReason", "uuid"),
    create=_create_mapping,
    read=_read_mapping,
    update=_update_mapping,
    delete=_delete_mapping,
    rules=(some_of("eventSourceArn"),),
    tags=(_read_tags, _write_tags),
)

# --- asynchronous invocation ------------------------------------------------------------------------------------------


def _put_invocation(context: Context, new: Props) -> None:
    wanted = pascal(
        INVOCATION.inputs,
        given(new, "destinationConfig", "maximumEventAgeInSeconds", "maximumRetryAttempts", "qualifier"),
    )
    context.client("lambda").put_function_event_invoke_config(FunctionName=new["functionName"], **wanted)


def _invocation_id(new: Props) -> str:
    return f"{new['functionName']}:{new['qualifier']}" if new.get("qualifier") else new["functionName"]


def _create_invocation(context: Context, new: Props) -> Created:
    _put_invocation(context, new)
    return Created(_invocation_id(new))


def _invocation_of(id_: str, state: Props) -> tuple[str, dict[str, str]]:
    if "functionName" in state:
        return state["functionName"], given(state, "qualifier")
    parts = re.fullmatch(r"((?:arn:.+:function:)?[\w-]+)(?::([\w$-]+))?", id_)
    if not parts:
        raise ResourceError(f"unexpected format of ID ({id_}), expected FUNCTION_NAME or FUNCTION_NAME:QUALIFIER")
    return parts[1], {"qualifier": parts[2]} if parts[2] else {}


def _read_invocation(context: Context, id_: str, state: Props) -> Props | None:
    function, qualifier = _invocation_of(id_, state)
    found = context.client("lambda").get_function_event_invoke_config(
        FunctionName=function, **pascal(INVOCATION.inputs, qualifier)
    )
    destinations = found.get("DestinationConfig") or {}
    config = {key: value for key, value in destinations.items() if (value or {}).get("Destination")}
    return {
        "destinationConfig": camel(INVOCATION.inputs["destinationConfig"].fields, config) or None,
        "functionName": function,
        "maximumEventAgeInSeconds": found.get("MaximumEventAgeInSeconds"),
        "maximumRetryAttempts": found.get("MaximumRetryAttempts"),
        **qualifier,
    }


def _update_invocation(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:  # noqa: ARG001
    _put_invocation(context, new)


def _delete_invocation(context: Context, id_: str, state: Props) -> None:
    function, qualifier = _invocation_of(id_, state)
    context.client("lambda").delete_function_event_invoke_config(
        FunctionName=function, **pascal(INVOCATION.inputs, qualifier)
    )


_DESTINATION = block({"destination": text(arn, required=True)})

INVOCATION = ResourceType(
    token="aws:lambda/functionEventInvokeConfig:FunctionEventInvokeConfig",
    inputs={
        "destinationConfig": block({"onFailure": _DESTINATION, "onSuccess": _DESTINATION}),
        "functionName": text(required=True, replaces=True),
        "maximumEventAgeInSeconds": integer(between(60, 21600)),
        "maximumRetryAttempts": integer(between(0, 2), default=2),
        "qualifier": text(replaces=True),
    },
    create=_create_invocation,
    read=_read_invocation,
    update=_update_invocation,
    delete=_delete_invocation,
)

TYPES = (FUNCTION, LAYER, PERMISSION, MAPPING, INVOCATION)
