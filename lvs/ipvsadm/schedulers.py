"""The schedulers of IPVS as data: what each does, in one line, and which flags it takes.
Pages translate titles and summaries.

A kernel need not have all of them (Debian's 6.1 has no `twos`): `available` reads what
a director offers. Source: ipvsadm(8) and the headers of net/netfilter/ipvs/ip_vs_*.c.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple


def _(text: str) -> str:
    """Marks a text for the translators and returns it as it is."""
    return text


class Scheduler(NamedTuple):
    """`uses_weights` says whether weights above 1 matter; 0 always means no new
    connections. `slots` is the size of the hash table over which weights are spread,
    0 where there is none."""

    name: str
    title: str
    summary: str
    flags: tuple[str, ...] = ()
    uses_weights: bool = True
    slots: int = 0


#: Debian 12: CONFIG_IP_VS_SH_TAB_BITS=8, CONFIG_IP_VS_MH_TAB_INDEX=12 (a prime).
SH_SLOTS = 256
MH_SLOTS = 4093

_ALL = (
    Scheduler("rr", _("Round robin"), _("Each real server in turn."), uses_weights=False),
    Scheduler("wrr", _("Weighted round robin"), _("In turn, more often for a higher weight.")),
    Scheduler(
        "lc", _("Least connections"), _("Where the fewest connections are."), uses_weights=False
    ),
    Scheduler(
        "wlc",
        _("Weighted least connections"),
        _("Where the fewest connections are for the weight."),
    ),
    Scheduler(
        "lblc",
        _("Locality-based least connections"),
        _("The same real server for one destination address; for cache clusters."),
    ),
    Scheduler(
        "lblcr",
        _("Locality-based least connections with replication"),
        _("Like lblc, with a set of real servers for each destination address."),
    ),
    Scheduler(
        "dh",
        _("Destination hashing"),
        _("By a hash of the destination address; for caches behind a firewall mark."),
        uses_weights=False,
    ),
    Scheduler(
        "sh",
        _("Source hashing"),
        _("By a hash of the client's address: one client, one real server."),
        ("sh-fallback", "sh-port"),
        slots=SH_SLOTS,
    ),
    Scheduler(
        "sed", _("Shortest expected delay"), _("Where (connections + 1) / weight is lowest.")
    ),
    Scheduler(
        "nq", _("Never queue"), _("An idle real server first, else shortest expected delay.")
    ),
    Scheduler(
        "fo", _("Weighted failover"), _("Only the available real server of the highest weight.")
    ),
    Scheduler(
        "ovf",
        _("Weighted overflow"),
        _("The highest weight first; when it has as many connections as weight, the next."),
    ),
    Scheduler(
        "mh",
        _("Maglev hashing"),
        _("By consistent hashing of the client's address: few clients move when the pool changes."),
        ("mh-fallback", "mh-port"),
        slots=MH_SLOTS,
    ),
    Scheduler(
        "twos",
        _("Power of two choices"),
        _("Two real servers at random by weight, then the one with fewer connections."),
    ),
)

SCHEDULERS: dict[str, Scheduler] = {scheduler.name: scheduler for scheduler in _ALL}

_MODULE = re.compile(r"(?:^|/)ip_vs_([a-z]+)\.ko(?:\.[a-z]+)?$")


def available(modules: Iterable[str]) -> frozenset[str]:
    """The schedulers among a kernel's modules, given as the lines of modules.dep,
    modules.builtin or a listing ("kernel/net/netfilter/ipvs/ip_vs_rr.ko: …")."""
    names = (_MODULE.search(line.partition(":")[0].strip()) for line in modules)
    return frozenset(match[1] for match in names if match and match[1] in SCHEDULERS)
