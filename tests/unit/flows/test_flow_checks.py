"""Bad flows are refused with words that help; all faults at once, each at its place."""

from pathlib import Path

import pytest

from signalbox.definitions.yaml12 import read_file
from signalbox.flows import read_flow
from tests.cpu import within
from tests.unit.flows.flows_of import EVENTS, EVERY_KIND, REGISTRY, read

OK = {"name": "ok", "transform": "$input"}


def nested(levels: int, inner: dict) -> dict:
    for level in range(levels):
        inner = {"name": f"n{level}", "split": "$input", "steps": [inner]}
    return inner


def steps(*given: dict, **more) -> dict:
    return {"steps": list(given), **more}


BAD = [
    # form
    ([], "form-type", "this is of the wrong type", ""),
    ({}, "form-missing-key", "'steps' is missing", ""),
    (steps(), "form-minItems", "empty", "steps"),
    (steps(OK, colour="red"), "form-unknown-key", "unknown key 'colour'", "colour"),
    (steps({"transform": "$input"}), "form-missing-key", "'name' is missing", "steps[0]"),
    (steps({"name": "x"}), "form-oneOf", "not allowed", "steps[0]"),
    (steps({"name": "x", "wait": 1, "transform": "1"}), "form-oneOf", "not allowed", "steps[0]"),
    (steps({"name": "9 lives", "wait": 1}), "form-pattern", "not allowed", "steps[0].name"),
    (steps({"name": "x" * 60, "wait": 1}), "form-pattern", "not allowed", "steps[0].name"),
    (steps({"name": "x", "wait": 0}), "form-minimum", "out of range", "steps[0].wait"),
    (steps({"name": "x", "wait": 1.5}), "form-type", "", "steps[0].wait"),
    (steps({"name": "x", "wait": 2.0}), "form-type", "written as an integer", "steps[0].wait"),
    (steps({"name": "x", "wait": {"seconds": "1", "until": "$event.time"}}), "form-maxProperties", "", "steps[0].wait"),
    (
        steps({"name": "x", "split": "$input", "steps": [OK], "concurrency": 41}),
        "form-maximum",
        "",
        "steps[0].concurrency",
    ),
    (steps({"name": "x", "split": "$input", "steps": [OK], "max-items": 0}), "form-minimum", "", "steps[0].max-items"),
    (
        steps({"name": "x", "count": {"key": "1", "threshold": 1000, "window": 1}}),
        "form-maximum",
        "",
        "steps[0].count.threshold",
    ),
    (
        steps({"name": "x", "count": {"key": "1", "threshold": 3}}),
        "form-missing-key",
        "'window' is missing",
        "steps[0].count",
    ),
    (
        steps({"name": "x", "function": "arn:aws:lambda:eu-west-1:1:function:f"}),
        "form-pattern",
        "",
        "steps[0].function",
    ),
    (
        steps({"name": "x", "function": "look-up", "retry": {"attempts": 99}}),
        "form-maximum",
        "",
        "steps[0].retry.attempts",
    ),
    (steps({"name": "x", "transform": "$" + "a" * 5000}), "form-maxLength", "too long", "steps[0].transform"),
    # what fits no step
    (
        steps({"name": "x", "wait": 1, "retry": {"attempts": 1}}),
        "flow-step-key",
        "a wait has no 'retry'",
        "steps[0].retry",
    ),
    (steps({"name": "x", "split": "$input"}), "form-missing-key", "'steps' is missing", "steps[0]"),
    (steps(OK, OK), "flow-step-twice", "another step ok", "steps[1].name"),
    (steps(nested(5, OK)), "flow-nesting", "nested too deeply", ""),
    (steps(nested(60, OK)), "flow-nesting", "nested too deeply", ""),
    # names
    (steps({"name": "x", "function": "lookup"}), "target-unknown", "no function lookup", "steps[0].function"),
    (steps({"name": "x", "function": "mail"}), "target-kind", "another kind", "steps[0].function"),
    (steps({"name": "x", "function": "router"}), "target-closed", "not open", "steps[0].function"),
    (steps({"name": "x", "function": "only-alarms"}), "target-event", "takes only some events", "steps[0].function"),
    (
        steps({"name": "x", "function": "only-alarms"}, input="reading"),
        "target-event",
        "does not take",
        "steps[0].function",
    ),
    (steps(OK, input="redaing"), "flow-event-unknown", "no event redaing", "input"),
    (steps({"name": "x", "emit": "alrm"}), "flow-event-unknown", "no event alrm", "steps[0].emit"),
    (steps({"name": "x", "emit": "any"}), "flow-emit-event", "cannot be emitted", "steps[0].emit"),
    (steps({"name": "x", "emit": "foreign"}), "flow-emit-event", "comes from elsewhere", "steps[0].emit"),
    (
        steps({"name": "x", "emit": "alarm", "detail": '{"site": "a"}'}, input="alarm"),
        "flow-emit-loop",
        "for ever",
        "steps[0].emit",
    ),
    # patterns
    (
        steps({"name": "x", "filter": {"detail": {"a": "x"}}}),
        "pattern-refused",
        "EventBridge refuses",
        "steps[0].filter.detail.a",
    ),
    (steps({"name": "x", "filter": {}}), "pattern-refused", "EventBridge refuses", "steps[0].filter"),
    (
        steps({"name": "x", "filter": {"a": [{"cidr": "2001:db8::/32"}]}}),
        "flow-pattern",
        "JSONata cannot say",
        "steps[0].filter.a",
    ),
    (
        steps({"name": "x", "choose": [{"pattern": {"a": [{"prefix": 5}]}, "steps": []}]}),
        "pattern-refused",
        "EventBridge refuses",
        "steps[0].choose[0].pattern.a[0]",
    ),
    # expressions
    (steps({"name": "x", "transform": "$input."}), "flow-jsonata", "no JSONata", "steps[0].transform"),
    (
        steps({"name": "x", "transform": "detail"}),
        "flow-jsonata-context",
        "begins with a variable",
        "steps[0].transform",
    ),
    (steps({"name": "x", "transform": "$results"}), "flow-jsonata-variable", "no variable", "steps[0].transform"),
    (steps({"name": "x", "split": "$inpt", "steps": [OK]}), "flow-jsonata-variable", "no variable", "steps[0].split"),
    (
        steps({"name": "x", "choose": [{"condition": "1 +", "steps": []}]}),
        "flow-jsonata",
        "",
        "steps[0].choose[0].condition",
    ),
    (
        steps({"name": "x", "count": {"key": "$f()", "threshold": 3, "window": 9}}),
        "flow-jsonata-function",
        "",
        "steps[0].count.key",
    ),
    (
        steps({"name": "x", "aggregate": {"key": "1", "count": 3, "window": 9, "item": "$$"}}),
        "flow-jsonata-variable",
        "",
        "steps[0].aggregate.item",
    ),
    (steps({"name": "x", "wait": {"until": "$event.tiem["}}), "flow-jsonata", "", "steps[0].wait.until"),
    (steps({"name": "x", "emit": "alarm", "detail": "$states"}), "flow-jsonata-variable", "", "steps[0].detail"),
    (steps(OK, catch=[{"name": "c", "transform": "error"}]), "flow-jsonata-context", "", "catch[0].transform"),
    (
        steps(*({"name": f"s{n}", "transform": "[" + "1," * 400 + "1]"} for n in range(20))),
        "flow-words",
        "too long, all together",
        "steps[6].transform",
    ),
    # the schema of what is emitted
    (steps({"name": "x", "emit": "alarm", "detail": "{}"}), "flow-emit-schema", "'site' is missing", "steps[0].detail"),
    (
        steps({"name": "x", "emit": "alarm", "detail": '{"site": 5}'}),
        "flow-emit-schema",
        "of type number",
        "steps[0].detail",
    ),
    (
        steps({"name": "x", "emit": "alarm", "detail": '{"site": "a", "kind": "loud"}'}),
        "flow-emit-schema",
        "one of 'low', 'high'",
        "steps[0].detail",
    ),
    (
        steps({"name": "x", "emit": "alarm", "detail": '{"site": "a", "where": 1}'}),
        "flow-emit-schema",
        "not allowed",
        "steps[0].detail",
    ),
    (steps({"name": "x", "emit": "alarm"}), "flow-emit-schema", "'site' is missing", "steps[0].emit"),
    (
        steps({"name": "x", "emit": "alarm", "detail": '"text"'}),
        "flow-emit-schema",
        "a detail is an object",
        "steps[0].detail",
    ),
    # limits
    (steps({"name": "x", "wait": 100}, timeout=50), "flow-timeout", "longer than the whole flow", "steps[0]"),
    (
        steps({"name": "x", "function": "look-up", "retry": {"attempts": 20, "interval": 3600, "backoff": 10}}),
        "flow-timeout",
        "longer than the whole flow",
        "steps[0]",
    ),
    (steps({"name": "x", "wait": 400}, repeatable=True, timeout=400), "flow-timeout", "five minutes", "timeout"),
    (
        steps(
            {"name": "x", "split": "$input", "steps": [OK, {"name": "f", "function": "look-up"}], "max-items": 10000}
        ),
        "flow-history",
        "longer than Step Functions' history",
        "steps[0]",
    ),
    (steps(*({"name": f"s{n}", "wait": 1} for n in range(101))), "form-maxItems", "too long", "steps"),
    (
        steps(*({"name": f"s{n}", "choose": [{"condition": "true", "steps": []}] * 50} for n in range(20))),
        "flow-steps",
        "too many steps and branches",
        "",
    ),
    (steps({"name": "x", "transform": '"\ud800"'}), "flow-text", "half a character", "steps[0].transform"),
    (steps({"name": "x", "filter": {"\udfff": [1]}}), "flow-text", "half a character", "steps[0].filter"),
]


