"""Answers of the HTTP API: errors as problem details, and what a request has to be to get any other answer.

Problem details: https://www.rfc-editor.org/rfc/rfc9457
"""

import re
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any

from signalbox.api import ROUTE_KEYS
from signalbox.problems import Problem

JSON = "application/json"
PROBLEM = "application/problem+json"
BODY_BYTES = 128 * 1024


class Rejection(Exception):
    """A request that gets a problem document: `errors` lists its faults, `headers` go with the answer."""

    def __init__(
        self,
        status: HTTPStatus,
        detail: str,
        *,
        errors: Sequence[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.errors = tuple(errors)
        self.headers = dict(headers or {})

    def document(self) -> dict[str, Any]:
        """The problem document."""
        document: dict[str, Any] = {
            "type": "about:blank",
            "title": self.status.phrase,
            "status": self.status.value,
            "detail": self.detail,
        }
        if self.errors:
            document["errors"] = [error.as_dict() for error in self.errors]
        return document


def no_such(kind: str, name: str) -> Rejection:
    """The answer to a request for something that is not there."""
    return Rejection(HTTPStatus.NOT_FOUND, f"there is no {kind} {name[:128]!r}")


def no_route(method: str, path: str) -> Rejection:
    """The answer to a request that no operation takes: 405 where the path has others, else 404."""
    methods = sorted({each for each, pattern in _OPERATIONS if pattern.fullmatch(path)})
    if not methods or method in methods:
        return Rejection(HTTPStatus.NOT_FOUND, "there is nothing at this path; GET /openapi.json lists what there is")
    allowed = ", ".join(methods)
    return Rejection(
        HTTPStatus.METHOD_NOT_ALLOWED, f"{method[:16]} is not possible here; {allowed} is", headers={"Allow": allowed}
    )


def check_body(length: int) -> None:
    """Raises Rejection for a body of too many bytes."""
    if length > BODY_BYTES:
        raise Rejection(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the body has {length} bytes; {BODY_BYTES} are allowed")


def check_accept(accept: str | None) -> None:
    """Raises Rejection for an Accept header that rules out JSON. A header that cannot be read rules out nothing."""
    ranges = [_media_range(part) for part in (accept or "").split(",") if part.strip()]
    if ranges and not any(media in _WE_SEND and weight > 0 for media, weight in ranges):
        raise Rejection(HTTPStatus.NOT_ACCEPTABLE, f"answers are {JSON} and {PROBLEM}; Accept allows neither")


def is_current(if_none_match: str | None, etag: str) -> bool:
    """Does the caller have what `etag` names? Compared weakly: https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2"""
    tags = [tag.strip().removeprefix("W/") for tag in (if_none_match or "").split(",")]
    return etag in tags or tags == ["*"]


_WE_SEND = frozenset({JSON, PROBLEM, "application/*", "*/*", "*"})

_OPERATIONS = [
    (method, re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))))
    for method, path in (key.split(" ") for key in ROUTE_KEYS if " " in key)
]


def _media_range(text: str) -> tuple[str, float]:
    media, *parameters = (part.strip().lower() for part in text.split(";"))
    weight = next((part.removeprefix("q=") for part in parameters if part.startswith("q=")), "1")
    try:
        return media, float(weight)
    except ValueError:
        return media, 1.0
