"""What the sandbox adds to MiniStack, inside its process: the behaviour of AWS that the emulator lacks.

Only `sandbox.launch` imports this, on the emulator's interpreter. Everything here replaces functions of one pinned
version of MiniStack (see emulator-requirements.txt); a test starts the emulator and fails when one of them is gone.
"""

from pathlib import Path


def install(state: Path) -> None:
    """Put every hook in place; records go to `records.jsonl` in the folder `state`."""
