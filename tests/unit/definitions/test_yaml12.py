"""YAML as the core schema of YAML 1.2 reads it, with the line of every part, and no way to exhaust the reader."""

import json
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from signalbox.definitions import yaml12
from signalbox.definitions.places import path_text
from signalbox.definitions.yaml12 import FILE_BYTES, read_file, read_text
from signalbox.problems import DefinitionError

# https://yaml.org/spec/1.2.2/#103-core-schema, and what YAML 1.1 made of the same words
CORE = {
    **dict.fromkeys(("null", "Null", "NULL", "~", ""), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    "0": 0,
    "-0": 0,
    "+12": 12,
    "-19": -19,
    "012": 12,
    "0o7": 7,
    "0o17": 15,
    "0x3A": 58,
    "0xff": 255,
    "0.": 0.0,
    "-0.0": -0.0,
    ".5": 0.5,
    "+12e03": 12000.0,
    "-2E+05": -200000.0,
    "1e3": 1000.0,
    "1.e2": 100.0,
    "123456789012345678901": 123456789012345678901,
    "0.1": 0.1,
    **{
        word: word
        for word in [
            *("on", "off", "yes", "no", "On", "OFF", "y", "n", "nUll", "tRUE", "none", "None"),
            *("1_000", "0b101", "1:30", "190:20:30", "2026-11-22", "2026-11-22T10:00:00Z", "0o8", "0xG", "0O7"),
            *("1e", "e3", ".", "..", "+", "+.", "-e1", "1.2.3", "0x", "0o", "٣", ".infinity", "inf", "nan", "--1"),
            *("=", "a#b", "a:b", "<<x"),
        ]
    },
}


@pytest.mark.parametrize("word", CORE, ids=repr)
def test_a_plain_scalar_is_what_the_core_schema_says(word: str) -> None:
    for text in (f"k: {word}\n", f"- {word}\n"):
        value = read_text(text).value
        inner = value["k"] if isinstance(value, dict) else value[0]
        assert (type(inner), inner) == (type(CORE[word]), CORE[word])


def test_the_core_schema_is_the_same_without_the_c_library(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yaml12, "_Parser", yaml.BaseLoader)
    for word, value in CORE.items():
        assert read_text(f"k: {word}\n").value == {"k": value}
        assert read_text(f'k: "{word}"\n').value == {"k": word}


@pytest.mark.parametrize("word", CORE, ids=repr)
def test_a_quoted_scalar_is_text(word: str) -> None:
    assert read_text(f"['{word}', \"{word}\"]").value == [word, word]


@pytest.mark.parametrize(
    "word", [".inf", "-.Inf", "+.INF", ".nan", ".NaN", "1e999", "9" * 309, "9" * 5000, "0x" + "f" * 300]
)
def test_a_number_that_json_does_not_have_is_refused(word: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        read_text(f"a:\n  - {word}\n", "f.yaml")
    (problem,) = refused.value.problems
    assert (problem.code, problem.file, problem.line, problem.path) == ("yaml-number", "f.yaml", 2, "a[0]")


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
KEYS = st.text(
    st.characters(exclude_categories=["Cs"]), max_size=80
)  # YAML takes 1,024 bytes as a key, escapes counted
JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(KEYS, inner),
    max_leaves=20,
)


@given(JSON.filter(lambda value: value is not None), st.sampled_from([None, 2]))
def test_json_is_read_as_json(value: object, indent: int | None) -> None:
    # ensure_ascii: control characters as YAML may hold them only escaped.
    text = re.sub(r"\\u(d[89ab]..)\\u(d[c-f]..)", _astral, json.dumps(value, indent=indent))
    assert read_text(text).value == value


def _astral(pair: re.Match[str]) -> str:
    # JSON writes what is beyond the basic plane as two escapes; YAML has one escape for it.
    character = json.loads(f'"{pair[0]}"')
    return f"\\U{ord(character):08x}"


@given(st.text("abcdefx0123456789+-._:eEnulltrfasoOXyINF~", min_size=1, max_size=8))
def test_a_plain_scalar_agrees_with_the_grammar(word: str) -> None:
    try:
        value = read_text(f"[{word}]").value
    except DefinitionError as refused:
        assert refused.problems[0].code in ("yaml-number", "yaml-syntax")
        return
    if value != [word]:
        assert _by_the_grammar(word) == value[0] or isinstance(value[0], dict)
    else:
        assert _by_the_grammar(word) == word


def _by_the_grammar(word: str) -> object:
    if re.fullmatch(r"null|Null|NULL|~", word):
        return None
    if re.fullmatch(r"true|True|TRUE|false|False|FALSE", word):
        return word.lower() == "true"
    if re.fullmatch(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", word):
        return int(word, 10 if word.lstrip("+-").isdecimal() else 0)
    if re.fullmatch(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", word):
        return float(word)
    return word


@given(st.text())
@example("\ud800")
@example("%YAML 9.9\n---\n")
@example("? - a\n: *b\n&c !d e: |+2\n")
@example("[" * 50_000)
@example("{" * 50_000)
@example("a: " * 1000)
@example("- " * 1000)
@example("&a [" * 1000)
@example("!" * 1000)
@example('"\\x')
@example("\x85\u2028\ufeff")
def test_any_text_is_read_or_refused_and_nothing_else(text: str) -> None:
    _read_or_refuse(text)


INDICATORS = [*"?:-,[]{}&*!|>'\"%@#ab~\n\té", "<<", "--", "---", "..."]


@given(st.lists(st.sampled_from(INDICATORS), max_size=40))
def test_any_soup_of_indicators_is_read_or_refused(parts: list[str]) -> None:
    _read_or_refuse(" ".join(parts))
    _read_or_refuse("".join(parts))


def _read_or_refuse(text: str) -> None:
    try:
        json.dumps(read_text(text, "f").value)
    except DefinitionError as refused:
        assert all(problem.file == "f" and problem.what for problem in refused.problems)


def test_every_part_knows_its_line() -> None:
    document = read_text(
        "a:\n  b: 1\n  c:\n    - x\n    - y: {z: 1,\n        w: 2}\n\n# note\nd: |\n  text\n", "f.yaml"
    )
    lines = {path_text(path): document.place.find(path) for path in _paths(document.value)}
    assert lines == {
        "": 1,
        "a": 1,
        "a.b": 2,
        "a.c": 3,
        "a.c[0]": 4,
        "a.c[1]": 5,
        "a.c[1].y": 5,
        "a.c[1].y.z": 5,
        "a.c[1].y.w": 6,
        "d": 9,
    }


def _paths(value: object, path: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [path, *(each for key, part in inner for each in _paths(part, (*path, key)))]


def test_an_alias_is_what_it_stands_for_and_lies_where_that_was_written() -> None:
    document = read_text("a: &x\n  b: [1, 2]\nc: *x\nd: [*x]\n")
    assert document.value == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}, "d": [{"b": [1, 2]}]}
    assert document.place.find(("c", "b")) == 2
    assert document.place.find(("c",)) == 3


def test_aliases_count_as_what_they_stand_for() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 2)}]" for n in range(1, 60))]
    with pytest.raises(DefinitionError, match="too many values"):
        read_text("\n".join(lines))


