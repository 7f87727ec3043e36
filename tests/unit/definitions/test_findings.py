"""What patterns say that nobody means; and nothing where a schema leaves the question open."""

from random import Random
from typing import Any

import pytest

from signalbox.canonical import canonical
from signalbox.classic import pattern_of
from signalbox.definitions.events import event_of
from signalbox.definitions.findings import check_findings
from signalbox.definitions.places import Document
from signalbox.model import Event, Route, Target
from signalbox.patterns import Pattern, check, compile, matches
from signalbox.schema import compile_schema
from tests.cpu import within

SCHEMA = {
    "type": "object",
    "required": ["kind", "ok", "rating", "load"],
    "properties": {
        "kind": {"enum": ["Info", "Warning", "Emergency"]},
        "ok": {"type": "boolean"},
        "one": {"const": "x"},
        "rating": {"type": "integer", "minimum": 1, "maximum": 5},
        "load": {"type": "number", "minimum": 0, "maximum": 10},
        "wait": {"type": "number", "exclusiveMinimum": 0},
        "code": {"type": "string", "minLength": 2, "maxLength": 4},
        "short": {"type": "string", "maxLength": 7},
        "maybe": {"type": ["string", "null"]},
        "open": {},
        "tags": {"type": "array", "items": {"enum": ["a", "b"]}},
        "ride": {
            "type": "object",
            "required": ["id"],
            "additionalProperties": False,
            "properties": {"id": {"type": "string"}, "size": {"$ref": "#/$defs/size"}},
        },
        "parts": {"type": "array", "items": {"type": "object", "properties": {"n": {"type": "integer"}}}},
        "either": {"anyOf": [{"const": 1}, {"type": "string"}]},
        "optional": {"anyOf": [{"type": "string", "maxLength": 3}, {"type": "null"}]},
        "choice": {"oneOf": [{"const": "A"}, {"const": "B"}]},
        "shapes": {
            "oneOf": [
                {"type": "object", "properties": {"a": {"const": 1}}, "additionalProperties": False},
                {"type": "object", "properties": {"b": {"type": "number"}}, "additionalProperties": False},
            ]
        },
        "both": {"allOf": [{"type": ["string", "number"]}, {"maximum": 3}]},
    },
    "$defs": {"size": {"enum": [1, 2]}},
}


def compiled(event: Event) -> dict[str, Pattern]:
    """The patterns of the rules of the event's routes."""
    return {name: compile(pattern_of(event, route)) for name, route in event.routes.items()}


def findings(*patterns: Any, schema: Any = SCHEMA, **event: Any) -> list[str]:
    """The codes of the findings of routes of these patterns, each with a target of its own."""
    routes = {
        f"r{number}": Route("e", f"r{number}", (Target("queue", f"q{number}"),), pattern)
        for number, pattern in enumerate(patterns)
    }
    made = Event("e", **{"source": ("s",), "detail_type": ("t",), "schema": schema, "routes": routes, **event})
    configs = {"routes": {name: route.config() for name, route in routes.items()}}
    found = list(check_findings(made, compiled(made), Document(configs)))
    assert all(problem.severity == "warning" for problem in found)
    return [problem.code for problem in found]


@pytest.mark.parametrize(
    "pattern",
    [
        {"kind": ["info"]},
        {"kind": [{"prefix": "X"}]},
        {"kind": [1, None, {"numeric": [">", 0]}]},
        {"kind": [{"anything-but": ["Info", "Warning", "Emergency"]}]},
        {"kind": [{"exists": False}]},
        {"ok": ["true"]},
        {"one": ["y"]},
        {"rating": [6]},
        {"rating": ["3"]},
        {"rating": [{"numeric": [">", 5]}]},
        {"rating": [{"numeric": [">", 2, "<", 3]}]},
        {"rating": [2.5]},
        {"wait": [{"numeric": ["<=", 0]}]},
        {"wait": [0, -1]},
        {"wait": ["1.5"]},
        {"wait": ["10:30"]},
        {"code": ["x", "xxxxx"]},
        {"code": [{"prefix": "xxxxx"}]},
        {"code": [5, True]},
        {"maybe": [1]},
        {"tags": ["c"]},
        {"tags": [{"prefix": "c"}, 1]},
        {"kind": {"inner": ["x"]}},
        {"ride": ["x"]},
        {"ride": [{"exists": True}]},
        {"ride": {"nam": ["x"]}},
        {"ride": {"size": [3]}},
        {"parts": {"n": ["x"]}},
        {"both": [4]},
        {"both": [True]},
        {"kind": ["Info"], "rating": [0]},
        {"$or": [{"kind": ["x"]}, {"rating": [9]}]},
        {"either": [True]},
        {"optional": [1]},
        {"optional": ["xxxx"]},
        {"choice": ["C"]},
        {"kind.inner": ["x"]},
        {"ride.size": [9]},
        {"shapes": {"a": [2]}},
    ],
    ids=str,
)
def test_a_pattern_that_no_valid_event_matches_is_told(pattern: Any) -> None:
    assert findings(pattern) == ["pattern-never"]


