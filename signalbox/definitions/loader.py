"""Definitions from the files of a project: every check, every fault at once."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path as FilePath

from signalbox.definitions.context import Sources, Stack
from signalbox.definitions.destinations import read_destinations
from signalbox.definitions.events import read_event
from signalbox.definitions.files import entries
from signalbox.definitions.functions import read_functions
from signalbox.definitions.places import Document, Place
from signalbox.definitions.whole import check_whole
from signalbox.definitions.yaml12 import read_file
from signalbox.flows.checks import EVENT_UNKNOWN
from signalbox.flows.files import read_flows
from signalbox.model import DESTINATION_KINDS, Definitions, Event, Json
from signalbox.problems import DefinitionError, Problem, errors
from signalbox.registry import registry_of

Progress = Callable[[int, int], None]
"""Told after each event: how many are done, of how many."""


def read(
    path: FilePath,
    functions: FilePath,
    *,
    stack: Stack | None = None,
    source: str | None = None,
    progress: Progress | None = None,
) -> tuple[Definitions | None, list[Problem]]:
    """The definitions under `path` (a folder, or a Python file of two dicts) and all that is wrong with them.

    None where there are errors; with warnings only, the definitions can be used. `functions` is the folder of the
    processing functions; `source` is what events have whose Python dict gives none.
    """
    definitions, problems = read_anyway(path, functions, stack=stack, source=source, progress=progress)
    return (None if errors(problems) else definitions), problems


def read_anyway(
    path: FilePath,
    functions: FilePath,
    *,
    stack: Stack | None = None,
    source: str | None = None,
    progress: Progress | None = None,
) -> tuple[Definitions, list[Problem]]:
    """As `read`, with what could be read in spite of errors: for those who show definitions, never to be deployed."""
    stack = stack if stack is not None else Stack()
    found = _from_python(path, source) if path.suffix == ".py" else _from_folder(path)
    problems = list(found.problems)
    complete = not errors(problems)
    unread = set() if found.destinations is not None else set(DESTINATION_KINDS)
    destinations = found.destinations or Document({}, str(path))
    made, sources, faults = read_functions(functions, stack)
    problems += faults
    if errors(faults):
        unread.add("function")
    places, faults = read_destinations(destinations)
    problems += faults
    written = {name: None if each is None else each.value for name, each in found.flows.items()}
    registry = registry_of(places.values(), made.values(), written, unread=frozenset(unread))
    usable: dict[str, Event] = {}
    for index, (event_id, document) in enumerate(found.events.items()):
        event, faults = read_event(event_id, document, registry)
        problems += faults
        if event is not None:
            usable[event_id] = event
        if progress is not None:
            progress(index + 1, len(found.events))
    flow_documents = {name: each for name, each in found.flows.items() if each is not None}
    flows, faults = read_flows(flow_documents, registry, usable)
    # An event that is there and has faults of its own is not called unknown.
    there = found.events.keys() | found.unread
    problems += [each for each in faults if each.code != EVENT_UNKNOWN or each.got not in there]
    definitions = Definitions(
        events=usable,
        destinations=places,
        functions=made,
        flows={flow_id: flow_documents[flow_id].value for flow_id in flows},
    )
    read_from = Sources(found.events, destinations, sources, str(path), flow_documents, complete)
    problems += check_whole(definitions, read_from, stack)
    problems.sort(key=lambda p: (p.file, p.line, p.path))
    return definitions, problems


@dataclass(slots=True)
class _Found:
    """Documents by id. None: its file could not be read, which is among the problems; `unread` are such events."""

    events: dict[str, Document] = field(default_factory=dict)
    unread: set[str] = field(default_factory=set)
    destinations: Document | None = None
    flows: dict[str, Document | None] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)


def _from_python(path: FilePath, source: str | None) -> _Found:
    from signalbox.definitions.twodicts import read_python

    events, destinations, flows, problems = read_python(path, source)
    return _Found(events, set(), destinations, dict(flows), problems)


def _from_folder(folder: FilePath) -> _Found:
    file = folder / "destinations.yaml"
    found = _Found(destinations=Document({}, str(file), Place(1)))
    if not folder.is_dir():
        what = "there is no such folder" if not folder.exists() else "this is no folder"
        found.problems.append(
            Problem(
                code="folder-missing",
                what=what,
                file=str(folder),
                allowed="a folder with events/*.yaml and destinations.yaml, or a Python file of two dicts",
            )
        )
        return found
    if file.exists():
        found.destinations = _read(file, found.problems, empty={})
    for path in _yaml_files(folder / "events", found.problems):
        if (document := _read(path, found.problems)) is not None:
            found.events[path.stem] = document
        else:
            found.unread.add(path.stem)
    for path in _yaml_files(folder / "flows", found.problems):
        found.flows[path.stem] = _read(path, found.problems)
    found.problems += _strays(folder)
    if not found.events and not found.problems:
        found.problems.append(
            Problem(
                code="no-events",
                what="no event is defined",
                file=str(folder / "events"),
                fix="add mappings/events/<event-id>.yaml",
                severity="warning",
            )
        )
    return found


def _read(path: FilePath, problems: list[Problem], empty: Json = None) -> Document | None:
    try:
        return read_file(path, empty=empty)
    except DefinitionError as error:
        problems += error.problems
        return None


def _yaml_files(folder: FilePath, problems: list[Problem]) -> list[FilePath]:
    found = []
    for path in entries(folder, problems):
        if path.name.startswith("."):
            continue
        if path.is_file() and path.suffix == ".yaml":
            found.append(path)
        elif path.is_dir() or path.suffix in (".yaml", ".yml", ".json"):
            fix = "move its files up" if path.is_dir() else f"rename it to {path.stem}.yaml"
            if path.suffix == ".yaml" and not path.is_dir():
                fix = "make it a regular file"
            problems.append(_not_read(path, f"{folder.name}/<id>.yaml", fix))
    return found


def _strays(folder: FilePath) -> list[Problem]:
    """Files beside events/, flows/ and destinations.yaml that look as if they were meant to be definitions."""
    problems: list[Problem] = []
    for path in entries(folder, problems):
        if path.suffix in (".yaml", ".yml", ".json") and path.name != "destinations.yaml":
            allowed = "destinations.yaml, events/<event-id>.yaml, flows/<flow-id>.yaml"
            inside = folder.name in ("events", "flows")
            fix = "check the folder above" if inside else "move or rename it"
            problems.append(_not_read(path, allowed, fix))
    return problems


def _not_read(path: FilePath, allowed: str, fix: str) -> Problem:
    return Problem(code="file-not-read", what="this would not be read", file=str(path), allowed=allowed, fix=fix)
