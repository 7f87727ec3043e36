"""What memory the whole sandbox takes while the theme park runs.

    python -m benchmarks.memory [--seconds 60]

Deploys the theme park to an emulator of its own, then publishes a ride-times message of 250 rides every second, a
tenth of them closed. Meanwhile the memory of every process of the sandbox (the emulator, the Lambda functions' workers;
during `pulumi up` also the engine, its plugins and the program) is summed up twice a second: the proportional set size
where the system tells it (Linux), else the unique set size. Prints the peaks, and exits with 1 where the park's is not
under 1.5 GB.
"""

import argparse
import contextlib
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sandbox.received import wait_until_quiet  # noqa: E402  # the path comes first
from sandbox.stack import PARK_TOPIC, Sandbox  # noqa: E402

LIMIT_BYTES = 1.5e9
RIDES = 250
SAMPLE_SECONDS = 0.5
MB = 1e6


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    with tempfile.TemporaryDirectory() as folder:
        sandbox = Sandbox(state=Path(folder))
        sandbox.start()
        try:
            with sampled() as deploying:
                sandbox.pulumi("up", "--yes", "--skip-preview")
            with sampled() as running:
                messages = run_the_park(sandbox, seconds)
        finally:
            sandbox.stop()
    print(f"during pulumi up: at most {max(deploying) / MB:,.0f} MB")
    print(
        f"while the park runs: at most {max(running) / MB:,.0f} MB, at first {running[0] / MB:,.0f} MB "
        f"({messages} messages of {RIDES} rides in {seconds} s)"
    )
    return 0 if max(running) < LIMIT_BYTES else 1


def run_the_park(sandbox: Sandbox, seconds: int) -> int:
    """Messages published, one a second, until all that follows from them is done."""
    sns = sandbox.emulator.client("sns")
    topic = sns.create_topic(Name=PARK_TOPIC)["TopicArn"]
    until = time.monotonic() + seconds
    sent = 0
    while time.monotonic() < until:
        started = time.monotonic()
        rides = [
            {"rideId": f"ride-{ride:03}", "inService": ride % 10 != sent % 10, "wait": ride % 90, "lastUpdated": 0}
            for ride in range(RIDES)
        ]
        sns.publish(TopicArn=topic, Message=json.dumps({"type": "summary", "msg": json.dumps(rides)}))
        sent += 1
        time.sleep(max(0.0, 1 - (time.monotonic() - started)))
    if not wait_until_quiet(sandbox.emulator, 300):
        raise SystemExit("the park is not done with its messages after five minutes: python -m benchmarks.memory")
    return sent


@contextlib.contextmanager
def sampled() -> Iterator[list[int]]:
    """Bytes that the processes started by this one take together, one value a sample, as long as the block runs."""
    samples = [memory()]
    done = threading.Event()

    def sample() -> None:
        while not done.wait(SAMPLE_SECONDS):
            samples.append(memory())

    sampler = threading.Thread(target=sample)
    sampler.start()
    try:
        yield samples
    finally:
        done.set()
        sampler.join()


def memory() -> int:
    """Bytes of every process below this one, now."""
    total = 0
    for process in psutil.Process().children(recursive=True):
        with contextlib.suppress(psutil.NoSuchProcess):  # it ended since it was listed
            info = process.memory_full_info()
            total += getattr(info, "pss", info.uss)
    return total


if __name__ == "__main__":
    sys.exit(main())
