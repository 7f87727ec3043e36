"""How long `python -m signalbox check` takes: 300 routes over 30 events, with 1,000 samples that say their routes.

    python -m benchmarks.check [--events 30] [--routes 300] [--samples 1000] [--runs 5]

Prints the median over the runs, each a fresh process as a person starts it, imports included, and exits with 1 where
it is not under two seconds.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

LIMIT_SECONDS = 2.0
ROOT = Path(__file__).parent.parent


def write_definitions(folder: Path, events: int, routes: int, samples: int) -> None:
    """Definitions of that size under `folder`: what is in them differs from event to event."""
    (folder / "events").mkdir(parents=True)
    names = [f"topic-{number}" for number in range(10)]
    (folder / "destinations.yaml").write_text("".join(f"{name}: {{kind: topic}}\n" for name in names))
    for event in range(events):
        (folder / "events" / f"event-{event}.yaml").write_text(
            _event(event, routes // events + (event < routes % events), samples // events + (event < samples % events))
        )


def _event(event: int, routes: int, samples: int) -> str:
    lines = [
        f"source: bench.source-{event}",
        f"detail-type: kind-{event}",
        "schema:",
        "  $schema: https://json-schema.org/draft/2020-12/schema",
        "  type: object",
        "  required: [id, kind, amount]",
        "  properties:",
        "    id: {type: string, minLength: 1}",
        "    kind: {enum: [" + ", ".join(f"k{number}" for number in range(routes)) + "]}",
        "    amount: {type: number, minimum: 0}",
        "    at: {type: string, format: date-time}",
        "    customer:",
        "      type: object",
        "      properties:",
        "        name: {type: string, pattern: '^[A-Z]'}",
        "        address: {type: object, properties: {city: {type: string}, zip: {type: string}}}",
        "    tags: {type: array, items: {type: string}}",
        "samples:",
    ]
    for sample in range(samples):
        kind = sample % routes
        detail = {
            "id": f"{event}-{sample}",
            "kind": f"k{kind}",
            "amount": sample * 1.5,
            "at": "2026-11-22T10:00:00Z",
            "customer": {"name": "Ada", "address": {"city": "Zürich", "zip": f"{8000 + sample}"}},
            "tags": ["a", f"tag-{sample}"],
        }
        if sample % 2:
            lines += [f"  - detail: {json.dumps(detail, ensure_ascii=False)}", f"    routes: [route-{kind}]"]
        else:  # the block form, as people write it
            lines += [
                "  - detail:",
                *(f"      {key}: {json.dumps(value, ensure_ascii=False)}" for key, value in detail.items()),
                f"    routes: [route-{kind}]",
            ]
    lines += ["routes:"]
    for route in range(routes):
        lines += [
            f"  route-{route}:",
            "    pattern:",
            f"      kind: [k{route}]",
            "      amount: [{numeric: ['>=', 0]}]",
            '      customer: {address: {zip: [{prefix: "8"}, {prefix: "9"}]}}',
            "    targets:",
            f"      - topic: topic-{route % 10}",
            f"      - topic: topic-{(route + 1) % 10}",
            "        input:",
            "          paths: {id: $.detail.id, city: $.detail.customer.address.city}",
            "          template: '\"Number <id> of <city>\"'",
        ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Measure, print, and say by the exit code whether it is fast enough."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, default in (("events", 30), ("routes", 300), ("samples", 1000), ("runs", 5)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--keep", type=Path, help="write the definitions here, and leave them")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = args.keep or Path(temporary) / "mappings"
        write_definitions(folder, args.events, args.routes, args.samples)
        command = [sys.executable, "-m", "signalbox", "check", str(folder), "--rules-quota", str(args.routes + 100)]
        times, said = [], ""
        for _ in range(args.runs):
            begin = time.perf_counter()
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
            times.append(time.perf_counter() - begin)
            said = done.stdout.strip()
            if done.returncode:
                print(done.stdout[-2000:], done.stderr[-2000:])
                return 1
    median = statistics.median(times)
    print(f"{args.events} events, {args.routes} routes, {args.samples} samples: {said.splitlines()[-1]}")
    print(f"check: median {median:.2f} s, least {min(times):.2f} s, most {max(times):.2f} s (limit {LIMIT_SECONDS} s)")
    return 0 if median < LIMIT_SECONDS else 1


if __name__ == "__main__":
    sys.exit(main())
