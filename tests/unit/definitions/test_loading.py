"""What the loader makes of folders: all problems in one run, and none of them a traceback."""

import os
import shutil
from pathlib import Path

import pytest

from signalbox.definitions import load, read
from signalbox.problems import DefinitionError

ROOT = Path(__file__).parents[3]
GOOD = "source: s\ndetail-type: good\nschema: {}\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project with one good event."""
    (tmp_path / "mappings" / "events").mkdir(parents=True)
    (tmp_path / "mappings" / "events" / "good.yaml").write_text(GOOD)
    (tmp_path / "functions").mkdir()
    return tmp_path


def codes(folder: Path) -> list[str]:
    """The codes of the problems of the project in `folder`."""
    return sorted(problem.code for problem in read(folder / "mappings", folder / "functions")[1])


def test_the_theme_park_is_fine() -> None:
    definitions, problems = load(ROOT / "mappings", ROOT / "functions", own_bus="signalbox-dev")
    assert problems == []
    assert list(definitions.flows) == ["park-summary", "repeat-outages"]
    assert {route.id: [target.name for target in route.targets] for route in definitions.routes()} == {
        "maintenanceRequest/inform-maintenance": ["maintenance-email"],
        "outage/inform-maintenance": ["maintenance-email"],
        "outage/call-maintenance": ["maintenance-sms"],
        "outage/repeats": ["repeat-outages"],
        "parkSummary/record": ["park-summaries"],
        "waitTimes/outages": ["outage", "ride-outages"],
        "waitTimesSummary/metrics": ["metrics"],
        "waitTimesSummary/summary": ["park-summary"],
    }


def test_faults_of_all_files_are_told_in_one_run(folder: Path) -> None:
    (folder / "mappings" / "destinations.yaml").write_text("a: {kind: tpic}\n")
    (folder / "mappings" / "events" / "one.yaml").write_text("a: [")
    (folder / "mappings" / "events" / "two.yaml").write_text(
        "source: t\nschema: {type: x}\nroutes: {r: {targets: []}}\n"
    )
    (folder / "functions" / "f").mkdir()
    (folder / "functions" / "f" / "function.yaml").write_text("memory: 1\n")
    assert codes(folder) == [
        "form-enum",
        "form-minItems",
        "form-minimum",
        "function-handler",
        "schema-invalid",
        "yaml-syntax",
    ]
    with pytest.raises(DefinitionError) as refused:
        load(folder / "mappings", folder / "functions")
    for file in ("destinations.yaml:1", "one.yaml:", "two.yaml:2", "two.yaml:3", "function.yaml:1"):
        assert file in str(refused.value)


def test_what_could_not_be_read_is_not_called_unknown(folder: Path) -> None:
    routes = "routes: {r: {targets: [{topic: t}, {function: f}]}}\n"
    (folder / "mappings" / "events" / "good.yaml").write_text(GOOD + routes)
    (folder / "mappings" / "destinations.yaml").write_text("t: [\n")
    (folder / "mappings" / "events" / "bad.yaml").write_text("[")
    (folder / "functions" / "f").mkdir()
    (folder / "functions" / "f" / "function.yaml").write_text("target: [\n")
    assert codes(folder) == ["yaml-syntax"] * 3
    (folder / "mappings" / "destinations.yaml").write_text("t: {kind: topic, events: [bad, good]}\n")
    assert codes(folder) == ["yaml-syntax"] * 2


def test_a_folder_that_is_not_there_or_is_none_is_a_problem(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    for name in ("none", "file"):
        definitions, problems = read(tmp_path / name, tmp_path)
        assert definitions is None
        assert [problem.code for problem in problems] == ["folder-missing"]


def test_functions_may_be_missing(folder: Path) -> None:
    (folder / "functions").rmdir()
    assert codes(folder) == []


def test_no_events_is_a_warning(folder: Path) -> None:
    (folder / "mappings" / "events" / "good.yaml").unlink()
    definitions, problems = read(folder / "mappings", folder / "functions")
    assert definitions is not None
    assert [problem.code for problem in problems] == ["no-events"]


def test_the_folder_of_events_is_not_taken_for_that_of_definitions(folder: Path) -> None:
    definitions, problems = read(folder / "mappings" / "events", folder / "functions")
    assert definitions is None
    assert [(problem.code, problem.fix) for problem in problems] == [("file-not-read", "check the folder above")]


def test_a_file_that_is_no_regular_file_is_told_and_not_opened(folder: Path) -> None:
    os.mkfifo(folder / "mappings" / "events" / "pipe.yaml")
    (folder / "mappings" / "events" / "lost.yaml").symlink_to("nowhere")
    (folder / "mappings" / "events" / "dir.yaml").mkdir()
    (folder / "mappings" / "events" / ".hidden.yaml").write_text("[")
    assert codes(folder) == ["file-not-read"] * 3


def test_a_name_that_is_not_utf8_is_told(folder: Path) -> None:
    (folder / "mappings" / "events" / os.fsdecode(b"\xff.yaml")).write_text(GOOD)
    definitions, problems = read(folder / "mappings", folder / "functions")
    assert definitions is None
    assert [problem.code for problem in problems] == ["file-name"]
    str(problems[0]).encode()


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_a_folder_that_cannot_be_read_is_told(folder: Path) -> None:
    (folder / "mappings" / "events").chmod(0)
    try:
        assert codes(folder) == ["folder-unreadable"]
    finally:
        (folder / "mappings" / "events").chmod(0o700)


def test_what_a_deploy_knows_makes_more_checks_possible(folder: Path) -> None:
    (folder / "mappings" / "destinations.yaml").write_text(
        "b: {kind: bus, arn: 'arn:aws:events:eu-west-1:111122223333:event-bus/ours'}\n"
    )

    def found(own_bus: str = "", account: str = "", region: str = "") -> bool:
        _, problems = read(folder / "mappings", folder / "functions", own_bus=own_bus, account=account, region=region)
        return any(problem.code == "destination-own-bus" for problem in problems)

    assert not found()
    assert found(own_bus="ours")
    assert found(own_bus="ours", account="111122223333", region="eu-west-1")
    assert not found(own_bus="ours", account="999900001111")
    assert not found(own_bus="ours", region="us-east-1")
    assert not found(own_bus="others")


def test_events_are_in_the_order_of_their_names_and_routes_in_that_of_the_file(folder: Path) -> None:
    routes = "routes:\n" + "".join(f"  {name}:\n    targets: [{{topic: t}}]\n    enabled: false\n" for name in "zay")
    (folder / "mappings" / "destinations.yaml").write_text("t: {kind: topic}\n")
    (folder / "mappings" / "events" / "a.yaml").write_text(f"source: a\nschema: {{}}\n{routes}")
    definitions, _ = load(folder / "mappings", folder / "functions")
    assert list(definitions.events) == ["a", "good"]
    assert list(definitions.events["a"].routes) == ["z", "a", "y"]


def test_the_meta_schemas_are_those_that_editors_find() -> None:
    for path in [*(ROOT / "mappings").rglob("*.yaml")]:
        line = path.read_text().splitlines()[0]
        assert line.startswith("# yaml-language-server: $schema=")
        assert (path.parent / line.partition("=")[2]).resolve().is_file()


def test_reading_twice_gives_equal_definitions(tmp_path: Path) -> None:
    shutil.copytree(ROOT / "mappings", tmp_path / "mappings")
    first, _ = load(tmp_path / "mappings", ROOT / "functions")
    second, _ = load(ROOT / "mappings", ROOT / "functions")
    assert first == second
