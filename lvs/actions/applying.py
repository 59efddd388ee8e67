"""Beginning an apply: shared by the verbs that change what is declared."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext as _

from console import operations
from console.access import Actor
from console.errors import WouldNotWork
from console.models import Operation
from lvs import situations
from lvs.models import Director, VirtualService


def begin_apply(
    actor: Actor,
    director: Director,
    services: list[VirtualService] | None,
    *,
    is_adoption: bool = False,
    confirm_removals: int = 0,
    is_confirmed: bool = False,
) -> Operation:
    """Begin `director.apply` for all or for some services; call inside the transaction.

    The operation belongs to the tenant that the services share, if they do. What is adopted
    is in place already: nobody judges whether it could work. Taking more away than the cap
    allows needs `confirm_removals`, the number that somebody typed, or `is_confirmed`, where
    the services themselves were named for removal.
    """
    if not is_adoption:
        refuse_hopeless(director, services)
    parameters: dict[str, Any] = {}
    if confirm_removals:
        parameters["confirm_removals"] = confirm_removals
    if is_confirmed:
        parameters["is_confirmed"] = True
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


def refuse_hopeless(director: Director, services: list[VirtualService] | None) -> None:
    """Refuse to apply what cannot work where the machines stand, in words.

    Only what is about to change is judged: what is in place already stays in reach.
    """
    for problem in situations.blocking(director, services):
        raise WouldNotWork(
            _("It would not work. %(subject)s: %(reason)s %(remedy)s")
            % {
                "subject": problem.subject,
                "reason": problem.text(_),
                "remedy": problem.remedy_text(_),
            }
        )
