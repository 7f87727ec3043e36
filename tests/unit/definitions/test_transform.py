"""What input transformers make of events."""

from typing import Any

import pytest

from signalbox.transform import NOWHERE, transformed, value_at

EVENT: dict[str, Any] = {
    "source": "shop",
    "resources": ["arn:a", "arn:b"],
    "detail": {
        "text": 'say "hi"\n',
        "n": 1.5,
        "yes": True,
        "none": None,
        "list": [{"a": 1}, {"a": 2}],
        "x-y_z": "é",
        "place": {"x": 1},
        "odd key": 1,
    },
}
PATHS = {
    "text": "$.detail.text",
    "n": "$.detail.n",
    "yes": "$.detail.yes",
    "none": "$.detail.none",
    "list": "$.detail.list",
    "lost": "$.detail.lost.more",
    "place": "$.detail.place",
    "all": "$",
}


@pytest.mark.parametrize(
    ("template", "made"),
    [
        ('"<text>"', '"say \\"hi\\"\\n"'),
        ('{"t": <text>, "n": <n>}', '{"t": "say \\"hi\\"\\n", "n": 1.5}'),
        ('{"yes": <yes>, "none": <none>, "list": <list>}', '{"yes": true, "none": null, "list": [{"a":1},{"a":2}]}'),
        ('"<yes> <none> <n> <list>"', '"true null 1.5 [{a:1},{a:2}]"'),
        ('"<lost>"', '""'),
        ("<lost>", '""'),
        ('"<n>"\n"and <n>"', '"1.5"\n"and 1.5"'),
        ('"a \\"<n>\\" b"', '"a \\"1.5\\" b"'),
        ('"<unknown>"', '"<unknown>"'),
        ("<unknown>", "<unknown>"),
        ('"<aws.events.rule-name>"', '"my.rule"'),
        ('"1 < 2 > <n>"', '"1 < 2 > 1.5"'),
        ('"at <place>"', '"at {x:1}"'),
        ("<place>", '{"x":1}'),
        ("<n> minutes at <text>", '1.5 minutes at say "hi"\n'),
        ("<aws.events.event>", '{"source":"shop","resources":["arn:a","arn:b"]}'),
    ],
)
def test_a_template_is_filled_in(template: str, made: str) -> None:
    variables = {"aws.events.rule-name": "my.rule"}
    assert transformed(PATHS, template, EVENT, variables) == made


def test_what_eventbridge_defines_cannot_be_redefined():
    assert transformed({"aws.events.event": "$.source"}, "<aws.events.event>", {"source": "s"}, {}) == '{"source":"s"}'


def test_a_value_cannot_bring_variables_of_its_own() -> None:
    event = {"detail": {"a": "<b>", "b": "secret"}}
    assert transformed({"a": "$.detail.a", "b": "$.detail.b"}, '"<a>" ', event, {}) == '"<b>" '


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("$", EVENT),
        ("$.source", "shop"),
        ("$.resources[1]", "arn:b"),
        ("$.resources[2]", NOWHERE),
        ("$.resources.a", NOWHERE),
        ("$.source[0]", NOWHERE),
        ("$.detail.list[*]", [{"a": 1}, {"a": 2}]),
        ("$.detail.list[0].a", 1),
        ("$.detail.x-y_z", "é"),
        ("$.detail.place.*", [1]),
        ("$.detail['odd key']", 1),
        ("$.detail.none", None),
        ("$.nothing", NOWHERE),
        ("$.detail.n.x", NOWHERE),
        ("detail", NOWHERE),
        ("$detail", NOWHERE),
        ("$.a b", NOWHERE),
    ],
)
def test_a_path_leads_to_a_value_or_nowhere_which_is_told_from_null(path: str, value: Any) -> None:
    assert value_at(EVENT, path) == value
