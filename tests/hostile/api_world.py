"""The Event Store Wrapper behind a fake gateway and a fake table, and what must hold of every answer.

The judge knows the API only by the document that the API serves, so that what is added to the one is judged by it.
"""

import base64
import json
import re
import socket
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, unquote

import jsonschema_rs
import pytest

from functions.event_store_wrapper import handler
from signalbox.api.answers import BODY_BYTES
from signalbox.model import TARGET_KINDS, Event, Route, Target
from signalbox.patterns import compile as compile_pattern
from signalbox.reconcile.wanted import Bus, wanted
from signalbox.store import (
    FLOW,
    HISTORY,
    IDEMPOTENCY,
    ORIGIN_API,
    ORIGIN_DEFINITIONS,
    OVERRIDE,
    StoreSnapshot,
    event_item,
    flow_item,
    from_attributes,
    gone_item,
    item_bytes,
    target_item,
    to_attributes,
)
from tests.cpu import timed, within

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "functions"))
from lambda_fakes import Dynamo, stored  # pyright: ignore[reportMissingImports]

SECONDS = 1.0
"""What a request may cost of the processor's time."""
ITEM_BYTES = 400 * 1024
WRITTEN = frozenset({OVERRIDE, HISTORY, IDEMPOTENCY, FLOW})
"""The partitions that the API may write."""
REQUEST = stored("api-get-event.json")
BUS = Bus("dev", "arn:aws:sqs:eu-west-1:111122223333:dev-undelivered")

SCHEMA = {
    "type": "object",
    "properties": {
        "type": {"enum": ["Info", "Warning", "Emergency"]},
        "rideId": {"type": "string", "pattern": "^ride-[0-9]{3}$"},
        "wait": {"type": "number"},
        "parts": {"type": "array", "items": {"type": "object", "properties": {"a": {"type": "string"}}}},
    },
}
TARGETS = (
    target_item("router", "router", arn="arn:aws:lambda:eu-west-1:111122223333:function:dev-router", runtime=False),
    target_item("sms", "topic", arn="arn:aws:sns:eu-west-1:111122223333:sms"),
    target_item("mail", "topic", arn="arn:aws:sns:eu-west-1:111122223333:mail"),
    target_item("audit", "log-group", arn="arn:aws:logs:eu-west-1:111122223333:log-group:/aws/events/audit"),
    target_item("work", "queue", arn="arn:aws:sqs:eu-west-1:111122223333:work"),
    target_item("count", "function", arn="arn:aws:lambda:eu-west-1:111122223333:function:dev-count"),
    target_item("guarded", "topic", arn="arn:aws:sns:eu-west-1:111122223333:guarded", runtime=False),
    target_item("others", "topic", arn="arn:aws:sns:eu-west-1:111122223333:others", events=("waitTimes",)),
)
ARNS = frozenset(item["Arn"] for item in TARGETS)
NAMES = frozenset({"sms", "mail", "audit", "work", "count"})
"""What a run-time edit of any event may name."""


def _events() -> list[Event]:
    call = Route("outage", "call", (Target("topic", "sms"),), {"type": ["Emergency"]})
    count = Route("waitTimes", "count", (Target("function", "count"),))
    return [
        Event("outage", ("park.rides",), ("outage",), SCHEMA, {"call": call}),
        Event("waitTimes", ("park.rides",), ("waitTimes",), SCHEMA, {"count": count}),
        Event("any.kind", ("park.gate",), None, {}, {}),
    ]


STEPS = {"steps": [{"name": "rest", "wait": 1}]}
FLOWS = (
    flow_item("park-summary", STEPS, ORIGIN_DEFINITIONS),
    {
        **flow_item("night-watch", STEPS, ORIGIN_API),
        "Revision": 1,
        "EditedAt": "2026-11-22T14:03:00Z",
        "EditedBy": "alice",
        "Named": 0,
    },
)
STRANGERS = [
    {"source": source, "detail-type": kind, "detail": detail, "account": "111122223333", "region": "eu-west-1"}
    for source, kind in (
        ("park.rides", "outage"),
        ("park.rides", "waitTimes"),
        ("park.gate", "anything"),
        ("aws.s3", "Object Created"),
        ("other", "outage"),
    )
    for detail in ({}, {"type": "Emergency"}, {"type": "Info", "wait": 61, "rideId": "ride-001"})
]
"""Events of every kind: a route may take those of its own event."""


