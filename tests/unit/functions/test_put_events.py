"""Putting events: within every limit, none lost, none twice, and only what failed is sent again."""

import itertools
from collections.abc import Sequence
from typing import Any

import pytest
from botocore.exceptions import ReadTimeoutError
from hypothesis import given
from hypothesis import strategies as st
from lambda_fakes import Clock, Events, error

from signalbox.runtime.put_events import CALL_BYTES, ENTRY_BYTES, ROUNDS, AwsBus, Entry, Failure, chunks, put_all


def entries_of(count: int) -> list[Entry]:
    return [Entry("s", "t", f'{{"n":{number}}}') for number in range(count)]


def put(events: Events, entries: Sequence[Entry], **options: Any) -> list[Failure]:
    return put_all(AwsBus(events, "park"), entries, pause=Clock().sleep, **options)


def numbers(call: Sequence[dict[str, str]]) -> list[str]:
    return [entry["Detail"] for entry in call]


@given(st.lists(st.integers(2, 400_000), max_size=60))
def test_chunks_hold_every_entry_once_in_order_within_the_limits(sizes: list[int]) -> None:
    entries = [Entry(f"s{index}", "t", "é" * (length // 2)) for index, length in enumerate(sizes)]
    groups = list(chunks(entries))
    assert [entry for group in groups for entry in group] == entries
    assert all(1 <= len(group) <= 10 for group in groups)
    assert all(sum(entry.size for entry in group) <= CALL_BYTES for group in groups)
    # No two neighbours could have been one call.
    for one, two in itertools.pairwise(groups):
        assert len(one) == 10 or sum(entry.size for entry in one) + two[0].size > CALL_BYTES


@given(st.text(), st.text(), st.text())
def test_an_entry_has_the_size_that_eventbridge_counts(source: str, detail_type: str, detail: str) -> None:
    assert Entry(source, detail_type, detail).size == sum(len(part.encode()) for part in (source, detail_type, detail))


def test_exactly_the_entries_that_failed_are_sent_again() -> None:
    events = Events(fails=lambda call, _: (3, 7) if call == 0 else ())
    assert put(events, entries_of(10)) == []
    assert [numbers(call) for call in events.calls] == [
        [f'{{"n":{n}}}' for n in range(10)],
        ['{"n":3}', '{"n":7}'],
    ]


@pytest.mark.parametrize("failing", [s for size in range(6) for s in itertools.combinations(range(5), size)])
def test_whatever_subset_fails_once_each_entry_is_taken_once(failing: tuple[int, ...]) -> None:
    events = Events(fails=lambda call, _: failing if call == 0 else ())
    assert put(events, entries_of(5)) == []
    assert sorted(numbers(events.taken)) == sorted(entry.detail for entry in entries_of(5))


@given(st.data(), st.integers(0, 35))
def test_whatever_fails_whenever_no_entry_is_lost_or_taken_twice(data: st.DataObject, count: int) -> None:
    def fails(_: int, entries: Sequence[Any]) -> list[int]:
        return [index for index in range(len(entries)) if data.draw(st.integers(0, 2)) == 0]

    events = Events(fails=fails)
    failures = put(events, entries_of(count))
    accounted = numbers(events.taken) + [failure.entry.detail for failure in failures]
    assert sorted(accounted) == sorted(entry.detail for entry in entries_of(count))


def test_what_always_fails_is_given_back_after_a_bounded_number_of_calls() -> None:
    events = Events(fails=lambda _, entries: range(len(entries)))
    failures = put(events, entries_of(3))
    assert len(events.calls) == ROUNDS
    assert {failure.code for failure in failures} == {"ThrottlingException"}
    assert [failure.entry for failure in failures] == entries_of(3)


def test_a_call_that_is_refused_is_not_repeated() -> None:
    events = Events()
    events.error = error("AccessDeniedException", 400)
    failures = put(events, entries_of(12))
    assert len(events.calls) == 2
    assert [failure.entry for failure in failures] == entries_of(12)


def test_a_call_that_is_not_answered_is_repeated() -> None:
    events = Events()
    events.error = ReadTimeoutError(endpoint_url="https://events")
    assert len(put(events, entries_of(2))) == 2
    assert len(events.calls) == ROUNDS


def test_an_entry_that_no_call_takes_is_given_back_and_the_others_go() -> None:
    big = Entry("s", "t", f'{{"a":"{"x" * ENTRY_BYTES}"}}')
    events = Events()
    (failure,) = put(events, [*entries_of(2), big])
    assert (failure.entry, failure.code) == (big, "TooLarge")
    assert len(events.taken) == 2


def test_an_entry_between_the_two_megabytes_goes_alone() -> None:
    big = Entry("s", "t", f'{{"a":"{"x" * (CALL_BYTES + 10)}"}}')
    events = Events()
    assert put(events, [*entries_of(2), big, *entries_of(2)]) == []
    assert [len(call) for call in events.calls] == [2, 1, 2]


def test_no_call_is_made_when_time_is_up() -> None:
    events = Events()
    failures = put(events, entries_of(25), in_time=lambda: len(events.calls) < 2)
    assert len(events.taken) == 20
    assert [failure.code for failure in failures] == ["OutOfTime"] * 5
