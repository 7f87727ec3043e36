"""Bodies that are big, deep or twisted, and cost most where a reader is careless; also sent over real HTTP."""

# ruff: noqa: UP031  # JSON is full of the braces that str.format takes
import json
from collections.abc import Iterator
from typing import Any

from signalbox.api.answers import BODY_BYTES

ARNS = (
    "arn:aws:sns:eu-west-1:111122223333:sms",
    "arn:aws:lambda:eu-west-1:444455556666:function:theirs",
    "arn:aws-cn:sqs:cn-north-1:111122223333:q",
    "ARN:AWS:SNS:::x",
)
URLS = (
    "http://169.254.169.254/latest/meta-data/",
    "https://example.com/schema.json",
    "file:///etc/passwd",
    "//example.com/x",
    "jar:http://example.com!/x",
)


def _nested(depth: int, opening: str, closing: str, inside: str) -> str:
    return opening * depth + inside + closing * depth


def _giants() -> Iterator[str]:
    """Bodies that are big, deep or twisted, and cost most where a reader is careless."""
    target = '{"topic": "sms"}'
    for depth in (50, 900, 20_000):
        yield _nested(depth, "[", "]", "")
        yield _nested(depth, '{"a":', "}", "1")
        yield '{"call": {"targets": [%s], "pattern": %s}}' % (target, _nested(depth, '{"a":', "}", '["x"]'))
        yield '{"call": {"targets": [%s], "pattern": {"$or": %s}}}' % (target, _nested(depth, "[", "]", '{"a":["x"]}'))
    yield "[%s" % ("[" * 60_000)
    yield '{"call": {"targets": [%s]}}' % ",".join([target] * 7_000)
    yield '{"call": {"targets": [%s], "pattern": {"type": [%s]}}}' % (target, ",".join(f'"{n}"' for n in range(15_000)))
    yield "{%s}" % ",".join(f'"r{n}": {{"targets": [{target}]}}' for n in range(3_500))
    yield "{%s}" % ",".join(f'"r{n}": 1' for n in range(12_000))
    yield "{%s}" % ",".join(['"call": {"targets": [%s]}' % target] * 3_500)
    yield '{"call": {"targets": [%s], "targets": [{"topic": "%s"}]}}' % (target, ARNS[0])
    yield '{"call": {"targets": [{"topic": "%s", "topic": "sms"}]}}' % ARNS[0]
    yield '{"call": {"targets": [%s], "retry": {"attempts": %s}}}' % (target, "9" * 100_000)
    yield '{"call": {"targets": [%s], "pattern": {"wait": [{"numeric": [">", %s]}]}}}' % (target, "1" * 5_000)
    yield '{"call": {"targets": [%s], "pattern": {"wait": [1e999, -1e999, NaN, Infinity]}}}' % target
    yield '{"call": {"targets": [%s], "pattern": {"wait": [1e999]}}}' % target
    for text in ("*a" * 30_000, "*" * 60_000, "?" * 60_000, "\\u0000" * 10_000, "\\ud800" * 10_000):
        yield '{"call": {"targets": [%s], "pattern": {"rideId": [{"wildcard": "%s"}]}}}' % (target, text)
    for word in ("prefix", "suffix", "anything-but", "cidr"):
        yield '{"call": {"targets": [%s], "pattern": {"rideId": [{"%s": "%s"}]}}}' % (target, word, "a" * 100_000)
    alternatives = ",".join('{"type": ["%d"], "rideId": ["%d"]}' % (n, n) for n in range(1_500))
    yield '{"call": {"targets": [%s], "pattern": {"$or": [%s]}}}' % (target, alternatives)
    many = ",".join('"f%d": [{"exists": true}, {"wildcard": "*a*b*c*"}]' % n for n in range(1_500))
    yield '{"call": {"targets": [%s], "pattern": {%s}}}' % (target, many)
    ors = ",".join('"a%d": {"$or": [{"x": ["1"]}, {"y": ["2"]}, {"z": ["3"]}]}' % n for n in range(1_200))
    yield '{"call": {"targets": [%s], "pattern": {%s}}}' % (target, ors)
    template = '{"call": {"targets": [{"topic": "sms", "input": {"paths": {%s}, "template": "%s"}}]}}'
    yield template % (",".join('"p%d": "$.detail.type"' % n for n in range(3_000)), "<p1>")
    yield template % ('"p": "$.detail%s"' % (".a" * 30_000), "<p>")
    yield template % ('"p": "$.detail[%s]"' % ("0" * 50_000), "<p>")
    yield template % ('"p": "$.detail.type"', "<p" * 50_000)
    yield template % ('"p": "$.detail.type"', '\\\\\\"<p>' * 8_000)
    for reference in URLS:
        yield json.dumps({"$ref": reference})
        yield json.dumps({"call": {"$ref": reference, "targets": [{"$ref": reference}]}})
        yield json.dumps({"schema": {"$schema": reference, "$id": reference, "$ref": reference}, "steps": []})
    yield from _giant_flows()
    for length in (BODY_BYTES - 1, BODY_BYTES, BODY_BYTES + 1, 6_000_000):
        yield " " * length
        yield '{"call": {"targets": [%s]}}' % target + " " * (length - 40)
        yield '"%s"' % ("é" * (length // 2))


def _giant_flows() -> Iterator[str]:
    """Flows whose expressions, steps and patterns cost most where a reader is careless."""
    for expression in (
        "(" * 5_000 + "1" + ")" * 5_000,
        "[" * 20_000,
        "1" + "+1" * 9_000,
        "$f := function($x) { $f($x) }; $f(1)",
        "($f := function($x) { $f($x) }; $f(1))",
        "$match($input, /(a+)+$/)",
        "$replace('" + "a" * 9_000 + "b', /(a*)*c/, '')",
        "[1..10000000].[1..10000000]",
        "$eval($input)",
        "'" + "\\u0000" * 5_000 + "'",
        "$" + "a" * 60_000,
        "a." * 20_000 + "a",
        "a[" * 3_000 + "0" + "]" * 3_000,
        "**.**.**." * 3_000 + "a",
        "$lookup($input, 'arn:aws:iam::111122223333:role/x')",
        "/(a+)+b/",
        "/" + "(" * 2_000 + ")" * 2_000 + "/",
        "{% $states.context %}",
        "{" + ",".join(f'"k{n}": {n}' for n in range(6_000)) + "}",
    ):
        for key in ("transform", "wait", "split"):
            step: dict[str, Any] = {"name": "s", key: expression}
            if key == "split":
                step["steps"] = [{"name": "t", "transform": expression}]
            yield json.dumps({"steps": [step]})
    yield json.dumps({"steps": [{"name": f"s{n}", "wait": 1} for n in range(3_000)]})
    yield json.dumps({"steps": [{"name": "s", "function": name} for name in (*ARNS, *URLS, "count", "router")]})
    deep = [{"name": "end", "wait": 1}]
    for number in range(150):
        deep = [{"name": f"s{number}", "choose": [{"pattern": {"a": ["b"]}, "steps": deep}]}]
    yield json.dumps({"steps": deep})
    wide = [{"name": f"c{n}", "choose": [{"condition": "true", "steps": []}] * 50} for n in range(40)]
    yield json.dumps({"steps": wide})
    for target in (*ARNS, *URLS):
        yield json.dumps({"id": target, "steps": [{"name": "s", "wait": 1}]})
        yield json.dumps({"id": "x", "input": target, "steps": [{"name": "s", "emit": target, "detail": "{}"}]})
    yield json.dumps({"id": "park-summary", "steps": [{"name": "s", "wait": 1}]})


GIANTS = tuple(_giants())
