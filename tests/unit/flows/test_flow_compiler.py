"""What a flow becomes: the same every time, valid, with the steps' names, and with nothing that could lose an event."""

import json
from pathlib import Path

import pytest

from benchmarks import flows as flows_benchmark
from signalbox.definitions import load
from signalbox.flows import EXAMPLE, Names, compile_flow, definition, flow_of, machine_type
from tests.cpu import within
from tests.unit.flows.flows_of import EVENTS, EVERY_KIND, flow, machine, states_of
from tests.unit.flows.jsonata_engine import evaluate, literal
from tests.unit.flows.validator import faults

ROOT = Path(__file__).parents[3]
T = {"name": "t", "transform": "$input.detail"}


def every_kind():
    return machine(*EVERY_KIND["steps"], **{key: value for key, value in EVERY_KIND.items() if key != "steps"})


@pytest.mark.parametrize(
    "steps",
    [
        [T],
        EVERY_KIND["steps"],
        [{"name": "f", "filter": {"source": ["a"]}}],
        [{"name": "c", "choose": [{"condition": "true", "steps": []}]}],
        [{"name": "c", "choose": [{"condition": "true", "steps": [T]}], "otherwise": []}],
        [{"name": "w", "wait": {"seconds": "1"}}],
        [
            {
                "name": "s",
                "split": "$input",
                "steps": [{"name": "c", "count": {"key": "1", "threshold": 2, "window": 9}}],
            }
        ],
        [
            {
                "name": "s",
                "split": "$input",
                "max-items": 20,
                "steps": [{"name": "r", "split": "$input", "max-items": 20, "steps": [{"name": "e", "emit": "timed"}]}],
            }
        ],
        [{"name": "a", "aggregate": {"key": "1", "count": 2, "window": 9}}],
        [{"name": "e", "emit": "timed"}],
    ],
)
def test_a_compiled_flow_is_valid_states_language(steps) -> None:
    assert faults(machine(*steps)) == []


@pytest.mark.parametrize("flow_id", sorted(path.stem for path in (ROOT / "mappings" / "flows").glob("*.yaml")))
def test_the_flows_of_the_park_are_valid_states_language(flow_id) -> None:
    definitions, _ = load(ROOT / "mappings", ROOT / "functions")
    made = compile_flow(flow_of(flow_id, definitions.flows[flow_id]), EXAMPLE, definitions.events)
    assert faults(made) == []


def test_the_flows_that_are_measured_are_valid_states_language() -> None:
    body = {"steps": list(flows_benchmark.steps(3, 20))}
    assert faults(compile_flow(flow_of("flow-3", body), EXAMPLE, flows_benchmark.EVENTS)) == []


def test_a_hundred_flows_of_twenty_steps_are_compiled_within_two_seconds() -> None:
    flows = [flow_of(f"flow-{n}", {"steps": list(flows_benchmark.steps(n, 20))}) for n in range(100)]
    made = within(2, lambda: {definition(compile_flow(each, EXAMPLE, flows_benchmark.EVENTS)) for each in flows})
    assert len(made) == 100


def test_the_validator_would_see_a_fault() -> None:
    whole = machine(T)
    states_of(whole)["t"]["End"] = False
    assert faults(whole)


def test_compiling_is_deterministic_and_in_the_order_of_the_steps() -> None:
    assert definition(every_kind()) == definition(every_kind())
    names = [name for name in states_of(every_kind()) if "(" not in name]
    assert names == [
        *(
            "big",
            "rows",
            "each",
            "named",
            "id",
            "tell",
            "look",
            "which",
            "low",
            "later",
            "often",
            "batch",
            "alarm",
            "sorry",
        )
    ]


def test_state_names_fit_and_are_there_once() -> None:
    long = "x" * 50
    steps = [{**step, "name": f"{long[:-2]}{n:02}"} for n, step in enumerate(EVERY_KIND["steps"])]
    assert all(len(name) <= 80 for name in states_of(machine(*steps)))


def test_every_reference_leads_to_a_state_of_its_list() -> None:
    def check(part: dict) -> None:
        assert part["StartAt"] in part["States"]
        reached = {part["StartAt"]}
        for state in part["States"].values():
            to = [each["Next"] for each in (*state.get("Catch", ()), *state.get("Choices", ()))]
            to += [state[key] for key in ("Next", "Default") if key in state]
            assert set(to) <= part["States"].keys()
            assert to or state.get("End") or state["Type"] == "Fail"
            reached |= set(to)
            for inner in (*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else ())):
                check(inner)
        assert reached == part["States"].keys()

    check(every_kind())


