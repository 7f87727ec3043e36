"""The HTTP API of the deployed stack, over HTTP, with signed requests."""

import http.client
import json
from collections import Counter
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from sandbox.stack import Sandbox
from tests.hostile.giants import GIANTS

REGION = "us-east-1"
EVENTS = ["maintenanceRequest", "outage", "parkSummary", "waitTimes", "waitTimesSummary"]


class Api:
    """The API of `park`, called with `credentials`; None: unsigned."""

    def __init__(self, park: Sandbox, credentials: Credentials | None) -> None:
        self.port = park.emulator.port
        self.host = urlsplit(park.outputs()["api"]).netloc or f"localhost:{self.port}"
        self.region = park.emulator.credentials().get("AWS_REGION", REGION)
        self.credentials = credentials

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> tuple[int, dict[str, str], Any]:
        request = AWSRequest(
            method, f"http://{self.host}{path}", data=body, headers={"Host": self.host, **(headers or {})}
        )
        if self.credentials:
            SigV4Auth(self.credentials, "execute-api", self.region).add_auth(request)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=30)
        try:
            connection.request(method, path, body or None, dict(request.headers))
            answer = connection.getresponse()
            text = answer.read().decode()
        finally:
            connection.close()
        return (
            answer.status,
            {name.lower(): value for name, value in answer.getheaders()},
            json.loads(text) if text else None,
        )


@pytest.fixture
def api(park: Sandbox) -> Api:
    """The API, called by the account's owner."""
    given = park.emulator.credentials()
    return Api(park, Credentials(given["AWS_ACCESS_KEY_ID"], given["AWS_SECRET_ACCESS_KEY"]))


def test_events_and_their_routes_are_shown_as_declared(api: Api) -> None:
    status, _, events = api.ask("GET", "/events")
    assert status == 200
    assert [event["id"] for event in events] == EVENTS
    status, headers, event = api.ask("GET", "/event/outage")
    assert (status, event) == (200, events[EVENTS.index("outage")])
    assert {"call-maintenance", "inform-maintenance"} <= event["routes"].keys()
    assert event["routes"] == event["declared"]
    status, _, nothing = api.ask("GET", "/event/outage", headers={"If-None-Match": headers["etag"]})
    assert (status, nothing) == (304, None)


def test_pages_follow_each_other(api: Api) -> None:
    seen, path = [], f"/events?{urlencode({'limit': 2})}"
    while path:
        status, headers, page = api.ask("GET", path)
        assert status == 200
        seen += [event["id"] for event in page]
        link = headers.get("link", "")
        path = f"/events{link.partition('<')[2].partition('>')[0]}" if link else ""
    assert seen == EVENTS


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/event/nothing", b"", 404),
        ("GET", "/nothing", b"", 404),
        ("PUT", "/events", b"{}", 405),
        ("GET", "/events?limit=x", b"", 400),
        ("POST", "/flow", b"x" * 140_000, 413),
        ("POST", "/flow", b"{}", 422),
        ("POST", "/route/outage", b"[]", 422),
        ("DELETE", "/flow/nothing", b"", 404),
    ],
)
def test_every_error_is_a_problem_document(api: Api, method: str, path: str, body: bytes, status: int) -> None:
    got, headers, document = api.ask(method, path, body)
    assert (got, document["status"]) == (status, status)
    assert headers["content-type"] == "application/problem+json"


def test_the_document_is_served(api: Api) -> None:
    status, _, document = api.ask("GET", "/openapi.json")
    assert (status, document["openapi"]) == (200, "3.1.0")


def test_an_unsigned_request_is_refused(park: Sandbox) -> None:
    assert Api(park, None).ask("GET", "/events")[0] == 403


def test_a_reader_may_read_and_no_more(park: Sandbox) -> None:
    iam = park.emulator.client("iam")
    outputs = park.outputs()
    iam.create_user(UserName="reader")
    try:
        iam.attach_user_policy(UserName="reader", PolicyArn=outputs["reader-policy"])
        key = iam.create_access_key(UserName="reader")["AccessKey"]
        reader = Api(park, Credentials(key["AccessKeyId"], key["SecretAccessKey"]))
        assert reader.ask("GET", "/events")[0] == 200
        assert reader.ask("GET", "/event/outage")[0] == 200
        assert reader.ask("POST", "/route/outage", b"{}")[0] == 403
        iam.delete_access_key(UserName="reader", AccessKeyId=key["AccessKeyId"])
    finally:
        iam.detach_user_policy(UserName="reader", PolicyArn=outputs["reader-policy"])
        iam.delete_user(UserName="reader")


def test_no_hostile_body_gets_a_5xx_over_http_or_changes_a_rule(park: Sandbox, api: Api) -> None:
    """What tests/hostile asks the handler, through gateway, signature and function."""

    def rules() -> Any:
        events = park.emulator.client("events")
        listed = {rule["Name"]: rule for rule in events.list_rules(EventBusName="signalbox-dev")["Rules"]}
        return {
            name: (rule, events.list_targets_by_rule(Rule=name, EventBusName="signalbox-dev")["Targets"])
            for name, rule in listed.items()
        }

    before = rules()
    statuses: Counter[int] = Counter()
    for body in GIANTS:
        for path in ("/route/outage", "/flow"):
            status, _, answer = api.ask("POST", path, body.encode(), {"Content-Type": "application/json"})
            statuses[status] += 1
            assert status < 500, (path, body[:80], status, answer)
            if path == "/flow" and status < 300:  # some only look twisted
                assert api.ask("DELETE", f"/flow/{answer['id']}")[0] == 200
            else:
                assert status >= 400, (path, body[:80], status, answer)
    assert statuses[422] > 200
    assert statuses[413] >= 4
    assert rules() == before
    assert {flow["origin"] for flow in api.ask("GET", "/flows")[2]} == {"definitions"}
