"""Every kind of step inside real executions of the emulator's Step Functions: also empty, many, failing, repeated."""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from signalbox.definitions import load
from signalbox.model import Definitions
from tests.flows.flow_stack import STACK, Stack, event

ROOT = Path(__file__).parents[2]
T = {"name": "t", "transform": "$input.detail"}


def test_a_transform_makes_the_output(stack: Stack) -> None:
    assert stack.run({"name": "a", "transform": '{"n": $input.detail.n + 1}'}, event=event({"n": 1})) == (
        "SUCCEEDED",
        {"n": 2},
    )


@pytest.mark.parametrize(("n", "output"), [(1, "in"), (2, {"filtered": "f"})])
def test_a_filter_ends_the_run_where_it_does_not_match(stack: Stack, n: int, output: Any) -> None:
    steps = {"name": "f", "filter": {"detail": {"n": [1]}}}, {"name": "a", "transform": '"in"'}
    assert stack.run(*steps, event=event({"n": n})) == ("SUCCEEDED", output)


def test_a_function_gets_the_input_and_gives_the_output(stack: Stack) -> None:
    assert stack.run(T, {"name": "f", "function": "double"}, event=event({"n": 21})) == (
        *("SUCCEEDED", {"was": {"n": 21}, "doubled": 42}),
    )


def test_a_function_that_returns_nothing_gives_null(stack: Stack) -> None:
    assert stack.run({"name": "f", "function": "nothing"}, event=event({})) == ("SUCCEEDED", None)


def test_a_function_that_fails_is_tried_again(stack: Stack, tmp_path: Path) -> None:
    step = {"name": "f", "function": "later", "retry": {"attempts": 3, "interval": 1, "backoff": 1}}
    assert stack.run(T, step, event=event({"file": str(tmp_path / "tries")})) == ("SUCCEEDED", 3)


@pytest.mark.parametrize(
    ("step", "where", "error"),
    [
        ({"name": "x", "function": "fails", "retry": {"attempts": 1, "interval": 1}}, "x", "no luck"),
        ({"name": "x", "function": "slow", "timeout": 1, "retry": {"attempts": 0}}, "x", "States.Timeout"),
        ({"name": "x", "emit": "told", "detail": '{"n": -1}'}, "x", "n must be >= 0"),
        ({"name": "x", "transform": '$number("x")'}, "x", "specified for the field 'Output'"),
        (
            {"name": "x", "split": "[1..3]", "steps": [{"name": "y", "transform": '$number("x")'}]},
            "y",
            "specified for the field 'Output'",
        ),
        ({"name": "x", "split": "[1..3]", "steps": [T], "max-items": 2}, "x", "x takes at most 2 items"),
    ],
)
def test_what_fails_is_in_undelivered_with_its_event_and_step(
    stack: Stack, step: dict[str, Any], where: str, error: str
) -> None:
    given = event({"n": 1})
    status, _ = stack.run(step, event=given)
    assert status == "FAILED"
    (message,) = stack.undelivered(1)
    assert (message["reason"], message["step"], message["event"]) == ("flow-failed", where, given)
    assert error in message["errors"][0]
    assert stack.told() == []


def test_an_expression_that_fails_is_caught(stack: Stack) -> None:
    given = event({"n": "one"})
    catch = [{"name": "c", "transform": '{"error": $input.error.name, "event": $event.id}'}]
    output = {"error": "States.QueryEvaluationError", "event": given["id"]}
    assert stack.run({"name": "a", "transform": "$input.detail.n + 1"}, event=given, catch=catch) == (
        "SUCCEEDED",
        output,
    )
    assert stack.undelivered() == []


def test_a_catch_that_fails_is_in_undelivered(stack: Stack) -> None:
    bad = '$number("x")'
    steps = {"name": "a", "transform": bad}
    assert stack.run(steps, event=event({}), catch=[{"name": "c", "transform": bad}])[0] == "FAILED"
    assert len(stack.undelivered(1)) == 1


@pytest.mark.parametrize(
    ("rides", "output"),
    [
        ([], {"sum": 0, "all": 0}),
        ([7], {"sum": 14, "all": 1}),
        ([1, 2, 3], {"sum": 12, "all": 3}),
        (list(range(1000)), {"sum": 999_000, "all": 1000}),
    ],
    ids=["none", "one", "three", "thousand"],
)
def test_a_split_runs_for_each_item_and_combines(stack: Stack, rides: list[int], output: Any) -> None:
    step = {
        "name": "s",
        "split": "$input.detail.rides",
        "steps": [{"name": "twice", "transform": "$input * 2"}],
        "combine": '{"sum": $count($results) = 0 ? 0 : $sum($results), "all": $count($input.detail.rides)}',
    }
    assert stack.run(step, event=event({"rides": rides})) == ("SUCCEEDED", output)


