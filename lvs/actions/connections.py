"""The verb that looks into a director's connection table."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console import operations
from console.access import Actor, require
from console.models import Operation
from lvs.director.connections import STATES, network_of
from lvs.models import Director, VirtualService


def request_search(
    actor: Actor,
    director: Director,
    *,
    client: str = "",
    service: VirtualService | None = None,
    state: str = "",
) -> Operation:
    """Search for connections of a client (an address or a network), of a service, in a state.

    Nothing is changed. What is found stands in the operation's result, 500 connections at
    most. At least one of the three has to be given: the whole table is nobody's question.
    """
    require(actor, "director.apply", director)
    errors = {}
    if client:
        try:
            client = str(network_of(client.strip()))
        except ValueError:
            errors["client"] = ValidationError(
                _("Give an address or a network, such as 192.0.2.7 or 2001:db8::/32."),
                code="invalid_network",
            )
    if service is not None and service.director_id != director.pk:
        errors["service"] = ValidationError(
            _("This virtual service is on another director."), code="other_director"
        )
    if state and state not in STATES:
        errors["state"] = ValidationError(_("There is no such state."), code="invalid_choice")
    if not errors and not (client or service or state):
        errors["client"] = ValidationError(
            _("Give a client, a virtual service or a state."), code="required"
        )
    if errors:
        raise ValidationError(errors)
    parameters = {
        "client": client,
        "service": service.pk if service is not None else None,
        "state": state,
    }
    with transaction.atomic():
        return operations.begin(actor, "director.connections", director, parameters=parameters)