@pytest.mark.parametrize(
    "pattern",
    [
        {"kind": ["Info"]},
        {"kind": [{"equals-ignore-case": "INFO"}]},
        {"kind": [{"anything-but": "Info"}]},
        {"rating": [5, 1]},
        {"rating": [{"numeric": [">", 4]}]},
        {"rating": [{"numeric": [">=", 3, "<", 4]}]},
        {"wait": [0.001]},
        {"code": [{"prefix": "xxxx"}]},
        {"maybe": [None]},
        {"maybe": [{"exists": False}]},
        {"open": [1]},
        {"open": {"any": {"thing": [1]}}},
        {"unknown": ["x"]},
        {"tags": ["a"]},
        {"tags": [{"exists": False}]},
        {"ride": {"id": ["x"]}},
        {"ride": {"size": [2]}},
        {"ride": {"id": [{"exists": False}]}},
        {"parts": {"n": [1]}},
        {"either": [1, "x"]},
        {"optional": [None]},
        {"choice": ["A"]},
        {"unknown.inner": ["x"]},
        {"shapes": {"b": [5]}},
        {"rating": [1, 2, 3, 4]},
        {"optional": [{"exists": True}]},
        {"tags": [{"exists": True}, {"exists": False}]},
        {"wait": [{"numeric": [">", 0, "<", 5]}, {"numeric": [">", 5]}]},
        {"$or": [{"kind": ["Info", "Warning"]}, {"kind": ["Emergency"], "ok": [True]}]},
        {"both": ["x"]},
        {"short": ["010.0.0.1"]},
        {"short": [{"prefix": '1234567"'}]},
        {"short": [{"suffix": '"1234567'}]},
        {"wait": ["16.0.0.0"]},
        {"wait": [{"numeric": [">", 4999999999]}]},
    ],
    ids=str,
)
def test_nothing_is_said_of_a_pattern_that_tells_events_apart_or_of_an_open_question(pattern: Any) -> None:
    assert findings(pattern) == []


@pytest.mark.parametrize(
    "pattern",
    [
        {"kind": ["Info", "Warning", "Emergency"]},
        {"kind": [{"exists": True}]},
        {"ok": [True, False]},
        {"rating": [{"numeric": [">=", 1]}]},
        {"rating": [{"numeric": [">", 0, "<=", 5]}]},
        {"$or": [{"ok": [True, False]}, {"kind": ["Info"]}]},
        {"code": [{"exists": True}, {"exists": False}]},
        {"optional": [{"exists": False}, None, {"prefix": ""}]},
        {"ride": {"other": [{"exists": False}]}},
        {"$or": [{"kind": ["Info"]}, {"kind": ["Warning", "Emergency"], "ok": [True, False]}]},
        {"rating": [1, 2, 3, 4, 5]},
        {"rating": [{"anything-but": 6}]},
        {"load": [{"numeric": [">", -1, "<", 5]}, 5, {"numeric": [">", 5]}]},
        {"load": [{"anything-but": [11, -1]}]},
    ],
    ids=str,
)
def test_a_pattern_that_every_valid_event_matches_is_told(pattern: Any) -> None:
    assert findings(pattern) == ["pattern-always"]


