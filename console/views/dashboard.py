"""The first page: what needs a person now, then the fleet in figures."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from console import shell
from console.access import actor_of, visible_to
from console.attention import needs
from console.models import Operation

#: The newest operations that the dashboard lists.
LATEST = 8


@require_safe
def dashboard(request: HttpRequest) -> HttpResponse:
    """What waits for this person, the figures that they may see, the latest operations."""
    actor = actor_of(request)
    steps = [
        (step, step.is_done())
        for step in shell.FIRST_STEPS
        if shell.may_somewhere(actor, step.capability)
    ]
    undone = [step for step, is_done in steps if not is_done]
    return render(
        request,
        "console/dashboard.html",
        {
            "needs": needs(actor),
            "tiles": [tile for tile in (make(actor) for make in shell.TILES) if tile],
            "latest": visible_to(actor, Operation.objects.all())[:LATEST],
            "steps": steps,
            "next_step": undone[0] if undone else None,
        },
    )
