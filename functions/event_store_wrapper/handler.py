"""The Event Store Wrapper: events, routes and flows over HTTP."""

import base64
import binascii
import logging
import os
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Any

from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.event_handler.middlewares import NextMiddleware

from signalbox import flow_edits
from signalbox.api import edits, flows, openapi
from signalbox.api.answers import (
    JSON,
    PROBLEM,
    Rejection,
    check_accept,
    check_body,
    is_current,
    no_route,
    no_such,
)
from signalbox.api.paging import ID, PAGE_BYTES, page_of
from signalbox.api.resources import event_resource, flow_resource
from signalbox.aws.store import DynamoStore
from signalbox.flow_edits import Checked, flow_etag
from signalbox.overrides import EventItems, make_edit
from signalbox.registry import registry_of_items
from signalbox.runtime.aws import client
from signalbox.runtime.errors import Unavailable
from signalbox.runtime.event_store import EventStore
from signalbox.runtime.text import size, to_text
from signalbox.store import DECISION, EVENTS, FLOW, OVERRIDE, SK, SYNC, TARGET, BusyError, Item, event_sync, flow_sync

logger = logging.getLogger(__name__)

app = APIGatewayHttpResolver()


def handle(event: Any, context: Any) -> dict[str, Any]:
    """Answer one request of the HTTP API (payload format 2.0)."""
    return app.resolve(event, context)


@app.get("/events")
def list_events() -> Response[str]:
    """A page of events."""
    return _answer_page(EVENTS, lambda events: _resources(_store(), events))


@app.get("/event/<name>")
def get_event(name: str) -> Response[str]:
    """One event, unless the caller has it."""
    store = _store()
    declared = store.item(EVENTS, name) if ID.fullmatch(name) else None
    if declared is None:
        raise no_such("event", name)
    items = EventItems(declared, store.item(DECISION, name), store.item(OVERRIDE, name))
    return _answer_unless_current(items.etag(), lambda: event_resource(items, store.item(SYNC, event_sync(name))))


@app.get("/flows")
def list_flows() -> Response[str]:
    """A page of flows."""
    return _answer_page(FLOW, lambda items: _flow_resources(_store(), items))


@app.get("/flow/<name>")
def get_flow(name: str) -> Response[str]:
    """One flow, unless the caller has it."""
    store = _store()
    item = store.item(FLOW, name) if ID.fullmatch(name) else None
    if item is None:
        raise no_such("flow", name)
    return _answer_unless_current(flow_etag(item), lambda: flow_resource(item, store.item(SYNC, flow_sync(name))))


@app.post("/route/<name>")
def edit_routes(name: str) -> Response[str]:
    """Make the event's routes what the body says."""
    posted = edits.routing_config(_body())
    if not ID.fullmatch(name):
        raise no_such("event", name)
    store = _edits()
    change = edits.edit_of(
        posted,
        registry_of_items(store.partition(TARGET), store.partition(FLOW)),
        lambda flow: store.get(FLOW, flow),
        who=_who(),
        when=datetime.now(UTC),
        if_match=app.current_event.headers.get("if-match"),
    )
    answer, etag = edits.answer_of(name, make_edit(store, name, change))
    return _answer(answer, {"ETag": etag})


@app.post("/flow")
def save_flow() -> Response[str]:
    """Make a flow, or replace one that was made here."""
    body, headers = _body(), app.current_event.headers
    posted = flows.posted(body)
    store = _edits()

    def check() -> Checked:
        registry = registry_of_items(store.partition(TARGET), store.partition(FLOW))
        return flows.checked(posted, registry, flows.events_of(store.partition(EVENTS)))

    outcome = flow_edits.save_flow(
        store,
        posted.id,
        check,
        who=_who(),
        when=datetime.now(UTC),
        if_match=headers.get("if-match"),
        request=flows.request_of(headers.get("idempotency-key"), body),
    )
    saved = flows.answer_of(posted.id, outcome)
    status = HTTPStatus.CREATED if saved.created else HTTPStatus.OK
    # Relative to /flow, so right behind any domain and path.
    return _answer(flows.body_of(saved), {"ETag": saved.etag, "Location": f"flow/{saved.id}"}, status)


@app.delete("/flow/<name>")
def delete_flow(name: str) -> Response[str]:
    """Take a flow away that was made here and that no route names."""
    if not ID.fullmatch(name):
        raise no_such("flow", name)
    outcome = flow_edits.delete_flow(_edits(), name, if_match=app.current_event.headers.get("if-match"))
    return _answer(flows.deleted(name, outcome))


@app.get("/openapi.json")
def get_document() -> Response[str]:
    """The OpenAPI document."""
    return _answer(openapi.document())


def _check_request(app: APIGatewayHttpResolver, next_middleware: NextMiddleware) -> Response[Any]:
    check_accept(app.current_event.headers.get("accept"))
    check_body(size(_body()))
    return next_middleware(app)


