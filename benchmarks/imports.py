"""How long the Lambdas take to import, against `import boto3` and one client: `python -m benchmarks.imports`.

Every import runs in a fresh interpreter, all of them in turn, round after round; compared are the best of the rounds,
in processor time, so that whatever else the machine does counts for little. `--check` exits 1 where the Router or the
publisher takes 1.3 times as long as boto3 with one client, or where one of them loads pydantic or boto3.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
HOT = ("router", "publisher")
FACTOR = 1.3
UNWANTED = ("pydantic", "boto3")

BASE = "import boto3; boto3.client('events', region_name='eu-west-1')"
CASES = {
    "boto3 and one client": BASE,
    "botocore and one client": "import botocore.session\n"
    "botocore.session.get_session().create_client('events', region_name='eu-west-1')",
    **dict.fromkeys(("router", "publisher", "metrics", "outage", "event_store_wrapper"), "import handler"),
    # A first event that goes well needs these; the queues' client is made when something fails.
    "router, with its clients": "import handler\nhandler.client('dynamodb'), handler.client('lambda')",
    "publisher, with its clients": "import handler\nhandler.client('events')",
    "once (idempotency)": "import signalbox.runtime.once",
    "Powertools' idempotency": "from aws_lambda_powertools.utilities.idempotency import (\n"
    "    DynamoDBPersistenceLayer, IdempotencyConfig, idempotent)",
}


def seconds(case: str, code: str) -> float:
    """Processor time that a fresh interpreter takes for `code`, its own start left out."""
    timed = f"import time; start = time.process_time()\n{code}\nprint(time.process_time() - start)"
    return float(_run(case, timed))


def unwanted(case: str) -> list[str]:
    """Which of UNWANTED a handler has loaded after its import."""
    return _run(case, f"{CASES[case]}\nimport sys\nprint(*[m for m in {UNWANTED!r} if m in sys.modules])").split()


def _run(case: str, code: str) -> str:
    folder = ROOT / "functions" / case.partition(",")[0]
    path = os.pathsep.join(map(str, [*([folder] if folder.is_dir() else []), ROOT]))
    environment = {**os.environ, "PYTHONPATH": path, "AWS_DEFAULT_REGION": "eu-west-1", "AWS_REGION": "eu-west-1"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd="/", capture_output=True, text=True, check=True
    )
    return done.stdout.strip()


def main() -> int:
    """Measure, print, and with `--check` judge."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    best = dict.fromkeys(CASES, float("inf"))
    start = time.monotonic()
    for _ in range(options.rounds):
        for case, code in CASES.items():
            best[case] = min(best[case], seconds(case, code))
    base = best["boto3 and one client"]
    for case, took in best.items():
        print(f"{case:28} {took * 1000:7.0f} ms  {took / base:5.2f} x")
    print(f"best of {options.rounds} rounds, {time.monotonic() - start:.0f} s, Python {sys.version.split()[0]}")
    faults = [f"{case} takes {best[case] / base:.2f} x boto3" for case in HOT if best[case] >= FACTOR * base]
    faults += [f"{case} loads {', '.join(found)}" for case in HOT if (found := unwanted(case))]
    for fault in faults:
        print(f"too slow: {fault}", file=sys.stderr)
    return 1 if options.check and faults else 0


if __name__ == "__main__":
    sys.exit(main())
