"""Reasons why a declared service would be refused, silently altered, or would not work.

The checks judge what a person declared, so they take values made with the *plain*
constructors (`Service(...)`, `Destination(...)`), ports as typed: the `of` constructors
would already have put right what is complained about here.

Every problem has a stable code, in `FIELDS` together with the field that it concerns.
Problems that ipvsadm or the kernel would refuse, or would store otherwise than asked,
are blocking; the others are advice. Facts from ipvsadm(8) 1.31 and a 6.1 kernel.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from ipaddress import IPv6Address, ip_address

from console.planning import Problem
from console.planning import mark as _

from .schedulers import SCHEDULERS
from .tunnels import tunnel_problems, tunnel_unused
from .types import (
    MAX_PERSISTENCE,
    MAX_THRESHOLD,
    MAX_WEIGHT,
    Destination,
    ForwardingMethod,
    Protocol,
    Service,
    ServiceKey,
    canonical_flags,
    canonical_netmask,
    stored_port,
)

#: code -> the field that has to change
FIELDS = {
    "ipvs-protocol-missing": "protocol",
    "ipvs-service-not-unicast": "address",
    "ipvs-port-zero-needs-persistence": "port",
    "ipvs-one-packet-needs-udp": "one_packet",
    "ipvs-one-packet-masq": "one_packet",
    "ipvs-persistence-range": "persistence",
    "ipvs-netmask-without-persistence": "netmask",
    "ipvs-netmask-invalid": "netmask",
    "ipvs-pe-unknown": "pe",
    "ipvs-pe-without-persistence": "pe",
    "ipvs-pe-needs-udp": "pe",
    "ipvs-scheduler-missing": "scheduler",
    "ipvs-scheduler-flag": "sched_flags",
    "ipvs-server-port-forced": "port",
    "ipvs-server-port-zero": "port",
    "ipvs-mixed-family": "address",
    "ipvs-mixed-family-sync": "address",
    "ipvs-server-is-vip": "address",
    "ipvs-server-not-unicast": "address",
    "ipvs-server-duplicate": "address",
    "ipvs-weight-range": "weight",
    "ipvs-threshold-range": "upper_threshold",
    "ipvs-thresholds-crossed": "lower_threshold",
    "ipvs-threshold-near": "upper_threshold",
    "ipvs-tunnel-options": "tunnel",
    "ipvs-tunnel-port": "tunnel_port",
    "ipvs-tunnel-checksum": "tunnel_checksum",
    "ipvs-no-servers": "real_servers",
    "ipvs-all-weights-zero": "weight",
    "ipvs-weights-beyond-slots": "weight",
    "ipvs-weights-ignored": "weight",
    "ipvs-service-duplicate": "address",
    "ipvs-services-overlap": "port",
    "ipvs-unmanaged-conflict": "address",
}


def service_problems(
    service: Service,
    schedulers: Collection[str] = SCHEDULERS.keys(),
    *,
    protocols: Collection[str] = (),
) -> Iterator[Problem]:
    """What is wrong with a service by itself. `schedulers` are those that the director's
    kernel has (`schedulers.available`); without, all that are known. `protocols` are those
    of the packets that get a firewall mark; without, they may be UDP."""
    subject = str(service.key)
    if service.key.address and not is_unicast(service.key.address):
        yield Problem(
            "ipvs-service-not-unicast",
            subject,
            _(
                "%(address)s is not the address of one machine: ipvsadm accepts it, and no packet"
                " ever comes."
            ),
            _("Give the virtual address that clients connect to."),
            {"address": service.key.address},
        )
    yield from _scheduler(service, schedulers, subject)
    yield from _persistence(service, subject)
    carried = set(protocols) or {
        Protocol.UDP if service.key.fwmark else service.key.protocol,
    }
    if service.one_packet and Protocol.UDP not in carried:
        yield Problem(
            "ipvs-one-packet-needs-udp",
            subject,
            _("One-packet scheduling is for UDP only."),
            _("Switch it off, or make the service UDP."),
        )
    if service.pe and carried != {Protocol.UDP}:
        yield Problem(
            "ipvs-pe-needs-udp",
            subject,
            _(
                "The persistence engine %(engine)s reads UDP packets only, and the kernel drops"
                " others."
            ),
            _("Make the service UDP, or choose no persistence engine."),
            {"engine": service.pe},
        )


def protocol_problems(
    protocol: str, built: Collection[str] | None, subject: str
) -> Iterator[Problem]:
    """Whether the director's kernel knows a protocol; `built` are those of its IPVS, None where
    that is not known. ipvsadm takes a service that the kernel then never looks at."""
    if built is not None and protocol not in built:
        yield Problem(
            "ipvs-protocol-missing",
            subject,
            _("The director's kernel was built without %(protocol)s for IPVS."),
            _("Choose another protocol, or a kernel with CONFIG_IP_VS_PROTO_%(protocol)s."),
            {"protocol": protocol.upper()},
        )


def _scheduler(service: Service, schedulers: Collection[str], subject: str) -> Iterator[Problem]:
    name = service.scheduler
    if name not in schedulers:
        yield Problem(
            "ipvs-scheduler-missing",
            subject,
            _("The director's kernel has no scheduler %(name)s."),
            _("Choose one of %(schedulers)s."),
            {"name": name, "schedulers": ", ".join(sorted(schedulers))},
        )
    taken = SCHEDULERS[name].flags if name in SCHEDULERS else ()
    for flag in canonical_flags(name, service.sched_flags):
        if flag not in taken:
            yield Problem(
                "ipvs-scheduler-flag",
                subject,
                _("The scheduler %(name)s does not take the flag %(flag)s."),
                _("It takes %(flags)s.") if taken else _("Remove the flag."),
                {"name": name, "flag": flag, "flags": ", ".join(taken)},
            )


def _persistence(service: Service, subject: str) -> Iterator[Problem]:
    seconds, key = service.persistence, service.key
    if seconds is not None and not 1 <= seconds <= MAX_PERSISTENCE:
        yield Problem(
            "ipvs-persistence-range",
            subject,
            _("A persistence of %(seconds)s s is not accepted."),
            _("Choose 1 to %(most)s s (31 days)."),
            {"seconds": seconds, "most": MAX_PERSISTENCE},
        )
    if seconds is None:
        if not key.fwmark and key.port == 0:
            yield Problem(
                "ipvs-port-zero-needs-persistence",
                subject,
                _("Port 0 takes every port, and needs persistence to keep a client together."),
                _("Set a persistence, or name the port."),
            )
        yield from _without_persistence(service, subject)
    try:
        canonical_netmask(service.netmask, key.family)
    except ValueError:
        yield Problem(
            "ipvs-netmask-invalid",
            subject,
            _("%(netmask)s is neither a prefix length nor a mask of IPv%(family)s."),
            _("Give a prefix of 1 to 128.")
            if key.family == 6
            else _("Give a prefix of 0 to 32, or a mask like 255.255.255.0."),
            {"netmask": service.netmask, "family": key.family},
        )
    if service.pe not in ("", "sip"):
        yield Problem(
            "ipvs-pe-unknown",
            subject,
            _("There is no persistence engine %(engine)s."),
            _("Choose sip, or none."),
            {"engine": service.pe},
        )


def _without_persistence(service: Service, subject: str) -> Iterator[Problem]:
    if service.netmask:
        yield Problem(
            "ipvs-netmask-without-persistence",
            subject,
            _("Without persistence the netmask has no effect, and is dropped."),
            _("Set a persistence, or remove the netmask."),
        )
    if service.pe:
        yield Problem(
            "ipvs-pe-without-persistence",
            subject,
            _("Without persistence the persistence engine has no effect, and is dropped."),
            _("Set a persistence, or remove the persistence engine."),
        )


def server_problems(
    service: ServiceKey, destination: Destination, *, is_syncing: bool = False
) -> Iterator[Problem]:
    """What is wrong with a real server of a service. `is_syncing` says that a connection
    synchronisation daemon runs on the director: it does not carry mixed families."""
    address, port = destination.key
    method, subject = destination.forwarding, str(destination.key)
    forced = stored_port(service, method, port)
    if forced != port:
        yield Problem(
            "ipvs-server-port-forced",
            subject,
            _(
                "By %(method)s, packets keep the port of the service: %(port)s would become"
                " %(forced)s."
            ),
            _("Give the real server port %(forced)s, or forward by masq."),
            {"method": str(method), "port": port, "forced": forced},
        )
    elif port == 0 and service.port:
        yield Problem(
            "ipvs-server-port-zero",
            subject,
            _("Port 0 keeps the port that the client asked for, and this service has one."),
            _("Give the real server port %(port)s, or the one at which it listens."),
            {"port": service.port},
        )
    yield from _address(service, destination, is_syncing=is_syncing)
    if service.address and address == service.address:
        yield Problem(
            "ipvs-server-is-vip",
            subject,
            _("The real server has the address of the service itself: packets would go round."),
            _("Give the real server's own address."),
        )
    if not 0 <= destination.weight <= MAX_WEIGHT:
        yield Problem(
            "ipvs-weight-range",
            subject,
            _("A weight of %(weight)s is not accepted."),
            _("Choose 0 to %(most)s; 0 takes no new connections."),
            {"weight": destination.weight, "most": MAX_WEIGHT},
        )
    yield from _thresholds(destination, subject)
    yield from _tunnel(destination, subject)


def _address(
    service: ServiceKey, destination: Destination, *, is_syncing: bool
) -> Iterator[Problem]:
    subject = str(destination.key)
    address = ip_address(destination.key.address)
    if not is_unicast(destination.key.address):
        yield Problem(
            "ipvs-server-not-unicast",
            subject,
            _("%(address)s is not the address of one machine, and the kernel refuses it."),
            _("Give a unicast address that is routed."),
            {"address": str(address)},
        )
    if address.version == service.family:
        return
    if destination.forwarding is not ForwardingMethod.TUNNEL:
        yield Problem(
            "ipvs-mixed-family",
            subject,
            _(
                "An IPv%(version)s real server under an IPv%(family)s service is reached by tunnel"
                " only."
            ),
            _("Forward by tunnel, or give an address of the service's family."),
            {"version": address.version, "family": service.family},
        )
    elif is_syncing:
        yield Problem(
            "ipvs-mixed-family-sync",
            subject,
            _(
                "While connections are synchronised, the kernel refuses real servers of another"
                " family."
            ),
            _("Stop the synchronisation daemon, or give an address of the service's family."),
        )


def is_unicast(text: str) -> bool:
    """Whether the kernel takes the address for one machine's. It refuses IPv6 addresses
    that are link-local or stand for IPv4 ones, too."""
    address = ip_address(text)
    if isinstance(address, IPv6Address) and (address.is_link_local or address.ipv4_mapped):
        return False
    return not (address.is_multicast or address.is_unspecified or int(address) == 0xFFFFFFFF)


def _thresholds(destination: Destination, subject: str) -> Iterator[Problem]:
    upper, lower = destination.upper_threshold, destination.lower_threshold
    if not (0 <= upper <= MAX_THRESHOLD and 0 <= lower <= MAX_THRESHOLD):
        yield Problem(
            "ipvs-threshold-range",
            subject,
            _("Thresholds of %(upper)s and %(lower)s are not accepted."),
            _("Choose 0 (no limit) to %(most)s."),
            {"upper": upper, "lower": lower, "most": MAX_THRESHOLD},
        )
    elif lower > upper:
        yield Problem(
            "ipvs-thresholds-crossed",
            subject,
            _("The lower threshold %(lower)s is above the upper one, %(upper)s."),
            _("Choose at most %(upper)s.") if upper else _("Set an upper threshold first."),
            {"upper": upper, "lower": lower},
        )


def _tunnel(destination: Destination, subject: str) -> Iterator[Problem]:
    if destination.tunnel is None:
        return
    if destination.forwarding is not ForwardingMethod.TUNNEL:
        yield tunnel_unused(subject)
    else:
        yield from tunnel_problems(destination.tunnel, subject)
