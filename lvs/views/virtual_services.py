"""Virtual services: the list, the page with the drawn path, and what can be asked of one."""

from __future__ import annotations

from typing import Any

import django_filters
from django.conf import settings
from django.contrib import messages
from django.db.models import Count, OuterRef, Q, QuerySet, Subquery
from django.db.models.fields.json import KT
from django.db.models.functions import Coalesce
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.http import require_POST, require_safe

from console import shell
from console.access import Actor, actor_of, find_visible, require, visible_to
from console.forms.confirm import is_confirmed
from console.listing import ListOf
from console.models import Operation
from lvs import caps, cascades, draining, planned, plans, preparations, proven, reached, shown
from lvs.actions import directors
from lvs.actions import virtual_services as verbs
from lvs.filters import VirtualServiceFilter
from lvs.forms.confirm import confirmed_removals
from lvs.models import Director, RealServer, VirtualService
from lvs.tables import VirtualServiceTable
from lvs.views.pools import pools_of
from lvs.views.statistics import rates, statistics

#: Operations that the page of a service lists, and how far back it looks for them.
HISTORY = 10
_LOOKED_AT = 60

#: What a page of one service needs; the director's table is read when it is asked for.
SERVICES = VirtualService.objects.select_related("tenant", "director__host", "director__probe_host")


def _directors(request: HttpRequest) -> QuerySet[Director]:
    return visible_to(
        actor_of(request),
        Director.objects.select_related("host").only("host", "host__name").order_by("host__name"),
    )


class ServicePageFilter(VirtualServiceFilter):
    """The same filters, with the directors to choose from."""

    director = django_filters.ModelChoiceFilter(queryset=_directors, label=gettext_lazy("Director"))


VIRTUAL_SERVICES = ListOf(
    ServicePageFilter,
    VirtualServiceTable,
    default="name",
    sorts={
        "name": "name",
        "vip": "vip",
        "director": "director__host__name",
        "forwarding": "forwarding",
        "provisioning_status": "provisioning_status",
    },
    shown=("q", "director", "protocol", "matching", "forwarding", "provisioning_status"),
)


def listed(actor: Actor) -> QuerySet[VirtualService]:
    """The rows of the list, without the large columns of service, director and host."""
    servers = (
        RealServer.objects.filter(virtual_service=OuterRef("pk"))
        .order_by()
        .values("virtual_service")
        .annotate(count=Count("pk"))
        .values("count")
    )
    return (
        visible_to(actor, VirtualService.objects.select_related("director__host"))
        .defer(
            "proof",
            "director__observed_table",
            "director__observed_counts",
            "director__observed_facts",
            "director__drift",
            "director__host__preflight",
        )
        .annotate(server_count=Coalesce(Subquery(servers), 0), verdict=KT("proof__verdict"))
    )


@require_safe
def virtual_services(request: HttpRequest) -> HttpResponseBase:
    """All virtual services that the reader may know about."""
    actor = actor_of(request)
    shell.require_somewhere(actor, "virtual_service.view")
    context = {
        "may_add": actor.can("virtual_service.manage"),
        "may_manage": shell.may_somewhere(actor, "virtual_service.manage"),
        "has_director": _directors(request).exists(),
    }
    return VIRTUAL_SERVICES.respond(request, listed(actor), "lvs/virtual_services.html", context)


def find(request: HttpRequest, pk: int) -> VirtualService:
    """The one service of the address, or 404."""
    return find_visible(
        actor_of(request), SERVICES.prefetch_related("real_servers", "addresses"), pk=pk
    )


@require_safe
def virtual_service(request: HttpRequest, pk: int) -> HttpResponse:
    """One service. Asked by htmx for its live part, that alone."""
    actor, service = actor_of(request), find(request, pk)
    part = request.GET.get("part") if request.htmx else None  # type: ignore[attr-defined]
    if part == "statistics":
        return render(request, "lvs/parts/statistics.html", statistics(request, service))
    is_part = part == "live"
    context = _context(actor, service) | {"is_part": is_part}
    if not is_part:
        context |= statistics(request, service)
    template = "lvs/parts/service.html" if is_part else "lvs/virtual_service.html"
    return render(request, template, context)


