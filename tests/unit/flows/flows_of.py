"""Flows for tests: made of steps, checked against a small stack."""

from typing import Any

from signalbox.definitions.places import Document
from signalbox.flows import EXAMPLE, Flow, compile_flow, read_flow
from signalbox.model import Event
from signalbox.problems import Problem
from signalbox.registry import Entry, Registry
from tests.unit.flows.validator import faults

EVENTS = {
    "reading": Event(
        "reading",
        ("plant",),
        ("reading",),
        {
            "type": "object",
            "properties": {
                "site": {"type": "string"},
                "level": {"type": "number"},
                "rows": {"type": "array", "items": {"type": "object", "properties": {"id": {"type": "string"}}}},
            },
        },
    ),
    "alarm": Event(
        "alarm",
        ("plant",),
        ("alarm",),
        {
            "type": "object",
            "required": ["site"],
            "additionalProperties": False,
            "properties": {"site": {"type": "string", "minLength": 1}, "kind": {"enum": ["low", "high"]}},
        },
    ),
    "any": Event("any", ("plant", {"prefix": "x"}), None, {}),
    "timed": Event("timed", ("plant",), ("timed",), {"properties": {"at": {"type": "string", "format": "date-time"}}}),
    "foreign": Event("foreign", ("aws.ec2",), ("State",), {}),
}
REGISTRY = Registry(
    {
        "look-up": Entry("look-up", "function"),
        "only-alarms": Entry("only-alarms", "function", events=("alarm",)),
        "by-deploy": Entry("by-deploy", "function", runtime=False),
        "mail": Entry("mail", "topic"),
    },
    frozenset(("router",)),
)

EVERY_KIND: dict[str, Any] = {
    "description": "A step of every kind",
    "input": "reading",
    "steps": [
        {"name": "big", "filter": {"detail": {"level": [{"numeric": [">", 5]}]}}},
        {"name": "rows", "transform": "$input.detail.rows"},
        {
            "name": "each",
            "split": "$input",
            "concurrency": 4,
            "steps": [
                {"name": "named", "filter": {"id": [{"exists": True}]}},
                {"name": "id", "transform": "$input.id"},
                {"name": "tell", "emit": "alarm", "detail": '{"site": $input}'},
            ],
            "combine": '{"ids": $results, "all": $count($input)}',
        },
        {"name": "look", "function": "look-up", "retry": {"attempts": 1, "interval": 1}, "timeout": 5},
        {
            "name": "which",
            "choose": [
                {"pattern": {"kind": ["low"]}, "steps": [{"name": "low", "wait": 1}]},
                {"condition": "$event.detail.level > 9", "steps": []},
            ],
            "otherwise": [{"name": "later", "wait": {"until": "$event.time"}}],
        },
        {"name": "often", "count": {"key": "$event.detail.site", "threshold": 3, "window": 60}},
        {"name": "batch", "aggregate": {"key": "$event.detail.site", "count": 10, "window": 60, "item": "$input"}},
        {"name": "alarm", "emit": "alarm", "detail": '{"site": $event.detail.site, "kind": "high"}'},
    ],
    "catch": [{"name": "sorry", "emit": "alarm", "detail": '{"site": $input.error.step}'}],
}


def read(body: Any, **more: Any) -> tuple[Flow | None, list[Problem]]:
    """The flow of a body, and what is wrong with it."""
    return read_flow("test", Document(body), REGISTRY, EVENTS, **more)


def flow(*steps: dict[str, Any], **more: Any) -> Flow:
    """The flow of these steps, which must have no fault."""
    made, problems = read({"steps": list(steps), **more})
    assert made is not None, problems
    assert not [problem for problem in problems if problem.severity == "error"], problems
    return made


def machine(*steps: dict[str, Any], **more: Any) -> dict[str, Any]:
    """The state machine of these steps, which others' validator takes."""
    made = compile_flow(flow(*steps, **more), EXAMPLE, EVENTS)
    assert faults(made) == []
    return made


def states_of(whole: dict[str, Any]) -> dict[str, Any]:
    """All states of a machine by name, those in branches and item processors included; no name is there twice."""
    found: dict[str, Any] = {}
    for name, state in whole["States"].items():
        inner = [*state.get("Branches", ()), *([state["ItemProcessor"]] if "ItemProcessor" in state else ())]
        for part in ({"States": {name: None}}, *inner):
            for each, content in ({name: state} if part["States"] == {name: None} else states_of(part)).items():
                assert each not in found, each
                found[each] = content
    return found
