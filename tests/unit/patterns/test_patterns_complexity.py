"""How hard wildcards are, held against what the measure means: beginnings that one text reaches."""

import itertools
import json
from collections.abc import Iterable
from random import Random
from typing import Any

import pytest

from signalbox.patterns import check

MOST = 10


def reaches(text: str, beginning: str) -> bool:
    """Is `text` like `beginning`, which may hold `*`? No text here has one."""
    first, *others = beginning.split("*")
    if not others:
        return text == first
    return text.startswith(first) and any(
        reaches(text[at:], "*".join(others)) for at in range(len(first), len(text) + 1)
    )


def hardness(conditions: Iterable[list[str]], texts: Iterable[str]) -> int:
    """The most beginnings of wildcards that one of `texts` has reached, the whole of each condition as one more."""
    most = 0
    for text in texts:
        count = 0
        for wildcards in conditions:
            beginnings = {wildcard[:end] for wildcard in wildcards for end in range(len(wildcard) + 1)}
            count += sum(reaches(text, each) for each in beginnings)
            count += text.endswith('"') and any(reaches(text[:-1], each) for each in wildcards)
        most = max(most, count)
    return most


def made(random: Random) -> list[list[str]]:
    """The wildcards of some conditions, each of few letters, so that short texts reach all there is."""

    def one() -> str:
        return random.choice(["", "*"]) + "*".join(random.choice(["a", "b", "ab", "aa"]) for _ in range(2))

    return [[one() for _ in range(random.randint(1, 2))] for _ in range(random.randint(2, 4))]


def test_a_pattern_is_too_complex_where_a_text_reaches_more_beginnings_than_eventbridge_takes() -> None:
    texts = [
        "".join(letters) + end for n in range(8) for letters in itertools.product("ab", repeat=n) for end in ("", '"')
    ]
    outcomes: set[bool] = set()
    for seed in range(30):
        conditions = made(Random(seed))
        listed: list[Any] = [{"anything-but": {"wildcard": wildcards}} for wildcards in conditions]
        # Equal conditions are one.
        different = [json.loads(each) for each in dict.fromkeys(map(json.dumps, conditions))]
        too_complex = hardness(different, texts) > MOST
        assert bool(check({"a": listed})) == too_complex, conditions
        outcomes.add(too_complex)
    assert outcomes == {True, False}


def test_a_pattern_too_complex_is_refused_however_many_texts_tell_it_apart() -> None:
    random = Random(9)
    letters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
    for _ in range(2):
        wildcards = [
            "*" + "*".join("".join(random.choice(letters) for _ in range(60)) for _ in range(6)) for _ in range(2)
        ]
        assert check({"a": [{"wildcard": wildcards[0]}]}) == []
        (fault,) = check({"a": [{"wildcard": each} for each in wildcards]})
        assert "too complex" in fault.reason


def test_a_wildcard_that_a_later_condition_on_the_field_replaces_does_not_count() -> None:
    hard = [{"wildcard": "*a*a*a*a*a*a*"}]
    assert check({"a": hard})
    assert check({"$or": [{"a": hard}, {"b": [1]}]})
    assert check({"$or": [{"a": hard}, {"b": [1]}], "a": [2]}) == []


def test_one_field_cannot_hide_the_complexity_of_another() -> None:
    complex_ = [{"wildcard": "*a" * 12}]
    assert check({"h": complex_})
    texts = ["*" + "".join(chr(0x4E00 + n) for n in range(62)), *(f"{n:x}*" for n in range(200))]
    for name in ("a", "z"):
        assert check({"h": complex_, name: [{"anything-but": {"wildcard": texts}}]}), name


@pytest.mark.parametrize(
    ("wildcard", "most"), [("*b", 9), ("a*bc", 9), ("a*b*c", 4), ("*a*a", 3), ("*a*a*a", 1), ("a*", 50), ("*", 50)]
)
def test_a_wildcard_counts_once_for_each_alternative_that_parts_behind_its_field(wildcard: str, most: int) -> None:
    def pattern(count: int, field: str = "c", **more: Any) -> dict[str, Any]:
        return {field: [{"wildcard": wildcard}], "d": {"$or": [{f"k{n}": [1]} for n in range(count)]}, **more}

    if most > 1:
        assert check(pattern(most)) == []
    if most < 50:
        assert check(pattern(max(2, most + 1)))
    # The alternatives part before it: fields are taken in their order; or another wildcard has parted them already.
    assert check(pattern(50, "e")) == []
    assert check(pattern(2, a=[{"wildcard": "x*y"}])) == []
