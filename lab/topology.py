"""What stands in the rack: its networks, its machines, and the files that say so to each machine.

PURE: values in, text out. Everything else in `lab` reads the layout from here.
"""

from __future__ import annotations

from dataclasses import dataclass

#: TCP ports that QEMU forwards on 127.0.0.1 start here; a rack takes the hundred after it.
FIRST_PORT = 22000
PORTS_PER_INSTANCE = 100
MAX_INSTANCES = 10

MGMT_BRIDGE = "mgmt0"
MGMT_PREFIX = "10.0.2."
MGMT_GATEWAY = "10.0.2.2"


@dataclass(frozen=True, slots=True)
class Network:
    """A bridge of the rack. A machine with host part `11` on `int0` has `10.20.0.11/24` and
    `fd00:20::11/64`: the IPv6 host part is written with the same digits."""

    name: str
    prefix4: str
    prefix6: str
    #: Second-to-last byte of every MAC address on this network.
    tag: int

    def address4(self, host: int) -> str:
        return f"{self.prefix4}{host}"

    def address6(self, host: int) -> str:
        return f"{self.prefix6}{host}"


PUB = Network("pub0", "10.10.0.", "fd00:10::", 0x10)
INT = Network("int0", "10.20.0.", "fd00:20::", 0x20)
FAR = Network("far0", "10.30.0.", "fd00:30::", 0x30)
NETWORKS: tuple[Network, ...] = (PUB, INT, FAR)


@dataclass(frozen=True, slots=True)
class Machine:
    """One machine of the rack.

    `octet` is the last byte of its management address and, added to the
    instance's first port, its forwarded port. `links` are (network, host part).
    `routes` are lines for `ip -batch` (IPv6 where they hold `::`), without the leading `ip`.
    """

    name: str
    role: str
    octet: int
    links: tuple[tuple[Network, int], ...] = ()
    routes: tuple[str, ...] = ()

    @property
    def mgmt(self) -> str:
        return f"{MGMT_PREFIX}{self.octet}"

    @property
    def addresses(self) -> dict[str, list[str]]:
        """Network name to [IPv4, IPv6]; the management network has IPv4 only."""
        found = {"mgmt": [self.mgmt]}
        for network, host in self.links:
            found[network.name] = [network.address4(host), network.address6(host)]
        return found


def _via(gateway: str, gateway6: str, *, to: str = "default", to6: str = "::/0") -> list[str]:
    return [f"route add {to} via {gateway}", f"route add {to6} via {gateway6}"]


_OUTSIDE = tuple(_via("10.10.0.254", "fd00:10::254"))
_TO_FAR = tuple(_via("10.20.0.254", "fd00:20::254", to="10.30.0.0/24", to6="fd00:30::/64"))
#: A real server's answers go back through lb1, which NAT needs. What it sends *from* a VIP on
#: its loopback (DR) leaves by the router instead, as in a real rack with a gateway of its own.
_REAL_SERVER = (
    *_via("10.20.0.1", "fd00:20::1"),
    *_TO_FAR,
    "rule add from 10.10.0.0/24 lookup 100",
    "route add default via 10.20.0.254 table 100",
    "rule add from fd00:10::/64 lookup 100",
    "route add ::/0 via fd00:20::254 table 100",
)

HYPERVISOR = Machine("hv1", "hypervisor", 15)
NODES: tuple[Machine, ...] = (
    Machine("rtr", "router", 20, ((PUB, 254), (INT, 254), (FAR, 254))),
    Machine("lb1", "director", 21, ((PUB, 1), (INT, 1)), (*_OUTSIDE, *_TO_FAR)),
    Machine("lb2", "director", 22, ((PUB, 2), (INT, 2)), (*_OUTSIDE, *_TO_FAR)),
    Machine("rs1", "realserver", 31, ((INT, 11),), _REAL_SERVER),
    Machine("rs2", "realserver", 32, ((INT, 12),), _REAL_SERVER),
    Machine("rs3", "realserver", 33, ((FAR, 13),), tuple(_via("10.30.0.254", "fd00:30::254"))),
    Machine("client", "client", 41, ((PUB, 100),), _OUTSIDE),
)
MACHINES: tuple[Machine, ...] = (HYPERVISOR, *NODES)

