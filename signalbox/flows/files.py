"""mappings/flows/*.yaml: flow definitions as files, and what they need of the other definitions to be checked."""

from collections.abc import Mapping
from pathlib import Path

from signalbox.definitions.destinations import read_destinations
from signalbox.definitions.events import read_event
from signalbox.definitions.functions import read_functions
from signalbox.definitions.places import Document, Place
from signalbox.definitions.yaml12 import read_file
from signalbox.flows.checks import read_flow
from signalbox.flows.model import Flow
from signalbox.model import Event
from signalbox.problems import DefinitionError, Problem
from signalbox.registry import Registry, registry_of


def documents(folder: Path) -> tuple[dict[str, Document], list[Problem]]:
    """The YAML files directly in `folder` by their stems, and what could not be read; nothing where it is not there."""
    found: dict[str, Document] = {}
    problems: list[Problem] = []
    for path in sorted(folder.glob("*.yaml")) if folder.is_dir() else []:
        try:
            found[path.stem] = read_file(path)
        except DefinitionError as error:
            problems += error.problems
    return found, problems


def read_flows(
    flows: Mapping[str, Document], registry: Registry, events: Mapping[str, Event]
) -> tuple[dict[str, Flow], list[Problem]]:
    """The flows that `flows` define, as far as their form can be used, and all that is wrong with them."""
    made: dict[str, Flow] = {}
    problems: list[Problem] = []
    for flow_id, document in flows.items():
        flow, found = read_flow(flow_id, document, registry, events)
        problems += found
        if flow is not None:
            made[flow_id] = flow
    return made, problems


def read_folder(folder: Path, functions: Path) -> tuple[dict[str, Flow], dict[str, Event], list[Problem]]:
    """The flows of the definitions in `folder`, the events that they may name, and what is wrong with the flows.

    Faults of events, functions and destinations are for `signalbox.definitions` to tell.
    """
    made, _, _ = read_functions(functions)
    file = folder / "destinations.yaml"
    places, _ = read_destinations(read_file(file) if file.exists() else Document({}, str(file), Place(1)))
    flow_documents, problems = documents(folder / "flows")
    registry = registry_of(places.values(), made.values(), dict.fromkeys(flow_documents))
    event_documents, _ = documents(folder / "events")
    events: dict[str, Event] = {}
    for event_id, document in event_documents.items():
        event, _ = read_event(event_id, document, registry)
        if event is not None:
            events[event_id] = event
    flows, found = read_flows(flow_documents, registry, events)
    return flows, events, [*problems, *found]
