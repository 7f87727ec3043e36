"""No input makes the matcher raise anything but its own errors, run long, or recurse to death."""

import contextlib
import time

import adversaries
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox.patterns import EventError, PatternError, RuleSet, check, compile, explain, matches

# The promise is 0.1 s of CPU; slow and busy machines get six times that. What the limit is for takes minutes.
LIMIT_SECONDS = 0.6

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


@pytest.mark.parametrize(
    ("pattern", "event"), [case[1:] for case in adversaries.cases()], ids=[c[0] for c in adversaries.cases()]
)
def test_hostile_inputs_are_answered_in_time(pattern: str, event: str) -> None:
    spent = []
    for _ in range(2):
        if spent and spent[-1] < LIMIT_SECONDS:
            break
        started = time.process_time()
        if not check(pattern):
            with contextlib.suppress(EventError):
                matches(pattern, event)
        spent.append(time.process_time() - started)
    assert min(spent) < LIMIT_SECONDS


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


def test_thousands_of_rules_do_not_recurse_or_multiply() -> None:
    rules = RuleSet({n: {"source": ["s"], "detail": {"id": [f"i{n}"], "k": [{"exists": False}]}} for n in range(3_000)})
    assert rules.match({"source": "s", "detail": {"id": "i77"}}) == {77}
    assert rules.match({"source": "s", "detail": {"id": "i77", "k": 1}}) == set()
