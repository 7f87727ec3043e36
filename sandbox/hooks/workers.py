# pyright: reportMissingImports=false
"""A Python function that raises keeps its execution environment, as on AWS; MiniStack ends the process.

So what a module remembers survives an exception, the next call is not a cold start, and the error carries the name of
its class.
"""

import json
from typing import Any

from ministack.core import lambda_runtime
from ministack.services import lambda_svc

from sandbox.hooks import faults

_MARK = "signalbox-raised"
_ENDS = '{"status": "error", "error": str(e), "trace": traceback.format_exc()}'
_STAYS = (
    '{"status": "ok", "result": {' + json.dumps(_MARK) + ": "
    '{"errorMessage": str(e), "errorType": type(e).__name__}, "trace": traceback.format_exc()}}'
)

_execute_warm = lambda_svc._execute_function_warm


def install() -> None:
    """Change what a worker says of an exception, and read it."""
    script = lambda_runtime._PYTHON_WORKER_SCRIPT
    if script.count(_ENDS) != 1:
        raise RuntimeError("MiniStack's worker of Python functions is not the one that this hook was made for")
    lambda_runtime._PYTHON_WORKER_SCRIPT = script.replace(_ENDS, _STAYS)
    lambda_svc._execute_function_warm = execute_warm


def execute_warm(func: dict[str, Any], event: Any, request_id: str) -> dict[str, Any]:
    """Run a function; an exception that it raised is an error, as is the fault that a test has ordered for the run."""
    if fault := faults.take("Run", json.dumps(event, default=str)):
        return {"body": {"errorType": fault["code"], "errorMessage": "fault ordered by a test"}, "error": True}
    result = _execute_warm(func, event, request_id)
    body = result.get("body")
    if not isinstance(body, dict) or _MARK not in body:
        return result
    log = "\n".join(filter(None, [result.get("log"), body["trace"]]))
    return {"body": body[_MARK], "error": True, "log": log}
