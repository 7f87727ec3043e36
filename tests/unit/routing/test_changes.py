"""What a reviewer is told: every difference, in words, with the samples that take another way."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.changes import bounded, changes, summary
from signalbox.model import Event, Sample, route_from_config

INFO = {"rideId": "ride-001", "type": "Info"}
WARNING = {"rideId": "ride-002", "type": "Warning"}
MAIL = {"targets": [{"topic": "mail"}]}


def events(routes, *, samples=(INFO, WARNING), schema=None) -> dict[str, Event]:
    event = Event(
        "outage",
        ("park.rides",),
        ("outage",),
        schema or {"type": "object"},
        {name: route_from_config("outage", name, config) for name, config in routes.items()},
        tuple(Sample(sample) for sample in samples),
    )
    return {"outage": event}


def said(before, after) -> list[str]:
    return [line for change in changes(before, after) for line in change.lines()]


def test_nothing_is_said_where_nothing_changes():
    same = {"a": {"pattern": {"type": ["Info"]}, **MAIL}}
    assert said(events(same), events(same)) == []
    assert summary(changes(events(same), events(same))) == "no route changes"


@pytest.mark.parametrize(("old", "new"), [(1, True), (0, False), (True, 1)])
def test_a_number_that_becomes_a_boolean_is_a_change(old, new):
    before = events({"a": {"pattern": {"x": [old]}, **MAIL}}, samples=({"x": old},))
    after = events({"a": {"pattern": {"x": [new]}, **MAIL}}, samples=({"x": old},))
    (change,) = changes(before, after)
    assert (change.kind, change.what[0][:19]) == ("changed", "the pattern changes")
    assert change.samples[0].endswith("is no longer taken")


def test_a_changed_pattern_names_the_samples_that_go_elsewhere():
    before = events({"a": {"pattern": {"type": ["Info"]}, **MAIL}})
    after = events({"a": {"pattern": {"type": ["Warning"]}, **MAIL}})
    assert said(before, after) == [
        "outage/a: the pattern changes",
        'outage/a: the pattern was {"detail":{"type":["Info"]}}',
        'outage/a: the pattern is now {"detail":{"type":["Warning"]}}',
        "outage/a: sample 1 (type=Info, rideId=ride-001) is no longer taken",
        "outage/a: sample 2 (type=Warning, rideId=ride-002) is now taken, was not",
    ]


def test_a_route_that_is_switched_off_takes_nothing_any_more():
    before = events({"a": MAIL})
    after = events({"a": {**MAIL, "enabled": False}})
    assert said(before, after)[0] == "outage/a: is switched off"
    assert len(said(before, after)) == 3


def test_added_removed_and_retargeted_routes_are_told_apart():
    before = events({"gone": MAIL, "moved": MAIL}, samples=())
    after = events({"new": MAIL, "moved": {"targets": [{"function": "f"}]}}, samples=())
    assert said(before, after) == [
        "outage/gone: removed; it went to topic mail",
        "outage/moved: now also goes to function f; no longer goes to topic mail",
        "outage/new: added, to topic mail",
    ]
    assert summary(changes(before, after)) == "1 route added, 1 route removed, 1 route changed"


def test_retries_inputs_and_schemas_are_said_too():
    before = events({"a": MAIL}, samples=())
    transformed = {"targets": [{"topic": "mail", "input": {"paths": {}, "template": '"hi"'}}], "retry": {"attempts": 0}}
    after = events({"a": transformed}, samples=(), schema={"type": "object", "required": ["x"]})
    assert said(before, after) == [
        "outage: the schema changes: events that do not fit it go to undelivered",
        "outage/a: sends to topic mail with another input; "
        "is tried up to 0 times over 86400 s, was up to 185 times over 86400 s",
    ]


def test_an_event_that_moves_to_another_source_changes_every_route_of_it():
    before = events({"a": MAIL, "b": MAIL}, samples=())
    after = {"outage": replace(before["outage"], source=("park.gates",))}
    was, now = 'the pattern was {"source":["park.rides"]}', 'the pattern is now {"source":["park.gates"]}'
    assert said(before, after) == [
        f"outage/{name}: {what}" for name in "ab" for what in ("the pattern changes", was, now)
    ]


def test_an_event_that_comes_from_another_bus_is_said_though_no_route_changes():
    before = events({"a": MAIL})
    after = {"outage": replace(before["outage"], from_bus="gates")}
    assert said(before, after) == ["outage: its events now come from the bus gates, no longer from the stack's own bus"]
    assert summary(changes(before, after)) == "1 event changed"
    assert changes(before, after, buses=False) == []
    # That is where they came from before.
    services = {"outage": replace(before["outage"], source=("aws.s3",))}
    assert changes(services, {"outage": replace(services["outage"], from_bus="default")}) == []


def test_what_samples_and_patterns_hold_stays_on_its_line_and_is_clipped():
    sample = {"a)\noutage/b: removed": "\x1b[31m\u202e" + "x" * 5_000, "k" * 5_000: 1}
    before = events({"a": {"pattern": {"k": ["x\n" * 5_000]}, **MAIL}}, samples=(sample,))
    after = events({"a": MAIL}, samples=(sample,))
    lines = said(before, after)
    assert len(lines) == 4
    assert all(line.startswith("outage/a: ") and line.isprintable() and len(line) < 400 for line in lines)


def test_long_patterns_are_shown_from_where_they_part():
    ids = [f"ride-{number}" for number in range(1_000)]
    before = events({"a": {"pattern": {"id": [*ids, "old"]}, **MAIL}}, samples=())
    after = events({"a": {"pattern": {"id": [*ids, "new"]}, **MAIL}}, samples=())
    was, now = said(before, after)[1:]
    assert '"old"' in was and '"new"' in now
    assert len(was) < 300


def test_a_sample_for_which_no_event_can_be_made_up_is_said_and_nothing_claimed_of_it():
    nothing = Event("e", ({"exists": False},), None, {}, {}, (Sample({}),))
    after = {"e": replace(nothing, routes={"a": route_from_config("e", "a", MAIL)})}
    (line,) = said({"e": nothing}, after)[1:]
    assert line.startswith("e/a: sample 1 cannot be tried: it names no source")


def test_many_targets_are_counted():
    after = events({"a": {"targets": [{"topic": f"t{number}"} for number in range(200)]}}, samples=())
    assert said({}, after)[0].endswith("topic t9, 190 more")


@given(st.integers(0, 200), st.integers(0, 50))
def test_a_preview_is_bounded_and_says_so(routes, limit):
    after = events({f"r{index:03}": MAIL for index in range(routes)})
    lines = bounded(changes({}, after), limit)
    assert len(lines) <= limit + 1
    whole = [line for change in changes({}, after) for line in change.lines()]
    if len(whole) > limit:
        assert lines[-1] == f"and {len(whole) - limit} lines more: python -m signalbox plan"
    else:
        assert lines == whole


def test_many_samples_are_counted_instead_of_listed():
    after = events({"a": MAIL}, samples=[{"n": index} for index in range(50)])
    assert said({}, after)[-1] == "outage/a: and 45 more samples"


def test_another_message_group_or_partition_key_is_said_for_what_it_is():
    before = events({"a": {"targets": [{"queue": "q", "message-group": "x"}]}}, samples=())
    after = events({"a": {"targets": [{"queue": "q", "message-group": "y"}]}}, samples=())
    assert said(before, after) == ["outage/a: sends to queue q with another message group"]


def test_an_event_that_becomes_one_of_an_aws_service_comes_from_the_default_bus():
    before = events({"a": MAIL}, samples=())
    after = {"outage": replace(before["outage"], source=("aws.s3",))}
    assert said(before, after)[0] == (
        "outage: its events now come from the bus default, no longer from the stack's own bus"
    )
