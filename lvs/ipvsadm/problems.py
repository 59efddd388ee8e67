"""Reasons why a declared service would be refused, silently altered, or would not work.

The checks judge what a person declared, so they take values made with the *plain*
constructors (`Service(...)`, `Destination(...)`), ports as typed: the `of` constructors
would already have put right what is complained about here.

Every problem has a stable code, in `FIELDS` together with the field that it concerns.
Problems that ipvsadm or the kernel would refuse, or would store otherwise than asked,
are blocking; the others are advice. Facts from ipvsadm(8) 1.31 and a 6.1 kernel.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from ipaddress import IPv6Address, ip_address

from console.planning import Problem

from .render import service_words
from .schedulers import SCHEDULERS
from .types import (
    MAX_PERSISTENCE,
    MAX_THRESHOLD,
    MAX_WEIGHT,
    Connections,
    Destination,
    DestinationKey,
    ForwardingMethod,
    Protocol,
    Service,
    ServiceKey,
    Table,
    TunnelChecksum,
    TunnelType,
    canonical_flags,
    canonical_netmask,
    stored_port,
)

#: code -> the field that has to change
FIELDS = {
    "ipvs-service-not-unicast": "address",
    "ipvs-port-zero-needs-persistence": "port",
    "ipvs-one-packet-needs-udp": "one_packet",
    "ipvs-persistence-range": "persistence",
    "ipvs-netmask-without-persistence": "netmask",
    "ipvs-netmask-invalid": "netmask",
    "ipvs-pe-unknown": "pe",
    "ipvs-pe-without-persistence": "pe",
    "ipvs-pe-needs-udp": "pe",
    "ipvs-scheduler-missing": "scheduler",
    "ipvs-scheduler-flag": "sched_flags",
    "ipvs-server-port-forced": "port",
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
    "ipvs-no-servers": "real_servers",
    "ipvs-all-weights-zero": "weight",
    "ipvs-weights-beyond-slots": "weight",
    "ipvs-weights-ignored": "weight",
    "ipvs-service-duplicate": "address",
    "ipvs-services-overlap": "port",
    "ipvs-unmanaged-conflict": "address",
}

#: Share of the upper threshold from which connections are said to be near it.
NEAR = 0.8


def service_problems(
    service: Service, schedulers: Collection[str] = SCHEDULERS.keys()
) -> Iterator[Problem]:
    """What is wrong with a service by itself. `schedulers` are those that the director's
    kernel has (`schedulers.available`); without, all that are known."""
    subject = str(service.key)
    if service.key.address and not is_unicast(service.key.address):
        yield Problem(
            "ipvs-service-not-unicast",
            subject,
            f"{service.key.address} is not the address of one machine: ipvsadm accepts it, and "
            "no packet ever comes.",
            "Give the virtual address that clients connect to.",
        )
    yield from _scheduler(service, schedulers, subject)
    yield from _persistence(service, subject)
    is_udp = service.key.protocol in (Protocol.UDP, Protocol.FWMARK)
    if service.one_packet and not is_udp:
        yield Problem(
            "ipvs-one-packet-needs-udp",
            subject,
            "One-packet scheduling is for UDP only.",
            "Switch it off, or make the service UDP.",
        )
    if service.pe and not is_udp:
        yield Problem(
            "ipvs-pe-needs-udp",
            subject,
            f"The persistence engine {service.pe} reads UDP packets only.",
            "Make the service UDP, or choose no persistence engine.",
            is_blocking=False,
        )


def _scheduler(service: Service, schedulers: Collection[str], subject: str) -> Iterator[Problem]:
    name = service.scheduler
    if name not in schedulers:
        yield Problem(
            "ipvs-scheduler-missing",
            subject,
            f"The director's kernel has no scheduler {name}.",
            f"Choose one of {', '.join(sorted(schedulers))}.",
        )
    taken = SCHEDULERS[name].flags if name in SCHEDULERS else ()
    for flag in canonical_flags(name, service.sched_flags):
        if flag not in taken:
            yield Problem(
                "ipvs-scheduler-flag",
                subject,
                f"The scheduler {name} does not take the flag {flag}.",
                f"It takes {', '.join(taken)}." if taken else "Remove the flag.",
            )


def _persistence(service: Service, subject: str) -> Iterator[Problem]:
    seconds, key = service.persistence, service.key
    if seconds is not None and not 1 <= seconds <= MAX_PERSISTENCE:
        yield Problem(
            "ipvs-persistence-range",
            subject,
            f"A persistence of {seconds} s is not accepted.",
            f"Choose 1 to {MAX_PERSISTENCE} s (31 days).",
        )
    if seconds is None:
        if not key.fwmark and key.port == 0:
            yield Problem(
                "ipvs-port-zero-needs-persistence",
                subject,
                "Port 0 takes every port, and needs persistence to keep a client together.",
                "Set a persistence, or name the port.",
            )
        for code, value, noun in (
            ("ipvs-netmask-without-persistence", service.netmask, "netmask"),
            ("ipvs-pe-without-persistence", service.pe, "persistence engine"),
        ):
            if value:
                yield Problem(
                    code,
                    subject,
                    f"Without persistence the {noun} has no effect, and is dropped.",
                    f"Set a persistence, or remove the {noun}.",
                )
    try:
        canonical_netmask(service.netmask, key.family)
    except ValueError as error:
        hint = "1 to 128" if key.family == 6 else "0 to 32, or a mask like 255.255.255.0"
        yield Problem("ipvs-netmask-invalid", subject, f"{error}.", f"Give a prefix of {hint}.")
    if service.pe not in ("", "sip"):
        yield Problem(
            "ipvs-pe-unknown",
            subject,
            f"There is no persistence engine {service.pe}.",
            "Choose sip, or none.",
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
            f"By {method}, packets keep the port of the service: {port} would become {forced}.",
            f"Give the real server port {forced}, or forward by masq.",
        )
    yield from _address(service, destination, is_syncing=is_syncing)
    if service.address and address == service.address:
        yield Problem(
            "ipvs-server-is-vip",
            subject,
            "The real server has the address of the service itself: packets would go round.",
            "Give the real server's own address.",
        )
    if not 0 <= destination.weight <= MAX_WEIGHT:
        yield Problem(
            "ipvs-weight-range",
            subject,
            f"A weight of {destination.weight} is not accepted.",
            f"Choose 0 to {MAX_WEIGHT}; 0 takes no new connections.",
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
            f"{address} is not the address of one machine, and the kernel refuses it.",
            "Give a unicast address that is routed.",
        )
    if address.version == service.family:
        return
    if destination.forwarding is not ForwardingMethod.TUNNEL:
        yield Problem(
            "ipvs-mixed-family",
            subject,
            f"An IPv{address.version} real server under an IPv{service.family} service is reached "
            "by tunnel only.",
            "Forward by tunnel, or give an address of the service's family.",
        )
    elif is_syncing:
        yield Problem(
            "ipvs-mixed-family-sync",
            subject,
            "While connections are synchronised, the kernel refuses real servers of another "
            "family.",
            "Stop the synchronisation daemon, or give an address of the service's family.",
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
            f"Thresholds of {upper} and {lower} are not accepted.",
            f"Choose 0 (no limit) to {MAX_THRESHOLD}.",
        )
    elif lower > upper:
        yield Problem(
            "ipvs-thresholds-crossed",
            subject,
            f"The lower threshold {lower} is above the upper one, {upper}.",
            f"Choose at most {upper}." if upper else "Set an upper threshold first.",
        )


def _tunnel(destination: Destination, subject: str) -> Iterator[Problem]:
    tunnel = destination.tunnel
    if tunnel is None:
        return
    complaint = ""
    if destination.forwarding is not ForwardingMethod.TUNNEL:
        complaint = "Tunnel options belong to forwarding by tunnel."
    elif tunnel.type is TunnelType.GUE and not 1 <= tunnel.port <= 65535:
        complaint = "GUE needs the UDP port that the real server listens on, 1 to 65535."
    elif tunnel.type is not TunnelType.GUE and tunnel.port:
        complaint = f"{tunnel.type} has no port."
    elif tunnel.type is TunnelType.IPIP and tunnel.checksum is not TunnelChecksum.NONE:
        complaint = "ipip has no checksum of its own."
    elif tunnel.type is TunnelType.GRE and tunnel.checksum is TunnelChecksum.REMOTE:
        complaint = "Remote checksums are for GUE only."
    if complaint:
        yield Problem("ipvs-tunnel-options", subject, complaint, "Put the tunnel options right.")


def pool_problems(
    service: Service,
    destinations: Sequence[Destination],
    connections: Mapping[DestinationKey, Connections] | None = None,
) -> Iterator[Problem]:
    """What is wrong with the real servers of a service together. `connections` are
    those that each holds now, where known."""
    subject = str(service.key)
    stored = Counter(
        (one.key.address, stored_port(service.key, one.forwarding, one.key.port))
        for one in destinations
    )
    for (address, port), count in stored.items():
        if count > 1:
            yield Problem(
                "ipvs-server-duplicate",
                str(DestinationKey(address, port)),
                f"The real server is there {count} times.",
                "Keep one of them, with the sum of the weights.",
            )
    for one in destinations:
        held = (connections or {}).get(one.key)
        if held and one.upper_threshold and sum(held) >= NEAR * one.upper_threshold:
            yield Problem(
                "ipvs-threshold-near",
                str(one.key),
                f"The upper threshold {one.upper_threshold} counts closed connections too, and "
                f"{held.active} active and {held.inactive} inactive ones are there now.",
                "Raise the threshold: a closed TCP connection counts for two more minutes.",
                is_blocking=False,
            )
    yield from _weights(service, destinations, subject)


def _weights(
    service: Service, destinations: Sequence[Destination], subject: str
) -> Iterator[Problem]:
    weights = [one.weight for one in destinations]
    scheduler = SCHEDULERS.get(service.scheduler)
    if not weights:
        code, message = "ipvs-no-servers", "The service has no real server"
    elif not any(weights):
        code, message = "ipvs-all-weights-zero", "All weights are 0"
    else:
        code, message = "", ""
    if code:
        yield Problem(
            code,
            subject,
            f"{message}: new clients are refused.",
            "Give a real server a weight above 0.",
            is_blocking=False,
        )
    if scheduler and scheduler.slots and sum(weights) > scheduler.slots:
        yield Problem(
            "ipvs-weights-beyond-slots",
            subject,
            f"The weights add up to {sum(weights)}, and {scheduler.name} has "
            f"{scheduler.slots} slots: some real servers would get less than their share, or none.",
            f"Keep the sum of the weights at or below {scheduler.slots}.",
            is_blocking=False,
        )
    if (
        scheduler
        and not scheduler.uses_weights
        and len({weight for weight in weights if weight}) > 1
    ):
        yield Problem(
            "ipvs-weights-ignored",
            subject,
            f"The scheduler {scheduler.name} does not look at weights, except 0.",
            f"Choose w{scheduler.name}." if f"w{scheduler.name}" in SCHEDULERS else "Choose wlc.",
            is_blocking=False,
        )


def service_conflicts(keys: Iterable[ServiceKey]) -> Iterator[Problem]:
    """Services of one director that get in each other's way."""
    counted = Counter(keys)
    for key, count in counted.items():
        if count > 1:
            yield Problem(
                "ipvs-service-duplicate",
                str(key),
                f"{count} services have this protocol, address and port.",
                "Keep one of them.",
            )
        every_port = key._replace(port=0)
        if not key.fwmark and key.port and every_port in counted:
            yield Problem(
                "ipvs-services-overlap",
                str(key),
                f"{every_port} takes every port of this address, except this one.",
                "Keep both if that is meant; else remove one.",
                is_blocking=False,
            )


def unmanaged_conflicts(
    desired: Table, observed: Table, owned: Collection[ServiceKey]
) -> Iterator[Problem]:
    """Services that are about to be ours, and stand on the director already without
    being so: planning them would edit what somebody else made."""
    for key in desired:
        if key in observed and key not in owned:
            yield Problem(
                "ipvs-unmanaged-conflict",
                str(key),
                f"The director has {service_words(key)} already, and it is not managed here.",
                "Adopt it, or remove it from the director first.",
            )