def test_numbers_that_eventbridge_does_not_promise_to_compare_are_told() -> None:
    assert findings({"wait": [{"numeric": [">", 0, "<", 1.8e12]}]}) == ["pattern-numeric-range"]
    assert findings({"$or": [{"open": [5, {"numeric": ["=", -5.1e9]}]}, {"kind": ["Info"]}]}) == [
        "pattern-numeric-range"
    ]
    assert findings({"wait": [1.8e12, {"anything-but": [1.8e12]}]}) == []


def test_a_value_or_a_branch_that_never_comes_is_told_though_others_do() -> None:
    assert findings({"kind": ["Info", "warning"]}) == ["pattern-value-never"]
    assert findings({"$or": [{"kind": ["info"]}, {"rating": [1]}]}) == ["pattern-branch-never"]


def test_two_routes_of_one_pattern_and_a_common_target_are_told() -> None:
    def routes(second: Any, target: str, **more: Any) -> list[str]:
        config = {
            "a": Route("e", "a", (Target("queue", "q"),), {"x": ["1", "2"], "n": [{"numeric": [">", 1, "<", 2]}]}),
            "b": Route("e", "b", (Target("topic", "t"), Target("queue", target)), second, **more),
        }
        event = Event("e", ("s",), ("t",), {}, routes=config)
        return [
            problem.code
            for problem in check_findings(event, compiled(event), Document({"routes": dict.fromkeys(config)}))
        ]

    same = {"n": [{"numeric": [">", 1, "<", 2]}], "x": ["2", "1"]}
    assert routes(same, "q") == ["route-twin"]
    assert routes(same, "other") == []
    assert routes({"x": ["2"]}, "q") == []
    assert routes(same, "q", enabled=False) == []
    assert routes(same, "q", envelope={"region": ["eu-west-1"]}) == []


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        (["a"], [{"exactly": "a"}], True),
        ([{"anything-but": "a"}], [{"anything-but": ["a"]}], True),
        ([{"anything-but": [1, 2]}], [{"anything-but": [2.0, 1]}], True),
        (["a", "a"], ["a"], True),
        ([5], [{"numeric": ["=", 5]}], True),
        (["a", "b"], ["b", "a"], True),
        (["10.0.0.1"], [{"exactly": "10.0.0.1"}], False),
        ([1], ["1"], False),
        ([None], ["null"], False),
        ([{"prefix": "a"}], [{"prefix": {"equals-ignore-case": "a"}}], False),
        ([{"anything-but": "a"}], [{"anything-but": {"prefix": "a"}}], False),
    ],
    ids=str,
)
def test_patterns_that_mean_the_same_are_twins_however_they_are_written(one: Any, other: Any, same: bool) -> None:
    routes = {
        name: Route("e", name, (Target("queue", "q"),), {"numeric": conditions})
        for name, conditions in (("a", one), ("b", other))
    }
    event = Event("e", ("s",), ("t",), {}, routes=routes)
    found = check_findings(event, compiled(event), Document({"routes": dict.fromkeys(routes)}))
    assert [problem.code for problem in found] == ["route-twin"] * same


def test_a_list_that_a_later_one_on_the_same_field_replaces_is_told() -> None:
    assert findings({"$or": [{"open": ["a"]}, {"wait": [1]}], "open": ["c"]}) == ["pattern-lost"]
    assert findings({"open": ["c"], "$or": [{"open": ["a"]}, {"wait": [1]}]}) == ["pattern-lost"]
    assert findings({"open": {"x": ["c"]}, "open.x": ["a"]}) == ["pattern-lost"]
    assert findings({"$or": [{"open": ["a"]}, {"open": ["b"], "wait": [1]}]}) == []
    assert findings({"$or": [{"open": ["a"], "$or": [{"wait": [1]}, {"wait": [2]}]}, {"open": ["b"]}]}) == []


def test_a_route_that_takes_everything_on_the_bus_is_told() -> None:
    everything: dict[str, Any] = {"source": ({"prefix": ""},), "detail_type": None}
    assert findings(None, **everything) == ["route-takes-bus"]
    assert findings({"kind": ["Info"]}, **everything) == []
    any_case = {"prefix": {"equals-ignore-case": ""}}
    assert findings(None, **{**everything, "source": (any_case,)}) == ["route-takes-bus"]
    assert findings(None) == []
    assert findings(None, source=({"prefix": "a"},), detail_type=None) == []


