"""JSONata expressions of state machines, each evaluated in a process that can be ended. See `evaluator`."""

import json
import re
import select
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from queue import LifoQueue
from typing import Any

from sandbox.hooks import evaluator

WORKERS = 2
WALL_SECONDS = 60.0
"""The clock's limit, for a process that waits and uses no time of the processor's. Only a fault of ours needs it."""

_PATH = re.compile(r"\$(\w+)((?:\.[A-Za-z_]\w*)*)", re.ASCII)
_VARIABLE = re.compile(r"\$(\w+)")
_STATES = re.compile(r"\$states\b(?:\.(\w+))?")
_EXPRESSION = re.compile(r"\{%(.*)%\}", re.DOTALL)


class _Worker:
    """A process that evaluates one expression at a time; started when it is needed, and again when it died."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def ask(self, request: Mapping[str, Any]) -> dict[str, Any]:
        if self._process is None or self._process.poll() is not None:
            # The folder of this module is not put on the path: its modules would hide others' (`functions`).
            command = [sys.executable, "-P", Path(evaluator.__file__)]
            self._process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, bufsize=-1
            )
        to, answers = self._process.stdin, self._process.stdout
        assert to is not None
        assert answers is not None
        try:
            to.write(json.dumps(request).encode() + b"\n")
            to.flush()
            line = answers.readline() if select.select([answers], [], [], WALL_SECONDS)[0] else b""
        except BrokenPipeError:
            line = b""
        if line.endswith(b"\n"):
            return json.loads(line)
        self._process.kill()
        ended = self._process.wait()
        self._process = None
        return {"error": evaluator.TIMEOUT if -ended in (signal.SIGKILL, signal.SIGXCPU) else evaluator.MEMORY}


_workers: LifoQueue[_Worker] = LifoQueue()  # the one used last is the one that runs already
for _ in range(WORKERS):
    _workers.put(_Worker())
_checker = _Worker()
"""Reads expressions and evaluates none: who makes a state machine waits for nobody's loop."""
_checking = threading.Lock()


class NotEvaluated(Exception):
    """An expression that gives no value: the end of Step Functions' sentence about it."""


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """The value of the text between `{%` and `%}`. Raises NotEvaluated."""
    value = _at_path(expression, variables)
    if value is not None:
        return value
    answer = _ask({"expression": expression, "variables": _spoken_of(expression, variables)})
    if "value" in answer:
        return answer["value"]
    if answer["error"] == evaluator.NOTHING:
        raise NotEvaluated("returned nothing (undefined).")
    raise NotEvaluated(f"threw an error during evaluation. {answer['error']}")


def expression_in(value: Any) -> str | None:
    """The expression that the value of a field is; None: it is none."""
    match = _EXPRESSION.fullmatch(value) if isinstance(value, str) else None
    return match[1].strip() if match else None


@lru_cache(maxsize=4096)
def check(expression: str) -> str | None:
    """Why Step Functions would take no machine with this expression; None: it would."""
    with _checking:
        return _checker.ask({"expression": expression})["error"]


def _spoken_of(expression: str, variables: Mapping[str, Any]) -> dict[str, Any]:
    """Those of the variables that the expression can reach: the context holds the whole event, much to send."""
    names = set(_VARIABLE.findall(expression))
    sent = {name: value for name, value in variables.items() if name in names}
    parts = {match[1] for match in _STATES.finditer(expression)}
    if "states" in sent and None not in parts:
        sent["states"] = {name: value for name, value in variables["states"].items() if name in parts}
    return sent


def _ask(request: Mapping[str, Any]) -> dict[str, Any]:
    worker = _workers.get()
    try:
        return worker.ask(request)
    finally:
        _workers.put(worker)


def _at_path(expression: str, variables: Mapping[str, Any]) -> Any:
    """What is at the end of a plain path (`$states.input.detail`) through objects: nothing can go wrong in it, and it
    needs no process. None: it is something else, or leads to a list, where JSONata has its own ways."""
    match = _PATH.fullmatch(expression)
    if match is None or match[1] not in variables:
        return None
    value = variables[match[1]]
    for name in match[2].split(".")[1:]:
        value = value.get(name) if isinstance(value, dict) else None
    return None if isinstance(value, list) and match[2] else value