def _context(actor: Actor, service: VirtualService) -> dict[str, Any]:
    rows = list(service.real_servers.all())
    live = planned.live(service)
    plan = plans.plan_for(service)
    servers = shown.servers_of(service, rows, live)
    operations = _operations(actor, service)
    problems = shown.advice_for(actor, service)
    return {
        "service": service,
        "director": service.director,
        "standing": shown.standing(service, plan),
        "plan": plan,
        "has_drifted": shown.has_drifted(service, plan),
        "pools": pools_of(service, rows),
        "to_confirm": caps.to_confirm(service.director, plan, [service]),
        "takes_connections": plans.takes_connections(plan),
        "seen": live,
        "servers": servers,
        "path": shown.path_of(service, servers),
        "problems": problems,
        "second_tier": cascades.backs_of(service, rows),
        "fronts": visible_to(
            actor,
            VirtualService.objects.filter(pk__in=[one.pk for one in cascades.fronts_of(service)]),
        ),
        "is_front": service.forwarding in cascades.FRONT,
        "is_blocked": shown.is_blocked(service, problems),
        "proof": proven.proof_of(service, rows),
        "paths": reached.paths_of(service),
        "owner": reached.owner_of(service),
        "drains": draining.drains_of(rows),
        "drain_words": draining.to_know_before(service, rows),
        "history": [one for one in operations if _is_about(one, service)][:HISTORY],
        "live": next((one for one in operations if one.is_live), None),
        "preparations": preparations.preparations_of(actor, rows),
        "may_prepare": actor.can("director.apply"),
        "may_manage": actor.can("virtual_service.manage", service),
        "may_prove": actor.can("virtual_service.prove", service),
        "sees_director": actor.can("director.view"),
        "stale_after": settings.POLL_INTERVAL * 3,
        **rates(service, rows),
    }


def _operations(actor: Actor, service: VirtualService) -> list[Operation]:
    """The latest operations on the service and on its director."""
    director = service.director
    return list(
        visible_to(actor, Operation.objects.all()).filter(
            Q(target_type=service._meta.label_lower, target_id=service.pk)
            | Q(target_type=director._meta.label_lower, target_id=director.pk)
        )[:_LOOKED_AT]
    )


def _is_about(operation: Operation, service: VirtualService) -> bool:
    """Its proofs, and those applies of its director that were about it or about all."""
    if operation.target_type == service._meta.label_lower:
        return True
    named = operation.parameters.get("services", [service.pk])
    return operation.kind == "director.apply" and service.pk in named


@require_POST
def service_apply(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply what is planned for this service alone."""
    service = find(request, pk)
    directors.request_apply(
        actor_of(request),
        service.director,
        services=[service],
        confirm_removals=confirmed_removals(request),
    )
    return redirect(service)


@require_POST
def service_prove(request: HttpRequest, pk: int) -> HttpResponse:
    """Send real requests through the VIP."""
    service = find(request, pk)
    verbs.request_proof(actor_of(request), service)
    return redirect(service)


@require_POST
def service_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove a service whose name was typed."""
    actor, service = actor_of(request), find(request, pk)
    require(actor, "virtual_service.manage", service)
    if not is_confirmed(request, service.name):
        return redirect(service)
    operation = verbs.request_removal(actor, service, confirm=request.POST["confirm"])
    if operation is not None:
        return redirect(service)
    messages.success(
        request, _("%(name)s is gone. It had never been applied.") % {"name": service.name}
    )
    return redirect("virtual-services")


@require_POST
def service_keep(request: HttpRequest, pk: int) -> HttpResponse:
    """Undo a removal that has not happened."""
    service = find(request, pk)
    verbs.keep(actor_of(request), service)
    messages.success(
        request, _("%(name)s stays. Apply puts back what is missing.") % {"name": service.name}
    )
    return redirect(service)
