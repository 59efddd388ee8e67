"""Rows as bytes: numbers of seven bits a byte, so that a small number takes one. PURE.

Rows that were packed for the same beginning can be appended to each other.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from console.metrics.cells import NOTHING, Cell, Row, counter_cell, gauge_cell

#: Instead of a weight: the same as the one before it in the row. 0 is an unknown cell.
_SAME = 1


def pack(rows: Iterable[Row], start: int, *, with_peaks: bool) -> bytes:
    """Rows not before `start`. Without peaks it takes a third less; they are then those of
    rows that were never put together."""
    out = bytearray()
    for at, cells in rows:
        _put(out, at - start)
        _put(out, len(cells))
        before = -1
        for cell in cells:
            _put(out, _SAME if cell.weight == before else cell.weight and cell.weight + _SAME)
            if cell.weight:
                before = cell.weight
                _put(out, cell.total)
                if with_peaks:
                    _put(out, cell.peak)
    return bytes(out)


def unpack(data: bytes, start: int, counters: Sequence[bool], *, with_peaks: bool) -> list[Row]:
    """What `pack` made of rows; `counters` says of each metric whether it is one. A row from
    before a metric was added knows nothing of it."""
    numbers = _numbers(data)
    rows = []
    for offset in numbers:
        cells: list[Cell] = []
        weight = 0
        for position in range(next(numbers)):
            code = next(numbers)
            if not code:
                cells.append(NOTHING)
                continue
            weight = weight if code == _SAME else code - _SAME
            total = next(numbers)
            if with_peaks:
                cells.append(Cell(weight, total, next(numbers)))
            elif counters[position]:
                cells.append(counter_cell(total, weight))
            else:
                cells.append(gauge_cell(total))
        cells += [NOTHING] * (len(counters) - len(cells))
        rows.append(Row(start + offset, tuple(cells)))
    return rows


def _put(out: bytearray, number: int) -> None:
    while number > 127:
        out.append(number & 127 | 128)
        number >>= 7
    out.append(number)


def _numbers(data: bytes) -> Iterator[int]:
    number = shift = 0
    for byte in data:
        number |= (byte & 127) << shift
        shift += 7
        if byte < 128:
            yield number
            number = shift = 0
