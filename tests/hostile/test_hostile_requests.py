"""5,000 hostile requests to every operation that the served document has, and to paths that it does not have.

A fifth is made from the document by Schemathesis, right and wrong; the others are what people try who read our source.
`HOSTILE_REQUESTS=100000 pytest tests/hostile` takes more.
"""

import json
import os
from typing import Any
from urllib.parse import quote

import pytest
import schemathesis
from api_world import ApiWorld, Judge, Request
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from requests import Request as HttpRequest
from schemathesis import GenerationMode

from tests.hostile.giants import ARNS, GIANTS, URLS

REQUESTS = int(os.environ.get("HOSTILE_REQUESTS", "5000"))
WORLD = ApiWorld()
JUDGE = Judge(WORLD)
DOCUMENT = JUDGE.document
OPERATIONS = [
    (method.upper(), path) for path, item in DOCUMENT["paths"].items() for method in item if method != "parameters"
]
SCHEMA = schemathesis.openapi.from_dict(DOCUMENT)
SLOW = 0.006
"""Share of an operation whose body is recursive: such cases cost Schemathesis a third of a second each."""


def hostile(share: float) -> Any:
    """Settings for a test that takes this share of the requests. Cases that break are not made smaller for long."""
    return settings(
        max_examples=max(1, round(REQUESTS * share)),
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),  # pyright: ignore[reportArgumentType]
        phases=(Phase.explicit, Phase.generate, Phase.shrink),
    )


def judged(request: Request) -> dict[str, Any]:
    WORLD.reset()
    return JUDGE.ask(request)


# --- made from the document


def _cases(method: str, path: str) -> st.SearchStrategy[Any]:
    operation = SCHEMA[path][method]
    return st.one_of(*(operation.as_strategy(generation_mode=mode) for mode in GenerationMode))


def _sent(case: Any) -> Request:
    """The request that Schemathesis would send."""
    prepared = HttpRequest(**_plain(case.as_transport_kwargs(base_url="http://api.invalid"))).prepare()
    body = prepared.body.encode() if isinstance(prepared.body, str) else prepared.body
    assert body is None or isinstance(body, bytes)
    headers = {_text(name): _text(value) for name, value in prepared.headers.items()}
    return Request(prepared.method or "", prepared.path_url, headers, body)


def _plain(arguments: dict[str, Any]) -> dict[str, Any]:
    known = ("method", "url", "headers", "files", "data", "params", "auth", "cookies", "json")
    return {name: value for name, value in arguments.items() if name in known}


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_requests_made_from_the_document_get_what_the_document_says(method: str, path: str) -> None:
    @hostile(SLOW if (method, path) == ("POST", "/flow") else 0.2 / len(OPERATIONS))
    @given(_cases(method, path))
    def ask(case: Any) -> None:
        judged(_sent(case))

    ask()


# --- what people try

