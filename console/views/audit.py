"""The audit log."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponseBase
from django.views.decorators.http import require_safe

from console import shell
from console.access import actor_of, visible_to
from console.filters import AuditEventFilter
from console.listing import ListOf
from console.models import AuditEvent
from console.tables import AuditTable

AUDIT = ListOf(
    AuditEventFilter,
    AuditTable,
    default="-id",
    sorts={"at": "at", "actor_label": "actor_label", "verb": "verb"},
    shown=("q", "actor", "verb", "outcome"),
)


@require_safe
def audit(request: HttpRequest) -> HttpResponseBase:
    """Who did what, to what, from where, and how it ended."""
    actor = actor_of(request)
    shell.require_somewhere(actor, "audit.view")
    return AUDIT.respond(request, visible_to(actor, AuditEvent.objects.all()), "console/audit.html")
