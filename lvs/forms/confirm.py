"""What somebody typed to say that so much is meant to go."""

from __future__ import annotations

from django.http import HttpRequest


def confirmed_removals(request: HttpRequest) -> int:
    """The number of entries that was typed; 0 for nothing, or no number."""
    text = request.POST.get("confirm_removals", "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
