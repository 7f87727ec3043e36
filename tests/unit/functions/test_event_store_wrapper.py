"""The HTTP API: what the store holds is what is shown, and no request, however hostile, gets a 5xx."""

import base64
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lambda_fakes import Dynamo, error, stored
from openapi_spec_validator import validate

from functions.event_store_wrapper import handler
from signalbox.api import ROUTE_KEYS, openapi, paging
from signalbox.api.answers import BODY_BYTES, Rejection
from signalbox.model import Event, Route, Target
from signalbox.overrides import Edit, EventItems, Put, apply_edit
from signalbox.runtime.event_store import EventStore
from signalbox.store import event_item, sync_item, to_attributes

REQUEST = stored("api-get-event.json")
METRICS = Route("waitTimes", "metrics", (Target("function", "metrics"),))
EVENT = Event(
    "waitTimes",
    ("themepark.rides",),
    ("waitTimes",),
    {"type": "object"},
    {"metrics": METRICS},
    description="What the controller says.",
)
FLOW = {"PK": "flow", "SK": "park-summary", "Origin": "definitions", "Data": '{"steps":[{"name":"s","wait":1}]}'}


class World:
    """The wrapper's handler and its table."""

    def __init__(self) -> None:
        self.table = Dynamo()

    def put(self, *items: dict[str, Any]) -> None:
        for item in items:
            self.table.items[item["PK"], item["SK"]] = to_attributes(item)

    def ask(
        self,
        method: str,
        path: str,
        *,
        query: dict[str, str] | None = None,
        headers: dict[str, str] | None = None,
        body: str | None = None,
        encoded: bool = False,
    ) -> dict[str, Any]:
        request = json.loads(json.dumps(REQUEST))
        request |= {"rawPath": path, "headers": headers or {}, "isBase64Encoded": encoded}
        request["requestContext"]["http"] |= {"method": method, "path": path}
        if query is not None:
            request["queryStringParameters"] = query
        if body is not None:
            request["body"] = body
        return handler.handle(request, None)

    def get(self, path: str, **more: Any) -> Any:
        answer = self.ask("GET", path, **more)
        assert answer["statusCode"] == 200, answer
        return json.loads(answer["body"])


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(handler, "client", lambda service: {"dynamodb": made.table}[service])
    monkeypatch.setenv("STORE", "store")
    yield made


def edited(config: dict[str, Any]) -> dict[str, Any]:
    """The override item after the event's routes were set to `config`."""
    edit = apply_edit(EventItems(event_item(EVENT)), config, who="alice", when=datetime(2026, 11, 22, tzinfo=UTC))
    assert isinstance(edit, Edit)
    return next(write.item for write in edit.writes if isinstance(write, Put) and write.item["PK"] == "override")


def problem_of(answer: dict[str, Any]) -> dict[str, Any]:
    """The problem document that `answer` is."""
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    document = json.loads(answer["body"])
    assert document["status"] == answer["statusCode"]
    assert all(isinstance(document[key], str) for key in ("type", "title", "detail"))
    return document


def test_an_event_shows_what_is_declared_what_was_edited_and_what_is_in_force(world: World) -> None:
    changed = {"metrics": {"pattern": {"wait": [1]}, "targets": [{"function": "metrics"}]}}
    sync = sync_item("waitTimes", at="2026-11-22T00:00:05Z", revision=1, routes={"metrics": {"state": "live"}})
    world.put(event_item(EVENT), edited(changed), sync)
    event = world.get("/event/waitTimes")
    assert event["id"] == "waitTimes"
    assert event["source"] == ["themepark.rides"]
    assert event["detail-type"] == ["waitTimes"]
    assert event["schema"] == {"type": "object"}
    assert event["declared"] == EVENT.routing_config()
    assert event["overrides"]["revision"] == 1
    assert event["overrides"]["by"] == "alice"
    assert event["overrides"]["routes"]["metrics"]["config"] == changed["metrics"]
    assert event["routes"] == changed
    assert event["outcomes"] == {"metrics": "kept"}
    assert event["sync"]["routes"] == {"metrics": {"state": "live"}}


