"""JSONata as Step Functions evaluates it, in a process of its own: what loops or explodes ends there, and alone.

`sandbox.hooks.expressions` starts it on the emulator's interpreter and talks to it through pipes: a line of JSON for a
request, `{"expression", "variables"}`, and one for its answer, `{"value"}` or `{"error"}`. No MiniStack in here.

The limits are those of AWS where they are known. One second of time is documented
(https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html); the depth of 100, the values of 6,990,256
bytes and the 360,145 elements of `$range` are what others have measured. This engine is many times slower than that of
AWS, so an expression has more time here, of the processor's and not of the clock: a busy machine fails nobody.
"""

import hashlib
import json
import math
import random
import resource
import signal
import sys
import uuid
from collections.abc import Mapping
from typing import Any

DEPTH = 100
SECONDS = 5.0
VALUE_BYTES = 6_990_256
RANGE = 360_145
MEMORY_BYTES = 1 << 30
HASHES = {"MD5": "md5", "SHA-1": "sha1", "SHA-256": "sha256", "SHA-384": "sha384", "SHA-512": "sha512"}

TIMEOUT = "Expression evaluation timeout: Check for infinite loop"
MEMORY = "Expression evaluation memory limit exceeded: Check for excessive memory usage"
STACK = (
    "Stack overflow error: Check for non-terminating recursive function.  Consider rewriting as tail-recursive. "
    f"Depth={DEPTH + 1} max={DEPTH}"
)
NOTHING = "nothing"
"""The error of an expression that has no result."""


class OutOfTime(Exception):
    """The expression has used up its time."""


class TooLarge(Exception):
    """The expression made more than fits."""


def evaluate(expression: str, variables: Mapping[str, Any]) -> Any:
    """The value of `expression`. Raises EvaluationError."""
    try:
        value = engine(expression).evaluate(None, _bound(variables))
        if value is None and not engine(f"$exists(({expression}))").evaluate(None, _bound(variables)):
            raise EvaluationError(NOTHING)
        if len(json.dumps(value, ensure_ascii=False, default=_no_json)) > VALUE_BYTES:
            raise TooLarge
    except EvaluationError:
        raise
    except (MemoryError, TooLarge) as error:
        raise EvaluationError(MEMORY) from error
    except OutOfTime as error:
        raise EvaluationError(TIMEOUT) from error
    except RecursionError as error:
        raise EvaluationError(STACK) from error
    except Exception as error:  # whatever the engine stumbles over is the expression's fault
        raise EvaluationError(_said(error)) from error
    return value


def check(expression: str) -> str | None:
    """Why the text is no JSONata; None: it is."""
    try:
        engine(expression)
    except RecursionError:
        return STACK
    except Exception as error:  # noqa: BLE001 as above
        return _said(error)
    return None


class EvaluationError(Exception):
    """An expression that gives no value; the text says why, as Step Functions does."""


def engine(expression: str) -> Any:
    """The expression read, with Step Functions' functions, and its limit of depth. Raises the engine's JException."""
    from jsonata import Jsonata, jexception

    read = Jsonata(expression)
    for name, function in _FUNCTIONS.items():
        read.register_lambda(name, function)
    # The engine's own counter forgets to come up again from objects with several fields.
    depth = 0

    def enter(*_: Any) -> None:
        nonlocal depth
        depth += 1
        if depth > DEPTH:
            raise jexception.JException("D1011", -1)

    def leave(*_: Any) -> None:
        nonlocal depth
        depth -= 1

    read.environment.set_evaluate_entry_callback(enter)
    read.environment.set_evaluate_exit_callback(leave)
    return read


def _bound(variables: Mapping[str, Any]) -> dict[str, Any]:
    """The engine takes a variable that is None for one that is not there."""
    from jsonata.utils import Utils

    return {name: Utils.NULL_VALUE if value is None else value for name, value in variables.items()}


