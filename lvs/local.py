"""The addresses of a director's own from which Full NAT speaks: what they may be, and how
many connections they carry."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from lvs import declared
from lvs.director.nftables import family_of
from lvs.director.types import Surroundings
from lvs.models import Director, VirtualService
from lvs.needs import full_nat_servers

#: Ports that one local address has towards one real server's address and port: 1025 to 65535.
PORTS_PER_ADDRESS = 64511

Errors = dict[str, list[ValidationError]]


def canonical(addresses: Iterable[str]) -> list[str]:
    """As they are kept: what is an address in its shortest form, the rest as typed."""
    return [_canonical(address.strip()) for address in addresses if address.strip()]


def _canonical(address: str) -> str:
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def errors(director: Director, addresses: Sequence[str], interface: str) -> Errors:
    """Why these cannot be the director's local addresses, by field."""
    found: Errors = {}
    said = [one for address in addresses for one in _address_errors(director, address)]
    if len(set(addresses)) != len(addresses):
        said.append(ValidationError(_("Name each address once."), code="twice"))
    if said:
        found["local_addresses"] = said
    present = Surroundings.from_json(director.observed_facts).addresses
    if addresses and not interface:
        found["local_interface"] = [
            ValidationError(
                _("Choose the interface towards the real servers."), code="required_with_pool"
            )
        ]
    elif interface and present and interface not in present:
        found["local_interface"] = [
            ValidationError(
                _("The director has no interface %(interface)s. It has: %(present)s.")
                % {"interface": interface, "present": ", ".join(sorted(present))},
                code="no_such_interface",
            )
        ]
    return found


def _address_errors(director: Director, address: str) -> Iterable[ValidationError]:
    try:
        value = ip_address(address)
    except ValueError:
        yield ValidationError(
            _("%(address)s is no IP address.") % {"address": address}, code="no_address"
        )
        return
    if value.is_multicast or value.is_unspecified or value.is_loopback:
        yield ValidationError(
            _("%(address)s cannot be the source of a packet to a real server.")
            % {"address": address},
            code="not_unicast",
        )
    holder = VirtualService.objects.filter(vip=address).first()
    if holder is not None:
        yield ValidationError(
            _("%(address)s is the VIP of %(service)s: use another one.")
            % {"address": address, "service": holder},
            code="is_vip",
        )
    other = next(
        (
            one
            for one in Director.objects.exclude(pk=director.pk).select_related("host")
            if address in one.local_addresses or address == one.host.address
        ),
        None,
    )
    if other is not None:
        yield ValidationError(
            _("%(address)s belongs to %(director)s already: an address has one owner.")
            % {"address": address, "director": other},
            code="other_director",
        )


@dataclass(frozen=True, slots=True)
class Use:
    """How many of the ports towards one real server are taken, as last counted."""

    service: VirtualService
    address: str
    connections: int
    ports: int

    @property
    def percent(self) -> float:
        return 100 * self.connections / self.ports


def use_of_ports(director: Director, limit: int = 10) -> list[Use]:
    """The real servers behind Full NAT whose ports are nearest to their end."""
    services = director.virtual_services.filter(applied_generation__gt=0)
    counts = director.counts
    found = []
    for server in full_nat_servers(services).select_related("virtual_service"):
        ports = ports_of(director, server.rip)
        service = server.virtual_service
        taken = counts.get(str(declared.key_of(service)), {}).get(server.address, [0, 0])
        found.append(Use(service, server.address, sum(taken), ports))
    return sorted(found, key=lambda use: -use.connections)[:limit]


def ports_of(director: Director, rip: str) -> int:
    """Connections that can be open to one real server's address and port at once."""
    own = [one for one in director.local_addresses if family_of(one) == family_of(rip)]
    return PORTS_PER_ADDRESS * max(1, len(own))
