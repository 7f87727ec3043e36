"""What tests do to a stack: call the command line as a person at a shell does, act and see what comes of it."""

import os
import subprocess
import sys
import time
from collections.abc import Callable

from sandbox.places import ROOT
from sandbox.received import Received, read, wait_until_quiet
from sandbox.stack import Sandbox


def signalbox(sandbox: Sandbox, *arguments: str, code: int = 0, **environment: str) -> subprocess.CompletedProcess[str]:
    """`python -m signalbox …` in the project's folder; it must end with `code`."""
    done = subprocess.run(
        [sys.executable, "-m", "signalbox", *arguments],
        cwd=sandbox.project,
        env={**os.environ, **sandbox.environment(), "PYTHONPATH": str(ROOT), **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == code, done.stdout + done.stderr
    return done


def when(park: Sandbox, act: Callable[[], object], seconds: float = 60) -> Received:
    """All that was received because of `act`."""
    since = time.time()
    act()
    assert wait_until_quiet(park.emulator, seconds), "work is still under way"
    return read(park.emulator, since)
