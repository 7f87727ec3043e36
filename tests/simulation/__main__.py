"""`python -m tests.simulation`: plays seeds, and says what they covered."""

import argparse
import os
import re
import sys
import time
import traceback
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from itertools import islice

from tests.simulation.faults import sites
from tests.simulation.world import World

CHUNK = 100
"""Seeds that a process plays before it tells."""
MOST_BROKEN = 5
"""Broken seeds after which it is enough."""


def play(seeds: Sequence[int]) -> tuple[Counter[str], dict[int, str]]:
    """What the seeds covered, and the traceback of each that broke a promise."""
    covered: Counter[str] = Counter()
    broken: dict[int, str] = {}
    for seed in seeds:
        try:
            World(seed, covered).run()
        except Exception:  # noqa: BLE001  # whatever it is, the seed is worth a look, and the others go on
            broken[seed] = traceback.format_exc(limit=-4)
    return covered, broken


def results(seeds: range, jobs: int) -> Iterator[tuple[int, Counter[str], dict[int, str]]]:
    """How many seeds each chunk had, and what `play` gives of it."""
    chunks = (seeds[at : at + CHUNK] for at in range(0, len(seeds), CHUNK))
    with ProcessPoolExecutor(jobs) as pool:
        running: dict[Future[tuple[Counter[str], dict[int, str]]], int] = {}
        while True:
            running |= {pool.submit(play, chunk): len(chunk) for chunk in islice(chunks, 2 * jobs - len(running))}
            if not running:
                return
            for done in wait(running, return_when=FIRST_COMPLETED).done:
                yield running.pop(done), *done.result()


def main() -> int:
    """Exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay one run")
    parser.add_argument("--from", type=int, default=0, dest="start", help="the first of a range of seeds")
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a core)")
    arguments = parser.parse_args()
    one = arguments.seed is not None
    seeds = (
        range(arguments.seed, arguments.seed + 1) if one else range(arguments.start, arguments.start + arguments.seeds)
    )
    covered: Counter[str] = Counter()
    played = broken = 0
    began = time.monotonic()
    for count, some, faults in results(seeds, 1 if one else arguments.jobs):
        played += count
        covered += some
        broken += len(faults)
        for seed, text in faults.items():
            print(f"seed {seed}:\n{text}", file=sys.stderr)
        if sys.stderr.isatty():
            print(f"\r{played} of {len(seeds)} seeds, {broken} broken", end="", file=sys.stderr, flush=True)
        if broken >= MOST_BROKEN:
            break
    known = list(sites())
    hit = [site for site in known if covered[site]]
    print(f"{played} seeds, {broken} broken, {time.monotonic() - began:.1f} s")
    print(f"fault sites hit: {len(hit)} of {len(known)}")
    never = Counter(re.sub(r"[01]+$", "…", site) for site in known if not covered[site])
    for site, count in never.items():
        print(f"  never: {site}" + (f" ({count})" if count > 1 else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
