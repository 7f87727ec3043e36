"""`python -m tests.simulation`: plays seeds, and says what they covered."""

import argparse
import re
import sys
import time
import traceback
from collections import Counter

from tests.simulation.faults import sites
from tests.simulation.world import World


def main() -> int:
    """Exit code 1 when a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=int, help="replay one run")
    parser.add_argument("--from", type=int, default=0, dest="start", help="the first of a range of seeds")
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    arguments = parser.parse_args()
    seeds = (
        [arguments.seed] if arguments.seed is not None else range(arguments.start, arguments.start + arguments.seeds)
    )
    covered: Counter[str] = Counter()
    broken = 0
    began = time.monotonic()
    for seed in seeds:
        try:
            World(seed, covered).run()
        except Exception:  # noqa: BLE001  # whatever it is, the seed is worth a look, and the others go on
            broken += 1
            print(f"seed {seed}:", file=sys.stderr)
            traceback.print_exc(limit=-4)
            if broken >= 5:
                break
    known = list(sites())
    hit = [site for site in known if covered[site]]
    print(f"{len(seeds)} seeds, {broken} broken, {time.monotonic() - began:.1f} s")
    print(f"fault sites hit: {len(hit)} of {len(known)}")
    never = Counter(re.sub(r"[01]+$", "…", site) for site in known if not covered[site])
    for site, count in never.items():
        print(f"  never: {site}" + (f" ({count})" if count > 1 else ""))
    return 1 if broken else 0


if __name__ == "__main__":
    sys.exit(main())