def test_every_task_is_tried_again_and_caught_and_ends() -> None:
    for name, state in states_of(every_kind()).items():
        if state["Type"] == "Task":
            assert state["TimeoutSeconds"], name
            assert name == "(undelivered)" or state["Catch"], name
            assert any("States.TaskFailed" in each["ErrorEquals"] for each in state["Retry"]), name


def test_what_fails_without_a_catch_goes_to_undelivered_with_flow_step_and_cause() -> None:
    states = machine(T)["States"]
    assert states["(steps)"]["Catch"][0]["ErrorEquals"] == ["States.ALL"]
    assert states["(steps)"]["Catch"][0]["Next"] == "(undelivered)"
    cause = "An error occurred while executing the state 't' (entered at the event id #8). Nothing there."
    caught = evaluate(
        literal(states["(steps)"]["Catch"][0]["Output"]["error"]),
        {"errorOutput": {"Error": "States.QueryEvaluationError", "Cause": cause}},
    )
    event = {"id": "1", "detail": {}}
    states_ = {"input": {"error": caught}, "context": {"Execution": {"Input": event, "Id": "arn"}}}
    body = evaluate(literal(states["(undelivered)"]["Arguments"]["MessageBody"]), states_)
    assert (body["signalbox"], body["reason"], body["flow"], body["step"]) == (1, "flow-failed", "test", "t")
    assert body["event"] == event
    assert body["targets"] == [{"flow": "test"}]
    assert cause in body["errors"][0]
    assert states["(undelivered)"]["Next"] == "(failed)"
    assert states["(failed)"]["Type"] == "Fail"


def test_the_step_inside_a_split_is_the_one_that_is_told() -> None:
    whole = machine({"name": "s", "split": "$input", "steps": [{"name": "f", "function": "look-up"}]})
    states = states_of(whole)
    noted = states["f"]["Catch"][0]["Output"]
    inner = evaluate(literal(noted["cause"]), {"errorOutput": {"Error": "Boom", "Cause": "no luck"}})
    outer = evaluate(
        literal(states["s"]["Catch"][0]["Output"]["cause"]), {"errorOutput": {"Error": "Boom", "Cause": inner}}
    )
    assert outer == inner == "An error occurred while executing the state 'f': no luck"


def test_a_catch_has_its_own_steps_and_then_undelivered() -> None:
    states = machine(T, catch=[{"name": "c", "transform": "$input.error.name"}])["States"]
    assert states["(steps)"]["Catch"][0]["Next"] == "(caught)"
    assert states["(caught)"]["Catch"][0]["Next"] == "(undelivered)"


def test_only_flows_that_remember_claim_their_event() -> None:
    assert machine(T)["StartAt"] == "(steps)"
    assert machine({"name": "e", "emit": "timed"})["StartAt"] == "(claim)"
    assert machine({"name": "e", "emit": "timed"}, repeatable=True)["StartAt"] == "(steps)"


def test_only_a_repeatable_flow_is_express() -> None:
    assert machine_type(flow(T)) == "STANDARD"
    repeatable = flow(T, repeatable=True)
    assert machine_type(repeatable) == "EXPRESS"
    assert repeatable.timeout <= 300


def test_names_are_those_of_the_stack() -> None:
    names = Names("park-prod", "eu-north-1", "123456789012", "https://queue", partition="aws-us-gov")
    body = flow({"name": "f", "function": "look-up"}, {"name": "e", "emit": "timed"})
    text = definition(compile_flow(body, names, EVENTS))
    assert "arn:aws-us-gov:lambda:eu-north-1:123456789012:function:park-prod-look-up" in text
    assert '"EventBusName": "park-prod"' in text
    assert '"TableName": "park-prod-state"' in text
    assert EXAMPLE.stack not in text


def test_a_split_makes_a_list_of_whatever_it_is_given() -> None:
    items = literal(
        states_of(machine({"name": "s", "split": "$input.rows", "steps": [T], "max-items": 3}))["s"]["Items"]
    )
    assert evaluate(items, {"input": {"rows": [1, 2]}}) == [1, 2]
    assert evaluate(items, {"input": {"rows": []}}) == []
    assert evaluate(items, {"input": {}}) == []
    assert evaluate(items, {"input": {"rows": {"a": 1}}}) == [{"a": 1}]
    assert evaluate(items, {"input": {"rows": [[1, 2], [3]]}}) == [[1, 2], [3]]
    with pytest.raises(Exception, match="s takes at most 3 items"):
        evaluate(items, {"input": {"rows": [1, 2, 3, 4]}})


