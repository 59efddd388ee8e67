"""Alerts that follow from proofs: two in a row raise one, the next good proof resolves it."""

from __future__ import annotations

from typing import Any

from console import alerts
from lvs.models import VirtualService

UNREACHABLE, STOLEN = "real-server-unreachable-through-path", "vip-stolen"
#: Proofs in a row that must agree.
_BELIEVED = 2


def follow(service: VirtualService, kept: dict[str, Any], unreached: list[str]) -> None:
    """Count what is wrong in `kept`, the proof of now, from the one before, and tell."""
    before = service.proof.get("in_a_row", {})
    owner = kept.get("owner", {})
    thieves = [one for one in owner.get("answers", ()) if not one["is_director"]]
    wrong = {UNREACHABLE: bool(unreached), STOLEN: owner.get("state") == "stolen"}
    kept["in_a_row"] = {
        kind: before.get(kind, 0) + 1 if is_wrong else 0 for kind, is_wrong in wrong.items()
    }
    params: dict[str, dict[str, Any]] = {
        UNREACHABLE: {"servers": ", ".join(unreached[:10]), "count": len(unreached)},
        STOLEN: {
            "vip": service.vip,
            "who": ", ".join(f"{one['who'] or '?'} ({one['mac']})" for one in thieves[:5]),
        },
    }
    for kind, count in kept["in_a_row"].items():
        if count >= _BELIEVED:
            alerts.raise_alert(kind, service, params=params[kind])
        elif not count:
            alerts.resolve(kind, service)
