"""Definitions as two Python dicts: the same definitions, from a file that may do anything."""

import json
import pprint
import time
from pathlib import Path

import pytest

from signalbox.definitions import load, read, twodicts
from signalbox.definitions.yaml12 import read_file
from signalbox.problems import errors

ROOT = Path(__file__).parents[3]


def as_python(mappings: Path) -> str:
    """The definitions of the folder `mappings` as a Python file of dicts."""
    schemas, routes = {}, {}
    for path in sorted((mappings / "events").glob("*.yaml")):
        value = dict(read_file(path).value)
        routes[path.stem] = value.pop("routes", {})
        schemas[path.stem] = value
    destinations = read_file(mappings / "destinations.yaml").value
    flows = {path.stem: read_file(path).value for path in sorted((mappings / "flows").glob("*.yaml"))}
    dicts = {"event_schemas": schemas, "routing_configs": routes, "destinations": destinations, "flows": flows}
    return "\n\n".join(f"{name} = {pprint.pformat(value, sort_dicts=False)}" for name, value in dicts.items())


def test_both_forms_give_equal_definitions(tmp_path: Path) -> None:
    path = tmp_path / "create_event_store_mappings.py"
    path.write_text(as_python(ROOT / "mappings"))
    from_yaml, _ = load(ROOT / "mappings", ROOT / "functions")
    from_python, _ = load(path, ROOT / "functions")
    assert from_python == from_yaml
    assert list(from_python.events) == list(from_yaml.events)


def test_a_number_that_python_has_rounded_is_refused_as_in_yaml(tmp_path: Path) -> None:
    path = tmp_path / "d.py"
    path.write_text(
        "event_schemas = {'e': {'source': 's', 'schema': {}}}\n"
        "routing_configs = {}\n"
        "routing_configs['e'] = {\n"
        "  'r': {'pattern': {'x': [0.1, 'é', 0.12345678901234567890], 'y': (-1e-400, 0.0, -2.5, 1_0.5)},\n"
        "        'targets': [{'topic': 't'}]}}\n"
        "destinations = {'t': {'kind': 'topic'}}\n"
    )
    _, problems = read(path, tmp_path)
    assert [(p.code, p.got, p.line, p.path) for p in problems] == [
        ("pattern-number", "0.12345678901234567890", 4, "e.routes.r.pattern.x[2]"),
        ("pattern-number", "-1e-400", 4, "e.routes.r.pattern.y[0]"),
    ]


def test_an_entry_may_be_just_the_schema(tmp_path: Path) -> None:
    path = tmp_path / "d.py"
    path.write_text(
        "event_schemas = {'outage': {'type': 'object', 'properties': {'source': {}, 'schema': {}}}}\n"
        "routing_configs = {}\n"
    )
    definitions, _ = load(path, tmp_path, source="park")
    event = definitions.events["outage"]
    assert (event.source, event.detail_type, event.routes) == (("park",), ("outage",), {})
    assert event.schema == {"type": "object", "properties": {"source": {}, "schema": {}}}


@pytest.mark.parametrize("folder", [".", "mappings"])
def test_the_destinations_may_be_in_a_file_beside(tmp_path: Path, folder: str) -> None:
    path = tmp_path / "d.py"
    path.write_text(
        "event_schemas = {'e': {'source': 's', 'schema': {}}}\n"
        "routing_configs = {'e': {'r': {'targets': [{'topic': 't'}]}}}\n"
    )
    (tmp_path / folder).mkdir(exist_ok=True)
    (tmp_path / folder / "destinations.yaml").write_text("t: {kind: topic}\n")
    assert load(path, tmp_path)[0].destinations["t"].kind == "topic"


def test_a_file_may_compute_its_dicts_with_modules_beside_it(tmp_path: Path) -> None:
    (tmp_path / "shared_values.py").write_text("SOURCE = 'park'\n")
    path = tmp_path / "d.py"
    path.write_text(
        "from shared_values import SOURCE\n"
        "print('noise on standard output')\n"
        "event_schemas = {f'e{n}': {'source': SOURCE, 'detail-type': f'e{n}', 'schema': {}} for n in range(3)}\n"
        "routing_configs = {event: {'r': {'targets': ({'topic': 'gone'},)}} for event in event_schemas}\n"
    )
    definitions, problems = read(path, tmp_path)
    assert definitions is None
    # What is not literal has the line of the dict that it comes from.
    assert [(p.code, p.line, p.path) for p in problems] == [
        ("target-unknown", 4, f"e{n}.routes.r.targets[0].topic") for n in range(3)
    ]


def test_a_file_that_does_not_end_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(twodicts, "SECONDS", 1)
    path = tmp_path / "d.py"
    path.write_text("while True: pass\n")
    begin = time.monotonic()
    _, problems = read(path, tmp_path)
    assert time.monotonic() - begin < 10
    assert [p.code for p in errors(problems)] == ["python-error"]
    assert "longer than 1 s" in problems[0].what


@pytest.mark.parametrize(
    "text",
    [
        "import os\nos._exit(3)\n",
        "import os\nos._exit(0)\n",
        "import sys\nsys.exit('bye')\n",
        "raise KeyboardInterrupt\n",
        "event_schemas = routing_configs = {}\nevent_schemas['a'] = event_schemas\n",
        "event_schemas = {'a': {'schema': {}, 'source': chr(0xd800)}}\nrouting_configs = {}\n",
        "event_schemas = {'a': {'schema': {'const': 10**5000}, 'source': 's'}}\nrouting_configs = {}\n",
        "class D(dict):\n    def items(self): raise OSError('no')\nevent_schemas = D(a=1)\nrouting_configs = {}\n",
        "event_schemas = {'a': {'schema': {'description': 'x' * 5_000_000}, 'source': 's'}}\nrouting_configs = {}\n",
        "import sys\nsys.setrecursionlimit(10**9)\ndef f(): return f()\nf()\n",
        "\x00",
        "event_schemas = " + "[" * 1000 + "]" * 1000,
    ],
)
def test_whatever_a_file_does_is_a_problem_and_no_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setattr(twodicts, "SECONDS", 3)
    path = tmp_path / "d.py"
    path.write_text(text)
    definitions, problems = read(path, tmp_path)
    assert definitions is None
    assert errors(problems)
    json.dumps([problem.as_dict() for problem in problems]).encode()


def test_the_file_cannot_change_the_process_that_reads_it(tmp_path: Path) -> None:
    path = tmp_path / "d.py"
    path.write_text("import json\njson.loads = None\nevent_schemas = {}\nrouting_configs = {}\n")
    assert read(path, tmp_path)[1] == []
    assert json.loads("1") == 1


@pytest.mark.parametrize(
    "text",
    [
        "\ufeffevent_schemas = {'a': {'source': 'x', 'schema': {}}}\n",
        "event_schemas = {'a': {}, 'a': {}}\nevent_schemas = {'a': {'source': 'x', 'schema': {}}}\n",
    ],
    ids=["byte order mark", "assigned once more"],
)
def test_what_python_takes_and_means_is_taken(text: str, tmp_path: Path) -> None:
    path = tmp_path / "d.py"
    path.write_text(f"{text}routing_configs = {{}}\n", "utf-8")
    _, problems = read(path, tmp_path)
    assert problems == []