@dataclass(frozen=True)
class Request:
    """A request as it leaves a client: `target` is the request target as sent, `body` its bytes."""

    method: str
    target: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    decoded: bool = False
    """Does the gateway hand over the path decoded? Gateways differ."""

    def as_event(self) -> dict[str, Any]:
        """API Gateway's event (payload format 2.0) for it."""
        path, _, query = self.target.partition("?")
        path = unquote(path) if self.decoded else path
        event = json.loads(json.dumps(REQUEST))
        event |= {"rawPath": path, "rawQueryString": query, "headers": {k.lower(): v for k, v in self.headers.items()}}
        if query:
            pairs: dict[str, list[str]] = {}
            for name, value in parse_qsl(query, keep_blank_values=True):
                pairs.setdefault(name, []).append(value)
            event["queryStringParameters"] = {name: ",".join(values) for name, values in pairs.items()}
        event["requestContext"]["http"] |= {"method": self.method, "path": path}
        if self.body is not None:
            kind = event["headers"].get("content-type", "")
            try:
                text = self.body.decode() if kind.startswith(("application/json", "text/")) else None
            except ValueError:
                text = None
            event["isBase64Encoded"] = text is None
            event["body"] = base64.b64encode(self.body).decode() if text is None else text
        return event


class ApiWorld:
    """The wrapper with a table of its own, and the document that it serves."""

    def __init__(self) -> None:
        self.table = Dynamo()
        self.reset()

    def reset(self) -> None:
        """Everything is as after a deploy."""
        items = [*map(event_item, _events()), gone_item("gone"), *TARGETS, *FLOWS]
        self.table.items = {(item["PK"], item["SK"]): to_attributes(item) for item in items}

    def send(self, request: Request) -> dict[str, Any]:
        """The answer. Nothing that a request says may lead out of the process."""
        event = request.as_event()
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(handler, "client", lambda _: self.table)
            patch.setenv("STORE", "store")
            with _no_network(patch):
                return handler.handle(event, None)

    def document(self) -> dict[str, Any]:
        """The OpenAPI document as it is served."""
        answer = self.send(Request("GET", "/openapi.json"))
        assert answer["statusCode"] == 200
        return json.loads(answer["body"])


@contextmanager
def _no_network(patch: pytest.MonkeyPatch) -> Iterator[None]:
    tried: list[object] = []

    def refuse(*arguments: object, **_: object) -> None:
        tried.append(arguments)
        raise OSError("there is no network here")

    patch.setattr(socket.socket, "connect", refuse)
    patch.setattr(socket, "getaddrinfo", refuse)
    yield
    assert not tried, f"the request made the API look for {tried}"


