"""`POST /flow` and `DELETE /flow/{flow-id}`: a flow is stored whole or not at all, and goes when nobody uses it."""

import json
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from lambda_fakes import Dynamo, stored

from functions.event_store_wrapper import handler
from signalbox.model import Event, Route, Target
from signalbox.store import (
    ORIGIN_DEFINITIONS,
    event_item,
    flow_item,
    flow_sync_item,
    from_attributes,
    target_item,
    to_attributes,
)
from tests.cpu import within

REQUEST = stored("api-get-event.json")
EVENTS = (
    Event(
        "outage",
        ("park",),
        ("outage",),
        {"type": "object", "properties": {"ride": {"type": "string"}, "minutes": {"type": "number"}}},
        {"call": Route("outage", "call", (Target("topic", "sms"),))},
    ),
    Event(
        "request",
        ("park",),
        ("request",),
        {"type": "object", "required": ["ride"], "properties": {"ride": {"type": "string"}}},
    ),
    Event("many", ("park", "zoo"), None, {}),
)
STEP = {"name": "say", "transform": "$input.detail"}
FLOW = {"id": "repeat", "steps": [STEP]}
WHO = "arn:aws:iam::123456789012:user/alice"


class World:
    """The handler and its table."""

    def __init__(self) -> None:
        self.table = Dynamo()
        targets = [
            target_item("router", "router", arn="arn:router", runtime=False),
            target_item("sms", "topic", arn="arn:sms"),
            target_item("look-up", "function", arn="arn:look-up"),
            target_item("guarded", "function", arn="arn:guarded", runtime=False),
            target_item("others", "function", arn="arn:others", events=("request",)),
        ]
        ours = flow_item("ours", {"steps": [STEP]}, ORIGIN_DEFINITIONS)
        for item in [*map(event_item, EVENTS), *targets, ours]:
            self.put(item)

    def put(self, item: dict[str, Any]) -> None:
        self.table.items[item["PK"], item["SK"]] = to_attributes(item)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> dict[str, Any]:
        request = json.loads(json.dumps(REQUEST)) | {"rawPath": path, "isBase64Encoded": False}
        request["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
        if body is not None:
            request["body"] = body if isinstance(body, str) else json.dumps(body)
        request["requestContext"]["http"] |= {"method": method, "path": path}
        request["requestContext"]["authorizer"] = {"iam": {"userArn": WHO}}
        return handler.handle(request, None)

    def post(self, body: Any, **headers: str) -> dict[str, Any]:
        return self.ask("POST", "/flow", body, **headers)

    def flow(self, name: str) -> Any:
        item = self.table.items.get(("flow", name))
        return item and from_attributes(item)

    def items(self, partition: str) -> list[str]:
        return [sk for pk, sk in sorted(self.table.items) if pk == partition]


@pytest.fixture
def world(monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    made = World()
    monkeypatch.setattr(handler, "client", lambda _: made.table)
    monkeypatch.setenv("STORE", "store")
    yield made


def problem(answer: dict[str, Any], status: int) -> Any:
    assert answer["statusCode"] == status, answer
    assert answer["headers"]["Content-Type"] == "application/problem+json"
    return json.loads(answer["body"])


def body(answer: dict[str, Any], status: int = 200) -> Any:
    assert answer["statusCode"] == status, answer
    return json.loads(answer["body"])


def routed(*flows: str) -> dict[str, Any]:
    return {"call": {"targets": [{"topic": "sms"}, *({"flow": each} for each in flows)]}}


def test_a_posted_flow_is_stored_with_who_and_when_and_said_where(world: World) -> None:
    answer = world.post(FLOW)
    assert body(answer, 201)["id"] == "repeat"
    assert body(answer, 201)["revision"] == 1
    assert answer["headers"]["Location"] == "flow/repeat"
    item = world.flow("repeat")
    assert (item["Origin"], item["Revision"], item["EditedBy"]) == ("api", 1, WHO)
    assert json.loads(item["Data"]) == {"steps": [STEP]}
    shown = world.ask("GET", "/flow/repeat")
    assert answer["headers"]["ETag"] == shown["headers"]["ETag"]
    assert body(shown) | {"at": ""} == {
        "id": "repeat",
        "origin": "api",
        "definition": {"steps": [STEP]},
        "state": "creating",
        "revision": 1,
        "at": "",
        "by": WHO,
    }


def test_a_flow_without_an_id_gets_one(world: World) -> None:
    made = {body(world.post({"steps": [STEP]}), 201)["id"] for _ in range(3)}
    assert len(made) == 3
    assert made == set(world.items("flow")) - {"ours"}


def test_a_flow_that_was_posted_is_replaced(world: World) -> None:
    world.post(FLOW)
    answer = world.post({**FLOW, "description": "Better."})
    assert body(answer)["revision"] == 2
    assert json.loads(world.flow("repeat")["Data"])["description"] == "Better."


def test_a_flow_of_the_definitions_is_neither_replaced_nor_deleted(world: World) -> None:
    before = world.flow("ours")
    document = problem(world.post({**FLOW, "id": "ours"}), 409)
    assert "mappings/flows/ours.yaml" in document["errors"][0]["fix"]
    problem(world.ask("DELETE", "/flow/ours"), 409)
    assert world.flow("ours") == before


@pytest.mark.parametrize("name", ["sms", "look-up", "router"])
def test_the_name_of_another_target_is_taken(world: World, name: str) -> None:
    assert "names of targets are unique" in json.dumps(problem(world.post({**FLOW, "id": name}), 409))
    assert world.items("flow") == ["ours"]


def test_the_state_of_a_flow_is_that_of_its_latest_writing(world: World) -> None:
    from signalbox.flow_edits import flow_version

    world.post(FLOW)
    version = flow_version(world.flow("repeat"))
    world.put(flow_sync_item("repeat", at="x", version=version, state="failed", error="no such role"))
    shown = body(world.ask("GET", "/flow/repeat"))
    assert (shown["state"], shown["why"]) == ("failed", "no such role")
    assert [each["state"] for each in body(world.ask("GET", "/flows"))] == ["active", "failed"]
    world.post({**FLOW, "description": "Better."})
    assert body(world.ask("GET", "/flow/repeat"))["state"] == "creating"


def test_if_match_lets_one_of_two_writers_in(world: World) -> None:
    etag = world.post(FLOW)["headers"]["ETag"]
    assert world.post({**FLOW, "description": "1"}, if_match=etag)["statusCode"] == 200
    late = world.post({**FLOW, "description": "2"}, if_match=etag)
    problem(late, 412)
    assert late["headers"]["ETag"] == world.ask("GET", "/flow/repeat")["headers"]["ETag"]
    problem(world.ask("DELETE", "/flow/repeat", if_match=etag), 412)
    problem(world.post({**FLOW, "id": "new"}, if_match="*"), 412)
    assert world.flow("repeat")["Revision"] == 2
    answer = world.ask("GET", "/flow/repeat", if_none_match=late["headers"]["ETag"])
    assert (answer["statusCode"], answer["body"]) == (304, "")


def test_the_same_request_again_makes_no_second_flow_and_gets_the_same_answer(world: World) -> None:
    first = world.post({"steps": [STEP]}, idempotency_key="k1")
    again = world.post({"steps": [STEP]}, idempotency_key="k1")
    assert (first["statusCode"], again) == (201, first)
    assert len(world.items("flow")) == 2
    other = world.post({"steps": [{**STEP, "name": "other"}]}, idempotency_key="k1")
    assert "another body" in problem(other, 422)["detail"]
    assert world.post({"steps": [STEP]}, idempotency_key="k2")["headers"]["Location"] != first["headers"]["Location"]


def test_a_key_is_free_again_when_its_time_is_over_also_where_the_table_still_has_it(world: World) -> None:
    first = world.post({"steps": [STEP]}, idempotency_key="k1")
    world.table.items["idempotency", "k1"]["ExpiresAt"] = {"N": "1"}
    again = world.post({"steps": [STEP]}, idempotency_key="k1")
    assert again["statusCode"] == 201
    assert again["headers"]["Location"] != first["headers"]["Location"]


@pytest.mark.parametrize("key", ["", "a b", "é", "x" * 256])
def test_what_is_no_key_is_refused(world: World, key: str) -> None:
    assert problem(world.post(FLOW, idempotency_key=key), 400)["errors"][0]["code"] == "idempotency-key"
    assert world.items("flow") == ["ours"]


def test_concurrent_repeats_make_one_flow(world: World) -> None:
    barrier = threading.Barrier(8)

    def post(_: int) -> str:
        barrier.wait()
        return world.post({"steps": [STEP]}, idempotency_key="k1")["headers"]["Location"]

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(post, range(8)))) == 1
    assert len(world.items("flow")) == 2


