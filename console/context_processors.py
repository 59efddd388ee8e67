"""What the frame of every page needs."""

from __future__ import annotations

from typing import Any

from django.http import HttpRequest

from console.access import actor_of, visible_to
from console.models import Alert, Operation


def shell(request: HttpRequest) -> dict[str, Any]:
    """The actor, and the two counts in the sidebar."""
    if not getattr(request, "user", None) or not request.user.is_authenticated:
        return {}
    actor = actor_of(request)
    return {
        "actor": actor,
        "open_alerts": visible_to(actor, Alert.objects.open()).count(),
        "live_operations": visible_to(actor, Operation.objects.live()).count(),
    }
