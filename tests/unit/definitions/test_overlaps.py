"""Which kinds of events meet: what is said for certain is so, and the easy cases are said for certain."""

import itertools
from random import Random
from typing import Any

import pytest

from signalbox.definitions.overlaps import overlap
from signalbox.patterns import check, matches


@pytest.mark.parametrize(
    ("one", "other", "answer"),
    [
        ("a", "a", "yes"),
        ("a", "b", "no"),
        ("a", {"exactly": "a"}, "yes"),
        ({"exactly": "p"}, {"exactly": "q"}, "no"),
        ("a.b", {"prefix": "a."}, "yes"),
        ({"prefix": "a"}, {"prefix": "ab"}, "yes"),
        ({"prefix": "a"}, {"prefix": "b"}, "no"),
        ({"prefix": "a"}, {"suffix": "b"}, "yes"),
        ({"suffix": ".x"}, {"suffix": ".y"}, "no"),
        ({"suffix": "x"}, {"suffix": ".x"}, "yes"),
        ({"equals-ignore-case": "alpha"}, {"equals-ignore-case": "beta"}, "no"),
        ({"equals-ignore-case": "alpha"}, {"equals-ignore-case": "ALPHA"}, "yes"),
        ({"equals-ignore-case": "alpha"}, {"prefix": "ALP"}, "yes"),
        ({"equals-ignore-case": "alpha"}, {"suffix": ".x"}, "no"),
        ({"equals-ignore-case": "ſ"}, {"equals-ignore-case": "s"}, "yes"),
        ({"wildcard": "a*b"}, {"wildcard": "a*c"}, "no"),
        ({"wildcard": "a*b"}, {"wildcard": "*c*"}, "maybe"),
        ({"anything-but": "a"}, "a", "no"),
        ({"anything-but": "a"}, {"prefix": "a"}, "yes"),
        ({"anything-but": {"prefix": "a"}}, {"prefix": "a"}, "maybe"),
        ({"prefix": 5}, "a", "no"),
    ],
    ids=str,
)
def test_what_is_known_of_two_match_values(one: Any, other: Any, answer: str) -> None:
    assert overlap((one,), (other,)) == answer
    assert overlap((other,), (one,)) == answer


def test_a_kind_that_is_not_said_is_any() -> None:
    assert overlap(None, ("a",)) == "yes"
    assert overlap(("a", {"anything-but": {"prefix": "b"}}), ({"prefix": "b"},)) == "maybe"


def test_no_text_meets_two_match_values_that_are_said_to_be_apart() -> None:
    texts = ["".join(letters) for n in range(5) for letters in itertools.product('aAb"', repeat=n)]
    operators = ("exactly", "prefix", "suffix", "equals-ignore-case", "wildcard")
    random = Random(4)
    said = set()
    for _ in range(600):
        values: list[Any] = []
        for _ in range(2):
            text = "".join(
                random.choice(["a", "A", "b", 'b"', '"a', "*"][: random.choice([3, 5, 6])]) for _ in range(2)
            )
            value: Any = {random.choice(operators): text.replace("**", "*")}
            if random.random() < 0.2 and text:
                value = {random.choice(["prefix", "suffix"]): {"equals-ignore-case": text}}
            values.append({"anything-but": value} if random.random() < 0.2 and "exactly" not in value else value)
        if any(check({"x": [value]}) for value in values):
            continue
        answer = overlap((values[0],), (values[1],))
        said.add(answer)
        found = any(all(matches({"x": [value]}, {"x": text}) for value in values) for text in texts)
        assert answer != "no" or not found, values
    assert said == {"yes", "no", "maybe"}
