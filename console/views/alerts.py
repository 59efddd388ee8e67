"""Alerts: what is wrong, what it means, what to press."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from console import alerts as verbs
from console import shell
from console.access import actor_of, find_visible, visible_to
from console.attention import alert_words
from console.filters import AlertFilter
from console.listing import ListOf
from console.models import Alert
from console.tables import AlertTable

ALERTS = ListOf(
    AlertFilter,
    AlertTable,
    default="-id",
    sorts={"raised_at": "raised_at", "severity": "severity", "target_label": "target_label"},
    shown=("q", "is_open", "severity", "is_acknowledged"),
)
#: At most so many are acknowledged by one press.
MAX_BULK = 200


@require_safe
def alerts(request: HttpRequest) -> HttpResponseBase:
    """The open alerts; those of the past when the filter says so."""
    actor = actor_of(request)
    shell.require_somewhere(actor, "alert.view")
    rows = visible_to(actor, Alert.objects.select_related("acknowledged_by"))
    is_default = not request.GET
    if "is_open" not in request.GET:
        query = request.GET.copy()
        query["is_open"] = "true"
        request.GET = query  # type: ignore[assignment]
    return ALERTS.respond(
        request,
        rows,
        "console/alerts.html",
        {
            "may_acknowledge": shell.may_somewhere(actor, "alert.acknowledge"),
            "is_default": is_default,
        },
    )


@require_safe
def alert(request: HttpRequest, pk: int) -> HttpResponse:
    """One alert in words, with the commands that would mend it."""
    actor = actor_of(request)
    found = find_visible(actor, Alert.objects.select_related("acknowledged_by"), pk=pk)
    title, detail = alert_words(found)
    kind = verbs.KINDS.get(found.kind)
    return render(
        request,
        "console/alert.html",
        {
            "alert": found,
            "title": title,
            "detail": detail,
            "button": shell.ALERT_BUTTONS.get(found.kind, ""),
            "runbook": f"{reverse('runbook')}#{kind.runbook}" if kind else "",
            "may_acknowledge": found.resolved_at is None
            and found.acknowledged_at is None
            and actor.can("alert.acknowledge", found),
            "shows_commands": actor.can("operation.output"),
            "earlier": visible_to(
                actor, Alert.objects.filter(fingerprint=found.fingerprint)
            ).exclude(pk=found.pk)[:10],
        },
    )


@require_POST
def acknowledge(request: HttpRequest, pk: int) -> HttpResponse:
    """Say that somebody looks after it."""
    actor = actor_of(request)
    found = find_visible(actor, Alert.objects.all(), pk=pk)
    verbs.acknowledge(actor, found)
    return redirect("alert", pk)


@require_POST
def acknowledge_several(request: HttpRequest) -> HttpResponse:
    """The same for every alert that was ticked."""
    actor = actor_of(request)
    wanted = [key for key in request.POST.getlist("alert") if key.isdecimal()][:MAX_BULK]
    rows = visible_to(actor, Alert.objects.open()).filter(pk__in=wanted, acknowledged_at=None)
    count = 0
    for found in rows:
        verbs.acknowledge(actor, found)
        count += 1
    messages.success(
        request,
        ngettext("%(count)d alert acknowledged.", "%(count)d alerts acknowledged.", count)
        % {"count": count},
    )
    return redirect("alerts")
