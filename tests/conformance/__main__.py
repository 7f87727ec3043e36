"""Compares signalbox.patterns with AWS's own matcher: `python -m tests.conformance record|fuzz` (Java 17, Maven)."""

import argparse
import itertools
import sys
import time
from collections import Counter

from tests.conformance import cases, compare, reference
from tests.conformance.generate import Generator

EVENTS = 10
ROUND = 3000


def record() -> int:
    """Asks the reference about every case again and writes its answers beside them."""
    for path in cases.files():
        questions = [question for question, _ in cases.load(path)]
        cases.record(path, reference.ask(questions))
        print(f"{path.name}: {len(questions)} patterns, {sum(len(each.events) for each in questions)} events")
    return 0


def fuzz(pairs: int, seed: int) -> int:
    """Compares on `pairs` generated pairs of pattern and event; 1 if any difference is none of the known quirks."""
    done = matched = refused = 0
    counts: Counter[str] = Counter()
    started = time.monotonic()
    for round_ in itertools.count():
        if done >= pairs:
            break
        odd = 0.5 if round_ % 4 == 3 else 0.1
        questions = list(itertools.islice(Generator(seed + round_, odd).questions(EVENTS), ROUND))
        found: list[compare.Difference] = []
        for question, answer in zip(questions, reference.ask(questions), strict=True):
            found += compare.compare(question, answer)
            refused += bool(answer.refusal)
            done += len(answer.whole)
            matched += sum(outcome is True for outcome in answer.whole)
        for difference in compare.resolve(found):
            counts[difference.quirk.name if difference.quirk else "UNEXPLAINED"] += 1
            if difference.quirk is None:
                print(difference, file=sys.stderr)
        print(f"{done} pairs, {matched} match; {refused} patterns refused; {dict(counts)}", flush=True)
    print(f"{time.monotonic() - started:.0f} s; unexplained differences: {counts['UNEXPLAINED']}")
    return 1 if counts["UNEXPLAINED"] else 0


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.conformance", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("record", help="ask the reference about the cases and write its answers")
    fuzzing = commands.add_parser("fuzz", help="compare on generated patterns and events")
    fuzzing.add_argument("--pairs", type=int, default=100_000, help="how many (default 100,000)")
    fuzzing.add_argument("--seed", type=int, default=1, help="another seed, other patterns (default 1)")
    arguments = parser.parse_args()
    reference.fetch()
    return record() if arguments.command == "record" else fuzz(arguments.pairs, arguments.seed)


if __name__ == "__main__":
    sys.exit(main())
