"""An edit of an event's routes as the API makes it: from the items that are there to the items to write.

`apply_edit` is pure. `make_edit` puts its writes in one transaction, which holds only while the items that the edit was
computed from are still the same; when it does not hold, it reads them again and starts over (with If-Match: the ETag
then differs, and the caller is told).

An edit that makes a route name a flow writes or checks that flow's item in the same transaction, so that no flow goes
away while a route is made to name it (`signalbox.flow_edits`).
"""

import random
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol, TypeVar

from signalbox.canonical import digest
from signalbox.classic import ITEM_BYTES, too_many_at_once
from signalbox.effective import (
    Decisions,
    EffectiveRoute,
    Override,
    RouteEdit,
    config_hash,
    decisions_from_item,
    effective,
    effective_config,
    override_from_item,
)
from signalbox.model import JsonObject, route_from_config
from signalbox.problems import Problem
from signalbox.store import (
    DECISION,
    EVENTS,
    FLOW,
    HISTORY_SECONDS,
    OVERRIDE,
    PK,
    SK,
    BusyError,
    ChangedError,
    Item,
    declared_config,
    event_from_item,
    history_item,
    is_of_api,
    item_bytes,
)

T = TypeVar("T")

DEFINITION = ("Source", "DetailType", "SchemaHash", "RoutingConfig")
"""The attributes of an `events` item that say what the event is."""

TRIES = 60
"""How often an edit is computed anew because another was faster: one of those who try at once always gets through."""
FIRST_WAIT = 0.02
LONGEST_WAIT = 0.5
"""Seconds between tries: doubled up to the longest, with full jitter."""
FLOWS_PER_EDIT = 90
"""Flows that one event's routes may name at run time: a transaction has 100 items."""
# https://docs.aws.amazon.com/amazondynamodb/latest/APIReference/API_TransactWriteItems.html


@dataclass(frozen=True, slots=True)
class EventItems:
    """The items of one event that an edit is computed from, read consistently; None: there is no such item."""

    declared: Item
    decision: Item | None = None
    override: Item | None = None

    def routes(self) -> dict[str, EffectiveRoute]:
        """The event's effective routes."""
        return effective(declared_config(self.declared), self._decisions(), self._override())

    def etag(self) -> str:
        """A strong ETag (with its quotes) of all that an edit builds on: the definition, the revision, what is live."""
        definition = [self.declared.get(key) for key in DEFINITION]
        return f'"{digest([definition, self._override().revision, effective_config(self.routes())], 32)}"'

    def _decisions(self) -> Decisions:
        return decisions_from_item(self.decision)

    def _override(self) -> Override:
        return override_from_item(self.declared[SK], self.override)


@dataclass(frozen=True, slots=True)
class Unchanged:
    """A condition: the item at (`pk`, `sk`) still has these attributes; an attribute that is None must not be there."""

    pk: str
    sk: str
    attributes: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Put:
    """A put of a whole `item`, provided that the item that it replaces is `unchanged`."""

    item: Item
    unchanged: Unchanged


@dataclass(frozen=True, slots=True)
class Delete:
    """A delete of the item that is `unchanged`."""

    unchanged: Unchanged


Write = Put | Delete | Unchanged


@dataclass(frozen=True, slots=True)
class Edit:
    """An edit that may be made: all of `writes`, in one transaction, or nothing."""

    revision: int
    etag: str
    """The ETag that the event has after it."""
    routes: Mapping[str, EffectiveRoute]
    """The event's effective routes after it."""
    writes: tuple[Write, ...]


@dataclass(frozen=True, slots=True)
class PreconditionFailed:
    """The caller's If-Match does not hold any more: HTTP 412. `etag` is what would."""

    etag: str


@dataclass(frozen=True, slots=True)
class Refused:
    """The edit is well-formed but cannot be made as it is: every reason."""

    problems: tuple[Problem, ...]


def apply_edit(
    items: EventItems,
    posted: Mapping[str, JsonObject],
    *,
    who: str,
    when: datetime,
    if_match: str | None = None,
    flows: Iterable[Item] = (),
) -> Edit | PreconditionFailed | Refused:
    """What the edit "the event's routing config is `posted`" comes to.

    `posted` holds the configs of all routes that the event shall have and has passed `check_routing_config`; `who`
    names the caller, `when` is aware, `if_match` is the header's value; `flows` are the items of all flows that it
    names. A route left out is deleted, one that says what is declared is no edit, one that is live as posted keeps the
    edit that it has, with its author, basis and revision (so that a conflict on it stays reported), and edits that
    decisions have voided go. Every edit counts a revision, also one that changes nothing. Raises KeyError, TypeError or
    ValueError for items that are malformed.
    """
    if if_match is not None and not if_match_holds(if_match, items.etag()):
        return PreconditionFailed(items.etag())
    event = event_from_item(items.declared)
    wanted = {name: route_from_config(event.id, name, config) for name, config in posted.items()}
    before = items.routes()
    live = effective_config(before)
    problems = [
        problem
        for name, route in wanted.items()
        if name in live and (problem := too_many_at_once(event, live[name], route))
    ]
    old = override_from_item(event.id, items.override)
    at = when.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    revision = old.revision + 1
    configs = {name: route.config() for name, route in wanted.items()}
    declared = declared_config(items.declared)
    edits: dict[str, RouteEdit] = {}
    for name in sorted({*before, *configs}):
        config = configs.get(name)
        was = before.get(name)
        if was is not None and was.edit and was.outcome != "void" and _same(config, was.edit.config):
            if was.outcome != "converged":
                edits[name] = was.edit
        elif not _same(config, declared.get(name)):
            edits[name] = RouteEdit(config, config_hash(declared.get(name)), revision, at, who)
    override = Override(event.id, revision, at, who, edits)
    history = history_item(
        event.id,
        revision=revision,
        at=at,
        by=who,
        routing_config=configs,
        expires=int(when.timestamp()) + HISTORY_SECONDS,
    )
    item = override.item()
    problems += [problem for each in (item, history) if (problem := _too_large(event.id, each))]
    naming = _naming(flows, named_flows(live.values()))
    problems += _too_many_flows(event.id, naming)
    if problems:
        return Refused(tuple(problems))
    after = EventItems(items.declared, items.decision, item)
    return Edit(revision, after.etag(), after.routes(), (*_writes(items, item, history), *naming))


