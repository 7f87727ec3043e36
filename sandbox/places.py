"""Where the sandbox keeps what it makes: its state in the checkout, what is costly to build in the user's cache."""

import fcntl
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
"""The checkout."""

STATE = Path(os.environ.get("SIGNALBOX_SANDBOX") or ROOT / ".sandbox").resolve()
"""State of the user's own sandbox: emulator, Pulumi backend, logs. Another folder is another sandbox, beside it."""

DATA = Path(__file__).parent / "data"
"""Messages as the ride controller sends them."""


def cache() -> Path:
    """The folder for toolchain and emulator: `$XDG_CACHE_HOME/signalbox`, by default `~/.cache/signalbox`."""
    base = os.environ.get("XDG_CACHE_HOME")
    return (Path(base) if base else Path.home() / ".cache") / "signalbox"


@contextmanager
def one_at_a_time(what: str, waiting: Callable[[str], object] = lambda _: None) -> Iterator[None]:
    """Others of this user's processes that do `what` wait meanwhile; `waiting` is told when that is us."""
    path = Path(tempfile.gettempdir()) / f"signalbox-{os.getuid()}-{what}.lock"
    with path.open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting(f"Another process is at it ({what}); waiting until it is done")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