def test_a_thousand_items_go_their_ways(stack: Stack) -> None:
    steps = [
        {"name": "odd", "filter": {"n": [{"numeric": ["<", 900]}]}},
        {
            "name": "way",
            "choose": [{"condition": "$input.n < 500", "steps": [{"name": "low", "transform": "0"}]}],
            "otherwise": [{"name": "high", "transform": "1"}],
        },
    ]
    split = {
        "name": "s",
        "split": "$input.detail.rows",
        "steps": steps,
        "combine": "[$count($results), $sum($results)]",
    }
    given = event({"rows": [{"n": n, "text": "x" * 200} for n in range(1000)]})
    assert len(json.dumps(given)) > 220_000
    assert stack.run(split, event=given) == ("SUCCEEDED", [900, 400])


def test_items_that_a_filter_drops_are_not_in_the_results(stack: Stack) -> None:
    steps = [
        {"name": "f", "filter": {"n": [{"numeric": [">", 2]}]}},
        {"name": "pair", "transform": "[$input.n, $input.n]"},
    ]
    given = event({"rows": [{"n": 1}, {"n": 3}, {"n": 2}]})
    assert stack.run({"name": "s", "split": "$input.detail.rows", "steps": steps}, event=given) == (
        "SUCCEEDED",
        [[3, 3]],
    )


@pytest.mark.parametrize(("n", "output"), [(1, "one"), (9, 9), (5, "other")])
def test_a_choice_takes_the_first_branch_that_fits(stack: Stack, n: int, output: Any) -> None:
    step = {
        "name": "c",
        "choose": [
            {"pattern": {"n": [1]}, "steps": [{"name": "one", "transform": '"one"'}]},
            {"condition": "$input.n > 8", "steps": []},
        ],
        "otherwise": [{"name": "other", "transform": '"other"'}],
    }
    last = {"name": "n", "transform": "$type($input) = 'object' ? $input.n : $input"}
    assert stack.run(T, step, last, event=event({"n": n})) == ("SUCCEEDED", output)


def test_a_wait_waits(stack: Stack) -> None:
    start = time.monotonic()
    until = {"until": "$fromMillis($millis() + 1000)"}
    waits = [{"name": "a", "wait": 1}, {"name": "b", "wait": {"seconds": "1"}}, {"name": "c", "wait": until}]
    assert stack.run(T, *waits, event=event({"n": 1})) == ("SUCCEEDED", {"n": 1})
    assert time.monotonic() - start > 2.9


def test_an_input_near_the_limit_of_step_functions_runs(stack: Stack) -> None:
    given = event({"n": 1, "much": "x" * 250_000})
    assert (
        stack.run({"name": "e", "emit": "told", "detail": '{"n": $length($input.detail.much)}'}, T, event=given)[0]
        == "SUCCEEDED"
    )
    assert stack.told(1) == [{"n": 250_000}]


def test_a_failure_with_an_input_near_the_limit_is_told_with_its_execution(stack: Stack) -> None:
    given = event({"much": "x" * 250_000})
    execution = stack.start(stack.deploy({"name": "a", "transform": '$number("x")'}), given)
    assert stack.end(execution)[0] == "FAILED"
    (message,) = stack.undelivered(1)
    assert message["execution"] == execution
    assert "event" not in message


def test_one_event_five_times_at_once_emits_once(stack: Stack) -> None:
    machine = stack.deploy({"name": "e", "emit": "told", "detail": '{"n": 1}'}, {"name": "t", "transform": '"after"'})
    given = event({})
    ends = stack.at_once(machine, [given] * 5)
    assert sorted(map(str, ends)) == sorted(
        map(str, [("SUCCEEDED", "after"), *[("SUCCEEDED", {"repeat": given["id"]})] * 4])
    )
    assert stack.told(1) == [{"n": 1}]


def test_an_event_whose_run_failed_may_run_again(stack: Stack, tmp_path: Path) -> None:
    machine = stack.deploy(
        T,
        {"name": "f", "function": "later", "retry": {"attempts": 0}},
        {"name": "e", "emit": "told", "detail": '{"n": $input}'},
    )
    given = event({"file": str(tmp_path / "tries")})
    assert [stack.end(stack.start(machine, given))[0] for _ in range(4)] == [
        "FAILED",
        "FAILED",
        "SUCCEEDED",
        "SUCCEEDED",
    ]
    assert stack.told(1) == [{"n": 3}]
    assert len(stack.undelivered(2)) == 2


