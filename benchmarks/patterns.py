"""How fast events are matched against many rules: RuleSet beside loops over the matchers of moto and MiniStack.

    python -m benchmarks.patterns

makes a virtual environment with both (under .build, the first time), and measures all three in one process and one
thread. Each event is one of about 600 bytes, already decoded; rules mix every operator. MiniStack's cache of compiled
patterns holds 1,024: it is enlarged here, so that its loop at 3,000 rules is not dominated by compiling.
"""

import json
import os
import random
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
ENVIRONMENT = ROOT / ".build" / "benchmark-patterns"
PACKAGES = ["moto[events]==5.2.5", "ministack==1.5.33"]
RULES = (1, 300, 3000)
EVENTS = 100
SEED = 20261123

SOURCES = [f"park.{name}" for name in ("rides", "gates", "shops", "staff", "weather")]
TYPES = [f"type-{n}" for n in range(12)]
AREAS = ["Adventure Bay", "Frontier", "Main Street", "Orbit", "Old Town"]


def event(rng: random.Random) -> dict[str, Any]:
    """An event of about 600 bytes."""
    return {
        "version": "0",
        "id": f"{rng.getrandbits(128):032x}",
        "detail-type": rng.choice(TYPES),
        "source": rng.choice(SOURCES),
        "account": "123456789012",
        "time": "2026-11-23T08:00:00Z",
        "region": "eu-west-1",
        "resources": [f"arn:aws:park:eu-west-1:123456789012:ride/{rng.randrange(50)}"],
        "detail": {
            "rideId": f"ride-{rng.randrange(200):03d}",
            "area": rng.choice(AREAS),
            "wait": rng.randrange(200),
            "load": round(rng.random(), 3),
            "inService": rng.random() < 0.8,
            "cause": rng.choice([None, "weather", "Power", "guest-behaviour"]),
            "controller": f"10.{rng.randrange(4)}.{rng.randrange(8)}.{rng.randrange(256)}",
            "path": f"/park/{rng.choice(AREAS)}/logs/{rng.randrange(1000)}.log",
            "sensors": [
                {"name": f"s{n}", "level": rng.randrange(10), "unit": rng.choice(["bar", "rpm"])} for n in range(4)
            ],
            "tags": [f"tag-{rng.randrange(40)}" for _ in range(3)],
        },
    }


def conditions(rng: random.Random) -> dict[str, Any]:
    """Conditions on one field of the detail, with one of all operators."""
    ride = f"ride-{rng.randrange(200):03d}"
    choices: list[Callable[[], dict[str, Any]]] = [
        lambda: {"rideId": [ride, f"ride-{rng.randrange(200):03d}"]},
        lambda: {"rideId": [{"prefix": f"ride-{rng.randrange(20):02d}"}]},
        lambda: {"rideId": [{"anything-but": [ride]}]},
        lambda: {"rideId": [{"anything-but": {"prefix": f"ride-{rng.randrange(20):02d}"}}]},
        lambda: {"area": [{"equals-ignore-case": rng.choice(AREAS).upper()}]},
        lambda: {"area": [{"prefix": {"equals-ignore-case": rng.choice(AREAS)[:4].lower()}}]},
        lambda: {"wait": [{"numeric": [">=", low := rng.randrange(150), "<", low + rng.randrange(5, 50)]}]},
        lambda: {"wait": [rng.randrange(200), rng.randrange(200)]},
        lambda: {"load": [{"numeric": ["<", round(rng.random(), 2)]}]},
        lambda: {"inService": [rng.random() < 0.5]},
        lambda: {"cause": [None, {"equals-ignore-case": "power"}]},
        lambda: {"cause": [{"exists": True}], "operator": [{"exists": False}]},
        lambda: {"controller": [{"cidr": f"10.{rng.randrange(4)}.{rng.randrange(8)}.0/24"}]},
        lambda: {"path": [{"suffix": f"{rng.randrange(100)}.log"}]},
        lambda: {"path": [{"suffix": {"equals-ignore-case": f"{rng.randrange(100)}.LOG"}}]},
        lambda: {"path": [{"wildcard": f"/park/{rng.choice(AREAS)}/*{rng.randrange(100)}.log"}]},
        lambda: {"path": [{"anything-but": {"wildcard": f"*/{rng.choice(AREAS)}/*"}}]},
        lambda: {"sensors": {"name": [f"s{rng.randrange(6)}"], "level": [{"numeric": [">", rng.randrange(10)]}]}},
        lambda: {"tags": [f"tag-{rng.randrange(40)}"]},
        lambda: {"$or": [{"wait": [{"numeric": [">", rng.randrange(200)]}]}, {"rideId": [ride]}]},
    ]
    return rng.choice(choices)()