def test_an_event_without_edits_is_as_declared(world: World) -> None:
    world.put(event_item(EVENT))
    event = world.get("/event/waitTimes")
    assert event["routes"] == event["declared"] == EVENT.routing_config()
    assert event["overrides"] == {"revision": 0, "at": "", "by": "", "routes": {}}
    assert event["sync"] is None


def test_an_etag_changes_with_the_declared_config_and_with_each_edit(world: World) -> None:
    def tag(*items: dict[str, Any]) -> str:
        world.table.items.clear()
        world.put(*items)
        return world.ask("GET", "/event/waitTimes")["headers"]["ETag"]

    other = Event("waitTimes", EVENT.source, EVENT.detail_type, EVENT.schema, {})
    tags = [tag(event_item(EVENT)), tag(event_item(other)), tag(event_item(EVENT), edited({}))]
    assert len(set(tags)) == 3
    assert tag(event_item(EVENT)) == tags[0]
    assert re.fullmatch(r'"[0-9a-f]+"', tags[0])


@pytest.mark.parametrize("form", ["{}", "W/{}", '"other", {}', "*"])
def test_a_caller_that_has_the_event_is_told_so(world: World, form: str) -> None:
    world.put(event_item(EVENT))
    tag = world.ask("GET", "/event/waitTimes")["headers"]["ETag"]
    answer = world.ask("GET", "/event/waitTimes", headers={"if-none-match": form.format(tag)})
    assert (answer["statusCode"], answer["headers"]["ETag"], answer["body"]) == (304, tag, "")
    assert world.ask("GET", "/event/waitTimes", headers={"if-none-match": '"other"'})["statusCode"] == 200


def test_the_stored_request_is_answered(world: World) -> None:
    world.put(event_item(EVENT))
    assert handler.handle(REQUEST, None)["statusCode"] == 200


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 100])
@pytest.mark.parametrize("page_items", [1, 3, 1_000])
def test_following_the_links_gives_every_event_once(world: World, limit: int, page_items: int) -> None:
    ids = [f"event-{number}" for number in range(7)]
    world.table.page_items = page_items
    world.put(*(event_item(Event(each, ("s",), None, {})) for each in ids), FLOW)
    for number in (0, 2, 3, 6):
        revision = {"Revision": number + 1, "EditedAt": "x", "EditedBy": "y", "Routes": "{}"}
        world.put({"PK": "override", "SK": f"event-{number}", **revision})
    seen, query = [], {"limit": str(limit)}
    for _ in range(20):
        answer = world.ask("GET", "/events", query=query)
        page = json.loads(answer["body"])
        assert 1 <= len(page) <= limit
        seen += page
        if "Link" not in answer["headers"]:
            break
        found = re.fullmatch(r'<\?limit=(\d+)&cursor=([\w-]+)>; rel="next"', answer["headers"]["Link"])
        assert found
        query = {"limit": found[1], "cursor": found[2]}
    assert [event["id"] for event in seen] == ids
    assert [event["overrides"]["revision"] for event in seen] == [1, 0, 3, 4, 0, 0, 7]


@pytest.mark.parametrize("page_items", [1, 2, 3, 100])
def test_a_range_of_the_store_is_read_to_its_end(world: World, page_items: int) -> None:
    world.table.page_items = page_items
    world.put(*({"PK": "override", "SK": f"event-{number}"} for number in range(7)))
    found = EventStore(world.table, "store").between("override", "event-1", "event-5")
    assert [item["SK"] for item in found] == [f"event-{number}" for number in range(1, 6)]


def test_an_array_shows_the_same_of_an_event_as_the_event_itself(world: World) -> None:
    sync = sync_item("waitTimes", at="2026-11-22T00:00:05Z", revision=1, routes={})
    world.put(event_item(EVENT), edited({}), sync)
    assert world.get("/events") == [world.get("/event/waitTimes")]


def test_a_page_ends_before_it_is_too_big_for_lambda(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handler, "PAGE_BYTES", 1_000)
    world.put(*(event_item(Event(f"event-{n}", ("s",), None, {"description": "x" * 600})) for n in range(3)))
    answer = world.ask("GET", "/events")
    assert len(json.loads(answer["body"])) == 1
    assert "Link" in answer["headers"]


