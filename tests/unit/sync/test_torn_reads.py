"""A snapshot of the store is read partition by partition while others write: what it says was so at some time."""

from itertools import combinations_with_replacement

import pytest

from signalbox.effective import Decision, Override, RouteEdit, config_hash, decisions_item, effective_config, stored
from signalbox.model import Event, route_from_config
from signalbox.store import DECISION, EVENTS, OVERRIDE, PK, SNAPSHOT, StoreSnapshot, event_item

CONFIG = {"targets": [{"topic": "sms"}]}
OTHER = {"targets": [{"topic": "mail"}]}


def declared(**routes):
    return event_item(
        Event("outage", ("park",), None, {}, {name: route_from_config("outage", name, c) for name, c in routes.items()})
    )


def edited(revision, **edits):
    routes = {
        name: RouteEdit(config, basis, 1, "2026-11-22T00:00:00Z", "alice") for name, (config, basis) in edits.items()
    }
    return Override("outage", revision, "2026-11-22T00:00:00Z", "alice", routes).item()


def decided(winner, declared_hash):
    return decisions_item("outage", {"x": Decision(winner, 1, declared_hash, "chosen")})


ADDED = edited(1, x=(CONFIG, config_hash(None)))
CHANGED = edited(1, x=(CONFIG, config_hash(OTHER)))
PRUNED = edited(2)

HISTORIES = {
    # A route made at run time is pulled into the definitions, deployed, and its edit pruned by the next.
    "taken over": [
        {EVENTS: declared(), OVERRIDE: ADDED},
        {EVENTS: declared(), OVERRIDE: ADDED, DECISION: decided("definitions", config_hash(CONFIG))},
        {EVENTS: declared(x=CONFIG), OVERRIDE: ADDED, DECISION: decided("definitions", config_hash(CONFIG))},
        {EVENTS: declared(x=CONFIG), OVERRIDE: PRUNED, DECISION: decided("definitions", config_hash(CONFIG))},
    ],
    # The definitions lose the route and the edit wins; then an edit says that it shall go.
    "kept for a while": [
        {EVENTS: declared(x=OTHER), OVERRIDE: CHANGED},
        {EVENTS: declared(x=OTHER), OVERRIDE: CHANGED, DECISION: decided("store", config_hash(None))},
        {EVENTS: declared(), OVERRIDE: CHANGED, DECISION: decided("store", config_hash(None))},
        {EVENTS: declared(), OVERRIDE: PRUNED, DECISION: decided("store", config_hash(None))},
    ],
    "given up": [
        {EVENTS: declared(x=OTHER), OVERRIDE: CHANGED},
        {EVENTS: declared(x=OTHER), OVERRIDE: CHANGED, DECISION: decided("definitions", config_hash({"targets": []}))},
        {EVENTS: declared(x=CONFIG), OVERRIDE: CHANGED, DECISION: decided("definitions", config_hash(CONFIG))},
        {EVENTS: declared(x=CONFIG), OVERRIDE: PRUNED, DECISION: decided("definitions", config_hash(CONFIG))},
    ],
}


def live(items):
    snapshot = StoreSnapshot.of(item for item in items if item)
    return effective_config(stored("outage", snapshot))


@pytest.mark.parametrize("name", HISTORIES)
def test_what_is_read_while_others_write_was_so_at_some_time(name):
    history = HISTORIES[name]
    true = [live(state.values()) for state in history]
    order = [partition for partition in SNAPSHOT if partition in (EVENTS, DECISION, OVERRIDE)]
    for times in combinations_with_replacement(range(len(history)), len(order)):
        read = [history[time].get(partition) for partition, time in zip(order, times, strict=True)]
        assert live(read) in true, dict(zip(order, times, strict=True))


def test_every_partition_that_is_read_has_a_field():
    snapshot = StoreSnapshot.of({PK: partition, "SK": "x"} for partition in SNAPSHOT)
    assert all(getattr(snapshot, field) for field in SNAPSHOT.values())
