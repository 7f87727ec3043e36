"""What a rule's target is given: event, part, constant or template (how that is filled in: test_transform.py)."""

import json
from typing import Any

import pytest

from sandbox.hooks.transform import Context, target_input

EVENT: dict[str, Any] = {"id": "1", "source": "park", "detail": {"place": {"x": 1}, "none": None}}
CONTEXT = Context("arn:aws:events:eu-west-1:1:rule/park/r", "r", "2026-01-02T03:04:05Z")


def test_the_predefined_variables_say_rule_time_and_event() -> None:
    names = ["rule-arn", "rule-name", "event.ingestion-time", "event.json", "event"]
    template = "[" + ",".join(f"<aws.events.{name}>" for name in names) + "]"
    arn, name, time, whole, head = json.loads(
        target_input({"InputTransformer": {"InputTemplate": template}}, EVENT, CONTEXT)
    )
    assert (arn, name, time) == (CONTEXT.rule_arn, "r", CONTEXT.ingestion_time)
    assert whole == EVENT
    assert head == {key: value for key, value in EVENT.items() if key != "detail"}


@pytest.mark.parametrize(
    ("target", "given"),
    [
        ({}, EVENT),
        ({"InputPath": "$.detail.place"}, {"x": 1}),
        ({"InputPath": "$.gone"}, EVENT),
        ({"InputPath": "$.detail.none"}, None),
        ({"Input": '{"fixed": 1}'}, {"fixed": 1}),
        ({"InputTransformer": {"InputPathsMap": {"x": "$.detail.place.x"}, "InputTemplate": '{"is": <x>}'}}, {"is": 1}),
    ],
)
def test_a_target_is_given_event_part_constant_or_template(target: dict[str, Any], given: object) -> None:
    assert json.loads(target_input(target, EVENT, CONTEXT)) == given
