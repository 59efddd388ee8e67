"""Verbs for the real servers' side: which machine it is, and preparing it now."""

from __future__ import annotations

from django.db import transaction
from django.utils.translation import gettext as _

from console import operations
from console.access import Actor, require
from console.errors import WrongState
from console.models import Operation
from lvs import needed
from lvs.actions.virtual_services import update_real_server
from lvs.models import PreparedServer, RealServer


def request_preparation(actor: Actor, prepared: PreparedServer) -> Operation:
    """Prepare a machine for all that is declared of it, undo what no service needs, verify."""
    require(actor, "director.apply", prepared)
    with transaction.atomic():
        return operations.begin(actor, "real_server.prepare", prepared)


def request_preparation_of(actor: Actor, server: RealServer) -> Operation:
    """The same for the machine of one real server, whether it was prepared before or not."""
    require(actor, "director.apply")
    host = server.host
    if host is None:
        raise WrongState(
            _("%(server)s has no machine here: run the script on it yourself.")
            % {"server": server.address}
        )
    with transaction.atomic():
        prepared, _made = PreparedServer.objects.get_or_create(host=host)
        return request_preparation(actor, prepared)


def use_suggested_machine(actor: Actor, server: RealServer) -> RealServer:
    """Link a real server to the one known machine that holds its address; Apply prepares it."""
    require(actor, "director.apply")
    host = needed.host_for(server.rip) if server.host_id is None else None
    if host is None:
        raise WrongState(
            _("No known machine, or more than one, has the address %(rip)s.") % {"rip": server.rip}
        )
    return update_real_server(actor, server, host=host)[0]
