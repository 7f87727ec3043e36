"""The event store's items: which keys, which attributes, who writes them. No I/O.

One table with keys `PK` and `SK` (both strings). Every item has exactly one writer, named in `Partition`, because
pulumi-aws's TableItem reads a whole item into its state and deletes on its next update what the program did not
declare (hashicorp/terraform-provider-aws `internal/service/dynamodb/table_item.go`).

Items are plain dicts here: strings, ints, bools and lists of strings. `to_attributes` and `from_attributes` are the two
ways across to DynamoDB's wire form, so that no module needs an AWS SDK to speak of items.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from signalbox.canonical import canonical
from signalbox.classic import schema_hash
from signalbox.model import Event, JsonObject, route_from_config

PK = "PK"
SK = "SK"
TTL = "ExpiresAt"
"""Epoch seconds after which DynamoDB may delete an item of a partition that ages."""

TARGET = "target"
"""Written by the deploy: the registry of targets."""
EVENTS = "events"
"""Written by the deploy: what the definitions say of an event, or that they have it no more."""
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
DEPLOY = "deploy"
"""Written by the deploy: how far the last one came."""

SETTLED = "settled"
"""Sort key in DEPLOY: for which items of events and decisions the rules were last seen to be right."""

FREEZE = "freeze"
"""Sort key in CONTROL: the reconciler writes nothing while this item exists."""
RELEASE = "release"
"""Sort key in CONTROL: the reconciler takes our rules off the bus and keeps them off, so that a destroy is plain."""

ORIGIN_DEFINITIONS = "definitions"
"""`Origin` of a flow that the deploy writes."""
ORIGIN_API = "api"
"""`Origin` of a flow that the API writes."""

EVENT_SYNC = "event#"
FLOW_SYNC = "flow#"

GONE = "Gone"
"""Attribute of an `events` item: the definitions have the event no more."""

HISTORY_SECONDS = 365 * 86_400
"""How long an accepted edit stays in the history."""

Item = dict[str, Any]


class StoreError(Exception):
    """The store cannot be read or written; the message says why and what helps."""


class ChangedError(Exception):
    """An item is not what a write was computed from any more: read again and start over."""


class BusyError(StoreError):
    """Others write the same items just now: wait a moment and try again."""


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


def gone_item(event_id: str) -> Item:
    """What is left of an event that the definitions have no more.

    It says so before the event's rules are taken away, which an item that is merely deleted could not: Pulumi deletes
    what a resource depends on after the resource. A reconciler at work meanwhile would put back what the deploy takes.
    """
    return {PK: EVENTS, SK: event_id, GONE: True}


def is_gone(item: Mapping[str, Any]) -> bool:
    """Is this `events` item that of an event which the definitions have no more?"""
    return GONE in item


def declared_config(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The declared routing config of an `events` item: route configs by name."""
    return json.loads(item["RoutingConfig"])


def event_from_item(item: Mapping[str, Any]) -> Event:
    """The event that an `events` item says, with its declared routes; samples are not kept in the store.

    Raises KeyError, ValueError or TypeError for an item that `event_item` did not make.
    """
    detail_type = item.get("DetailType")
    return Event(
        id=item[SK],
        source=tuple(json.loads(item["Source"])),
        detail_type=None if detail_type is None else tuple(json.loads(detail_type)),
        schema=json.loads(item["Schema"]),
        routes={name: route_from_config(item[SK], name, config) for name, config in declared_config(item).items()},
        description=item.get("Description", ""),
    )


def override_item(event_id: str, *, revision: int, at: str, by: str, routes: JsonObject) -> Item:
    """The run-time edits of an event: `revision` counts every accepted edit and never starts again.

    `at` is the last edit's time (ISO 8601, UTC), `by` its author; `routes` has the edits that are in force, by route,
    in the form of `signalbox.effective.RouteEdit.as_json`. The item stays when no edit is left: it keeps the revision.
    """
    return {
        PK: OVERRIDE,
        SK: event_id,
        "Revision": revision,
        "EditedAt": at,
        "EditedBy": by,
        "Routes": canonical(routes),
    }


def history_item(event_id: str, *, revision: int, at: str, by: str, routing_config: JsonObject, expires: int) -> Item:
    """An accepted edit as it was: the event's whole routing config after it. `expires` in epoch seconds."""
    return {
        PK: HISTORY,
        SK: history_key(event_id, revision),
        "EventId": event_id,
        "Revision": revision,
        "EditedAt": at,
        "EditedBy": by,
        "RoutingConfig": canonical(routing_config),
        TTL: expires,
    }


def is_of_api(item: Mapping[str, Any]) -> bool:
    """Was this `flow` item made at run time, so that it is the API's to write?"""
    return item.get("Origin") == ORIGIN_API


def event_sync(event_id: str) -> str:
    """The sort key of the reconciler's note on an event. `#` is in no event id."""
    return f"{EVENT_SYNC}{event_id}"


def flow_sync(flow_id: str) -> str:
    """The sort key of the reconciler's note on a flow."""
    return f"{FLOW_SYNC}{flow_id}"


def history_key(event_id: str, revision: int) -> str:
    """The sort key of an edit: padded, so that edits sort by revision. `#` is in no event id."""
    return f"{event_id}#{revision:010d}"


def decision_item(event_id: str, routes: JsonObject) -> Item:
    """What the deploy decided of an event's edits, by route, in the form of `signalbox.effective.Decision.as_json`."""
    return {PK: DECISION, SK: event_id, "Routes": canonical(routes)}


