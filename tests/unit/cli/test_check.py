"""`python -m signalbox check`: what it prints, as what, and how it ends."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result

from sandbox.cli import main as sandbox
from signalbox.cli import main

ROOT = Path(__file__).parents[3]
EVENT = "source: s\nschema: {}\nroutes:\n  r:\n    targets: [{topic: nothing}]\n"


def run(*arguments: str | Path) -> Result:
    """The command called in this process."""
    return CliRunner().invoke(main, [*map(str, arguments)])


@pytest.fixture
def mappings(tmp_path: Path) -> Path:
    """A folder with one good event."""
    (tmp_path / "mappings" / "events").mkdir(parents=True)
    (tmp_path / "mappings" / "events" / "good.yaml").write_text("source: s\ndetail-type: good\nschema: {}\n")
    return tmp_path / "mappings"


def test_the_default_definitions_are_fine() -> None:
    result = run("check", ROOT / "mappings")
    assert result.exit_code == 0
    assert result.output.startswith("fine: 5 events, 8 routes, 2 flows, ")


def test_a_fault_is_shown_with_file_line_and_the_way_out_and_ends_with_1(mappings: Path) -> None:
    (mappings / "events" / "bad.yaml").write_text(EVENT)
    result = run("check", mappings)
    assert result.exit_code == 1
    lines = result.output.splitlines()
    assert f"{mappings}/events/bad.yaml:5: error: routes.r.targets[0].topic: there is no topic nothing" in lines
    assert "    fix: define it in mappings/destinations.yaml" in lines
    assert lines[-1] == "1 error, 1 warning"


def test_warnings_alone_end_with_0(mappings: Path) -> None:
    (mappings / "events" / "wide.yaml").write_text("source: s\nschema: {}\n")
    result = run("check", mappings)
    assert result.exit_code == 0
    assert ": warning: " in result.output
    assert "\n1 warning: 2 events" in result.output


@pytest.mark.parametrize(("text", "code"), [(EVENT, 1), ("source: t\nschema: {}\n", 0)])
def test_json_says_the_same(mappings: Path, text: str, code: int) -> None:
    (mappings / "events" / "bad.yaml").write_text(text)
    result = run("check", mappings, "--json")
    report = json.loads(result.output)
    assert result.exit_code == code
    assert report["ok"] == (code == 0)
    assert (report["errors"], report["warnings"]) == (code, code)
    assert len(report["problems"]) == 2 * code
    if code:
        error = next(problem for problem in report["problems"] if problem["severity"] == "error")
        assert (error["code"], error["line"], error["path"]) == ("target-unknown", 5, "routes.r.targets[0].topic")


def test_one_file_is_checked_with_its_neighbours_and_shown_alone(mappings: Path) -> None:
    (mappings / "events" / "bad.yaml").write_text(EVENT)
    (mappings / "destinations.yaml").write_text("nothing: {kind: topic}\nother: {kind: tpic}\n")
    result = run("check", mappings / "events" / "bad.yaml")
    assert result.exit_code == 0
    assert "tpic" not in result.output
    assert "in other files" in result.output
    assert run("check", mappings / "destinations.yaml").exit_code == 1


@pytest.mark.parametrize(
    ("folder", "path", "shown"),
    [
        (".", "mappings", "mappings/events/bad.yaml"),
        ("mappings", ".", "events/bad.yaml"),
        ("mappings", "events/bad.yaml", "events/bad.yaml"),
        ("mappings/events", "bad.yaml", "bad.yaml"),
        ("mappings/events", "..", "../events/bad.yaml"),
        ("functions", "../mappings/events/bad.yaml", "../mappings/events/bad.yaml"),
        ("mappings/events", "../../mappings", "../../mappings/events/bad.yaml"),
    ],
)
def test_definitions_are_the_same_from_wherever_they_are_named(
    mappings: Path, monkeypatch: pytest.MonkeyPatch, folder: str, path: str, shown: str
) -> None:
    work = mappings.parent / "functions" / "work"
    work.mkdir(parents=True)
    (work / "function.yaml").write_text("target: true\n")
    (work / "handler.py").write_text("def handle(event, context): ...\n")
    bad = "source: s\ndetail-type: bad\nschema: {}\nroutes: {r: {targets: [{topic: nothing}, {function: work}]}}\n"
    (mappings / "events" / "bad.yaml").write_text(bad)
    monkeypatch.chdir(mappings.parent / folder)
    problems = json.loads(run("check", path, "--json").output)["problems"]
    assert [(each["code"], each["file"]) for each in problems] == [("target-unknown", shown)]


def test_a_python_file_is_checked(tmp_path: Path) -> None:
    path = tmp_path / "dicts.py"
    path.write_text("event_schemas = {'e': {}}\nrouting_configs = {}\n")
    assert run("check", path).exit_code == 1
    assert run("check", path, "--source", "park").exit_code == 0


def test_the_quota_of_rules_can_be_given(mappings: Path) -> None:
    routes = "".join(f"  r{number}:\n    targets: [{{topic: t}}]\n" for number in range(3))
    (mappings / "destinations.yaml").write_text("t: {kind: topic}\n")
    (mappings / "events" / "e.yaml").write_text(f"source: t\nschema: {{}}\nroutes:\n{routes}")
    assert run("check", mappings, "--rules-quota", "4").exit_code == 0
    assert run("check", mappings, "--rules-quota", "3").exit_code == 1


@pytest.mark.parametrize(
    "arguments",
    [["check", "nowhere"], ["check", "--rules-quota", "0"], ["check", "--what"], ["chek"], ["check", ".", "."]],
)
def test_a_wrong_call_ends_with_2(arguments: list[str]) -> None:
    assert run(*arguments).exit_code == 2


def commands(group: click.Group, *path: str) -> Iterator[tuple[str, click.Command]]:
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        yield " ".join([*path, name]), command
        if isinstance(command, click.Group):
            yield from commands(command, *path, name)


@pytest.mark.parametrize(("name", "command"), [*commands(main, "signalbox"), *commands(sandbox, "sandbox")])
def test_every_command_and_option_says_what_it_is_for(name: str, command: click.Command) -> None:
    assert command.help, name
    for parameter in command.params:
        if isinstance(parameter, click.Option):
            assert parameter.help, f"{name} {parameter.opts}"
    assert CliRunner().invoke(command, ["--help"]).exit_code == 0


def test_piped_output_has_no_colours_and_no_progress(mappings: Path) -> None:
    (mappings / "events" / "bad.yaml").write_text(EVENT)
    done = subprocess.run(
        [sys.executable, "-m", "signalbox", "check", mappings], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "\x1b" not in done.stdout
    assert done.stderr == ""


def test_check_imports_neither_aws_nor_pulumi() -> None:
    code = (
        "import sys\nfrom signalbox.cli import main\n"
        "try:\n    main(['check', 'mappings'])\nexcept SystemExit as end:\n    print(end.code, *sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    code, *modules = done.stdout.splitlines()[-1].split()
    assert code == "0"
    assert not {"boto3", "botocore", "pulumi", "rich", "jsonschema"} & set(modules)
