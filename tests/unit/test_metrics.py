"""The arithmetic of measurements: what a year of rows may never get wrong."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from console.metrics.cells import (
    NOTHING,
    Cell,
    Row,
    average,
    counter_cell,
    gauge_cell,
    grouped,
    growth,
    highest,
    merge,
    summed,
)
from console.metrics.packing import pack, unpack
from console.metrics.spans import COARSE, DAY, FINE, HOUR, RAW, span_for, step_for

counts = st.integers(0, 2**63)
weights = st.integers(1, 100_000)
counted = st.builds(counter_cell, st.integers(0, 2**40), weights)
gauged = st.builds(gauge_cell, st.integers(0, 2**40))
rows_of_cells = st.lists(
    st.tuples(st.integers(0, 7200), st.tuples(counted | st.just(NOTHING), gauged)), max_size=60
)


def rows(found: list[tuple[int, tuple[Cell, ...]]]) -> list[Row]:
    return [Row(at, cells) for at, cells in sorted(found, key=lambda one: one[0])]


@given(rows_of_cells)
def test_sums_of_rollups_are_the_sums_of_what_was_read(
    found: list[tuple[int, tuple[Cell, ...]]],
) -> None:
    raw = rows(found)
    fine, coarse = grouped(raw, 300), grouped(raw, 3600)
    if raw:
        whole = summed([row.cells for row in raw])
        assert summed([row.cells for row in fine]) == whole
        assert summed([row.cells for row in coarse]) == whole
    assert grouped(fine, 3600) == coarse, "hours of five minutes are hours"


@given(counted | st.just(NOTHING), counted, counted)
def test_cells_are_put_together_in_any_order(one: Cell, other: Cell, third: Cell) -> None:
    assert merge(one, other) == merge(other, one)
    assert merge(merge(one, other), third) == merge(one, merge(other, third))
    assert merge(one, NOTHING) == one


@given(st.lists(counted, min_size=1, max_size=20))
def test_no_average_is_above_its_peak(cells: list[Cell]) -> None:
    whole = summed([(cell,) for cell in cells])[0]
    mean, peak = average(whole, is_counter=True), highest(whole, is_counter=True)
    assert mean is not None
    assert peak is not None
    assert 0 <= mean <= peak + 1e-9 * peak
    exact = max(cell.total * 10 / cell.weight for cell in cells)
    assert exact <= peak + 1e-9 * peak
    assert peak <= exact * 1.008 + 0.002


@given(st.lists(counts, min_size=2, max_size=2), st.lists(counts, min_size=2, max_size=2),
       st.floats(0.1, 3600))  # fmt: skip
def test_whatever_a_counter_does_its_rate_is_never_negative_or_more_than_it_shows(
    before: list[int], now: list[int], seconds: float
) -> None:
    cells = growth(before, now, seconds)
    for new, cell in zip(now, cells, strict=True):
        assert 0 <= cell.total <= new


def test_a_reset_counts_what_came_since() -> None:
    assert [cell.total for cell in growth([100, 5000], [7, 6000], 30)] == [7, 6000]
    assert [cell.total for cell in growth([100, 5000], [107, 6000], 30)] == [7, 1000]


@pytest.mark.parametrize(
    ("before", "seconds"), [(None, 30.0), ([1, 2], None), ([1, 2], 0.0), ([None, None], 30.0)]
)
def test_without_a_reading_before_nothing_is_known(
    before: list[int | None] | None, seconds: float | None
) -> None:
    assert growth(before, [10, 20], seconds) == [NOTHING, NOTHING]


def test_a_counter_that_was_not_read_leaves_the_others_alone() -> None:
    assert growth([100, None], [130, 9], 30) == [counter_cell(30, 300), NOTHING]


def test_an_average_is_over_the_time_that_is_known() -> None:
    whole = merge(counter_cell(300, 300), merge(NOTHING, counter_cell(600, 300)))
    assert average(whole, is_counter=True) == 15.0
    assert average(NOTHING, is_counter=True) is None
    assert highest(NOTHING, is_counter=False) is None
    assert average(merge(gauge_cell(4), gauge_cell(8)), is_counter=False) == 6.0


@given(rows_of_cells)
def test_gaps_stay_gaps(found: list[tuple[int, tuple[Cell, ...]]]) -> None:
    raw = rows(found)
    spans = {row.at // 300 * 300 for row in raw}
    assert {row.at for row in grouped(raw, 300)} == spans


@given(rows_of_cells, st.booleans())
def test_what_was_packed_reads_back(
    found: list[tuple[int, tuple[Cell, ...]]], with_peaks: bool
) -> None:
    raw = rows(found)
    middle = len(raw) // 2
    data = pack(raw[:middle], 0, with_peaks=with_peaks) + pack(
        raw[middle:], 0, with_peaks=with_peaks
    )
    assert unpack(data, 0, (True, False), with_peaks=with_peaks) == raw


def test_a_row_from_before_a_metric_was_added_knows_nothing_of_it() -> None:
    data = pack([Row(5, (gauge_cell(3),))], 0, with_peaks=False)
    assert unpack(data, 0, (False, True), with_peaks=False) == [Row(5, (gauge_cell(3), NOTHING))]


@pytest.mark.parametrize(
    ("back", "step", "expected"),
    [
        (HOUR, 15, RAW),
        (DAY, 60, RAW),
        (DAY, 360, FINE),
        (7 * DAY, 60, FINE),
        (31 * DAY, 11160, COARSE),
        (31 * DAY, 1800, FINE),
        (100 * DAY, 60, COARSE),
        (1000 * DAY, 60, COARSE),
    ],
)
def test_the_finest_rows_that_reach_back(back: float, step: float, expected: object) -> None:
    assert span_for(1e9 - back, step, 1e9) == expected


def test_steps_hold_whole_spans() -> None:
    for span, wanted in itertools.product((300, 3600), (301, 599, 3601, 80_000)):
        assert step_for(max(span, wanted)) % span == 0 or wanted < span
    assert step_for(1) == 10
    assert step_for(1e9) == 7 * DAY