def test_a_count_goes_on_once_however_often_its_events_come(stack: Stack) -> None:
    machine = stack.deploy(
        {"name": "c", "count": {"key": "$event.detail.key", "threshold": 3, "window": 3600}},
        {"name": "e", "emit": "told", "detail": '{"n": 3}'},
    )
    events = [event({"key": "a"}, f"2026-11-23T08:0{n}:00Z") for n in range(3)]
    others = [event({"key": "b"}), event({"key": "b"})]
    ends = stack.at_once(machine, [*events * 5, *others])
    assert [status for status, _ in ends] == ["SUCCEEDED"] * 17
    assert stack.told(1) == [{"n": 3}]
    # The fourth within the hour; then, after it, three within another; then a fourth again.
    for at, told in (("08:30", 0), ("09:03", 0), ("09:04", 1), ("09:29", 0)):
        stack.end(stack.start(machine, event({"key": "a"}, f"2026-11-23T{at}:00Z")))
        assert len(stack.told(told)) == told, at


def test_a_count_forgets_what_is_long_past(stack: Stack) -> None:
    machine = stack.deploy({"name": "c", "count": {"key": '"k"', "threshold": 2, "window": 5}})
    for n in range(30):
        at = f"2026-11-23T08:{n:02}:00Z"
        assert stack.end(stack.start(machine, event({}, at))) == ("SUCCEEDED", {"counted": "c"})
    flow = machine.rpartition(f"{STACK}-")[2]
    key = {"PK": {"S": f"flow#{flow}#c#k"}, "SK": {"S": "count"}}
    assert len(stack.tables.get_item(TableName=f"{STACK}-state", Key=key)["Item"]["Seen"]["SS"]) <= 24


def test_an_aggregate_makes_lists_that_hold_each_event_once(stack: Stack) -> None:
    machine = stack.deploy(
        {"name": "a", "aggregate": {"key": '"k"', "count": 3, "window": 6, "item": "$input.detail.n"}}
    )
    events = [event({"n": n}, f"2026-11-23T08:{n:02}:00Z") for n in range(9)]
    ends = stack.at_once(machine, events)
    lists = [output for _, output in ends if isinstance(output, list)]
    assert {status for status, _ in ends} == {"SUCCEEDED"}
    assert sorted(n for each in lists for n in each) == list(range(9))
    assert all(len(each) <= 3 and each == sorted(each) for each in lists)


def test_an_aggregate_takes_an_event_once_however_often_it_comes(stack: Stack) -> None:
    machine = stack.deploy(
        {"name": "a", "aggregate": {"key": '"k"', "count": 2, "window": 5, "item": "$input.detail.n"}},
        {"name": "e", "emit": "told", "detail": '{"n": $sum($input)}'},
    )
    first, second = event({"n": 1}, "2026-11-23T08:00:00Z"), event({"n": 2}, "2026-11-23T08:01:00Z")
    ends = stack.at_once(machine, [first, second] * 5)
    assert {status for status, _ in ends} == {"SUCCEEDED"}
    assert [output for _, output in ends].count([1, 2]) == 1
    assert stack.told(1) == [{"n": 3}]


def test_a_flow_that_may_repeat_runs_as_often_as_it_is_started(stack: Stack) -> None:
    machine = stack.deploy({"name": "e", "emit": "told", "detail": '{"n": 1}'}, repeatable=True)
    assert stack.states.describe_state_machine(stateMachineArn=machine)["type"] == "EXPRESS"
    given = json.dumps(event({}))
    for _ in range(2):
        stack.states.start_execution(stateMachineArn=machine, name="same", input=given)
    assert stack.told(2) == [{"n": 1}] * 2


def test_what_grows_beyond_256_kb_ends_the_run_and_is_told_outside(stack: Stack) -> None:
    double = {"name": "d", "transform": "[$input.detail.much, $input.detail.much]"}
    execution = stack.start(stack.deploy(double), event({"much": "x" * 150_000}))
    assert stack.end(execution)[0] == "FAILED"
    found = stack.states.describe_execution(executionArn=execution)
    assert found["error"] == "States.DataLimitExceeded"
    assert "'d'" in found["cause"]
    assert stack.undelivered() == []  # for the rule of silent ends, see test_state_machines