def _body() -> str:
    """The request's body. Raises Rejection for one that is no text."""
    request = app.current_event
    body = request.body or ""
    if not request.is_base64_encoded:
        return body
    try:
        raw = base64.b64decode(body, validate=True)
        check_body(len(raw))
        return raw.decode()
    except (binascii.Error, ValueError) as error:
        raise Rejection(
            HTTPStatus.BAD_REQUEST, "the body is not UTF-8 text, or not the base64 that it should be"
        ) from error


app.use(middlewares=[_check_request])


@app.exception_handler(Rejection)
def reject(rejection: Rejection) -> Response[str]:
    """The problem document of a rejected request."""
    headers: dict[str, str | list[str]] = {**rejection.headers}
    return Response(rejection.status.value, PROBLEM, to_text(rejection.document()), headers)


@app.exception_handler(NotFoundError)
def reject_route(error: NotFoundError) -> Response[str]:  # noqa: ARG001
    """The answer where no operation is."""
    return reject(no_route(app.current_event.http_method, app.current_event.path))


@app.exception_handler(Unavailable)
def postpone(error: Unavailable) -> Response[str]:
    """The answer when the store does not answer."""
    logger.warning("the store is unavailable: %s", error)
    return reject(
        Rejection(HTTPStatus.SERVICE_UNAVAILABLE, "the store does not answer; try again", headers={"Retry-After": "1"})
    )


@app.exception_handler(BusyError)
def postpone_edit(error: BusyError) -> Response[str]:
    """The answer when too many others edit the same event."""
    return reject(Rejection(HTTPStatus.SERVICE_UNAVAILABLE, str(error), headers={"Retry-After": "1"}))


@app.exception_handler(Exception)
def fail(error: Exception) -> Response[str]:
    """The answer to a fault of ours, which the log tells and the caller does not learn."""
    logger.error("request %s failed", app.current_event.request_context.request_id, exc_info=error)
    return reject(Rejection(HTTPStatus.INTERNAL_SERVER_ERROR, "the request failed through no fault of yours"))


def _store() -> EventStore:
    return EventStore(client("dynamodb"), os.environ["STORE"])


def _edits() -> DynamoStore:
    return DynamoStore(client("dynamodb"), os.environ["STORE"])


def _who() -> str:
    return edits.caller(app.current_event.request_context.raw_event.get("authorizer") or {})


def _flow_resources(store: EventStore, items: list[Item]) -> Iterable[dict[str, Any]]:
    if not items:
        return
    sync = {item[SK]: item for item in store.between(SYNC, flow_sync(items[0][SK]), flow_sync(items[-1][SK]))}
    for item in items:
        yield flow_resource(item, sync.get(flow_sync(item[SK])))


def _resources(store: EventStore, events: list[Item]) -> Iterable[dict[str, Any]]:
    if not events:
        return
    first, last = events[0][SK], events[-1][SK]
    decisions = {item[SK]: item for item in store.between(DECISION, first, last)}
    overrides = {item[SK]: item for item in store.between(OVERRIDE, first, last)}
    sync = {item[SK]: item for item in store.between(SYNC, event_sync(first), event_sync(last))}
    for event in events:
        name = event[SK]
        items = EventItems(event, decisions.get(name), overrides.get(name))
        yield event_resource(items, sync.get(event_sync(name)))


def _answer_page(partition: str, resources: Callable[[list[Item]], Iterable[dict[str, Any]]]) -> Response[str]:
    page = page_of(app.current_event.query_string_parameters or {})
    # One more than asked for tells whether there is a next page.
    found, more = _store().page(partition, page.after, page.limit + 1)
    shown, total = [], 0
    for resource in resources(found[: page.limit]):
        text = to_text(resource)
        if shown and total + len(text) > PAGE_BYTES:
            break
        shown.append(text)
        total += size(text)
    headers = {"Link": page.link(found[len(shown) - 1][SK])} if shown and (more or len(shown) < len(found)) else {}
    return Response(HTTPStatus.OK.value, JSON, f"[{','.join(shown)}]", _headers(headers))


def _answer_unless_current(etag: str, resource: Callable[[], dict[str, Any]]) -> Response[str]:
    """The resource, made only for a caller who does not have what `etag` names."""
    headers = {"ETag": etag}
    if is_current(app.current_event.headers.get("if-none-match"), etag):
        return Response(HTTPStatus.NOT_MODIFIED.value, headers=headers, body="")
    return _answer(resource(), headers)


def _answer(
    resource: dict[str, Any], headers: dict[str, str] | None = None, status: HTTPStatus = HTTPStatus.OK
) -> Response[str]:
    return Response(status.value, JSON, to_text(resource), _headers(headers or {}))


def _headers(more: dict[str, str]) -> dict[str, str | list[str]]:
    return {"Cache-Control": "private, no-cache", **more}
