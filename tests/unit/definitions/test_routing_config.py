"""Routing configs as the API gets them: no files, no lines, and whatever anybody sends."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from signalbox import classic
from signalbox.canonical import canonical
from signalbox.definitions.routing import ROUTES_PER_EVENT, check_routing_config
from signalbox.model import Destination, Event, Function, route_from_config
from signalbox.problems import errors
from signalbox.registry import registry_of
from tests.cpu import timed, within

EVENT = Event("order", ("shop",), ("order",), {"type": "object", "properties": {"state": {"type": "string"}}})
REGISTRY = registry_of(
    [Destination("jobs", "queue"), Destination("mail", "topic", runtime=False), Destination("b", "queue", fifo=True)],
    [Function("work", target=True), Function("closed")],
    {},
)


def codes(configs: Any, *, runtime: bool = True) -> list[str]:
    """The codes of what is wrong with `configs`, in order."""
    return sorted(problem.code for problem in check_routing_config(EVENT, configs, REGISTRY, runtime=runtime))


def test_a_good_config_has_no_problems() -> None:
    config = {"r": {"pattern": {"state": ["new"]}, "targets": [{"queue": "jobs"}, {"function": "work"}]}}
    assert check_routing_config(EVENT, config, REGISTRY, runtime=True) == []
    assert check_routing_config(EVENT, {}, REGISTRY, runtime=True) == []


def test_problems_name_the_route_and_no_file() -> None:
    (problem,) = check_routing_config(EVENT, {"r": {"targets": [{"queue": "job"}]}}, REGISTRY, runtime=True)
    assert (problem.file, problem.line, problem.path) == ("", 0, "r.targets[0].queue")
    assert problem.fix == "did you mean 'jobs'?"


def test_a_run_time_edit_may_not_name_what_is_closed_to_it_and_definitions_may() -> None:
    config = {"r": {"targets": [{"topic": "mail"}]}}
    assert codes(config) == ["target-runtime"]
    assert codes(config, runtime=False) == []


@pytest.mark.parametrize("configs", [None, [], "r", 1, True, [{"r": {}}]])
def test_a_body_that_is_no_mapping_is_refused(configs: Any) -> None:
    assert codes(configs) == ["form-type"]


def test_every_route_is_looked_at_though_one_is_bad() -> None:
    assert codes({"a": 1, "b": {"targets": [{"queue": "no"}]}, "c": {"targets": [], "x": 1}, "d.e": {}}) == [
        "form-minItems",
        "form-missing-key",
        "form-name",
        "form-type",
        "form-unknown-key",
        "target-unknown",
    ]


@pytest.mark.parametrize(
    "value",
    [
        *(float("nan"), float("inf"), -float("inf"), 10**400, "\ud800", json.loads('"\\udfff"'), json.loads("1e999")),
        json.loads("[" * 500 + "]" * 500),
        {"\ud800": 1},
    ],
    ids=repr,
)
def test_what_json_lets_in_and_aws_does_not_is_refused(value: Any) -> None:
    for config in (
        {"r": {"pattern": {"state": [value]}, "targets": [{"queue": "jobs"}]}},
        {"r": {"targets": [{"queue": "jobs", "input": {"paths": {"a": value}, "template": value}}]}},
        {"r": value},
    ):
        assert "json-value" in codes(config)
    assert codes({"\ud800": {"targets": [{"queue": "jobs"}]}}) == ["json-value"]


@pytest.mark.parametrize(
    "target",
    [
        {"topic": "arn:aws:sns:eu-west-1:111122223333:x"},
        {"arn": "arn:aws:lambda:eu-west-1:111122223333:function:x"},
        {"queue": "jobs", "arn": "jobs"},
        {"queue": "jobs", "role": "arn:aws:iam::111122223333:role/x"},
        {"function": "router"},
        {"function": "closed"},
        {"queue": "router"},
        {"queue": "jobs "},
        {"queue": "jobs\n"},
        {"queue": ["jobs"]},
    ],
)
def test_a_target_is_a_name_of_the_registry_and_nothing_else(target: Any) -> None:
    assert codes({"r": {"targets": [target]}}) != []


@pytest.mark.parametrize("key", ["source", "detail-type", "detail", "$or", "replay-name"])
def test_a_route_can_only_narrow_its_own_event(key: str) -> None:
    assert codes({"r": {"envelope": {key: ["other"]}, "targets": [{"queue": "jobs"}]}}) == ["form-unknown-key"]


def test_too_many_routes_are_not_looked_at() -> None:
    assert codes(dict.fromkeys(map(str, range(ROUTES_PER_EVENT + 1)), 1)) == ["routes-too-many"]


def test_the_router_template_is_bounded_by_the_number_of_functions_and_flows() -> None:
    names = [f"function-{number:0>55}" for number in range(100)]
    registry = registry_of([], [Function(name, target=True) for name in names], {})
    config = {"r": {"targets": [{"function": name} for name in names]}}
    event = Event("e" * 128, ("shop",), ("order",), {})
    found = check_routing_config(event, config, registry, runtime=True)
    assert [(problem.code, problem.path) for problem in found] == [("rule-template-length", "r.targets")]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
NAMES = st.sampled_from(["jobs", "mail", "b", "work", "closed", "router", "job", "arn:aws:sns:a:b:c", ""])
MATCHERS = st.sampled_from(
    [
        *({"prefix": "a"}, {"wildcard": "*"}, {"exists": False}, {"numeric": [">", 1]}, {"anything-but": ["x"]}),
        *("new", 2**53 + 1, 1.5, None, {"cidr": "::/0"}, {"anything-but": {"prefix": ""}}, {"nope": 1}, {}, []),
    ]
)
PATTERNS = st.recursive(
    st.lists(MATCHERS | ANY, max_size=3),
    lambda inner: (
        st.dictionaries(st.sampled_from(["state", "$or", "a.b", "", "detail"]) | st.text(), inner, max_size=3)
        | st.lists(inner, max_size=3)
    ),
    max_leaves=8,
)
TARGETS = st.dictionaries(
    st.sampled_from(["queue", "topic", "function", "flow", "arn", "input", "message-group", "partition-key", "x"]),
    NAMES
    | ANY
    | st.fixed_dictionaries({"template": st.text('<>"{}a$.\\\n,:[]') | ANY, "paths": ANY | st.just({"a": "$.detail"})}),
    max_size=3,
)
ROUTES = st.fixed_dictionaries(
    {},
    optional={
        "pattern": PATTERNS | ANY,
        "envelope": st.dictionaries(st.sampled_from(["account", "region", "source"]), PATTERNS | ANY, max_size=2) | ANY,
        "targets": st.lists(TARGETS, max_size=7) | ANY,
        "enabled": st.booleans() | ANY,
        "retry": st.dictionaries(st.sampled_from(["attempts", "max-age-seconds"]), st.integers(-1, 90_000) | ANY) | ANY,
        "other": ANY,
    },
)


@settings(max_examples=400)
@given(st.dictionaries(st.text(max_size=5) | st.just("r"), ROUTES | ANY, max_size=3) | ANY)
def test_anything_is_refused_with_words_or_becomes_a_rule(configs: Any) -> None:
    found, spent = timed(lambda: check_routing_config(EVENT, configs, REGISTRY, runtime=True))
    if spent > 1:  # or a busy machine's
        within(1, lambda: check_routing_config(EVENT, configs, REGISTRY, runtime=True))
    json.dumps([problem.as_dict() for problem in found])
    if errors(found):
        return
    for name, config in configs.items():
        route = route_from_config(EVENT.id, name, config)
        rule = classic.rule_of(EVENT, route, "stack")
        assert len(rule.pattern.encode()) <= 4096
        assert json.loads(rule.pattern)["source"] == ["shop"]
        assert len(rule.targets) <= 5
        # What is accepted says itself: nothing of it is lost on the way into a rule and back.
        assert canonical(route_from_config(EVENT.id, name, route.config()).config()) == canonical(route.config())
