"""Inputs made to take long: patterns of 4 KB and events of 256 KB."""

import json
from collections.abc import Iterator
from typing import Any

PATTERN = 4096
EVENT = 256 * 1024


def listed(one: str, size: int = EVENT - 64) -> str:
    """`[one,one,…]` of about `size` characters."""
    return "[" + ",".join([one] * (size // (len(one) + 1))) + "]"


def numbered(form: str, size: int = EVENT - 64) -> str:
    """As `listed`, with a running number in each."""
    parts: list[str] = []
    total = 0
    for n in range(size):
        part = form % n
        total += len(part) + 1
        if total > size:
            break
        parts.append(part)
    return "[" + ",".join(parts) + "]"


def conditions(form: str) -> str:
    """A pattern on `a` with as many conditions as fit, with a running number in each."""
    return '{"a":' + numbered(form, PATTERN - 10) + "}"


def cases() -> Iterator[tuple[str, str, str]]:
    """Name, pattern, event."""
    numbers = '{"a":' + numbered("%d") + "}"
    texts = '{"a":' + numbered('"x%d"') + "}"
    addresses = '{"a":' + numbered('"10.1.1.%d"') + "}"
    for name, form in {
        "numbers": "%d.5",
        "ranges": '{"numeric":[">",%d]}',
        "prefixes": '{"prefix":"y%d"}',
        "suffixes": '{"suffix":"y%d"}',
        "any case": '{"equals-ignore-case":"y%d"}',
        "any case prefixes": '{"prefix":{"equals-ignore-case":"y%d"}}',
        "blocks": '{"cidr":"11.0.0.%d/31"}',
        "exclusions": '{"anything-but":["x1","x%d"]}',
        "equal exclusions": '{"anything-but":"x1"%.0s}',
        "exclusions of prefixes": '{"anything-but":{"prefix":["x","y%d"]}}',
    }.items():
        pattern = conditions(form if name != "blocks" else '{"cidr":"11.0.%d.0/31"}')
        for kind, event in (("numbers", numbers), ("texts", texts), ("addresses", addresses)):
            yield f"{name} on {kind}", pattern, event
    growing = "[" + ",".join(f'{{"prefix":"{"a" * n}b"}}' for n in range(76)) + "]"
    yield "growing prefixes", f'{{"a":{growing}}}', '{"a":' + listed('"' + "a" * 90 + '"') + "}"
    yield "case expansions", '{"a":[{"equals-ignore-case":"' + "ß" * 1000 + '"}]}', '{"a":"' + "S" * 200_000 + '"}'
    yield "wildcard", '{"a":[{"wildcard":"*ab*ab*ab*ab*ab"}]}', '{"a":"' + "a" * 260_000 + '"}'
    yield "long wildcard", '{"a":[{"wildcard":"*' + "a" * 4 + '*b"}]}', '{"a":"' + "a" * 260_000 + '"}'
    yield "wildcards on many", '{"a":[{"wildcard":"*a*b*c*d*"}]}', '{"a":' + listed('"abcabcabc"') + "}"
    yield "deep event", '{"a":["x"]}', '{"a":' + "[" * 120_000 + "]" * 120_000 + "}"
    yield "deep objects", '{"a":["x"]}', '{"a":' * 40_000 + "1" + "}" * 40_000
    yield "deep, allowed", '{"a":["x"]}', '{"a":' + "[" * 990 + listed("1", 200_000) + "]" * 990 + "}"
    yield "deep branches", '{"a":{"b":["x"]}}', '{"a":' + '[{"b":1},' * 900 + '{"b":2}' + "]" * 900 + "}"
    yield "deep pattern", '{"a":' * 800 + '["x"]' + "}" * 1, '{"a":"x"}'
    yield "deep pattern, valid", '{"a":' * 680 + '["x"]' + "}" * 680, '{"a":' * 680 + '"x"' + "}" * 680
    yield "or in or", '{"$or":[{"a":[1]},' * 200 + '{"b":[1]}' + "]}" * 200, '{"c":1}'
    branches = ",".join(f'"k{n}":{{"$or":[{{"a":[1]}},{{"b":[2]}}]}}' for n in range(9))
    values = {f"k{n}": {"a": 1, "b": 2} for n in range(8)}
    yield "512 alternatives", "{" + branches + "}", json.dumps(values)
    branches = ",".join(f'"k{n}":{{"$or":[{{"a":[1]}},{{"b":[2]}}]}}' for n in range(60))
    yield "alternatives without end", "{" + branches + "}", "{}"
    fields = ",".join(f'"k{n}":[1]' for n in range(200))
    yield (
        "alternatives times fields",
        "{" + fields + ',"$or":[' + ",".join(['{"z":[1]}'] * 150) + "]}",
        json.dumps({f"k{n}": 1 for n in range(200)}),
    )
    yield "elements", '{"a":{"b":[1],"c":[2]}}', '{"a":' + listed('{"b":1},{"c":2}') + "}"
    yield "elements, absent", '{"a":{"b":[1],"c":[{"exists":false}]}}', '{"a":' + listed('{"b":1,"c":2}') + "}"
    siblings = {f"k{n}": [{"a": 1}, {"b": 2}] * 200 for n in range(20)}
    pattern: Any = {f"k{n}": {"a": [1], "b": [2] if n == 19 else [2, {"exists": False}]} for n in range(20)}
    yield "sibling arrays", json.dumps(pattern), json.dumps(siblings)
    pending = {"a" + "!" * n: [[1], {"x": 1}] * 50 for n in range(12)}
    pattern = {name: [1] for name in pending} | {name + ".x": [2, 1] for name in pending}
    yield "elements kept open", json.dumps(pattern), json.dumps(pending)
    repeated = ",".join(f'"a":[{{"k{n}":1}},{{"k{n * 7 % 31}":1}}]' for n in range(31))
    yield "repeated keys", '{"a":{' + ",".join(f'"k{n}":[1]' for n in range(31)) + "}}", "{" + repeated + "}"
    ors = ",".join(f'"$or":[{{"a":{{"k{n}":[1]}}}},{{"a":{{"j{n}":[1]}}}}]' for n in range(9))
    element = "{" + ",".join(f'"k{n}":1' for n in range(9)) + "}"
    other = "{" + ",".join(f'"j{n}":1' for n in range(9)) + "}"
    yield "alternatives over elements", "{" + ors + "}", '{"a":' + listed(element + "," + other) + "}"
    yield (
        "many fields",
        '{"a":{' + ",".join(f'"k{n}":[1]' for n in range(250)) + "}}",
        '{"a":' + listed('{"k1":1}') + "}",
    )
    yield "dots", '{"a.b.c.d":["x"]}', json.dumps({"." * n: n for n in range(700)})
    yield "long digits", '{"a":[' + "9" * 1000 + "]}", '{"a":' + listed("9" * 900) + "}"
    yield "exponents", '{"a":[1e300]}', '{"a":' + listed("1e99999999999") + "}"
