"""What is wrong with an input, said so that its author can mend it.

Checks collect `Problem`s and go on, so that a person sees all faults at once; whoever needs a yes or no raises
`DefinitionError` with all of them.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass, replace
from heapq import nsmallest
from typing import Any, Literal

from signalbox.runtime.text import printable

Severity = Literal["error", "warning"]


_SHOWN = 2_000
"""Characters of each part of a problem that people are shown."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Problem:
    """One fault of an input.

    `code` names the kind of fault for scripts (`target-unknown`); `what` says it in words; `got`, `allowed` and `fix`
    are left empty where they would add nothing. `file`, `line` (from 1) and `path` (`routes.a.targets[0]`) say where.
    """

    code: str
    what: str
    got: str = ""
    allowed: str = ""
    fix: str = ""
    file: str = ""
    line: int = 0
    path: str = ""
    severity: Severity = "error"

    @property
    def where(self) -> str:
        """`file:line: path`, as far as known: the form that editors and CI logs make clickable."""
        place = f"{self.file}:{self.line}" if self.file and self.line else self.file
        return ": ".join(part for part in (place, self.path) if part)

    def __str__(self) -> str:
        said = self.shown()
        parts = [f"{said.where}: {said.what}" if said.where else said.what]
        rest = (("got", said.got), ("allowed", said.allowed), ("fix", said.fix))
        return "; ".join([*parts, *(f"{label}: {text}" for label, text in rest if text)])

    def shown(self) -> "Problem":
        """The problem with texts that people may be shown: what it quotes is anybody's."""
        texts = ("what", "got", "allowed", "fix", "file", "path")
        return replace(self, **{key: printable(getattr(self, key), _SHOWN) for key in texts})

    def as_dict(self) -> dict[str, Any]:
        """The problem as JSON, without its empty fields."""
        return {key: value for key, value in asdict(self).items() if value}


class DefinitionError(Exception):
    """Definitions that must not be used: carries every problem found, errors first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(problems, key=lambda p: (p.severity, p.file, p.line, p.path)))
        errors = sum(p.severity == "error" for p in self.problems)
        lines = [f"{errors} error{'s' if errors != 1 else ''} in the definitions:"]
        super().__init__("\n".join([*lines, *(f"  {p}" for p in self.problems if p.severity == "error")]))


def errors(problems: Iterable[Problem]) -> list[Problem]:
    """Only the problems that forbid the use of the input."""
    return [p for p in problems if p.severity == "error"]


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean 'x'?` for the known word that is most like `word`; empty where none is like it."""
    from difflib import get_close_matches  # only needed once something is wrong

    known = list(known)
    # difflib is case-sensitive, and people are not.
    close = [each for each in known if each.casefold() == word.casefold()]
    close = close or get_close_matches(word[:_WORD], _likely(word[:_WORD], known), n=1)
    return f"did you mean {close[0]!r}?" if close else ""


_WORD = 100
"""Characters of a word that are compared."""
_LIKELY = 12
"""Words that it is worth to compare with: difflib takes its time, and somebody may have written nothing but typos."""


def _likely(word: str, known: list[str]) -> list[str]:
    """Those of `known` that begin or end most like `word`, or are as long."""
    if len(known) <= _LIKELY:
        return known

    def unlike(each: str) -> tuple[int, int]:
        return -max(alike(word, each), alike(word[::-1], each[::-1])), abs(len(word) - len(each))

    return nsmallest(_LIKELY, known, key=unlike)


def alike(one: str, other: str) -> int:
    """How many characters both begin with."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))
