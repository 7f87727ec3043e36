"""What patterns mean, said as laws: together with the recorded answers of the reference these fix the behaviour."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox.patterns import EventError, PatternError, RuleSet, check, compile, explain, has_wildcard, leaves, matches
from tests.conformance.generate import Generator
from tests.cpu import pace

texts = st.text(alphabet="abAB*\\éß😀", max_size=5)
values = st.none() | st.booleans() | st.integers(-5, 5) | texts


@given(seed=st.integers(0, 10_000))
@settings(max_examples=15, deadline=None)
def test_a_rule_set_gives_what_its_rules_give_one_by_one(seed: int) -> None:
    questions = Generator(seed, odd=0.2).questions(3)
    asked = [next(questions) for _ in range(15)]
    patterns = {n: compile(q.pattern) for n, q in enumerate(asked) if not check(q.pattern)}
    rules = RuleSet(patterns)
    for event in (event for question in asked for event in question.events):
        assert rules.match(event) == {n for n, pattern in patterns.items() if pattern.matches(event)}


@given(seed=st.integers(0, 10_000))
@settings(max_examples=60, deadline=None)
def test_text_and_object_mean_the_same_where_python_keeps_all_of_the_text(seed: int) -> None:
    question = next(Generator(seed, odd=0.0).questions(3))
    try:
        pattern = json.loads(question.pattern)
    except ValueError:
        return
    if json.loads(json.dumps(pattern)) != pattern or check(question.pattern) or question.pattern.count('":') > 12:
        return
    for event in question.events:
        if json.dumps(json.loads(event), separators=(",", ":")) == event:
            assert matches(json.dumps(pattern), event) == matches(pattern, json.loads(event))


@given(text=texts, value=values)
@settings(max_examples=100, deadline=None)
def test_anything_but_is_the_opposite_of_the_condition_for_what_is_there(text: str, value: Any) -> None:
    event = {"a": value}
    assert matches({"a": [{"anything-but": text}]}, event) != matches({"a": [{"exactly": text}]}, event)
    insensitive = {"equals-ignore-case": text}
    assert matches({"a": [{"anything-but": insensitive}]}, event) != matches({"a": [insensitive]}, event)
    for operator in ("prefix", "suffix"):
        if text:
            assert matches({"a": [{"anything-but": {operator: text}}]}, event) != matches(
                {"a": [{operator: text}]}, event
            )


@given(text=texts, before=texts, after=texts)
@settings(max_examples=100, deadline=None)
def test_a_wildcard_takes_any_text_in_its_place(text: str, before: str, after: str) -> None:
    escaped = [part.replace("\\", "\\\\").replace("*", "\\*") for part in (before, after)]
    pattern = {"a": [{"wildcard": "*".join(escaped)}]}
    assert matches(pattern, {"a": before + text + after})
    assert matches(pattern, {"a": text}) == (
        text.startswith(before) and text.endswith(after) and len(text) >= len(before + after)
    )


def test_every_fault_is_reported_with_its_place_and_the_first_is_eventbridges() -> None:
    text = '{\n  "a": [{"prefix": 5}, "ok"],\n  "b": {},\n  "$or": [{"c": []}]\n}'
    faults = check(text)
    assert [(fault.reason, fault.pointer, fault.line, fault.column) for fault in faults] == [
        ("prefix match pattern must be a string", "/a/0", 2, 20),
        ("Empty objects are not allowed", "/b", 3, 9),
        ("Empty arrays are not allowed", "/$or/0/c", 4, 18),
        ("There must have at least 2 Objects in $or relationship.", "/$or", 4, 20),
    ]
    assert [(f.reason, f.pointer, f.line) for f in check(json.loads(text))] == [
        (f.reason, f.pointer, 0) for f in faults
    ]
    with pytest.raises(PatternError, match="prefix match pattern must be a string"):
        compile(text)


def test_explain_names_the_first_condition_that_fails_and_what_was_found() -> None:
    pattern = {"source": ["park"], "detail": {"type": ["Info"], "wait": [{"numeric": [">", 5, "<=", 10]}]}}
    miss = explain(pattern, {"source": "park", "detail": {"type": "Info", "wait": 12}})
    assert (miss.matched, miss.field, miss.found, miss.split) == (False, "detail.wait", (12,), False)
    assert str(miss) == "detail.wait: must be more than 5 and at most 10; got 12"
    assert str(explain(pattern, {"source": "park"})) == 'detail.type: must be "Info"; got no such field'
    assert explain(pattern, {"source": "park", "detail": {"type": "Info", "wait": 6}}).matched


@pytest.mark.parametrize(
    ("event", "got"),
    [
        ('{"a":{"b":{"c":1}}}', "an object"),
        ('{"a":{"b":{}}}', "an object"),
        ('{"a":{"b":[]}}', "an empty list"),
        ('{"a":[{"b":[[]]}]}', "an empty list"),
        ('{"a":[{"c":1},{"b":[{"c":1}]}]}', "an object"),
        ('{"a.b":{"c":1}}', "an object"),
        ('{"a":{"b":{},"b":[]}}', "an empty list"),
        ('{"a":{"c":1}}', "no such field"),
        ('{"a":1}', "no such field"),
        ('{"a":[]}', "no such field"),
        ('{"a":{"b":null}}', "null"),
    ],
)
def test_explain_says_what_is_there_in_place_of_a_value(event: str, got: str) -> None:
    assert str(explain('{"a":{"b":[1]}}', event)) == f"a.b: must be 1; got {got}"


def test_an_explanation_is_on_one_line_and_bounded_whatever_pattern_and_event_hold() -> None:
    evil = "\x1b[2J\nx\u202e" * 200
    pattern = {"a\n\x1b": [evil, {"prefix": evil}, {"anything-but": [evil, *map(str, range(300))]}, *range(200)]}
    for value in (evil, [evil] * 100, 10**600, {"b": 1}):
        text = str(explain(pattern, {"a\n\x1b": value, "a": 1}))
        assert text.isprintable()
        assert len(text) < 12_000


def test_explain_says_when_conditions_hold_only_in_different_elements() -> None:
    miss = explain({"a": {"b": [1], "c": [2]}}, {"a": [{"b": 1}, {"c": 2}]})
    assert (miss.matched, miss.split, miss.field) == (False, True, "a.c")
    assert "same array element" in str(miss)


def test_explain_takes_the_branch_that_comes_closest() -> None:
    pattern = {"$or": [{"a": ["x"], "b": ["y"], "c": ["z"]}, {"a": ["x"], "d": ["w"]}]}
    assert explain(pattern, {"a": "x"}).field == "d"


def test_leaves_are_the_conditions_with_their_places() -> None:
    found = list(leaves('{"s":["x"],"d":{"$or":[{"a":[{"numeric":["<",5]}]},{"b.c":[null]}]}}'))
    assert [(leaf.field, leaf.path, leaf.place) for leaf in found] == [
        ("s", ("s",), ("s",)),
        ("d.a", ("d", "a"), ("d", "$or", 0, "a")),
        ("d.b.c", ("d", "b.c"), ("d", "$or", 1, "b.c")),
    ]
    assert [found[1].accepts(value) for value in (4, 5, "4", None)] == [True, False, False, False]


def test_wildcards_are_counted_wherever_they_are() -> None:
    assert has_wildcard({"a": [{"wildcard": "x*"}]})
    assert has_wildcard({"$or": [{"a": [1]}, {"b": [{"anything-but": {"wildcard": "x*"}}]}]})
    assert not has_wildcard({"wildcard": ["*"], "a": [{"prefix": "*"}]})


def test_what_is_no_event_is_an_error() -> None:
    for event in ("[]", "5", "", "{", '{"a":NaN}', '{"a":1} x'):
        with pytest.raises(EventError):
            matches({"a": [1]}, event)


def test_a_rule_set_refuses_what_one_pattern_refuses() -> None:
    with pytest.raises(PatternError, match="Empty arrays"):
        RuleSet({"good": {"a": [1]}, "bad": {"a": []}})


def test_the_package_is_imported_in_20_milliseconds_and_needs_the_standard_library_only(tmp_path: Path) -> None:
    code = (
        "import sys, time; before = {*sys.modules}; t = time.process_time(); import signalbox.patterns; "
        "print(time.process_time() - t, *sorted({m.partition('.')[0] for m in {*sys.modules} - before}))"
    )
    # With the compiled files that an installed package has; the first run makes them.
    kept = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    environment = {**kept, "PYTHONPYCACHEPREFIX": str(tmp_path)}

    def imported() -> tuple[float, set[str]]:
        done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
        spent, *modules = done.stdout.split()
        return float(spent), {*modules}

    _, modules = imported()
    assert modules - sys.stdlib_module_names == {"signalbox"}
    assert min(imported()[0] / pace() for _ in range(10)) < 0.02
