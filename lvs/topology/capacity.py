"""How many connections Full NAT has ports for. PURE."""

from __future__ import annotations

from .facts import Server, Situation, parsed

#: Ports that a local address has for connections to one port of one real server: 1025 to
#: 65535, which the kernel's source NAT chooses from.
PORTS_PER_ADDRESS = 64_511


def local_count(situation: Situation, server: Server) -> int:
    """Local addresses from which the director speaks to a real server: those of the pool, or
    without one the director's own address on the way."""
    version = parsed(server.address).version
    return sum(parsed(one).version == version for one in situation.local_addresses) or 1


def full_nat_capacity(situation: Situation, server: Server) -> int:
    """Connections at once to one port of one real server, for each protocol; those that have
    just ended count for two minutes more."""
    return PORTS_PER_ADDRESS * local_count(situation, server)
