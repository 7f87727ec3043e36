"""`python -m signalbox flow`: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from signalbox.cli.flow import flow

GOOD = "input: seen\nsteps:\n  - {name: look, function: look-up}\n"


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    folder = tmp_path / "mappings"
    for name in ("events", "flows"):
        (folder / name).mkdir(parents=True)
    (folder / "events" / "seen.yaml").write_text(
        "source: s\ndetail-type: seen\nschema: {}\nroutes: {r: {targets: [{flow: good}, {flow: bad}]}}\n"
    )
    (folder / "flows" / "good.yaml").write_text(GOOD)
    (folder / "flows" / "bad.yaml").write_text(GOOD.replace("look-up", "lookup"))
    function = tmp_path / "functions" / "look-up"
    function.mkdir(parents=True)
    (function / "handler.py").write_text("def handle(event, context): ...\n")
    (function / "function.yaml").write_text("target: true\n")
    return folder


def run(mappings: Path, *arguments: str):
    return CliRunner().invoke(flow, [*arguments, "--mappings", str(mappings)])


def test_compile_prints_the_state_machine_of_the_stack(mappings: Path) -> None:
    result = run(mappings, "compile", "good", "--stack", "park", "--region", "eu-north-1")
    assert result.exit_code == 0, result.output
    steps = json.loads(result.stdout)["States"]["(steps)"]["Branches"][0]["States"]
    assert steps["look"]["Arguments"]["FunctionName"] == "arn:aws:lambda:eu-north-1:000000000000:function:park-look-up"


def test_draw_prints_a_flowchart(mappings: Path) -> None:
    result = run(mappings, "draw", "good")
    assert result.exit_code == 0
    assert result.stdout.startswith("flowchart TD\n")
    assert "look: function look-up" in result.stdout


def test_a_bad_flow_is_told_with_its_line_and_ends_with_1(mappings: Path) -> None:
    result = run(mappings, "compile", "bad")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "flows/bad.yaml:3" in result.stderr
    assert "did you mean 'look-up'?" in result.stderr


def test_faults_of_another_flow_do_not_matter(mappings: Path) -> None:
    assert run(mappings, "draw", "good").stderr == ""


def test_an_unknown_flow_is_a_wrong_call(mappings: Path) -> None:
    result = run(mappings, "draw", "goood")
    assert result.exit_code == 2
    assert "did you mean 'good'?" in result.stderr
