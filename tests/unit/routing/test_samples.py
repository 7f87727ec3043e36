"""What is made up around a detail: nothing that the event's matchers do not take."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.model import Event, Sample
from signalbox.patterns import check, matches
from signalbox.samples import NoExampleError, example, sample_event

TEXTS = st.text('aszAZ09*\\\\."é', max_size=6)
MATCHERS = st.one_of(
    TEXTS,
    st.builds(lambda operator, text: {operator: text}, st.sampled_from(["exactly", "equals-ignore-case"]), TEXTS),
    st.builds(lambda operator, text: {operator: text}, st.sampled_from(["prefix", "suffix", "wildcard"]), TEXTS),
    st.builds(
        lambda operator, text: {operator: {"equals-ignore-case": text}}, st.sampled_from(["prefix", "suffix"]), TEXTS
    ),
    st.builds(lambda texts: {"anything-but": texts}, st.lists(TEXTS, min_size=1, max_size=5) | TEXTS),
    st.builds(
        lambda operator, text: {"anything-but": {operator: text}},
        st.sampled_from(["prefix", "suffix", "wildcard", "equals-ignore-case"]),
        TEXTS,
    ),
    st.builds(lambda there: {"exists": there}, st.booleans()),
    st.sampled_from([{"cidr": "10.0.0.0/8"}, {"cidr": "2001:db8::/32"}, 5, None, {"numeric": [">", 5]}]),
).filter(lambda matcher: not check({"field": [matcher]}))


@given(MATCHERS)
def test_an_example_is_one(matcher: Any) -> None:
    made = example(matcher)
    assert made is None or matches({"field": [matcher]}, {"field": made})


@pytest.mark.parametrize(
    "matcher",
    [
        "a",
        {"exactly": "my.shop"},
        {"prefix": "my."},
        {"suffix": {"equals-ignore-case": "SHOP"}},
        {"wildcard": "my.*"},
        {"wildcard": "a\\*b*\\\\c"},
        {"anything-but": ["sample", "a", "b"]},
        {"anything-but": {"prefix": "s"}},
        {"cidr": "10.0.0.0/8"},
        {"exists": True},
    ],
    ids=str,
)
def test_where_a_text_is_taken_one_is_known(matcher: Any) -> None:
    assert example(matcher) is not None


def test_the_first_matcher_is_used_for_which_an_example_is_known_and_none_is_said() -> None:
    event = Event("e", ({"exists": False}, {"exactly": "my.shop"}), None, {})
    assert sample_event(event, Sample({}))["source"] == "my.shop"
    with pytest.raises(NoExampleError, match="names no source"):
        sample_event(Event("e", ({"exists": False},), None, {}), Sample({}))
