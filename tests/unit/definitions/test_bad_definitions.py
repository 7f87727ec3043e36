"""Every fault that definitions may have: tests/definitions/bad/*.txt, one set of files each.

A case is a text archive: `-- path --` begins a file, laid over tests/definitions/base; `-- expected --` holds the
problems that must be found, all of them and no others, a line each: `severity code file:line path | part of the
message` (`got`, `allowed` and `fix` count as message).
"""

import re
import shutil
from pathlib import Path

import pytest

from signalbox.definitions import load, read
from signalbox.problems import DefinitionError, Problem

CASES = Path(__file__).parents[2] / "definitions"
_FILE = re.compile(r"^-- (.+) --\n", re.MULTILINE)
_OPTIONS = re.compile(r"^(\w+)=(.+)$", re.MULTILINE)


def sections(text: str) -> dict[str, str]:
    """The files of a text archive by name; what stands before the first is the comment, under the name ''."""
    parts = _FILE.split(text)
    return {"": parts[0], **dict(zip(parts[1::2], parts[2::2], strict=True))}


def unpack(case: Path, folder: Path) -> dict[str, str]:
    """Write the files of `case` over the base into `folder`; gives what is no file."""
    files = sections(case.read_text("utf-8"))
    shutil.copytree(CASES / "base", folder, dirs_exist_ok=True)
    for name, text in files.items():
        if name in ("", "expected"):
            continue
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return files


def describe(problem: Problem, folder: Path) -> tuple[str, str]:
    """A problem as a case writes it: its place, and all its words."""
    file = Path(problem.file).relative_to(folder).as_posix() if problem.file else ""
    place = f"{problem.severity} {problem.code} {file}:{problem.line} {problem.path}".strip()
    return place, " ".join((problem.what, problem.got, problem.allowed, problem.fix))


@pytest.mark.parametrize("case", sorted((CASES / "bad").glob("*.txt")), ids=lambda path: path.stem)
def test_a_fault_is_found_where_it_is(case: Path, tmp_path: Path) -> None:
    files = unpack(case, tmp_path)
    options = dict(_OPTIONS.findall(files[""]))
    python = tmp_path / "definitions.py"
    arguments = {
        "own_bus": options.get("own_bus", ""),
        "account": options.get("account", ""),
        "region": options.get("region", ""),
        "partition": options.get("partition", ""),
        "rules_quota": int(options.get("rules_quota", "300")),
    }
    path = python if python.exists() else tmp_path / "mappings"
    definitions, problems = read(path, tmp_path / "functions", **arguments)
    found = sorted(describe(problem, tmp_path) for problem in problems)
    expected = sorted(map(_expectation, files["expected"].strip().splitlines()))
    assert [place for place, _ in found] == [place for place, _ in expected]
    for (place, words), (_, said) in zip(expected, found, strict=True):
        assert words in said, place
    bad = any(problem.severity == "error" for problem in problems)
    assert (definitions is None) == bad
    if bad:
        with pytest.raises(DefinitionError) as refused:
            load(path, tmp_path / "functions", **arguments)
        assert len(refused.value.problems) == len(problems)


def _expectation(line: str) -> tuple[str, str]:
    place, _, words = line.partition(" | ")
    return place.strip(), words.strip()


def test_the_base_of_the_cases_is_fine(tmp_path: Path) -> None:
    shutil.copytree(CASES / "base", tmp_path, dirs_exist_ok=True)
    _, problems = read(tmp_path / "mappings", tmp_path / "functions")
    assert problems == []


def test_there_are_enough_cases() -> None:
    assert len(list((CASES / "bad").glob("*.txt"))) >= 45
