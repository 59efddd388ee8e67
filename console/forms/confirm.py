"""The name that somebody types before something is destroyed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest
from django.utils.translation import gettext as _


def is_confirmed(request: HttpRequest, expect: str) -> bool:
    """Whether "confirm" is the name that was asked for; says so on the next page if not."""
    if request.POST.get("confirm", "").strip() == expect:
        return True
    messages.error(
        request,
        _("Nothing was done: the name did not match. Type “%(name)s” to confirm.")
        % {"name": expect},
    )
    return False
