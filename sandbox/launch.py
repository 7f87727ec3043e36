"""Starts MiniStack with the sandbox's hooks in it. Run by `sandbox.emulator`, on the emulator's own interpreter.

`launch.py STATE-FOLDER`; everything else is in the environment. The checkout is put on the module search path in here
and not by PYTHONPATH, which the Lambda functions would inherit: they must find `signalbox` in their layer or not at
all.
"""

import fcntl
import logging
import os
import sys
from pathlib import Path


def main() -> None:
    """Hold the lock that says "running", install the hooks, serve until SIGTERM."""
    state = Path(sys.argv[1])
    sys.path[0] = str(Path(__file__).resolve().parents[1])
    lock = (state / "emulator.lock").open("wb")
    fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)

    from ministack import app  # pyright: ignore[reportMissingImports]

    from sandbox.hooks import activity, conditions, delivery, faults, functions, records, rules, topics, workers

    records.open_in(state)
    faults.open_in(state)
    for hooks in (activity, conditions, rules, delivery, functions, topics, workers):
        hooks.install()
    sys.argv = ["ministack"]
    app.main()
    # All is saved. Threads that still wait for a function or an endpoint must not keep the process.
    logging.shutdown()
    os._exit(0)


if __name__ == "__main__":
    main()
