"""Reasons why preparing a machine would not make its real servers work, from one look at it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from console.planning import Problem
from console.planning import mark as _
from lvs.realserver.needs import Need
from lvs.realserver.sample import Seen


def problems(needs: Iterable[Need], seen: Seen) -> list[Problem]:
    """What stands in the way; what is blocking is refused before anything is changed."""
    needs, held = sorted(needs), seen.held()
    found = [problem for need in needs for problem in _of(need, held)]
    if not seen.has_nft and any(need.method == "tunnel" and need.protocol == "tcp"
                                for need in needs):  # fmt: skip
        found.append(
            Problem(
                "real-server-without-nft",
                "",
                _(
                    "The machine has no nft, which keeps TCP segments small enough for the"
                    " tunnel: large uploads would hang."
                ),
                _("Install the package nftables on it."),
            )
        )
    return list({(one.code, one.subject): one for one in found}.values())


def _is_quiet(interface: str) -> bool:
    """Whether nobody asks it by ARP: the loopback and tunnels."""
    return interface.startswith(("lo", "tunl", "gre", "sit", "ip6", "ek"))


def _of(need: Need, held: dict[str, list[str]]) -> Iterator[Problem]:
    if need.rip not in held:
        yield Problem(
            "real-server-elsewhere",
            need.rip,
            _("The machine does not hold %(rip)s: it is another real server, or none."),
            _("Choose the machine that has this address, or none."),
            {"rip": need.rip},
        )
    others = [name for name in held.get(need.vip, ()) if not _is_quiet(name)]
    if need.holds_vip and others:
        yield Problem(
            "real-server-owns-vip",
            need.rip,
            _(
                "The machine has the VIP %(vip)s on %(interface)s: there it answers for it"
                " whatever its settings, and by-passes the director."
            ),
            _("Take the VIP off that interface; the console puts it on the loopback."),
            {"vip": need.vip, "interface": others[0]},
        )
    if need.method == "masq" and not need.gateway:
        yield Problem(
            "real-server-behind-router",
            need.rip,
            _(
                "The director has no address in the network of %(rip)s: the way back cannot be"
                " set on this machine alone."
            ),
            _("Lead each router on the way back to the director, or forward by fullnat."),
            {"rip": need.rip},
            is_blocking=False,
        )