def test_a_flow_that_a_route_names_cannot_be_deleted(world: World) -> None:
    world.post(FLOW)
    assert world.ask("POST", "/route/outage", routed("repeat"))["statusCode"] == 200
    document = problem(world.ask("DELETE", "/flow/repeat"), 409)
    assert [each["path"] for each in document["errors"]] == ["outage/call"]
    assert world.ask("POST", "/route/outage", routed())["statusCode"] == 200
    assert "deleted" in body(world.ask("DELETE", "/flow/repeat"))["message"]
    assert world.items("flow") == ["ours"]
    problem(world.ask("DELETE", "/flow/repeat"), 404)
    problem(world.ask("GET", "/flow/repeat"), 404)


def test_a_route_can_only_name_a_flow_that_is_there_and_takes_its_event(world: World) -> None:
    world.post({**FLOW, "input": "request"})
    assert "does not take events of outage" in json.dumps(
        problem(world.ask("POST", "/route/outage", routed("repeat")), 422)
    )
    assert "there is no flow nothing" in json.dumps(problem(world.ask("POST", "/route/outage", routed("nothing")), 422))
    assert world.ask("POST", "/route/outage", routed("ours"))["statusCode"] == 200


def test_a_flow_in_use_does_not_turn_to_other_events_or_another_type(world: World) -> None:
    world.post(FLOW)
    world.ask("POST", "/route/outage", routed("repeat"))
    assert "outage/call" in json.dumps(problem(world.post({**FLOW, "input": "request"}), 409))
    assert problem(world.post({**FLOW, "repeatable": True}), 409)["errors"][0]["code"] == "flow-type"
    assert world.post({**FLOW, "input": "outage"})["statusCode"] == 200


