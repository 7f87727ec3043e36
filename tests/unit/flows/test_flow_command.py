"""`python -m signalbox flow`: what it prints, and how it ends."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from signalbox.cli.flow import flow

SEEN = '{"source": "s", "detail-type": "seen", "detail": {}}'
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
    result = run(mappings, "compile", "good", "--name", "park", "--region", "eu-north-1")
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


def test_a_flow_that_emits_a_broken_event_is_not_compiled(mappings: Path) -> None:
    (mappings / "events" / "told.yaml").write_text("source: [\n")
    (mappings / "flows" / "good.yaml").write_text("steps: [{name: tell, emit: told}]\n")
    result = run(mappings, "compile", "good")
    assert (result.exit_code, result.stdout) == (1, "")
    assert "events/told.yaml" in result.stderr


def test_flows_of_the_python_form_are_compiled_too(mappings: Path) -> None:
    file = mappings.parent / "definitions.py"
    flows = {"good": {"steps": [{"name": "a", "transform": "$input"}]}, "good2": {"steps": []}}
    file.write_text(f"event_schemas = {{}}\nrouting_configs = {{}}\nflows = {flows!r}\n")
    assert json.loads(run(file, "compile", "good").stdout)["StartAt"] == "(steps)"
    bad = run(file, "compile", "good2")
    assert bad.exit_code == 1
    assert "flows.good2.steps" in bad.stderr


def test_an_unknown_flow_is_a_wrong_call(mappings: Path) -> None:
    result = run(mappings, "draw", "goood")
    assert result.exit_code == 2
    assert "did you mean 'good'?" in result.stderr


@pytest.fixture
def project(mappings: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = mappings.parent
    (root / "Pulumi.yaml").write_text("name: park\n")
    (root / "Pulumi.dev.yaml").write_text("config: {aws:region: eu-west-1}\n")
    (root / "event.json").write_text(SEEN)
    monkeypatch.chdir(root)
    for name in (
        "AWS_ENDPOINT_URL",
        "AWS_ENDPOINT_URL_SFN",
        "AWS_PROFILE",
        "PULUMI_STACK",
        "PULUMI_OPTION_CONFIG_FILE",
    ):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "test")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "test")
    return root


def run_it(*arguments: str):
    return CliRunner().invoke(flow, ["run", *arguments])


def test_without_a_sandbox_nothing_is_run_and_the_next_command_is_said(project: Path) -> None:
    result = run_it("good", "--input", "event.json")
    assert result.exit_code == 1
    assert 'python -m sandbox up, then eval "$(python -m sandbox env)"' in result.stderr


def test_a_sandbox_that_does_not_run_is_told_with_the_next_command(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = run_it("good", "--input", "event.json")
    assert result.exit_code == 1
    assert "http://127.0.0.1:9" in result.stderr
    assert "fix: python -m sandbox up" in result.stderr


def test_the_sandbox_is_not_taken_for_an_account(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = run_it("good", "--input", "event.json", "--aws")
    assert result.exit_code == 1
    assert "unset AWS_ENDPOINT_URL" in result.stderr


@pytest.mark.parametrize(
    ("content", "said"), [(f"[{SEEN}, {SEEN}]", "got: 2; allowed: 1"), ("[]", "no event"), ("{}", "this is no event")]
)
def test_one_event_is_run(project: Path, monkeypatch: pytest.MonkeyPatch, content: str, said: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    (project / "event.json").write_text(content)
    result = run_it("good", "--input", "event.json")
    assert result.exit_code == 1
    assert said in result.stderr


def test_a_flow_with_errors_is_not_run(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    result = run_it("bad", "--input", "event.json")
    assert result.exit_code == 1
    assert "did you mean 'look-up'?" in result.stderr