def test_an_aggregate_ends_with_its_window(stack: Stack) -> None:
    machine = stack.deploy(
        {"name": "a", "aggregate": {"key": '"k"', "count": 5, "window": 2, "item": "[$event.detail.n]"}}
    )
    first = stack.start(machine, event({"n": 1}, "2026-11-23T08:00:00Z"))
    second = stack.start(machine, event({"n": 2}, "2026-11-23T08:01:00Z"))
    outputs = [stack.end(first)[1], stack.end(second)[1]]
    assert [[1], [2]] in outputs
    assert {"collected": "a"} in outputs
    alone = stack.start(machine, event({"n": 3}))
    assert stack.end(alone) == ("SUCCEEDED", [[3]])


@pytest.mark.parametrize("closed", [False, True], ids=["full", "closed"])
def test_a_list_whose_run_died_is_taken_by_the_next(stack: Stack, closed: bool) -> None:
    step = {"name": "a", "aggregate": {"key": '"k"', "count": 2, "window": 86_400, "item": "$input.detail.n"}}
    machine = stack.deploy(step)
    long_ago = str(int(time.time() * 1000) - 600_000)
    item: dict[str, Any] = {
        "PK": {"S": f"flow#{machine.rpartition(f'{STACK}-')[2]}#a#k"},
        "SK": {"S": "open"},
        "Items": {"SS": [f'179539200000{n}|old-{n}|{{"value": {n}}}' for n in range(2)]},
        "Opener": {"S": "old-0"},
        "Due": {"N": str(int(time.time() * 1000) + 86_000_000)},
        "ChangedAt": {"N": long_ago},
    }
    if closed:
        item |= {"Closer": {"S": "old-1"}, "ClosedAt": {"N": long_ago}}
    stack.tables.put_item(TableName=f"{STACK}-state", Item=item)
    assert stack.end(stack.start(machine, event({"n": 2}))) == ("SUCCEEDED", [0, 1, 2])
    assert "Item" not in stack.tables.get_item(
        TableName=f"{STACK}-state", Key={"PK": item["PK"], "SK": item["SK"]}, ConsistentRead=True
    )


def test_items_of_one_event_are_counted_apart(stack: Stack) -> None:
    count = {"name": "c", "count": {"key": "$input", "threshold": 2, "window": 60}}
    given = event({"names": ["a", "b", "a"]})
    assert stack.run({"name": "s", "split": "$input.detail.names", "steps": [count]}, event=given) == (
        "SUCCEEDED",
        ["a"],
    )


@pytest.fixture(scope="module")
def park() -> Definitions:
    return load(ROOT / "mappings", ROOT / "functions")[0]


Run = Callable[[dict[str, Any]], tuple[str, Any]]


def runner(stack: Stack, park: Definitions, name: str) -> Run:
    body = park.flows[name]
    machine = stack.deploy(*body["steps"], events=dict(park.events), input=body["input"])
    return lambda given: stack.end(stack.start(machine, given))


def test_the_park_is_summed_up(stack: Stack, park: Definitions) -> None:
    run = runner(stack, park, "park-summary")
    for number in (1, 2, 3):
        message = json.loads((ROOT / f"sandbox/data/ride-times-{number}.json").read_text())
        rides = json.loads(message["msg"])
        run(event(message))
        (summary,) = stack.told(1)
        waits = {ride["rideId"]: ride["wait"] for ride in rides if ride["inService"]}
        assert summary["open"] == len(waits)
        assert summary["closed"] == len(rides) - len(waits)
        assert summary["averageWait"] == pytest.approx(sum(waits.values()) / len(waits), abs=0.051)
        assert summary["longestWait"]["wait"] == max(waits.values())
        assert waits[summary["longestWait"]["rideId"]] == summary["longestWait"]["wait"]
    run(event({"type": "summary", "msg": "[]"}))
    assert stack.told(1) == [{"open": 0, "closed": 0, "averageWait": 0, "longestWait": None}]


def test_three_outages_within_an_hour_ask_for_maintenance_once(stack: Stack, park: Definitions) -> None:
    run = runner(stack, park, "repeat-outages")
    for at in ("08:50", "08:55", "09:05", "09:10", "09:40"):
        run(
            event(
                {"rideId": "ride-006", "type": "Warning", "description": "Stopped by operator"}, f"2026-11-23T{at}:00Z"
            )
        )
        run(
            event(
                {"rideId": "ride-001", "type": "Info", "description": "Visual inspection"},
                f"2026-11-23T{at[:2]}:00:00Z",
            )
        )
    (request,) = [each for each in stack.told(1) if each["rideId"] == "ride-006"]
    assert request["outages"] == 3
    assert request["lastOutage"]["time"] == "2026-11-23T09:05:00Z"
