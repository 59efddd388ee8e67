"""Why a real server is not reached through the path, from what differs between asking it
plainly and asking it through the path: in words, with what to do. PURE.

Each sentence was checked on the rack by breaking exactly that thing (tests/lab/test_path_probe.py).
"""

from __future__ import annotations

from collections.abc import Mapping

from console.planning import Problem
from console.planning import mark as _
from lvs.ipvsadm.types import Tunnel, TunnelType
from lvs.probe.paths import Reached

#: Bytes that wrapping adds to an IPv4 packet: outer header, and for GRE and GUE theirs.
_WRAPPING = {TunnelType.IPIP: 20, TunnelType.GRE: 24, TunnelType.GUE: 32}
_IPV6_MORE = 20
#: IPv4 and TCP headers, IPv6 and TCP headers.
_HEADERS = {4: 40, 6: 60}


def diagnose(
    reached: Reached,
    forwarding: str,
    settings: Mapping[str, str],
    *,
    vip: str,
    tunnel: Tunnel | None = None,
) -> Problem | None:
    """The one reason that explains it best, or None where the path works.

    A path that works can still have a problem, which is not blocking then: an MTU that only
    some clients get over.
    """
    if reached.path.is_fine:
        return _of_a_path_that_works(reached, forwarding, vip, tunnel)
    if not reached.direct.is_fine and not _answers_only_the_vip(forwarding, reached):
        return _of_the_server(reached)
    reasons = {"route": _of_dr, "tunnel": _of_tun, "masq": _of_nat, "fullnat": _of_full_nat}
    return reasons[forwarding](reached, settings, vip)


def _answers_only_the_vip(forwarding: str, reached: Reached) -> bool:
    """A program on a DR or TUN real server may listen at the VIP alone."""
    return forwarding in ("route", "tunnel") and reached.direct.outcome == "refused" and (
        reached.path.outcome == "timeout"
    )  # fmt: skip


def _of_the_server(reached: Reached) -> Problem:
    if reached.direct.outcome == "refused":
        return _problem(
            "server-refuses",
            reached,
            _("It refuses the connection: nothing listens at this port."),
            _("Start the program on the real server, or correct the port."),
        )
    return _problem(
        "server-silent",
        reached,
        _("It does not answer even when it is asked directly: the path is not the reason."),
        _("See that the machine is up, that its program listens, and that no firewall is between."),
    )


def _of_dr(reached: Reached, settings: Mapping[str, str], vip: str) -> Problem:
    if reached.path.outcome == "refused":
        return _problem(
            "vip-not-listened",
            reached,
            _("It holds the VIP and refuses the connection: its program does not listen there."),
            _("Let the program listen at every address, or at %(vip)s too."),
            vip=vip,
        )
    return _problem(
        "vip-missing",
        reached,
        _(
            "Asked directly it answers, asked through the VIP it does not: it does not hold"
            " %(vip)s on its loopback, or is not in the director's own network segment."
        ),
        _(
            "Put %(vip)s on the loopback of the real server, after arp_ignore and arp_announce:"
            " prepare it on this page, or run its script. Behind a router only a tunnel works."
        ),
        vip=vip,
    )


def _of_tun(reached: Reached, settings: Mapping[str, str], vip: str) -> Problem:
    if reached.path.outcome in ("refused", "unreachable"):
        return _problem(
            "tunnel-down",
            reached,
            _(
                "Asked directly it answers, but it refuses what comes through the tunnel: its"
                " tunnel device is down, or of another kind or port than declared here."
            ),
            _(
                "Bring the tunnel device up on the real server (tunl0 for IP in IP, gre0 for GRE,"
                " a fou port for GUE): prepare it on this page, or run its script."
            ),
        )
    return _problem(
        "tunnel-drops",
        reached,
        _(
            "Asked directly it answers, but what comes through the tunnel is dropped there:"
            " rp_filter is on for the tunnel device or for all, or %(vip)s is on none of its"
            " devices, or something between drops tunnelled packets."
        ),
        _(
            "On the real server set rp_filter to 0 for the tunnel device and for all (the kernel"
            " takes the larger), and put %(vip)s on the tunnel device: prepare it on this page."
        ),
        vip=vip,
    )


def _of_nat(reached: Reached, settings: Mapping[str, str], vip: str) -> Problem:
    return _forwarding_off(reached, settings, vip) or _problem(
        "no-return-route",
        reached,
        _(
            "Asked directly it answers, but its answer to a client does not come back through"
            " the director: its way out is another gateway, or the client is in its own network."
        ),
        _(
            "Make the director the gateway of the real server, or of what it sends from its"
            " address: prepare it on this page. Clients in its own network need Full NAT."
        ),
    )


def _of_full_nat(reached: Reached, settings: Mapping[str, str], vip: str) -> Problem:
    if settings.get("ipv4/vs/conntrack") == "0":
        return _problem(
            "conntrack-off",
            reached,
            _(
                "net.ipv4.vs.conntrack is 0 on the director: the source of what it forwards is"
                " not changed, so the answer goes past the director."
            ),
            _("Apply what is declared for the director, which turns it on."),
        )
    return _forwarding_off(reached, settings, vip) or _problem(
        "no-source-nat",
        reached,
        _(
            "Asked directly it answers, but its answer to a client does not come back to the"
            " director: the director does not put its own address in the place of the client's."
        ),
        _(
            "Apply what is declared for the director: its nftables table has the source NAT."
            " Then see that the real server can answer the local addresses."
        ),
    )


def _forwarding_off(reached: Reached, settings: Mapping[str, str], vip: str) -> Problem | None:
    name = "ipv6/conf/all/forwarding" if ":" in vip else "ipv4/ip_forward"
    if settings.get(name) != "0":
        return None
    return _problem(
        "forwarding-off",
        reached,
        _("The director does not forward packets: net.%(setting)s is 0."),
        _("Apply what is declared for the director, which turns it on."),
        setting=name.replace("/", "."),
    )


def _of_a_path_that_works(
    reached: Reached, forwarding: str, vip: str, tunnel: Tunnel | None
) -> Problem | None:
    if reached.upload.outcome == "hung":
        return _problem(
            "mtu-hole",
            reached,
            _(
                "Small packets pass, large ones do not: an upload of 60 kB hung with %(left)s"
                " bytes left. A link on the path has a smaller MTU and does not say so."
            ),
            _(
                "Give every link to the real server the same MTU, let ICMP “fragmentation"
                " needed” pass, or lower the MSS on the real server."
            ),
            left=int(reached.upload.said or 0),
        )
    if forwarding != "tunnel" or tunnel is None or not reached.mss or not reached.mtu:
        return None
    family = 6 if ":" in vip else 4
    room = reached.mtu - _WRAPPING[tunnel.type] - (
        _IPV6_MORE if "[" in reached.name else 0
    ) - _HEADERS[family]  # fmt: skip
    if reached.mss <= room:
        return None
    return _problem(
        "mss-too-large",
        reached,
        _(
            "It offers segments of %(mss)s bytes, of which only %(room)s fit through the tunnel:"
            " clients whose network drops ICMP hang in uploads."
        ),
        _(
            "Lower the MSS on the real server to %(room)s: prepare it on this page. On the"
            " director it would do nothing, which never sees the answer."
        ),
        is_blocking=False,
        mss=reached.mss,
        room=room,
    )


def _problem(
    code: str,
    reached: Reached,
    message: str,
    remedy: str,
    *,
    is_blocking: bool = True,
    **params: str | int,
) -> Problem:
    return Problem(code, reached.name, message, remedy, params, is_blocking)
