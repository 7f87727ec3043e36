"""What is written can be read, encodes, and says the same."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.runtime.text import clip, from_text, printable, size, to_text

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=20,
)


@given(json_values)
def test_every_json_value_comes_back(value: object) -> None:
    text = to_text(value)
    assert from_text(text) == value
    text.encode()
    assert size(text) == len(text.encode())


@given(st.text(alphabet=st.characters(min_codepoint=0xD800, max_codepoint=0xDFFF), max_size=1))
def test_half_a_surrogate_pair_survives_as_an_escape(half: str) -> None:
    text = to_text({"a": half})
    text.encode()
    assert json.loads(text) == {"a": half}


def test_a_number_beyond_float_stays_a_number_beyond_float() -> None:
    value = json.loads('{"a": [1e400, -1e400, 1.5], "b": "Infinity"}')
    text = to_text(value)
    assert "Infinity]" not in text
    assert json.loads(text, parse_constant=pytest.fail) == value


@pytest.mark.parametrize("text", ["NaN", "[Infinity]", "-Infinity", "", "{", "'a'", "[" * 200_000])
def test_what_is_no_json_is_refused_as_a_value_error(text: str) -> None:
    with pytest.raises(ValueError):
        from_text(text)


def test_a_clipped_text_is_never_longer_than_asked() -> None:
    assert clip("abc", 3) == "abc"
    assert clip("abcd", 3) == "ab…"


@given(st.text(), st.integers(1, 50))
def test_a_printable_text_is_on_one_line_and_bounded_and_what_is_printable_already_stays(
    text: str, length: int
) -> None:
    shown = printable(text, length)
    assert shown.isprintable()
    assert len(shown) <= length
    assert shown == printable(shown, length)
    if text.isprintable() and len(text) <= length:
        assert shown == text


def test_what_a_terminal_acts_on_is_shown_as_an_escape() -> None:
    assert printable("a\n\x1b[2J\x9b\u202e\ud800", 100) == r"a\n\x1b[2J\x9b\u202e\ud800"
