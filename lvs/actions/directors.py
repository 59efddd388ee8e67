"""Verbs for directors: declare, look, apply, and what to do with entries that are not ours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console import alerts, changes, operations
from console.access import Actor, require
from console.errors import WrongState
from console.models import Host, Operation
from lvs import planned, rows
from lvs.actions.applying import begin_apply
from lvs.actions.virtual_services import declare
from lvs.models import Director, VirtualService


def create_director(
    actor: Actor,
    *,
    host: Host,
    vip_interface: str,
    probe_host: Host | None = None,
    policy: str = Director.Policy.ALERT,
    **values: Any,
) -> tuple[Director, Operation]:
    """Declare that a host is a director, and look at its table. Nothing is changed on it."""
    require(actor, "director.manage")
    director = Director(
        host=host, vip_interface=vip_interface, probe_host=probe_host, policy=policy
    )
    changes.assign(director, values)
    if host.trust != Host.Trust.PINNED:
        raise ValidationError(
            {
                "host": ValidationError(
                    _("Accept the host key of %(host)s first.") % {"host": host.name},
                    code="not_pinned",
                )
            }
        )
    with transaction.atomic():
        changes.create(actor, "director.create", director)
        return director, operations.begin(actor, "director.observe", director)


def update_director(
    actor: Actor, director: Director, *, expected_version: int | None = None, **values: Any
) -> Director:
    """Change policy, client for proofs, or the interface of VIPs that are not in place yet."""
    require(actor, "director.manage", director)
    if "host" in values and values["host"] != director.host:
        raise ValidationError(
            {"host": ValidationError(_("A director stays on its host."), code="fixed")}
        )
    interface = values.get("vip_interface", director.vip_interface)
    placed = director.virtual_services.filter(is_vip_managed=True, applied_generation__gt=0)
    if interface != director.vip_interface and placed.exists():
        raise ValidationError(
            {
                "vip_interface": ValidationError(
                    _("VIPs are on %(interface)s now: remove their services first.")
                    % {"interface": director.vip_interface},
                    code="in_use",
                )
            }
        )
    changes.update(actor, "director.update", director, values, expected_version)
    return director


def delete_director(actor: Actor, director: Director) -> None:
    """Forget a director without services. Its table stays as it is."""
    require(actor, "director.manage", director)
    with transaction.atomic():
        count = director.virtual_services.count()
        if count:
            raise WrongState(
                _("%(director)s still has %(count)d virtual services.")
                % {"director": director, "count": count}
            )
        if holder := Operation.objects.on(director).live().first():
            raise WrongState(
                _("Operation #%(number)s on it is not finished.") % {"number": holder.pk}
            )
        alerts.resolve_all(director)
        changes.delete(actor, "director.delete", director)


def request_observe(actor: Actor, director: Director) -> Operation:
    """Look at the whole table now."""
    require(actor, "director.apply", director)
    with transaction.atomic():
        return operations.begin(actor, "director.observe", director)


def request_apply(
    actor: Actor,
    director: Director,
    *,
    services: Iterable[VirtualService] | None = None,
    confirm_removals: int = 0,
) -> Operation:
    """Bring the director to what is declared: whole, or only the given services.

    Where that takes more away than the cap allows, it is refused in the worker unless
    `confirm_removals` names as many.
    """
    chosen = list(services) if services is not None else None
    if chosen is None:
        require(actor, "director.apply", director)
    else:
        for service in chosen:
            require(actor, "virtual_service.manage", service)
    with transaction.atomic():
        return begin_apply(actor, director, chosen, confirm_removals=confirm_removals)


def adopt(
    actor: Actor, director: Director, *, key: str, name: str | None = None
) -> tuple[VirtualService, Operation]:
    """Bring an entry that is there and not ours under management, exactly as it is.

    The declared rows say what was seen, so applying them changes nothing in the table.
    """
    require(actor, "director.apply", director)
    entry = planned.find_unmanaged(director, key)
    if not entry.can_adopt:
        raise ValidationError({"key": ValidationError(entry.reason, code="cannot_adopt")})
    service, servers = rows.rows_of(entry.entry)
    service.director, service.name = director, name or _name_for(entry.key)
    service.is_vip_managed = False
    with transaction.atomic():
        declare(actor, "virtual_service.adopt", service, servers, is_adoption=True)
        return service, begin_apply(actor, director, [service], is_adoption=True)


def request_removal_of_unmanaged(
    actor: Actor, director: Director, *, key: str, confirm: str
) -> Operation:
    """Remove an entry that is not ours, after its key was typed in."""
    require(actor, "director.apply", director)
    entry = planned.find_unmanaged(director, key)
    if confirm.strip() != entry.key:
        raise ValidationError(
            {
                "confirm": ValidationError(
                    _("Type %(key)s to confirm.") % {"key": entry.key}, code="not_confirmed"
                )
            }
        )
    with transaction.atomic():
        return operations.begin(
            actor, "director.remove_unmanaged", director, parameters={"key": entry.key}
        )


def _name_for(key: str) -> str:
    return "".join(char if char.isalnum() or char in ".-" else "-" for char in key).strip("-")[:64]
