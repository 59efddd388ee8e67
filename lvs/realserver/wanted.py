"""From needs to the things that a machine should have, in the order in which they are put."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from lvs.realserver.items import NFT_TABLE, PROTOCOLS, Item, device_name, rank
from lvs.realserver.needs import Need, family_of

#: What keeps a machine from answering ARP for a VIP on its loopback. On `lo` alone, as in many
#: recipes, the two do nothing: the interface that is asked counts, or `all` (ip-sysctl).
_ARP = (
    Item("setting", "net.ipv4.conf.all.arp_ignore", "1"),
    Item("setting", "net.ipv4.conf.all.arp_announce", "2"),
)
#: Families outside and inside of an IP in IP packet -> module and the interface it makes.
_IPIP = {(4, 4): ("ipip", "tunl0"), (4, 6): ("sit", "sit0"), (6, 6): ("ip6_tunnel", "ip6tnl0")}
_GRE = {4: ("ip_gre", "gre0"), 6: ("ip6_gre", "ip6gre0")}
#: The kernel takes the larger of `all` and the interface's own, and 2 is loose: it wants a way
#: to the client at all, not back through the tunnel. `all` can stay as strict as it is. Loose
#: works only on an interface that has an address (measured: without one, all is dropped).
_LOOSE = "2"


def wanted_items(needs: Iterable[Need]) -> tuple[Item, ...]:
    """Everything that the needs ask of one machine, each thing once."""
    needs = sorted(needs)
    found = {item: None for need in needs for item in _of(need)}
    clamps = {f"{need.vip}={need.mss}" for need in needs if _is_clamped(need)}
    if clamps:
        found[Item("clamp", NFT_TABLE, " ".join(sorted(clamps)))] = None
    return tuple(sorted(found, key=lambda item: rank(item.key)))


def _of(need: Need) -> Iterator[Item]:
    if need.method == "masq" and need.gateway:
        yield Item("route", need.gateway)
        yield Item("rule", rule_name(need))
    if need.method == "tunnel":
        yield from _tunnel(need)
    if need.holds_vip:
        if family_of(need.vip) == 4:
            yield from _ARP
        yield Item("network" if "/" in need.vip else "address", need.vip)


def rule_name(need: Need) -> str:
    """The rule by which only this real server's answers go back through the director: the
    machine's other ways, the console's own line among them, stay as they are."""
    return f"{need.rip},{PROTOCOLS[need.protocol]},{need.port},{need.gateway}"


def _tunnel(need: Need) -> Iterator[Item]:
    outer, inner = family_of(need.rip), family_of(need.vip)
    if need.tunnel == "gre" and need.tunnel_checksum == "csum":
        kind = "gre" if outer == 4 else "ip6gre"
        name = device_name("g", need.rip)
        yield Item("device", name, f"{kind} local {need.rip} icsum")
    else:
        module, name = _GRE[outer] if need.tunnel == "gre" else _ipip(outer, inner, need.rip)
        if module:
            yield Item("module", module, name)
            yield Item("link", name)
        else:
            yield Item("device", name, f"ip6tnl mode any local {need.rip} remote ::")
    if need.tunnel == "gue":
        yield Item("gue", f"{outer}:{need.tunnel_port}")
    if inner == 4:
        yield Item("setting", f"net.ipv4.conf.{name}.rp_filter", _LOOSE)
        yield Item("inside", f"{name},{need.vip.partition('/')[0]}")


def _ipip(outer: int, inner: int, rip: str) -> tuple[str, str]:
    """Module and interface; no module where an interface of our own has to be made: IPv4 in
    IPv6 has none that is there by itself."""
    return _IPIP.get((outer, inner)) or ("", device_name("t", rip))


def _is_clamped(need: Need) -> bool:
    return need.method == "tunnel" and need.protocol == "tcp"
