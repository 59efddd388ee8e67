"""Keyset pagination: pages that stay put while rows are added, at the cost of one index range.

A cursor is the sort key of the row at the edge of a page. It is signed, so that what comes
back is what was given out, and it is only good for the sort that it was made under.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from django.core import signing
from django.db import models
from django.db.models import Q

M = TypeVar("M", bound=models.Model)
T = TypeVar("T")

_SIGNER = signing.Signer(salt="console.keyset")
_FORWARD, _BACKWARD = "f", "b"


class InvalidCursor(ValueError):
    """The cursor was not given out by this console, or under another sort."""


@dataclass(frozen=True, slots=True)
class Sort:
    """One column that never is NULL, and a direction; rows that tie follow by id.

    `name` is what people and programs write, `path` is the way to the column.
    """

    name: str
    path: str
    is_descending: bool = False

    def __str__(self) -> str:
        return f"-{self.name}" if self.is_descending else self.name

    @classmethod
    def of(cls, text: str, sorts: dict[str, str]) -> Sort:
        """Read "name" or "-name"; raises KeyError for a name that is not in `sorts`."""
        name = text.removeprefix("-")
        return cls(name, sorts[name], text.startswith("-"))


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows, and the cursors of their neighbours where there are any."""

    rows: list[T]
    next: str | None
    previous: str | None


@dataclass(frozen=True, slots=True)
class _Edge:
    """Where a page begins: beyond this sort key, in this direction."""

    direction: str
    value: Any
    pk: int


def page(queryset: models.QuerySet[M], sort: Sort, *, cursor: str = "", limit: int = 50) -> Page[M]:
    """The page that begins at `cursor` ("" for the first), of at most `limit` rows.

    Raises InvalidCursor.
    """
    edge = _read(cursor, sort, queryset.model) if cursor else None
    is_backward = edge is not None and edge.direction == _BACKWARD
    descends = sort.is_descending != is_backward
    if edge is not None:
        queryset = queryset.filter(_beyond(sort.path, edge, descends))
    sign = "-" if descends else ""
    rows = list(queryset.order_by(f"{sign}{sort.path}", f"{sign}pk")[: limit + 1])
    has_more, rows = len(rows) > limit, rows[:limit]
    if is_backward:
        rows.reverse()
    has_next = is_backward or has_more
    has_previous = has_more if is_backward else edge is not None
    return Page(
        rows,
        _write(sort, _FORWARD, rows[-1]) if rows and has_next else None,
        _write(sort, _BACKWARD, rows[0]) if rows and has_previous else None,
    )


def page_of(
    items: Iterable[T], key: Callable[[T], str], *, cursor: str = "", limit: int = 50
) -> Page[T]:
    """The same for values that no database sorts: a page of `items` in the order of `key`,
    which is different for each. Raises InvalidCursor."""
    ordered = sorted(items, key=key)
    keys = [key(item) for item in ordered]
    start = 0
    if cursor:
        direction, edge = _read_of(cursor)
        if direction == _FORWARD:
            start = bisect_right(keys, edge)
        else:
            start = max(0, bisect_left(keys, edge) - limit)
    end = min(start + limit, len(keys))
    return Page(
        ordered[start:end],
        _SIGNER.sign_object([_FORWARD, keys[end - 1]]) if start < end < len(keys) else None,
        _SIGNER.sign_object([_BACKWARD, keys[start]]) if 0 < start < end else None,
    )


def _read_of(cursor: str) -> tuple[str, str]:
    try:
        direction, edge = _SIGNER.unsign_object(cursor)
    except (signing.BadSignature, ValueError) as error:
        raise InvalidCursor(cursor) from error
    return direction, edge


def _beyond(path: str, edge: _Edge, descends: bool) -> Q:
    side = "lt" if descends else "gt"
    return Q(**{f"{path}__{side}": edge.value}) | Q(**{path: edge.value, f"pk__{side}": edge.pk})


def _write(sort: Sort, direction: str, row: models.Model) -> str:
    value: Any = row
    for name in sort.path.split("__"):
        value = getattr(value, name)
    plain = value.isoformat() if isinstance(value, datetime) else value
    return _SIGNER.sign_object([str(sort), direction, plain, row.pk])


def _read(cursor: str, sort: Sort, model: type[models.Model]) -> _Edge:
    try:
        made_under, direction, value, pk = _SIGNER.unsign_object(cursor)
    except (signing.BadSignature, ValueError) as error:  # ValueError: of a list, see page_of
        raise InvalidCursor(cursor) from error
    if made_under != str(sort):
        raise InvalidCursor(cursor)
    return _Edge(direction, _column(model, sort.path).to_python(value), pk)


def _column(model: type[models.Model], path: str) -> models.Field[Any, Any]:
    """The column at the end of a path such as host__name."""
    *relations, name = path.split("__")
    for relation in relations:
        model = model._meta.get_field(relation).related_model  # type: ignore[assignment]
    return model._meta.get_field(name)  # type: ignore[return-value]
