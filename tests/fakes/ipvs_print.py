"""How ipvsadm 1.31 and the 6.1 kernel print an IPVS table. Shares no code with lvs."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from functools import cmp_to_key
from typing import TYPE_CHECKING

from .ipvs_argv import V4, V6, Server, Service

if TYPE_CHECKING:
    from .ipvs_kernel import Entry

BANNER = "IP Virtual Server version 1.2.1 (size=4096)\n"
ARROW = "  -> RemoteAddress:Port"
LOCAL = "Prot LocalAddress:Port"
PLAIN = f"{LOCAL} Scheduler Flags\n{ARROW}"
#: view -> the heading of `ipvsadm -Ln`
HEADINGS = {
    "thresholds": f"{LOCAL:<33} {'Uthreshold':<10} {'Lthreshold':<10} {'ActiveConn':<10} "
    f"{'InActConn':<10}\n{ARROW}\n",
    "stats": f"{LOCAL:<33} {'Conns':>8} {'InPkts':>8} {'OutPkts':>8} {'InBytes':>8} "
    f"{'OutBytes':>8}\n{ARROW}\n",
    "rate": f"{LOCAL:<33} {'CPS':>8} {'InPPS':>8} {'OutPPS':>8} {'InBPS':>8} "
    f"{'OutBPS':>8}\n{ARROW}\n",
    "tun-info": f"{PLAIN}           Forward TunnelInfo    Weight ActiveConn InActConn\n",
    "": f"{PLAIN}           Forward Weight ActiveConn InActConn\n",
}
METHOD = {"g": "Route", "i": "Tunnel", "m": "Masq"}
NAMES = {socket.IPPROTO_TCP: "TCP", socket.IPPROTO_UDP: "UDP", socket.IPPROTO_SCTP: "SCTP"}
OPTION = {
    socket.IPPROTO_TCP: "-t",
    socket.IPPROTO_UDP: "-u",
    socket.IPPROTO_SCTP: "--sctp-service",
}
CHECKSUM = {"nocsum": "-c", "csum": "+c", "remcsum": "r+c"}


def save(entries: list[Entry]) -> str:
    lines = []
    for entry in entries:
        service = entry.service
        name = _option(service)
        line = f"-A {name} -s {service.scheduler}"
        if service.timeout is not None:
            line += f" -p {service.timeout}"
            line += f" -M {_mask(service)}" if _mask(service) else ""
        line += f" --pe {service.pe}" if service.pe else ""
        line += " -o" if service.ops else ""
        line += f" -b {_flags(service)}" if service.flags else ""
        lines.append(f"{line}\n")
        lines.extend(f"-a {name} -r {_rule(server)}\n" for server in _servers(entry))
    return "".join(lines)


def _rule(server: Server) -> str:
    line = f"{_dotted(server.af, server.address, server.port)} -{server.method} -w {server.weight}"
    if server.method == "i":
        line += f" --tun-type {server.tun_type}"
        line += f" --tun-port {server.tun_port}" if server.tun_type == "gue" else ""
        line += f" --tun-{server.tun_flags}" if server.tun_type != "ipip" else ""
    return line


def listing(entries: list[Entry], view: str, *, banner: bool) -> str:
    lines = [BANNER if banner else "", HEADINGS[view]]
    for entry in entries:
        service = entry.service
        if view in ("stats", "rate"):
            lines.append(f"{_title(service):<33}{_counted(entry.counters)}\n")
        else:
            lines.append(f"{_title(service)} {_described(service)}\n")
        lines.extend(f"  -> {_row(server, view)}\n" for server in _servers(entry))
    return "".join(lines)


def _row(server: Server, view: str) -> str:
    name = f"{_dotted(server.af, server.address, server.port):<28}"
    connections = f"{server.active:<10} {server.inactive:<10}"
    if view in ("stats", "rate"):
        return name + _counted(server.counters)
    if view == "thresholds":
        return f"{name} {server.upper:<10} {server.lower:<10} {connections}"
    method = f"{METHOD[server.method]:<7}"
    if view == "tun-info":
        return f"{name} {method} {_tunnel(server):<13} {server.weight:<6} {connections}"
    return f"{name} {method} {server.weight:<6} {connections}"


def _counted(counters: list[int]) -> str:
    return "".join(f" {count:>8}" for count in counters)


def _tunnel(server: Server) -> str:
    if server.method != "i":
        return "n/a"
    port = f":{server.tun_port}" if server.tun_type == "gue" else ""
    sums = f":{CHECKSUM[server.tun_flags]}" if server.tun_type != "ipip" else ""
    return f"{server.tun_type}{port}{sums}"


def _described(service: Service) -> str:
    line = service.scheduler
    line += f" ({_flags(service)})" if service.flags else ""
    if service.timeout is not None:
        line += f" persistent {service.timeout}"
        line += f" mask {_mask(service)}" if _mask(service) else ""
        line += f" pe {service.pe}" if service.pe else ""
    return line + (" ops" if service.ops else "")


def _signed(mark: int) -> int:
    """ipvsadm prints marks with %d."""
    return mark - 2**32 if mark >= 2**31 else mark


def _option(service: Service) -> str:
    if service.mark:
        return f"-f {_signed(service.mark)}" + (" -6" if service.af == V6 else "")
    return f"{OPTION[service.protocol]} {_dotted(service.af, service.address, service.port)}"


def _title(service: Service) -> str:
    if service.mark:
        return f"FWM  {_signed(service.mark)}" + (" IPv6" if service.af == V6 else "")
    name = _dotted(service.af, service.address, service.port)
    return f"{NAMES[service.protocol]:<4} {name}"


def _dotted(af: int, address: bytes, port: int) -> str:
    text = socket.inet_ntop(af, address)
    return f"[{text}]:{port}" if af == V6 else f"{text}:{port}"


def _mask(service: Service) -> str:
    if service.af == V6:
        return "" if service.mask == 128 else str(service.mask)
    if service.mask == 0xFFFFFFFF:
        return ""
    return socket.inet_ntop(V4, service.mask.to_bytes(4, "big"))


def _flags(service: Service) -> str:
    if service.scheduler in ("sh", "mh"):
        names = [f"{service.scheduler}-fallback", f"{service.scheduler}-port"]
    else:
        names = ["flag-1", "flag-2", "flag-3"]
    return ",".join(name for bit, name in enumerate(names) if service.flags >> bit & 1)


def _servers(entry: Entry) -> list[Server]:
    return sorted(entry.servers, key=cmp_to_key(_compare))


def by_service(entries: Iterable[Entry]) -> list[Entry]:
    """The order in which ipvsadm lists services."""

    def compare(one: Entry, other: Entry) -> int:
        first, second = one.service, other.service
        return (
            _int32(first.mark - second.mark)
            or first.af - second.af
            or first.protocol - second.protocol
            or _compare(first, second)
        )

    return sorted(entries, key=cmp_to_key(compare))


def _compare(one: Server | Service, other: Server | Service) -> int:
    """libipvs subtracts addresses word by word into an int, which overflows: 192.0.2.1
    comes before 10.0.0.1, and families are not compared at all."""
    for at in range(0, 16 if one.af == V6 else 4, 4):
        words = (
            int.from_bytes(record.address.ljust(16, b"\0")[at : at + 4], "big")
            for record in (one, other)
        )
        difference = _int32(next(words) - next(words))
        if difference:
            return difference
    return one.port - other.port


def _int32(number: int) -> int:
    return (number + 2**31) % 2**32 - 2**31


def proc(entries: list[Entry], hz: int) -> str:
    lines = [BANNER, f"{PLAIN} Forward Weight ActiveConn InActConn\n"]
    for entry in entries:
        service = entry.service
        if service.mark:
            head = f"FWM  {service.mark:08X} {service.scheduler} {'ops ' if service.ops else ''}"
        elif service.af == V6:
            head = f"{_hex_title(service)} {service.scheduler} "
        else:
            head = f"{_hex_title(service)} {service.scheduler} {'ops ' if service.ops else ''} "
        if service.timeout is not None:
            mask = service.mask
            if service.af == V6:
                mask = int.from_bytes(mask.to_bytes(4, "big"), "little")
            head += f"persistent {service.timeout * hz} {mask:08X}"
        lines.append(f"{head}\n")
        lines.extend(_hex_row(server) for server in entry.servers)
    return "".join(lines)


def totals(entries: list[Entry]) -> str:
    sums = [sum(entry.counters[place] for entry in entries) for place in range(5)]
    return (
        "   Total Incoming Outgoing         Incoming         Outgoing\n"
        "   Conns  Packets  Packets            Bytes            Bytes\n"
        f"{sums[0]:8X} {sums[1]:8X} {sums[2]:8X} {sums[3]:16X} {sums[4]:16X}\n\n"
        " Conns/s   Pkts/s   Pkts/s          Bytes/s          Bytes/s\n"
        f"{0:8X} {0:8X} {0:8X} {0:16X} {0:16X}\n"
    )


def _hex_title(service: Service) -> str:
    return f"{NAMES[service.protocol]}  {_hex(service.af, service.address, service.port)}"


def _hex_row(server: Server) -> str:
    name = _hex(server.af, server.address, server.port)
    return (
        f"  -> {name}      {METHOD[server.method]:<7} {server.weight:<6} "
        f"{server.active:<10} {server.inactive:<10}\n"
    )


def _hex(af: int, address: bytes, port: int) -> str:
    digits = address.hex()
    if af == V4:
        return f"{digits.upper()}:{port:04X}"
    groups = ":".join(digits[at : at + 4] for at in range(0, 32, 4))
    return f"[{groups}]:{port:04X}"
