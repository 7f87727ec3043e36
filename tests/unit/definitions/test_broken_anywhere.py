"""Definitions with any part replaced by anything: told with words, never a traceback."""

import json
import shutil
from pathlib import Path
from random import Random
from typing import Any

import pytest

from signalbox.definitions import read
from signalbox.definitions.yaml12 import read_file
from signalbox.problems import errors
from tests.cpu import within

BASE = Path(__file__).parents[2] / "definitions" / "base"
ROUTES = {
    "r1": {
        "pattern": {
            "state": ["new", {"prefix": "p"}],
            "$or": [{"id": ["1"]}, {"customer": {"name": [{"exists": True}]}}],
        },
        "envelope": {"region": ["eu-west-1"], "account": [{"anything-but": "1"}]},
        "targets": [
            {"topic": "mail", "input": {"paths": {"a": "$.detail.id"}, "template": '"<a>"'}},
            {"queue": "ordered", "message-group": "g"},
            {"stream": "records", "partition-key": "$.detail.id"},
            {"function": "work"},
        ],
        "enabled": False,
        "retry": {"attempts": 3, "max-age-seconds": 60},
    }
}
SAMPLES = [{"id": "1"}, {"detail": {"id": "2"}, "routes": ["all"], "source": "shop", "envelope": {"region": "x"}}]
FUNCTION = {
    "target": True,
    "events": ["order"],
    "environment": {"BUS": "${bus.name}"},
    "statements": [{"actions": ["sqs:SendMessage"], "resources": ["*"], "conditions": {"StringEquals": {"a": "b"}}}],
    "triggers": [{"topic": "mail"}],
}
ODD: list[Any] = [
    *(None, True, 0, -1, 1.5, 10**30, "", "x", "arn:", "arn:x", "arn:aws:events:a:b:c", "${", "<", "$", "[", "\x85"),
    *([], {}, [[]], [{}], [None], {"": 1}, {"a": None}, {"0": {}}, {"$ref": "#"}, {"$or": [{}]}, {"prefix": None}),
    *({"kind": "bus"}, {"routes": 1, "detail": 2}, {"targets": [{}]}, ["a", 1, None, {"exists": "x"}], "aws.partner/"),
]


def documents() -> dict[str, Any]:
    """The base's files with something in every place that can have something."""
    event = dict(read_file(BASE / "mappings" / "events" / "order.yaml").value)
    event["routes"] = {**event["routes"], **ROUTES}
    event |= {"samples": SAMPLES, "from": "other-bus", "source": ["shop", {"prefix": "aws."}], "description": "x"}
    return {
        "mappings/events/order.yaml": event,
        "mappings/destinations.yaml": read_file(BASE / "mappings" / "destinations.yaml").value,
        "functions/work/function.yaml": FUNCTION,
    }


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """The paths of all parts of `value`."""
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, part in inner for each in paths(part, (*path, key)))]


def broken(value: Any, path: tuple[Any, ...], odd: Any, *, rename: bool) -> Any:
    """`value` with the part at `path` replaced by `odd`, or its key renamed to it."""
    if not path:
        return odd
    made = json.loads(json.dumps(value))
    whole = made
    for step in path[:-1]:
        whole = whole[step]
    if rename and isinstance(whole, dict):
        whole[str(odd)[:50]] = whole.pop(path[-1])
    else:
        whole[path[-1]] = odd
    return made


def test_the_whole_is_fine_before_it_is_broken(tmp_path: Path) -> None:
    _write(tmp_path, documents())
    definitions, problems = _read(tmp_path)
    assert not errors(problems)
    assert definitions is not None


@pytest.mark.parametrize("file", documents())
def test_any_part_may_be_anything(tmp_path: Path, file: str) -> None:
    good = documents()
    random = Random(file)
    _write(tmp_path, good)
    for path in paths(good[file]):
        for odd in random.sample(ODD, 5):
            value = broken(good[file], path, odd, rename=random.random() < 0.2)
            (tmp_path / file).write_text(json.dumps(value))
            definitions, problems = _read(tmp_path)
            assert (definitions is None) == bool(errors(problems))
            assert all(problem.what for problem in problems)
            json.dumps([problem.as_dict() for problem in problems])


def _write(folder: Path, files: dict[str, Any]) -> None:
    shutil.copytree(BASE, folder, dirs_exist_ok=True)
    for name, value in files.items():
        (folder / name).write_text(json.dumps(value))


def _read(folder: Path) -> Any:
    return read(folder / "mappings", folder / "functions", own_bus="ours", account="111122223333", region="eu-west-1")


DIGITS = "3.14159265358979323846"


def read_event(tmp_path: Path, text: str, **more: str) -> list[str]:
    """The codes of what is wrong with one event, and with more files by their path (`__` for `/`)."""
    files = {"mappings/events/a.yaml": text} | {f"{name.replace('__', '/')}.yaml": each for name, each in more.items()}
    for name, content in files.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    _, problems = read(tmp_path / "mappings", tmp_path / "functions")
    return [problem.code for problem in problems if problem.severity == "error"]


def test_a_number_that_float64_rounds_is_a_number_to_schemas_and_samples(tmp_path: Path) -> None:
    schema = f"{{properties: {{n: {{minimum: {DIGITS}, default: {DIGITS}}}}}}}"
    assert read_event(tmp_path, f"source: x\nschema: {schema}\nsamples: [{{n: {DIGITS}}}]\n") == []
    assert read_event(tmp_path, f"source: {DIGITS}\nschema: {{}}\n") == ["form-type"]


@pytest.mark.parametrize(
    "schema", ["{properties: 5}", "{anyOf: -1}", "{$ref: 5}", "{patternProperties: a}", "{prefixItems: 3}"]
)
def test_a_flow_is_read_whatever_the_schema_of_its_event_is(schema: str, tmp_path: Path) -> None:
    flow = "input: a\nsteps: [{name: t, transform: $input.detail.msg}]\n"
    codes = read_event(tmp_path, f"source: x\nschema: {schema}\n", mappings__flows__f=flow)
    assert {*codes} == {"schema-invalid"}


def test_a_matcher_of_two_keys_is_told_wherever_it_stands(tmp_path: Path) -> None:
    source = "[{prefix: {equals-ignore-case: aws., suffix: x}}]"
    assert read_event(tmp_path, f"source: {source}\nschema: {{}}\n") == ["pattern-refused"]


def test_what_overlaps_is_found_in_a_time_that_fits_the_pairs(tmp_path: Path) -> None:
    shared = ", ".join(f"s{n}" for n in range(19))
    for n in range(100):
        path = tmp_path / "mappings" / "events" / f"e{n}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"source: [{shared}, own{n}, {{prefix: p{n}-}}]\ndetail-type: [d{n}]\nschema: {{}}\n")
    _, problems = within(2.0, lambda: read(tmp_path / "mappings", tmp_path / "functions"))
    assert [problem for problem in problems if problem.severity == "error"] == []
