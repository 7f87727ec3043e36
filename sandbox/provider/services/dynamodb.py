"""DynamoDB: tables and items.

Upstream: hashicorp/terraform-provider-aws, internal/service/dynamodb/{table,table_item}.go.
"""

import base64
import json
from collections.abc import Iterable
from typing import Any

from botocore.exceptions import ClientError

from sandbox.provider.resource import Context, Created, ResourceError, ResourceType, Tags, given, is_missing
from sandbox.provider.schema import (
    Change,
    Failure,
    array,
    between,
    block,
    boolean,
    integer,
    json_text,
    longest,
    name,
    one_of,
    tags,
    text,
    unsupported,
)
from sandbox.provider.wire import Props, has_unknown
from signalbox.canonical import canonical

# --- table ------------------------------------------------------------------------------------------------------------


def _read_tags(context: Context, id_: str, state: Props) -> Tags:  # noqa: ARG001
    listed = context.client("dynamodb").list_tags_of_resource(ResourceArn=state["arn"])
    return {tag["Key"]: tag["Value"] for tag in listed.get("Tags", [])}


def _write_tags(context: Context, id_: str, state: Props, wanted: Tags, gone: list[str]) -> None:  # noqa: ARG001
    if gone:
        context.client("dynamodb").untag_resource(ResourceArn=state["arn"], TagKeys=gone)
    if wanted:
        context.client("dynamodb").tag_resource(
            ResourceArn=state["arn"], Tags=[{"Key": key, "Value": value} for key, value in wanted.items()]
        )


def _key_schema(hash_key: str, range_key: str | None) -> list[dict[str, str]]:
    keys = [{"AttributeName": hash_key, "KeyType": "HASH"}]
    return [*keys, {"AttributeName": range_key, "KeyType": "RANGE"}] if range_key else keys


def _index(spec: Props, hash_key: str, billing: str) -> Props:
    projection = {"ProjectionType": spec["projectionType"]}
    if spec.get("nonKeyAttributes"):
        projection["NonKeyAttributes"] = spec["nonKeyAttributes"]
    keys = [{"AttributeName": key["attributeName"], "KeyType": key["keyType"]} for key in spec.get("keySchemas", [])]
    index = {
        "IndexName": spec["name"],
        "KeySchema": keys or _key_schema(hash_key, spec.get("rangeKey")),
        "Projection": projection,
    }
    if billing == "PROVISIONED" and "readCapacity" in spec:
        index["ProvisionedThroughput"] = _throughput(spec)
    return index


def _throughput(new: Props) -> dict[str, int]:
    return {"ReadCapacityUnits": new.get("readCapacity", 0), "WriteCapacityUnits": new.get("writeCapacity", 0)}


def _stream(new: Props) -> Props:
    if not new.get("streamEnabled"):
        return {"StreamEnabled": False}
    return {"StreamEnabled": True, "StreamViewType": new["streamViewType"]}


def _create_table(context: Context, new: Props) -> Created:
    billing = new["billingMode"]
    wanted: Props = {
        "TableName": new["name"],
        "BillingMode": billing,
        "KeySchema": _key_schema(new["hashKey"], new.get("rangeKey")),
        "AttributeDefinitions": _attributes(new),
        "DeletionProtectionEnabled": new.get("deletionProtectionEnabled", False),
        "TableClass": new["tableClass"],
    }
    if billing == "PROVISIONED":
        wanted["ProvisionedThroughput"] = _throughput(new)
    if new.get("globalSecondaryIndexes"):
        wanted["GlobalSecondaryIndexes"] = [
            _index(spec, spec.get("hashKey", ""), billing) for spec in new["globalSecondaryIndexes"]
        ]
    if new.get("localSecondaryIndexes"):
        wanted["LocalSecondaryIndexes"] = [_index(spec, new["hashKey"], "") for spec in new["localSecondaryIndexes"]]
    if new.get("streamEnabled"):
        wanted["StreamSpecification"] = _stream(new)
    if (new.get("serverSideEncryption") or {}).get("enabled"):
        wanted["SSESpecification"] = _encryption(new)
    if context.tags:
        wanted["Tags"] = [{"Key": key, "Value": value} for key, value in context.tags.items()]
    context.client("dynamodb").create_table(**wanted)
    _active(context, new["name"])
    if (new.get("ttl") or {}).get("enabled"):
        _set_ttl(context, new["name"], new["ttl"])
    if (new.get("pointInTimeRecovery") or {}).get("enabled"):
        _set_recovery(context, new["name"], new["pointInTimeRecovery"])
    return Created(new["name"])