def between(world: World, monkeypatch: pytest.MonkeyPatch, action: Callable[[], Any]) -> list[Any]:
    """`action` is done once, between the reads of the next transaction and the transaction. Gives its result."""
    commit, done = world.table.transact_write_items, []

    def first_the_other(**request: Any) -> Any:
        if not done:
            done.append(None)
            done[0] = action()
        return commit(**request)

    monkeypatch.setattr(world.table, "transact_write_items", first_the_other)
    return done


def test_a_delete_notices_a_route_that_is_made_to_name_the_flow_meanwhile(world: World, monkeypatch) -> None:
    world.post(FLOW)
    done = between(world, monkeypatch, lambda: world.ask("POST", "/route/outage", routed("repeat")))
    problem(world.ask("DELETE", "/flow/repeat"), 409)
    assert done[0]["statusCode"] == 200
    assert world.flow("repeat") is not None


def test_a_route_notices_that_the_flow_is_deleted_meanwhile(world: World, monkeypatch) -> None:
    world.post(FLOW)
    done = between(world, monkeypatch, lambda: world.ask("DELETE", "/flow/repeat"))
    assert "there is no flow repeat" in json.dumps(problem(world.ask("POST", "/route/outage", routed("repeat")), 422))
    assert done[0]["statusCode"] == 200
    assert world.items("override") == []


def test_a_delete_leaves_a_flow_that_was_replaced_meanwhile_when_it_was_to_be_another(
    world: World, monkeypatch
) -> None:
    etag = world.post(FLOW)["headers"]["ETag"]
    between(world, monkeypatch, lambda: world.post({**FLOW, "description": "Better."}))
    problem(world.ask("DELETE", "/flow/repeat", if_match=etag), 412)
    assert world.flow("repeat")["Revision"] == 2


