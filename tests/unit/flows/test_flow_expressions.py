"""JSONata in flows: what loops, explodes or means nothing there is refused; what is left ends."""

import random
from itertools import pairwise

import pytest

from signalbox.definitions.places import Document
from signalbox.flows.expressions import Unreadable, check_expression, parse, slow_regex


def codes(text: str, variables: tuple[str, ...] = ("input", "event")) -> list[str]:
    _, problems = check_expression(Document({"at": text}), ("at",), variables)
    assert all(problem.severity == "error" and problem.what for problem in problems)
    return [problem.code for problem in problems]


@pytest.mark.parametrize(
    "text",
    [
        "$input",
        "$input.detail.rides[inService].wait",
        '$input.rides[wait > 5].{"id": rideId, "wait": wait}',
        '($open := $input[state = "open"]; {"open": $count($open), "longest": $open^(>wait)[0].wait})',
        "$map($input, function($ride, $i) { $ride.wait * $i })",
        "$input ~> $map(function($ride) { $ride.wait }) ~> $sum",
        "$reduce($input, function($top, $next) { $next > $top ? $next : $top })",
        "$sort($input, function($a, $b) { $a.wait > $b.wait })",
        "$filter($input, $boolean)",
        "[0..$count($input) - 1]",
        "[1..$min([$input.n, 100])]",
        r"$split($input.list, /\s*,\s*/)",
        '$replace($input.a, /x+/, "y")',
        "$parse($event.detail.msg)",
        '$hash($input.a, "SHA-256")',
        "$input@$ride.rows[ride = $ride.id]",
        '$input ~> |$|{"seen": true}|',
        "$input.`detail-type`",
        'true or 5 > 3 and "a" in ["a"]',
        '"a"' + " & $input.b" * 78,
    ],
)
def test_ordinary_expressions_are_taken(text: str) -> None:
    assert codes(text) == []


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "flow-jsonata"),
        ("$input.", "flow-jsonata"),
        ("($input", "flow-jsonata"),
        ('"open', "flow-jsonata"),
        ("$contains($input, /(/)", "flow-jsonata"),
        ("(" * 200 + "1" + ")" * 200, "flow-jsonata"),
        ("1" + "+1" * 600, "flow-jsonata"),
        ('"a"' + " & $input.b" * 80, "flow-jsonata-deep"),
        ("(" * 80 + "$input" + ")" * 80, "flow-jsonata-deep"),
        # What has no value in a state.
        ("detail.msg", "flow-jsonata-context"),
        ("*", "flow-jsonata-context"),
        ("$", "flow-jsonata-variable"),
        ("$$", "flow-jsonata-variable"),
        ("$inptu.a", "flow-jsonata-variable"),
        ("$results", "flow-jsonata-variable"),
        ("$states.input", "flow-jsonata-variable"),
        ("($input := 1; $input)", "flow-jsonata-variable"),
        ("($sum := 1; $sum)", "flow-jsonata-variable"),
        # What could call itself.
        ("($f := function($n) { $f($n) }; $f(1))", "flow-jsonata-function"),
        ("function($x) { $x }(1)", "flow-jsonata-function"),
        ("$map(function($f) { $map($f, $f) }, function($g) { $g })", "flow-jsonata-function"),
        ("$each(function($f) { $f })", "flow-jsonata-function"),
        ("$append($input, function($x) { $x })", "flow-jsonata-function"),
        ("$map($input, $map)", "flow-jsonata-function"),
        ("[$map]", "flow-jsonata-function"),
        ("$input ~> $lookup(?, 1)", "flow-jsonata-function"),
        ("$input ~> ($f := $map)", "flow-jsonata-function"),
        ('$eval("1")', "flow-jsonata-function"),
        ("$sume($input)", "flow-jsonata-function"),
        # What makes much of little.
        ("[1..1000000]", "flow-jsonata-range"),
        ("[1..$input.n]", "flow-jsonata-range"),
        ("[$input.a..$input.b]", "flow-jsonata-range"),
        ("$range(1, 1000000, 1)", "flow-jsonata-range"),
        ('$pad("x", 1000000)', "flow-jsonata-range"),
        ('$pad("x", $input.n)', "flow-jsonata-range"),
        (
            '($a := "x"; ' + "".join(f"${b} := ${a} & ${a}; " for a, b in pairwise("abcdefghijklmnopqrstuv")) + "$v)",
            "flow-jsonata-explodes",
        ),
        (
            "($a := [$input, $input]; "
            + "".join(f"${b} := [${a}, ${a}]; " for a, b in pairwise("abcdefghijk"))
            + "$k)",
            "flow-jsonata-explodes",
        ),
        ("$string(" * 8 + "$input" + ")" * 8, "flow-jsonata-explodes"),
        ("$reduce($input, function($a, $n) { $a & $a })", "flow-jsonata-explodes"),
        ("$reduce($input, function($a, $n) { [$a, $a] })", "flow-jsonata-explodes"),
        ("$input[a[b[c[d = 1]]]]", "flow-jsonata-loops"),
        (
            "$map($input, function($a) { $map($input, function($b) { $map($a, function($c) { $b[x = 1] }) }) })",
            "flow-jsonata-loops",
        ),
        # What takes an engine that tries everything for ever.
        ("$match($input.a, /(a+)+$/)", "flow-jsonata-regex"),
        ("$match($input.a, /(a|aa)+$/)", "flow-jsonata-regex"),
        ("$match($input.a, /" + "a?" * 20 + "b/)", "flow-jsonata-regex"),
        ("$match($input.a, /(?=a)b/)", "flow-jsonata-regex"),
        ("/a/", "flow-jsonata-regex"),
    ],
)
def test_what_must_not_run_is_refused(text: str, code: str) -> None:
    assert code in codes(text)


def test_a_fault_says_what_was_meant() -> None:
    _, (problem,) = check_expression(Document({"at": "detail.msg"}), ("at",))
    assert problem.fix == "did you mean '$input.detail'?"
    _, (problem,) = check_expression(Document({"at": "$uppercas($input)"}), ("at",))
    assert problem.fix == "did you mean 'uppercase'?"


def test_reading_gives_a_tree_or_says_why_not_for_any_text() -> None:
    words = [
        "$input",
        ".",
        "a",
        "[",
        "]",
        "(",
        ")",
        "{",
        "}",
        ":",
        ",",
        ";",
        ":=",
        "+",
        "=",
        "?",
        "~>",
        "^",
        "|",
        "@",
        "#",
    ]
    words += [
        "$x",
        "$map",
        "function",
        "$",
        "$$",
        '"s"',
        "'",
        '"',
        "1e999",
        "/a+/",
        "/",
        "**",
        "%",
        "\\",
        "\x00",
        "..",
        "`",
    ]
    rng = random.Random(20261123)
    for _ in range(1500):
        text = rng.choice(["", " "]).join(rng.choice(words) for _ in range(rng.randint(1, 12)))
        try:
            tree = parse(text).tree
        except Unreadable as error:
            assert str(error)
        else:
            assert tree is not None
            codes(text)


def test_the_recursion_limit_of_the_process_is_left_alone() -> None:
    import subprocess
    import sys

    code = (
        "import sys; before = sys.getrecursionlimit(); from signalbox.flows.expressions import parse;"
        " parse('$input'); assert sys.getrecursionlimit() == before"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("pattern", ["a+b*", "[a-z]+@[a-z]+", "(?:ab)?c", "^x{2,5}$", "(a|b)c", r"\(\?x"])
def test_regular_expressions_that_are_quick_are_taken(pattern: str) -> None:
    assert slow_regex(pattern) is None
