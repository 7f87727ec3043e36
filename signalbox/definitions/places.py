"""Where in a file a value was written: paths into JSON values, and the lines that belong to them."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field

from signalbox.model import Json
from signalbox.problems import Problem, Severity

Path = tuple[str | int, ...]
"""The way from the root of a JSON value to one of its parts: keys and indexes."""

_STEPS = 40
"""Steps of a path that are worth reading."""
_PLAIN = re.compile(r"[\w$-]+", re.ASCII)


@dataclass(slots=True)
class Place:
    """The line (from 1; 0: no line is known) on which a value begins, and the places of its parts."""

    line: int
    parts: "dict[str | int, Place]" = field(default_factory=dict)

    def find(self, path: Iterable[str | int]) -> int:
        """The line of the part at `path`, or of the nearest whole of it that is known."""
        place = self
        for step in path:
            if (part := place.parts.get(step)) is None:
                break
            place = part
        return place.line


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON value, or a part of one, with the file and the lines that it was read from.

    A body of a request is a document without file and lines: `Document(value)`.
    """

    value: Json
    file: str = ""
    place: Place = field(default_factory=lambda: Place(0))
    base: Path = ()
    """Where in its file the value is, for paths in messages."""

    def problem(
        self,
        code: str,
        what: str,
        path: Path = (),
        *,
        got: str = "",
        allowed: str = "",
        fix: str = "",
        severity: Severity = "error",
    ) -> Problem:
        """A problem of the part at `path` (relative to this document), with its file and line."""
        return Problem(
            code=code,
            what=what,
            got=got,
            allowed=allowed,
            fix=fix,
            file=self.file,
            line=self.place.find(path),
            path=path_text((*self.base, *path)),
            severity=severity,
        )

    def part(self, *path: str | int) -> "Document":
        """The part at `path` as a document that still knows its file, lines and full path."""
        value, place = self.value, self.place
        for step in path:
            value = value[step]
            place = place.parts.get(step) or Place(place.line)
        return Document(value, self.file, place, (*self.base, *path))


def path_text(path: Iterable[str | int]) -> str:
    """`path` as people write it: `routes.a.targets[0]`; keys that are no plain words are quoted."""
    steps = list(path)
    if len(steps) > _STEPS:
        return f"{path_text(steps[: _STEPS // 2])}…"
    text = ""
    for step in steps:
        if isinstance(step, int):
            text += f"[{step}]"
        elif _PLAIN.fullmatch(step):
            text += f".{step}" if text else step
        else:
            text += f"[{step!r}]"
    return text
