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
    yield "deep, in pieces", '{"a":["x"]}', '{"a":' + "[" * 900 + listed("[]", 200_000) + "]" * 900 + "}"
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
    # Every element meets half of each alternative.
    halves = [
        "{"
        + ",".join(f'"{"k" if n == half else "j"}{m}":1' for m in range(9) for n in range(2) if n == half or m)
        + "}"
        for half in range(2)
    ]
    yield (
        "alternatives that all fail",
        "{" + ors + ',"a":{"z":[1]}}',
        '{"a":' + listed(",".join([*halves, '{"z":1}'])) + "}",
    )
    nested = "[" + element + "," + other + "]"
    yield "alternatives over arrays", "{" + ors + ',"a":{"z":[1]}}', '{"a":' + listed(nested + ',{"z":1}') + "}"
    yield (
        "long chains",
        '{"a":{"b":[1],"c":[1]}}',
        '{"a":' + "[{}," * 60 + listed('{"b":1},{"c":1}', EVENT - 400) + "]" * 60 + "}",
    )
    yield "zeros", '{"a":[1]}', '{"a":' + listed("0") + "}"
    yield "arrays of one", '{"a":[2]}', '{"a":' + listed("[1]") + "}"
    yield "arrays of one, kept apart", '{"a":[2],"a.b":[1]}', '{"a":' + listed("[1]") + "}"
    yield "empty objects", '{"a":{"b":[1],"c":[1]}}', '{"a":' + listed("{}") + "}"
    threes = ",".join('"$or":[' + ",".join(f'{{"{c}{n}":[1]}}' for c in "xyz") + "]" for n in range(6))
    fields = ",".join(f'"k{n}":[1]' for n in range(240))
    yield "fields times alternatives", "{" + fields + "," + threes + "}", json.dumps({f"k{n}": 1 for n in range(240)})
    yield (
        "many fields",
        '{"a":{' + ",".join(f'"k{n}":[1]' for n in range(250)) + "}}",
        '{"a":' + listed('{"k1":1}') + "}",
    )
    yield "dots", '{"a.b.c.d":["x"]}', json.dumps({"." * n: n for n in range(700)})
    yield "long digits", '{"a":[' + "9" * 1000 + "]}", '{"a":' + listed("9" * 900) + "}"
    yield "exponents", '{"a":[1e300]}', '{"a":' + listed("1e99999999999") + "}"
    yield from more()
    yield from wild()


def branches(form: str, size: int = PATTERN - 10) -> str:
    """`{"$or": [...]}` with as many branches as fit, with a running number in each."""
    return '{"$or":' + numbered(form, size) + "}"


