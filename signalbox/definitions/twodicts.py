"""The second form of definitions: a Python file with the dicts `event_schemas` and `routing_configs`.

    event_schemas = {"outage": {"source": "themepark.rides", "detail-type": "outage", "schema": {…}}}
    routing_configs = {"outage": {"call-maintenance": {"targets": [{"topic": "maintenance-sms"}]}}}

An entry of `event_schemas` may be just the schema; the event's source is then the one of the stack's configuration, and
its detail-type is its id. `destinations`, a third dict, is that of destinations.yaml, and may as well be that file,
beside the Python file or in `mappings/` beside it. `flows`, a fourth, has the flows by id.

The file is its author's own code, and runs as such: in a process of its own, so that it can neither change nor outlive
the program that reads it, for `SECONDS` at most. Lines are known where the dicts are literal.
"""

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path as FilePath
from typing import Any

from signalbox.definitions.numbers import written
from signalbox.definitions.places import Document, Path, Place, path_text
from signalbox.definitions.yaml12 import FILE_BYTES, read_file
from signalbox.model import Json
from signalbox.problems import DefinitionError, Problem

SECONDS = 20
EVENTS, ROUTES, DESTINATIONS, FLOWS = "event_schemas", "routing_configs", "destinations", "flows"
_NUMBER = re.compile(r"-?(?:[0-9][0-9_]*\.?[0-9_]*|\.[0-9][0-9_]*)(?:[eE][-+]?[0-9][0-9_]*)?", re.ASCII)
_EVENT_KEYS = frozenset(("source", "schema"))
"""Keys that no JSON Schema has: an entry that has one is an event, not just its schema."""