IDS = ("outage", "waitTimes", "any.kind", "park-summary", "night-watch", "gone", "nothing", "sms", "router")
NASTY = (
    *ARNS,
    *URLS,
    "",
    "\x00",
    "a\x00b",
    "\ud800",
    "\udfff\ud800",
    "\u202egnp.exe",
    "\ufeff",
    "𝕴" * 40,
    "x" * 70_000,
    "../../etc/passwd",
    "${jndi:ldap://example.com/a}",
    "<aws.events.event.json>",
    "$.detail",
    "$.",
    "' OR 1=1 --",
    "__proto__",
    "constructor",
    "None",
    "NaN",
    "\r\nSet-Cookie: a=b",
    "^(a+)+$",
    "(((((((((((a*)*)*)*)*)*)*)*)*)*)*b",
    "(?=a)(?!b)(?<=c)\\1",
    "*" * 60,
)
texts = st.sampled_from(NASTY) | st.sampled_from((*IDS, "topic", "function", "call", "Emergency")) | st.text()
numbers = (
    st.sampled_from(
        (0, -1, 1, 185, 186, 59, 60, 86400, 2**31, 2**53 + 1, 2**63, 10**400, -(10**400), 0.1, -0.0, 1e308, 5e-324)
    )
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
)
leaves = st.none() | st.booleans() | numbers | texts
anything = st.recursive(
    leaves, lambda inner: st.lists(inner, max_size=5) | st.dictionaries(texts, inner, max_size=5), max_leaves=12
)
KINDS = tuple(DOCUMENT["components"]["schemas"]["Target"]["properties"])
target_names = st.sampled_from(
    ("sms", "mail", "work", "audit", "count", "guarded", "others", "router", "park-summary", *ARNS, *URLS, "", "x" * 64)
)
targets = st.one_of(
    st.builds(lambda kind, name: {kind: name}, st.sampled_from(KINDS), target_names),
    st.builds(
        lambda kind, name: {kind: name}, st.sampled_from(("topic", "function")), st.sampled_from(("sms", "count"))
    ),
    st.dictionaries(st.sampled_from((*KINDS, "arn", "role", "Arn", "role-arn")), anything | target_names, max_size=3),
)
matchers = st.recursive(
    leaves
    | st.builds(
        lambda word, value: {word: value},
        st.sampled_from(
            ("prefix", "suffix", "wildcard", "numeric", "exists", "anything-but", "equals-ignore-case", "cidr", "$or")
        ),
        anything,
    ),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(("type", "rideId", "wait", "$or", "source", "detail-type", "parts", "a", "$ref")),
            inner,
            max_size=3,
        )
    ),
    max_leaves=10,
)
patterns = st.one_of(
    st.sampled_from(({"type": ["Emergency"]}, {"type": ["Info", "Warning"]}, {"wait": [{"numeric": [">", 60]}]})),
    matchers,
)
envelopes = st.one_of(
    st.just({"account": ["111122223333"]}),
    st.dictionaries(
        st.sampled_from(("source", "detail-type", "account", "region", "resources", "$or", "detail", "replay-name")),
        matchers,
        max_size=3,
    ),
)
routes = st.fixed_dictionaries(
    {"targets": st.lists(targets, max_size=7)},
    optional={
        "pattern": patterns,
        "envelope": envelopes,
        "enabled": anything | st.booleans(),
        "retry": anything | st.dictionaries(st.sampled_from(("attempts", "max-age-seconds", "x")), numbers),
        "source": matchers,
        "detail-type": matchers,
        "$ref": st.sampled_from(URLS),
        "schema": anything,
    },
)
route_names = st.sampled_from(("call", "a", "b-1", "x" * 64, "x" * 65, "a b", "../x", "é", "", "a.b", "\ud800")) | texts
configs = st.dictionaries(route_names, routes | anything, max_size=4)


def _text_of(value: Any) -> str:
    return json.dumps(value)


