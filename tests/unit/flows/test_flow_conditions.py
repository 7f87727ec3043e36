"""A pattern as a JSONata condition says what the pattern says."""

import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalbox import patterns
from signalbox.flows.conditions import Unsayable, condition
from tests.unit.flows.jsonata_engine import evaluate

# A small world, so that patterns and events meet often. No field has a dot in its name, no array is directly in
# another, and no null is in an array: the last is the Python engine's limit, the others are said in the module.
NAMES = ("a", "b", "detail-type", "in")
TEXTS = ("", "ab", "AB", "abcab", "x.png", "10.0.0.7", "10.0.1.7", "b*", '"q"', "é")
scalars = st.sampled_from([*TEXTS, 0, 1, -1, 1.5, 300, 1e10, True, False])
values = st.deferred(
    lambda: st.one_of(
        scalars,
        st.none(),
        st.lists(st.one_of(scalars, objects), max_size=3),
        objects,
    )
)
objects = st.deferred(lambda: st.dictionaries(st.sampled_from(NAMES), values, max_size=3))
texts = st.sampled_from(TEXTS)
full = texts.filter(bool)
numbers = st.sampled_from([0, 1, -1, 1.5, 300])
matchers = st.one_of(
    scalars,
    st.none(),
    st.builds(lambda t: {"prefix": t}, texts),
    st.builds(lambda t: {"suffix": t}, texts),
    st.builds(lambda t: {"prefix": {"equals-ignore-case": t}}, texts),
    st.builds(lambda t: {"suffix": {"equals-ignore-case": t}}, texts),
    st.builds(lambda t: {"equals-ignore-case": t}, texts),
    st.builds(
        lambda t: {"wildcard": t}, st.sampled_from(["*", "a*", "*b", "a*b", "*b*a*", "a*b*b", "\\*", "b\\*", "ab"])
    ),
    st.builds(lambda n: {"numeric": [">", n]}, numbers),
    st.builds(lambda n: {"numeric": ["<=", n]}, numbers),
    st.builds(lambda n: {"numeric": ["=", n]}, numbers),
    st.just({"numeric": [">=", 0, "<", 2]}),
    st.just({"cidr": "10.0.0.0/24"}),
    st.builds(lambda flag: {"exists": flag}, st.booleans()),
    st.builds(lambda t: {"anything-but": t}, st.lists(texts, min_size=1, max_size=2)),
    st.builds(lambda n: {"anything-but": n}, st.lists(numbers, min_size=1, max_size=2)),
    st.builds(lambda t: {"anything-but": {"prefix": t}}, full),
    st.builds(lambda t: {"anything-but": {"suffix": t}}, full),
    st.builds(lambda t: {"anything-but": {"equals-ignore-case": t}}, texts),
    st.builds(lambda t: {"anything-but": {"wildcard": t}}, st.sampled_from(["a*", "*b"])),
)
fields = st.lists(matchers, min_size=1, max_size=3)
pattern_objects = st.deferred(
    lambda: st.dictionaries(st.sampled_from(NAMES), st.one_of(fields, pattern_objects), min_size=1, max_size=3)
)
either = st.lists(pattern_objects, min_size=2, max_size=2).map(lambda both: {"$or": both})


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(pattern=st.one_of(pattern_objects, either), event=objects)
def test_a_condition_holds_exactly_where_the_pattern_matches(pattern, event) -> None:
    if patterns.check(pattern):
        return
    try:
        test = condition(pattern)
    except Unsayable as refused:
        assert refused.what == "this pattern can be met in too many ways"
        return
    assert evaluate(test, {"input": event}) is patterns.matches(pattern, event)


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ({"detail": {"type": ["Info"]}}, '"Info" in $states.input.detail.type'),
        ({"a": ["x", 1, None]}, '("x" in $states.input.a or 1 in $states.input.a or null in $states.input.a)'),
        (
            {"detail": {"a": [1], "b": [2]}},
            "$exists($states.input.detail[1 in a and 2 in b])",
        ),
        ({"detail-type": ["x"]}, '"x" in $states.input.`detail-type`'),
        ({"a`b": ["x"]}, '"x" in $states.input."a`b"'),
        ({"a": [{"exists": False}]}, '$not($exists($states.input.a[$type($) != "object"]))'),
    ],
)
def test_conditions_can_be_read(pattern, said) -> None:
    assert condition(pattern) == said


def test_conditions_on_one_array_are_for_one_element() -> None:
    test = condition({"rides": {"id": ["a"], "open": [True]}})
    assert evaluate(test, {"input": {"rides": [{"id": "a", "open": False}, {"id": "b", "open": True}]}}) is False
    assert evaluate(test, {"input": {"rides": [{"id": "b"}, {"id": "a", "open": True}]}}) is True


@pytest.mark.parametrize(
    ("matcher", "got"),
    [
        ({"cidr": "2001:db8::/32"}, "2001:db8::/32"),
        ({"equals-ignore-case": "straße"}, "straße"),
        (9007199254740993, "9007199254740993"),
        ({"numeric": ["=", 0.1234567890123456]}, ""),
    ],
)
def test_what_jsonata_cannot_say_is_refused_and_nothing_else(matcher, got) -> None:
    pattern = {"detail": {"a": [matcher]}}
    if not got:
        assert condition(pattern)
        return
    with pytest.raises(Unsayable) as refused:
        condition(pattern)
    assert refused.value.got == got
    assert refused.value.place[:2] == ("detail", "a")
    assert refused.value.fix


def test_a_pattern_that_can_be_met_in_too_many_ways_is_refused() -> None:
    pattern = {name: [{"exists": False}, "x"] for name in "abcdefg"}
    with pytest.raises(Unsayable, match="too many ways"):
        condition(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        {"a": [f"v{n}" for n in range(250)]},
        {"a": [{"prefix": f"v{n}"} for n in range(250)]},
        {"a": [{"numeric": ["=", n]} for n in range(250)]},
        {"a": [{"anything-but": {"suffix": [f"v{n}" for n in range(250)]}}]},
        {f"f{n}": ["x"] for n in range(250)},
        {"o": {f"f{n}": [{"exists": True}] for n in range(250)}},
        {"$or": [{f"f{n}": ["x"]} for n in range(50)]},
    ],
    ids=lambda pattern: next(iter(pattern)),
)
def test_the_biggest_patterns_go_no_deeper_than_step_functions_does(pattern) -> None:
    fits = {f"f{n}": "x" for n in range(250)}
    for event in ({"a": "v249"}, {"a": 249}, {"a": "none"}, fits, {"o": fits}, {}):
        assert evaluate(condition(pattern), {"input": event}) is patterns.matches(pattern, event)


def test_a_wildcard_takes_no_longer_than_the_text() -> None:
    test = condition({"a": [{"wildcard": "*a*a*a*a*b"}]})
    assert evaluate(test, {"input": {"a": "a" * 50_000}}) is False


def test_every_text_of_a_pattern_is_quoted() -> None:
    for text in ('"', "\\", "\n", "\u2028", "\x00", "%}", "*/", "`", "\U0001f3a2"):
        pattern = json.loads(json.dumps({text or "x": [text]}))
        assert evaluate(condition(pattern), {"input": {text: text}}) is True