def pattern(rng: random.Random) -> dict[str, Any]:
    """A rule's pattern: source, mostly a detail-type, and conditions on one to three fields."""
    detail: dict[str, Any] = {}
    for _ in range(rng.randint(1, 3)):
        detail |= conditions(rng)
    rule: dict[str, Any] = {"source": [rng.choice(SOURCES)], "detail": detail}
    if rng.random() < 0.8:
        rule["detail-type"] = [rng.choice(TYPES)]
    return rule


def per_event(match: Callable[[dict[str, Any]], Any], events: list[dict[str, Any]], seconds: float = 1.0) -> float:
    """Microseconds of CPU time an event, the best of the rounds that fit into `seconds` (three at least)."""
    best, rounds, started = float("inf"), 0, time.process_time()
    while rounds < 3 or time.process_time() - started < seconds:
        begin = time.process_time()
        for each in events:
            match(each)
        best = min(best, time.process_time() - begin)
        rounds += 1
    return best / len(events) * 1e6


def measure() -> None:
    """Prints the table. Runs in the environment that has moto and MiniStack."""
    import functools

    from ministack.services import eventbridge  # pyright: ignore[reportMissingImports]
    from moto.events.models import EventPattern  # pyright: ignore[reportMissingImports]

    from signalbox.patterns import RuleSet

    compiled = eventbridge._compiled_pattern.__wrapped__
    eventbridge._compiled_pattern = functools.lru_cache(maxsize=None)(compiled)

    rng = random.Random(SEED)
    events = [event(rng) for _ in range(EVENTS)]
    size = sum(len(json.dumps(each)) for each in events) / len(events)
    print(f"Python {sys.version.split()[0]}, {len(events)} events of {size:.0f} bytes, µs of CPU time an event\n")
    print("| rules | matches an event | signalbox RuleSet | MiniStack loop | | moto loop | |")
    print("|---|---|---|---|---|---|---|")
    for count in RULES:
        patterns = {n: pattern(rng) for n in range(count)}
        rules = RuleSet(patterns)
        texts = {n: json.dumps(each) for n, each in patterns.items()}
        motos = {n: EventPattern.load(text) for n, text in texts.items()}

        def ministack(each: dict[str, Any], texts: dict[int, str] = texts) -> set[int]:
            view = eventbridge._EventView({k: v for k, v in each.items() if k != "detail"}, each["detail"])
            return {n for n, text in texts.items() if eventbridge._matches_pattern_view(text, view)}

        def moto(each: dict[str, Any], motos: dict[int, Any] = motos) -> set[int]:
            return {n for n, matcher in motos.items() if matcher.matches_event(each)}

        matched = [rules.match(each) for each in events]
        if matched != [ministack(each) for each in events]:
            raise SystemExit("RuleSet and MiniStack do not match the same rules: what is measured is not the same work")
        ours, theirs, slow = per_event(rules.match, events), per_event(ministack, events), per_event(moto, events[:20])
        mean = sum(map(len, matched)) / len(matched)
        ratios = f"{theirs:,.1f} | {theirs / ours:.1f} × | {slow:,.1f} | {slow / ours:.1f} ×"
        print(f"| {count:,} | {mean:.1f} | {ours:,.1f} | {ratios} |")


def main() -> None:
    python = ENVIRONMENT / "bin" / "python"
    if Path(sys.prefix) == ENVIRONMENT:
        measure()
        return
    if not python.exists():
        venv.create(ENVIRONMENT, with_pip=True)
        subprocess.run([str(python), "-m", "pip", "install", "-q", *PACKAGES], check=True)
    subprocess.run([str(python), __file__], check=True, env={**os.environ, "PYTHONPATH": str(ROOT)})


if __name__ == "__main__":
    main()