def test_an_edit_of_routes_that_named_the_flow_before_does_not_write_it(world: World) -> None:
    world.post(FLOW)
    world.ask("POST", "/route/outage", routed("repeat"))
    assert world.flow("repeat")["Named"] == 1
    world.ask("POST", "/route/outage", {**routed("repeat"), "more": {"targets": [{"topic": "sms"}]}})
    assert world.flow("repeat")["Named"] == 1
    assert world.flow("repeat")["Revision"] == 1


def test_what_may_not_be_meant_so_is_answered_and_stored(world: World) -> None:
    answer = world.post({**FLOW, "input": "outage", "steps": [{"name": "say", "transform": "$input.detail.rid"}]})
    assert "ride" in body(answer, 201)["warnings"][0]["fix"]
    assert world.flow("repeat") is not None


def steps(*given: dict[str, Any], **more: Any) -> dict[str, Any]:
    return {"id": "bad", "steps": list(given), **more}


BAD: list[tuple[Any, int, str, str]] = [
    ("not JSON", 400, "no JSON", ""),
    ('{"steps": NaN}', 400, "no JSON", ""),
    ([], 422, "wrong type", ""),
    ("null", 422, "wrong type", ""),
    ({}, 422, "'steps' is missing", ""),
    ({**FLOW, "id": 7}, 422, "no flow id", "id"),
    ({**FLOW, "id": "\ud800"}, 422, "no flow id", "id"),
    ({**FLOW, "id": None}, 422, "no flow id", "id"),
    ({**FLOW, "id": "a/b"}, 422, "no flow id", "id"),
    ({**FLOW, "id": "x" * 65}, 422, "no flow id", "id"),
    ({**FLOW, "origin": "definitions"}, 422, "unknown key 'origin'", "origin"),
    (steps(), 422, "empty", "steps"),
    (steps({"name": "x"}), 422, "exactly one of filter", "steps[0]"),
    (steps({"name": "x", "wait": 1, "emit": "request"}), 422, "exactly one of filter", "steps[0]"),
    (steps(STEP, STEP), 422, "another step say", "steps[1].name"),
    (steps({"name": "x", "function": "nothing"}), 422, "no function nothing", "steps[0].function"),
    (steps({"name": "x", "function": "sms"}), 422, "another kind", "steps[0].function"),
    (steps({"name": "x", "function": "router"}), 422, "no function router", "steps[0].function"),
    (steps({"name": "x", "function": "guarded"}), 422, "run-time edits may not name guarded", "steps[0].function"),
    (steps({"name": "x", "function": "others"}, input="outage"), 422, "does not take", "steps[0].function"),
    (
        steps({"name": "x", "function": "arn:aws:lambda:eu-west-1:1:function:f"}),
        422,
        "never an ARN",
        "steps[0].function",
    ),
    (steps({"name": "x", "emit": "nothing"}), 422, "no event nothing", "steps[0].emit"),
    (steps({"name": "x", "emit": "many"}), 422, "cannot be emitted", "steps[0].emit"),
    (steps({"name": "x", "emit": "outage"}, input="outage"), 422, "for ever", "steps[0].emit"),
    (
        steps({"name": "x", "emit": "request", "detail": '{"ride": 5}'}),
        422,
        "does not fit the schema of request",
        "steps[0].detail",
    ),
    (steps(STEP, input="nothing"), 422, "no event nothing", "input"),
    (steps({"name": "x", "filter": {"a": "b"}}), 422, "EventBridge refuses", "steps[0].filter.a"),
    (steps({"name": "x", "transform": "$input."}), 422, "no JSONata", "steps[0].transform"),
    (
        steps({"name": "x", "transform": "($f := function($n) { $f($n) }; $f(1))"}),
        422,
        "jsonata",
        "steps[0].transform",
    ),
    (steps({"name": "x", "transform": "[1..1000000]"}), 422, "jsonata", "steps[0].transform"),
    (steps({"name": "x", "transform": '$eval("1")'}), 422, "jsonata", "steps[0].transform"),
    (steps({"name": "x", "split": "$input", "max-items": 10000, "steps": [STEP]}), 422, "history", "steps[0]"),
    (steps({"name": "x", "wait": 99999999999}), 422, "out of range", "steps[0].wait"),
    (steps({"name": "x", "wait": 60}, timeout=30), 422, "longer than the whole flow", "steps[0]"),
    (steps({"name": "x", "wait": 60}, repeatable=True, timeout=400), 422, "five minutes", "timeout"),
    (steps({"name": "x", "transform": '"\ud800"'}), 422, "half a character", "steps[0].transform"),
]


