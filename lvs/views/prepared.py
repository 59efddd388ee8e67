"""Prepared machines: what was put on them and why, and preparing them now."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_POST, require_safe

from console.access import actor_of, find_visible, require, visible_to
from console.models import Alert, Operation
from console.shell import require_somewhere
from lvs import needed
from lvs.actions import preparation as verbs
from lvs.models import PreparedServer, RealServer, VirtualService
from lvs.realserver.sample import Seen

HISTORY = 10


def _rows() -> QuerySet[PreparedServer]:
    return PreparedServer.objects.select_related("host")


@require_safe
def prepared_servers(request: HttpRequest) -> HttpResponse:
    """Every machine that the console has prepared as a real server."""
    actor = actor_of(request)
    require_somewhere(actor, "director.view")
    context = {
        "rows": [(row, len(row.needs)) for row in visible_to(actor, _rows())],
        "stale_after": settings.PREPARED_INTERVAL * 3,
    }
    return render(request, "lvs/prepared_servers.html", context)


@require_safe
def prepared_server(request: HttpRequest, pk: int) -> HttpResponse:
    """One machine: why it is prepared, what was there before, what differs."""
    actor = actor_of(request)
    row = find_visible(actor, _rows(), pk=pk)
    history = list(visible_to(actor, Operation.objects.on(row))[:HISTORY])
    services = VirtualService.objects.in_bulk({need.service for need in row.need_values})
    settled = needed.settled_needs(row)
    open_alerts = Alert.objects.open().filter(target_type=row._meta.label_lower, target_id=row.pk)
    context = {
        "row": row,
        "seen": Seen.from_json(row.observed_facts),
        "needs": [
            (need, services.get(need.service), need not in settled)
            for need in sorted(row.need_values | settled)
        ],
        "drift_lines": row.drift.splitlines(),
        "alerts": list(visible_to(actor, open_alerts)),
        "history": history,
        "live": next((one for one in history if one.is_live), None),
        "may_apply": actor.can("director.apply"),
        "stale_after": settings.PREPARED_INTERVAL * 3,
    }
    return render(request, "lvs/prepared_server.html", context)


@require_POST
def prepared_server_prepare(request: HttpRequest, pk: int) -> HttpResponse:
    """Prepare and verify it now."""
    actor = actor_of(request)
    row = find_visible(actor, _rows(), pk=pk)
    verbs.request_preparation(actor, row)
    return redirect(row)


def _server(request: HttpRequest, pk: int) -> RealServer:
    rows = RealServer.objects.select_related("host", "virtual_service__director__host")
    return find_visible(actor_of(request), rows, pk=pk)


@require_POST
def real_server_prepare(request: HttpRequest, pk: int) -> HttpResponse:
    """Prepare and verify the machine of one real server now."""
    actor, server = actor_of(request), _server(request, pk)
    require(actor, "director.apply")
    verbs.request_preparation_of(actor, server)
    return redirect(server.virtual_service)


@require_POST
def real_server_link(request: HttpRequest, pk: int) -> HttpResponse:
    """Link it to the machine that was suggested."""
    actor, server = actor_of(request), _server(request, pk)
    require(actor, "director.apply")
    verbs.use_suggested_machine(actor, server)
    return redirect(server.virtual_service)
