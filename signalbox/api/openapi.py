"""The OpenAPI document of the HTTP API: https://spec.openapis.org/oas/v3.1.0

What a route and a flow are is said once, in the meta-schemas of the definitions; here they are taken over.
"""

from collections.abc import Mapping
from typing import Any, Literal

from signalbox import __version__
from signalbox.api.answers import BODY_BYTES, JSON, PROBLEM
from signalbox.api.flows import KEY
from signalbox.api.paging import ID, LIMIT, MAX_LIMIT
from signalbox.definitions.meta import meta_schema
from signalbox.store import ACTIVE, CREATING, FLOW_FAILED

_ID = {"type": "string", "pattern": f"^{ID.pattern}$"}
_ROUTE_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
_FLOW_ID = _ROUTE_NAME
_TEXT = {"type": "string"}
_OBJECT = {"type": "object"}


def document() -> dict[str, Any]:
    """The document, as JSON."""
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "Signalbox Event Store Wrapper",
            "version": __version__,
            "description": "Events, their routes, and flows: what is declared, what was edited at run time, and what "
            "is in force. Requests are signed with SigV4 (service execute-api), or carry a JSON Web Token where the "
            "stack is configured so.",
            "license": {"name": "MIT", "identifier": "MIT"},
        },
        "servers": [{"url": "/"}],
        "security": [{"iam": []}, {"jwt": []}],
        "tags": [{"name": "events"}, {"name": "flows"}, {"name": "document"}],
        "paths": _paths(),
        "components": {
            "securitySchemes": {
                "iam": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "Authorization",
                    "description": "AWS Signature Version 4",
                },
                "jwt": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
            },
            "parameters": _parameters(),
            "responses": _responses(),
            "schemas": _schemas(),
        },
    }


def _paths() -> dict[str, Any]:
    return {
        "/events": {
            "get": _operation(
                "events", "listEvents", "All events, by id", {"200": _page("Event")}, parameters=["limit", "cursor"]
            )
        },
        "/event/{id}": {
            "parameters": [_parameter("event")],
            "get": _operation(
                "events",
                "getEvent",
                "One event, with its schema, its routes and how far the rules follow",
                {
                    "200": {
                        "description": "The event.",
                        "headers": {"ETag": _ETAG},
                        "content": {JSON: {"schema": _schema("Event")}},
                    },
                    "304": {"description": "The caller has it: If-None-Match names its ETag."},
                },
                parameters=["if-none-match"],
                errors=["NotFound"],
            ),
        },
        "/route/{id}": {
            "parameters": [_parameter("event")],
            "post": _operation(
                "events",
                "editRoutes",
                "Set all routes of an event at run time",
                {
                    "200": {
                        "description": "Stored. The rules follow within seconds.",
                        "headers": {"ETag": _ETAG},
                        "content": {
                            JSON: {
                                "schema": {
                                    "type": "object",
                                    "required": ["message", "id", "revision"],
                                    "properties": {"message": _TEXT, "id": _ID, "revision": {"type": "integer"}},
                                }
                            }
                        },
                    }
                },
                parameters=["if-match"],
                body=_schema("RoutingConfig"),
                errors=["NotFound", "Conflict", "Precondition", "Unprocessable"],
            ),
        },
        "/flows": {
            "get": _operation(
                "flows", "listFlows", "All flows, by id", {"200": _page("Flow")}, parameters=["limit", "cursor"]
            )
        },
        "/flow": {
            "post": _operation(
                "flows",
                "saveFlow",
                "Make a flow at run time, or replace one that was made so",
                {
                    "200": _stored("Replaced. The state machine follows within seconds."),
                    "201": _stored("Stored. The state machine follows within seconds."),
                },
                parameters=["if-match", "idempotency-key"],
                body=_schema("NewFlow"),
                errors=["Conflict", "Precondition", "Unprocessable"],
            )
        },
        "/flow/{id}": {
            "parameters": [_parameter("flow")],
            "get": _operation(
                "flows",
                "getFlow",
                "One flow, and how far its state machine follows",
                {
                    "200": {
                        "description": "The flow.",
                        "headers": {"ETag": _ETAG},
                        "content": {JSON: {"schema": _schema("Flow")}},
                    },
                    "304": {"description": "The caller has it: If-None-Match names its ETag."},
                },
                parameters=["if-none-match"],
                errors=["NotFound"],
            ),
            "delete": _operation(
                "flows",
                "deleteFlow",
                "Take away a flow that was made at run time",
                {
                    "200": {
                        "description": "Gone. The state machine follows when no rule sends to it.",
                        "content": {
                            JSON: {
                                "schema": {
                                    "type": "object",
                                    "required": ["message", "id"],
                                    "properties": {"message": _TEXT, "id": _FLOW_ID},
                                }
                            }
                        },
                    }
                },
                parameters=["if-match"],
                errors=["NotFound", "Conflict", "Precondition"],
            ),
        },
        "/openapi.json": {
            "get": _operation(
                "document",
                "getDocument",
                "This document",
                {"200": {"description": "The OpenAPI document.", "content": {JSON: {"schema": _OBJECT}}}},
            )
        },
    }