@pytest.mark.parametrize(("posted", "status", "said", "path"), BAD, ids=lambda each: str(each)[:40])
def test_what_cannot_be_a_flow_is_refused_with_the_reason_and_nothing_is_stored(
    world: World, posted: Any, status: int, said: str, path: str
) -> None:
    before = dict(world.table.items)
    document = problem(world.post(posted, idempotency_key="k"), status)
    assert said.lower() in json.dumps(document).lower()
    if status == 422:
        assert path in [each.get("path", "") for each in document["errors"]]
    assert world.table.items == before


NAMES = 300
GIANTS: dict[str, Any] = {
    "unknown functions": steps(*({"name": f"s{n}", "function": f"functoin-{n}"} for n in range(100))),
    "unknown events": steps(*({"name": f"s{n}", "emit": f"evnet-{n}"} for n in range(100))),
    "many steps": steps(*[{"name": 1}] * 10_000),
    "many numbers": '{"steps": [' + ",".join(["1"] * 60_000) + "]}",
    "many keys": {f"k{n}": 1 for n in range(10_000)},
    "many keys of a step": steps({f"k{n}": 1 for n in range(10_000)}),
    "many branches": steps({"name": "a", "choose": [{"x": 1}] * 10_000}),
    "long expressions": steps(*({"name": f"s{n}", "transform": "$input" + ".a" * 498} for n in range(100))),
    "nested brackets": steps(*({"name": f"s{n}", "transform": "(" * 99 + "1" + ")" * 99} for n in range(50))),
    "regular expressions": steps(
        *({"name": f"s{n}", "transform": f"$match($input.a, /{'(a+)+' * 300}$/)"} for n in range(30))
    ),
    "alternatives": steps(
        *({"name": f"s{n}", "filter": {"$or": [{f"k{m}": ["a"]} for m in range(300)]}} for n in range(8))
    ),
    "wildcards": steps(*({"name": f"s{n}", "filter": {"k": [{"wildcard": "*a" * 50}] * 50}} for n in range(10))),
    "nested lists": '{"steps":' + "[" * 50_000 + "]" * 50_000 + "}",
    "a big number": '{"steps": [{"name": "a", "filter": {"k": [' + "9" * 4_000 + "]}}]}",
    "no number": '{"steps": [{"name": "a", "wait": 1e999}]}',
    "a factor that is no number": '{"steps": [{"name": "a", "function": "look-up", "retry": {"backoff": 1e999}}]}',
}


@pytest.mark.parametrize("name", GIANTS)
def test_no_body_costs_a_second_or_gets_an_answer_that_is_no_answer(world: World, name: str) -> None:
    for number in range(NAMES):
        world.put(event_item(Event(f"event-{number}", ("park",), (f"e{number}",), {"type": "object"})))
        world.put(target_item(f"function-{number}", "function", arn=f"arn:{number}"))
    world.post(FLOW)
    answer = within(1, lambda: world.post(GIANTS[name]))
    assert answer["statusCode"] in (400, 413, 422), answer
    assert len(answer["body"]) < 200_000


def test_all_faults_of_a_flow_are_said_at_once(world: World) -> None:
    bad = steps({"name": "a", "function": "nothing"}, {"name": "b", "transform": "$input."}, {"name": "c", "emit": "x"})
    document = problem(world.post({**bad, "id": "a/b"}), 422)
    assert {each["path"] for each in document["errors"]} == {
        "id",
        "steps[0].function",
        "steps[1].transform",
        "steps[2].emit",
    }
