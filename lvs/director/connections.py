"""Searching a director's connection table where it is: a script, and its answer. PURE.

/proc/net/ip_vs_conn has a line for each connection, and reading it walks them all: 90,000
take seconds. It is read only when somebody asks, filtered by awk on the director itself,
with a limit of lines and of time, and at the lowest priority.

Source of the format: ip_vs_conn_seq_show() in net/netfilter/ipvs/ip_vs_conn.c (6.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from ipaddress import IPv4Network, IPv6Network, ip_network
from shlex import quote
from typing import NamedTuple

from lvs.director.sample import END, IncompleteSample, split
from lvs.ipvsadm.proc import parse_connections
from lvs.ipvsadm.types import Connection

Network = IPv4Network | IPv6Network

#: Connections that are shown at most, and seconds that the search may take on the director.
LIMIT, SECONDS = 500, 20
#: What the kernel prints as a state, with the TCP ones in the order of a connection's life.
STATES = (
    "SYN_SENT", "SYN_RECV", "SYNACK", "ESTABLISHED", "FIN_WAIT", "CLOSE_WAIT", "LAST_ACK",
    "TIME_WAIT", "CLOSE", "LISTEN", "UDP", "ASSURED", "NONE",
)  # fmt: skip
ARGV = ("sh", "-s")

_HEADING = "Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
#: Ports are compared as text of four digits; "x" keeps awk from taking some for numbers.
_PROGRAM = """
BEGIN { wanted = split(virtual, each, " ") }
NR == 1 { next }
client != "" && (length($2) != size || $2 !~ client) { next }
state != "" && $8 != state { next }
wanted {
  hit = 0
  for (i = 1; i <= wanted; i++) {
    split(each[i], w, "/")
    if ($1 == w[1] && length($4) == w[2] && $4 ~ w[3] && "x" $5 >= "x" w[4] && "x" $5 <= "x" w[5])
      hit = 1
  }
  if (!hit) next
}
{ found++; if (found <= limit) print }
END { print "@@ found"; print found + 0 }
"""


class Target(NamedTuple):
    """Addresses and ports that a service takes: what a connection's virtual side must be."""

    protocol: str
    network: Network
    first_port: int
    last_port: int


class Query(NamedTuple):
    """What is looked for; None, () and "" leave a part open."""

    client: Network | None = None
    targets: Sequence[Target] = ()
    state: str = ""


class Found(NamedTuple):
    """The connections that were found, `total` of them, of which LIMIT are listed at most."""

    connections: list[Connection]
    total: int


def script(query: Query) -> bytes:
    """The search as a script for `sh -s`."""
    client, size = ("", 0) if query.client is None else (pattern(query.client), _size(query.client))
    virtual = " ".join(
        f"{one.protocol.upper()}/{_size(one.network)}/{pattern(one.network)}"
        f"/{one.first_port:04X}/{one.last_port:04X}"
        for one in query.targets
    )
    words = {
        "client": client,
        "size": str(size),
        "state": query.state,
        "virtual": virtual,
        "limit": str(LIMIT),
    }
    given = " ".join(f"-v {name}={quote(value)}" for name, value in words.items())
    return f"""\
[ -e /proc/net/ip_vs_conn ] || {{ echo '@@ failed no IPVS'; exit 0; }}
echo '@@ connections'
nice -n 19 timeout {SECONDS} awk {given} {quote(_PROGRAM)} /proc/net/ip_vs_conn
code=$?
[ $code = 0 ] || {{ echo "@@ failed $code"; exit 0; }}
echo '@@ {END}'
""".encode()


def read_found(text: str, said: str = "") -> Found:
    """Read the answer. Raises IncompleteSample and ParseError."""
    parts = split(text, said)
    lines = parts["connections"]
    try:
        total = int(parts["found"])
    except (KeyError, ValueError) as error:
        raise IncompleteSample("the search did not come to its end") from error
    return Found(parse_connections(_HEADING + lines), total)


def pattern(network: Network) -> str:
    """The network as a regular expression over the hexadecimal that the kernel prints:
    10.20.0.0/22 is ^0A140[0-3], here with every digit spelt out."""
    digits = network.network_address.packed.hex()
    whole, bits = divmod(network.prefixlen, 4)
    text = digits[:whole]
    if bits:
        first = int(digits[whole], 16)
        text += "?"
        choice = "".join(f"{digit:x}" for digit in range(first, first + (1 << (4 - bits))))
    else:
        choice = ""
    if network.version == 4:
        return "^" + text.upper().replace("?", f"[{choice.upper()}]")
    groups = ":".join(text[at : at + 4] for at in range(0, len(text), 4))
    return "^" + groups.replace("?", f"[{choice}]")


def network_of(text: str) -> Network:
    """An address or a network, with or without host bits. Raises ValueError."""
    if "%" in text:
        raise ValueError("a zone means something on one machine only")
    return ip_network(text, strict=False)


def _size(network: Network) -> int:
    """How long an address is as the kernel prints it."""
    return 8 if network.version == 4 else 39
