"""Keyset pages for lists: `?sort=-name&limit=50&cursor=…`."""

from __future__ import annotations

from operator import attrgetter
from typing import Any

from django.utils.translation import gettext as _
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.utils.urls import replace_query_param

from console import keyset
from console.api.problems import ApiProblem

DEFAULT_LIMIT = 50
MAX_LIMIT = 200
#: Query parameters of every list, apart from its filters.
PARAMETERS = ("cursor", "limit", "sort")


class KeysetPagination(BasePagination):
    """Pages that stay put while rows are added; `next` and `previous` are whole addresses.

    The view says what may be sorted: `sorts` maps public names to columns that never are
    NULL, `default_sort` is one of them.
    """

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self.address = request.build_absolute_uri()
        limit = _limit(request.query_params.get("limit"))
        sort = self._sort(request.query_params.get("sort", view.default_sort), view)
        cursor = request.query_params.get("cursor", "")
        try:
            self.page = self.cut(queryset, sort, cursor, limit)
        except keyset.InvalidCursor as error:
            raise ApiProblem(
                "invalid-cursor",
                _("The cursor was not given out by this console for this sort."),
            ) from error
        return self.page.rows

    def cut(self, rows: Any, sort: keyset.Sort, cursor: str, limit: int) -> keyset.Page[Any]:
        """The page itself."""
        return keyset.page(rows, sort, cursor=cursor, limit=limit)

    def get_paginated_response(self, data: Any) -> Response:
        return Response(
            {
                "next": self._link(self.page.next),
                "previous": self._link(self.page.previous),
                "results": data,
            }
        )

    def _link(self, cursor: str | None) -> str | None:
        return replace_query_param(self.address, "cursor", cursor) if cursor else None

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return _envelope(schema, {"type": ["string", "null"], "format": "uri"})

    def _sort(self, text: str, view: Any) -> keyset.Sort:
        orders = self.orders(view)
        if text not in orders:
            raise _refuse("sort", _("Sort by one of: %(names)s.") % {"names": ", ".join(orders)})
        return keyset.Sort.of(text, view.sorts)

    def orders(self, view: Any) -> list[str]:
        """What `sort` may be."""
        return [text for name in view.sorts for text in (name, f"-{name}")]

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        orders = self.orders(view)
        return [
            {
                "name": "limit",
                "in": "query",
                "description": "How many at most.",
                "schema": {
                    "type": "integer",
                    "minimum": 1,
                    "maximum": MAX_LIMIT,
                    "default": DEFAULT_LIMIT,
                },
            },
            {
                "name": "cursor",
                "in": "query",
                "description": "Where the page begins: from “next” or “previous”.",
                "schema": {"type": "string"},
            },
            {
                "name": "sort",
                "in": "query",
                "description": "What to sort by; a dash in front turns it round.",
                "schema": {"type": "string", "enum": orders, "default": view.default_sort},
            },
        ]


class WholeList(BasePagination):
    """Short lists of values, in the order that they come in: one page, in a page's form."""

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        return list(queryset)

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"next": None, "previous": None, "results": data})

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        return _envelope(schema, {"type": "null"})


class ValuePagination(KeysetPagination):
    """Pages of values that no database sorts, upwards by the attribute that the view names."""

    def orders(self, view: Any) -> list[str]:
        return list(view.sorts)

    def cut(self, rows: Any, sort: keyset.Sort, cursor: str, limit: int) -> keyset.Page[Any]:
        return keyset.page_of(rows, attrgetter(sort.path), cursor=cursor, limit=limit)


def _envelope(results: dict[str, Any], link: dict[str, Any]) -> dict[str, Any]:
    """The form of every list."""
    return {
        "type": "object",
        "required": ["next", "previous", "results"],
        "properties": {
            "next": {**link, "description": "The page that follows; null on the last."},
            "previous": {**link, "description": "The page before; null on the first."},
            "results": results,
        },
    }


def _refuse(field: str, message: str) -> ValidationError:
    return ValidationError({field: [ErrorDetail(message, code="invalid_parameter")]})


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if len(text) <= 3 and text.isascii() and text.isdigit() and 1 <= int(text) <= MAX_LIMIT:
        return int(text)
    raise _refuse("limit", _("Give a number from 1 to %(limit)d.") % {"limit": MAX_LIMIT})
