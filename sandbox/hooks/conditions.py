# pyright: reportMissingImports=false
"""Condition keys and resources of IAM that MiniStack's enforcement does not fill in.

Sources: https://docs.aws.amazon.com/eventbridge/latest/userguide/eb-use-conditions.html,
https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/iam-cw-condition-keys-namespace.html and
https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/specifying-conditions.html.
"""

import gzip
import json
import re
from collections.abc import Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import parse_qs

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id
from ministack.services import dynamodb

_enforce = iam_evaluator.enforce
_transaction_checks = iam_actions.dynamodb_transaction_checks
_dynamodb_call: ContextVar[Mapping[str, Any]] = ContextVar("dynamodb_call")

OF_A_RULE = ("events:ListTargetsByRule", "events:PutTargets", "events:RemoveTargets")
"""Calls whose resource is a rule, which they name as `Rule`."""
OF_TAGS = ("states:ListTagsForResource", "states:TagResource", "states:UntagResource")
"""Calls whose resource is what they name as `resourceArn`."""


def install() -> None:
    """Wrap the check of every API call."""
    iam_evaluator.enforce = enforce
    iam_actions.dynamodb_transaction_checks = transaction_checks


def transaction_checks(action: str, body: bytes, region: str, account: str) -> Any:
    """MiniStack's, of every call of DynamoDB; keeps the call, which is gone after the first check of a transaction."""
    _dynamodb_call.set(_json(body))
    return _transaction_checks(action, body, region, account)


def enforce(
    access_key: str,
    action: str,
    service: str,
    region: str,
    resource_arn: str = "*",
    service_context: Mapping[str, Any] | None = None,
) -> Any:
    """MiniStack's check, with the keys of the service added."""
    request = iam_evaluator._signed_request.get()
    if request and action in OF_A_RULE:
        resource_arn = _rule(_json(_plain(request.body, request.headers)), region, resource_arn)
    elif request and action in OF_TAGS:
        resource_arn = str(_json(_plain(request.body, request.headers)).get("resourceArn") or resource_arn)
    keys: dict[str, Any] = {}
    if action == "cloudwatch:PutMetricData" and request:
        keys["cloudwatch:namespace"] = _namespace(_plain(request.body, request.headers), request.headers)
    elif action.startswith("dynamodb:"):
        keys = keys_of(action, _dynamodb_call.get({}))
    elif request:
        keys = keys_of(action, _json(_plain(request.body, request.headers)))
    return _enforce(access_key, action, service, region, resource_arn, {**(service_context or {}), **keys})


def _rule(data: Mapping[str, Any], region: str, otherwise: str) -> str:
    """The ARN of the rule that a call names as `Rule`; MiniStack looks for `Name` alone."""
    name, bus = data.get("Rule"), str(data.get("EventBusName") or "default").rpartition("event-bus/")[2]
    if not name:
        return otherwise
    place = name if bus == "default" else f"{bus}/{name}"
    return f"arn:aws:events:{region}:{get_account_id()}:rule/{place}"


def _plain(body: bytes, headers: Mapping[str, str]) -> bytes:
    """The body as it was before the SDK compressed it, as SDKs do with PutMetricData above 10 KB."""
    return gzip.decompress(body) if headers.get("content-encoding") == "gzip" else body


def keys_of(action: str, data: Mapping[str, Any]) -> dict[str, Any]:
    """The condition keys of the service for a call with these parameters."""
    if action == "events:PutEvents":
        entries = [entry for entry in data.get("Entries") or () if isinstance(entry, dict)]
        sources, kinds = (sorted({str(e.get(key, "")) for e in entries}) for key in ("Source", "DetailType"))
        return {"events:source": sources, "events:detail-type": kinds, "events:eventBusInvocation": "false"}
    if action == "events:PutTargets":
        targets = [target for target in data.get("Targets") or () if isinstance(target, dict)]
        return {"events:TargetArn": [target.get("Arn", "") for target in targets]}
    if action.startswith("dynamodb:") and (leading := _leading_keys(action, data)):
        return {"dynamodb:LeadingKeys": leading}
    return {}


def _leading_keys(action: str, data: Mapping[str, Any]) -> list[str]:
    """The partition keys that a call on single items names; of a transaction those that it does `action` to."""
    items = [data]
    if "TransactItems" in data:
        kinds = [kind for kind, needed in iam_actions._DYNAMODB_TRANSACT_ITEM_ACTIONS.items() if needed == action]
        items = [item[kind] for item in data["TransactItems"] for kind in kinds if kind in item]
    found = (_leading_key(item) for item in items)
    return sorted({key for key in found if key})


def _leading_key(item: Mapping[str, Any]) -> str:
    table = dynamodb._tables.get(str(item.get("TableName", "")).rpartition("/")[2])
    if not table:
        return ""
    key = table["pk_name"]
    value = (item.get("Item") or item.get("Key") or {}).get(key)
    names, values = item.get("ExpressionAttributeNames") or {}, item.get("ExpressionAttributeValues") or {}
    for name, variable in re.findall(r"([#\w]+)\s*=\s*(:\w+)", item.get("KeyConditionExpression") or ""):
        if names.get(name, name) == key:
            value = values.get(variable)
    return next(iter(value.values()), "") if isinstance(value, dict) else ""


def _namespace(body: bytes, headers: Mapping[str, str]) -> str:
    kind = headers.get("content-type", "")
    if "cbor" in kind:
        import cbor2

        return cbor2.loads(body).get("Namespace", "")
    if "json" in kind:
        return _json(body).get("Namespace", "")
    return parse_qs(body.decode(errors="replace")).get("Namespace", [""])[0]


def _json(body: bytes) -> dict[str, Any]:
    try:
        data = json.loads(body or b"{}")
    except ValueError:
        return {}
    return data if isinstance(data, dict) else {}
