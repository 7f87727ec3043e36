"""The HTTP API as the command line uses it: requests signed with the caller's own credentials."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

import click
import urllib3

from signalbox.cli.stack import Stack
from signalbox.names import physical
from signalbox.runtime.text import printable

SERVICE = "execute-api"
TIMEOUT_SECONDS = 30
LOOPBACK = "127.0.0.1"


class ApiError(click.ClickException):
    """The API said no; the message has its problem document's words."""

    def __init__(self, status: int, problem: Mapping[str, Any]) -> None:
        self.status = status
        lines = [f"{problem.get('title', 'the API failed')} ({status})"]
        # API Gateway's own answers have a `message`, and those of IAM name what is missing.
        if said := problem.get("detail") or problem.get("message") or problem.get("Message"):
            lines.append(str(said))
        if status == HTTPStatus.FORBIDDEN:
            lines.append("fix: use credentials that have the stack's operator policy (docs/api.md)")
        for fault in problem.get("errors", ()):
            said = [fault.get("path", ""), fault.get("what", "")]
            rest = [f"{key}: {fault[key]}" for key in ("got", "allowed", "fix") if fault.get(key)]
            lines.append("  " + "; ".join([": ".join(filter(None, said)), *rest]))
        super().__init__("\n".join(printable(line, 4_000) for line in lines))


@dataclass(frozen=True, slots=True)
class Answer:
    """A successful answer: its JSON, and its ETag where it has one."""

    body: Any
    etag: str | None


class Api:
    """The API of a stack. Requests carry SigV4 signatures, or `token` (a JSON Web Token) where one is given."""

    def __init__(self, stack: Stack, url: str | None = None, token: str | None = None) -> None:
        self._session = stack.session()
        self._url = (url or _find(self._session, physical(stack.name, "event-store", 128))).rstrip("/")
        self._token = token

    def get(self, *path: str) -> Answer:
        """GET the resource at `path`. Raises ApiError."""
        return self._send("GET", path)

    def post(self, *path: str, body: Any, if_match: str | None = None) -> Answer:
        """POST `body` as JSON. Raises ApiError; with `if_match`, of status 412 when somebody else was faster."""
        headers = {"Content-Type": "application/json", **({"If-Match": if_match} if if_match else {})}
        return self._send("POST", path, json.dumps(body).encode(), headers)

    def delete(self, *path: str) -> Answer:
        """DELETE the resource at `path`. Raises ApiError."""
        return self._send("DELETE", path)

    def _send(
        self, method: str, path: tuple[str, ...], body: bytes = b"", headers: Mapping[str, str] | None = None
    ) -> Answer:
        url = "/".join([self._url, *(quote(part, safe="") for part in path)])
        signed = self._signed(method, url, body, {**(headers or {}), "Accept": "application/json"})
        parts = urlsplit(url)
        # RFC 6761, 6.3: names under `localhost` are this machine; not every resolver knows.
        host = parts.hostname or ""
        if host.endswith(".localhost"):
            signed["Host"] = parts.netloc
            url = url.replace(host, LOOPBACK, 1)
        try:
            answer = urllib3.request(
                method, url, body=body or None, headers=signed, timeout=TIMEOUT_SECONDS, retries=False
            )
        except urllib3.exceptions.HTTPError as error:
            raise click.ClickException(f"the API at {self._url} cannot be reached: {error}") from error
        content = _json(answer.data)
        if answer.status >= HTTPStatus.BAD_REQUEST:
            raise ApiError(answer.status, content if isinstance(content, dict) else {})
        return Answer(content, answer.headers.get("ETag"))

    def _signed(self, method: str, url: str, body: bytes, headers: dict[str, str]) -> dict[str, str]:
        if self._token:
            return {**headers, "Authorization": f"Bearer {self._token}"}
        from botocore.auth import SigV4Auth
        from botocore.awsrequest import AWSRequest

        credentials = self._session.get_credentials()
        if credentials is None:
            raise click.ClickException("no AWS credentials to sign with; fix: log in, or set AWS_PROFILE")
        request = AWSRequest(method, url, headers, body)
        SigV4Auth(credentials.get_frozen_credentials(), SERVICE, self._session.region_name).add_auth(request)
        return dict(request.headers.items())


def _json(data: bytes) -> Any:
    try:
        return json.loads(data) if data else None
    except ValueError:
        return None


def _find(session: Any, name: str) -> str:
    """The address of the API of this name."""
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        pages = session.client("apigatewayv2").get_paginator("get_apis").paginate()
        found = [api["ApiEndpoint"] for page in pages for api in page["Items"] if api["Name"] == name]
    except (BotoCoreError, ClientError) as error:
        raise click.ClickException(
            f"the API {name} cannot be looked up: {error}; fix: say its address by --api"
        ) from error
    if len(found) != 1:
        raise click.ClickException(
            f"{len(found)} APIs are named {name}; fix: run pulumi up, or say its address by --api"
        )
    return found[0]