class Judge:
    """What must hold of each request and its answer."""

    def __init__(self, world: ApiWorld) -> None:
        self.world = world
        self.document = world.document()
        self.statuses: dict[int, int] = {}
        self._validators: dict[str, Any] = {}
        self._paths = [
            (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), item)
            for path, item in self.document["paths"].items()
        ]

    def ask(self, request: Request) -> dict[str, Any]:
        """The answer, judged."""
        before = dict(self.world.table.items)
        answer, spent = timed(lambda: self.world.send(request))
        if spent > SECONDS:  # or the garbage collector's, or a busy machine's

            def again() -> None:
                self.world.table.items = dict(before)

            answer = within(SECONDS, lambda: self.world.send(request), before=again)
        status = answer["statusCode"]
        self.statuses[status] = self.statuses.get(status, 0) + 1
        assert status < 500, answer
        self._check_form(request, answer)
        if request.body is not None and len(request.body) > BODY_BYTES:
            assert status in (406, 413), answer
        if status >= 400:
            assert self.world.table.items == before, "a refused request has changed the store"
        self._check_store(before)
        return answer

    def _operation(self, request: Request, default: Any) -> Any:
        path = request.as_event()["rawPath"]
        for pattern, item in self._paths:
            # Methods are case-sensitive (RFC 9110, section 9.1).
            if pattern.fullmatch(path) and request.method in map(str.upper, item):
                return item[request.method.lower()]
        return default

    def _check_form(self, request: Request, answer: Mapping[str, Any]) -> None:
        """The answer is one that the document has for the operation, or a problem where there is none."""
        json.dumps(answer).encode()
        for name, value in answer["headers"].items():
            assert not re.search(r"[^\x20-\x7e\t]", f"{name}{value}"), (
                f"a header that cannot be sent: {name}: {value!r}"
            )
        status, body = answer["statusCode"], answer.get("body") or ""
        if not request.method.isupper():
            return  # API Gateway hands no such method on, so the document has no word of them
        operation = self._operation(request, None)
        if operation is None:
            assert status in (400, 404, 405, 406, 413), answer
            self._check_schema(answer, {"$ref": "#/components/schemas/Problem"})
            return
        said = operation["responses"].get(str(status))
        assert said is not None, f"the document has no {status} for {operation['operationId']}: {answer}"
        said = self._resolved(said)
        kind = answer["headers"].get("Content-Type", "").partition(";")[0]
        if "content" not in said:
            assert not body
            return
        assert kind in said["content"], f"{kind} is not what the document says: {list(said['content'])}"
        self._check_schema(answer, said["content"][kind].get("schema", {}))

    def _resolved(self, part: Mapping[str, Any]) -> Any:
        while "$ref" in part:
            found: Any = self.document
            for name in part["$ref"].removeprefix("#/").split("/"):
                found = found[name]
            part = found
        return part

    def _check_schema(self, answer: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
        key = json.dumps(schema, sort_keys=True)
        if key not in self._validators:
            whole = {**schema, "components": self.document["components"]}
            self._validators[key] = jsonschema_rs.Draft202012Validator(whole)
        self._validators[key].validate(json.loads(answer["body"]))

    def _check_store(self, before: Mapping[tuple[str, str], Any]) -> None:
        """What was stored is small, is what the API may write, and leads nowhere that the registry does not name."""
        items = self.world.table.items
        if items == before:
            return
        changed = {key for key in {*items, *before} if items.get(key) != before.get(key)}
        for partition, sort in changed:
            assert partition in WRITTEN, f"the API wrote {partition}/{sort}"
            if (partition, sort) in items:
                assert item_bytes(from_attributes(items[partition, sort])) <= ITEM_BYTES
            if partition == FLOW:
                was = before.get((FLOW, sort))
                assert was is None or was["Origin"]["S"] == ORIGIN_API, "a flow of the definitions was written"
        snapshot = StoreSnapshot.of(map(from_attributes, items.values()))
        for event in wanted(snapshot, BUS).values():
            assert not event.error, event.error
            for rule in event.rules.values():
                assert all(name.startswith("flow ") for name in rule.missing), rule.missing
                assert {target["Arn"] for target in rule.targets} <= ARNS
                pattern = compile_pattern(rule.rule.pattern)
                for stranger in STRANGERS:
                    assert not pattern.matches(stranger) or _own(event.event_id, stranger), rule.rule.pattern
        for (partition, sort), item in items.items():
            if partition in (OVERRIDE, FLOW, HISTORY):
                names = NAMES | {flow for pk, flow in items if pk == FLOW}
                names |= {"others"} if sort.partition("#")[0] == "waitTimes" else set()
                for text in (value["S"] for value in item.values() if "S" in value and value["S"][:1] in "{["):
                    _check_names(json.loads(text), names)


def _own(event_id: str, event: Mapping[str, Any]) -> bool:
    (one,) = [each for each in _events() if each.id == event_id]
    return event["source"] in one.source and (one.detail_type is None or event["detail-type"] in one.detail_type)


def _check_names(value: Any, names: Set[str]) -> None:
    """Wherever a target may stand, there is one of `names`."""
    if isinstance(value, list):
        for each in value:
            _check_names(each, names)
    if not isinstance(value, dict):
        return
    for target in value["targets"] if isinstance(value.get("targets"), list) else ():
        for kind in set(TARGET_KINDS) & target.keys() if isinstance(target, dict) else ():
            assert target[kind] in names, target
    if isinstance(value.get("function"), str):
        assert value["function"] in names, value
    for key, each in value.items():
        if key != "pattern":
            _check_names(each, names)
