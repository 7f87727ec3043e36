"""What a rule's target is given, as AWS documents input transformers."""

import json
from typing import Any

import pytest

from sandbox.hooks.transform import Context, lookup, missing, render, target_input

EVENT: dict[str, Any] = {
    "id": "1",
    "detail-type": "ride",
    "source": "park",
    "detail": {"ride": 'the "Wheel"', "wait": 7, "open": False, "stops": ["a", "b"], "place": {"x": 1}, "none": None},
}
CONTEXT = Context("arn:aws:events:eu-west-1:1:rule/park/r", "r", "2026-01-02T03:04:05Z")


def rendered(template: str, **paths: str) -> str:
    return render(paths, template, EVENT, CONTEXT)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT),
        ("$.detail.wait", 7),
        ("$.detail-type", "ride"),
        ("$.detail.stops[1]", "b"),
        ("$.detail.stops[*]", ["a", "b"]),
        ("$.detail.place.*", [1]),
        ("$.detail.none", None),
    ],
)
def test_a_path_leads_to_its_value(path: str, value: object) -> None:
    assert lookup(EVENT, path) == value


@pytest.mark.parametrize(
    "path", ["$.detail.gone", "$.detail.stops[2]", "$.detail.wait.x", "detail", "$detail", "$.a b"]
)
def test_a_path_that_leads_nowhere_is_told_from_null(path: str) -> None:
    assert missing(lookup(EVENT, path))
    assert not missing(lookup(EVENT, "$.detail.none"))


def test_in_a_values_place_every_kind_of_value_is_json() -> None:
    paths = {name: f"$.detail.{name}" for name in EVENT["detail"]}
    template = "{" + ",".join(f'"{name}":<{name}>' for name in paths) + "}"
    assert json.loads(rendered(template, **paths)) == EVENT["detail"]


def test_a_string_inside_a_literal_is_escaped_so_that_the_whole_stays_json() -> None:
    assert json.loads(rendered('{"text": "see to <ride>"}', ride="$.detail.ride")) == {"text": 'see to the "Wheel"'}


def test_an_object_inside_a_literal_loses_its_quotation_marks() -> None:
    assert rendered('"at <place>"', place="$.detail.place") == '"at {x:1}"'


def test_a_missing_value_is_empty_and_an_undeclared_name_stays() -> None:
    assert (
        rendered('{"a": <gone>, "b": "<gone>", "c": "<who>"}', gone="$.detail.gone")
        == '{"a": "", "b": "", "c": "<who>"}'
    )


def test_plain_text_is_filled_in_without_quotation_marks() -> None:
    assert (
        rendered("<wait> minutes at <ride>", wait="$.detail.wait", ride="$.detail.ride") == '7 minutes at the "Wheel"'
    )


def test_a_template_that_is_one_variable_gives_its_value_as_json() -> None:
    assert json.loads(rendered("<place>", place="$.detail.place")) == {"x": 1}


def test_the_predefined_variables_say_rule_time_and_event_and_cannot_be_redefined() -> None:
    names = ["rule-arn", "rule-name", "event.ingestion-time", "event.json", "event"]
    template = "[" + ",".join(f"<aws.events.{name}>" for name in names) + "]"
    arn, name, time, whole, head = json.loads(rendered(template))
    assert (arn, name, time) == (CONTEXT.rule_arn, "r", CONTEXT.ingestion_time)
    assert whole == EVENT
    assert head == {key: value for key, value in EVENT.items() if key != "detail"}


def test_a_less_than_sign_in_a_value_is_not_filled_in_again() -> None:
    event = {"detail": {"a": "<b>", "b": "secret"}}
    assert render({"a": "$.detail.a", "b": "$.detail.b"}, '"<a>"', event, CONTEXT) == '"<b>"'


@pytest.mark.parametrize(
    ("target", "given"),
    [
        ({}, EVENT),
        ({"InputPath": "$.detail.place"}, {"x": 1}),
        ({"InputPath": "$.gone"}, EVENT),
        ({"InputPath": "$.detail.none"}, None),
        ({"Input": '{"fixed": 1}'}, {"fixed": 1}),
    ],
)
def test_without_a_template_a_target_is_given_event_part_or_constant(target: dict[str, Any], given: object) -> None:
    assert json.loads(target_input(target, EVENT, CONTEXT)) == given
