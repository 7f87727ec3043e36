"""No input makes the matcher raise anything but its own errors, run long, or recurse to death."""

import contextlib
import inspect
import sys
from collections.abc import Callable
from typing import Any

import adversaries
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox.patterns import EventError, PatternError, RuleSet, check, compile, explain, matches
from tests.cpu import within

LIMIT_SECONDS = 0.1
HOSTILE = list(adversaries.cases())


scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
operators = (
    "prefix",
    "suffix",
    "numeric",
    "cidr",
    "exists",
    "anything-but",
    "wildcard",
    "equals-ignore-case",
    "exactly",
)
words = st.sampled_from((*operators, "a", "b", "$or", "=", ">", "<", "*a*", "**", "\\", "a.b"))
anything = st.recursive(
    scalars | words | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(words | st.text(max_size=3), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(("pattern", "event"), [case[1:] for case in HOSTILE], ids=[case[0] for case in HOSTILE])
def test_hostile_inputs_are_answered_in_time(pattern: str, event: str) -> None:
    assert len(pattern) <= adversaries.PATTERN
    assert len(event) <= adversaries.EVENT

    def match() -> None:
        with contextlib.suppress(EventError):
            matches(pattern, event)

    if not within(LIMIT_SECONDS, lambda: check(pattern)):
        within(LIMIT_SECONDS, match)


def test_a_caller_deep_in_its_stack_gets_an_answer() -> None:
    nested = '{"a":' + "[" * 700 + "1" + "]" * 700 + "}"
    deep = '{"a":' * 300 + '[{"prefix":"\\u00e9"},{"anything-but":{"wildcard":"x*"}},1.5e-320]' + "}" * 300

    def called_with(frames: int, action: Callable[[], Any]) -> Any:
        """What `action` gives where so many frames may still be called."""

        def deeper(levels: int) -> Any:
            return deeper(levels - 1) if levels else action()

        return deeper(sys.getrecursionlimit() - len(inspect.stack(0)) - frames)

    matches('{"a":[1.5e-320]}', nested)  # what is imported only then needs more
    for frames in (40, 60, 100, 200):
        assert called_with(frames, lambda: matches('{"a":[1]}', nested))
        assert called_with(frames, lambda: check(deep)) == []
        assert called_with(frames, lambda: RuleSet({1: '{"a":[1]}', 2: deep}).match(nested)) == {1}
        assert not called_with(frames, lambda: explain(deep, nested)).matched


@given(pattern=anything, event=anything)
@settings(max_examples=120, deadline=None)
def test_only_our_errors_are_raised_for_any_object(pattern: object, event: object) -> None:
    faults = check(pattern)  # type: ignore[arg-type]
    try:
        compiled = compile(pattern)  # type: ignore[arg-type]
    except PatternError as error:
        assert error == faults[0]
        return
    assert faults == []
    try:
        matched = compiled.matches(event)  # type: ignore[arg-type]
    except EventError:
        return
    assert compiled.explain(event).matched == matched  # type: ignore[arg-type]


@given(
    pattern=st.text(alphabet='{}[]":,abnumericprefix$or*0123456789.-eE\\u \n'),
    event=st.text(alphabet='{}[]":,ab01.-e\\u'),
)
@settings(max_examples=120, deadline=None)
def test_only_our_errors_are_raised_for_any_text(pattern: str, event: str) -> None:
    check(pattern)
    try:
        explain('{"a":["x",{"exists":false}]}', event)
        explain(pattern, event)
    except (PatternError, EventError) as error:
        assert str(error)


def test_objects_that_contain_themselves_are_refused() -> None:
    loop: list[object] = []
    loop.extend([loop, loop, {"a": loop}])
    assert "contains itself" in check({"a": loop})[0].reason or "depth" in check({"a": loop})[0].reason
    with pytest.raises(EventError):
        matches({"a": ["x"]}, {"a": loop})


def test_a_rule_set_answers_what_each_of_its_rules_answers() -> None:
    event = '{"x":' + adversaries.listed('[{"a":1},{"b":2}]', 252_000) + "}"
    patterns = {1: '{"x":{"a":[1]}}', 2: '{"x":{"b":[1]}}'}
    assert {n for n, pattern in patterns.items() if matches(pattern, event)} == {1}
    assert RuleSet(patterns).match(event) == {1}


def test_thousands_of_rules_do_not_recurse_or_multiply() -> None:
    rules = RuleSet({n: {"source": ["s"], "detail": {"id": [f"i{n}"], "k": [{"exists": False}]}} for n in range(3_000)})
    assert rules.match({"source": "s", "detail": {"id": "i77"}}) == {77}
    assert rules.match({"source": "s", "detail": {"id": "i77", "k": 1}}) == set()