expressions = st.sampled_from(
    (
        "1",
        "$input",
        "$event.detail",
        "$input.wait > 1",
        '{"a": $input.a}',
        "$sum($input.x)",
        "$now()",
        "$eval(1)",
        "(",
    )
)
kinds_of_steps = ("wait", "transform", "filter", "function", "emit", "split", "count", "choose", "aggregate")
step_values = expressions | numbers | target_names | patterns | anything
steps = st.recursive(
    st.dictionaries(st.sampled_from((*kinds_of_steps, "detail", "retry", "Resource", "name")), step_values, max_size=3),
    lambda inner: st.builds(lambda value, more: {"split": "$input", "steps": more, **value}, inner, st.lists(inner)),
    max_leaves=4,
).map(lambda step: {"name": "s", **step})
flows = st.builds(
    lambda flow_id, more, rest: {**rest, **flow_id, "steps": more},
    st.just({}) | st.builds(lambda name: {"id": name}, st.sampled_from(IDS) | texts),
    st.lists(steps, max_size=4) | anything,
    st.dictionaries(st.sampled_from(("description", "input", "id", "role", "timeout")), anything, max_size=2),
)
bodies = st.one_of(
    flows.map(_text_of),
    configs.map(_text_of),
    configs.map(lambda value: json.dumps(value, ensure_ascii=False)),
    anything.map(_text_of),
    st.text(),
    st.builds(lambda value, at, with_: _text_of(value)[:at] + with_, configs, st.integers(0, 200), st.text(max_size=3)),
).map(lambda text: text.encode("utf-8", "surrogatepass")) | st.binary(max_size=300)
segments = st.one_of(
    st.sampled_from(IDS),
    st.sampled_from(IDS),
    st.sampled_from(
        (
            *("", ".", "..", "%2e%2e", "%2F", "%2f..%2f", "outage%2Fcall", "outage%00", "%ff%fe", "%", "%zz"),
            *("out%61ge", "outage;a=b", "outage ", "%20outage", "outage#x", "outage?x", "{id}", "*", "+", "OUTAGE"),
            *("x" * 64, "x" * 129, "x" * 9_000, "outage\\..", "event%23outage", "çé", "𝕴", "-", "_", "0", "null"),
        )
    ),
    st.sampled_from((*ARNS, *URLS)),
    st.text(max_size=12).map(lambda text: quote(text.encode("utf-8", "replace"), safe="")),
)
PLACES = sorted({path for _, path in OPERATIONS})
paths = st.one_of(
    st.builds(lambda place, name: place.replace("{id}", name), st.sampled_from(PLACES), segments),
    st.builds(lambda place, name: place.replace("{id}", name), st.sampled_from(PLACES), segments),
    st.builds(
        lambda *parts: "".join(parts), st.sampled_from(PLACES), st.sampled_from(("/", "//", "/..", "%2F")), segments
    ),
    st.lists(segments, max_size=4).map(lambda parts: "/" + "/".join(parts)),
)
methods = st.sampled_from(
    (*(method for method, _ in OPERATIONS), "PUT", "PATCH", "HEAD", "OPTIONS", "TRACE", "post", "X")
)
header_values = st.one_of(
    st.sampled_from(NASTY[:20]),
    st.sampled_from(('"x"', 'W/"x"', "*", '"', '""', ",", ", ,", '"a", "b"' * 900, "application/json", "x" * 9_000)),
    st.text(max_size=30),
)
headers = st.dictionaries(
    st.sampled_from(
        (
            *("Accept", "If-Match", "If-None-Match", "Content-Type", "Content-Encoding", "Idempotency-Key", "Host"),
            *("X-HTTP-Method-Override", "X-Forwarded-For", "Content-Length", "Transfer-Encoding", "Cookie", "Range"),
            *("X-Amzn-Trace-Id", "Authorization", "Origin", "Expect"),
        )
    ),
    header_values,
    max_size=4,
)
TYPES = ("application/json", "application/json; charset=utf-16", "text/plain", "application/xml", "text/json", "", "é")
typed = st.builds(
    lambda kind, others: {**others, "Content-Type": kind},
    st.sampled_from(("application/json", "application/json", "application/json", *TYPES)),
    st.just({}) | headers,
)
queries = st.one_of(
    st.just(""),
    st.just(""),
    st.builds(
        lambda pairs: "?" + "&".join(f"{name}={value}" for name, value in pairs),
        st.lists(
            st.tuples(
                st.sampled_from(("limit", "cursor", "x", "limit[]", "")),
                st.one_of(
                    st.sampled_from(
                        ("0", "1", "-1", "101", "1e2", "9" * 5_000, "%00", "Li4", "b3V0YWdl", "====", "%ff")
                    ),
                    st.text(max_size=20).map(lambda text: quote(text.encode("utf-8", "replace"))),
                ),
            ),
            max_size=3,
        ),
    ),
)


@hostile(0.45)
@given(
    place=st.sampled_from([path for method, path in OPERATIONS if method == "POST"]),
    name=st.sampled_from(("outage", "outage", "waitTimes", "any.kind", "gone", "nothing")),
    body=bodies,
    headers=typed,
)
def test_no_body_gets_more_than_it_may(place: str, name: str, body: bytes, headers: dict[str, str]) -> None:
    judged(Request("POST", place.replace("{id}", name), headers, body))


@hostile(0.37)
@given(methods, paths, queries, st.just({}) | headers, st.none() | bodies, st.booleans())
def test_no_request_line_or_header_gets_more_than_it_may(
    method: str, path: str, query: str, headers: dict[str, str], body: bytes | None, decoded: bool
) -> None:
    judged(Request(method, path + query, headers, body, decoded))


@pytest.mark.parametrize("place", [path for method, path in OPERATIONS if method == "POST"])
@pytest.mark.parametrize("number", range(len(GIANTS)))
def test_no_giant_costs_a_second(place: str, number: int) -> None:
    for kind in ("application/json", "application/octet-stream"):
        judged(Request("POST", place.replace("{id}", "outage"), {"Content-Type": kind}, GIANTS[number].encode()))


def test_the_judge_sees_edits_that_are_made() -> None:
    """A judge that sees only refusals would pass everything."""
    body = json.dumps({"call": {"targets": [{"topic": "mail"}], "pattern": {"type": ["Info"]}}}).encode()
    headers = {"Content-Type": "application/json"}
    assert judged(Request("POST", "/route/outage", headers, body))["statusCode"] == 200
