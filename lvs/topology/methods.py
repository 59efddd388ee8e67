"""What each forwarding method asks of the machines, and how it fails without. PURE."""

from __future__ import annotations

from collections.abc import Iterator

from console.planning import Problem
from console.planning import mark as _
from lvs.realserver.needs import Need, wrapping_of

from .capacity import PORTS_PER_ADDRESS, full_nat_capacity
from .facts import LOOPBACK, Machine, Method, Server, Situation, is_inside, parsed
from .naming import subject_of

#: Real servers beyond which the director's own link and CPU are what limits NAT. From the
#: authors of LVS; no measurement is known.
NAT_MANY = 20
#: The part of Full NAT's ports from which connections are said to be near the end of them.
NEAR = 0.5
_DEVICES = {("ipip", 4): "tunl0", ("ipip", 6): "ip6tnl0", ("gre", 4): "gre0", ("gre", 6): "ip6gre0"}


def direct_routing(situation: Situation) -> Iterator[Problem]:
    """DR sends to the real server's hardware address: both must share a segment."""
    far = [
        server
        for server in situation.by(Method.ROUTE)
        if situation.is_near(server) is False and server.address not in situation.own_addresses
    ]
    if far:
        yield Problem(
            "ipvs-route-other-network",
            subject_of(far),
            _(
                "By DR, the real server must be in a network of the director: packets are"
                " sent to its hardware address, and no router takes them."
            ),
            _("Forward by TUN or Full NAT, or attach the director to that network."),
            is_blocking=situation.director.routes is not None,
        )


def direct_routing_prepared(situation: Situation) -> Iterator[Problem]:
    """By DR the real server holds the VIP on its loopback, and never answers ARP for it.
    What the console prepares itself is not judged here."""
    servers = [(one, one.machine) for one in situation.by(Method.ROUTE) if not one.is_prepared]
    seen = [(server, machine) for server, machine in servers if machine is not None]
    missing = [one for one, machine in seen if not machine.interfaces_of(situation.vip)]
    if missing:
        yield Problem(
            "ipvs-route-vip-missing",
            subject_of(missing),
            _(
                "By DR, packets arrive with the VIP as their destination, and the real server was"
                " seen without it: it would drop them."
            ),
            _("Choose its machine, so that the console prepares it, or run the script for DR."),
            is_blocking=False,
        )
    stealing = [
        server
        for server, machine in seen
        if machine.interfaces_of(situation.vip) and _answers_for_vip(situation.vip, machine, server)
    ]
    if stealing:
        yield Problem(
            "ipvs-route-steals-vip",
            subject_of(stealing),
            _(
                "It holds the VIP and answers ARP for it: clients would reach it past the"
                " director, and it would look as if all were well."
            ),
            _(
                "Set net.ipv4.conf.all.arp_ignore=1 and net.ipv4.conf.all.arp_announce=2 on it;"
                " on lo alone they do nothing."
            ),
            is_blocking=False,
        )


def nat(situation: Situation) -> Iterator[Problem]:
    """By NAT each answer must pass the director, which turns its source back into the VIP."""
    servers = situation.by(Method.MASQ)
    neighbours = [one for one in servers if situation.is_among_clients(one)]
    if neighbours:
        yield Problem(
            "ipvs-masq-one-network",
            subject_of(neighbours),
            _(
                "Clients are in the real server's own network: it would answer them directly,"
                " from an address that they did not ask, and they would wait in vain."
            ),
            _("Forward by Full NAT, or by DR."),
            is_blocking=False,
        )
    routed = [one for one in servers if situation.is_near(one) is False and one not in neighbours]
    if routed and situation.director.routes is not None:
        yield Problem(
            "ipvs-masq-behind-router",
            subject_of(routed),
            _(
                "A router stands between the director and the real server: by NAT its answers"
                " must come back through the director, and the router sends them straight to the"
                " clients unless it was told otherwise."
            ),
            _("Forward by TUN or Full NAT, or route the clients' networks to the director there."),
            is_blocking=False,
        )
    if len(servers) > NAT_MANY:
        yield Problem(
            "ipvs-masq-many",
            situation.vip,
            _(
                "%(count)s real servers answer through this one director by NAT: beyond about"
                " %(many)s its link and its processor are the limit."
            ),
            _("Forward by DR or TUN: answers then go straight to the clients."),
            {"count": len(servers), "many": NAT_MANY},
            is_blocking=False,
        )


def nat_return_route(situation: Situation) -> Iterator[Problem]:
    """Whether a real server that was seen sends its answers back through the director."""
    lost = [
        server
        for server in situation.by(Method.MASQ)
        if server.machine is not None
        and not server.is_prepared
        and situation.is_near(server) is not False
        and not situation.is_among_clients(server)
        and _leads_elsewhere(situation, server.machine)
    ]
    if lost:
        yield Problem(
            "ipvs-masq-return-route",
            subject_of(lost),
            _(
                "By NAT the real server's answers must go back through the director, and its"
                " default route was seen to lead elsewhere: clients would wait in vain."
            ),
            _(
                "Choose its machine, so that the console prepares it, or make the director its"
                " gateway; Full NAT needs neither."
            ),
            is_blocking=False,
        )


