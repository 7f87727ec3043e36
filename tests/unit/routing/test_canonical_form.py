"""Canonical JSON: one text for one value, and the quick way to it gives the same text as the careful one."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from signalbox import canonical as module
from signalbox.canonical import canonical, same
from signalbox.classic import pattern_of
from signalbox.model import Event, Route
from signalbox.patterns import matches

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=15,
)


@given(values)
@example({"b": [1, -1, 2**53, -(2**53), True, None], "a": '"\\/\x00\x1f\x7f\b\f\n\r\t'})
@example({"a": 2**53 + 1})
@example([10**21, 100, 0, -0.0, 1.0])
@example("\u2028é\ud800")
def test_the_quick_way_writes_what_the_careful_one_does(value: Any) -> None:
    assert canonical(value) == module._written(value)


@given(values)
def test_a_value_read_back_has_the_same_text(value: Any) -> None:
    text = canonical(value)
    assert canonical(json.loads(text)) == text


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"b": 1, "a": (2, None)}, '{"a":[2,null],"b":1}'),
        (2**53 + 1, "9007199254740992"),
        (1e2, "100"),
        (1e21, "1e+21"),
        ("<&>", '"<&>"'),
    ],
)
def test_numbers_go_through_float64_and_keys_are_sorted(value: Any, text: str) -> None:
    assert canonical(value) == text


@pytest.mark.parametrize("value", [{1: 2}, {"a": {None: 1}}, object(), [b"x"], {"a", "b"}])
def test_what_json_cannot_hold_is_refused(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize(("one", "other"), [(1, True), (0, False), ([1], [True]), ({"a": [0]}, {"a": [False]})])
def test_true_is_not_one(one: Any, other: Any) -> None:
    assert not same(one, other)
    assert same(one, json.loads(canonical(one)))


def test_a_pattern_is_tried_in_the_order_in_which_it_is_deployed():
    # Of two lists on one field EventBridge takes the later, and the rule's text has its fields sorted.
    event = Event(id="e", source=("s",), detail_type=("d",), schema={})
    pattern = {"flag": ["c"], "$or": [{"flag": ["a"]}, {"flag": ["b"]}]}
    made = pattern_of(event, Route("e", "r", (), pattern=pattern))
    assert json.dumps(made, separators=(",", ":")) == canonical(made)
    for flag in "abc":
        sent = {"source": "s", "detail-type": "d", "detail": {"flag": flag}}
        assert matches(made, sent) == matches(canonical(made), sent)
