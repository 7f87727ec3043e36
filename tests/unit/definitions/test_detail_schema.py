"""Schemas of details: what fits, what is wrong where, and no way to fetch or to take long."""

import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from signalbox.schema import DEPTH, ERRORS, MESSAGE_LENGTH, SchemaError, compile_schema
from tests.cpu import within


def nested(levels: int, key: str = "a", leaf: Any = 1) -> Any:
    """`{"a": {"a": … 1}}` of that many levels."""
    for _ in range(levels):
        leaf = {key: leaf}
    return leaf


def expression(kinds: int) -> dict[str, Any]:
    """A schema of expressions of so many kinds, each of which holds an expression: recursion that branches."""
    each = [
        {"properties": {"op": {"const": kind}, "a": {"$ref": "#/$defs/any"}}, "required": ["a"]}
        for kind in range(kinds)
    ]
    return {"$ref": "#/$defs/any", "$defs": {"any": {"anyOf": each}}}


def test_errors_say_where_and_what() -> None:
    schema = {
        "type": "object",
        "required": ["id"],
        "properties": {"list": {"items": {"type": "integer"}}, "at": {"format": "date-time"}, "0": {"type": "string"}},
    }
    found = compile_schema(schema).errors({"list": [1, "x", 2.5], "at": "yesterday", "0": 1})
    assert {(error.pointer, error.message) for error in found} == {
        ("", '"id" is a required property'),
        ("/list/1", '"x" is not of type "integer"'),
        ("/list/2", '2.5 is not of type "integer"'),
        ("/at", '"yesterday" is not a "date-time"'),
        ("/0", '1 is not of type "string"'),
    }


def test_what_fits_has_no_errors() -> None:
    validator = compile_schema({"type": "object", "properties": {"at": {"format": "date-time"}}})
    assert validator.errors({"at": "2026-11-22T10:00:00Z", "more": [1]}) == []
    assert validator.accepts({})
    assert not validator.accepts([])
    assert compile_schema({}).accepts(None)


def test_errors_are_bounded_in_number_and_length() -> None:
    schema = {"items": {"maxLength": 2}}
    found = compile_schema(schema).errors(["x" * 1000] * 1000)
    assert len(found) == ERRORS
    assert all(len(error.message) < MESSAGE_LENGTH + 10 for error in found)
    assert "longer than 2" in found[0].message
    assert len(compile_schema(schema).errors(["xxx"] * 9, limit=3)) == 3


@pytest.mark.parametrize(
    ("format_", "good", "bad"),
    [
        ("date-time", "2026-11-22T10:00:00+01:00", "2026-11-22 10:00"),
        ("date", "2026-11-22", "22.11.2026"),
        ("time", "10:00:00Z", "25:00:00Z"),
        ("email", "a@example.com", "a"),
        ("ipv4", "10.0.0.1", "10.0.0.256"),
        ("ipv6", "::1", ":::1"),
        ("uri", "https://example.com/a", "a b"),
        ("uuid", "3e4666bf-d5e5-4aa7-b8ce-cefe41c7568a", "3e4666bf"),
        ("hostname", "example.com", "-a-"),
        ("json-pointer", "/a/0", "a"),
    ],
)
def test_formats_are_validated(format_: str, good: str, bad: str) -> None:
    validator = compile_schema({"format": format_})
    assert validator.accepts(good)
    assert not validator.accepts(bad)


@pytest.mark.parametrize(
    ("schema", "code", "path"),
    [
        ({"type": "objekt"}, "schema-invalid", ("type",)),
        ({"properties": {"0": {"type": 3}}}, "schema-invalid", ("properties", "0", "type")),
        ({"$schema": "http://json-schema.org/draft-07/schema#"}, "schema-dialect", ("$schema",)),
        (
            {"properties": {"a": {"$schema": "https://example.com/mine"}}},
            "schema-dialect",
            ("properties", "a", "$schema"),
        ),
        ({"not": {"pattern": "(?=a)"}}, "schema-regex-backtracking", ("not", "pattern")),
        ({"patternProperties": {"(a)\\1": {}}}, "schema-regex-backtracking", ("patternProperties", "(a)\\1")),
        ({"items": {"pattern": "["}}, "schema-regex", ("items", "pattern")),
        ({"pattern": "((a{0,100}){0,100}){0,100}"}, "schema-regex", ("pattern",)),
        ({"$ref": "https://example.com/a"}, "schema-remote-ref", ("$ref",)),
        ({"allOf": [{"$ref": "file:///etc/passwd"}]}, "schema-remote-ref", ("allOf", 0, "$ref")),
        ({"$dynamicRef": "//example.com/#a"}, "schema-remote-ref", ("$dynamicRef",)),
        ({"$ref": "#/$defs/none"}, "schema-lost-ref", ("$ref",)),
        ({"$ref": "#none"}, "schema-invalid", ()),
        ({"$id": "https://example.com/", "$ref": "other"}, "schema-invalid", ()),
        ({"description": "\ud800"}, "schema-invalid", ()),
        ({"properties": nested(200, "properties", {})}, "schema-invalid", ()),
    ],
    ids=str,
)
def test_a_schema_that_cannot_be_used_is_refused_with_its_place(schema: Any, code: str, path: Any) -> None:
    with pytest.raises(SchemaError) as refused:
        compile_schema(schema)
    assert (refused.value.faults[0].code, refused.value.faults[0].path) == (code, path)


