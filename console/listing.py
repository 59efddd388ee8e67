"""Lists of the pages: filter, sort, one keyset page, CSV; all of it in the address.

A list page is `ListOf(...)` once, and in the view:

    return HOSTS.respond(request, visible_to(actor, Host.objects.all()), "console/hosts.html")

The template gets `listing`; includes/list.html draws all of it.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from django import forms
from django.db import models
from django.http import HttpRequest, HttpResponseBase, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext as _
from django_filters import FilterSet
from django_tables2 import Table

from console.keyset import InvalidCursor, Page, Sort, page

PAGE_SIZE = 50
#: Parameters of the address that are not filters.
_OWN = frozenset({"sort", "cursor", "format"})
#: A spreadsheet takes a cell that begins like this for a formula.
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class Control:
    """One filter as the bar draws it: a box to type in, or a choice."""

    name: str
    label: str
    value: str
    choices: list[tuple[str, str]]
    is_search: bool


@dataclass(frozen=True)
class Listing:
    """One answer of a list: the rows of this page, and the addresses around it."""

    request: HttpRequest
    shown: tuple[str, ...]
    filterset: FilterSet
    page: Page[Any]
    sort: Sort
    sorts: Mapping[str, str]
    table: Table

    def address(self, **changes: str | None) -> str:
        """This list with other parameters; None takes one away."""
        query = self.request.GET.copy()
        for name, value in changes.items():
            query.pop(name, None)
            if value is not None:
                query[name] = value
        return f"?{query.urlencode()}" if query else self.request.path

    @property
    def is_filtered(self) -> bool:
        """Whether any filter narrows the list."""
        return any(value for name, value in self.request.GET.items() if name not in _OWN)

    @property
    def controls(self) -> list[Control]:
        """The filters that have a control in the bar."""
        form = self.filterset.form
        return [
            Control(
                name,
                str(form.fields[name].label),
                self.request.GET.get(name, ""),
                _choices(form.fields[name]),
                name == "q",
            )
            for name in self.shown
        ]

    @property
    def chips(self) -> list[tuple[str, str, str, str]]:
        """[(name, label, value, address without it)] of filters that only the address sets."""
        return [
            (name, str(field.label), value, self.address(**{name: None}, cursor=None))
            for name, field in self.filterset.form.fields.items()
            if name not in self.shown
            for value in self.request.GET.getlist(name)
            if value
        ]

    @property
    def next_url(self) -> str:
        return self.address(cursor=self.page.next) if self.page.next else ""

    @property
    def previous_url(self) -> str:
        return self.address(cursor=self.page.previous) if self.page.previous else ""

    @property
    def first_url(self) -> str:
        return self.address(cursor=None)

    @property
    def csv_url(self) -> str:
        return self.address(cursor=None, format="csv")

    @property
    def is_sorted(self) -> bool:
        """Whether the reader chose the order."""
        return "sort" in self.request.GET

    def sort_url(self, name: str) -> str:
        """Sort by a column; a second press turns the order round. "" for a fixed column."""
        if name not in self.sorts:
            return ""
        turned = self.sort.name == name and not self.sort.is_descending
        return self.address(cursor=None, sort=f"-{name}" if turned else name)

    def order_of(self, name: str) -> str:
        """asc or desc when the list is sorted by that column, else ""."""
        if self.sort.name != name:
            return ""
        return "desc" if self.sort.is_descending else "asc"


@dataclass(frozen=True)
class ListOf:
    """One list page: its filters, its sorts (name -> path), its columns.

    `default` is the sort of a bare address; sorted columns must never be NULL. `shown` are
    the filters with a control in the bar; the others work in the address and show as chips.
    """

    filterset: type[FilterSet]
    table: type[Table]
    default: str
    sorts: Mapping[str, str] = field(default_factory=dict)
    shown: tuple[str, ...] = ("q",)

    def read(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> Listing:
        """The page of `queryset` that the address asks for; nonsense in it is passed over."""
        filterset = self.filterset(request.GET, queryset=queryset, request=request)
        rows = filterset.qs if filterset.is_valid() else queryset.none()
        sorts = {"id": "pk", **self.sorts}
        try:
            sort = Sort.of(request.GET.get("sort") or self.default, sorts)
        except KeyError:
            sort = Sort.of(self.default, sorts)
        if sort.name == "id":
            sort = Sort("id", "id", sort.is_descending)
        try:
            found = page(rows, sort, cursor=request.GET.get("cursor", ""), limit=PAGE_SIZE)
        except InvalidCursor:
            found = page(rows, sort, limit=PAGE_SIZE)
        table = self.table(found.rows)  # given the request, it would sort and page by itself
        table.request = request
        listing = Listing(request, self.shown, filterset, found, sort, self.sorts, table)
        table.listing = listing
        return listing

    def respond(
        self,
        request: HttpRequest,
        queryset: models.QuerySet[Any],
        template: str,
        context: dict[str, Any] | None = None,
    ) -> HttpResponseBase:
        """The page, or the whole filtered list as CSV."""
        if request.GET.get("format") == "csv":
            return self._csv(request, queryset)
        listing = self.read(request, queryset)
        return render(request, template, {"listing": listing, **(context or {})})

    def _csv(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> HttpResponseBase:
        filterset = self.filterset(request.GET, queryset=queryset, request=request)
        rows = filterset.qs if filterset.is_valid() else queryset.none()
        name = request.path.strip("/").replace("/", "-") or "list"
        return StreamingHttpResponse(
            _csv_lines(self.table(rows.order_by("-pk"))),
            content_type="text/csv; charset=utf-8",
            headers={
                "Content-Disposition": f'attachment; filename="{name}-{timezone.now():%F}.csv"'
            },
        )


def _choices(field: forms.Field) -> list[tuple[str, str]]:
    """What a filter can be set to, "" for any; none where people type."""
    if isinstance(field, forms.NullBooleanField):
        return [("", _("any")), ("true", _("yes")), ("false", _("no"))]
    if isinstance(field, forms.ChoiceField):
        choices: Any = field.choices
        named = [(str(value), str(label)) for value, label in choices if value]
        return [("", _("any")), *named]
    return []


class _Echo:
    """A file for the csv writer that hands back what is written."""

    def write(self, text: str) -> str:
        return text


def _csv_lines(table: Table) -> Iterator[str]:
    writer = csv.writer(_Echo())
    for row in table.as_values():
        yield writer.writerow([_harmless(value) for value in row])


def _harmless(value: Any) -> Any:
    """A value that no spreadsheet runs (OWASP, CSV injection)."""
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value
