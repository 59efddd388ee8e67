"""What is refused before anything is saved: each refusal names its field and the rule.

Fields and constraints speak first (`full_clean`), then the rules of IPVS itself, which
`lvs.ipvsadm.problems` knows, then what only the fleet as a whole shows. Keys of errors
are field names; those of real servers look like "real_servers.0.rip".
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from ipaddress import ip_address
from typing import Any

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from console import changes
from console.planning import Problem
from lvs import cascades, matching, planned
from lvs.declared import key_of, key_text, tunnel_of
from lvs.director.types import Surroundings
from lvs.ipvsadm import pools, problems, tunnels
from lvs.ipvsadm.schedulers import SCHEDULERS
from lvs.ipvsadm.types import Destination, DestinationKey, ForwardingMethod, Service, Tunnel
from lvs.models import RealServer, ServiceAddress, VirtualService
from lvs.models.virtual_services import GIVEN_MARKS, Forwarding

Errors = dict[str, list[ValidationError]]

#: The planner's names of fields -> the rows'.
_SERVICE_FIELDS = {
    "address": "vip",
    "one_packet": "is_one_packet",
    "persistence": "persistence_timeout",
    "netmask": "persistence_prefix",
    "sched_flags": "scheduler_flags",
    "pe": "persistence_engine",
}
_SERVER_FIELDS = {"address": "rip", "tunnel": "tunnel_type"}
#: Told of the row that has the options, not of each real server that takes them over.
_TUNNEL_CODES = ("ipvs-tunnel-options", "ipvs-tunnel-port", "ipvs-tunnel-checksum")
#: Constraints over several fields -> the one to change.
_CONSTRAINT_FIELDS = {"duplicate_address": "vip", "duplicate_name": "name"}
#: What a real server's own form can change about one-packet scheduling by masq.
_ONE_PACKET_SERVER = {"one_packet": "forwarding"}


def servers_from(
    wanted: Iterable[dict[str, Any]], present: Sequence[RealServer] = ()
) -> list[RealServer]:
    """Rows from what a form or a program sent; a dict with "id" is a change of that row."""
    by_pk = {server.pk: server for server in present}
    servers: list[RealServer] = []
    errors: dict[str, Any] = {}
    for index, values in enumerate(wanted):
        try:
            servers.append(server_from(values, by_pk))
        except ValidationError as error:
            errors |= {f"real_servers.{index}.{key}": said
                       for key, said in error.error_dict.items()}  # fmt: skip
    if errors:
        raise ValidationError(errors)
    return servers


def server_from(values: dict[str, Any], present: dict[int, RealServer] | None = None) -> RealServer:
    """One row from values; raises ValidationError for an unknown field or a foreign id."""
    values = with_way(values)
    pk = values.pop("id", None)
    if pk is not None and pk not in (present or {}):
        raise ValidationError(
            {
                "id": ValidationError(
                    _("This service has no real server with this number."), code="unknown_id"
                )
            }
        )
    server = copy(present[pk]) if pk is not None and present else RealServer()
    values.pop("virtual_service", None)
    changes.assign(server, values)
    return server


def with_way(values: dict[str, Any]) -> dict[str, Any]:
    """The values of a change; a method without a tunnel takes the tunnel options along that
    it does not name."""
    if values.get("forwarding", Forwarding.TUNNEL) == Forwarding.TUNNEL:
        return dict(values)
    return {"tunnel_type": "ipip", "tunnel_port": 0, "tunnel_checksum": "nocsum"} | values


def check(
    service: VirtualService,
    servers: Sequence[RealServer],
    only: RealServer | None = None,
    *,
    addresses: Sequence[ServiceAddress] = (),
    is_adoption: bool = False,
) -> None:
    """Refuse what cannot work. With `only`, the errors of that real server have plain
    field names, as its own form wants them. `addresses` are all that a service by firewall
    mark takes beside its VIP. An adopted service is in the table already."""
    errors: Errors = {}
    if only is None:
        _collect(errors, "", service.full_clean)
    for index, row in enumerate(addresses):
        _collect(errors, f"addresses.{index}.", lambda row=row: row.full_clean(
            exclude=["virtual_service"], validate_unique=False, validate_constraints=False
        ))  # fmt: skip
    for index, server in enumerate(servers):
        prefix = "" if server is only else f"real_servers.{index}."
        _collect(errors, prefix, lambda server=server: server.full_clean(
            exclude=["virtual_service"], validate_unique=False, validate_constraints=False
        ))  # fmt: skip
    if not errors:
        _check_ipvs(errors, service, servers, only, addresses)
        if only is None:
            _check_fleet(errors, service, is_adoption=is_adoption)
            for field, said in matching.errors_of(service, addresses):
                errors.setdefault(field, []).append(said)
    if errors:
        raise ValidationError(errors)


def _collect(errors: Errors, prefix: str, clean: Any) -> None:
    try:
        clean()
    except ValidationError as error:
        for name, said in error.error_dict.items():
            for one in said:
                field = _CONSTRAINT_FIELDS.get(one.code or "", name)
                errors.setdefault(f"{prefix}{field}", []).append(one)


def _check_ipvs(
    errors: Errors,
    service: VirtualService,
    servers: Sequence[RealServer],
    only: RealServer | None,
    addresses: Sequence[ServiceAddress],
) -> None:
    value = _service_value(service)
    if only is None:
        schedulers = planned.kernel_schedulers(service.director) or SCHEDULERS.keys()
        protocols = matching.protocols_of(service, addresses)
        for problem in problems.service_problems(value, schedulers, protocols=protocols):
            _add(errors, problem, "", _SERVICE_FIELDS)
        built = Surroundings.from_json(service.director.observed_facts).protocols
        asked = {"": service.protocol}
        asked |= {prefix: row.protocol for prefix, row in matching.numbered(addresses)}
        for prefix, protocol in asked.items():
            for problem in problems.protocol_problems(protocol, built, str(service)):
                _add(errors, problem, prefix, {})
        _check_tunnel(errors, "", service, service.forwarding)
    judged = servers if only is None else [only]
    for problem in pools.one_packet_problems(
        value, [destination_value(service, server) for server in judged]
    ):
        _add(errors, problem, "", _SERVICE_FIELDS if only is None else _ONE_PACKET_SERVER)
    seen: dict[tuple[str, object], int] = {}
    for index, server in enumerate(servers):
        prefix = "" if server is only else f"real_servers.{index}."
        destination = destination_value(service, server)
        for problem in problems.server_problems(value.key, destination):
            if problem.code not in _TUNNEL_CODES:
                _add(errors, problem, prefix, _SERVER_FIELDS)
        _check_tunnel(errors, prefix, server, server.forwarding)
        if server.pool != service.live_pool and not _may_have_two_sets(service):
            errors.setdefault(f"{prefix}pool", []).append(
                ValidationError(
                    _("Two sets of real servers need a service by a firewall mark of ours."),
                    code="pool_needs_mark",
                )
            )
        if seen.setdefault((server.pool, destination.key), index) != index:
            errors.setdefault(f"{prefix}rip", []).append(
                ValidationError(
                    _("This virtual service already has a real server with this address and port."),
                    code="ipvs-server-duplicate",
                )
            )


def _may_have_two_sets(service: VirtualService) -> bool:
    """Whether each of two sets can have a mark of its own, which only the console's do."""
    return service.is_marked and (service.fwmark is None or service.fwmark in GIVEN_MARKS)


