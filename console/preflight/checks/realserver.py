"""What a real server needs: quiet about its virtual addresses, a way out of the tunnel."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Role, say
from ..types import Facts, Interface, Presence
from .wording import fuller_kernel, names, sysctl_command

_ME = Role.REAL_SERVER
_TUNNELS = {"ipip": "tunl0", "ip_gre": "gre0", "fou": "fou"}


def check_real_server(facts: Facts) -> Iterator[Finding]:
    """Every finding of the role real server."""
    yield _arp(facts)
    yield _reverse_path(facts)
    yield _tunnels(facts)


def _arp(facts: Facts) -> Finding:
    """A virtual address on the loopback is announced by every interface whose arp_ignore is 0
    (the larger of `all` and its own counts: Linux, ip-sysctl)."""
    interfaces = facts.network.interfaces
    if interfaces is None or facts.network.conf("all", "arp_ignore") is None:
        return say(_ME, "arp.unknown", command="ip address; sysctl -a -r 'arp_(ignore|announce)'")
    virtual = [address.ip for interface in interfaces if _is_local(interface)
               for address in interface.addresses
               if address.prefix == 32 and ":" not in address.ip]  # fmt: skip
    if not virtual:
        return say(_ME, "arp.unneeded")
    lans = [found.name for found in interfaces
            if found.is_up and not _is_local(found) and not _is_tunnel(found)]  # fmt: skip
    loud = [name for name in lans if not _keeps_quiet(facts, name)]
    if not loud:
        return say(_ME, "arp.prepared", names=names(lans or ["all"]))
    command = sysctl_command(["net.ipv4.conf.all.arp_ignore=1", "net.ipv4.conf.all.arp_announce=2"])
    return say(_ME, "arp.steals", addresses=names(virtual), names=names(loud), command=command)


def _keeps_quiet(facts: Facts, name: str) -> bool:
    ignore = facts.network.conf(name, "arp_ignore") or 0
    announce = facts.network.conf(name, "arp_announce") or 0
    return ignore >= 1 and announce >= 2


def _is_local(interface: Interface) -> bool:
    return interface.name == "lo" or interface.name.startswith("dummy")


def _is_tunnel(interface: Interface) -> bool:
    return interface.name.startswith(("tunl", "gre", "sit", "ip6tnl", "ip6gre"))


def _reverse_path(facts: Facts) -> Finding:
    """The larger of `all` and the interface's own counts here as well; 2 is loose."""
    tunnels = [found.name for found in facts.network.interfaces or ()
               if found.is_up and _is_tunnel(found)]  # fmt: skip
    if not tunnels:
        return say(_ME, "reverse-path.unneeded")
    strict = [name for name in tunnels if facts.network.conf(name, "rp_filter") == 1]
    if not strict:
        return say(_ME, "reverse-path.fine")
    command = sysctl_command(f"net.ipv4.conf.{name}.rp_filter=2" for name in strict)
    return say(_ME, "reverse-path.strict", names=names(strict), command=command)


def _tunnels(facts: Facts) -> Finding:
    present = {module: facts.kernel.presence(module) for module in _TUNNELS}
    usable = [module for module, presence in present.items() if presence.is_usable]
    if usable:
        return say(_ME, "tunnels.present", names=", ".join(usable))
    if Presence.UNKNOWN in present.values():
        return say(_ME, "tunnels.unknown", command="modprobe -n -v ipip ip_gre fou")
    return say(_ME, "tunnels.absent", release=facts.kernel.release, **fuller_kernel())
