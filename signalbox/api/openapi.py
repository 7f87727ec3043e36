"""The OpenAPI document of the HTTP API: https://spec.openapis.org/oas/v3.1.0"""

from typing import Any

from signalbox import __version__
from signalbox.api.answers import BODY_BYTES, JSON, PROBLEM
from signalbox.api.paging import ID, LIMIT, MAX_LIMIT
from signalbox.model import TARGET_KINDS

_ID = {"type": "string", "pattern": f"^{ID.pattern}$"}
_ROUTE_NAME = {"type": "string", "pattern": "^[A-Za-z0-9_-]{1,64}$"}
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
                "flows", "createFlow", "Make a flow at run time", {}, body=_OBJECT, errors=["NotImplemented"]
            )
        },
        "/flow/{id}": {
            "parameters": [_parameter("flow")],
            "get": _operation(
                "flows",
                "getFlow",
                "One flow",
                {"200": {"description": "The flow.", "content": {JSON: {"schema": _schema("Flow")}}}},
                errors=["NotFound"],
            ),
            "delete": _operation(
                "flows", "deleteFlow", "Take away a flow that was made at run time", {}, errors=["NotImplemented"]
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
    "description": "Names the declared config and the revision of the run-time edits, and "
    "not the state of the rules: ask without If-None-Match to see `sync` change.",
    "schema": _TEXT,
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
        "if-match": given("If-Match", "header", "Edit only what this ETag names: 412 when it changed.", _TEXT),
        "if-none-match": given("If-None-Match", "header", "ETags that the caller has.", _TEXT),
    }


_ERRORS = {
    "BadRequest": ("400", "The request cannot be read, or asks for what there cannot be."),
    "Forbidden": ("403", "The caller may not do this (answered by API Gateway)."),
    "NotFound": ("404", "There is no such thing."),
    "Conflict": ("409", "The routes cannot follow those that are live in one step."),
    "Precondition": ("412", "The event is not what If-Match says; the ETag is what it is now."),
    "Unprocessable": ("422", "The routes are not right; `errors` has every fault."),
    "NotAcceptable": ("406", "The caller accepts no JSON."),
    "TooLarge": ("413", f"The body has more than {BODY_BYTES} bytes."),
    "TooMany": ("429", "Too many requests (answered by API Gateway)."),
    "Failed": ("500", "The server is at fault; its log has the request id."),
    "NotImplemented": ("501", "This version cannot do it yet."),
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
    target = {
        "description": "One kind with the name of a target, and what the kind may need.",
        "type": "object",
        "additionalProperties": False,
        "properties": {
            **dict.fromkeys(TARGET_KINDS, _ROUTE_NAME),
            "input": {
                "description": "EventBridge input transformer.",
                "type": "object",
                "additionalProperties": False,
                "required": ["template"],
                "properties": {"paths": {"type": "object", "additionalProperties": _TEXT}, "template": _TEXT},
            },
            "message-group": _TEXT,
            "partition-key": _TEXT,
        },
        "oneOf": [{"required": [kind]} for kind in TARGET_KINDS],
    }
    route = {
        "description": "A route: one EventBridge rule.",
        "type": "object",
        "additionalProperties": False,
        "required": ["targets"],
        "properties": {
            "pattern": {"description": "EventBridge pattern on `detail`.", **_OBJECT},
            "envelope": {
                "description": "EventBridge patterns on the fields beside `detail`.",
                "type": "object",
                "additionalProperties": False,
                "properties": dict.fromkeys(("account", "region", "resources", "time", "version", "id"), match_values),
            },
            "targets": {"type": "array", "minItems": 1, "items": _schema("Target")},
            "enabled": {"type": "boolean", "default": True},
            "retry": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "attempts": {"type": "integer", "minimum": 0, "maximum": 185, "default": 185},
                    "max-age-seconds": {"type": "integer", "minimum": 60, "maximum": 86400, "default": 86400},
                },
            },
        },
    }
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
            "errors": {
                "type": "array",
                "items": {
                    "type": "object",
                    "required": ["code", "what"],
                    "properties": dict.fromkeys(("code", "what", "got", "allowed", "fix", "path", "severity"), _TEXT),
                },
            },
        },
    }
    flow = {
        "type": "object",
        "required": ["id", "origin", "definition"],
        "properties": {"id": _ID, "origin": {"enum": ["definitions", "api"]}, "definition": _OBJECT},
    }
    return {
        "Event": event,
        "RoutingConfig": {
            "description": "All routes of an event, by name.",
            "type": "object",
            "propertyNames": _ROUTE_NAME,
            "additionalProperties": _schema("Route"),
        },
        "Route": route,
        "Target": target,
        "Edit": edit,
        "Flow": flow,
        "Problem": problem,
    }


def _schema(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def _parameter(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/parameters/{name}"}