@pytest.mark.parametrize(
    "sample", [{"detail": {}}, {"detail": {}, "route": ["r"]}, {"detail": {}, "routes": ["r"], "note": "n"}], ids=str
)
def test_a_sample_that_is_nearly_of_the_long_form_is_told(sample: Any) -> None:
    def codes(schema: Any, **samples: Any) -> list[str]:
        value = {"source": "s", "detail-type": "t", "schema": schema, "routes": {}, "samples": [samples]}
        return [problem.code for problem in check_findings(event_of("e", value), {}, Document(value))]

    assert codes({}, **sample) == ["sample-plain"]
    assert codes({"$defs": {"a": {"$id": "x"}}}, **sample) == ["sample-plain"]
    assert codes({"properties": {"detail": {"type": "object"}}}, **sample) == []
    assert codes({}, detail={}, routes=[]) == codes({}, detail=1, note=2) == codes({}, a={}) == []


def test_nothing_is_said_where_references_lead_elsewhere() -> None:
    schema = {"properties": {"a": {"$id": "https://example.com/", "$ref": "#/$defs/x", "$defs": {"x": {"const": 1}}}}}
    assert findings({"a": [2]}, schema=schema) == []


class Made:
    """Schemas, patterns and details at random, small enough to meet each other often."""

    VALUES = (None, True, False, 0, 1, 2, 2.5, 3, -1, "", "a", "ab", "Info", "3")
    TYPES = ("string", "number", "integer", "boolean", "null", "array", "object")
    NAMES = ("a", "b", "a.b")
    CONDITIONS = (
        *VALUES,
        *({"exists": True}, {"exists": False}, {"prefix": ""}, {"prefix": "a"}, {"suffix": "abc"}, {"wildcard": "*"}),
        *(
            {"numeric": [">", 1]},
            {"numeric": [">=", 0, "<", 3]},
            {"numeric": ["<=", 2]},
            {"equals-ignore-case": "INFO"},
        ),
        *({"anything-but": "a"}, {"anything-but": [1, 2]}, {"anything-but": {"prefix": "a"}}),
    )

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)

    def some(self, values: Any, most: int = 3) -> list[Any]:
        return self.random.sample(values, self.random.randint(1, min(most, len(values))))

    def schema(self, depth: int = 3) -> Any:
        """A schema, most often of an object with the fields a and b."""
        choose = self.random.random
        made: dict[str, Any] = {}
        if choose() < 0.5:
            made["type"] = "object" if choose() < 0.4 else self.some(self.TYPES, 2)
        if choose() < 0.2:
            made["enum"] = self.some(self.VALUES, 4)
        if choose() < 0.2:
            made["minimum"] = self.random.randint(0, 3)
        if choose() < 0.2:
            made["exclusiveMaximum"] = self.random.randint(0, 4)
        if choose() < 0.2:
            made[self.random.choice(["minLength", "maxLength"])] = self.random.randint(0, 2)
        if choose() < 0.1:
            made["$ref"] = self.random.choice(["#/$defs/d", "#"])
        if depth and choose() < 0.7:
            made["properties"] = {name: self.schema(depth - 1) for name in self.some(self.NAMES[:2])}
            made["required"] = self.some(self.NAMES[:2])
        if depth and choose() < 0.3:
            made["additionalProperties"] = choose() < 0.5
        if depth and choose() < 0.3:
            made["items"] = self.schema(depth - 1)
        if depth and choose() < 0.2:
            made[self.random.choice(["allOf", "anyOf", "oneOf"])] = [self.schema(depth - 1), self.schema(depth - 1)]
        return made

    def scalar(self) -> Any:
        """A schema of few values, so that a list of conditions can take them all."""
        made: Any = self.random.choice(
            [
                {"enum": self.some(self.VALUES, 3)},
                {"type": "boolean"},
                {"type": "integer", "minimum": 0, "maximum": 3},
                {"type": "number", "minimum": 0, "exclusiveMaximum": 3},
                {"type": "string", "minLength": 1},
                {"type": ["string", "null"]},
            ]
        )
        if self.random.random() < 0.3:
            return {self.random.choice(["anyOf", "oneOf"]): [made, {"type": "null"}]}
        return made

    def flat(self) -> Any:
        """A schema of an object with some such fields."""
        made = {"type": "object", "properties": {name: self.scalar() for name in self.NAMES[:2]}}
        if self.random.random() < 0.8:
            made["required"] = self.some(self.NAMES[:2])
        if self.random.random() < 0.3:
            made["additionalProperties"] = False
        return made

    def covering(self) -> Any:
        """A pattern that takes much: lists of many conditions, most often on one field."""

        def conditions() -> list[Any]:
            some = self.random.choice(
                [
                    [True, False, None, {"prefix": ""}],
                    [0, 1, 2, 3, None],
                    [{"numeric": [">=", 0, "<", 2]}, 2, {"numeric": [">", 2]}, None],
                    [{"exists": True}, {"exists": False}],
                    [{"anything-but": self.some(["", "zz", "a"], 2)}, None],
                    [{"anything-but": self.some([-1, 2.5, 9], 2)}],
                    list(self.VALUES),
                ]
            )
            return some if self.random.random() < 0.7 else [*self.some(some, 4), {"exists": False}]

        name = self.random.choice(self.NAMES[:2])
        every = conditions()
        if self.random.random() < 0.4 and len(every) > 1:
            return {"$or": [{name: every[:1]}, {name: every[1:]}]}
        return {name: every} if self.random.random() < 0.7 else {other: conditions() for other in self.NAMES[:2]}

    def detail(self, depth: int = 3) -> Any:
        """An object of such fields."""
        return {name: self.value(depth) for name in self.some(self.NAMES[:2], 2)}

    def value(self, depth: int) -> Any:
        """Any JSON value."""
        kind = self.random.random() if depth else 0
        if kind < 0.6:
            return self.random.choice(self.VALUES)
        return (
            self.detail(depth - 1) if kind < 0.8 else [self.value(depth - 1) for _ in range(self.random.randint(0, 2))]
        )

    def pattern(self, depth: int = 2) -> Any:
        """A pattern on such fields."""
        if depth and self.random.random() < 0.2:
            return {"$or": [self.pattern(depth - 1), self.pattern(depth - 1)]}
        return {
            name: self.pattern(depth - 1) if depth and self.random.random() < 0.3 else self.some(self.CONDITIONS)
            for name in self.some(self.NAMES, 2)
        }


