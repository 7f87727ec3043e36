"""YAML files as JSON values, with the line of every part.

PyYAML's parser gives the events; what a plain scalar means is decided here, by the core schema of YAML 1.2
(https://yaml.org/spec/1.2.2/#103-core-schema), because PyYAML's own constructors follow YAML 1.1: `on` and `no` are
booleans, `1_000` and `1:30` are numbers and `2026-11-22` is a date. Refused: what JSON does not have (NaN, infinity,
keys that are no strings), duplicate keys, tags, a second document, and files made to exhaust their reader.
"""

import re
import sys
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml

from signalbox.definitions.numbers import written
from signalbox.definitions.places import Document, Place, path_text
from signalbox.model import Json
from signalbox.problems import DefinitionError, Problem

FILE_BYTES = 4 * 1024 * 1024
DEPTH = 100
VALUES = 500_000
"""Values in a file, aliases counted as what they stand for: some lines of aliases can stand for billions."""

_NULL = frozenset(("", "~", "null", "Null", "NULL"))
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+", re.ASCII)
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", re.ASCII)
_NO_NUMBER = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_MAYBE_NUMBER = frozenset("+-.0123456789")
_NUMBER_LENGTH = 400
"""Characters of a number. float64 ends at 1.8e308; more digits are a mistake or an attack."""

_Parser: Any = yaml.CBaseLoader if yaml.__with_libyaml__ else yaml.BaseLoader


def read_file(path: FilePath, *, empty: Json = None) -> Document:
    """The document in the file at `path`. `empty` is what an empty file stands for; None: it is refused.

    Raises DefinitionError when the file cannot be read or is no YAML that JSON can say.
    """
    shown = str(path)
    try:
        with path.open("rb") as file:
            data = file.read(FILE_BYTES + 1)
    except OSError as error:
        raise DefinitionError(
            [Problem(code="file-unreadable", what=f"the file cannot be read: {error.strerror}", file=shown)]
        ) from error
    if len(data) > FILE_BYTES:
        problem = Problem(code="file-too-big", what="the file is too big", allowed=f"{FILE_BYTES} bytes", file=shown)
        raise DefinitionError([problem])
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise DefinitionError(
            [Problem(code="yaml-encoding", what="the file is not UTF-8", fix="save it as UTF-8", file=shown, line=line)]
        ) from error
    return read_text(text, shown, empty=empty)


def read_text(text: str, file: str = "", *, empty: Json = None) -> Document:
    """The document in `text`, which came from `file`; `empty` as for `read_file`.

    Raises DefinitionError with all faults that can be told.
    """
    try:
        text.encode()
    except UnicodeEncodeError as error:
        line = text[: error.start].count("\n") + 1
        problem = Problem(code="yaml-encoding", what="the text holds half a character", file=file, line=line)
        raise DefinitionError([problem]) from error
    reader = _Reader(text, file, empty)
    try:
        value, place = reader.read()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        what = " ".join(part for part in (error.context, error.problem) if part)
        reader.problems.append(
            Problem(code="yaml-syntax", what=f"no valid YAML: {what}", file=file, line=mark.line + 1 if mark else 0)
        )
    except yaml.YAMLError as error:
        # Characters that no YAML may hold: this error knows the position, and says it in its text.
        position = getattr(error, "position", None)
        line = text[:position].count("\n") + 1 if isinstance(position, int) else 0
        what = f"no valid YAML: {str(error).splitlines()[0]}"
        reader.problems.append(Problem(code="yaml-syntax", what=what, file=file, line=line))
    else:
        if not reader.problems:
            return Document(value, file, place)
    raise DefinitionError(reader.problems)


class _Stop(Exception):
    """The rest of the file is not worth reading: a limit is passed."""


@dataclass(slots=True)
class _Anchor:
    value: Json
    place: Place
    size: int
    height: int