@pytest.mark.parametrize(("body", "code", "words", "path"), BAD, ids=[f"{n}-{bad[1]}" for n, bad in enumerate(BAD)])
def test_a_bad_flow_is_refused_with_its_reason_and_place(body, code, words, path) -> None:
    _, problems = read(body)
    found = [problem for problem in problems if problem.code == code and problem.severity == "error"]
    assert found, problems
    assert any(words in problem.what for problem in found), found
    assert any(problem.path.startswith(path) for problem in found), found


def test_a_flow_with_a_step_of_every_kind_has_no_fault() -> None:
    flow, problems = read(EVERY_KIND)
    assert flow is not None
    assert problems == []


def test_all_faults_are_told_at_once() -> None:
    _, problems = read(
        steps({"name": "a", "function": "x"}, {"name": "a", "transform": "b"}, {"name": "c", "emit": "d"}, input="e")
    )
    assert [p.code for p in problems] == [
        *("flow-event-unknown", "flow-step-twice", "target-unknown", "flow-jsonata-context", "flow-event-unknown")
    ]


def test_a_fault_has_the_line_of_its_file(tmp_path: Path) -> None:
    file = tmp_path / "f.yaml"
    file.write_text(
        "steps:\n  - name: a\n    wait: 1\n  - name: b\n    choose:\n      - condition: detail.x\n        steps: []\n"
    )
    _, (problem,) = read_flow("f", read_file(file), REGISTRY, EVENTS)
    assert (problem.file, problem.line, problem.path) == (str(file), 6, "steps[1].choose[0].condition")


