"""The verb that moves a service from one forwarding method to another, while it serves."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console.access import Actor, require
from console.models import Operation
from lvs import moving
from lvs.actions.draining import DEFAULT_LIMIT, drain_real_server
from lvs.actions.virtual_services import update_virtual_service
from lvs.models import VirtualService

_TUNNEL = ("tunnel_type", "tunnel_port", "tunnel_checksum")
#: What the entry that takes another one's place has from it.
_KEPT = ("rip", "host", "pool", "weight", "upper_threshold", "lower_threshold")


def move_forwarding(
    actor: Actor,
    service: VirtualService,
    *,
    forwarding: str,
    expected_version: int | None = None,
    drain_seconds: int = DEFAULT_LIMIT,
    **tunnel: Any,
) -> tuple[VirtualService, Operation | None]:
    """Move a service and its real servers to another method, and begin to apply it.

    Real servers whose port stays are changed in place. Where the new method needs another
    port, a new entry takes the old one's place, which is drained for up to `drain_seconds`
    and then taken out. Raises ValidationError for what the new method refuses.
    """
    require(actor, "virtual_service.manage", service)
    service.refresh_from_db()
    values = {name: value for name, value in tunnel.items() if name in _TUNNEL}
    if forwarding == service.forwarding and not _differs(service, values):
        raise ValidationError(
            {"forwarding": ValidationError(_("It goes by this method already."), code="same")}
        )
    rows = list(service.real_servers.all())
    fates = moving.fates_of(service, rows, forwarding)
    replaced = [fate for fate in fates if fate.new_port is not None]
    servers: list[dict[str, Any]] = [{"id": row.pk} for row in rows]
    for fate in replaced:
        servers[rows.index(fate.server)] |= {
            "forwarding": service.forwarding,
            **{name: getattr(service, name) for name in _TUNNEL},
        }
        servers.append(
            {name: getattr(fate.server, name) for name in _KEPT} | {"port": fate.new_port}
        )
    with transaction.atomic():
        service, operation = update_virtual_service(
            actor,
            service,
            expected_version=expected_version,
            real_servers=servers if replaced else None,
            forwarding=forwarding,
            apply=service.applied_generation > 0,
            **values,
        )
        if service.applied_generation:
            for fate in replaced:
                fate.server.refresh_from_db()
                drain_real_server(actor, fate.server, limit_seconds=drain_seconds)
    return service, operation


def _differs(service: VirtualService, values: dict[str, Any]) -> bool:
    return any(getattr(service, name) != value for name, value in values.items())
