"""Many virtual services at once: the planned lines first, then the verb."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console.access import actor_of, require, visible_to
from lvs import caps, dryrun, planned, plans, situations
from lvs.actions import bulk as verbs
from lvs.forms.confirm import confirmed_removals
from lvs.models import VirtualService

#: At most so many are changed by one press.
MAX_BULK = 200


def _chosen(request: HttpRequest) -> list[VirtualService]:
    """The ticked services that the reader may know about, in the order of their names."""
    data = request.POST if request.method == "POST" else request.GET
    pks = [int(value) for value in data.getlist("service")[:MAX_BULK] if _is_number(value)]
    rows = VirtualService.objects.select_related("director__host", "tenant").prefetch_related(
        "real_servers"
    )
    return list(visible_to(actor_of(request), rows.filter(pk__in=pks)).order_by("name", "pk"))


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


@require_safe
def review(request: HttpRequest) -> HttpResponse:
    """What applying or removing the ticked services would run; nothing is changed."""
    actor, services = actor_of(request), _chosen(request)
    if not services:
        messages.info(request, _("Tick at least one virtual service."))
        return redirect("virtual-services")
    for service in services:
        require(actor, "virtual_service.manage", service)
    is_removal = request.GET.get("do") == "remove"
    shares = _shares(services, is_removal=is_removal)
    context = {
        "services": services,
        "is_removal": is_removal,
        "shares": shares,
        "is_blocked": any(share["problems"] for share in shares),
        "to_confirm": 0 if is_removal else max(share["to_confirm"] for share in shares),
        "expect": verbs.words_for_removal(services),
    }
    return render(request, "lvs/review.html", context)


def _shares(services: list[VirtualService], *, is_removal: bool) -> list[dict[str, Any]]:
    """For each director its services and their plan."""
    by_director: dict[Any, list[VirtualService]] = {}
    for service in services:
        by_director.setdefault(service.director, []).append(service)
    plan = dryrun.planned_removal if is_removal else _planned
    planned_for = {director: plan(director, ours) for director, ours in by_director.items()}
    return [
        {
            "director": director,
            "services": ours,
            "plan": planned_for[director],
            "to_confirm": caps.to_confirm(director, planned_for[director], ours),
            "problems": [] if is_removal else situations.blocking(director, ours),
        }
        for director, ours in by_director.items()
    ]


def _planned(director: Any, services: list[VirtualService]) -> Any:
    return plans.own_part(planned.planned_changes(director, services=services), services)


@require_POST
def apply_several(request: HttpRequest) -> HttpResponse:
    """Apply the reviewed services."""
    _say(
        request,
        verbs.apply_several(
            actor_of(request), _chosen(request), confirm_removals=confirmed_removals(request)
        ),
    )
    return redirect("virtual-services")


@require_POST
def remove_several(request: HttpRequest) -> HttpResponse:
    """Remove the reviewed services, after the words were typed."""
    services = _chosen(request)
    if not services:
        return redirect("virtual-services")
    try:
        answers = verbs.remove_several(
            actor_of(request), services, confirm=request.POST.get("confirm", "")
        )
    except ValidationError as error:
        messages.error(request, " ".join(error.messages))
    else:
        _say(request, answers)
    return redirect("virtual-services")


def _say(request: HttpRequest, answers: list[verbs.Answer]) -> None:
    for answer in answers:
        if answer.refusal is not None:
            messages.error(request, f"{answer.director}: {answer.refusal}")
        elif answer.operation is not None:
            messages.success(
                request,
                _("%(director)s: operation #%(number)s is under way.")
                % {"director": answer.director, "number": answer.operation.pk},
            )
        else:
            messages.success(
                request,
                _("%(director)s: gone. They had never been applied.")
                % {"director": answer.director},
            )