def _said(error: Exception) -> str:
    code = getattr(error, "error", None)
    if code == "D1011":
        return STACK
    return f"{code}: {error}" if isinstance(code, str) and code else str(error) or type(error).__name__


def _no_json(value: Any) -> Any:
    raise EvaluationError(f"{type(value).__name__} is no JSON value")


# The functions that Step Functions adds, and two of which this engine takes what AWS refuses:
# https://docs.aws.amazon.com/step-functions/latest/dg/transforming-data.html#jsonata-functions-provided-by-sfn


def _partition(array: Any = None, size: Any = None) -> Any:
    if not isinstance(array, list) or size is None or int(size) < 1:
        return None
    step = int(size)
    return [array[start : start + step] for start in range(0, len(array), step)] or None


def _range(start: Any = None, end: Any = None, step: Any = None) -> Any:
    if start is None or end is None or not step or int(step) == 0:
        return None
    first, last, by = int(start), int(end), int(step)
    made = range(first, last + (1 if by > 0 else -1), by)
    if len(made) > RANGE:
        raise TooLarge
    return (made[0] if len(made) == 1 else list(made)) if made else None


def _hash(text: Any = None, algorithm: Any = None) -> Any:
    if text is None or algorithm is None:
        return None
    if not isinstance(text, str) or algorithm not in HASHES:
        raise ValueError(f"$hash takes a text and one of {', '.join(HASHES)}")
    return hashlib.new(HASHES[algorithm], text.encode()).hexdigest()


def _random(seed: Any = None) -> float:
    return random.random() if seed is None else random.Random(math.floor(seed)).random()


def _to_millis(timestamp: Any = None, picture: Any = None) -> Any:
    from jsonata import functions

    if timestamp is None:
        return None
    refusal = ValueError(
        f'D3110: The argument of the toMillis function must be an ISO 8601 formatted timestamp. Given "{timestamp}"'
    )
    if picture is None and isinstance(timestamp, str) and "T" not in timestamp:
        raise refusal
    try:
        return functions.Functions.datetime_to_millis(timestamp, picture)
    except ValueError as error:
        raise refusal from error


def _replace(text: Any = None, pattern: Any = None, replacement: Any = None, limit: Any = None) -> Any:
    from jsonata import functions

    if hasattr(pattern, "search") and (found := pattern.search("")) is not None and found.group() == "":
        raise ValueError("D1004: Regular expression matches zero length string")
    return functions.Functions.replace(text, pattern, replacement, limit)


def _no_eval(*_: Any) -> Any:
    raise ValueError("T1006: Attempted to invoke a non-function")


_FUNCTIONS: Mapping[str, Any] = {
    "partition": _partition,
    "range": _range,
    "hash": _hash,
    "random": _random,
    "uuid": lambda: str(uuid.uuid4()),
    "parse": lambda text=None: None if text is None else json.loads(text),
    "toMillis": _to_millis,
    "replace": _replace,
    "eval": _no_eval,
}


def main() -> None:
    """Answer requests until there are no more."""
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    signal.signal(signal.SIGPROF, _out_of_time)
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    for line in sys.stdin.buffer:
        request = json.loads(line)
        # Where Python itself gets no turn, as in a regular expression, the system ends the process a little later.
        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = math.ceil(used.ru_utime + used.ru_stime + SECONDS) + 1
        resource.setrlimit(resource.RLIMIT_CPU, (hard, resource.RLIM_INFINITY))
        signal.setitimer(signal.ITIMER_PROF, SECONDS)
        try:
            answer = _answer(request)
        except (OutOfTime, MemoryError) as error:
            answer = {"error": TIMEOUT if isinstance(error, OutOfTime) else MEMORY}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _answer(request: Mapping[str, Any]) -> dict[str, Any]:
    if "variables" not in request:
        return {"error": check(request["expression"])}
    try:
        return {"value": evaluate(request["expression"], request["variables"])}
    except EvaluationError as error:
        return {"error": str(error)}


def _out_of_time(*_: Any) -> None:
    raise OutOfTime


if __name__ == "__main__":
    main()
