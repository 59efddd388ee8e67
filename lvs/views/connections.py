"""The connection table of a director, searched on demand."""

from __future__ import annotations

from typing import Any

from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from console.access import actor_of, find_visible, require, visible_to
from console.forms.base import try_verb
from console.models import Operation
from lvs.actions.connections import request_search
from lvs.director.connections import LIMIT
from lvs.forms.connections import ConnectionsForm
from lvs.models import Director

#: A found connection is as old as its search: after so many seconds it says little.
_STALE = 60


@require_http_methods(["GET", "HEAD", "POST"])
def connections(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for a search, and read what the last one found. Asked by htmx, that alone."""
    actor = actor_of(request)
    director = find_visible(
        actor,
        Director.objects.select_related("host").defer("observed_table", "observed_counts"),
        pk=pk,
    )
    if request.method == "POST":
        require(actor, "director.apply", director)
        form = ConnectionsForm(director, request.POST)
        if form.is_valid():
            begun = try_verb(form, lambda: request_search(actor, director, **form.cleaned_data))
            if begun is not None:
                path = reverse("director-connections", args=[pk])
                return redirect(f"{path}?operation={begun.pk}")
        found = None
    else:
        searches = visible_to(actor, Operation.objects.on(director)).filter(
            kind="director.connections"
        )
        found = _chosen(searches, request.GET)
        is_asked = found is not None and "operation" in request.GET
        form = ConnectionsForm(
            director, initial=found.parameters if found and is_asked else request.GET.dict()
        )
    context: dict[str, Any] = {
        "director": director,
        "form": form,
        "search": found,
        "asked": form.words_of(found.parameters) if found else "",
        "limit": LIMIT,
        "stale_after": _STALE,
        "may_search": actor.can("director.apply", director),
    }
    is_part = request.htmx and request.GET.get("part") == "found"  # type: ignore[attr-defined]
    template = "lvs/parts/connections_found.html" if is_part else "lvs/connections.html"
    return render(request, template, context)


def _chosen(searches: QuerySet[Operation], asked: QueryDict) -> Operation | None:
    """The search of the address; the last one where the address asks for nothing new."""
    number = asked.get("operation", "")
    if number.isascii() and number.isdigit() and len(number) < 19:
        return searches.filter(pk=int(number)).first()
    return None if asked.keys() & {"client", "service", "state"} else searches.first()