def _attributes(new: Props) -> list[dict[str, str]]:
    return [{"AttributeName": each["name"], "AttributeType": each["type"]} for each in new.get("attributes", [])]


def _encryption(new: Props) -> Props:
    wanted = new.get("serverSideEncryption") or {}
    if not wanted.get("enabled"):
        return {"Enabled": False}
    key = wanted.get("kmsKeyArn")
    return {"Enabled": True, "SSEType": "KMS", **({"KMSMasterKeyId": key} if key else {})}


def _active(context: Context, table: str) -> None:
    def active() -> bool:
        found = context.client("dynamodb").describe_table(TableName=table)["Table"]
        indexes = found.get("GlobalSecondaryIndexes", [])
        return found["TableStatus"] == "ACTIVE" and all(i.get("IndexStatus", "ACTIVE") == "ACTIVE" for i in indexes)

    context.until(active, f"table {table} to become active", 1800)


def _set_ttl(context: Context, table: str, ttl: Props) -> None:
    wanted = {"AttributeName": ttl["attributeName"], "Enabled": ttl.get("enabled", False)}
    context.client("dynamodb").update_time_to_live(TableName=table, TimeToLiveSpecification=wanted)


def _set_recovery(context: Context, table: str, recovery: Props) -> None:
    wanted: Props = {"PointInTimeRecoveryEnabled": recovery["enabled"]}
    if recovery.get("enabled") and recovery.get("recoveryPeriodInDays"):
        wanted["RecoveryPeriodInDays"] = recovery["recoveryPeriodInDays"]
    context.client("dynamodb").update_continuous_backups(TableName=table, PointInTimeRecoverySpecification=wanted)


def _read_table(context: Context, id_: str, state: Props) -> Props | None:
    client = context.client("dynamodb")
    table = client.describe_table(TableName=id_)["Table"]
    ttl = client.describe_time_to_live(TableName=id_)["TimeToLiveDescription"]
    backups = client.describe_continuous_backups(TableName=id_)["ContinuousBackupsDescription"]
    keys = {key["KeyType"]: key["AttributeName"] for key in table["KeySchema"]}
    stream = table.get("StreamSpecification") or {}
    recovery = backups.get("PointInTimeRecoveryDescription", {})
    recovering = recovery.get("PointInTimeRecoveryStatus") == "ENABLED"
    billing = table.get("BillingModeSummary", {}).get("BillingMode", "PROVISIONED")
    ttl_on = ttl.get("TimeToLiveStatus") in ("ENABLED", "ENABLING")
    encrypted = (table.get("SSEDescription") or {}).get("Status") == "ENABLED"
    found: Props = {
        "arn": table["TableArn"],
        "name": table["TableName"],
        "attributes": [{"name": a["AttributeName"], "type": a["AttributeType"]} for a in table["AttributeDefinitions"]],
        "billingMode": billing,
        "deletionProtectionEnabled": table.get("DeletionProtectionEnabled", False),
        "globalSecondaryIndexes": _indexes(table.get("GlobalSecondaryIndexes"), state, billing) or None,
        "hashKey": keys["HASH"],
        "localSecondaryIndexes": _indexes(table.get("LocalSecondaryIndexes"), state, "") or None,
        "pointInTimeRecovery": {"enabled": recovering},
        "rangeKey": keys.get("RANGE"),
        "readCapacity": table.get("ProvisionedThroughput", {}).get("ReadCapacityUnits", 0),
        "serverSideEncryption": {"enabled": True} if encrypted else None,
        "streamArn": table.get("LatestStreamArn"),
        "streamEnabled": stream.get("StreamEnabled", False),
        "streamLabel": table.get("LatestStreamLabel"),
        "streamViewType": stream.get("StreamViewType"),
        "tableClass": table.get("TableClassSummary", {}).get("TableClass", "STANDARD"),
        "ttl": {"attributeName": ttl.get("AttributeName"), "enabled": True} if ttl_on else None,
        "writeCapacity": table.get("ProvisionedThroughput", {}).get("WriteCapacityUnits", 0),
    }
    if recovering and recovery.get("RecoveryPeriodInDays"):
        found["pointInTimeRecovery"]["recoveryPeriodInDays"] = recovery["RecoveryPeriodInDays"]
    return found