def test_an_empty_store_is_an_empty_array(world: World) -> None:
    assert world.get("/events") == []
    assert world.get("/flows") == []


def test_flows_are_shown(world: World) -> None:
    world.put(FLOW)
    flow = {
        "id": "park-summary",
        "origin": "definitions",
        "definition": {"steps": [{"name": "s", "wait": 1}]},
        "state": "active",
    }
    assert world.get("/flows") == [flow]
    assert world.get("/flow/park-summary") == flow


@pytest.mark.parametrize(
    "path", ["/event/nothing", "/flow/nothing", "/", "/nothing", "/event/", "/event/a/b", "/events/"]
)
def test_what_is_not_there_is_a_404(world: World, path: str) -> None:
    assert problem_of(world.ask("GET", path))["status"] == 404


@pytest.mark.parametrize("name", ["../events", "a%2Fb", "ä", "a b", ".", "x" * 3_000, "a\u0000", "events#x"])
def test_a_name_that_no_event_can_have_reads_nothing(world: World, name: str) -> None:
    assert problem_of(world.ask("GET", f"/event/{name}"))["status"] == 404
    assert world.table.reads == 0


@pytest.mark.parametrize(
    ("method", "path", "allow"),
    [
        ("POST", "/events", "GET"),
        ("PUT", "/event/a", "GET"),
        ("GET", "/route/a", "POST"),
        ("PATCH", "/flow/a", "DELETE, GET"),
        ("GET", "/flow", "POST"),
        ("HEAD", "/flows", "GET"),
        ("DELETE", "/openapi.json", "GET"),
    ],
)
def test_a_method_that_a_path_does_not_have_is_a_405_that_says_which_it_has(
    world: World, method: str, path: str, allow: str
) -> None:
    answer = world.ask(method, path)
    assert problem_of(answer)["status"] == 405
    assert answer["headers"]["Allow"] == allow