_ETAG = {
    "description": "Names what is declared and the revision of the run-time edits, and not how far rules and state "
    "machines follow: ask without If-None-Match to see that change.",
    "schema": _TEXT,
}


def _stored(description: str) -> dict[str, Any]:
    return {
        "description": description,
        "headers": {
            "ETag": _ETAG,
            "Location": {"description": "The flow, relative to this request.", "schema": _TEXT},
        },
        "content": {
            JSON: {
                "schema": {
                    "type": "object",
                    "required": ["message", "id", "revision"],
                    "properties": {
                        "message": _TEXT,
                        "id": _FLOW_ID,
                        "revision": {"type": "integer"},
                        "warnings": {
                            "description": "What may not be meant so.",
                            "type": "array",
                            "items": _schema("Fault"),
                        },
                    },
                }
            }
        },
    }


def _operation(
    tag: str,
    name: str,
    summary: str,
    answers: dict[str, Any],
    *,
    parameters: list[str] | None = None,
    body: dict[str, Any] | None = None,
    errors: list[str] | None = None,
) -> dict[str, Any]:
    operation: dict[str, Any] = {
        "tags": [tag],
        "operationId": name,
        "summary": summary,
        "responses": answers
        | {
            _ERRORS[error][0]: {"$ref": f"#/components/responses/{error}"}
            for error in _ERRORS
            if error in _ALWAYS or error in (errors or ())
        },
    }
    if parameters:
        operation["parameters"] = [_parameter(each) for each in parameters]
    if body:
        operation["requestBody"] = {
            "required": True,
            "description": f"At most {BODY_BYTES} bytes.",
            "content": {JSON: {"schema": body}},
        }
    return operation


