"""Values that Python's `json` lets in and JSON does not have, or that would exhaust whoever looks at them."""

import sys
from collections.abc import Iterator

from signalbox.definitions.places import Document, Path
from signalbox.model import Json
from signalbox.problems import Problem

DEPTH = 100


def check_sayable(document: Document) -> list[Problem]:
    """What no check should look at any closer: NaN and infinities, numbers beyond float64, halves of surrogate pairs,
    and values nested deeper than DEPTH. Does not recurse."""
    problems = []
    for path, what in _unsayable(document.value):
        problems.append(document.problem("json-value", what, path, allowed="what JSON can say, in UTF-8 and float64"))
        if len(problems) == 20:
            break
    return problems


def _unsayable(value: Json) -> Iterator[tuple[Path, str]]:
    waiting: list[tuple[Path, Json]] = [((), value)]
    while waiting:
        path, part = waiting.pop()
        match part:
            case None | bool():
                pass
            case str():
                if not _whole(part):
                    yield path, "this text holds half a character"
            case int() | float():
                if not abs(part) <= sys.float_info.max:
                    yield path, "this is no number that JSON and float64 have"
            case dict() | list() if len(path) >= DEPTH:
                yield path[:10], f"this is nested deeper than {DEPTH} levels"
            case dict():
                for key, inner in part.items():
                    if not isinstance(key, str) or not _whole(key):
                        yield path, "a key here is no text, or holds half a character"
                    else:
                        waiting.append(((*path, key), inner))
            case list():
                waiting.extend(((*path, index), inner) for index, inner in enumerate(part))
            case _:
                yield path, f"JSON has no {type(part).__name__}"


def _whole(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
