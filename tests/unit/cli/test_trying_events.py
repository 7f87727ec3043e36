"""`test` and `explain`: what routes take, what targets receive, and why not."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from signalbox.cli import main

EVENT = """
source: shop
detail-type: order
schema:
  type: object
  required: [state]
  properties: {state: {enum: [new, paid, sent]}, amount: {type: number}}
samples:
  - detail: {state: new, amount: 900}
    routes: [created, big]
  - detail: {state: paid}
    routes: []
  - {state: sent}
routes:
  created:
    pattern: {state: [new]}
    targets: [{queue: jobs}]
  big:
    pattern: {amount: [{numeric: [">", 100]}]}
    targets:
      - topic: mail
        input:
          paths: {amount: $.detail.amount, lost: $.detail.lost, what: $.detail}
          template: '"<amount> by <aws.events.rule-name>: <lost>! <what>"'
      - function: work
  never-seen:
    pattern: {amount: [{numeric: ["<", 0]}]}
    targets: [{queue: jobs}]
    enabled: false
"""


def run(*arguments: str | Path, text: str = "") -> Result:
    """The command called in this process, with `text` on standard input."""
    return CliRunner().invoke(main, [*map(str, arguments)], input=text)


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """Definitions of orders."""
    (tmp_path / "mappings" / "events").mkdir(parents=True)
    (tmp_path / "functions" / "work").mkdir(parents=True)
    (tmp_path / "functions" / "work" / "function.yaml").write_text("target: true\n")
    (tmp_path / "functions" / "work" / "handler.py").write_text("def handle(event, context): ...\n")
    (tmp_path / "mappings" / "destinations.yaml").write_text("jobs: {kind: queue}\nmail: {kind: topic}\n")
    (tmp_path / "mappings" / "events" / "order.yaml").write_text(EVENT)
    return tmp_path / "mappings"


def event(detail: Any, **more: Any) -> str:
    """An event as EventBridge delivers it, as JSON text."""
    return json.dumps({"source": "shop", "detail-type": "order", "detail": detail, **more})


def test_the_matrix_shows_matches_misses_and_overlaps(mappings: Path) -> None:
    result = run("test", "--mappings", mappings)
    assert result.exit_code == 0
    rows = [" ".join(line.split()) for line in result.output.splitlines()]
    assert "sample detail created big never-seen" in rows
    assert 'sample 1 {"state": "new", "amount": 900} overlap overlap -' in rows
    assert 'sample 2 {"state": "paid"} - - -' in rows


def test_what_is_worth_a_look_is_said(mappings: Path) -> None:
    lines = run("test", "--mappings", mappings).output.splitlines()
    assert 'several routes take: order, sample 1 ({"state": "new", "amount": 900}): order/big, order/created' in lines
    # Sample 2 says that no route takes it: that is meant. Sample 3 says nothing.
    assert [line for line in lines if line.startswith("no route takes")] == [
        'no route takes: order, sample 3 ({"state": "sent"})'
    ]
    assert "no sample reaches: order/never-seen" in lines
    assert lines[-1] == "fine: 3 events, 2 of which say their routes; 3 routes"


def test_a_sample_that_takes_other_routes_than_it_says_ends_with_1(mappings: Path) -> None:
    path = mappings / "events" / "order.yaml"
    path.write_text(EVENT.replace("routes: [created, big]", "routes: [created, never-seen]"))
    result = run("test", "--mappings", mappings)
    assert result.exit_code == 1
    assert "order/never-seen does not take it" in result.output
    assert "order/big takes it" in result.output
    report = json.loads(run("test", "--mappings", mappings, "--json").output)
    assert not report["ok"]
    assert report["trials"][0]["missing"] == ["order/never-seen"]
    assert report["trials"][0]["extra"] == ["order/big"]


def test_other_faults_of_the_definitions_come_first(mappings: Path) -> None:
    (mappings / "events" / "order.yaml").write_text(EVENT.replace("queue: jobs", "queue: job"))
    for command in (["test"], ["explain", "-"]):
        result = run(*command, "--mappings", mappings, text=event({}))
        assert result.exit_code == 1
        assert "there is no queue job" in result.output


def test_a_sample_for_which_no_source_can_be_made_up_is_said_and_nothing_claimed_of_it(mappings: Path) -> None:
    text = EVENT.replace("source: shop", "source: [{exists: false}]").partition("samples:")[0]
    (mappings / "events" / "order.yaml").write_text(f"{text}samples: [{{state: new}}]\nroutes: {{}}\n")
    lines = run("test", "--mappings", mappings).output.splitlines()
    (line,) = [line for line in lines if "sample 1 (" in line]
    assert line.startswith('cannot be tried: order, sample 1 ({"state": "new"}): it names no source')


@pytest.mark.parametrize("command", [["test"], ["explain", "-"]])
def test_faults_of_the_definitions_are_json_where_json_is_asked_for(mappings: Path, command: list[str]) -> None:
    (mappings / "events" / "order.yaml").write_text(EVENT.replace("queue: jobs", "queue: job"))
    result = run(*command, "--mappings", mappings, "--json", text=event({}))
    report = json.loads(result.stdout)
    assert (result.exit_code, report["ok"], report["errors"]) == (1, False, 2)
    assert {each["code"] for each in report["problems"]} == {"target-unknown"}
    assert report.keys() < json.loads(run("check", mappings, "--json").stdout).keys()


def test_events_of_files_and_of_standard_input_are_tried_too(mappings: Path, tmp_path: Path) -> None:
    entries = [{"Source": "shop", "DetailType": "order", "Detail": json.dumps({"state": "new"})}]
    (tmp_path / "entries.json").write_text(json.dumps(entries))
    files = [tmp_path / "entries.json", "-"]
    result = run("test", *files, "--mappings", mappings, "--json", text=event({"amount": -1}))
    trials = {trial["name"]: trial["taken"] for trial in json.loads(result.output)["trials"] if not trial["event"]}
    assert trials == {"entries.json 1": ["order/created"], "- 1": ["order/never-seen"]}


def test_more_routes_than_a_matrix_has_room_for_are_listed(mappings: Path) -> None:
    routes = "".join(f"  r{n}:\n    pattern: {{amount: [{n}]}}\n    targets: [{{queue: jobs}}]\n" for n in range(20))
    (mappings / "events" / "order.yaml").write_text(EVENT + routes)
    result = run("test", "--mappings", mappings)
    assert "order/big, order/created" in result.output
    assert " r19 " not in result.output


def test_explain_says_what_each_target_receives_and_why_others_do_not(mappings: Path) -> None:
    (mappings / "events" / "other.yaml").write_text("source: other\nschema: {}\n")
    result = run("explain", "-", "--mappings", mappings, text=event({"state": "paid", "amount": 900}))
    assert result.exit_code == 0
    lines = [line.strip() for line in result.output.splitlines()]
    assert "taken by order/big" in lines
    assert 'topic mail receives "900 by order.big: ! {state:paid,amount:900}"' in lines
    assert "function work receives the event as it is" in lines
    assert 'not taken by order/created: detail.state: must be "new"; got "paid"' in lines
    assert any(line.startswith("not taken by order/never-seen (disabled") for line in lines)
    assert lines[-1] == "not taken by 1 event (0 routes) of another source or detail-type: other"


def test_explain_as_json_says_the_same(mappings: Path) -> None:
    (what,) = json.loads(
        run("explain", "-", "--mappings", mappings, "--json", text=event({"state": "new", "amount": 900})).output
    )
    assert what["kinds"] == ["order"]
    assert [route["route"] for route in what["taken"]] == ["order/created", "order/big"]
    assert what["taken"][0]["targets"][0]["receives"]["detail"] == {"state": "new", "amount": 900}
    assert [route["route"] for route in what["missed"]] == ["order/never-seen"]


def test_explain_says_that_the_router_refuses_what_does_not_fit_and_destinations_do_not(mappings: Path) -> None:
    result = run("explain", "-", "--mappings", mappings, text=event({"state": "gone", "amount": 900}))
    assert 'does not fit the schema of order: /state: "gone" is not one of' in result.output
    assert "function work receives nothing: the Router puts it into `undelivered`" in result.output
    assert "topic mail receives" in result.output


def test_the_events_that_it_is_not_take_one_line(mappings: Path) -> None:
    for number in range(30):
        (mappings / "events" / f"e{number:02}.yaml").write_text(f"source: s{number}\nschema: {{}}\n")
    lines = run("explain", "-", "--mappings", mappings, text=event({})).output.splitlines()
    (line,) = [line for line in lines if "of another source" in line]
    assert line.strip().startswith("not taken by 30 events (0 routes)") and line.endswith("e09 and 20 more")


def test_what_only_the_text_of_an_event_says_is_matched(mappings: Path) -> None:
    # The matcher sees both of two equal keys, and the digits of numbers: {"state": "new"} is there.
    details = '{"state": "new", "state": "paid"}'
    entry = json.dumps({"Source": "shop", "DetailType": "order", "Detail": details})
    text = f'[{{"source": "shop", "detail-type": "order", "detail": {details}}} , {entry}]'
    result = run("explain", "-", "--mappings", mappings, "--json", text=text)
    assert [[each["route"] for each in what["taken"]] for what in json.loads(result.output)] == [["order/created"]] * 2
    result = run("test", "-", "--mappings", mappings, "--json", text=text)
    assert [each["taken"] for each in json.loads(result.output)["trials"][-2:]] == [["order/created"]] * 2
    result = run("explain", "-", "--mappings", mappings, "--json", "--event", "order", text=f"[{details}]")
    assert [each["route"] for each in json.loads(result.output)[0]["taken"]] == ["order/created"]


@pytest.mark.parametrize(
    ("time", "shown"),
    [
        ("2026-11-22T14:03:00Z", "2026-11-22T14:03:00Z"),
        ("2026-11-22T15:03:00.5+01:00", "2026-11-22T14:03:00Z"),
        ("2026-11-22T14:03:00", "2026-11-22T14:03:00Z"),
        (0, "1970-01-01T00:00:00Z"),
    ],
)
def test_the_time_of_an_entry_is_that_of_the_event(mappings: Path, time: Any, shown: str) -> None:
    text = EVENT.replace("pattern: {state: [new]}", f'pattern: {{state: [new]}}\n    envelope: {{time: ["{shown}"]}}')
    (mappings / "events" / "order.yaml").write_text(text.replace("routes: [created, big]", "routes: [big]"))
    entry = {"Source": "shop", "DetailType": "order", "Detail": '{"state": "new"}', "Time": time}
    (what,) = json.loads(run("explain", "-", "--mappings", mappings, "--json", text=json.dumps(entry)).output)
    assert what["taken"][0]["targets"][0]["receives"]["time"] == shown


@pytest.mark.parametrize(
    ("detail", "words"),
    [
        ("1" * 5_000, "this is no number that JSON and float64 have"),
        ("[" * 100_000 + "]" * 100_000, "this is nested deeper than 100 levels"),
        ("[" * 200 + "]" * 200, "this is nested deeper than 100 levels"),
    ],
    ids=range(3),
)
def test_what_is_json_and_cannot_be_matched_is_said_for_what_it_is(mappings: Path, detail: str, words: str) -> None:
    text = f'{{"source": "shop", "detail-type": "order", "detail": {{"a": {detail}}}}}'
    entry = json.dumps({"Source": "shop", "DetailType": "order", "Detail": f'{{"a": {detail}}}'})
    for given in (text, f"[{text}]", entry):
        result = run("explain", "-", "--mappings", mappings, text=given)
        assert result.exit_code == 1
        assert words in result.output
        assert "no valid JSON" not in result.output


def test_just_a_detail_is_tried_as_that_of_an_event(mappings: Path) -> None:
    result = run("explain", "-", "--mappings", mappings, "--event", "order", text='{"state": "new"}')
    assert "  taken by order/created" in result.output.splitlines()
    assert run("test", "-", "--mappings", mappings, "--event", "order", text='{"state": "new"}').exit_code == 0
    wrong = run("explain", "-", "--mappings", mappings, "--event", "ordr", text="{}")
    assert (wrong.exit_code, "did you mean 'order'?" in wrong.output) == (2, True)
    assert "--event" in run("explain", "-", "--mappings", mappings, text='{"state": "new"}').output


def test_an_event_cannot_draw_on_the_terminal(mappings: Path) -> None:
    evil = "x\x9b2J\u202e\nfine: 3 events"
    given = event({"state": evil, "amount": 900, evil: 1}, source=evil), event({"state": evil, "amount": 900, evil: 1})
    for command in (["explain"], ["test"]):
        for text in given:
            result = run(*command, "-", "--mappings", mappings, text=text)
            assert all(line.isprintable() for line in result.output.splitlines())
            assert [line for line in result.output.splitlines() if line.startswith("fine: 3")] == []


def test_an_event_of_no_kind_is_explained(mappings: Path) -> None:
    result = run("explain", "-", "--mappings", mappings, text=event({}, source="else"))
    assert result.exit_code == 0
    assert "is no event of the definitions" in result.output


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "nope",
        "1",
        "null",
        '"x"',
        "[1]",
        "{}",
        '{"source": "shop"}',
        '{"Source": "shop", "DetailType": "order", "Detail": "{"}',
        '{"source": "shop", "detail-type": "order", "detail": ' + "[" * 100_000,
        "[]",
        '{"source": 5, "detail-type": "order", "detail": {}}',
        '{"source": "shop", "detail-type": ["order"], "detail": {}}',
        '{"source": "shop", "detail-type": "order", "detail": null}',
        '{"Source": "shop", "DetailType": "order", "Detail": "[1]"}',
    ],
    ids=range(16),
)
@pytest.mark.parametrize("command", ["test", "explain"])
def test_what_is_no_event_is_refused_with_words(mappings: Path, command: str, text: str) -> None:
    result = run(command, "-", "--mappings", mappings, text=text)
    assert result.exit_code == 1
    assert "Error: standard input" in result.output
    assert isinstance(result.exception, SystemExit)


@pytest.mark.parametrize(
    "value",
    [
        {"source": 1, "detail-type": None, "detail": []},
        {"source": ["a"], "detail-type": {}, "detail": "x"},
        {"source": "shop", "detail-type": "order", "detail": 1, "account": 5, "region": None, "time": {}},
        {"Source": None, "DetailType": None, "Detail": None},
        {"source": "shop", "detail-type": "order", "detail": {"amount": 10**400, "state": "\ud800"}},
    ],
    ids=range(5),
)
@pytest.mark.parametrize("command", ["test", "explain"])
def test_an_event_of_odd_values_is_explained_or_refused_and_nothing_else(
    mappings: Path, command: str, value: Any
) -> None:
    result = run(command, "-", "--mappings", mappings, text=json.dumps(value))
    assert result.exit_code in (0, 1)
    assert result.exception is None or isinstance(result.exception, SystemExit)