@pytest.mark.parametrize("encoded", [False, True])
@pytest.mark.parametrize("path", ["/flow", "/route/waitTimes", "/nothing"])
def test_a_body_over_128_kib_is_a_413_and_one_of_128_kib_is_not(world: World, path: str, encoded: bool) -> None:
    for length, over in ((BODY_BYTES, False), (BODY_BYTES + 1, True)):
        body = base64.b64encode(b"x" * length).decode() if encoded else "é" * (length // 2) + "x" * (length % 2)
        answer = world.ask("POST", path, body=body, encoded=encoded)
        assert (problem_of(answer)["status"] == 413) is over


@pytest.mark.parametrize(
    "query",
    [
        *({"limit": limit} for limit in ("0", "-1", "101", "x", "", "1.0", "٣", "9" * 5_000, "1,2", " 1")),
        *({"cursor": cursor} for cursor in ("x", "====", "A" * 5_000, "é", "Li4", base64.b64encode(b"a/b").decode())),
    ],
    ids=lambda query: str(query)[:40],
)
def test_query_parameters_that_ask_for_no_page_are_a_400_with_the_fault(world: World, query: dict[str, str]) -> None:
    document = problem_of(world.ask("GET", "/events", query=query))
    assert document["status"] == 400
    assert [each["path"] for each in document["errors"]] == list(query)


def test_all_faults_of_a_query_are_told_at_once(world: World) -> None:
    document = problem_of(world.ask("GET", "/flows", query={"limit": "x", "cursor": "x"}))
    assert [each["path"] for each in document["errors"]] == ["limit", "cursor"]


@given(st.text(max_size=50))
def test_a_made_up_cursor_is_refused_or_is_an_id(text: str) -> None:
    try:
        page = paging.page_of({"cursor": text})
    except Rejection:
        return
    assert page.after == "" or paging.ID.fullmatch(page.after)


@given(st.from_regex(paging.ID, fullmatch=True))
def test_every_id_has_a_cursor_that_comes_back(name: str) -> None:
    assert paging.page_of({"cursor": paging.cursor(name)}).after == name


@pytest.mark.parametrize(
    ("accept", "fine"),
    [
        ("*/*", True),
        ("application/json", True),
        ("application/problem+json", True),
        ("text/html, application/*;q=0.5", True),
        ("text/html,*/*;q=0.1", True),
        ("", True),
        (";;;", False),
        ("text/html", False),
        ("application/json;q=0", False),
        ("application/json;q=high", True),
    ],
)
def test_a_caller_that_accepts_no_json_is_told_so(world: World, accept: str, fine: bool) -> None:
    answer = world.ask("GET", "/events", headers={"accept": accept})
    assert answer["statusCode"] == (200 if fine else 406)


def test_a_body_that_is_not_the_base64_it_is_said_to_be_is_a_400(world: World) -> None:
    assert problem_of(world.ask("POST", "/flow", body="!", encoded=True))["status"] == 400


def test_a_store_that_does_not_answer_is_a_503_that_says_when_to_come_back(world: World) -> None:
    world.table.error = error("ThrottlingException")
    answer = world.ask("GET", "/events")
    assert problem_of(answer)["status"] == 503
    assert answer["headers"]["Retry-After"] == "1"


def test_a_fault_of_ours_tells_the_caller_nothing_of_it(world: World) -> None:
    world.put({**event_item(EVENT), "Schema": "secret text that is no JSON"})
    answer = world.ask("GET", "/event/waitTimes")
    assert problem_of(answer)["status"] == 500
    assert "secret" not in answer["body"] and "JSON" not in answer["body"]


def test_the_document_is_valid_openapi() -> None:
    validate(json.loads(json.dumps(openapi.document())))


def test_the_document_and_the_gateway_have_the_same_operations(world: World) -> None:
    paths = world.get("/openapi.json")["paths"]
    operations = {
        f"{method.upper()} {path}" for path, item in paths.items() for method in item if method != "parameters"
    }
    assert operations == set(ROUTE_KEYS) - {"$default"}


def test_every_operation_of_the_document_is_there(world: World) -> None:
    world.put(event_item(EVENT), FLOW)
    for path, item in openapi.document()["paths"].items():
        for method in item.keys() - {"parameters"}:
            name = "park-summary" if "flow" in path else "waitTimes"
            status = world.ask(method.upper(), path.replace("{id}", name), body="{}")["statusCode"]
            assert str(status) in item[method]["responses"], (method, path, status)
            assert status not in (404, 405)


def test_answers_are_what_the_document_says(world: World) -> None:
    world.put(event_item(EVENT), edited({}), FLOW)
    answers = {
        "Event": world.get("/event/waitTimes"),
        "Flow": world.get("/flow/park-summary"),
        "Problem": problem_of(world.ask("GET", "/events", query={"limit": "x"})),
    }
    schemas = openapi.document()["components"]["schemas"]
    for name, answer in answers.items():
        schema = {"$ref": f"#/components/schemas/{name}", "components": {"schemas": schemas}}
        jsonschema_rs.Draft202012Validator(schema).validate(answer)


names = st.text(max_size=20) | st.sampled_from(["waitTimes", "park-summary", "..", "%2e%2e", "a/b"])
paths = st.builds(
    "".join,
    st.tuples(st.sampled_from(["/event/", "/events", "/flow/", "/flows", "/route/", "/flow", "/", "//"]), names),
)


@settings(max_examples=600, deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT", "HEAD", "OPTIONS", "PATCH", "get", ""])
    | st.text(max_size=8),
    path=paths | st.text(),
    query=st.none() | st.dictionaries(st.sampled_from(["limit", "cursor", "x"]), st.text()),
    headers=st.dictionaries(st.sampled_from(["accept", "if-none-match", "content-type", "host"]), st.text()),
    body=st.none() | st.text(),
    encoded=st.booleans(),
)
def test_no_request_gets_a_5xx_or_an_answer_that_is_no_json(
    method: str, path: str, query: Any, headers: Any, body: Any, encoded: bool
) -> None:
    made = World()
    made.put(event_item(EVENT), FLOW)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "client", lambda _: made.table)
        patch.setenv("STORE", "store")
        answer = made.ask(method, path, query=query, headers=headers, body=body, encoded=encoded)
    assert answer["statusCode"] < 500 or answer["statusCode"] == 501
    json.dumps(answer)
    if answer["statusCode"] >= 400:
        problem_of(answer)
