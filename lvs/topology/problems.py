"""Reasons why a service would not work where its machines stand, each with its remedy.

Facts measured on Debian 12's 6.1 kernel; each rule has its test. What is certain from what
was seen blocks applying; what may be otherwise than seen is advice.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from console.planning import Problem
from console.planning import mark as _

from .facts import LOOPBACK, Situation, parsed
from .methods import (
    direct_routing,
    direct_routing_prepared,
    full_nat,
    full_nat_ports,
    nat,
    nat_return_route,
    tunnel,
    tunnel_prepared,
)
from .naming import subject_of

#: code -> the field that has to change
FIELDS = {
    "ipvs-director-is-server": "address",
    "ipvs-server-is-broadcast": "address",
    "ipvs-server-unreachable": "address",
    "ipvs-vip-absent": "address",
    "ipvs-vip-elsewhere": "address",
    "ipvs-route-other-network": "forwarding",
    "ipvs-route-vip-missing": "forwarding",
    "ipvs-route-steals-vip": "forwarding",
    "ipvs-masq-one-network": "forwarding",
    "ipvs-masq-behind-router": "forwarding",
    "ipvs-masq-return-route": "forwarding",
    "ipvs-masq-many": "forwarding",
    "ipvs-tunnel-device": "forwarding",
    "ipvs-tunnel-vip-missing": "forwarding",
    "ipvs-tunnel-rp-filter": "forwarding",
    "ipvs-tunnel-mtu": "forwarding",
    "ipvs-fullnat-hides-client": "forwarding",
    "ipvs-fullnat-ports": "forwarding",
    "ipvs-setting-quiescent-template": "persistence",
    "ipvs-setting-reuse-mode": "settings",
    "ipvs-setting-drop-packet": "settings",
}


def topology_problems(situation: Situation) -> Iterator[Problem]:
    """What stands in the way between clients, director and real servers."""
    yield from certain_problems(situation)
    yield from vip_problems(situation)
    for rule in _ADVICE:
        yield from rule(situation)


def certain_problems(situation: Situation) -> Iterator[Problem]:
    """What is certain from the director's routes and the real servers' addresses alone: the
    VIP may be left empty."""
    for rule in (_server_is_broadcast, _unreachable, direct_routing):
        yield from rule(situation)


def _director_is_server(situation: Situation) -> Iterator[Problem]:
    own = [one for one in situation.servers if one.address in situation.own_addresses]
    if own:
        yield Problem(
            "ipvs-director-is-server",
            subject_of(own),
            _("The director would be its own real server."),
            _("It works for a service on the same port; keep it only if that is meant."),
            is_blocking=False,
        )


def _server_is_broadcast(situation: Situation) -> Iterator[Problem]:
    broadcasts = {
        network.broadcast_address
        for network in situation.director.attached()
        if network.version == 4 and network.num_addresses > 2
    }
    for server in situation.servers:
        if parsed(server.address) in broadcasts and server.address not in situation.own_addresses:
            yield Problem(
                "ipvs-server-is-broadcast",
                str(server),
                _(
                    "%(address)s is the broadcast address of a network of the director, and the"
                    " kernel refuses it."
                ),
                _("Give a real server's own address."),
                {"address": server.address},
            )


def _unreachable(situation: Situation) -> Iterator[Problem]:
    if situation.director.routes is None:
        return
    lost = [
        server
        for server in situation.servers
        if situation.director.way_to(server.address) is None
        and server.address not in situation.own_addresses
    ]
    if lost:
        yield Problem(
            "ipvs-server-unreachable",
            subject_of(lost),
            _("The director has no route to the real server: no packet can be forwarded to it."),
            _("Give the director an address in that network, or a route to it."),
        )


def vip_problems(situation: Situation) -> Iterator[Problem]:
    """The part that is about the VIP: whether the director has it, and only the director."""
    held = situation.director.interfaces_of(situation.vip)
    is_expected = not (situation.is_vip_managed or situation.is_by_mark or situation.is_second_tier)
    if is_expected and situation.director.addresses and not held:
        yield Problem(
            "ipvs-vip-absent",
            situation.vip,
            _(
                "The director does not have this VIP, and somebody else is to put it there:"
                " until then no packet for it is forwarded."
            ),
            _("Put it on the director, or let the console manage the VIP."),
            is_blocking=False,
        )
    for holder in situation.holders:
        if holder.interface == LOOPBACK:
            continue
        yield Problem(
            "ipvs-vip-elsewhere",
            situation.vip,
            _(
                "%(machine)s was seen with this VIP on %(interface)s: it answers for it too, and"
                " whom clients reach is a matter of chance."
            ),
            _("Take the VIP off there: ip address delete %(vip)s dev %(interface)s"),
            {
                "machine": holder.machine,
                "interface": holder.interface,
                "vip": f"{situation.vip}/{parsed(situation.vip).max_prefixlen}",
            },
            is_blocking=holder.is_recent and situation.is_vip_managed,
        )


def _settings(situation: Situation) -> Iterator[Problem]:
    seen = situation.director.settings
    if situation.is_persistent and seen.get("net.ipv4.vs.expire_quiescent_template") == "0":
        yield Problem(
            "ipvs-setting-quiescent-template",
            "net.ipv4.vs.expire_quiescent_template",
            _(
                "It is 0: clients that persistence has tied to a real server keep coming to it at"
                " weight 0, so that draining it does not end."
            ),
            _("Set it to 1 on the director's settings."),
            is_blocking=False,
        )
    if seen.get("net.ipv4.vs.conn_reuse_mode") == "0":
        yield Problem(
            "ipvs-setting-reuse-mode",
            "net.ipv4.vs.conn_reuse_mode",
            _(
                "It is 0: a client that uses a source port again goes back to its old real server,"
                " even at weight 0."
            ),
            _("Set it to 1 on the director's settings."),
            is_blocking=False,
        )
    if seen.get("net.ipv4.vs.drop_packet") == "3":
        yield Problem(
            "ipvs-setting-drop-packet",
            "net.ipv4.vs.drop_packet",
            _("It is 3: the director drops a part of all packets, whether memory is short or not."),
            _("Set it to 0, or to 1, which drops only while memory is short."),
            is_blocking=False,
        )


_ADVICE: tuple[Callable[[Situation], Iterator[Problem]], ...] = (
    _director_is_server,
    direct_routing_prepared,
    nat,
    nat_return_route,
    tunnel_prepared,
    tunnel,
    full_nat_ports,
    full_nat,
    _settings,
)
