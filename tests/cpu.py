"""What a call costs of the processor, on machines that are slow, or busy with something else.

A limit in seconds is a limit in counts: so many times what counting to COUNT takes, which is REFERENCE_SECONDS where a
limit is meant as it is written. What tests before have left in memory is not swept meanwhile: a sweep of a large heap
takes longer than most of what is measured.
"""

import gc
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import pytest

T = TypeVar("T")

COUNT = 200_000
REFERENCE_SECONDS = 0.025
TRIES = 6


def pace() -> float:
    """How many times longer than the reference this machine takes just now, at least 1."""
    began = time.thread_time()
    kept: dict[int, tuple[int, int]] = {}
    total = 0
    for n in range(COUNT):
        kept[n & 1023] = (n, total)
        total += len(kept)
    return max(1.0, (time.thread_time() - began) / REFERENCE_SECONDS)


@contextmanager
def heap_at_rest() -> Iterator[None]:
    """What is in memory now is not looked at by the garbage collector meanwhile."""
    gc.collect()
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


def timed(action: Callable[[], T]) -> tuple[T, float]:
    """What `action` gives, and the CPU seconds that this thread spent on it."""
    began = time.thread_time()
    result = action()
    return result, time.thread_time() - began


def within(seconds: float, action: Callable[[], T], *, before: Callable[[], object] = lambda: None) -> T:
    """What `action` gives, which costs at most `seconds` at the reference's pace; fails the test when it costs more.

    It is called anew, after `before`, while it costs more: what others do to the machine does not happen each time.
    """
    spent = slower = 0.0
    with heap_at_rest():
        for _ in range(TRIES):
            before()
            result, spent = timed(action)
            if spent <= seconds or spent <= seconds * (slower := pace()):
                return result
    pytest.fail(f"costs {spent:.2f} s of CPU, where {seconds} s at a pace of {slower:.1f} are allowed")