def test_all_faults_of_a_schema_are_told() -> None:
    with pytest.raises(SchemaError) as refused:
        compile_schema({"pattern": "(?=a)", "items": {"pattern": "["}, "not": {"$ref": "https://example.com/"}})
    assert len(refused.value.faults) == 3


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"pattern": {"type": "string"}, "$ref": {"type": "string"}, "$schema": {"type": "string"}}},
        {"enum": [{"$ref": "https://example.com/"}, {"pattern": "("}]},
        {"const": {"pattern": "(?=a)"}},
        {"$id": "https://example.com/a", "$defs": {"b": {"$id": "b"}}, "$ref": "b"},
        {
            "$schema": "https://json-schema.org/draft/2020-12/schema#",
            "$ref": "#here",
            "$defs": {"a": {"$anchor": "here"}},
        },
        {"$ref": "https://json-schema.org/draft/2020-12/schema"},
        {"$ref": "#/$defs/a~1b%25c", "$defs": {"a/b%c": {}}},
        {"prefixItems": [{}], "$ref": "#/prefixItems/0"},
    ],
    ids=str,
)
def test_what_only_looks_forbidden_is_taken(schema: Any) -> None:
    compile_schema(schema)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(socket, "socket", lambda *_, **__: pytest.fail("a socket was opened"))
    for reference in ("http://127.0.0.1:9/x", "https://example.com/x", "file:///etc/hostname"):
        with pytest.raises(SchemaError):
            compile_schema({"$id": "https://example.com/", "$ref": reference})


HARD: list[tuple[Any, Any]] = [
    ({"pattern": "^(a+)+$"}, "a" * 50_000 + "!"),
    ({"pattern": "(.*,){30}P"}, "x," * 100_000),
    ({"uniqueItems": True}, [{"a": number} for number in range(20_000)]),
    ({"properties": {"a": {"allOf": [{"$ref": "#"}, {"$ref": "#"}]}}}, nested(DEPTH)),
    ({"$ref": "#"}, 1),
    ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, nested(20)),
    *((expression(kinds), nested(levels)) for kinds in (2, 3, 5) for levels in (3, 5, 8, 12, 20, DEPTH)),
    *((expression(kinds), {"a": {str(n): nested(3) for n in range(5000)}}) for kinds in (2, 3, 5)),
    ({"items": {"anyOf": [{"required": ["a"]}, {"type": "string"}]}}, [{}] * 100_000),
    ({"properties": {"a": {"oneOf": [{"type": "string"}] * 200}}}, nested(1, leaf=["x"] * 50_000)),
]


@pytest.mark.parametrize(("schema", "value"), HARD, ids=range(len(HARD)))
def test_no_validation_takes_over_a_second(schema: Any, value: Any) -> None:
    validator = compile_schema(schema)
    within(1, lambda: validator.errors(value))


def test_a_schema_that_doubles_with_every_level_of_its_own_is_refused() -> None:
    parts = {f"d{n}": {"allOf": [{"$ref": f"#/$defs/d{n + 1}"}] * 2} for n in range(40)}
    with pytest.raises(SchemaError) as refused:
        compile_schema({"$ref": "#/$defs/d0", "$defs": {**parts, "d40": {}}})
    assert refused.value.faults[0].code == "schema-expensive"


def test_recursion_that_does_not_branch_takes_values_of_any_depth() -> None:
    tree = {"properties": {"left": {"$ref": "#"}, "right": {"$ref": "#"}, "value": {"type": "integer"}}}
    assert compile_schema(tree).accepts(nested(DEPTH, "left"))
    assert not compile_schema(tree).accepts(nested(DEPTH - 1, "left", {"value": "x"}))


def test_a_value_nested_too_deeply_is_refused_and_not_followed() -> None:
    deep: Any = nested(100_000)
    assert "nested deeper" in compile_schema({}).errors(deep)[0].message
    assert not compile_schema(expression(3)).accepts(nested(DEPTH))


@pytest.mark.parametrize("value", ["\ud800", {1: 2}])
def test_a_value_that_json_does_not_have_does_not_fit(value: Any) -> None:
    assert "not JSON" in compile_schema({"type": ["string", "object"]}).errors(value)[0].message


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
KEYWORDS = st.sampled_from(
    [
        *("type", "properties", "items", "allOf", "anyOf", "not", "if", "then", "required", "pattern"),
        *("$ref", "$id", "$defs", "$anchor", "enum", "const", "format"),
    ]
)


@given(st.recursive(ANY, lambda inner: st.dictionaries(KEYWORDS, inner | st.lists(inner)), max_leaves=6), ANY)
def test_any_schema_is_compiled_or_refused_and_nothing_else(schema: Any, value: Any) -> None:
    try:
        validator = compile_schema(schema if isinstance(schema, dict) else {"const": schema})
    except SchemaError as refused:
        assert refused.faults
        return
    for error in validator.errors(value):
        assert error.message


def test_the_import_is_light() -> None:
    """It is in the Router's start: nothing that reads YAML, draws terminals or validates a second time."""
    code = "import sys, signalbox.schema; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert not {"yaml", "jsonschema", "click", "rich", "boto3", "pulumi", "signalbox.definitions"} & set(loaded)