def read_python(
    path: FilePath, source: str | None
) -> tuple[dict[str, Document], Document | None, dict[str, Document], list[Problem]]:
    """The event documents by id, that of the destinations, and those of the flows by id, from the Python file at
    `path`, and what is wrong.

    The destinations are None where their file could not be read.
    """
    file = str(path)
    nothing = Document({}, file, Place(1))
    try:
        text = path.read_text("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        return {}, nothing, {}, [Problem(code="file-unreadable", what=f"the file cannot be read: {reason}", file=file)]
    answer = _run(path)
    if "error" in answer:
        error = answer["error"]
        return {}, nothing, {}, [Problem(code="python-error", what=error["what"], file=file, line=error["line"])]
    module = ast.parse(text)
    places, twice = _literal_places(module)
    problems = [_fault(file, places, fault) for fault in answer["faults"]]
    problems += (_duplicate(file, *each) for each in twice if each[0][0] in (EVENTS, ROUTES, DESTINATIONS, FLOWS))
    dicts: dict[str, Json] = answer["dicts"]
    dicts.setdefault(FLOWS, {})
    _write_numbers(module, text, dicts)
    for name in (EVENTS, ROUTES, FLOWS):
        if not isinstance(dicts.get(name), dict):
            problems.append(
                Problem(
                    code="python-dict",
                    what=f"the file must have a dict {name}",
                    got="no such variable" if name not in dicts else type(dicts[name]).__name__,
                    file=file,
                    line=places.find((name,)),
                )
            )
            dicts[name] = {}
    events = _events(dicts, file, places, source, problems)
    if DESTINATIONS in dicts:
        problems += _not_read(path)
        destinations = Document(dicts[DESTINATIONS], file, places.parts.get(DESTINATIONS, Place(1)), (DESTINATIONS,))
    else:
        destinations = _destinations_beside(path, nothing, problems)
    whole = Document(dicts, file, places)
    flows = {flow_id: whole.part(FLOWS, flow_id) for flow_id in dicts[FLOWS]}
    return events, destinations, flows, problems


def _run(path: FilePath) -> dict[str, Any]:
    child = FilePath(__file__).with_name("dicts_child.py")
    command = [sys.executable, "-I", "-B", str(child), str(path), EVENTS, ROUTES, DESTINATIONS, FLOWS]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, timeout=SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return {"error": {"what": f"the file ran longer than {SECONDS} s", "line": 0}}
    if done.returncode or not done.stdout:
        said = " ".join(done.stderr.decode("utf-8", "replace").strip().splitlines()[-1:])[:200]
        return {"error": {"what": f"the file could not be run: {said or 'it ended the process'}", "line": 0}}
    if len(done.stdout) > FILE_BYTES:
        return {"error": {"what": f"the file's dicts are too big: more than {FILE_BYTES} bytes", "line": 0}}
    return json.loads(done.stdout)


def _fault(file: str, places: Place, fault: dict[str, Any]) -> Problem:
    return Document(None, file, places).problem(
        "python-json",
        "this is nothing that JSON can say",
        tuple(fault["path"]),
        got=fault["got"],
        allowed="dict with text keys, list, tuple, str, int, float, bool, None",
    )


def _duplicate(file: str, path: Path, line: int, first: int) -> Problem:
    return Problem(
        code="python-duplicate-key",
        what="this key is there already",
        got=str(path[-1]),
        fix=f"see line {first}: Python would take the last",
        file=file,
        line=line,
        path=path_text(path),
    )


def _events(
    dicts: dict[str, Any], file: str, places: Place, source: str | None, problems: list[Problem]
) -> dict[str, Document]:
    whole = Document(dicts, file, places)
    events = {}
    for event_id, entry in dicts[EVENTS].items():
        place = places.parts.get(EVENTS, Place(1)).parts.get(event_id, Place(places.find((EVENTS, event_id))))
        if isinstance(entry, dict) and not _EVENT_KEYS & entry.keys():
            value = {"detail-type": event_id, "schema": entry}
            place = Place(place.line, {"schema": place})
        elif isinstance(entry, dict):
            value = dict(entry)
        else:
            problems.append(
                whole.problem("form-type", "an event is a dict", (EVENTS, event_id), got=type(entry).__name__)
            )
            continue
        if "source" not in value:
            if source is None:
                problems.append(
                    whole.problem(
                        "source-missing",
                        "the event has no source",
                        (EVENTS, event_id),
                        fix="write `source`, or give all events one in the stack's config `signalbox:source`",
                    )
                )
            value["source"] = source or f"none.{event_id}"  # so that the rest can be checked all the same
        if "routes" in value:
            problems.append(
                whole.problem("form-unknown-key", f"routes belong into {ROUTES}", (EVENTS, event_id, "routes"))
            )
        place = Place(place.line, dict(place.parts))
        if event_id in dicts[ROUTES]:
            value["routes"] = dicts[ROUTES][event_id]
            routes = places.parts.get(ROUTES, Place(1))
            place.parts["routes"] = routes.parts.get(event_id, Place(routes.line))
        events[event_id] = Document(value, file, place, (event_id,))
    for event_id in dicts[ROUTES]:
        if event_id not in dicts[EVENTS]:
            problems.append(
                whole.problem(
                    "event-unknown",
                    f"there is no event {event_id}",
                    (ROUTES, event_id),
                    allowed=", ".join(list(dicts[EVENTS])[:20]),
                    fix=f"add it to {EVENTS}",
                )
            )
    return events


def _files_beside(path: FilePath) -> list[FilePath]:
    """Where destinations may be instead of in the Python file at `path`: files that exist, what counts first."""
    files = (path.with_name("destinations.yaml"), path.parent / "mappings" / "destinations.yaml")
    return [file for file in files if file.exists()]


def _not_read(path: FilePath) -> Iterator[Problem]:
    for file in _files_beside(path):
        yield Problem(
            code="file-not-read",
            what=f"this is not read: {path.name} has a dict `{DESTINATIONS}`, and only that counts",
            file=str(file),
            fix="move all destinations into one of them",
            severity="warning",
        )


def _destinations_beside(path: FilePath, nothing: Document, problems: list[Problem]) -> Document | None:
    files = _files_beside(path)
    if not files:
        return nothing
    try:
        return read_file(files[0], empty={})
    except DefinitionError as error:
        problems += error.problems
        return None


_Twice = tuple[Path, int, int]
"""A key that a literal dict has twice: its path, its line, and the line of the first."""


def _literal_places(module: ast.Module) -> tuple[Place, list[_Twice]]:
    """Where the dicts and their parts are written, as far as they are literal, and the keys that are there twice."""
    root = Place(1)
    twice: list[_Twice] = []
    for target, value in _assigned(module):
        _place_assigned(root, target, value, twice)
    return root, twice


def _assigned(module: ast.Module) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What is assigned to one target each, and the target."""
    for statement in module.body:
        match statement:
            case ast.Assign(targets=[target], value=value) | ast.AnnAssign(target=target, value=ast.expr() as value):
                yield target, value


def _place_assigned(root: Place, target: ast.expr, value: ast.expr, twice: list[_Twice]) -> None:
    match target:
        case ast.Name(id=name):
            twice[:] = [each for each in twice if each[0][0] != name]  # what is assigned last counts
            root.parts[name] = _place_of(value, (name,), twice)
        case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=str() as key)) if name in root.parts:
            root.parts[name].parts[key] = Place(target.lineno, _place_of(value, (name, key), twice).parts)


def _place_of(value: ast.expr, path: Path, twice: list[_Twice]) -> Place:
    place = Place(value.lineno)
    if isinstance(value, ast.Dict):
        for key, inner in zip(value.keys, value.values, strict=True):
            if isinstance(key, ast.Constant) and isinstance(key.value, str):
                here = (*path, key.value)
                if (first := place.parts.get(key.value)) is not None:
                    twice.append((here, key.lineno, first.line))
                place.parts[key.value] = Place(key.lineno, _place_of(inner, here, twice).parts)
    elif isinstance(value, ast.List | ast.Tuple):
        place.parts.update((index, _place_of(each, (*path, index), twice)) for index, each in enumerate(value.elts))
    return place


def _write_numbers(module: ast.Module, text: str, dicts: dict[str, Json]) -> None:
    """Puts the numbers into `dicts` that are literal there and are no float64: Python has rounded them already."""
    lines = text.encode().splitlines()
    for target, value in _assigned(module):
        match target:
            case ast.Name(id=name) if name in dicts:
                dicts[name] = _written(value, dicts[name], lines)
            case ast.Subscript(value=ast.Name(id=name), slice=ast.Constant(value=key)) if key in _members(dicts, name):
                dicts[name][key] = _written(value, dicts[name][key], lines)


def _members(dicts: dict[str, Json], name: str) -> dict[str, Json]:
    value = dicts.get(name)
    return value if isinstance(value, dict) else {}


def _written(literal: ast.expr, value: Json, lines: list[bytes]) -> Json:
    """`value` with numbers as `literal`, from which it was made, says them. What is none of its literals is kept."""
    match literal, value:
        case ast.Dict(keys=keys, values=literals), dict():
            for key, inner in zip(keys, literals, strict=True):
                if isinstance(key, ast.Constant) and key.value in value:
                    value[key.value] = _written(inner, value[key.value], lines)
        case ((ast.List(elts=literals) | ast.Tuple(elts=literals)), list()) if len(literals) == len(value):
            value[:] = [_written(inner, item, lines) for inner, item in zip(literals, value, strict=True)]
        case ((ast.Constant(value=float()) | ast.UnaryOp(operand=ast.Constant(value=float()))), float()):
            source = lines[literal.lineno - 1][literal.col_offset : literal.end_col_offset].decode()
            # What else may stand before a number (`- 1`, `~`) makes it an expression.
            number = written(source.replace("_", "")) if _NUMBER.fullmatch(source) else value
            return number if number == value else value
    return value
