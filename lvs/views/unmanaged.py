"""Entries of a director's table that nobody has declared here: adopt or remove."""

from __future__ import annotations

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.access import actor_of, find_visible, require
from console.keyset import InvalidCursor, page_of
from lvs import planned
from lvs.actions import directors as verbs
from lvs.forms.directors import UnmanagedForm
from lvs.models import Director

#: Entries on one page: each is shown with all of its lines.
PAGE_SIZE = 25


def _find(request: HttpRequest, pk: int) -> Director:
    return find_visible(actor_of(request), Director.objects.select_related("host"), pk=pk)


@require_safe
def unmanaged(request: HttpRequest, pk: int) -> HttpResponse:
    """All of them, by key; `q` is a part of a line."""
    found = _find(request, pk)
    words = request.GET.get("q", "").strip()[:200]
    entries = [
        entry
        for entry in planned.unmanaged(found)
        if not words or any(words in line for line in (entry.key, *entry.lines))
    ]
    try:
        page = page_of(
            entries, lambda entry: entry.key, cursor=request.GET.get("cursor", ""), limit=PAGE_SIZE
        )
    except InvalidCursor:
        page = page_of(entries, lambda entry: entry.key, limit=PAGE_SIZE)
    context = {
        "director": found,
        "words": words,
        "count": len(entries),
        "page": page,
        "may_apply": actor_of(request).can("director.apply", found),
    }
    return render(request, "lvs/unmanaged.html", context)


def _say(request: HttpRequest, error: ValidationError) -> None:
    for message in error.messages:
        messages.error(request, message)


@require_POST
def adopt(request: HttpRequest, pk: int) -> HttpResponse:
    """Bring an entry under management exactly as it is."""
    actor, found, form = actor_of(request), _find(request, pk), UnmanagedForm(request.POST)
    require(actor, "director.apply", found)
    if not form.is_valid():
        messages.error(request, _("Give a name of at most 64 characters."))
        return redirect(found)
    key, name = form.cleaned_data["key"], form.cleaned_data["name"] or None
    try:
        service, _operation = verbs.adopt(actor, found, key=key, name=name)
    except ValidationError as error:
        _say(request, error)
        return redirect(found)
    messages.success(request, _("%(key)s is managed now, exactly as it is there.") % {"key": key})
    return redirect(service)


@require_POST
def remove_unmanaged(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove an entry whose key was typed."""
    actor, found, form = actor_of(request), _find(request, pk), UnmanagedForm(request.POST)
    require(actor, "director.apply", found)
    if form.is_valid():
        key, typed = form.cleaned_data["key"], form.cleaned_data["confirm"]
        try:
            verbs.request_removal_of_unmanaged(actor, found, key=key, confirm=typed)
        except ValidationError as error:
            _say(request, error)
    return redirect(found)
