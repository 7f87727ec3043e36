"""JSONata as Step Functions evaluates it, with its limits."""

import sys
from collections.abc import Iterator
from typing import Any

import pytest

from sandbox.hooks.evaluator import DEPTH, RANGE, EvaluationError, check, evaluate
from sandbox.hooks.expressions import NotEvaluated, expression_in
from sandbox.hooks.expressions import evaluate as evaluate_apart


@pytest.fixture(autouse=True)
def limit() -> Iterator[None]:
    before = sys.getrecursionlimit()
    import jsonata  # noqa: F401 its import sets the limit for all

    sys.setrecursionlimit(max(before, 5000))
    yield
    sys.setrecursionlimit(before)


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$states.input.n + 1", 3),
        ("$states.input.nothing", None),
        ("$partition([1..5], 2.9)", [[1, 2], [3, 4], [5]]),
        ("$range(1, 7, 3)", [1, 4, 7]),
        ("$range(-1.7, 0, 1)", [-1, 0]),
        ("$hash('a', 'SHA-256')[0] ~> $length()", 64),
        ("$random(7) = $random(7)", True),
        ("$length($uuid())", 36),
        ("$parse('[1, {\"a\": null}]')[1]", {"a": None}),
        ("$toMillis('2026-11-23T08:00:00Z')", 1795420800000),
        ("+".join("1" * DEPTH), DEPTH),
        (f"$count($range(1, {RANGE}, 1))", RANGE),
        ("$count($map([1..900], function($r) { {'a': $r, 'b': {'c': $r, 'd': $r}} }))", 900),
    ],
)
def test_what_an_expression_gives(expression: str, value: Any) -> None:
    assert evaluate(expression, {"states": {"input": {"n": 2, "nothing": None}}}) == value


@pytest.mark.parametrize(
    ("expression", "why"),
    [
        ("$states.input.missing", "nothing"),
        ("$number('x')", "x"),
        ("$error('mine')", "mine"),
        ("+".join("1" * (DEPTH + 1)), "Stack overflow error"),
        ("(" * 100 + "1" + ")" * 100, "Stack overflow error"),
        ("($f := function($n) { 1 + $f($n) }; $f(1))", "Stack overflow error"),
        (f"$range(1, {RANGE + 1}, 1)", "memory limit exceeded"),
        ("$pad('x', 6990257)", "memory limit exceeded"),
        ("$eval('1')", "T1006"),
        ("$toMillis('2026-11-23 08:00')", "D3110"),
        ("$replace('a', /x*/, 'b')", "D1004"),
        ("function($x) { $x }", "no JSON value"),
        ("$hash('a', 'crc32')", "SHA-256"),
    ],
)
def test_what_gives_no_value_says_why(expression: str, why: str) -> None:
    with pytest.raises(EvaluationError) as told:
        evaluate(expression, {"states": {"input": {}}})
    assert why in str(told.value)


def test_what_is_no_jsonata_is_told() -> None:
    assert check("$states.input") is None
    assert "S0207" in (check("1 +") or "")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("$states.input.a.b", 1),
        ("$states.input.rows.n", [1, 2]),
        ("$states.input.one.n", 1),
        ("$lookup($states, 'input').a.b", 1),
        ("$states.`input`.a.b + $x", 8),
        ("$states . input.a.b", 1),
        ("$keys($states)", ["input", "context"]),
        ("$x", 7),
        ("$none", None),
    ],
)
def test_in_a_process_of_its_own_it_gives_the_same(expression: str, value: Any) -> None:
    given = {"a": {"b": 1}, "rows": [{"n": 1}, {"n": 2}], "one": [{"n": 1}]}
    variables = {"states": {"input": given, "context": {}}, "x": 7, "none": None}
    assert evaluate_apart(expression, variables) == evaluate(expression, variables) == value


def test_the_process_outlives_what_fails_in_it() -> None:
    for _ in range(3):
        with pytest.raises(NotEvaluated, match="memory limit exceeded"):
            evaluate_apart("$pad('x', 100000000000)", {})
        with pytest.raises(NotEvaluated, match=r"returned nothing \(undefined\)\."):
            evaluate_apart("$x", {})
        assert evaluate_apart("1 + 1", {}) == 2


@pytest.mark.parametrize(("field", "found"), [("{% $x %}", "$x"), ("{%1\n%}", "1"), ("$x", None), (5, None)])
def test_an_expression_is_what_stands_between_the_marks(field: Any, found: str | None) -> None:
    assert expression_in(field) == found
