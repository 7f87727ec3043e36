"""`POST /route/{event-id}`: what is accepted is stored whole, and what is refused changes nothing."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lambda_fakes import Dynamo, stored

from functions.event_store_wrapper import handler
from signalbox.model import Event, Route, Target
from signalbox.store import event_item, from_attributes, target_item, to_attributes

REQUEST = stored("api-get-event.json")
EVENT = Event(
    "outage",
    ("park.rides",),
    ("outage",),
    {"type": "object"},
    {"call": Route("outage", "call", (Target("topic", "sms"),), {"type": ["Emergency"]})},
)
CALL = {"pattern": {"type": ["Emergency"]}, "targets": [{"topic": "sms"}]}
WARN = {"pattern": {"type": ["Emergency", "Warning"]}, "targets": [{"topic": "sms"}]}
WHO = "arn:aws:iam::123456789012:user/alice"


class World:
    def __init__(self) -> None:
        self.table = Dynamo()
        targets = [
            target_item("router", "router", arn="arn:router", runtime=False),
            target_item("sms", "topic", arn="arn:sms"),
            target_item("guarded", "topic", arn="arn:guarded", runtime=False),
            target_item("others", "topic", arn="arn:others", events=("waitTimes",)),
        ]
        for item in [event_item(EVENT), *targets]:
            self.table.items[item["PK"], item["SK"]] = to_attributes(item)

    def post(self, body: Any, *, event: str = "outage", **headers: str) -> dict[str, Any]:
        request = json.loads(json.dumps(REQUEST))
        path = f"/route/{event}"
        request |= {
            "rawPath": path,
            "body": body if isinstance(body, str) else json.dumps(body),
            "isBase64Encoded": False,
        }
        request["headers"] = {name.replace("_", "-"): value for name, value in headers.items()}
        request["requestContext"]["http"] |= {"method": "POST", "path": path}
        request["requestContext"]["authorizer"] = {"iam": {"userArn": WHO}}
        return handler.handle(request, None)

    def etag(self) -> str:
        request = json.loads(json.dumps(REQUEST)) | {"rawPath": "/event/outage", "headers": {}}
        request["requestContext"]["http"] |= {"method": "GET", "path": "/event/outage"}
        return handler.handle(request, None)["headers"]["ETag"]

    def override(self) -> Any:
        item = self.table.items.get(("override", "outage"))
        return item and from_attributes(item)

    def history(self) -> list[Any]:
        return [from_attributes(item) for (pk, _), item in sorted(self.table.items.items()) if pk == "history"]


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


def test_an_edit_is_stored_with_who_when_and_the_whole_config(world: World):
    answer = world.post({"call": WARN})
    assert answer["statusCode"] == 200
    assert json.loads(answer["body"])["revision"] == 1
    override = world.override()
    assert (override["Revision"], override["EditedBy"]) == (1, WHO)
    assert json.loads(override["Routes"])["call"]["config"] == WARN
    (entry,) = world.history()
    assert json.loads(entry["RoutingConfig"]) == {"call": WARN}
    assert answer["headers"]["ETag"] == world.etag()


def test_a_route_that_is_left_out_is_deleted_and_one_as_declared_is_no_edit(world: World):
    world.post({"new": WARN})
    edits = json.loads(world.override()["Routes"])
    assert edits["call"]["config"] is None
    world.post({"call": CALL})
    assert json.loads(world.override()["Routes"]) == {}
    assert len(world.history()) == 2


def test_if_match_lets_one_of_two_edits_in(world: World):
    etag = world.etag()
    assert world.post({"call": WARN}, if_match=etag)["statusCode"] == 200
    late = world.post({"call": CALL}, if_match=etag)
    problem(late, 412)
    assert late["headers"]["ETag"] == world.etag()
    assert world.override()["Revision"] == 1


def test_an_etag_from_before_a_deploy_is_refused(world: World):
    etag = world.etag()
    item = event_item(Event("outage", ("park.rides",), ("outage",), {"type": "object", "title": "new"}, EVENT.routes))
    world.table.items["events", "outage"] = to_attributes(item)
    problem(world.post({"call": WARN}, if_match=etag), 412)
    assert world.override() is None


@pytest.mark.parametrize(
    ("body", "status", "said"),
    [
        ("not JSON", 400, "no JSON"),
        ("[]", 422, "mapping"),
        ({"a b": WARN}, 422, "not allowed"),
        ({"call": {"targets": []}}, 422, "targets"),
        ({"call": {"targets": [{"topic": "nobody"}]}}, 422, "nobody"),
        ({"call": {"targets": [{"topic": "arn:aws:sns:eu-west-1:123456789012:theirs"}]}}, 422, "ARN"),
        ({"call": {"targets": [{"topic": "guarded"}]}}, 422, "run-time edits may not name guarded"),
        ({"call": {"targets": [{"topic": "others"}]}}, 422, "does not take events of outage"),
        ({"call": {"targets": [{"topic": "router"}]}}, 422, "router"),
        ({"call": {**CALL, "pattern": {"type": []}}}, 422, "pattern"),
        ({"call": {**CALL, "source": ["aws.s3"]}}, 422, "source"),
        ({"call": {**CALL, "envelope": {"source": ["aws.s3"]}}}, 422, "source"),
        ({"call": {**CALL, "envelope": {"detail-type": [{"exists": True}]}}}, 422, "detail-type"),
    ],
)
def test_what_cannot_be_a_route_is_refused_with_the_reason_and_nothing_is_stored(world: World, body, status, said):
    before = dict(world.table.items)
    document = problem(world.post(body), status)
    assert said.lower() in json.dumps(document).lower()
    assert world.table.items == before


def test_all_faults_are_said_at_once(world: World):
    bad = {"a": {"targets": [{"topic": "nobody"}]}, "b": {"targets": []}, "c": {"targets": [{"queue": "nowhere"}]}}
    assert len(problem(world.post(bad), 422)["errors"]) == 3


def test_an_event_that_is_not_declared_cannot_be_edited(world: World):
    problem(world.post({}, event="nothing"), 404)


def test_targets_that_do_not_fit_the_rule_together_need_two_steps(world: World):
    for letter in "abcdefgh":
        item = target_item(letter, "topic", arn=f"arn:{letter}")
        world.table.items["target", letter] = to_attributes(item)

    def to(letters: str) -> dict[str, Any]:
        return {"call": {"targets": [{"topic": letter} for letter in letters]}}

    assert world.post(to("abcd"))["statusCode"] == 200
    refused = problem(world.post(to("efgh")), 409)
    assert "two changes" in refused["errors"][0]["fix"]
    assert world.post(to("a"))["statusCode"] == 200
    assert world.post(to("efgh"))["statusCode"] == 200


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
    max_leaves=20,
)
_ROUTES = st.dictionaries(
    st.sampled_from(["call", "a", "é", ""]),
    st.fixed_dictionaries(
        {
            "targets": st.lists(
                st.dictionaries(st.sampled_from(["topic", "function", "arn", "input"]), _JSON), max_size=3
            )
        },
        optional={"pattern": _JSON, "envelope": _JSON, "enabled": _JSON, "retry": _JSON},
    ),
    max_size=3,
)


@settings(max_examples=400, deadline=None)
@given(_JSON | _ROUTES)
def test_no_body_gets_a_5xx_or_stores_an_arn(body):
    made = World()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(handler, "client", lambda _: made.table)
        patch.setenv("STORE", "store")
        answer = made.post(body)
    assert answer["statusCode"] < 500, answer
    override = made.override()
    if override is not None:
        for edit in json.loads(override["Routes"]).values():
            for target in (edit["config"] or {}).get("targets", ()):
                assert not any(str(value).startswith("arn:") for value in target.values())