def _parameters() -> dict[str, Any]:
    def given(name: str, where: str, description: str, schema: dict[str, Any]) -> dict[str, Any]:
        return {
            "name": name,
            "in": where,
            "description": description,
            "required": where == "path",
            "schema": schema,
        }

    return {
        "event": given("id", "path", "The event's id.", _ID),
        "flow": given("id", "path", "The flow's id.", _ID),
        "idempotency-key": given(
            "Idempotency-Key",
            "header",
            "A fresh one with each new request: the same request again gets the same answer for a day.",
            {"type": "string", "pattern": f"^{KEY.pattern}$"},
        ),
        "limit": given(
            "limit",
            "query",
            "How many entries a page has at most.",
            {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": LIMIT},
        ),
        "cursor": given(
            "cursor",
            "query",
            'Where the page starts: from the Link header with rel="next" of the page before.',
            {"type": "string", "minLength": 1},
        ),
        "if-match": given("If-Match", "header", "Change only what this ETag names: 412 when it changed.", _TEXT),
        "if-none-match": given("If-None-Match", "header", "ETags that the caller has.", _TEXT),
    }


_ERRORS = {
    "BadRequest": ("400", "The request cannot be read, or asks for what there cannot be."),
    "Forbidden": ("403", "The caller may not do this (answered by API Gateway)."),
    "NotFound": ("404", "There is no such thing."),
    "Conflict": (
        "409",
        "What there is forbids it: live routes, routes that use a flow, definitions; `errors` says what.",
    ),
    "Precondition": ("412", "It is not what If-Match says; the ETag is what it is now."),
    "Unprocessable": ("422", "The body is not right; `errors` has every fault."),
    "NotAcceptable": ("406", "The caller accepts no JSON."),
    "TooLarge": ("413", f"The body has more than {BODY_BYTES} bytes."),
    "TooMany": ("429", "Too many requests (answered by API Gateway)."),
    "Failed": ("500", "The server is at fault; its log has the request id."),
    "Unavailable": ("503", "The store does not answer just now; Retry-After says when to ask again."),
}


_ALWAYS = frozenset({"BadRequest", "Forbidden", "NotAcceptable", "TooLarge", "TooMany", "Failed", "Unavailable"})


def _responses() -> dict[str, Any]:
    by_gateway = {"Forbidden", "TooMany"}
    return {
        name: {
            "description": text,
            "content": {JSON: {"schema": _OBJECT}} if name in by_gateway else {PROBLEM: {"schema": _schema("Problem")}},
        }
        for name, (_, text) in _ERRORS.items()
    }


def _page(schema: str) -> dict[str, Any]:
    return {
        "description": "A page.",
        "headers": {
            "Link": {"description": 'With rel="next": the next page. Not there: this is the last.', "schema": _TEXT}
        },
        "content": {JSON: {"schema": {"type": "array", "items": _schema(schema)}}},
    }


def _schemas() -> dict[str, Any]:
    match_values = {"type": "array", "minItems": 1}
    edit = {
        "description": "A run-time edit of one route. `config` null: the route is deleted.",
        "type": "object",
        "required": ["config", "basis", "revision", "at", "by"],
        "properties": {
            "config": {"oneOf": [_schema("Route"), {"type": "null"}]},
            "basis": _TEXT,
            "revision": {"type": "integer"},
            "at": _TEXT,
            "by": _TEXT,
        },
    }
    event = {
        "type": "object",
        "required": [
            *("id", "source", "detail-type", "description", "schema"),
            *("declared", "overrides", "routes", "outcomes", "sync"),
        ],
        "properties": {
            "id": _ID,
            "source": match_values,
            "detail-type": {"type": ["array", "null"]},
            "description": _TEXT,
            "schema": {"description": "JSON Schema (2020-12) of `detail`.", **_OBJECT},
            "declared": {"description": "The routes that the definitions say.", **_schema("RoutingConfig")},
            "overrides": {
                "description": "The run-time edits.",
                "type": "object",
                "required": ["revision", "at", "by", "routes"],
                "properties": {
                    "revision": {"type": "integer", "minimum": 0},
                    "at": _TEXT,
                    "by": _TEXT,
                    "routes": {"type": "object", "additionalProperties": _schema("Edit")},
                },
            },
            "routes": {"description": "The routes that the rules must be.", **_schema("RoutingConfig")},
            "outcomes": {
                "description": "By route, how `declared` and `overrides` came to `routes`.",
                "type": "object",
                "additionalProperties": _TEXT,
            },
            "sync": {
                "description": "What the reconciler last did; null: nothing yet.",
                "type": ["object", "null"],
                "required": ["at", "revision", "routes"],
                "properties": {"at": _TEXT, "revision": {"type": "integer"}, "routes": _OBJECT},
            },
        },
    }
    problem = {
        "description": "Problem details (RFC 9457); `errors` lists every fault.",
        "type": "object",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": _TEXT,
            "status": {"type": "integer"},
            "detail": _TEXT,
            "errors": {"type": "array", "items": _schema("Fault")},
        },
    }
    fault = {
        "type": "object",
        "required": ["code", "what"],
        "properties": dict.fromkeys(("code", "what", "got", "allowed", "fix", "path", "severity"), _TEXT),
    }
    flow = {
        "type": "object",
        "required": ["id", "origin", "definition", "state"],
        "properties": {
            "id": _ID,
            "origin": {"enum": ["definitions", "api"]},
            "definition": _schema("FlowDefinition"),
            "state": {"description": "Of its state machine.", "enum": [ACTIVE, CREATING, FLOW_FAILED]},
            "why": {"description": "Why it is not active, where there is more to say.", **_TEXT},
            "revision": {"description": "Of a flow made at run time: how often it was posted.", "type": "integer"},
            "at": {"description": "When it was last posted.", **_TEXT},
            "by": {"description": "Who posted it.", **_TEXT},
        },
    }
    taken_over = {**_taken_over("Route", "route"), **_taken_over("FlowDefinition", "flow")}
    definition = taken_over["FlowDefinition"]
    new_flow = {
        **definition,
        "properties": {
            "id": {"description": "Left out: one is made up.", **_FLOW_ID},
            **definition["properties"],
        },
    }
    return {
        "Event": event,
        "RoutingConfig": {
            "description": "All routes of an event, by name.",
            "type": "object",
            "propertyNames": _ROUTE_NAME,
            "additionalProperties": _schema("Route"),
        },
        **taken_over,
        "Edit": edit,
        "Flow": flow,
        "NewFlow": new_flow,
        "Fault": fault,
        "Problem": problem,
    }


def _taken_over(name: str, meta: Literal["route", "flow"]) -> dict[str, Any]:
    """A meta-schema as the component `name`, and each of its definitions as one of its own name in capitals."""
    schema = meta_schema(meta)
    parts = {_capital(part): each for part, each in schema["$defs"].items()}
    return {key: _plain(each) for key, each in {name: schema, **parts}.items()}


def _plain(value: Any) -> Any:
    """A meta-schema without what is not JSON Schema's, referring to components."""
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if not isinstance(value, Mapping):
        return value
    return {
        key: _schema(_capital(each.removeprefix("#/$defs/")))["$ref"] if key == "$ref" else _plain(each)
        for key, each in value.items()
        if key not in ("$schema", "$defs", "errorMessage", "patternErrorMessage")
    }


def _capital(name: str) -> str:
    return f"{name[0].upper()}{name[1:]}"


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _parameter(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/parameters/{name}"}
