"""The history of a director: its applied states, compared, and the way back to one."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.access import actor_of, find_visible, require, visible_to
from console.listing import ListOf
from lvs import history
from lvs.actions import revisions as verbs
from lvs.filters import RevisionFilter
from lvs.history import State
from lvs.models import Director, Revision
from lvs.tables import RevisionTable

REVISIONS = ListOf(RevisionFilter, RevisionTable, default="-id", sorts={"number": "number"})

#: The word in the address for what is declared now.
NOW = "now"
#: Fields that a comparison shows; the table's lines have a limit of their own.
FIELDS = 100


def _director(request: HttpRequest, pk: int) -> Director:
    rows = Director.objects.select_related("host").defer("observed_table", "observed_counts")
    return find_visible(actor_of(request), rows, pk=pk)


def _revision(request: HttpRequest, director: Director, number: int) -> Revision:
    rows = visible_to(actor_of(request), director.revisions.select_related("operation"))
    row = history.find(rows, number)
    if row is None:
        raise Http404
    return row


@require_safe
def revisions(request: HttpRequest, pk: int) -> HttpResponseBase:
    """Every state that was applied and is kept."""
    found = _director(request, pk)
    rows = visible_to(actor_of(request), found.revisions.defer("content"))
    return REVISIONS.respond(request, rows, "lvs/revisions.html", {"director": found})


@require_safe
def revision(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """One state against another: the one before, or the one that the address names."""
    found = _director(request, pk)
    row = _revision(request, found, number)
    against = request.GET.get("against", str(number - 1))
    before, name = _other(request, found, against)
    after = history.state_at(row)
    comparison = history.compare(before, after)
    context = {
        "director": found,
        "revision": row,
        "against": name,
        "is_now": name == NOW,
        "others": found.revisions.exclude(number=number).values_list("number", flat=True)[:50],
        "plan": comparison.plan,
        "fields": comparison.fields[:FIELDS],
        "left": max(0, len(comparison.fields) - FIELDS),
        "service_count": len(after.services),
        "is_last": not found.revisions.filter(number__gt=number).exists(),
        "may_go_back": actor_of(request).can("director.apply", found)
        and actor_of(request).can("director.manage", found),
    }
    return render(request, "lvs/revision.html", context)


def _other(request: HttpRequest, director: Director, against: str) -> tuple[State, str]:
    if against == NOW:
        return history.state_now(director), NOW
    if not against.isascii() or not against.isdigit() or len(against) > 9:
        return State({}, {}), ""
    rows = visible_to(actor_of(request), director.revisions.all())
    row = history.find(rows, int(against))
    return (history.state_at(row), against) if row else (State({}, {}), "")


@require_POST
def go_back(request: HttpRequest, pk: int, number: int) -> HttpResponse:
    """Declare that state again; the director's page shows what applying it would do."""
    actor, found = actor_of(request), _director(request, pk)
    row = _revision(request, found, number)
    require(actor, "director.apply", found)
    try:
        verbs.go_back(actor, found, row)
    except ValidationError as error:
        for message in error.messages:
            messages.error(request, message)
        return redirect(row)
    said: dict[str, Any] = {"number": number}
    messages.success(
        request,
        _("State #%(number)s is declared again. Look at the planned changes, then apply them.")
        % said,
    )
    return redirect(found)