def more() -> Iterator[tuple[str, str, str]]:
    """Many alternatives, values of one field, places in arrays, and texts that differ only in case."""
    numbers = '{"a":' + numbered("%d") + "}"
    texts = '{"a":' + numbered('"x%d"') + "}"
    objects = '{"a":' + numbered('{"b":%d}') + "}"
    for name, form in {
        "numbers": '{"a":[%d]}',
        "ranges": '{"a":[{"numeric":[">",%d]}]}',
        "exclusions": '{"a":[{"anything-but":"x%d"}]}',
        "prefixes": '{"a":[{"prefix":"x%d"}]}',
        "empty prefixes": '{"a":[{"prefix":""}],"c%d":[1]}',
        "wildcards": '{"b%d":[{"exists":false}],"a":[{"wildcard":"*9*z"}]}',
        "misses": '{"a":["y%d"],"b":[1]}',
    }.items():
        pattern = branches(form)
        yield f"branches of {name} on numbers", pattern, numbers
        yield f"branches of {name} on texts", pattern, texts
        yield f"branches of {name} on objects", branches(form.replace('"a":', '"a.b":')), objects
    odd = ["".join("sS\u017f"[(n // 3**i) % 3] for i in range(9)) for n in range(3**9)]
    some = ",".join(json.dumps({"equals-ignore-case": text}, ensure_ascii=False) for text in odd[:85])
    values = json.dumps(odd[95:12_000], ensure_ascii=False, separators=(",", ":"))
    yield "texts of one fold", '{"a":[' + some + "]}", '{"a":' + values + "}"
    for operator in ("prefix", "suffix"):
        some = ",".join(
            json.dumps({operator: {"equals-ignore-case": text}}, ensure_ascii=False, separators=(",", ":"))
            for text in odd[:65]
        )
        yield f"{operator} of one fold", '{"a":[' + some + "]}", '{"a":' + values + "}"
    growing = ",".join(f'{{"prefix":"{"a" * n}"}}' for n in range(73))
    yield "prefixes of each length", '{"a":[' + growing + "]}", '{"a":' + numbered('"' + "b" * 75 + '%d"') + "}"
    growing = ",".join(f'{{"suffix":{{"equals-ignore-case":"{"é" * n}"}}}}' for n in range(1, 48))
    yield "suffixes in any case", '{"a":[' + growing + "]}", '{"a":' + numbered('"%d' + "É" * 50 + '"') + "}"
    blocks = ",".join(f'{{"cidr":"{n:x}::/{n + 8}"}}' for n in range(1, 110))
    yield "addresses", '{"a":[' + blocks + "]}", '{"a":' + numbered('"::%x"') + "}"
    yield "long addresses", '{"a":[' + blocks + "]}", '{"a":' + numbered('"01:2:3:4:5:6:7:%x"') + "}"
    yield "addresses apart", '{"a.b":[' + blocks + '],"a.c":[1]}', '{"a":' + numbered('{"b":"::%x"},{"c":1}') + "}"
    yield "floats", '{"a":[1.5]}', '{"a":' + numbered("%d.00000000000000001") + "}"
    yield "small floats", '{"a":[1.5]}', '{"a":' + numbered("%de-320") + "}"
    yield "keys", '{"a":[1]}', "{" + numbered('"%x":1', EVENT - 20)[1:-1] + "}"
    yield "keys of fields", '{"a":{"b":[1]}}', "{" + listed('"a":{"b":2}')[1:-1] + "}"
    yield "keys with dots", '{"a":{"b":{"c":[1]}}}', '{"a":{' + listed('"b.c":2')[1:-1] + "}}"
    yield "keys of arrays", '{"a":{"b":[1],"c":[1]}}', "{" + listed('"a":[{"b":2},{"c":1}]')[1:-1] + "}"
    yield "one in each", '{"a":{"b":[1]}}', '{"a":' + listed('{"b":[2]}') + "}"
    yield "three in each", '{"a":{"b":[1],"c":[1],"d":[1]}}', '{"a":' + listed('[{"b":1},{"c":1},{"d":1}]') + "}"
    yield (
        "nested in nested",
        '{"a":{"b":[1],"c":[1],"d":[1]}}',
        '{"a":' + listed('[[{"b":1},{"c":1}],[{"c":1},{"d":1}]]') + "}",
    )
    yield (
        "absent in nested",
        '{"a":{"b":[1],"c":[{"exists":false}],"d":[1]}}',
        '{"a":' + listed('[[{"b":1},{"c":1}],[{"c":1},{"d":1}]]') + "}",
    )
    halves = "[" * 60 + "1" + ",[1]]" * 60
    yield "deep halves", '{"a":[2],"a.b":[1]}', '{"a":' + listed(halves) + "}"
    both = '{"a":[2],"a.b":[1],"a.c":[{"exists":false}]}'
    yield "deep halves, absent", both, '{"a":' + listed(halves + ',{"b":1},[{"c":1},{"b":1}]') + "}"
    deep = '[{"b":1},' * 450 + '[{"c":1},{"d":1}]' + "]" * 450
    yield "deep elements", '{"a":{"b":[1],"c":[1],"d":[1]}}', '{"a":' + listed(deep) + "}"
    pairs = "".join(f'"$or":[{{"a.k{n}":[1]}},{{"a.j{n}":[1]}}],' for n in range(9))
    fields = ",".join(f'"a.{c}{n}":[1]' for n in range(100) for c in "az")
    every = ",".join(f'"{c}{n}":1' for n in range(100) for c in "az") + "," + ",".join(f'"k{n}":1' for n in range(9))
    yield (
        "alternatives between fields",
        "{" + pairs + fields + "}",
        '{"a":' + listed("{" + every + "},{" + ",".join(f'"j{n}":1' for n in range(9)) + "}") + "}",
    )
    path = ".".join("a" * 1000)
    yield "long names", '{"' + path + '":["x"]}', json.dumps({".".join("a" * n): 1 for n in range(500)})
    star = ",".join(f'{{"n{n}":[1],"b":[{{"wildcard":"*ab*{n}"}}]}}' for n in range(85))
    event = {f"n{n}": 1 for n in range(85)}
    yield "wildcards in branches", '{"$or":[' + star + "]}", json.dumps(event | {"b": "ab" * 120_000})
    yield (
        "wildcards in branches, many texts",
        '{"$or":[' + star + "]}",
        json.dumps(event | {"b": [f"ab{n}" for n in range(20_000)]}),
    )
    star = ",".join(f'{{"n{n}":[1],"b":[{{"wildcard":"*{n}a*aab*aba*"}}]}}' for n in range(70))
    yield "hard wildcards", '{"$or":[' + star + "]}", json.dumps({"b": "a"})
    exists = ",".join(f'"a.k{n}":[{{"exists":false}}]' for n in range(120))
    yield "absent everywhere", "{" + exists + "}", '{"a":' + listed('{"k1":1},{"x":1}') + "}"
    exists = ",".join(f'"k{n}":[{{"exists":true}}]' for n in range(160))
    yield "there everywhere", "{" + exists + "}", json.dumps({f"k{n}": [1] * 500 for n in range(160)})
    yield "excluded list", '{"a":[{"anything-but":' + numbered('"x%d"', PATTERN - 40) + "}]}", texts
    for operator in ("prefix", "suffix", "wildcard", "equals-ignore-case"):
        some = '["*z1","*z2"]' if operator == "wildcard" else numbered('"y%d"', PATTERN - 60)
        yield f"excluded {operator}", '{"a":[{"anything-but":{"' + operator + '":' + some + "}}]}", texts


def wild() -> Iterator[tuple[str, str, str]]:
    """Wildcards whose complexity takes long to tell: on many fields, behind many beginnings, in many alternatives."""
    letters = "".join(chr(code) for code in range(33, 127) if chr(code) not in '"\\*')
    mixed = [letters[n % 90 :] + letters[: n % 90] for n in range(200)]
    threes = [
        ["*" + "*".join(mixed[7 * n + 3 * i + k][k * 10 : k * 10 + 9] for k in range(3)) for i in range(3)]
        for n in range(24)
    ]
    pattern = {f"{n:x}": [{"anything-but": {"wildcard": texts}}] for n, texts in enumerate(threes)}
    event = {name: ["".join(threes[n])[:-1] + str(m) for m in range(80)] for n, name in enumerate(pattern)}
    yield "wildcards on many fields", json.dumps(pattern, separators=(",", ":")), json.dumps(event)
    for size in (500, 2500):
        one = '"*' + "".join(mixed)[:size] + '"'
        beginnings = numbered('"%x*"', PATTERN - 60 - size)[1:-1]
        yield (
            f"{size} letters behind many beginnings",
            '{"z":[{"anything-but":{"wildcard":[' + one + "," + beginnings + "]}}]}",
            '{"z":' + numbered('"%x"') + "}",
        )
        branch = ",".join(f'{{"a":[{n}],"z":[{{"wildcard":"{n:x}*"}}]}}' for n in range((PATTERN - 80 - size) // 42))
        yield (
            f"{size} letters in many alternatives",
            f'{{"$or":[{branch}],"$or":[{{"z":[{{"wildcard":{one}}}]}},{{"zz":[1]}}]}}',
            '{"a":' + numbered("%d", EVENT // 2) + ',"z":' + numbered('"%x"', EVENT // 2 - 64) + "}",
        )
    some = numbered('{"x":[%d]}', 380)
    squares = f'"a":{{"$or":{some}}},"b":{{"$or":{some}}}'
    fields = ",".join(f'"k{n}":[{{"wildcard":"*"}}]' for n in range(130))
    texts = numbered('"%d"', 1800)
    values = ",".join(f'"k{n}":{texts}' for n in range(130))
    yield "wildcards times alternatives", "{" + squares + "," + fields + "}", '{"a":{"x":1},"b":{"x":2},' + values + "}"
