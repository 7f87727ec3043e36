"""The promise of the product, played: `python -m tests.simulation --seed N` replays a seed that fails here."""

import subprocess
import sys
from collections import Counter

import pytest

from tests.simulation.mutants import MUTANTS, ROOT, mutated
from tests.simulation.world import World

SEEDS = 2000
CHUNK = 100


@pytest.mark.parametrize("start", range(0, SEEDS, CHUNK))
def test_rules_follow_the_store_whatever_happens(start: int) -> None:
    covered: Counter[str] = Counter()
    for seed in range(start, start + CHUNK):
        World(seed, covered).run()
    assert len(covered) > 50, "the simulation hardly did anything"


def test_a_seed_is_a_run() -> None:
    first, again = Counter[str](), Counter[str]()
    for seed in range(20):
        World(seed, first).run()
        World(seed, again).run()
    assert first == again


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_each_mutant_is_caught(mutant) -> None:
    compile(mutated(mutant), mutant.name, "exec")
    command = [sys.executable, "-m", "tests.simulation.mutants", mutant.name, str(SEEDS)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False, timeout=600)
    assert result.returncode == 0, result.stdout + result.stderr
