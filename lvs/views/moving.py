"""Moving a service to another forwarding method: what it means first, then the press."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from console.access import actor_of, require
from console.forms.base import try_verb
from lvs import moving
from lvs.actions.moving import move_forwarding
from lvs.forms.moving import MoveForm
from lvs.models.virtual_services import Forwarding
from lvs.views.virtual_services import find


@require_http_methods(["GET", "HEAD", "POST"])
def service_move(request: HttpRequest, pk: int) -> HttpResponse:
    """Shows what a move to `?forwarding=` would do; POST does it."""
    actor, service = actor_of(request), find(request, pk)
    require(actor, "virtual_service.manage", service)
    asked = request.GET.get("forwarding", "")
    form = MoveForm.of(service, asked if asked in Forwarding.values else "")
    if request.method == "POST":
        form = MoveForm(request.POST)
        if form.is_valid():
            moved = try_verb(form, lambda: move_forwarding(actor, service, **form.values))
            if moved is not None:
                return redirect("virtual-service", pk)
        service = find(request, pk)
    chosen = str(form["forwarding"].value())
    rows = list(service.real_servers.all())
    is_known = chosen in Forwarding.values
    context = {
        "service": service,
        "form": form,
        "method": Forwarding(chosen).label if is_known else "",
        "fates": moving.fates_of(service, rows, chosen) if is_known else [],
        "consequences": moving.consequences(service, rows, chosen) if is_known else [],
    }
    return render(request, "lvs/service_move.html", context)
