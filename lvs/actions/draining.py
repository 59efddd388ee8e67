"""The verb that drains a real server, and what has to be known before."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console import changes, operations
from console.access import Actor, require
from console.errors import WrongState
from console.models import Operation
from lvs.actions.virtual_services import lock_for_change, touch
from lvs.models import RealServer

#: Seconds that a drain may wait: at least one look, at most a day.
MIN_LIMIT, MAX_LIMIT, DEFAULT_LIMIT = 5, 86_400, 300
#: What follows: out of the service, or there with weight 0.
THEN = ("remove", "keep")
#: Seconds beyond the limit for the applies before and after.
_MARGIN = 1800


def drain_real_server(
    actor: Actor, server: RealServer, *, limit_seconds: int = DEFAULT_LIMIT, then: str = "remove"
) -> Operation:
    """Give a real server weight 0, wait until its connections ended or the limit, then take it
    out ("remove") or leave it with weight 0 ("keep").

    Cancelling gives the old weight back. Raises Busy where it is being drained already.
    """
    require(actor, "virtual_service.manage", server)
    _check(limit_seconds, then)
    with transaction.atomic():
        service = lock_for_change(server.virtual_service)
        if service.applied_generation == 0:
            raise WrongState(
                _("%(name)s has never been applied: there is nothing to drain.")
                % {"name": service.name}
            )
        weight = changes.lock(server).weight
        operation = operations.begin(
            actor,
            "real_server.drain",
            server,
            parameters={"limit_seconds": limit_seconds, "then": then, "weight": weight,
                        "service": service.pk, "address": server.address},
            tenant=service.tenant,
            deadline=limit_seconds + _MARGIN,
        )  # fmt: skip
        if changes.update(actor, "real_server.update", server, {"weight": 0}):
            touch(service)
    return operation


def _check(limit_seconds: int, then: str) -> None:
    errors = {}
    if not MIN_LIMIT <= limit_seconds <= MAX_LIMIT:
        errors["limit_seconds"] = ValidationError(
            _("Between %(least)d and %(most)d seconds.") % {"least": MIN_LIMIT, "most": MAX_LIMIT},
            code="out_of_range",
        )
    if then not in THEN:
        errors["then"] = ValidationError(_("Either remove or keep."), code="invalid_choice")
    if errors:
        raise ValidationError(errors)
