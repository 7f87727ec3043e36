"""Faults to order: a test says which call is to fail, and the next such call does.

The host writes `faults.json` (see `Emulator.fail_next`), a list of `{"call": "PutEvents", "code": "…"}` for a whole
call and `{"call": "PutEventsEntries", "entries": [3, 7], "code": "…"}` for some of its entries. With `holding`, a text,
it waits for a call whose input holds that text. `Run` is the run of a function, however it was started: it fails as one
that Lambda had to end. Each is used once.
"""

import json
import threading
from pathlib import Path
from typing import Any

_lock = threading.Lock()
_file: Path | None = None


def open_in(folder: Path) -> None:
    """Look for `faults.json` in `folder` from now on."""
    global _file
    _file = folder / "faults.json"


def write(file: Path, faults: list[dict[str, Any]]) -> None:
    """Put `faults` in the place of those in `file`, at once: host and emulator read it while the other writes."""
    new = file.with_suffix(".new")
    new.write_text(json.dumps(faults))
    new.replace(file)


def take(call: str, text: str = "") -> dict[str, Any] | None:
    """The first ordered fault of `call`, whose input is `text`; it is used up by this."""
    with _lock:
        if _file is None or not _file.exists():
            return None
        faults = json.loads(_file.read_text())
        for position, fault in enumerate(faults):
            if fault["call"] == call and fault.get("holding", "") in text:
                del faults[position]
                write(_file, faults)
                return fault
    return None
