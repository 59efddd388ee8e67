"""Finding things by name, address or number: the palette, and the same as a page."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.functional import Promise
from django.views.decorators.http import require_safe

from console import shell
from console.access import Actor, actor_of
from console.shell import Found

#: Rows of each sort: in the palette, and on the page.
PALETTE_ROWS, PAGE_ROWS = 6, 50
MAX_WORDS = 200


def find(actor: Actor, words: str, limit: int) -> list[tuple[str | Promise, list[Found]]]:
    """[(heading, rows)] of everything visible that fits; pages only while nothing is typed."""
    finders = shell.FINDERS if words else shell.FINDERS[:1]
    found = [(finder.heading, list(finder.find(actor, words, limit))) for finder in finders]
    return [(heading, rows) for heading, rows in found if rows]


def _words(request: HttpRequest) -> str:
    return request.GET.get("q", "").replace("\x00", "").strip()[:MAX_WORDS]


@require_safe
def palette(request: HttpRequest) -> HttpResponse:
    """The fragment that the palette shows while somebody types."""
    words = _words(request)
    limit = PALETTE_ROWS if words else PAGE_ROWS
    groups = find(actor_of(request), words, limit)
    context = {"groups": groups, "words": words, "is_palette": True}
    return render(request, "includes/found.html", context)


@require_safe
def search(request: HttpRequest) -> HttpResponse:
    """The same as a page; the only thing found is opened at once."""
    words = _words(request)
    groups = find(actor_of(request), words, PAGE_ROWS) if words else []
    rows = [found for _heading, rows in groups for found in rows]
    if len(rows) == 1:
        return redirect(rows[0].url)
    return render(request, "console/search.html", {"groups": groups, "words": words})
