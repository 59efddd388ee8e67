"""The journal: every operation, its steps, and the two things that can be done to it."""

from __future__ import annotations

from datetime import UTC, datetime

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBadRequest, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from console import operations as verbs
from console import shell
from console.access import Actor, actor_of, find_visible, may_see_output, visible_to
from console.filters import OperationFilter
from console.listing import ListOf
from console.models import Operation
from console.tables import OperationTable

OPERATIONS = ListOf(
    OperationFilter,
    OperationTable,
    default="-id",
    sorts={
        "number": "pk",
        "target_label": "target_label",
        "status": "status",
        "queued_at": "queued_at",
    },
    shown=("q", "status"),
)
#: Toasts at once; more ended operations than this are on the list.
MAX_TOASTS = 5


@require_safe
def operations(request: HttpRequest) -> HttpResponseBase:
    """All operations that the reader may know about, the newest first."""
    actor = actor_of(request)
    shell.require_somewhere(actor, "operation.view")
    return OPERATIONS.respond(
        request, visible_to(actor, Operation.objects.all()), "console/operations.html"
    )


def _may(actor: Actor, operation: Operation, capability: str) -> bool:
    kind = verbs.KINDS.get(operation.kind)
    return (
        kind is not None
        and actor.can(kind.capability, operation)
        and actor.can(capability, operation)
    )


@require_safe
def operation(request: HttpRequest, pk: int) -> HttpResponse:
    """One operation with its steps. Asked by htmx, only the part that moves."""
    actor = actor_of(request)
    found = find_visible(actor, Operation.objects.select_related("tenant", "retry_of"), pk=pk)
    kind = verbs.KINDS.get(found.kind)
    status = Operation.Status(found.status)
    return render(
        request,
        "includes/operation.html" if request.htmx else "console/operation.html",  # type: ignore[attr-defined]
        {
            "operation": found,
            "steps": found.steps.all(),
            "retries": found.retries.order_by("pk"),
            "shows_output": may_see_output(actor, found),
            "may_cancel": found.is_live
            and kind is not None
            and kind.is_cancellable
            and found.cancel_requested_at is None
            and _may(actor, found, "operation.cancel"),
            "may_retry": status in (Operation.Status.FAILED, Operation.Status.CANCELLED)
            and _may(actor, found, "operation.retry"),
        },
    )


@require_POST
def cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Cancel an operation."""
    actor = actor_of(request)
    found = verbs.request_cancel(actor, find_visible(actor, Operation.objects.all(), pk=pk))
    if found.is_live:
        messages.info(request, _("It will stop at the next safe point."))
    return redirect(found)


@require_POST
def retry(request: HttpRequest, pk: int) -> HttpResponse:
    """Ask for the same thing again."""
    actor = actor_of(request)
    return redirect(verbs.request_retry(actor, find_visible(actor, Operation.objects.all(), pk=pk)))


@require_safe
def ended(request: HttpRequest) -> HttpResponse:
    """Toasts for the reader's own operations that ended after `since` (ISO 8601).

    X-Since is the `since` of the next question, X-Live says whether more are under way.
    """
    since = _moment(request.GET.get("since", ""))
    if since is None:
        return HttpResponseBadRequest()
    now = timezone.now()
    mine = visible_to(actor_of(request), Operation.objects.filter(requested_by=request.user.pk))
    rows = mine.filter(finished_at__gt=since, finished_at__lte=now).order_by("-finished_at")
    response = render(request, "includes/toasts.html", {"operations": rows[:MAX_TOASTS]})
    response["X-Since"] = now.isoformat()
    response["X-Live"] = "1" if mine.filter(status__in=Operation.LIVE).exists() else "0"
    return response


def _moment(text: str) -> datetime | None:
    try:
        moment = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        return None
    if moment is not None and timezone.is_naive(moment):
        return moment.replace(tzinfo=UTC)
    return moment