def test_what_is_said_of_valid_events_is_true_of_them() -> None:
    never = always = 0
    for seed in range(2400):
        made = Made(seed)
        if seed % 2:
            schema, pattern = {**made.schema(), "$defs": {"d": made.schema(1)}}, made.pattern()
        else:
            schema, pattern = made.flat(), made.covering()
        if check(pattern):
            continue
        found = findings(pattern, schema=schema)
        if not found:
            continue
        validator, deployed = compile_schema(schema), canonical(pattern)
        valid = [detail for detail in (made.detail() for _ in range(60)) if validator.accepts(detail)]
        if "pattern-never" in found:
            never += bool(valid)
            assert not any(matches(deployed, detail) for detail in valid), seed
        if "pattern-always" in found:
            always += bool(valid)
            assert all(matches(deployed, detail) for detail in valid), seed
    assert never > 60
    assert always > 150


@pytest.mark.parametrize(
    ("values", "conditions"),
    [
        (["10.0.0.1", 2], [{"cidr": "::/0"}, {"numeric": ["=", 3]}]),
        (["16.16.16.16"], [10101010, {"cidr": "1.0.0.0/31"}]),
    ],
)
def test_nothing_is_said_of_addresses_and_numbers_in_one_list(values: Any, conditions: Any) -> None:
    schema = {"type": "object", "required": ["a"], "properties": {"a": {"enum": values}}}
    assert not {"pattern-always", "pattern-never"} & {*findings({"a": conditions}, schema=schema)}


def test_a_long_enum_is_compared_with_a_long_list_in_a_moment() -> None:
    schema = {"type": "object", "properties": {"a": {"enum": [f"v{n}" for n in range(1_000)]}}}
    within(1.0, lambda: findings({"a": [f"w{n}" for n in range(100)]}, schema=schema))
