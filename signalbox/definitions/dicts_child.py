"""Runs a Python file of definitions and writes its dicts as JSON: a process of its own, started by `twodicts`.

Usage: python -I dicts_child.py FILE NAME…  The answer on standard output is
`{"dicts": {NAME: value}, "faults": [{"path": [NAME, …], "got": …}]}`, or `{"error": {"what", "line"}}` where the file
could not be run. Whatever the file prints goes to standard error.
"""

import contextlib
import json
import os
import runpy
import sys
import traceback
from pathlib import Path
from typing import Any

DEPTH = 100
LEFT_OUT = object()
"""In place of what JSON does not have."""


def main(file: str, names: list[str]) -> dict[str, Any]:
    """The answer for `file`."""
    sys.path.insert(0, str(Path(file).resolve().parent))  # its own modules, as if it were run by hand
    sys.argv = [file]
    try:
        variables = runpy.run_path(file, run_name="signalbox.mappings")
    except SyntaxError as error:
        return {
            "error": {"what": f"no valid Python: {error.msg}", "line": error.lineno if error.filename == file else 0}
        }
    except (Exception, SystemExit) as error:  # noqa: BLE001  it is anybody's code, and may raise anything
        frames = traceback.extract_tb(error.__traceback__)
        lines = [frame.lineno for frame in frames if frame.filename == file]
        text = f"{type(error).__name__}: {error}".removesuffix(": ")
        return {"error": {"what": f"the file raised {text}", "line": lines[-1] if lines else 0}}
    faults: list[dict[str, Any]] = []
    dicts = {name: as_json(variables[name], [name], faults) for name in names if name in variables}
    return {"dicts": {name: made for name, made in dicts.items() if made is not LEFT_OUT}, "faults": faults}


def as_json(value: Any, path: list[str | int], faults: list[dict[str, Any]]) -> Any:
    """`value` as JSON; what JSON does not have is told in `faults` and left out. Tuples are lists."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str) and _is_whole(value):
        return value
    if isinstance(value, int | float) and abs(value) <= sys.float_info.max:  # not so for NaN
        return value
    if len(path) <= DEPTH and isinstance(value, dict):
        made = {}
        for key, inner in value.items():
            if isinstance(key, str) and _is_whole(key):
                part = as_json(inner, [*path, key], faults)
                if part is not LEFT_OUT:
                    made[key] = part
            else:
                faults.append({"path": path, "got": f"the key {key!a}"[:100]})
        return made
    if len(path) <= DEPTH and isinstance(value, list | tuple):
        parts = [as_json(inner, [*path, index], faults) for index, inner in enumerate(value)]
        return [part for part in parts if part is not LEFT_OUT]
    # The type says it where the value has no end, or more digits than Python turns into text.
    shown = "" if isinstance(value, int | dict | list | tuple) else f" {value!a}"
    faults.append({"path": path, "got": f"{type(value).__name__}{shown}"[:100]})
    return LEFT_OUT


def _is_whole(text: str) -> bool:
    """Can `text` be written as UTF-8? Half a surrogate pair cannot."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


if __name__ == "__main__":
    answer = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with contextlib.redirect_stdout(sys.stderr):
        result = main(sys.argv[1], sys.argv[2:])
    with answer:
        json.dump(result, answer)
