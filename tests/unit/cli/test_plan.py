"""`plan` between git revisions, which needs no AWS; against the store it is shown in the sandbox."""

import json
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import signalbox.aws.store
from signalbox.changes import Change
from signalbox.cli import main
from signalbox.cli.plan import COMMENT, MARKER, as_markdown
from signalbox.cli.stack import Stack
from signalbox.store import ORIGIN_API, StoreSnapshot, flow_item

EVENT = """source: park.rides
detail-type: outage
schema: {type: object, properties: {type: {type: string}}}
samples: [{type: Info}, {type: "**@all** [x](y)"}]
routes:
  a: {pattern: {type: [Info]}, targets: [{topic: mail}]}
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "mappings" / "events").mkdir(parents=True)
    (tmp_path / "functions").mkdir()
    (tmp_path / "functions" / ".keep").touch()
    (tmp_path / "Pulumi.yaml").write_text("name: park\nruntime: python\n")
    (tmp_path / "Pulumi.dev.yaml").write_text("config: {}\n")
    (tmp_path / "mappings" / "destinations.yaml").write_text("mail: {kind: topic}\n")
    (tmp_path / "mappings" / "events" / "outage.yaml").write_text(EVENT)
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    commit(tmp_path)
    monkeypatch.chdir(tmp_path)
    for name in ("PULUMI_STACK", "PULUMI_OPTION_CONFIG_FILE"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


def commit(project: Path) -> None:
    for command in (["add", "."], ["-c", "user.name=t", "-c", "user.email=t@t", "commit", "-qm", "one"]):
        subprocess.run(["git", *command], cwd=project, check=True)


def plan(*args: str):
    return CliRunner().invoke(main, ["plan", *args])


def change(project: Path) -> None:
    file = project / "mappings" / "events" / "outage.yaml"
    file.write_text(file.read_text().replace("{type: [Info]}", "{type: [{anything-but: Info}]}"))


def test_without_a_change_there_is_nothing_to_say(project):
    done = plan("--base", "HEAD")
    assert (done.exit_code, done.output) == (0, "no route changes\n")


def test_a_change_is_told_against_a_revision(project):
    change(project)
    assert plan("--base", "HEAD").output.splitlines()[:5] == [
        "1 route changed",
        "outage/a: the pattern changes",
        'outage/a: the pattern was {"detail":{"type":["Info"]}}',
        'outage/a: the pattern is now {"detail":{"type":[{"anything-but":"Info"}]}}',
        "outage/a: sample 1 (type=Info) is no longer taken",
    ]


def test_json_holds_the_same(project):
    change(project)
    report = json.loads(plan("--base", "HEAD", "--json").output)
    assert report["summary"] == "1 route changed"
    assert [each["route"] for each in report["changes"]] == ["outage/a"]
    assert report["changes"][0]["patterns"]["was"] == '{"detail":{"type":["Info"]}}'


def test_a_sample_cannot_format_the_comment_or_call_people(project):
    change(project)
    text = plan("--base", "HEAD", "--markdown").output
    assert "- **`outage/a`** the pattern changes" in text
    # GitHub takes `\\@all` for a mention, but nothing in code.
    assert "  - `sample 2 (type=**@all** [x](y)) is now taken, was not`" in text


def test_a_sample_stays_code_whatever_it_holds():
    for sample in ("`", "a ``` b", "` ``", "x\n\n| b |\n- item", "&lt;b&gt; https://evil.example"):
        text = as_markdown([Change("changed", "e/r", ("is switched on",), (sample,))], [sample])
        assert len(text.splitlines()) == 7
        for line in (text.splitlines()[3].removeprefix("> "), text.splitlines()[6].removeprefix("  - ")):
            fence = line[: len(line) - len(line.lstrip("`"))]
            assert fence and line.endswith(fence) and fence not in line[len(fence) : -len(fence)]


@given(st.integers(0, 700), st.integers(0, 40), st.integers(1, 300))
@settings(max_examples=30, deadline=None)
def test_a_comment_fits_and_says_what_it_leaves_out(routes, samples, length):
    found = [Change("added", f"e/r{n}", ("added, to topic t",), ("é" * length,) * samples) for n in range(routes)]
    text = as_markdown(found, ["a note"])
    assert len(text) < COMMENT
    lines = text.splitlines()
    assert lines[0] == MARKER
    shown = sum(line.startswith("- ") for line in lines)
    if shown < routes:
        assert f"{routes - shown} whole change" in lines[-1] and f"{routes} change" in lines[-1]
        assert all(line.endswith(("`", "topic t")) for line in lines[5:-2])
    else:
        assert sum(map(len, found[-1].samples if found else ())) or "left out" not in text


def test_the_workflow_finds_its_comment_by_the_first_line():
    workflow = (Path(__file__).parents[3] / "docs" / "workflows" / "preview.yml").read_text()
    assert f'startswith("{MARKER}")' in workflow


def test_broken_definitions_are_shown_and_fail(project):
    (project / "mappings" / "events" / "outage.yaml").write_text("source: 3\n")
    done = plan("--base", "HEAD")
    assert done.exit_code == 1
    assert "outage.yaml" in done.output
    assert "cannot be compared" in done.output


def test_what_stops_a_plan_is_json_where_json_is_asked_for(project):
    (project / "mappings" / "events" / "outage.yaml").write_text("source: 3\n")
    done = plan("--base", "HEAD", "--json")
    report = json.loads(done.stdout)
    assert (done.exit_code, report["ok"]) == (1, False)
    assert report["errors"] == len(report["problems"]) > 0
    assert "cannot be compared" in done.stderr


def test_a_revision_that_is_not_there_is_said(project):
    done = plan("--base", "nowhere")
    assert done.exit_code == 1
    assert "nowhere" in done.output


def test_what_a_python_file_reads_beside_it_is_of_the_revision_too(project):
    (project / "dicts.py").write_text(
        "import park\n"
        "event_schemas = {'outage': {'source': park.SOURCE, 'schema': {}}}\n"
        "routing_configs = {'outage': {'a': {'targets': [{'topic': 'mail'}]}}}\n"
    )
    (project / "park.py").write_text("SOURCE = 'park.rides'\n")
    (project / "destinations.yaml").write_text("mail: {kind: topic}\n")
    (project / "Pulumi.dev.yaml").write_text("config: {signalbox:mappings: dicts.py}\n")
    (project / "elsewhere").symlink_to("/etc")
    commit(project)
    (project / "park.py").write_text("SOURCE = 'park.gates'\n")
    done = plan("--base", "HEAD")
    assert done.exit_code == 0, done.output
    assert done.output.startswith("1 route changed\noutage/a: the pattern changes")


def test_definitions_that_a_revision_has_not_are_said(project):
    (project / "mappings").rename(project / "moved")
    (project / "Pulumi.dev.yaml").write_text("config: {signalbox:mappings: moved}\n")
    done = plan("--base", "HEAD")
    assert (done.exit_code, done.output) == (1, "Error: git has no moved at HEAD\n")


def test_which_stack_is_asked_when_there_are_several(project):
    (project / "Pulumi.prod.yaml").write_text("config: {}\n")
    done = plan("--base", "HEAD")
    assert done.exit_code == 2
    assert "dev, prod" in done.output
    assert plan("--base", "HEAD", "--stack", "prod").exit_code == 0


def test_definitions_outside_the_project_have_no_revision_and_that_is_said(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "mappings"
    (project / "mappings").rename(outside)
    (project / "Pulumi.dev.yaml").write_text(f"config: {{signalbox:mappings: {outside}}}\n")
    done = plan("--base", "HEAD")
    assert done.exit_code == 1
    assert "outside" in done.output
    assert "fix: " in done.output


def test_functions_outside_the_project_have_no_revision_either(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "functions"
    (project / "functions").rename(outside)
    (project / "functions").symlink_to(outside)
    done = plan("--base", "HEAD")
    assert done.exit_code == 1
    assert "functions is outside" in done.output


def test_a_submodule_is_not_taken_for_definitions_that_are_gone(project, tmp_path_factory):
    other = tmp_path_factory.mktemp("other") / "mappings"
    (project / "mappings").rename(other)
    subprocess.run(["git", "init", "-q"], cwd=other, check=True)
    commit(other)
    add = ["-c", "protocol.file.allow=always", "submodule", "add", "-q", str(other), "mappings"]
    subprocess.run(["git", "rm", "-rq", "--cached", "mappings"], cwd=project, check=True)
    subprocess.run(["git", *add], cwd=project, check=True)
    commit(project)
    done = plan("--base", "HEAD")
    assert done.exit_code == 1
    assert "mappings is a git submodule" in done.output


def test_what_is_left_out_of_a_revision_is_told_and_its_files_are_named_as_git_does(project, tmp_path_factory):
    outside = tmp_path_factory.mktemp("outside") / "more.yaml"
    outside.write_text("source: s\nschema: {}\n")
    (project / "mappings" / "events" / "more.yaml").symlink_to(outside)
    commit(project)
    assert "mappings/events/more.yaml leads out of the project" in plan("--base", "HEAD").output
    (project / "mappings" / "destinations.yaml").write_text("")
    commit(project)
    (project / "mappings" / "destinations.yaml").write_text("mail: {kind: topic}\n")
    done = plan("--base", "HEAD")
    assert done.exit_code == 1
    assert "HEAD:mappings/events/outage.yaml:" in done.output
    assert "more.yaml leads out of the project" in done.output


def test_a_revision_is_never_taken_for_an_option(project, tmp_path):
    written = tmp_path / "written"
    done = plan("--base", f"--output={written}")
    assert (done.exit_code, written.exists()) == (1, False)
    assert "git has no revision --output=" in done.output


def test_what_aws_asks_for_is_said_in_a_line(project, monkeypatch):
    for name in ("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_CONFIG_FILE", "/dev/null")
    done = plan()
    assert done.exit_code == 1
    assert done.output.startswith("Error: no AWS region; fix: ") and done.output.count("\n") == 1


def test_two_forms_at_once_are_a_wrong_call(project):
    assert plan("--base", "HEAD", "--json", "--markdown").exit_code == 2


def test_a_sample_that_cannot_be_matched_is_said(project):
    file = project / "mappings" / "events" / "outage.yaml"
    many = json.dumps([[{"b": n}, {"c": n}] for n in range(12_000)])
    file.write_text(file.read_text().replace("samples: [", f"samples: [{{a: {many}}}, "))
    commit(project)
    file.write_text(file.read_text().replace("{type: [Info]}", "{a: {b: [1], c: [2]}}"))
    done = plan("--base", "HEAD")
    assert done.exit_code == 0, done.output
    assert "sample 1 cannot be tried: The event has too many" in done.output


class _Session:
    def client(self, service: str) -> None: ...


def test_what_would_stop_a_deploy_stops_the_plan(project, monkeypatch):
    (project / "mappings" / "flows").mkdir()
    (project / "mappings" / "flows" / "night.yaml").write_text("steps: [{name: a, transform: $input}]\n")
    items = [flow_item("night", {"steps": []}, ORIGIN_API)]
    monkeypatch.setattr(Stack, "session", lambda self: _Session())
    monkeypatch.setattr(signalbox.aws.store, "read_store", lambda *_: StoreSnapshot.of(items))
    done = plan()
    assert done.exit_code == 1
    assert "a flow night was made at run time" in done.output
    items.clear()
    assert plan().exit_code == 0
