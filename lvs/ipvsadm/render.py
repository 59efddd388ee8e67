"""The lines of `ipvsadm -R`: every option spelled out, in the order of ipvsadm's own `-S`.

Order matters to ipvsadm: `-6` after `-f`, `-M` after both, `-r` after the service.
"""

from __future__ import annotations

from .types import (
    Destination,
    DestinationKey,
    ForwardingMethod,
    Protocol,
    Service,
    ServiceKey,
    Table,
    TunnelType,
    endpoint,
)

_SERVICE_OPTION = {
    Protocol.TCP: "-t ",
    Protocol.UDP: "-u ",
    Protocol.SCTP: "--sctp-service ",
}
_METHOD_OPTION = {
    ForwardingMethod.ROUTE: " -g -w ",
    ForwardingMethod.TUNNEL: " -i -w ",
    ForwardingMethod.MASQ: " -m -w ",
}


def service_words(key: ServiceKey) -> str:
    """The words that name a service: "-t 192.0.2.1:80", "-f 7 -6"."""
    if key.fwmark:
        return f"-f {key.fwmark} -6" if key.family == 6 else f"-f {key.fwmark}"
    return _SERVICE_OPTION[key.protocol] + endpoint(key.address, key.port)


def service_options(service: Service) -> str:
    """The complete definition of a service, without its name: "-s rr -p 60"."""
    words = f"-s {service.scheduler}"
    if service.persistence is not None:
        words += f" -p {service.persistence}"
        if service.netmask:
            words += f" -M {service.netmask}"
        if service.pe:
            words += f" --pe {service.pe}"
    if service.one_packet:
        words += " -o"
    if service.sched_flags:
        words += f" -b {','.join(service.sched_flags)}"
    return words


def destination_options(destination: Destination, with_thresholds: bool) -> str:
    """The complete definition of a destination, without its name, from its method on.

    Both thresholds are written where one is set, and where `with_thresholds` asks
    for a visible 0.
    """
    _, forwarding, weight, upper, lower, tunnel = destination
    words = f"{_METHOD_OPTION[forwarding]}{weight}"
    if upper or lower or with_thresholds:
        words += f" -x {upper} -y {lower}"
    if tunnel is not None:
        words += f" --tun-type {tunnel.type}"
        if tunnel.type is TunnelType.GUE:
            words += f" --tun-port {tunnel.port}"
        if tunnel.type is not TunnelType.IPIP:
            words += f" --tun-{tunnel.checksum}"
    return words


def service_line(command: str, service: Service) -> str:
    """`-A` or `-E` with everything that the service is."""
    return f"{command} {service_words(service.key)} {service_options(service)}"


def destination_line(command: str, service: ServiceKey, destination: Destination) -> str:
    """`-a` or `-e` with everything that the destination is."""
    return (
        f"{command} {service_words(service)} -r {endpoint(*destination.key)}"
        f"{destination_options(destination, with_thresholds=False)}"
    )


def delete_service_line(key: ServiceKey) -> str:
    """`-D`."""
    return f"-D {service_words(key)}"


def delete_destination_line(service: ServiceKey, key: DestinationKey) -> str:
    """`-d`."""
    return f"-d {service_words(service)} -r {endpoint(*key)}"


def render_table(table: Table) -> list[str]:
    """The `-A` and `-a` lines that build the table from nothing, thresholds included.

    This is what a saved rules file holds; `ipvsadm -S` would lose the thresholds.
    """
    lines = []
    for key, (service, destinations) in table.items():
        name = service_words(key)
        lines.append(f"-A {name} {service_options(service)}")
        prefix = f"-a {name} -r "
        lines.extend(
            f"{prefix}{endpoint(*destination.key)}{destination_options(destination, False)}"
            for destination in destinations.values()
        )
    return lines