def _check_tunnel(
    errors: Errors, prefix: str, row: VirtualService | RealServer, forwarding: str
) -> None:
    """The tunnel options of one row, which has them only with the method TUN of its own."""
    tunnel = tunnel_of(row)
    if forwarding == Forwarding.TUNNEL:
        for problem in tunnels.tunnel_problems(tunnel, str(row)):
            _add(errors, problem, prefix, _SERVER_FIELDS)
    elif tunnel != Tunnel():
        _add(errors, tunnels.tunnel_unused(str(row)), prefix, _SERVER_FIELDS)


def _check_fleet(errors: Errors, service: VirtualService, *, is_adoption: bool) -> None:
    said = list(_fleet_errors(service))
    if service.applied_generation == 0 and not is_adoption:
        said += _unmanaged_conflict(service)
    if said:
        errors["vip"] = said


def _fleet_errors(service: VirtualService) -> Iterator[ValidationError]:
    address = ip_address(service.vip)
    if address.is_multicast or address.is_unspecified or address.is_loopback:
        yield ValidationError(
            _("A VIP is the address of one machine that clients can reach."), code="not_unicast"
        )
    elsewhere = (
        VirtualService.objects.filter(vip=service.vip)
        .exclude(director_id=service.director_id)
        .select_related("director__host")
    )
    other = next((one for one in elsewhere if not cascades.share_vip(service, one)), None)
    if other is not None:
        yield ValidationError(
            _("%(director)s serves this VIP already: an address has one owner."),
            code="other_director",
            params={"director": other.director},
        )


def _unmanaged_conflict(service: VirtualService) -> Iterator[ValidationError]:
    key = key_text(key_of(service))
    if any(entry.key == key for entry in planned.unmanaged(service.director)):
        yield ValidationError(
            _(
                "The director already has this service, and it is not managed here: adopt it"
                " on the director's page."
            ),
            code="ipvs-unmanaged-conflict",
        )


def _service_value(service: VirtualService) -> Service:
    prefix = service.persistence_prefix
    return Service(
        key_of(service),
        service.scheduler,
        tuple(flag for flag in service.scheduler_flags.split(",") if flag),
        service.persistence_timeout,
        str(prefix) if prefix is not None else "",
        service.persistence_engine,
        service.is_one_packet,
    )


def destination_value(service: VirtualService, server: RealServer) -> Destination:
    """A real server as it was typed: nothing put right, so that problems can be seen."""
    method = Forwarding(server.forwarding or service.forwarding).in_table
    return Destination(
        DestinationKey(server.rip, server.port),
        method,
        server.weight,
        server.upper_threshold,
        server.lower_threshold,
        tunnel_of(server if server.forwarding else service)
        if method is ForwardingMethod.TUNNEL
        else None,
    )


def _add(errors: Errors, problem: Problem, prefix: str, names: dict[str, str]) -> None:
    if not problem.is_blocking:
        return
    field = problems.FIELDS[problem.code]
    errors.setdefault(f"{prefix}{names.get(field, field)}", []).append(
        ValidationError(f"{problem.text(_)} {problem.remedy_text(_)}", code=problem.code)
    )
