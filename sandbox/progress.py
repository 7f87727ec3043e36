"""What takes long says so: a spinner with the time gone by on a terminal, a line now and then in a log."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

LINE_EVERY_SECONDS = 20

console = Console(stderr=True, highlight=False)


class StepFailed(Exception):
    """A command of the set-up failed; the message names it, its exit code, the end of its output and its log."""


def run(
    title: str,
    command: Sequence[str | Path],
    *,
    log: Path,
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
) -> None:
    """Run `command`, its output appended to the file `log`, with progress on stderr. Raises StepFailed."""
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    with log.open("ab") as output, _shown(title) as progress:
        task = progress.add_task(title, total=None) if progress else None
        process = subprocess.Popen(command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=output, stderr=output)
        try:
            _wait(process, title, started, quiet=task is not None)
        except BaseException:
            process.terminate()
            process.wait()
            raise
    if process.returncode:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
        words = " ".join(map(str, command))
        raise StepFailed(f"{title} failed: `{words}` exited with {process.returncode}\n{tail}\nwhole log: {log}")
    console.print(f"[green]✓[/green] {title} ({time.monotonic() - started:.0f} s)")


def _wait(process: subprocess.Popen[bytes], title: str, started: float, *, quiet: bool) -> None:
    while True:
        try:
            process.wait(LINE_EVERY_SECONDS)
            return
        except subprocess.TimeoutExpired:
            if not quiet:
                print(f"… {title}: {time.monotonic() - started:.0f} s", file=sys.stderr, flush=True)


class _shown:
    """A live progress display on a terminal, None elsewhere."""

    def __init__(self, title: str) -> None:
        self.title = title
        self.progress: Progress | None = None

    def __enter__(self) -> Progress | None:
        if not console.is_terminal:
            print(f"… {self.title}", file=sys.stderr, flush=True)
            return None
        columns = SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn()
        self.progress = Progress(*columns, console=console, transient=True)
        return self.progress.__enter__()

    def __exit__(self, *error: object) -> None:
        if self.progress:
            self.progress.stop()
