"""Definitions from the files of a project: every check, every fault at once."""

from collections.abc import Callable
from pathlib import Path as FilePath

from signalbox.definitions.destinations import read_destinations
from signalbox.definitions.events import read_event
from signalbox.definitions.files import entries
from signalbox.definitions.functions import read_functions
from signalbox.definitions.places import Document, Place
from signalbox.definitions.whole import Sources, Stack, check_whole
from signalbox.definitions.yaml12 import read_file
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
    problems: list[Problem] = []
    unread: frozenset[str] = frozenset()
    if path.suffix == ".py":
        from signalbox.definitions.twodicts import read_python

        events, destinations, found = read_python(path, source)
    else:
        events, destinations, found = _read_folder(path)
    problems += found
    complete = not errors(found)
    if destinations is None:
        destinations, unread = Document({}, str(path)), frozenset(DESTINATION_KINDS)
    made, sources, found = read_functions(functions)
    problems += found
    if errors(found):
        unread |= {"function"}
    places, found = read_destinations(destinations)
    problems += found
    registry = registry_of(places.values(), made.values(), {}, unread=unread)
    usable: dict[str, Event] = {}
    for index, (event_id, document) in enumerate(events.items()):
        event, found = read_event(event_id, document, registry)
        problems += found
        if event is not None:
            usable[event_id] = event
        if progress is not None:
            progress(index + 1, len(events))
    definitions = Definitions(events=usable, destinations=places, functions=made)
    problems += check_whole(definitions, Sources(events, destinations, sources, str(path), complete), stack)
    problems.sort(key=lambda p: (p.file, p.line, p.path))
    return definitions, problems


def _read_folder(folder: FilePath) -> tuple[dict[str, Document], Document | None, list[Problem]]:
    """Event documents by id, that of the destinations (None: it could not be read), and what is wrong."""
    problems: list[Problem] = []
    file = folder / "destinations.yaml"
    nothing = Document({}, str(file), Place(1))
    if not folder.is_dir():
        what = "there is no such folder" if not folder.exists() else "this is no folder"
        problem = Problem(
            code="folder-missing",
            what=what,
            file=str(folder),
            allowed="a folder with events/*.yaml and destinations.yaml, or a Python file of two dicts",
        )
        return {}, nothing, [problem]
    destinations = _read(file, problems, empty={}) if file.exists() else nothing
    events = {}
    for path in _yaml_files(folder / "events", problems):
        if (document := _read(path, problems)) is not None:
            events[path.stem] = document
    for path in _yaml_files(folder / "flows", problems):
        problems.append(
            Problem(
                code="flow-unsupported",
                what="flows are not supported yet",
                file=str(path),
                line=1,
                fix="remove the file; route to a processing function",
            )
        )
    problems += _strays(folder)
    if not events and not problems:
        problems.append(
            Problem(
                code="no-events",
                what="no event is defined",
                file=str(folder / "events"),
                fix="add mappings/events/<event-id>.yaml",
                severity="warning",
            )
        )
    return events, destinations, problems


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
