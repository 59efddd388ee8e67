"""What each alert means and what to press: docs/runbook.md as a page."""

from __future__ import annotations

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console.runbook import to_html


@require_safe
def runbook(request: HttpRequest) -> HttpResponse:
    """The runbook that came with this version."""
    path = settings.BASE_DIR / "docs" / "runbook.md"
    if not path.is_file():
        raise Http404
    text = to_html(path.read_text(encoding="utf-8"))
    return render(request, "console/runbook.html", {"text": text})
