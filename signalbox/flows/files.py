"""Flow definitions, all together."""

from collections.abc import Mapping

from signalbox.definitions.places import Document
from signalbox.flows.checks import read_flow
from signalbox.flows.model import Flow
from signalbox.model import Event
from signalbox.problems import Problem
from signalbox.registry import Registry


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
