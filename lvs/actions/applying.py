"""Beginning an apply: shared by the verbs that change what is declared."""

from __future__ import annotations

from typing import Any

from console import operations
from console.access import Actor
from console.models import Operation
from lvs.models import Director, VirtualService


def begin_apply(
    actor: Actor, director: Director, services: list[VirtualService] | None
) -> Operation:
    """Begin `director.apply` for all or for some services; call inside the transaction.

    The operation belongs to the tenant that the services share, if they do.
    """
    parameters: dict[str, Any] = {}
    tenants = set()
    if services is not None:
        parameters["services"] = sorted(service.pk for service in services)
        tenants = {service.tenant for service in services}
    return operations.begin(
        actor,
        "director.apply",
        director,
        parameters=parameters,
        tenant=tenants.pop() if len(tenants) == 1 else None,
    )