def test_aliases_do_not_hide_depth() -> None:
    lines = ["a0: &a0 [x]", *(f"a{n}: &a{n} [*a{n - 1}]" for n in range(1, 150))]
    with pytest.raises(DefinitionError, match="nested too deeply"):
        read_text("\n".join(lines))


def test_a_file_too_big_is_not_read_whole(tmp_path: Path) -> None:
    path = tmp_path / "big.yaml"
    path.write_bytes(b"a: 1\n" + b"#" * FILE_BYTES)
    with pytest.raises(DefinitionError, match="too big"):
        read_file(path)


@pytest.mark.parametrize("data", [b"a: \xff", "a: é".encode("latin-1"), "a: b".encode("utf-16")])
def test_a_file_that_is_not_utf8_is_refused(tmp_path: Path, data: bytes) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"x: y\n" + data)
    with pytest.raises(DefinitionError, match="UTF-8") as refused:
        read_file(path)
    assert refused.value.problems[0].line == 2


def test_a_byte_order_mark_is_no_part_of_the_text(tmp_path: Path) -> None:
    path = tmp_path / "f.yaml"
    path.write_bytes(b"\xef\xbb\xbfa: 1")
    assert read_file(path).value == {"a": 1}


def test_a_file_that_is_not_there_is_a_problem_and_no_traceback(tmp_path: Path) -> None:
    for path in (tmp_path / "none.yaml", tmp_path):
        with pytest.raises(DefinitionError, match="cannot be read"):
            read_file(path)
