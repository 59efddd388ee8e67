"""Looking a client's connections up on a director, because somebody asked."""

from __future__ import annotations

from ipaddress import ip_network
from typing import Any

from django.utils import timezone

from console.execution import Refusal, Run
from console.planning import Step
from console.planning import mark as _
from lvs import execute
from lvs.director import connections
from lvs.director.connections import Query, Target
from lvs.director.sample import IncompleteSample
from lvs.ipvsadm.errors import ParseError
from lvs.ipvsadm.types import Connection
from lvs.models import Director, VirtualService


def search(run: Run) -> dict[str, Any]:
    """The body of `director.connections`: what was found, and when."""
    director = execute.director_of(run)
    asked = run.operation.parameters
    step = Step(
        _("Search the connection table"),
        connections.ARGV,
        stdin=connections.script(_query(director, asked)),
        timeout=connections.SECONDS + 20.0,
    )
    result = run.run(run.session(director.host), step)
    try:
        found = connections.read_found(result.stdout, result.stderr)
    except (IncompleteSample, ParseError) as error:
        raise Refusal(
            "not-searched",
            _("%(machine)s: the connection table could not be searched"),
            {"machine": director.host.name},
            said=str(error),
            remedy=_(
                "The table may be too large to be read in the time that a search gets."
                " Try again when there are fewer connections."
            ),
        ) from error
    return {
        "looked_at": timezone.now().isoformat(),
        "total": found.total,
        "is_cut": found.total > len(found.connections),
        "connections": [_shown(one) for one in found.connections],
    }


def _query(director: Director, asked: dict[str, Any]) -> Query:
    client, service = asked.get("client"), asked.get("service")
    targets: tuple[Target, ...] = ()
    if service:
        row = VirtualService.objects.filter(pk=service, director=director).first()
        if row is None:
            raise Refusal(
                "gone",
                _("The virtual service is no longer declared"),
                remedy=_("Search without it, or by another one."),
            )
        targets = tuple(targets_of(row))
    return Query(
        connections.network_of(client) if client else None, targets, asked.get("state", "")
    )


def targets_of(service: VirtualService) -> list[Target]:
    """What the virtual side of a connection of this service can be."""
    last = service.port or 65535
    own = Target(service.protocol, ip_network(service.vip), service.port, last)
    return [
        own,
        *(
            Target(one.protocol, ip_network(one.network), one.first_port, one.last_port)
            for one in service.addresses.all()
        ),
    ]


def _shown(one: Connection) -> dict[str, Any]:
    """A connection as it is kept. A client's port 0 is the template of a persistent client."""
    return {
        "protocol": one.protocol,
        "client": str(one.client),
        "virtual": str(one.virtual),
        "real_server": str(one.destination),
        "state": one.state,
        "expires": one.expires,
        "is_template": one.client.port == 0,
    }