def named_flows(configs: Iterable[JsonObject]) -> set[str]:
    """The flows that route configs name."""
    return {target["flow"] for config in configs for target in config["targets"] if "flow" in target}


def flow_unchanged(item: Item) -> Unchanged:
    """A flow that the API made is what it was when `item` was read, and no route has been made to name it since."""
    return Unchanged(FLOW, item[SK], {key: item[key] for key in ("Origin", "Revision", "EditedAt", "Named")})


def _naming(flows: Iterable[Item], before: set[str]) -> list[Write]:
    """What goes with an edit after which routes name `flows`: those that the API made and that no route of the event
    named `before` are counted, so that a DELETE at the same time finds them changed; all must still be there."""
    return [
        Put({**item, "Named": item["Named"] + 1}, flow_unchanged(item))
        if is_of_api(item) and item[SK] not in before
        else Unchanged(FLOW, item[SK], {"Origin": item["Origin"]})
        for item in flows
    ]


class EditStore(Protocol):
    """What making an edit needs of the event store (`signalbox.aws.store.DynamoStore` has it)."""

    def event_items(self, event_id: str) -> EventItems | None:
        """The event's items, read consistently; None: the event is not declared. Raises StoreError."""
        ...

    def commit(self, writes: Sequence[Write]) -> None:
        """All of `writes` in one transaction, or none. Raises ChangedError, StoreError."""
        ...


def make_edit(
    store: EditStore,
    event_id: str,
    change: Callable[[EventItems], Edit | PreconditionFailed | Refused],
    *,
    sleep: Callable[[float], None] = time.sleep,
    jitter: Callable[[], float] = random.random,
) -> Edit | PreconditionFailed | Refused | None:
    """Makes the edit that `change` computes (a check of the body, then `apply_edit`), however many others edit too.

    None: the event is not declared. Raises StoreError, of which BusyError says that nothing was written.
    """

    def once() -> Edit | PreconditionFailed | Refused | None:
        items = store.event_items(event_id)
        edit = None if items is None else change(items)
        if isinstance(edit, Edit):
            store.commit(edit.writes)
        return edit

    return contended(event_id, once, sleep=sleep, jitter=jitter)


def contended(what: str, once: Callable[[], T], *, sleep: Callable[[float], None], jitter: Callable[[], float]) -> T:
    """What `once` gives, which reads, computes and commits: again from the start while others were faster.

    Raises BusyError, which says that nothing was written, when they still are after TRIES.
    """
    for attempt in range(1, TRIES + 1):
        try:
            return once()
        except (ChangedError, BusyError):
            sleep(jitter() * min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempt - 1)))
    raise BusyError(f"{what} is being edited by too many others; try again")


def _same(one: JsonObject | None, other: JsonObject | None) -> bool:
    return config_hash(one) == config_hash(other)


def if_match_holds(if_match: str, etag: str) -> bool:
    """Does the header If-Match let a change through of what `etag` names?

    RFC 9110, 13.1.1: a list of ETags, compared strongly, or `*` for any.
    """
    tags = [tag.strip() for tag in if_match.split(",")]
    return "*" in tags or etag in tags


def _too_large(event_id: str, item: Item) -> Problem | None:
    size = item_bytes(item)
    if size <= ITEM_BYTES:
        return None
    return Problem(
        code="item-too-large",
        what=f"the event's run-time edits do not fit an item of the store ({item[PK]})",
        got=f"{size} bytes",
        allowed=f"{ITEM_BYTES} bytes",
        fix="edit fewer routes at run time, or take edits over into the definitions (python -m signalbox pull)",
        path=event_id,
    )


def _too_many_flows(event_id: str, naming: Sequence[Write]) -> list[Problem]:
    if len(naming) <= FLOWS_PER_EDIT:
        return []
    return [
        Problem(
            code="flows-too-many",
            what="the event's routes name too many flows for one edit",
            got=str(len(naming)),
            allowed=f"at most {FLOWS_PER_EDIT}",
            fix="take routes over into the definitions (python -m signalbox pull)",
            path=event_id,
        )
    ]


def _writes(items: EventItems, override: Item, history: Item) -> tuple[Put | Unchanged, ...]:
    event_id = override[SK]
    revision = items.override["Revision"] if items.override else None
    decided = items.decision["Routes"] if items.decision else None
    return (
        Unchanged(EVENTS, event_id, {key: items.declared.get(key) for key in DEFINITION}),
        Unchanged(DECISION, event_id, {"Routes": decided}),
        Put(override, Unchanged(OVERRIDE, event_id, {"Revision": revision})),
        Put(history, Unchanged(history[PK], history[SK], {PK: None})),
    )