@pytest.mark.parametrize("kept", [[], [1], [[1, 2]], [[[1]]], [1, [2], {"a": 3}], [[], []]])
def test_what_a_split_keeps_is_kept_as_it_is(kept) -> None:
    whole = machine({"name": "s", "split": "$input", "steps": [{"name": "f", "filter": {"a": [1]}}]})
    output = literal(states_of(whole)["s"]["Output"])
    results = [{"kept": False}, *({"kept": True, "value": value} for value in kept), {"kept": False}]
    assert evaluate(output, {"result": results}) == kept


def test_the_deepest_expression_that_is_taken_can_be_evaluated_wherever_it_stands() -> None:
    chain = '"a"' + " & $event.id" * 77
    steps = [
        {"name": "t", "transform": chain},
        {"name": "s", "split": f"[{chain}]", "steps": [{**T, "name": "i"}], "combine": f"[{chain}, $results]"},
        {"name": "c", "choose": [{"condition": f'{chain} = "a"', "steps": []}]},
        {"name": "w", "wait": {"seconds": f"$length({chain})"}},
        {"name": "e", "emit": "alarm", "detail": f'{{"site": {chain}}}'},
        {"name": "n", "count": {"key": chain, "threshold": 2, "window": 60}},
        {"name": "a", "aggregate": {"key": chain, "count": 2, "window": 60, "item": chain}},
    ]
    event = {"id": "x" * 3, "time": "2026-11-23T08:00:00Z"}
    states = {"input": {}, "result": [], "context": {"Execution": {"Input": event}}}
    deep = [
        expression
        for state in states_of(machine(*steps)).values()
        for expression in expressions_in(state)
        if expression.count(".id") >= 77
    ]
    assert len(deep) >= 9
    for expression in deep:
        evaluate(expression, states, held_steps_5={}, held_steps_6={})


def expressions_in(value):
    if isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from expressions_in(each)
    elif isinstance(value, str) and value.startswith("{%"):
        yield literal(value)


def emitted(detail: str, given) -> str:
    whole = machine({"name": "e", "emit": "alarm", "detail": detail})
    (entry,) = states_of(whole)["e"]["Arguments"]["Entries"]
    assert (entry["Source"], entry["DetailType"]) == ("plant", "alarm")
    return evaluate(literal(entry["Detail"]), {"input": given})


def test_what_is_emitted_fits_its_schema_or_is_not_emitted() -> None:
    assert json.loads(emitted("$input.made", {"made": {"site": "a"}})) == {"site": "a"}
    with pytest.raises(
        Exception, match=r"does not fit the schema of alarm: site must have at least 1 characters; kind must"
    ):
        emitted("$input.made", {"made": {"site": "", "kind": "loud"}})
    with pytest.raises(Exception, match="must be an object"):
        emitted("$input.made", {"made": 5})


def test_entries_that_the_bus_did_not_take_are_an_error() -> None:
    output = literal(states_of(machine({"name": "e", "emit": "timed"}))["e"]["Output"])
    assert evaluate(output, {"input": 5, "result": {"FailedEntryCount": 0}}) == 5
    with pytest.raises(Exception, match="did not take the event timed: ThrottlingException"):
        refused = {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}
        evaluate(output, {"input": 5, "result": refused})


def enough(seconds: list[int], at: int, threshold: int = 3, window: int = 60) -> bool:
    whole = machine({"name": "c", "count": {"key": "1", "threshold": threshold, "window": window}})
    test = literal(states_of(whole)["c (enough?)"]["Choices"][1]["Condition"])
    start = 1_795_392_000
    event = {"time": f"2026-11-23T00:{at // 60:02}:{at % 60:02}Z"}
    seen = [f"{(start + second) * 1000}#event-{number}" for number, second in enumerate(seconds)]
    return evaluate(test, {"input": {"seen": seen}, "context": {"Execution": {"Input": event}}})


@pytest.mark.parametrize(
    ("seconds", "at", "right"),
    [
        ([0], 0, False),
        ([0, 10], 10, False),
        ([0, 10, 20], 20, True),
        ([20, 0, 10], 10, True),  # the one in the middle came last
        ([0, 59, 60], 60, False),  # the window is half open
        ([0, 58, 59], 59, True),
        ([0, 50, 100], 50, False),  # near this one, but not within one window
        ([0, 1, 2, 100], 100, False),  # enough, but long before
        ([50, 65, 70], 70, True),  # whatever a window of the clock would say
    ],
)
def test_enough_is_threshold_events_within_one_window_that_holds_this_one(seconds, at, right) -> None:
    assert enough(seconds, at) is right