def _indexes(found: list[Any] | None, state: Props, billing: str) -> list[Props]:
    """The indexes as the state writes them: with `keySchemas` where the program does."""
    by_schema = {i["name"] for i in state.get("globalSecondaryIndexes") or [] if i.get("keySchemas")}
    indexes = []
    for index in found or []:
        spec: Props = {"name": index["IndexName"], "projectionType": index["Projection"]["ProjectionType"]}
        if index["Projection"].get("NonKeyAttributes"):
            spec["nonKeyAttributes"] = index["Projection"]["NonKeyAttributes"]
        keys = {key["KeyType"]: key["AttributeName"] for key in index["KeySchema"]}
        if spec["name"] in by_schema:
            spec["keySchemas"] = [
                {"attributeName": k["AttributeName"], "keyType": k["KeyType"]} for k in index["KeySchema"]
            ]
        else:
            if billing:
                spec["hashKey"] = keys["HASH"]
            if "RANGE" in keys:
                spec["rangeKey"] = keys["RANGE"]
        if billing == "PROVISIONED":
            throughput = index.get("ProvisionedThroughput", {})
            spec["readCapacity"] = throughput.get("ReadCapacityUnits", 0)
            spec["writeCapacity"] = throughput.get("WriteCapacityUnits", 0)
        indexes.append(spec)
    return indexes