def test_a_body_may_name_only_what_run_time_edits_may_name() -> None:
    body = steps({"name": "a", "function": "by-deploy"})
    assert read(body)[1] == []
    assert [p.code for p in read(body, runtime=True)[1]] == ["target-runtime"]


@pytest.mark.parametrize("flow_id", ["", "a b", "a" * 65, "../x", "é"])
def test_an_id_that_is_no_name_is_refused(flow_id: str) -> None:
    from signalbox.definitions.places import Document

    _, problems = read_flow(flow_id, Document(steps(OK)), REGISTRY, EVENTS)
    assert [p.code for p in problems] == ["flow-id"]


@pytest.mark.parametrize(
    ("given", "expression", "fix"),
    [
        ((), "$input.detail.sight", "did you mean 'site'?"),
        ((), "$event.detial", "did you mean 'detail'?"),
        (({"name": "d", "transform": "$input.detail"},), "$input.levle", "did you mean 'level'?"),
        (({"name": "d", "transform": '{"where": $input.detail.site}'},), "$input.wher", "did you mean 'where'?"),
    ],
)
def test_fields_are_followed_through_the_steps(given, expression, fix) -> None:
    _, problems = read(steps(*given, {"name": "x", "transform": expression}, input="reading"))
    assert [(p.code, p.severity, p.fix) for p in problems] == [("flow-field", "warning", fix)]


def test_fields_are_followed_into_the_items_of_a_split() -> None:
    inner = {"name": "i", "transform": "$input.idd"}
    _, problems = read(steps({"name": "s", "split": "$input.detail.rows", "steps": [inner]}, input="reading"))
    assert [(p.code, p.path) for p in problems] == [("flow-field", "steps[0].steps[0].transform")]


def test_a_pattern_on_a_field_that_is_not_there_is_a_warning() -> None:
    _, problems = read(steps({"name": "f", "filter": {"level": [1], "detail": {"levle": [1]}}}, input="reading"))
    assert {(p.code, p.severity, p.path) for p in problems} == {
        ("pattern-field", "warning", "steps[0].filter.level"),
        ("pattern-field", "warning", "steps[0].filter.detail.levle"),
    }


def test_what_a_function_gives_is_not_known_and_nothing_is_said_of_it() -> None:
    _, problems = read(
        steps({"name": "f", "function": "look-up"}, {"name": "t", "transform": "$input.whatever"}, input="reading")
    )
    assert problems == []


def test_a_part_of_a_schema_that_is_not_checked_is_a_warning() -> None:
    _, problems = read(steps({"name": "e", "emit": "timed", "detail": '{"at": "now"}'}))
    assert [(p.code, p.severity, p.got) for p in problems] == [("flow-emit-unchecked", "warning", "format")]


def test_a_hostile_body_is_answered_quickly() -> None:
    dense = "$input" + ".a" * 400
    body = steps(*({"name": f"s{n}", "transform": dense} for n in range(100)))
    _, problems = within(1, lambda: read(body))
    assert "flow-words" in [p.code for p in problems]


def test_a_field_that_is_not_there_is_told_once_for_each_expression() -> None:
    _, problems = read(steps({"name": "a", "transform": "[$input.nothing, $input.nothing]"}))
    assert [problem.code for problem in problems] == ["flow-field"]
