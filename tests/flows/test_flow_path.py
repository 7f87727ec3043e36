"""The way that a run took, told by the history of a real execution."""

from typing import Any

import pytest

from signalbox.definitions.places import Document
from signalbox.flows import read_flow
from signalbox.flows.path import Taken, path
from tests.flows.flow_stack import EVENTS, REGISTRY, Stack, event

T = {"name": "t", "transform": "$input.detail"}


def way(stack: Stack, *steps: dict[str, Any], given: Any, **more: Any) -> list[Taken]:
    """The steps that a run of a new flow of these steps came to."""
    flow, _ = read_flow("f", Document({"steps": list(steps), **more}), REGISTRY, EVENTS)
    assert flow is not None
    execution = stack.start(stack.deploy(*steps, **more), event(given))
    stack.end(execution)
    pages = stack.states.get_paginator("get_execution_history").paginate(executionArn=execution)
    taken = path(flow, [each for page in pages for each in page["events"]])
    assert all(each.began is not None for each in taken)
    return taken


def told(taken: list[Taken]) -> list[tuple[Any, ...]]:
    return [(each.step, each.items, each.output, each.word or each.error) for each in taken]


def test_steps_follow_each_other_with_what_they_made(stack: Stack) -> None:
    steps = [T, {"name": "f", "function": "double"}, {"name": "o", "transform": "$input.doubled"}]
    taken = way(stack, *steps, given={"n": 2})
    made = {"was": {"n": 2}, "doubled": 4}
    assert told(taken) == [("t", (), {"n": 2}, ""), ("f", (), made, ""), ("o", (), 4, "")]
    assert taken[1].input == {"n": 2}


def test_a_filter_that_does_not_match_is_the_last_step(stack: Stack) -> None:
    steps = [{"name": "f", "filter": {"detail": {"n": [1]}}}, T]
    assert told(way(stack, *steps, given={"n": 2})) == [("f", (), {"filtered": "f"}, "filtered")]
    (first, last) = way(stack, *steps, given={"n": 1})
    assert (first.word, last.output) == ("", {"n": 1})


@pytest.mark.parametrize("n", [1, 2])
def test_only_the_branch_that_was_taken_is_on_the_way(stack: Stack, n: int) -> None:
    one = {"pattern": {"detail": {"n": [1]}}, "steps": [{"name": "one", "transform": "1"}]}
    choose = {"name": "c", "choose": [one], "otherwise": [{"name": "other", "transform": "2"}]}
    assert [each.step for each in way(stack, choose, given={"n": n})] == ["c", "one" if n == 1 else "other"]


def test_items_of_splits_in_splits_are_numbered(stack: Stack) -> None:
    inner = {
        "name": "inner",
        "split": "$input",
        "steps": [{"name": "twice", "transform": "$input * 2"}],
        "max-items": 9,
    }
    outer = {"name": "outer", "split": "$input.detail.rows", "steps": [inner], "max-items": 9}
    taken = way(stack, outer, {"name": "after", "transform": "$input"}, given={"rows": [[1, 2], [3]]})
    twice = {each.items: each.output for each in taken if each.step == "twice"}
    assert twice == {(0, 0): 2, (0, 1): 4, (1, 0): 6}
    assert {each.items: each.output for each in taken if each.step == "inner"} == {(0,): [2, 4], (1,): [6]}
    assert told(taken)[0] == ("outer", (), [[2, 4], [6]], "")
    assert told(taken)[-1] == ("after", (), [[2, 4], [6]], "")


def test_steps_that_remember_are_one_step(stack: Stack) -> None:
    aggregate = {"name": "a", "aggregate": {"key": "'k'", "count": 2, "window": 1, "item": "$input.detail.n"}}
    emit = {"name": "e", "emit": "told", "detail": "{'n': $input[0]}"}
    assert told(way(stack, aggregate, emit, given={"n": 7})) == [("a", (), [7], ""), ("e", (), [7], "")]
    count = {"name": "c", "count": {"key": "'k'", "threshold": 2, "window": 60}}
    assert told(way(stack, count, T, given={})) == [("c", (), {"counted": "c"}, "counted")]


def test_calls_are_counted_and_a_failure_is_at_its_step(stack: Stack, tmp_path: Any) -> None:
    retry = {"attempts": 3, "interval": 1, "backoff": 1}
    taken = way(stack, T, {"name": "f", "function": "later", "retry": retry}, given={"file": str(tmp_path / "tries")})
    assert told(taken)[1] == ("f", (), 3, "")
    assert taken[1].tries == 3

    fails = {"name": "f", "function": "fails", "retry": {"attempts": 0}}
    taken = way(stack, T, fails, {"name": "never", "transform": "1"}, given={})
    assert [(each.step, each.error) for each in taken] == [("t", ""), ("f", "ValueError")]
    assert "no luck" in taken[1].cause

    catch = [{"name": "c", "transform": "$input.error.step"}]
    taken = way(stack, {"name": "x", "transform": "$number('x')"}, given={}, catch=catch)
    assert [(each.step, each.error) for each in taken] == [("x", "States.QueryEvaluationError"), ("c", "")]
    assert taken[1].output == "x"


def test_a_failure_inside_a_split_is_at_the_step_and_its_item(stack: Stack) -> None:
    inner = {"name": "i", "transform": "$input = 2 ? $error('two') : $input"}
    taken = way(stack, {"name": "s", "split": "[1, 2]", "concurrency": 1, "steps": [inner]}, given={})
    assert [(each.step, each.items, each.error) for each in taken] == [
        ("s", (), "failed in an item"),
        ("i", (0,), ""),
        ("i", (1,), "States.QueryEvaluationError"),
    ]