def _update_table(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> None:
    client = context.client("dynamodb")

    def update(**settings: Any) -> None:
        client.update_table(TableName=id_, **settings)
        _active(context, id_)

    if "deletionProtectionEnabled" in changed:
        update(DeletionProtectionEnabled=new.get("deletionProtectionEnabled", False))
    if changed & {"billingMode", "readCapacity", "writeCapacity"}:
        if new["billingMode"] == "PROVISIONED":
            update(BillingMode="PROVISIONED", ProvisionedThroughput=_throughput(new))
        else:
            update(BillingMode="PAY_PER_REQUEST")
    if changed & {"streamEnabled", "streamViewType"}:
        if old.get("streamEnabled"):
            update(StreamSpecification={"StreamEnabled": False})
        if new.get("streamEnabled"):
            update(StreamSpecification=_stream(new))
    if "tableClass" in changed:
        update(TableClass=new["tableClass"])
    if "globalSecondaryIndexes" in changed:
        before = {index["name"]: index for index in old.get("globalSecondaryIndexes") or []}
        after = {index["name"]: index for index in new.get("globalSecondaryIndexes") or []}
        # As upstream: a changed index is deleted and made anew.
        for index in before:
            if before[index] != after.get(index):
                update(GlobalSecondaryIndexUpdates=[{"Delete": {"IndexName": index}}])
        for index, spec in after.items():
            if spec != before.get(index):
                create = {"Create": _index(spec, spec.get("hashKey", ""), new["billingMode"])}
                update(AttributeDefinitions=_attributes(new), GlobalSecondaryIndexUpdates=[create])
    if "serverSideEncryption" in changed:
        update(SSESpecification=_encryption(new))
    if "ttl" in changed:
        _set_ttl(context, id_, new.get("ttl") or {**old.get("ttl", {}), "enabled": False})
    if "pointInTimeRecovery" in changed:
        _set_recovery(context, id_, new.get("pointInTimeRecovery") or {"enabled": False})


def _delete_table(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    client = context.client("dynamodb")

    def gone() -> bool:
        try:
            client.describe_table(TableName=id_)
        except ClientError as error:
            return is_missing(error)
        return False

    client.delete_table(TableName=id_)
    context.until(gone, f"table {id_} to be deleted", 600)


def _check_attributes(inputs: Props) -> Iterable[Failure]:
    """Every key has an attribute definition, every definition is a key: DynamoDB's rule, checked early by upstream."""
    if has_unknown([inputs.get(key) for key in ("attributes", "hashKey", "rangeKey")]) or "hashKey" not in inputs:
        return
    indexes = [*(inputs.get("globalSecondaryIndexes") or []), *(inputs.get("localSecondaryIndexes") or [])]
    if has_unknown(indexes):
        return
    keys = {inputs["hashKey"], inputs.get("rangeKey")}
    for index in indexes:
        keys |= {index.get("hashKey"), index.get("rangeKey")}
        keys |= {key["attributeName"] for key in index.get("keySchemas", [])}
    declared = {attribute["name"] for attribute in inputs.get("attributes") or []}
    if unused := declared - keys:
        yield "attributes", f"all attributes must be indexed; unused: {', '.join(sorted(unused))}"
    if absent := keys - declared - {None}:
        yield "attributes", f"all keys must be defined as attributes; missing: {', '.join(sorted(map(str, absent)))}"


def _check_capacity(inputs: Props) -> Iterable[Failure]:
    if inputs.get("billingMode") == "PROVISIONED":
        for key in ("readCapacity", "writeCapacity"):
            if not inputs.get(key):
                yield key, f"{key!r} must be at least 1 when billingMode is PROVISIONED (the default)"
    if inputs.get("streamEnabled") is True and not inputs.get("streamViewType"):
        yield "streamViewType", "'streamViewType' must be given when streamEnabled is true"
    if "hashKey" not in inputs:
        yield "hashKey", "missing required property 'hashKey'"


def _revise_table(changes: dict[str, Change], old: Props, new: Props) -> dict[str, Change]:  # noqa: ARG001
    # As upstream: the capacity of an on-demand table is AWS's business, and no recovery block means no recovery.
    if new.get("billingMode") == "PAY_PER_REQUEST":
        changes = {path: change for path, change in changes.items() if path not in ("readCapacity", "writeCapacity")}
    return changes


_INDEX = {
    "name": text(required=True),
    "nonKeyAttributes": array(text(), unordered=True),
    "projectionType": text(one_of("ALL", "INCLUDE", "KEYS_ONLY"), required=True),
}

TABLE = ResourceType(
    token="aws:dynamodb/table:Table",
    inputs={
        "attributes": array(
            block({"name": text(required=True), "type": text(one_of("S", "N", "B"), required=True)}), unordered=True
        ),
        "billingMode": text(one_of("PROVISIONED", "PAY_PER_REQUEST"), default="PROVISIONED"),
        "deletionProtectionEnabled": boolean(),
        "globalSecondaryIndexes": array(
            block(
                {
                    **_INDEX,
                    "hashKey": text(),
                    "keySchemas": array(
                        block(
                            {
                                "attributeName": text(required=True),
                                "keyType": text(one_of("HASH", "RANGE"), required=True),
                            }
                        )
                    ),
                    "onDemandThroughput": unsupported(),
                    "rangeKey": text(),
                    "readCapacity": integer(computed=True),
                    "warmThroughput": unsupported(),
                    "writeCapacity": integer(computed=True),
                }
            ),
            unordered=True,
        ),
        "globalTableWitness": unsupported(),
        "hashKey": text(replaces=True),
        "importTable": unsupported(),
        "localSecondaryIndexes": array(
            block({**_INDEX, "rangeKey": text(required=True)}), unordered=True, replaces=True
        ),
        "name": name(255, r"[a-zA-Z0-9_.\-]{3,255}"),
        "onDemandThroughput": unsupported(),
        "pointInTimeRecovery": block(
            {"enabled": boolean(required=True), "recoveryPeriodInDays": integer(between(1, 35), computed=True)},
            computed=True,
        ),
        "rangeKey": text(replaces=True),
        "readCapacity": integer(computed=True),
        "replicas": unsupported(),
        "restoreBackupArn": unsupported(),
        "restoreDateTime": unsupported(),
        "restoreSourceName": unsupported(),
        "restoreSourceTableArn": unsupported(),
        "restoreToLatestTime": unsupported(),
        "serverSideEncryption": block(
            {"enabled": boolean(required=True), "kmsKeyArn": text(computed=True)}, computed=True
        ),
        "streamEnabled": boolean(),
        "streamViewType": text(one_of("KEYS_ONLY", "NEW_AND_OLD_IMAGES", "NEW_IMAGE", "OLD_IMAGE"), computed=True),
        "tableClass": text(one_of("STANDARD", "STANDARD_INFREQUENT_ACCESS"), default="STANDARD"),
        "tags": tags(),
        "ttl": block({"attributeName": text(longest(255)), "enabled": boolean(default=False)}),
        "warmThroughput": unsupported(),
        "writeCapacity": integer(computed=True),
    },
    outputs=("arn", "streamArn", "streamLabel"),
    create=_create_table,
    read=_read_table,
    update=_update_table,
    delete=_delete_table,
    rules=(_check_attributes, _check_capacity),
    revise=_revise_table,
    unsettled=lambda changed: {"streamArn", "streamLabel"} if changed & {"streamEnabled", "streamViewType"} else set(),
    tags=(_read_tags, _write_tags),
)

# --- item -------------------------------------------------------------------------------------------------------------

_ATTRIBUTE_TYPES = frozenset(["S", "N", "B", "SS", "NS", "BS", "M", "L", "NULL", "BOOL"])


def _item_fault(value: str) -> str | None:
    item = json.loads(value)
    if not isinstance(item, dict):
        return "expected a JSON object of DynamoDB attributes"
    for key, attribute in item.items():
        if not (isinstance(attribute, dict) and len(attribute) == 1 and next(iter(attribute)) in _ATTRIBUTE_TYPES):
            return (
                f'attribute {key!r} must be an object of one type, such as {{"S": "text"}}; got {json.dumps(attribute)}'
            )
    return None


def _attribute(value: Any) -> Any:
    """An attribute of DynamoDB's JSON as the SDK takes it: binary as bytes."""
    kind, content = next(iter(value.items()))
    match kind:
        case "B":
            content = base64.b64decode(content)
        case "BS":
            content = [base64.b64decode(each) for each in content]
        case "M":
            content = {key: _attribute(each) for key, each in content.items()}
        case "L":
            content = [_attribute(each) for each in content]
    return {kind: content}


def _written(value: Any) -> Any:
    """The other way round."""
    kind, content = next(iter(value.items()))
    match kind:
        case "B":
            content = base64.b64encode(content).decode()
        case "BS":
            content = [base64.b64encode(each).decode() for each in content]
        case "M":
            content = {key: _written(each) for key, each in content.items()}
        case "L":
            content = [_written(each) for each in content]
    return {kind: content}


def _item(props: Props) -> dict[str, Any]:
    return {key: _attribute(value) for key, value in json.loads(props["item"]).items()}


def _keys(props: Props) -> list[str]:
    return [props["hashKey"], *([props["rangeKey"]] if props.get("rangeKey") else [])]


def _key(props: Props) -> dict[str, Any]:
    item = _item(props)
    if absent := [key for key in _keys(props) if key not in item]:
        raise ResourceError(f"the item has no attribute {', '.join(map(repr, absent))}, which is a key of the table")
    return {key: item[key] for key in _keys(props)}


def _key_values(props: Props) -> Props:
    values = [str(next(iter(value.values()))) for value in map(json.loads(props["item"]).get, _keys(props)) if value]
    return dict(zip(("hashKeyValue", "rangeKeyValue"), values, strict=False))


def _create_item(context: Context, new: Props) -> Created:
    _key(new)
    context.client("dynamodb").put_item(
        TableName=new["tableName"],
        Item=_item(new),
        ConditionExpression="attribute_not_exists(#hk)",
        ExpressionAttributeNames={"#hk": new["hashKey"]},
    )
    return Created(_item_id(new), _key_values(new))


def _item_id(props: Props) -> str:
    """TABLE|HASH KEY|its value as B|as S|as N[|RANGE KEY|…]."""
    item = json.loads(props["item"])
    parts = [[key, *(item[key].get(kind, "") for kind in "BSN")] for key in _keys(props)]
    return "|".join([props["tableName"], *(part for key in parts for part in key)])


def _read_item(context: Context, id_: str, state: Props) -> Props | None:
    """The whole item, whoever wrote its attributes: that is upstream's way, and why an item has one writer."""
    client = context.client("dynamodb")
    known = state if "item" in state else _imported_item(client, id_)
    item = client.get_item(TableName=known["tableName"], Key=_key(known), ConsistentRead=True).get("Item")
    if item is None:
        return None
    written = canonical({key: _written(value) for key, value in item.items()})
    found = {**given(known, "tableName", "hashKey", "rangeKey"), "item": written}
    return {**found, **_key_values(found), **({} if "item" in state else {"id": _item_id(found)})}


def _imported_item(client: Any, id_: str) -> Props:
    """What an import id says: TABLE|HASH VALUE[|RANGE VALUE], or these in a JSON array; the table knows the rest."""
    parts = json.loads(id_) if id_.startswith("[") else id_.split("|")
    table = client.describe_table(TableName=parts[0])["Table"]
    keys = [key["AttributeName"] for key in table["KeySchema"]]
    if len(parts) != 1 + len(keys):
        raise ResourceError(
            f"unexpected format for ID ({id_}), expected TABLE|{'|'.join(f'VALUE OF {key}' for key in keys)}"
        )
    types = {each["AttributeName"]: each["AttributeType"] for each in table["AttributeDefinitions"]}
    item = {key: {types[key]: value} for key, value in zip(keys, parts[1:], strict=True)}
    return {"tableName": parts[0], "item": json.dumps(item), **dict(zip(("hashKey", "rangeKey"), keys, strict=False))}


def _update_item(context: Context, id_: str, old: Props, new: Props, changed: set[str]) -> Props:  # noqa: ARG001
    """Sets what is declared and removes what only the state has. Differs from upstream in the form of the request
    (an update expression for the old `AttributeUpdates`), not in what it does."""
    client = context.client("dynamodb")
    item, before = _item(new), _item(old)
    key = _key(new)
    put = [attribute for attribute in item if attribute not in key]
    gone = [attribute for attribute in before if attribute not in item]
    names = {f"#{i}": attribute for i, attribute in enumerate([*put, *gone])}
    numbers = {attribute: name for name, attribute in names.items()}
    clauses = []
    if put:
        clauses.append("SET " + ", ".join(f"{numbers[each]} = :{numbers[each][1:]}" for each in put))
    if gone:
        clauses.append("REMOVE " + ", ".join(numbers[each] for each in gone))
    request: Props = {"TableName": new["tableName"], "Key": key}
    if clauses:
        request |= {"UpdateExpression": " ".join(clauses), "ExpressionAttributeNames": names}
    if put:
        request["ExpressionAttributeValues"] = {f":{numbers[each][1:]}": item[each] for each in put}
    client.update_item(**request)
    if _key(old) != key:
        client.delete_item(TableName=old["tableName"], Key=_key(old))
    return _key_values(new)


def _delete_item(context: Context, id_: str, state: Props) -> None:  # noqa: ARG001
    context.client("dynamodb").delete_item(TableName=state["tableName"], Key=_key(state))


ITEM = ResourceType(
    token="aws:dynamodb/tableItem:TableItem",
    inputs={
        "hashKey": text(required=True, replaces=True),
        "item": json_text(_item_fault, required=True),
        "rangeKey": text(replaces=True),
        "tableName": text(longest(255, 1), required=True, replaces=True),
    },
    outputs=("hashKeyValue", "rangeKeyValue"),
    create=_create_item,
    read=_read_item,
    update=_update_item,
    delete=_delete_item,
)

TYPES = (TABLE, ITEM)
