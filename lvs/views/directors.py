"""Directors: what is planned for them, how they differ, and what was seen of them."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.contrib import messages
from django.db.models import Count, F, Q
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console.access import Actor, actor_of, find_visible, require, visible_to
from console.forms.base import try_verb
from console.forms.confirm import is_confirmed
from console.listing import ListOf
from console.models import Alert, Operation
from lvs import caps, declared, planned, stamps
from lvs.actions import directors as verbs
from lvs.director.types import Surroundings
from lvs.filters import DirectorFilter
from lvs.forms.confirm import confirmed_removals
from lvs.forms.directors import POLICY_WORDS, DirectorForm, hosts_not_offered
from lvs.ipvsadm.schedulers import SCHEDULERS
from lvs.models import Director, VirtualService
from lvs.models.directors import Provisioning
from lvs.tables import DirectorTable
from lvs.views.statistics import statistics

DIRECTORS = ListOf(
    DirectorFilter,
    DirectorTable,
    default="name",
    sorts={
        "name": "host__name",
        "policy": "policy",
        "drift_count": "drift_count",
        "unmanaged_count": "unmanaged_count",
    },
    shown=("q", "policy", "has_drifted"),
)
#: Operations, services and unmanaged entries that the page of a director lists.
HISTORY = 10
SERVICES = 20
UNMANAGED = 5

#: Without what only planned changes and counts need.
_LIGHT = Director.objects.select_related("host", "probe_host").defer(
    "observed_table", "observed_counts"
)


@require_safe
def directors(request: HttpRequest) -> HttpResponseBase:
    """All directors."""
    actor = actor_of(request)
    require(actor, "director.view")
    rows = visible_to(actor, _LIGHT).annotate(
        service_count=Count("virtual_services"),
        pending_count=Count(
            "virtual_services",
            filter=~Q(virtual_services__generation=F("virtual_services__applied_generation"))
            | Q(virtual_services__removal_requested_at__isnull=False),
        ),
    )
    return DIRECTORS.respond(
        request, rows, "lvs/directors.html", {"may_manage": actor.can("director.manage")}
    )


def _find(request: HttpRequest, pk: int) -> Director:
    return find_visible(actor_of(request), _LIGHT, pk=pk)


@require_safe
def director(request: HttpRequest, pk: int) -> HttpResponse:
    """One director. Asked by htmx for a part of it, that part."""
    actor, found = actor_of(request), _find(request, pk)
    part = request.GET.get("part") if request.htmx else None  # type: ignore[attr-defined]
    if part == "plan":
        return render(request, "lvs/parts/director_plan.html", _plan(actor, found))
    if part == "statistics":
        return render(request, "lvs/parts/statistics.html", statistics(request, found))
    context = _context(request, found)
    if not context["plan_waits"]:
        context |= _plan(actor, found)
    if part != "live":
        context |= statistics(request, found)
    template = "lvs/parts/director.html" if part == "live" else "lvs/director.html"
    return render(request, template, context)


def _plan(actor: Actor, found: Director) -> dict[str, Any]:
    plan = planned.planned_changes(found)
    return {
        "director": found,
        "plan": plan,
        "to_confirm": caps.to_confirm(found, plan),
        "unmanaged": planned.unmanaged(found)[:UNMANAGED] if found.unmanaged_count else [],
        "may_apply": actor.can("director.apply", found),
    }


def _context(request: HttpRequest, found: Director) -> dict[str, Any]:
    actor = actor_of(request)
    history = list(visible_to(actor, Operation.objects.on(found))[:HISTORY])
    schedulers = planned.kernel_schedulers(found)
    open_alerts = Alert.objects.open().filter(
        target_type=found._meta.label_lower, target_id=found.pk
    )
    alerts = list(visible_to(actor, open_alerts))
    services = visible_to(actor, VirtualService.objects.filter(director=found))
    return {
        "director": found,
        "surroundings": Surroundings.from_json(found.observed_facts),
        "schedulers": [SCHEDULERS[name] for name in SCHEDULERS if name in (schedulers or ())],
        "policy_words": POLICY_WORDS[found.policy],
        "drift_lines": found.drift.splitlines(),
        "is_reconciling": found.policy == Director.Policy.RECONCILE,
        "has_stopped": found.reconcile_failures >= settings.RECONCILE_MAX_FAILURES,
        "services": _services(found, services),
        "service_count": services.count(),
        "alerts": [alert for alert in alerts if alert.kind != "director-drift"],
        "drift_alert": next((one for one in alerts if one.kind == "director-drift"), None),
        "history": history,
        "live": next((operation for operation in history if operation.is_live), None),
        "may_apply": actor.can("director.apply", found),
        "may_manage": actor.can("director.manage", found),
        "may_declare": actor.can("virtual_service.manage"),
        "stale_after": settings.POLL_INTERVAL * 3,
        "plan_stamp": stamps.plan_stamp(found),
        "plan_waits": found.table_size > settings.LARGE_TABLE and request.GET.get("plan") != "now",
    }


def _services(found: Director, services: Any) -> list[tuple[VirtualService, int | None]]:
    """The newest services, those that wait for something first, each with its connections
    as last counted; None where they were not, or are too many to add up for a page."""
    rows = (
        services.annotate(
            server_count=Count("real_servers"),
            is_settled=Q(provisioning_status=Provisioning.ACTIVE, removal_requested_at=None),
        )
        .defer("proof")
        .order_by("is_settled", "-pk")[:SERVICES]
    )
    counts = found.counts if found.table_size <= settings.LARGE_TABLE else {}
    sums = {key: sum(map(sum, servers.values())) for key, servers in counts.items()}
    return [(row, sums.get(str(declared.key_of(row)))) for row in rows]


@require_http_methods(["GET", "HEAD", "POST"])
def director_add(request: HttpRequest) -> HttpResponse:
    """Declare that a host is a director; its table is looked at, nothing is changed."""
    actor = actor_of(request)
    require(actor, "director.manage")
    is_save = request.method == "POST" and request.POST.get("do") != "redraw"
    initial = request.POST or request.GET
    form = (
        DirectorForm(request.POST, actor=actor)
        if is_save
        else DirectorForm(actor=actor, initial=initial.dict())
    )
    if is_save and form.is_valid():
        made = try_verb(form, lambda: verbs.create_director(actor, **form.values))
        if made is not None:
            return redirect(made[0])
    context = {"form": form, "not_offered": hosts_not_offered(actor)}
    return render(request, "lvs/director_form.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def director_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change policy, client for proofs, or the interface of VIPs not in place yet."""
    actor, found = actor_of(request), _find(request, pk)
    require(actor, "director.manage", found)
    form = DirectorForm(request.POST or None, instance=found, actor=actor)
    if request.method == "POST" and form.is_valid():
        changed = try_verb(
            form,
            lambda: verbs.update_director(
                actor, found, expected_version=form.expected_version, **form.values
            ),
        )
        if changed is not None:
            messages.success(request, _("%(director)s was changed.") % {"director": changed})
            return redirect(changed)
    context = {"form": form, "director": _find(request, pk)}
    return render(request, "lvs/director_form.html", context)


@require_POST
def director_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a director whose name was typed; its table stays as it is."""
    actor, found = actor_of(request), _find(request, pk)
    require(actor, "director.manage", found)
    if not is_confirmed(request, str(found)):
        return redirect(found)
    verbs.delete_director(actor, found)
    messages.success(
        request,
        _("%(director)s is no longer a director here. Its table stays as it is.")
        % {"director": found},
    )
    return redirect("directors")


@require_POST
def director_observe(request: HttpRequest, pk: int) -> HttpResponse:
    """Look at the whole table now."""
    found = _find(request, pk)
    verbs.request_observe(actor_of(request), found)
    return redirect(found)


@require_POST
def director_apply(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply all that is planned."""
    found = _find(request, pk)
    verbs.request_apply(actor_of(request), found, confirm_removals=confirmed_removals(request))
    return redirect(found)
