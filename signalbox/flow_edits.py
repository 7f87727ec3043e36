"""Flows as the API makes and takes them away: from the items that are there to the items to write.

An item of a flow made at run time holds, beside the definition, its revision, who posted it and when, and `Named`: how
often routes were made to name it that had not before. Such an edit of routes is one transaction with the flow's item
(`signalbox.overrides`), and a flow goes only while its item is what it was when nobody was found to name it: of a
DELETE and a POST /route that race, the slower finds the item changed, looks again, and is refused.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any, Protocol

from signalbox.canonical import digest
from signalbox.classic import ITEM_BYTES
from signalbox.effective import EffectiveRoute, decisions_from_item, effective, override_from_item
from signalbox.model import JsonObject
from signalbox.overrides import (
    Delete,
    PreconditionFailed,
    Put,
    Refused,
    Unchanged,
    Write,
    contended,
    flow_unchanged,
    if_match_holds,
    named_flows,
)
from signalbox.problems import Problem
from signalbox.registry import flow_events
from signalbox.store import (
    DECISION,
    EVENTS,
    FLOW,
    IDEMPOTENCY,
    ORIGIN_API,
    OVERRIDE,
    PK,
    SK,
    TTL,
    Item,
    declared_config,
    flow_item,
    is_gone,
    is_of_api,
    item_bytes,
)

IDEMPOTENCY_SECONDS = 86_400
"""For how long a repeated POST gets the answer of the first."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request that may be sent again: its `Idempotency-Key`, and a hash of its body."""

    key: str
    body: str


@dataclass(frozen=True, slots=True)
class Saved:
    """A flow that is stored. `created`: there was none of that id; `warnings`: what forbids nothing, as JSON."""

    id: str
    revision: int
    created: bool
    etag: str
    warnings: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, slots=True)
class OtherRequest:
    """The Idempotency-Key was used for another body."""


@dataclass(frozen=True, slots=True)
class Deleted:
    """The flow is gone from the store."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A definition that may be stored, and its warnings as JSON."""

    document: JsonObject
    warnings: tuple[JsonObject, ...] = ()


class FlowStore(Protocol):
    """What editing flows needs of the event store (`signalbox.aws.store.DynamoStore` has it)."""

    def get(self, pk: str, sk: str) -> Item | None:
        """One item, read consistently. Raises StoreError."""
        ...

    def partition(self, pk: str) -> Iterator[Item]:
        """The items of a partition, read consistently. Raises StoreError."""
        ...

    def commit(self, writes: Sequence[Write]) -> None:
        """All of `writes` in one transaction, or none. Raises ChangedError, StoreError."""
        ...


def flow_etag(item: Mapping[str, Any]) -> str:
    """A strong ETag (with its quotes) of a flow's definition and revision, and not of its state machine."""
    return f'"{digest([item["Origin"], item["Data"], item.get("Revision")], 32)}"'


def flow_version(item: Mapping[str, Any]) -> str:
    """What names this very writing of a flow: a `sync` item of another version is about an older one."""
    return digest([item["Data"], item.get("Revision"), item.get("EditedAt")])


