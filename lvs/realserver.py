"""What a real server needs for its forwarding method, as a script to run on it. PURE.

By route (DR) the real server holds the VIP itself and must never answer ARP for it; by
masquerading (NAT) its way back to the clients must lead through the director. Measured on
Debian 12: arp_ignore and arp_announce on `lo` alone do not keep it from answering ARP.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from ipaddress import ip_address, ip_interface

_ARP_FILE = "/etc/sysctl.d/60-evenkeel-dr.conf"
_ARP = ("net.ipv4.conf.all.arp_ignore", 1), ("net.ipv4.conf.all.arp_announce", 2)


def direct_routing_script(vip: str) -> str:
    """Puts the VIP on the loopback of a real server, now and at every boot.

    ARP comes first, so that there is no moment in which the real server takes the VIP over.
    IPv6 needs no such setting: an address of `lo` is not announced to the neighbours.
    """
    is_ipv6 = ":" in vip
    prefix = f"{vip}/128" if is_ipv6 else f"{vip}/32"
    add = f"ip address replace {prefix} dev lo" + (" nodad" if is_ipv6 else "")
    unit = f"evenkeel-vip-{vip.replace(':', '-').replace('.', '-')}.service"
    arp = (
        []
        if is_ipv6
        else [
            f"cat > {_ARP_FILE} <<'@@'",
            *(f"{name} = {value}" for name, value in _ARP),
            "@@",
            f"sysctl -p {_ARP_FILE}",
        ]
    )
    lines = [
        "set -e",
        *arp,
        add,
        f"cat > /etc/systemd/system/{unit} <<'@@'",
        "[Unit]",
        f"Description=VIP {vip} on the loopback, for direct routing",
        "After=systemd-sysctl.service",
        "Before=network.target",
        "[Service]",
        "Type=oneshot",
        f"ExecStart=/usr/sbin/{add}",
        "[Install]",
        "WantedBy=multi-user.target",
        "@@",
        "systemctl daemon-reload",
        f"systemctl enable {unit}",
    ]
    return "\n".join(lines)


def direct_routing_check(vip: str, port: int, protocol: str) -> str:
    """Shows whether a real server is ready for direct routing: VIP, ARP, listener."""
    lines = [f"ip address show dev lo to {vip}"]
    if ":" not in vip:
        lines.append("sysctl " + " ".join(name for name, _value in _ARP))
    return "\n".join([*lines, listener_check(port, protocol)])


def return_route_script(gateway: str) -> str:
    """Sends what a real server answers back through the director, until the next boot."""
    family = "-6 " if ":" in gateway else ""
    return (
        f"ip {family}route replace default via {gateway}\nip {family}route get {_outside(gateway)}"
    )


def listener_check(port: int, protocol: str) -> str:
    """Shows whether something listens on that port of a real server."""
    return f"ss -H -ln{'u' if protocol == 'udp' else 't'} 'sport = :{port}'"


def gateway_for(rip: str, addresses: Mapping[str, Iterable[str]], vips: Iterable[str]) -> str:
    """The director's own address in the real server's network, or "" where it has none.

    `addresses` are the director's by interface, with prefix; `vips` are no gateways.
    """
    server, taken = ip_address(rip), set(vips)
    for held in addresses.values():
        for text in held:
            interface = ip_interface(text)
            if server in interface.network and str(interface.ip) not in taken | {rip}:
                return str(interface.ip)
    return ""


def _outside(gateway: str) -> str:
    """An address of the documentation prefixes (RFC 5737, RFC 3849): outside everywhere."""
    return "2001:db8::1" if ":" in gateway else "198.51.100.1"
