"""One real server at a time: add it, change it, weigh it, take it out."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from console.access import actor_of, find_visible, require
from console.forms.base import try_verb
from console.forms.confirm import is_confirmed
from lvs.actions import virtual_services as verbs
from lvs.actions.draining import drain_real_server
from lvs.forms import real_servers
from lvs.forms.real_servers import DrainForm, RealServerForm, WeightForm
from lvs.models import RealServer, VirtualService
from lvs.views.virtual_services import find as find_service


def _servers() -> QuerySet[RealServer]:
    return RealServer.objects.select_related("virtual_service__director__host")


def _find(request: HttpRequest, pk: int) -> RealServer:
    return find_visible(actor_of(request), _servers(), pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
def real_server_add(request: HttpRequest, pk: int) -> HttpResponse:
    """One more real server for a service."""
    actor, service = actor_of(request), find_service(request, pk)
    require(actor, "virtual_service.manage", service)
    form = RealServerForm(
        request.POST or None,
        machines=real_servers.machines_for(actor),
        has_pools=service.is_marked,
    )
    if request.method == "POST" and form.is_valid():
        values = form.server(_asked(service))
        values.pop("id", None)
        if try_verb(form, lambda: verbs.add_real_server(actor, service, **values)):
            return redirect(service)
    return _page(request, form, service)


@require_http_methods(["GET", "HEAD", "POST"])
def real_server_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change weight, thresholds, method, or the address itself."""
    actor, server = actor_of(request), _find(request, pk)
    require(actor, "virtual_service.manage", server)
    machines = real_servers.machines_for(actor, [server])
    kept = real_servers.values_of(server)
    form = RealServerForm(
        request.POST or None,
        initial=kept,
        machines=machines,
        has_pools=server.virtual_service.is_marked,
    )
    if request.method == "POST" and form.is_valid():
        values = form.server(_asked(server.virtual_service))
        values.pop("id", None)
        version = _version(request)
        if try_verb(
            form,
            lambda: verbs.update_real_server(actor, server, expected_version=version, **values),
        ):
            return redirect(server.virtual_service)
    server = _find(request, pk)
    return _page(request, form, server.virtual_service, server)


def _asked(service: VirtualService) -> dict[str, Any]:
    return {"port": service.port, "matching": service.matching}


def _version(request: HttpRequest) -> int | None:
    text = request.POST.get("version", "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 19 else None


def _page(
    request: HttpRequest,
    form: RealServerForm,
    service: VirtualService,
    server: RealServer | None = None,
) -> HttpResponse:
    context = {"form": form, "service": service, "server": server}
    return render(request, "lvs/real_server_form.html", context)


@require_POST
def real_server_weight(request: HttpRequest, pk: int) -> HttpResponse:
    """A new weight; 0 drains."""
    actor, server, form = actor_of(request), _find(request, pk), WeightForm(request.POST)
    require(actor, "virtual_service.manage", server)
    if form.is_valid():
        weight, version = form.cleaned_data["weight"], form.cleaned_data["version"]
        try_verb(
            form,
            lambda: verbs.update_real_server(
                actor, server, expected_version=version, weight=weight
            ),
        )
    for said in form.errors.values():
        messages.error(request, f"{server}: {' '.join(map(str, said))}")
    return redirect(server.virtual_service)


@require_POST
def real_server_drain(request: HttpRequest, pk: int) -> HttpResponse:
    """Drain, and then take it out or keep it with weight 0."""
    actor, server, form = actor_of(request), _find(request, pk), DrainForm(request.POST)
    require(actor, "virtual_service.manage", server)
    if form.is_valid():
        try_verb(form, lambda: drain_real_server(actor, server, **form.cleaned_data))
    for said in form.errors.values():
        messages.error(request, f"{server}: {' '.join(map(str, said))}")
    return redirect(server.virtual_service)


@require_POST
def real_server_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a real server, whose address was typed, out of its service."""
    actor, server = actor_of(request), _find(request, pk)
    require(actor, "virtual_service.manage", server)
    if is_confirmed(request, server.address):
        verbs.remove_real_server(actor, server)
        messages.success(
            request,
            _("%(server)s will be taken out by Apply.") % {"server": server},
        )
    return redirect(server.virtual_service)
