"""Starts MiniStack with the sandbox's hooks in it. Run by `sandbox.emulator`, on the emulator's own interpreter.

`launch.py STATE-FOLDER`; everything else is in the environment. The checkout is put on the module search path in here
and not by PYTHONPATH, which the Lambda functions would inherit: they must find `signalbox` in their layer or not at
all.
"""

import fcntl
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import BinaryIO

WATCH_SECONDS = 2


def main() -> None:
    """Hold the lock that says "running", install the hooks, serve until SIGTERM."""
    state = Path(sys.argv[1])
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    lock = _hold(state / "emulator.lock")
    threading.Thread(target=_end_with, args=(state / "emulator.lock", lock), daemon=True).start()

    from ministack import app  # pyright: ignore[reportMissingImports]

    from sandbox.hooks import (
        activity,
        conditions,
        delivery,
        executions,
        faults,
        functions,
        integrations,
        machines,
        passing,
        records,
        rules,
        schedules,
        topics,
        workers,
    )

    records.open_in(state)
    faults.open_in(state)
    for hooks in (activity, schedules, conditions, passing, rules, delivery, functions, topics, workers):
        hooks.install()
    for hooks in (integrations, executions, machines):
        hooks.install()
    sys.argv = ["ministack"]
    app.main()
    # All is saved. Threads that still wait for a function or an endpoint must not keep the process.
    logging.shutdown()
    os._exit(0)


def _hold(file: Path) -> BinaryIO:
    """Take the lock, waiting a little: who asks whether it is held holds it for a moment."""
    lock = file.open("wb")
    for _ in range(40):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except BlockingIOError:
            time.sleep(0.05)
    sys.exit(f"another emulator runs on {file.parent}")


def _end_with(file: Path, lock: BinaryIO) -> None:
    """Stop when the state is deleted from under the emulator: nobody could find and stop it any more."""
    while True:
        time.sleep(WATCH_SECONDS)
        try:
            same = os.path.samestat(file.stat(), os.fstat(lock.fileno()))
        except FileNotFoundError:
            same = False
        if not same:
            os.killpg(os.getpgid(0), signal.SIGKILL)


if __name__ == "__main__":
    main()