#: The VIPs that rs1 and rs2 carry on their loopback for direct routing.
DR_ADDRESSES4: tuple[str, ...] = tuple(f"10.10.0.{host}" for host in range(80, 84))
DR_ADDRESSES6: tuple[str, ...] = ("fd00:10::80",)
DR_REAL_SERVERS: tuple[str, ...] = ("rs1", "rs2")
#: The one machine that lets its ordinary user in with a password.
PASSWORD_MACHINE = "lb2"
USER = "evenkeel"


def machine(name: str) -> Machine:
    """The machine of that name; KeyError names the ones there are."""
    for candidate in MACHINES:
        if candidate.name == name:
            return candidate
    raise KeyError(f"no machine {name!r} in the rack; there are {', '.join(names())}")


def names() -> tuple[str, ...]:
    return tuple(m.name for m in MACHINES)


def port_of(instance: int, octet: int) -> int:
    """The loopback port that leads to a machine's sshd."""
    if not 0 <= instance < MAX_INSTANCES:
        raise ValueError(f"instance {instance} is not in 0..{MAX_INSTANCES - 1}")
    return FIRST_PORT + PORTS_PER_INSTANCE * instance + octet


def mac_of(node: Machine, tag: int) -> str:
    """A fixed, locally administered MAC address, so that no neighbour's cache is wrong
    after a reboot."""
    return f"52:54:00:0e:{tag:02x}:{node.octet:02x}"


def links_file(node: Machine) -> str:
    """For the hypervisor: one `BRIDGE INTERFACE MAC` line per interface of the node."""
    lines = [f"{MGMT_BRIDGE} eth0 {mac_of(node, 0)}"]
    lines += [f"{net.name} {net.name} {mac_of(node, net.tag)}" for net, _ in node.links]
    return "".join(f"{line}\n" for line in lines)


def network_files(node: Machine) -> tuple[str, str]:
    """For the node: the input of `ip -batch` and of `ip -6 -batch` that gives it its addresses
    and routes."""
    lines4 = ["link set lo up", f"addr add {node.mgmt}/24 dev eth0", "link set eth0 up"]
    lines6 = []
    for net, host in node.links:
        lines4 += [f"addr add {net.address4(host)}/24 dev {net.name}", f"link set {net.name} up"]
        lines6.append(f"addr add {net.address6(host)}/64 dev {net.name} nodad")
    lines4 += (line for line in node.routes if "::" not in line)
    lines6 += (line for line in node.routes if "::" in line)
    return "".join(f"{line}\n" for line in lines4), "".join(f"{line}\n" for line in lines6)


def sysctl_file(node: Machine) -> str:
    """For the node: its sysctl.d file. Only the router forwards; a director must be told to."""
    lines = []
    if node.role == "router":
        lines += ["net.ipv4.ip_forward = 1", "net.ipv6.conf.all.forwarding = 1"]
    if node.name in DR_REAL_SERVERS:
        lines += ["net.ipv4.conf.all.arp_ignore = 1", "net.ipv4.conf.all.arp_announce = 2"]
    return "".join(f"{line}\n" for line in lines)


def loopback_file() -> str:
    """For rs1 and rs2: the input of `ip -batch` that puts the DR addresses on the loopback."""
    lines = [f"addr add {address}/32 dev lo" for address in DR_ADDRESSES4]
    lines += [f"addr add {address}/128 dev lo nodad" for address in DR_ADDRESSES6]
    return "".join(f"{line}\n" for line in lines)


def hosts_file(own_name: str) -> str:
    """`/etc/hosts`: the rack's machines by their management address."""
    lines = [f"127.0.0.1 localhost {own_name}", "::1 localhost ip6-localhost"]
    lines += [f"{m.mgmt} {m.name}" for m in MACHINES if m.name != own_name]
    return "".join(f"{line}\n" for line in lines)
