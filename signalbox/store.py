"""The event store's items: which keys, which attributes, who writes them. No I/O.

One table with keys `PK` and `SK` (both strings). Every item has exactly one writer, named in `Partition`, because
pulumi-aws's TableItem reads a whole item into its state and deletes on its next update what the program did not
declare (hashicorp/terraform-provider-aws `internal/service/dynamodb/table_item.go`).

Items are plain dicts here: strings, ints, bools and lists of strings. `to_attributes` and `from_attributes` are the two
ways across to DynamoDB's wire form, so that no module needs an AWS SDK to speak of items.
"""

import json
from collections.abc import Mapping
from typing import Any

from signalbox.canonical import canonical
from signalbox.classic import schema_hash
from signalbox.model import Event

PK = "PK"
SK = "SK"
TTL = "ExpiresAt"
"""Epoch seconds after which DynamoDB may delete an item of a partition that ages."""

TARGET = "target"
"""Written by the deploy: the registry of targets."""
EVENTS = "events"
"""Written by the deploy: what the definitions say of an event."""
DECISION = "decision"
"""Written by the deploy: who won each conflict."""
OVERRIDE = "override"
"""Written by the API: run-time edits of an event's routes."""
HISTORY = "history"
"""Written by the API: each accepted edit."""
IDEMPOTENCY = "idempotency"
"""Written by the API: what a repeated POST gets."""
FLOW = "flow"
"""Written by the deploy or the API, as `Origin` says."""
SYNC = "sync"
"""Written by the reconciler: what it last applied."""
CONTROL = "control"
"""Written by the CLI: freeze and release."""

Item = dict[str, Any]


def target_item(
    name: str,
    kind: str,
    *,
    arn: str = "",
    role: str | None = None,
    events: tuple[str, ...] | None = None,
    runtime: bool = True,
) -> Item:
    """The registry's item of one target: what a writer of rules must know to point a rule at `name`.

    `arn` and `role` are ARNs. For functions and flows they are those of the thing itself; rules reach them through the
    target `router`, which has an item of its own.
    """
    item: Item = {PK: TARGET, SK: name, "Kind": kind, "Arn": arn, "Runtime": runtime}
    if role:
        item["Role"] = role
    if events is not None:
        item["Events"] = list(events)
    return item


def event_item(event: Event) -> Item:
    """What the definitions say of `event`, as the store keeps it. Composite values are canonical JSON text."""
    item: Item = {
        PK: EVENTS,
        SK: event.id,
        "Source": canonical(list(event.source)),
        "Schema": canonical(event.schema),
        "SchemaHash": schema_hash(event.schema),
        "RoutingConfig": canonical(event.routing_config()),
    }
    if event.detail_type is not None:
        item["DetailType"] = canonical(list(event.detail_type))
    if event.description:
        item["Description"] = event.description
    return item


def declared_config(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The declared routing config of an `events` item: route configs by name."""
    return json.loads(item["RoutingConfig"])


def to_attributes(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`item` in DynamoDB's wire form, e.g. `{"PK": {"S": "events"}}`.

    Raises TypeError for a value that items do not hold.
    """
    return {key: _attribute(value) for key, value in item.items()}


def from_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> Item:
    """The plain dict of an item in DynamoDB's wire form; numbers become int."""
    return {key: _plain(value) for key, value in attributes.items()}


def _attribute(value: Any) -> dict[str, Any]:
    match value:
        case bool():
            return {"BOOL": value}
        case str():
            return {"S": value}
        case int():
            return {"N": str(value)}
        case list():
            return {"L": [_attribute(each) for each in value]}
    raise TypeError(f"items hold strings, ints, bools and lists; got {type(value).__name__}: {value!r}")


def _plain(attribute: Mapping[str, Any]) -> Any:
    ((kind, value),) = attribute.items()
    match kind:
        case "S" | "BOOL":
            return value
        case "N":
            return int(value)
        case "L":
            return [_plain(each) for each in value]
    raise TypeError(f"items hold S, N, BOOL and L; got {kind}")
