"""Work is done only on a machine whose host key somebody has accepted."""

from __future__ import annotations

from console.execution import Refusal
from console.models import Host
from console.planning import mark as _


def require_pinned(host: Host) -> None:
    """Refuse to work on a host whose key nobody has accepted, or whose key has changed."""
    if host.trust == Host.Trust.PINNED:
        return
    has_changed = host.trust == Host.Trust.CHANGED
    raise Refusal(
        "host-key-changed" if has_changed else "not-pinned",
        _("%(host)s: its host key has changed")
        if has_changed
        else _("%(host)s: its host key has not been accepted"),
        {"host": host.name},
        remedy=_(
            "Compare the fingerprint on the host's page with the machine's own, then accept it."
        ),
    )