def tunnel_prepared(situation: Situation) -> Iterator[Problem]:
    """By TUN the real server unwraps the packet: device, VIP, and no reverse-path filter."""
    seen = [
        (server, server.machine)
        for server in situation.by(Method.TUNNEL)
        if server.machine is not None and not server.is_prepared
    ]
    shut = [one for one, machine in seen if _lacks_device(one, machine)]
    if shut:
        yield Problem(
            "ipvs-tunnel-device",
            subject_of(shut),
            _("It was seen without the tunnel's device %(device)s up: it refuses the packets."),
            _("Choose its machine, so that the console prepares it, or bring %(device)s up."),
            {"device": ", ".join(sorted({_device(one) for one in shut}))},
            is_blocking=False,
        )
    missing = [one for one, machine in seen if not machine.interfaces_of(situation.vip)]
    if missing:
        yield Problem(
            "ipvs-tunnel-vip-missing",
            subject_of(missing),
            _(
                "What comes out of the tunnel is meant for the VIP, and the real server was seen"
                " without it: it would drop the packets."
            ),
            _("Choose its machine, so that the console prepares it, or run the script for TUN."),
            is_blocking=False,
        )
    filtering = [
        one
        for one, machine in seen
        if ":" not in situation.vip and machine.setting("rp_filter", _device(one)) == 1
    ]
    if filtering:
        yield Problem(
            "ipvs-tunnel-rp-filter",
            subject_of(filtering),
            _(
                "Its reverse-path filter is on: packets come out of the tunnel, and their answers"
                " leave by another interface, so that it drops them."
            ),
            _("Set net.ipv4.conf.all.rp_filter and that of the tunnel's device to 0 on it."),
            is_blocking=False,
        )


def tunnel(situation: Situation) -> Iterator[Problem]:
    """Wrapped packets are longer than the link takes; who is not told so hangs."""
    servers = [one for one in situation.by(Method.TUNNEL) if not one.is_prepared]
    if servers:
        yield Problem(
            "ipvs-tunnel-mtu",
            subject_of(servers),
            _(
                "The tunnel takes %(bytes)s bytes of each packet. Clients that do not hear of it,"
                " because ICMP is dropped on the way, hang in large uploads."
            ),
            _(
                "Clamp the MSS of the real server's SYN-ACK to %(mss)s, or set"
                " net.ipv4.vs.pmtu_disc=0 on the director. A clamp on the director does nothing."
            ),
            {
                "bytes": max(overhead(situation.vip, one) for one in servers),
                "mss": min(mss_of(situation.vip, one) for one in servers),
            },
            is_blocking=False,
        )


def full_nat(situation: Situation) -> Iterator[Problem]:
    """Full NAT makes every client look like the director."""
    servers = situation.by(Method.FULLNAT)
    if servers:
        yield Problem(
            "ipvs-fullnat-hides-client",
            subject_of(servers),
            _("By Full NAT the real server sees the director's address, never the client's."),
            _(
                "Forward by DR, TUN or NAT where logs or limits need the client's address, or"
                " have a proxy add it to the request."
            ),
            is_blocking=False,
        )


def full_nat_ports(situation: Situation) -> Iterator[Problem]:
    """By Full NAT each connection takes a port of a local address."""
    servers = situation.by(Method.FULLNAT)
    short = []
    for server in servers:
        most = full_nat_capacity(situation, server)
        wanted = max(server.connections or 0, server.upper_threshold)
        if wanted >= NEAR * most:
            short.append((server, wanted, most))
    if short:
        yield Problem(
            "ipvs-fullnat-ports",
            subject_of([server for server, _wanted, _most in short]),
            _(
                "It has or may have %(wanted)s connections, and the local addresses have ports for"
                " %(most)s at once: %(ports)s for each. Without a free port new connections hang."
            ),
            _("Give the director more local addresses for Full NAT."),
            {
                "wanted": max(wanted for _server, wanted, _most in short),
                "most": min(most for _server, _wanted, most in short),
                "ports": PORTS_PER_ADDRESS,
            },
            is_blocking=False,
        )


def overhead(vip: str, server: Server) -> int:
    """Bytes that the tunnel to a real server adds to each packet."""
    return wrapping_of(_need(vip, server))


def mss_of(vip: str, server: Server) -> int:
    """The largest TCP segment that still fits through the tunnel on an Ethernet."""
    return _need(vip, server).mss


def _need(vip: str, server: Server) -> Need:
    return Need(
        0,
        vip,
        server.address,
        "tunnel",
        tunnel=server.tunnel,
        tunnel_checksum=server.tunnel_checksum,
    )


def _answers_for_vip(vip: str, machine: Machine, server: Server) -> bool:
    if ":" in vip:
        return any(name != LOOPBACK for name in machine.interfaces_of(vip))
    links = machine.interfaces_of(server.address)
    ignores = [machine.setting("arp_ignore", name) for name in links]
    return any(value is not None and value == 0 for value in ignores)


def _leads_elsewhere(situation: Situation, machine: Machine) -> bool:
    """Whether the way back to clients is known, and is not the director."""
    version = parsed(situation.vip).version
    clients = [one for one in situation.clients if one.version == version]
    outside = str(clients[0].network_address + 1) if clients else situation.vip
    way = machine.way_to(outside)
    if way is None or not way.gateway:
        return False
    own = {one for one in situation.own_addresses if is_inside(one, machine.attached())}
    return bool(own) and way.gateway not in own


def _device(server: Server) -> str:
    return _DEVICES.get((server.tunnel, parsed(server.address).version), "")


def _lacks_device(server: Server, machine: Machine) -> bool:
    device = _device(server)
    return bool(device) and machine.up is not None and device not in machine.up