def save_flow(
    store: FlowStore,
    flow_id: str,
    check: Callable[[], Checked],
    *,
    who: str,
    when: datetime,
    if_match: str | None = None,
    request: Request | None = None,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> Saved | PreconditionFailed | Refused | OtherRequest:
    """Stores the flow that `check` gives, over one that the API made before, and remembers the answer to `request`.

    `check` is asked once, and not for a request that has been answered; what it raises goes through. `who` names the
    caller, `when` is aware, `if_match` is the header's value. Raises StoreError, of which BusyError says that nothing
    was written.
    """
    checked: Checked | None = None

    def once() -> Saved | PreconditionFailed | Refused | OtherRequest:
        nonlocal checked
        answered = store.get(IDEMPOTENCY, request.key) if request else None
        if request and answered and answered[TTL] > when.timestamp():
            return _saved(answered) if answered["Body"] == request.body else OtherRequest()
        checked = checked or check()
        item = store.get(FLOW, flow_id)
        if refusal := _refusal(store, item, flow_id, checked.document, if_match):
            return refusal
        put = _put(item, flow_id, checked.document, who, when)
        saved = Saved(flow_id, put.item["Revision"], item is None, flow_etag(put.item), checked.warnings)
        if (size := item_bytes(put.item)) > ITEM_BYTES:
            return Refused((_too_large(flow_id, size),))
        writes: list[Write] = [put]
        if request:
            expires = int(when.timestamp()) + IDEMPOTENCY_SECONDS
            answer = {PK: IDEMPOTENCY, SK: request.key, "Body": request.body, "Answer": _answer(saved), TTL: expires}
            before = {TTL: answered[TTL]} if answered else {PK: None}
            writes.append(Put(answer, Unchanged(IDEMPOTENCY, request.key, before)))
        store.commit(writes)
        return saved

    return contended(f"the flow {flow_id}", once, sleep=sleep, jitter=jitter)


def delete_flow(
    store: FlowStore,
    flow_id: str,
    *,
    if_match: str | None = None,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> Deleted | PreconditionFailed | Refused | None:
    """Takes a flow away that the API made and that no route names. None: there is no such flow.

    Raises StoreError, of which BusyError says that nothing was written.
    """

    def once() -> Deleted | PreconditionFailed | Refused | None:
        item = store.get(FLOW, flow_id)
        if item is None:
            return None
        if not is_of_api(item):
            return Refused((_of_definitions(flow_id),))
        if if_match is not None and not if_match_holds(if_match, flow_etag(item)):
            return PreconditionFailed(flow_etag(item))
        if users := sorted(_users(store, flow_id)):
            return Refused(tuple(_used(flow_id, route) for route in users))
        store.commit([Delete(flow_unchanged(item))])
        return Deleted()

    return contended(f"the flow {flow_id}", once, sleep=sleep, jitter=jitter)


def names_flow(routes: Mapping[str, EffectiveRoute], flow_id: str) -> Iterator[str]:
    """The routes of an event that name the flow: as they are declared, as they are live, or by an edit that may yet be
    live again (its event is not declared just now)."""
    for name, route in routes.items():
        edited = route.edit.config if route.edit and route.outcome != "void" else None
        if flow_id in named_flows(filter(None, (route.declared, route.config, edited))):
            yield name


def _refusal(
    store: FlowStore, item: Item | None, flow_id: str, document: JsonObject, if_match: str | None
) -> PreconditionFailed | Refused | None:
    """Why the flow cannot follow the one that is there, `item`."""
    if item is not None and not is_of_api(item):
        return Refused((_of_definitions(flow_id),))
    if if_match is not None and (item is None or not if_match_holds(if_match, flow_etag(item))):
        return PreconditionFailed("" if item is None else flow_etag(item))
    if item is None:
        return None
    problems = _other_type(item, document)
    if events := flow_events(document):
        problems += [
            _other_events(flow_id, route, events)
            for route in sorted(_users(store, flow_id))
            if route.partition("/")[0] not in events
        ]
    return Refused(tuple(problems)) if problems else None


def _put(item: Item | None, flow_id: str, document: JsonObject, who: str, when: datetime) -> Put:
    made = {
        **flow_item(flow_id, document, ORIGIN_API),
        "Revision": item["Revision"] + 1 if item else 1,
        "EditedAt": when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        "EditedBy": who,
        "Named": item["Named"] if item else 0,
    }
    return Put(made, flow_unchanged(item) if item else Unchanged(FLOW, flow_id, {PK: None}))


def _users(store: FlowStore, flow_id: str) -> Iterator[str]:
    """The ids of the routes that name the flow."""
    declared, decisions, overrides = ({item[SK]: item for item in store.partition(pk)} for pk in _OF_EVENTS)
    for event_id in {*declared, *overrides}:
        item = declared.get(event_id)
        routes = effective(
            None if item is None or is_gone(item) else declared_config(item),
            decisions_from_item(decisions.get(event_id)),
            override_from_item(event_id, overrides.get(event_id)),
        )
        yield from (f"{event_id}/{name}" for name in names_flow(routes, flow_id))


_OF_EVENTS = (EVENTS, DECISION, OVERRIDE)


def _other_type(item: Item, document: JsonObject) -> list[Problem]:
    was, now = (bool(each.get("repeatable")) for each in (json.loads(item["Data"]), document))
    if was == now:
        return []
    return [
        Problem(
            code="flow-type",
            what="a flow cannot become repeatable, nor stop to be: a state machine keeps its type",
            got=f"repeatable: {str(now).lower()}",
            allowed=f"repeatable: {str(was).lower()}",
            fix="post it under another id, move the routes to it, then delete this one",
            path="repeatable",
        )
    ]


def _other_events(flow_id: str, route: str, events: tuple[str, ...]) -> Problem:
    return Problem(
        code="flow-used",
        what=f"the route {route} sends to the flow {flow_id}, which would not take its events any more",
        got=f"input: {', '.join(events)}",
        fix="leave `input` out, or edit the event's routes first",
        path="input",
    )


def _of_definitions(flow_id: str) -> Problem:
    return Problem(
        code="flow-of-definitions",
        what=f"the flow {flow_id} is one of the definitions: a deploy makes, changes and deletes it",
        fix=f"change mappings/flows/{flow_id}.yaml, or choose another id",
        path="id",
    )


def _used(flow_id: str, route: str) -> Problem:
    return Problem(
        code="flow-used",
        what=f"the route {route} sends to the flow {flow_id}",
        fix=f"edit its event's routes first (python -m signalbox edit {route.partition('/')[0]})",
        path=route,
    )


def _too_large(flow_id: str, size: int) -> Problem:
    return Problem(
        code="item-too-large",
        what=f"the flow {flow_id} does not fit an item of the store",
        got=f"{size} bytes",
        allowed=f"{ITEM_BYTES} bytes",
        fix="make two flows of it, one emitting an event for the other",
    )


def _answer(saved: Saved) -> str:
    return json.dumps(asdict(saved))


def _saved(item: Item) -> Saved:
    saved = Saved(**json.loads(item["Answer"]))
    return replace(saved, warnings=tuple(saved.warnings))
