"""What a schema says of a value, said in JSONata: the same, for all that is checked."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from signalbox.flows.validity import faults, unchecked
from signalbox.schema import compile_schema
from tests.unit.flows.jsonata_engine import evaluate

names = st.sampled_from(["a", "b", "in", "x-y"])
scalars = st.sampled_from(["", "ab", "abcd", 0, 1, -1, 1.5, 10, True, False])
values = st.deferred(
    lambda: st.one_of(scalars, st.none(), st.lists(scalars, max_size=3), st.dictionaries(names, values, max_size=3))
)


def schemas_of(inner):
    return st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from(
                ["object", "array", "string", "number", "integer", "boolean", "null", ["string", "null"]]
            ),
            "enum": st.lists(scalars.filter(lambda value: not isinstance(value, bool)), min_size=1, max_size=3),
            "const": st.sampled_from(["ab", 1, 1.5]),
            "minimum": st.sampled_from([0, 1.5]),
            "maximum": st.sampled_from([0, 5]),
            "exclusiveMinimum": st.just(0),
            "exclusiveMaximum": st.just(10),
            "minLength": st.just(2),
            "maxLength": st.just(3),
            "minItems": st.just(1),
            "maxItems": st.just(2),
            "minProperties": st.just(1),
            "maxProperties": st.just(2),
            "required": st.lists(names, max_size=2, unique=True),
            "properties": st.dictionaries(names, inner, max_size=2),
            "additionalProperties": st.just(False),
            "items": inner,
        },
    )


schemas = schemas_of(schemas_of(st.just({})))


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(schema=schemas, detail=st.dictionaries(names, values, max_size=3))
def test_a_detail_has_faults_exactly_where_it_does_not_fit(schema, detail) -> None:
    assert unchecked(schema) == []
    said = evaluate(f"[{', '.join(faults(schema, '$detail'))}]", {}, detail=detail)
    assert (said == []) is compile_schema(schema).accepts(detail), said


def test_faults_say_what_is_wrong_and_where() -> None:
    schema = {
        "type": "object",
        "required": ["rideId", "wait"],
        "properties": {"wait": {"type": "number", "minimum": 0}, "staff": {"items": {"type": "string"}}},
    }
    said = evaluate(f"[{', '.join(faults(schema, '$detail'))}]", {}, detail={"wait": -1, "staff": ["a", 5]})
    assert said == ["rideId is missing", "wait must be >= 0", "staff[] must be text"]


def test_references_are_followed_and_what_refers_to_itself_ends() -> None:
    schema = {
        "$ref": "#/$defs/node",
        "$defs": {"node": {"properties": {"next": {"$ref": "#/$defs/node"}}, "required": ["id"]}},
    }
    assert "$ref" in unchecked(schema)
    tests = faults(schema, "$detail")
    assert evaluate(f"[{', '.join(tests)}]", {}, detail={"id": 1, "next": {"id": 2}}) == []
    assert evaluate(f"[{', '.join(tests)}]", {}, detail={"id": 1, "next": {}}) == ["next.id is missing"]


def test_what_is_not_checked_is_named() -> None:
    schema = {
        "properties": {"at": {"type": "string", "format": "date-time"}},
        "anyOf": [{}],
        "additionalProperties": {"type": "string"},
    }
    assert sorted(unchecked(schema)) == ["additionalProperties", "anyOf", "format"]