IN_STEP = "in-step"
"""State of a route whose rule is what it must be."""
KEPT_OLD = "kept-old"
"""State of a route that has a target which is missing: its rule stays as it was."""
FAILED = "failed"
"""State of a route whose rule cannot be made what it must be."""


def sync_item(event_id: str, *, at: str, revision: int, routes: JsonObject, error: str = "") -> Item:
    """What the reconciler last did for an event: `revision` of the override that it followed, and by route an entry
    of the form `signalbox.reconcile.Entry`, which has a `state`. `at` is when any of this last changed; `error` says
    why the event's items cannot be used, if so."""
    item: Item = {PK: SYNC, SK: event_sync(event_id), "At": at, "Revision": revision, "Routes": canonical(routes)}
    if error:
        item["Error"] = error
    return item


def flow_item(flow_id: str, document: JsonObject, origin: str) -> Item:
    """The flow `flow_id` as its one writer, who is `origin`, has it: the whole definition as canonical JSON text."""
    return {PK: FLOW, SK: flow_id, "Data": canonical(document), "Origin": origin}


ACTIVE = "active"
"""State of a flow whose state machine is what it says."""
CREATING = "creating"
"""State of a flow whose state machine is yet to be what it says."""
FLOW_FAILED = "failed"
"""State of a flow whose state machine cannot be what it says."""


def flow_sync_item(
    flow_id: str, *, at: str, version: str, state: str, machine: str = "", error: str = "", repaired: str = ""
) -> Item:
    """What the reconciler last did for a flow made at run time: `version` names the writing of it that it followed,
    `machine` is a digest of the state machine that there is (empty: there is none), `error` says why it is not as it
    should be, `repaired` when it was last put right. `at` is when any of this last changed."""
    item: Item = {PK: SYNC, SK: flow_sync(flow_id), "At": at, "Version": version, "State": state}
    more = {"Machine": machine, "Error": error, "Repaired": repaired}
    return {**item, **{key: value for key, value in more.items() if value}}


def control_item(word: str, *, at: str, by: str, why: str = "") -> Item:
    """The operator's word to the reconciler: FREEZE or RELEASE."""
    return {PK: CONTROL, SK: word, "At": at, "By": by, "Why": why}


def settled_item(digest: str) -> Item:
    """The deploy has made the rules what the items of events and decisions say that `digest` names."""
    return {PK: DEPLOY, SK: SETTLED, "Digest": digest}


@dataclass(frozen=True, slots=True)
class StoreSnapshot:
    """The items that say what the rules must be, by sort key. Nothing in it: an empty store.

    `gone` are the ids of events that the definitions had once; they are not in `events`. `settled` is the digest of the
    `settled_item`, empty while a deploy is under way, None where it was not read or none was ever written.
    """

    targets: Mapping[str, Item] = field(default_factory=dict)
    events: Mapping[str, Item] = field(default_factory=dict)
    decisions: Mapping[str, Item] = field(default_factory=dict)
    overrides: Mapping[str, Item] = field(default_factory=dict)
    flows: Mapping[str, Item] = field(default_factory=dict)
    sync: Mapping[str, Item] = field(default_factory=dict)
    control: Mapping[str, Item] = field(default_factory=dict)
    gone: frozenset[str] = frozenset()
    settled: str | None = None

    @classmethod
    def of(cls, items: Iterable[Item]) -> "StoreSnapshot":
        """The snapshot that `items` make, in any order; items of other partitions are left out."""
        fields: dict[str, Any] = {name: {} for name in SNAPSHOT.values()}
        gone: set[str] = set()
        for item in items:
            if item[PK] == EVENTS and is_gone(item):
                gone.add(item[SK])
            elif item[PK] in SNAPSHOT:
                fields[SNAPSHOT[item[PK]]][item[SK]] = item
        return cls(**fields, gone=frozenset(gone))


SNAPSHOT: dict[str, str] = {
    OVERRIDE: "overrides",
    DECISION: "decisions",
    EVENTS: "events",
    TARGET: "targets",
    FLOW: "flows",
    SYNC: "sync",
    CONTROL: "control",
}
"""The partitions of a StoreSnapshot by its fields, in the order in which they must be read, one after the other: what
is made on something else comes before it. An edit that was pruned because the definitions say the same is never seen
without those definitions; that would be a route that nobody wants."""


def to_attributes(item: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """`item` in DynamoDB's wire form, e.g. `{"PK": {"S": "events"}}`.

    Raises TypeError for a value that items do not hold.
    """
    return {key: _attribute(value) for key, value in item.items()}


def from_attributes(attributes: Mapping[str, Mapping[str, Any]]) -> Item:
    """The plain dict of an item in DynamoDB's wire form; numbers become int."""
    return {key: _plain(value) for key, value in attributes.items()}


def item_bytes(item: Mapping[str, Any]) -> int:
    """What `item` counts against DynamoDB's limit of 400 KB (never less than it really does).

    https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/CapacityUnitCalculations.html
    """
    return sum(len(key.encode()) + _bytes(value) for key, value in item.items())


def _bytes(value: Any) -> int:
    match value:
        case bool():
            return 1
        case str():
            return len(value.encode("utf-8", "surrogatepass"))
        case int():
            return 21
    return 3 + sum(1 + _bytes(each) for each in value)


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
