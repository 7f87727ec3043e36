"""Run-time edits written back: only what was edited changes, and the file says what the edit says."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox.cli.pull import with_routes
from signalbox.definitions.yaml12 import read_text
from signalbox.effective import EffectiveRoute

PARK = sorted((Path(__file__).parents[3] / "mappings" / "events").glob("*.yaml"))
TEXT = """\
# Who stops, and why.
source: park.rides   # the controller's
schema: {type: object}
routes:
  # nobody sleeps
  call:
    pattern: {type: [Emergency]}  # loud
    # by phone
    targets:
      - topic: sms      # the night shift
  inform:
    targets: [{topic: mail}]
"""


def kept(config):
    return EffectiveRoute("", config, "kept", None)


def routes_of(text: str):
    return read_text(text).value.get("routes", {})


@pytest.mark.parametrize("file", PARK, ids=lambda file: file.stem)
def test_without_an_edit_no_byte_changes(file):
    text = file.read_text()
    assert with_routes(text, {}) == (text, {})
    same = {name: kept(config) for name, config in routes_of(text).items()}
    assert with_routes(text, same) == (text, {})


def test_comments_order_and_other_routes_stay():
    edited = {"call": kept({"pattern": {"type": ["Emergency", "Warning"]}, "targets": [{"topic": "sms"}]})}
    text, done = with_routes(TEXT, edited)
    assert done == {"call": "changed"}
    # The comment stays on its line, one blank behind what is now longer.
    assert text == TEXT.replace("[Emergency]}  #", "[Emergency, Warning]} #")


def test_a_target_is_added_below_those_that_stay():
    edited = {"call": kept({"pattern": {"type": ["Emergency"]}, "targets": [{"topic": "sms"}, {"function": "f"}]})}
    text, _ = with_routes(TEXT, edited)
    assert text == TEXT.replace("# the night shift\n", "# the night shift\n      - {function: f}\n")


def test_deleted_routes_go_and_new_ones_come():
    text, done = with_routes(TEXT, {"inform": kept(None), "log": kept({"targets": [{"log-group": "all"}]})})
    assert done == {"inform": "taken out", "log": "added"}
    assert routes_of(text).keys() == {"call", "log"}
    assert "# nobody sleeps" in text


def test_an_event_without_routes_gets_its_first():
    text, done = with_routes("source: a\nschema: {}\n", {"log": kept({"targets": [{"log-group": "all"}]})})
    assert done == {"log": "added"}
    assert routes_of(text) == {"log": {"targets": [{"log-group": "all"}]}}


@pytest.mark.parametrize(("was", "edited"), [("1", True), ("0", False), ("true", 1), ("false", 0)])
def test_a_number_that_becomes_a_boolean_is_written(was, edited):
    file = TEXT.replace("[Emergency]", f"[{was}]")
    text, done = with_routes(file, {"call": kept({"pattern": {"type": [edited]}, "targets": [{"topic": "sms"}]})})
    assert done == {"call": "changed"}
    assert routes_of(text)["call"]["pattern"]["type"][0] is edited


def test_a_boolean_with_an_anchor_is_one():
    file = TEXT.replace("[Emergency]", "[&on true]")
    edit = kept({"pattern": {"type": [True]}, "targets": [{"topic": "sms"}]})
    assert with_routes(file, {"call": edit}) == (file, {})


_VALUES = st.recursive(
    st.sampled_from(["on", "no", "2026-11-22", "1_000", "", " ", "- x", "# y", "a: b", "'", '"', "~", "é", "0o17"])
    | st.integers(-(2**53), 2**53)
    | st.booleans()
    | st.none(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text("abn-", min_size=1, max_size=3), inner, max_size=3)
    ),
    max_leaves=8,
)
_CONFIGS = st.fixed_dictionaries(
    {
        "targets": st.lists(
            st.fixed_dictionaries({"topic": st.sampled_from(["mail", "on", "no"])}), min_size=1, max_size=3
        )
    },
    optional={"pattern": st.dictionaries(st.text("abn-", min_size=1, max_size=3), _VALUES, min_size=1, max_size=3)},
)


@settings(max_examples=60, deadline=None)
@given(st.dictionaries(st.sampled_from(["call", "inform", "new"]), st.none() | _CONFIGS, min_size=1))
def test_the_file_says_what_the_edits_say_as_yaml_1_2_reads_it(edits):
    text, _ = with_routes(TEXT, {name: kept(config) for name, config in edits.items()})
    wanted = {**routes_of(TEXT), **edits}
    assert routes_of(text) == {name: config for name, config in wanted.items() if config is not None}
    assert text.startswith("# Who stops, and why.\nsource: park.rides   # the controller's\n")
