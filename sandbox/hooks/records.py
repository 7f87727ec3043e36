"""What happened, as JSON lines: every event on a bus, every delivery, every function call, mail and text message.

The host reads the file (`sandbox.received`); the emulator only appends. One line, one record: `at` (epoch seconds),
`kind`, and what the kind needs.
"""

import json
import logging
import threading
import time
from pathlib import Path
from typing import Any

log = logging.getLogger("signalbox")

_lock = threading.Lock()
_file: Path | None = None


def open_in(folder: Path) -> None:
    """Append to `records.jsonl` in `folder` from now on."""
    global _file
    _file = folder / "records.jsonl"


def record(kind: str, **what: Any) -> None:
    """Append one record. Values that are no JSON are written as their text."""
    line = json.dumps({"at": time.time(), "kind": kind, **what}, default=str)
    with _lock:
        assert _file is not None, "records.open_in comes first"
        with _file.open("a", encoding="utf-8") as file:
            file.write(line + "\n")