class _Reader:
    """Reads one document. `problems` collects what is wrong; reading goes on where it can."""

    def __init__(self, text: str, file: str, empty: Json) -> None:
        self.file = file
        self._empty = empty
        self.problems: list[Problem] = []
        self._parser = _Parser(text)
        self._next = self._parser.get_event
        self._anchors: dict[str, _Anchor | None] = {}
        """By name; None while the anchored value is still being read."""
        self._path: list[str | int] = []
        self._values = 0

    def read(self) -> tuple[Json, Place]:
        try:
            self._next()  # stream start
            event = self._next()
            if isinstance(event, yaml.StreamEndEvent):
                if self._empty is None:
                    self._add("yaml-empty", "the file is empty", 1, fix="write the definition, or delete the file")
                return self._empty, Place(1)
            value, place, _ = self._value(self._next(), 1)
            self._next()  # document end
            event = self._next()
            if not isinstance(event, yaml.StreamEndEvent):
                line = event.start_mark.line + 1
                self._add("yaml-documents", "a second document begins", line, fix="one document a file: remove `---`")
            return value, place
        except _Stop:
            return None, Place(1)
        finally:
            self._parser.dispose()

    def _add(self, code: str, what: str, line: int, *, fix: str = "", got: str = "", allowed: str = "") -> None:
        path = path_text(self._path)
        self.problems.append(
            Problem(code=code, what=what, file=self.file, line=line, path=path, fix=fix, got=got, allowed=allowed)
        )

    def _count(self, values: int, depth: int, line: int) -> None:
        self._values += values
        if self._values > VALUES:
            self._add("yaml-too-many", "the file stands for too many values", line, allowed=f"{VALUES}")
            raise _Stop
        if depth > DEPTH:
            self._add("yaml-too-deep", "the values are nested too deeply", line, allowed=f"{DEPTH} levels")
            raise _Stop

    def _value(self, event: Any, depth: int) -> tuple[Json, Place, int]:
        """The value that begins with `event`, its place, and how many levels it has."""
        line = event.start_mark.line + 1
        if isinstance(event, yaml.AliasEvent):
            return self._alias(str(event.anchor), line, depth)
        if event.tag is not None:
            self._add(
                "yaml-tag",
                "tags are not supported",
                line,
                got=event.tag.replace("tag:yaml.org,2002:", "!!"),
                fix="remove it; quote text that needs it",
            )
        self._count(1, depth, line)
        anchor = event.anchor
        before = self._values
        if anchor is not None:
            self._anchors[anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            value, height = self._scalar(event, line), 1
            place = Place(line)
        elif isinstance(event, yaml.SequenceStartEvent):
            value, place, height = self._sequence(line, depth)
        else:
            value, place, height = self._mapping(line, depth)
        if anchor is not None:
            self._anchors[anchor] = _Anchor(value, place, self._values - before + 1, height)
        return value, place, height

    def _alias(self, name: str, line: int, depth: int) -> tuple[Json, Place, int]:
        if name not in self._anchors:
            self._add("yaml-alias", f"the alias *{name} has no anchor before it", line, fix=f"write &{name} first")
            return None, Place(line), 1
        anchor = self._anchors[name]
        if anchor is None:
            self._add("yaml-alias", f"the alias *{name} is inside the value that it stands for", line)
            return None, Place(line), 1
        self._count(anchor.size, depth + anchor.height - 1, line)
        return anchor.value, anchor.place, anchor.height

    def _sequence(self, line: int, depth: int) -> tuple[list[Json], Place, int]:
        items: list[Json] = []
        place = Place(line)
        height = 0
        while not isinstance(event := self._next(), yaml.SequenceEndEvent):
            index = len(items)
            self._path.append(index)
            item, place.parts[index], inner = self._value(event, depth + 1)
            self._path.pop()
            items.append(item)
            height = max(height, inner)
        return items, place, height + 1

    def _mapping(self, line: int, depth: int) -> tuple[dict[str, Json], Place, int]:
        pairs: dict[str, Json] = {}
        place = Place(line)
        height = 0
        while not isinstance(event := self._next(), yaml.MappingEndEvent):
            key_line = event.start_mark.line + 1
            key = self._key(event, key_line, depth)
            self._path.append(key if key is not None else "?")
            value, inside, inner = self._value(self._next(), depth + 1)
            height = max(height, inner)
            if key is None:
                pass  # told by _key
            elif key in pairs:
                first = place.parts[key].line
                self._add("yaml-duplicate-key", "this key is there already", key_line, got=key, fix=f"see line {first}")
            else:
                pairs[key] = value
                # The line of a part is that of its key: that is where an editor should go.
                place.parts[key] = Place(key_line, inside.parts)
            self._path.pop()
        return pairs, place, height + 1

    def _key(self, event: Any, line: int, depth: int) -> str | None:
        if isinstance(event, yaml.ScalarEvent) and event.tag is None and event.anchor is None:
            if event.implicit[0] and event.value == "<<":
                self._add("yaml-merge", "YAML 1.2 has no merge keys", line, got="<<", fix="write the keys out")
                return None
            value = self._scalar(event, line)
            if isinstance(value, str):
                return value
            self._add(
                "yaml-key", "a key must be text", line, got=event.value or "nothing", fix=f'write "{event.value}"'
            )
            return None
        value, _, _ = self._value(event, depth + 1)
        if not isinstance(event, yaml.ScalarEvent | yaml.AliasEvent) or not isinstance(value, str):
            self._add("yaml-key", "a key must be text", line, fix="write it out, in quotes where needed")
            return None
        return value

    def _scalar(self, event: Any, line: int) -> Json:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in _NULL:
            return None
        if text in _BOOL:
            return _BOOL[text]
        if text[0] not in _MAYBE_NUMBER:
            return text
        return self._number(text, line)

    def _number(self, text: str, line: int) -> Json:
        """The number that a plain scalar says, or the scalar itself where it says none."""
        if _NO_NUMBER.fullmatch(text):
            self._add("yaml-number", "JSON has no such number", line, got=text, fix="quote it if it is text")
            return None
        base = next((b for b, form in ((10, _INT), (8, _OCTAL), (16, _HEX)) if form.fullmatch(text)), None)
        if base is None and not _FLOAT.fullmatch(text):
            return text
        if len(text) <= _NUMBER_LENGTH:
            number = written(text) if base is None else int(text[2:] if base != 10 else text, base)
            if abs(number) <= sys.float_info.max:
                return number
        shown = text if len(text) < 40 else f"{text[:36]}…"
        self._add("yaml-number", "the number is too big", line, got=shown, allowed="what float64 holds (below 1.8e308)")
        return None
