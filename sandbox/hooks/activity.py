# pyright: reportMissingImports=false
"""What is still under way, told to the host at `/_signalbox/pending`, so that it can wait until all has arrived."""

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from ministack import app
from ministack.services import lambda_svc

PATH = "/_signalbox/pending"

_lock = threading.Lock()
_pending = 0
_health = app._handle_health_request


def install() -> None:
    """Serve the count."""
    app._handle_health_request = answer


def begin() -> None:
    """Something has been queued that will do something soon."""
    _add(1)


def end() -> None:
    """It is done."""
    _add(-1)


@contextmanager
def idle() -> Iterator[None]:
    """Around a wait in something that is under way: meanwhile it is not."""
    end()
    try:
        yield
    finally:
        begin()


def _add(number: int) -> None:
    global _pending
    with _lock:
        _pending += number


def answer(path: str, request_id: str) -> Any:
    """MiniStack's health paths, and ours."""
    if path != PATH:
        return _health(path, request_id)
    running, _ = lambda_svc.executions_in_flight()
    return 200, {"Content-Type": "application/json"}, json.dumps({"pending": _pending + running}).encode()
