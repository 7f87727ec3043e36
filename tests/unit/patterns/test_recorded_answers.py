"""What the reference answered is what we answer, but for the quirks that are listed; no Java needed."""

from collections import Counter
from pathlib import Path

import pytest

from tests.conformance import cases, compare, quirks

# Quirks that the recorded cases must show, so that a listed quirk that is gone is noticed.
SHOWN = {
    quirks.SHARED_BRANCHES,
    quirks.TEXT_AFTER_END,
    quirks.EMPTY_EXCLUSION,
    quirks.RANGE_END,
    quirks.DOUBLE_TEXT,
    quirks.LIMITS,
    quirks.NOT_JSON,
    quirks.HALVES,
    quirks.NEW_LETTERS,
}


@pytest.mark.parametrize("path", cases.files(), ids=lambda path: path.stem)
def test_we_differ_from_the_reference_only_by_listed_quirks(path: Path) -> None:
    found = [d for question, answer in cases.load(path) for d in compare.compare(question, answer)]
    assert [str(difference) for difference in found if difference.quirk is None] == []


def test_the_cases_are_many_and_show_every_quirk_that_is_stable() -> None:
    recorded = [case for path in cases.files() for case in cases.load(path)]
    assert len(recorded) >= 500
    outcomes = Counter(outcome for _, answer in recorded for outcome in answer.whole)
    assert outcomes[True] > 1000
    assert outcomes[False] > 1000
    assert sum(bool(answer.refusal) for _, answer in recorded) > 150
    found = {d.quirk for question, answer in recorded for d in compare.compare(question, answer)}
    assert found >= SHOWN
