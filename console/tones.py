"""The colour of every status choice: one table, so that no template branches on a status.

A tone is one of ok, info, warn, bad, neutral; `evenkeel.css` gives each its colours in light
and dark.
"""

from __future__ import annotations

#: Value of a choice -> tone. Values mean the same wherever they are used.
TONES: dict[str, str] = {
    # Operation and Step
    "queued": "neutral",
    "running": "info",
    "succeeded": "ok",
    "failed": "bad",
    "cancelled": "neutral",
    "unknown": "warn",
    # AuditEvent
    "done": "ok",
    "pending": "info",
    # Alert
    "critical": "bad",
    "warning": "warn",
    # Host
    "unpinned": "warn",
    "pinned": "ok",
    "changed": "bad",
    "reachable": "ok",
    "unreachable": "bad",
    # Provisioning
    "active": "ok",
    "error": "bad",
    # Findings of a preflight
    "ok": "ok",
    "missing": "bad",
    # Readiness for a role
    "ready": "ok",
    "ready-with-warnings": "warn",
    "not-ready": "bad",
    # Entries of an import
    "new": "info",
    "declared": "ok",
    "differs": "warn",
    "refused": "bad",
}

#: Statuses under which something is moving right now; their badges pulse.
LIVE = frozenset({"running", "pending"})


def tone_of(value: object) -> str:
    """The tone of a choice's value; what the table does not know is neutral."""
    return TONES.get(str(value), "neutral")
