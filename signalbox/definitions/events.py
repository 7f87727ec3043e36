"""Event definitions: from a checked form to an `Event`, and what may be wrong with one event by itself."""

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from signalbox import schema as schemas
from signalbox.classic import pattern_of
from signalbox.definitions.findings import check_findings
from signalbox.definitions.matchers import changed_numbers, check_pattern
from signalbox.definitions.meta import Found, by_part, check_form, form_problems, well_formed
from signalbox.definitions.numbers import plain
from signalbox.definitions.places import Document
from signalbox.definitions.routing import check_routes
from signalbox.definitions.samples import check_samples
from signalbox.model import Event, Json, JsonObject, Route, Sample, route_from_config
from signalbox.patterns import compile
from signalbox.problems import Problem, errors
from signalbox.registry import Registry

_EVENT_ID = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,127}", re.ASCII)
_BUS = re.compile(r"[\w./-]{1,256}|arn:aws(?:-[a-z]+)*:events:[a-z0-9-]+:[0-9]{12}:event-bus/[\w./-]{1,256}", re.ASCII)
_LONG_SAMPLE = frozenset(("detail", "routes"))
_LONG_SAMPLE_MORE = frozenset(("source", "detail-type", "envelope"))
_SAMPLE_ERRORS = 3


def read_event(event_id: str, document: Document, registry: Registry) -> tuple[Event | None, list[Problem]]:
    """The event that `document` defines, and what is wrong with it; None where its form cannot be used."""
    problems = []
    if not _EVENT_ID.fullmatch(event_id):
        problems.append(
            document.problem(
                "event-id",
                "this is no event id",
                got=event_id,
                allowed="1 to 128 of letters, digits and . _ -, not beginning with a dot",
                fix="rename it",
            )
        )
    found = form_problems(document, "event")
    problems += [problem for _, problem in found]
    routes = by_part(found).get("routes", [])
    usable = _usable(document, found)
    if usable is None:
        return None, problems
    event = event_of(event_id, usable.value)
    problems += _matcher_problems(usable)
    problems += _from_problems(usable)
    validator, schema_problems = _compiled(usable.part("schema"))
    problems += schema_problems
    problems += _sample_problems(event, usable, validator, document.value.get("routes"))
    # Patterns are held against the schema, which is no use where it is none.
    known = event if validator is not None else replace(event, schema={})
    if "routes" in usable.value:
        problems += check_routes(known, document.part("routes"), routes, registry, runtime=False)
    if not errors(problems):
        compiled = {name: compile(pattern_of(event, route)) for name, route in event.routes.items()}
        problems += check_samples(event, compiled, usable)
        problems += check_findings(event, compiled, usable)
    return (None if found else known), problems


def _usable(document: Document, found: list[Found]) -> Document | None:
    """`document` without the parts whose form is wrong, so that the other parts can be checked in the same run.

    What is required gets a stand-in that no check minds; routes are there if nothing is wrong with them. None where
    nothing is left.
    """
    usable = well_formed(document, found)
    if usable.value is None:
        return None
    value = {"source": "any", "schema": {}, **usable.value}
    if "routes" in value:
        wrong = by_part(by_part(found).get("routes", ()))
        value["routes"] = {name: config for name, config in value["routes"].items() if name not in wrong}
    return Document(value, document.file, document.place, document.base)


def event_of(event_id: str, value: JsonObject) -> Event:
    """The event that `value`, of the form of the meta-schema, says."""
    source, detail_type = value["source"], value.get("detail-type")
    return Event(
        id=event_id,
        source=_tuple(source),
        detail_type=None if detail_type is None else _tuple(detail_type),
        schema=value["schema"],
        routes={name: _route(event_id, name, config) for name, config in value.get("routes", {}).items()},
        samples=tuple(_sample(sample) for sample in value.get("samples", ())),
        description=value.get("description", ""),
        from_bus=value.get("from"),
    )


def _tuple(value: Json) -> tuple[Json, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _route(event_id: str, name: str, config: JsonObject) -> Route:
    return route_from_config(event_id, name, config)


def is_long_sample(value: Json) -> bool:
    """Is this sample written in the long form, which says what the routes must do with it?"""
    if not isinstance(value, Mapping):
        return False
    keys = value.keys()
    return _LONG_SAMPLE <= keys <= _LONG_SAMPLE | _LONG_SAMPLE_MORE


def _sample(value: Any) -> Sample:
    if not is_long_sample(value):
        return Sample(detail=value)
    routes = value["routes"]
    return Sample(
        detail=value["detail"],
        routes=tuple(routes) if isinstance(routes, list) else (),
        source=value.get("source"),
        detail_type=value.get("detail-type"),
        envelope=value.get("envelope", {}),
    )


def _matcher_problems(document: Document) -> list[Problem]:
    fields = [key for key in ("source", "detail-type") if isinstance(document.value.get(key), list)]
    problems = []
    for field in fields:
        # One match at a time: the form has made sure that it is a list.
        problems += check_pattern(document, {field: document.value[field]}, lambda path: path)
        problems += changed_numbers(document.part(field), "pattern-number")
    return problems


def _from_problems(document: Document) -> list[Problem]:
    bus = document.value.get("from")
    if bus is None or _BUS.fullmatch(bus):
        return []
    return [
        document.problem(
            "event-from",
            "this is neither the name nor the ARN of a bus",
            ("from",),
            got=bus,
            allowed="letters, digits and . _ / -, or arn:aws:events:<region>:<account>:event-bus/<name>",
        )
    ]


def _compiled(document: Document) -> tuple[schemas.Validator | None, list[Problem]]:
    """The validator of the schema in `document`, if it can be compiled, and what is wrong with the schema."""
    # The store and the Router keep the schema in canonical form, which is that of float64.
    problems = list(changed_numbers(document, "schema-number", fractions=False))
    try:
        return schemas.compile_schema(plain(document.value)), problems
    except schemas.SchemaError as error:
        problems += (
            document.problem(fault.code, fault.what, fault.path, got=fault.got, allowed=fault.allowed, fix=fault.fix)
            for fault in error.faults
        )
        return None, problems


def _sample_problems(
    event: Event, document: Document, validator: schemas.Validator | None, routes: Json
) -> list[Problem]:
    """`routes` are all that the event has, those with faults, too."""
    problems: list[Problem] = []
    names = routes if isinstance(routes, dict) else {}
    for index, sample in enumerate(event.samples):
        part = document.part("samples", index)
        if is_long_sample(part.value):
            if wrong := check_form(part, "sample"):
                problems += wrong
                continue
            for position, route in enumerate(sample.routes or ()):
                if route not in names:
                    problems.append(
                        part.problem(
                            "sample-route",
                            f"the event has no route {route!r}",
                            ("routes", position),
                            got=route,
                            allowed=", ".join(names) or "no route is defined",
                        )
                    )
            part = part.part("detail")
        if not isinstance(part.value, dict):
            problems.append(part.problem("sample-detail", "a detail is a mapping", got=str(part.value)[:100]))
        elif validator is not None:
            problems += (
                part.problem(
                    "sample-schema",
                    "the sample does not fit the event's schema",
                    violation.path,
                    got=violation.message,
                    fix="mend the sample or the schema",
                )
                for violation in validator.errors(plain(part.value), limit=_SAMPLE_ERRORS)
            )
    return problems
