"""Blue and green: a service goes over to its other set of real servers, and back."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from console import audit, changes
from console.access import Actor, require
from console.errors import WrongState
from console.models import Operation
from lvs.actions.applying import begin_apply
from lvs.models import VirtualService
from lvs.models.directors import Provisioning


def flip_pool(actor: Actor, service: VirtualService) -> Operation:
    """Send new connections to the set of real servers that stands by; those that are open
    stay where they are. Flipping again takes it back.

    The set must be in place already, so that the flip is one transaction of nftables and
    nothing else.
    """
    require(actor, "virtual_service.manage", service)
    with transaction.atomic():
        locked = changes.lock(service)
        _refuse(locked)
        before = locked.live_pool
        locked.live_pool = locked.standby_pool
        locked.generation += 1
        locked.provisioning_status = Provisioning.PENDING
        locked.save(update_fields=["live_pool", "generation", "provisioning_status"])
        audit.record(
            actor,
            "virtual_service.flip_pool",
            locked,
            changes={"live_pool": [before, locked.live_pool]},
        )
        operation = begin_apply(actor, locked.director, [locked])
    service.refresh_from_db()
    return operation


def _refuse(service: VirtualService) -> None:
    if service.is_leaving:
        raise WrongState(_("%(name)s is being removed.") % {"name": service.name})
    if not service.is_marked:
        raise WrongState(
            _("%(name)s is matched by VIP and port: two sets need a firewall mark.")
            % {"name": service.name}
        )
    if service.generation != service.applied_generation:
        raise WrongState(
            _("%(name)s has changes that are not applied: build both sets first.")
            % {"name": service.name}
        )
    standby = service.real_servers.filter(pool=service.standby_pool)
    if not standby.exclude(weight=0).exists():
        raise WrongState(
            _("The %(pool)s set has no real server with weight.")
            % {"pool": service.standby_pool.label}
        )
