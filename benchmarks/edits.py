"""From an edit over HTTP to the live rule, in the sandbox.

    python -m benchmarks.edits [--edits 20]

Deploys the theme park to an emulator of its own, switches one route off and on over the API, and looks at the rule
on the bus until it has followed. The first edit, which starts the functions' processes, is not counted. Prints the
median and the slowest, and exits with 1 where the median is not under three seconds.
"""

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sandbox.stack import Sandbox  # noqa: E402  # the path comes first
from signalbox.cli.api import Api  # noqa: E402
from signalbox.cli.stack import read_stack  # noqa: E402

LIMIT_SECONDS = 3.0
EVENT, ROUTE = "outage", "call-maintenance"


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edits", type=int, default=20)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(state=Path(folder))
        sandbox.start()
        try:
            sandbox.pulumi("up", "--yes", "--skip-preview")
            times = [edit(sandbox, on=bool(number % 2)) for number in range(arguments.edits + 1)][1:]
        finally:
            sandbox.stop()
    median = statistics.median(times)
    print(f"edit to live rule: median {median:.2f} s, slowest {max(times):.2f} s of {len(times)} edits")
    return 0 if median < LIMIT_SECONDS else 1


def edit(sandbox: Sandbox, *, on: bool) -> float:
    """Seconds from the request to the rule that follows it."""
    os.environ.update(sandbox.environment())
    api = Api(read_stack(sandbox.stack, sandbox.config_file, ROOT))
    answer = api.get("event", EVENT)
    routes = {**answer.body["routes"], ROUTE: {**answer.body["routes"][ROUTE], "enabled": on}}
    events = sandbox.emulator.client("events")
    started = time.perf_counter()
    api.post("route", EVENT, body=routes, if_match=answer.etag)
    while events.describe_rule(Name=f"{EVENT}.{ROUTE}", EventBusName="signalbox-dev")["State"] != (
        "ENABLED" if on else "DISABLED"
    ):
        time.sleep(0.02)
    return time.perf_counter() - started


if __name__ == "__main__":
    sys.exit(main())
