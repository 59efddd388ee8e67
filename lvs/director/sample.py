"""One look at a director: a script for one round trip, and the reading of its answer.

The script is fed on standard input to `sh -s`. Each part begins with a mark; without the
end mark the sample is incomplete and not believed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection
from ipaddress import ip_network
from shlex import quote
from typing import Any, NamedTuple

from lvs.director import boot, nft_listing, nftables, undo
from lvs.director.settings import Timeouts
from lvs.director.types import Load, Surroundings, Way
from lvs.ipvsadm import parse, partial
from lvs.ipvsadm.combine import Sample
from lvs.ipvsadm.digest import PROC, PROGRAM, digest_of
from lvs.ipvsadm.errors import ParseError
from lvs.ipvsadm.types import ServiceKey
from lvs.probe.director import LOCK, UNDO
from lvs.probe.paths import is_probe_mark

MARK = "@@ "
END = "end"

_FILES = " ".join(boot.PATHS)
_ROUTES = f"route show table local proto {boot.ROUTE_PROTOCOL}"

#: How /proc/net/ip_vs names the services of a probe, which are there for moments only: no
#: look shows them.
_PROBE = "^FWM *0F00"
#: `ipvsadm` comes first: it loads the module where that is missing. A whole look needs no
#: digest from the director: the table that was read has the same one.
_BEGIN = """
[ -e /proc/net/ip_vs ] || ipvsadm -Ln > /dev/null || { echo "@@ failed $?"; exit 0; }
t=$(mktemp) || { echo '@@ failed mktemp'; exit 0; }
trap 'rm -f "$t"' EXIT
"""
_WHOLE_TABLE = """
echo '@@ thresholds'
ipvsadm -Ln --thresholds || { echo "@@ failed $?"; exit 0; }
cat /proc/net/ip_vs > "$t"
echo '@@ proc'
cat "$t"
if grep -q -e ' Tunnel ' -e '^FWM' "$t"; then
  echo '@@ save'
  ipvsadm -S -n
fi
"""
_DIGEST = f"""
echo '@@ digest'
if grep -q '{_PROBE}' "$t"; then
  awk '/^[A-Z]/ {{ ours = /{_PROBE}/ }} !ours' "$t" > "$t.own" && mv "$t.own" "$t"
fi
: | awk '{PROGRAM}' stage=1 - stage=2 "$t" | tail -n 1
"""
_SURROUNDINGS = f"""
[ -e {UNDO} ] && flock -n {LOCK} true && echo '@@ left by a probe'
echo '@@ kernel'
uname -r
echo '@@ protocols'
grep -hs '^CONFIG_IP_VS_PROTO_' "/boot/config-$(uname -r)"
echo '@@ addresses'
ip -j address show
echo '@@ routes'
ip -j route show table all type unicast
echo '@@ forwarding'
cat /proc/sys/net/ipv4/ip_forward
cat /proc/sys/net/ipv6/conf/all/forwarding 2>/dev/null || echo 0
echo '@@ files'
sha256sum {_FILES} 2>/dev/null
echo '@@ unit'
{boot.IS_ENABLED} 2>/dev/null
echo '@@ undo'
{undo.LIST}
echo '@@ settings'
(cd /proc/sys/net/ipv4/vs && grep -H '' *) 2>/dev/null
echo '@@ timeouts'
ipvsadm -L --timeout
echo '@@ load'
head -n 1 "$t"
awk '$1 == "->" {{ n += $(NF - 1) + $NF }} END {{ print "connections", n + 0 }}' "$t"
grep -H '' /proc/sys/net/netfilter/nf_conntrack_count \
  /proc/sys/net/netfilter/nf_conntrack_max 2>/dev/null
cat /proc/net/stat/nf_conntrack 2>/dev/null
echo '@@ local'
ip -j -4 {_ROUTES}
echo '@@ local6'
ip -j -6 {_ROUTES} 2>/dev/null
echo '@@ own vips'
cat {boot.VIPS} 2>/dev/null
echo '@@ own sysctl'
cat {boot.SYSCTL} 2>/dev/null
echo '@@ own timeouts'
cat {boot.TIMEOUTS} 2>/dev/null
if command -v nft > /dev/null; then
  echo '@@ nft'
  nft -j list table {nftables.NAME} 2>/dev/null
fi
echo '@@ {END}'
"""
#: The reading of a few services, from the same copy of the kernel's listing as the digest.
_PARTIAL = partial.SCRIPT.replace(PROC, '"$t"')
ARGV = ("sh", "-s")
WHOLE_SCRIPT = f"{_BEGIN}{_WHOLE_TABLE}{_SURROUNDINGS}".encode()


def quick_script(keys: Collection[ServiceKey] = ()) -> bytes:
    """A look that costs a tenth: the digest of the kernel's listing, and whole only the
    services of `keys`, with a second digest of all the others."""
    shown = (
        f"echo '@@ shown'\nexport t\nsh -c {quote(_PARTIAL)} sh {quote(PROGRAM)} <<'@@'\n"
        f"{partial.names(keys).decode()}@@\n"
        if keys
        else ""
    )
    return f'{_BEGIN}cat /proc/net/ip_vs > "$t"\n{_DIGEST}{shown}{_SURROUNDINGS}'.encode()


class IncompleteSample(Exception):
    """The answer stops in the middle, or a part of it failed: not believed."""


class Look(NamedTuple):
    """What one look found.

    `digest` is of the kernel's whole listing, `rest_digest` of all but the services that
    were asked for. `sample` has the table, or those services, or is None.
    """

    digest: str
    surroundings: Surroundings
    sample: Sample | None = None
    rest_digest: str = ""
    #: Whether a probe of real servers was killed there and could not clean up.
    has_left_probe: bool = False

    @property
    def read(self) -> Sample:
        """The table, or the part of it, that was read; IncompleteSample where none was."""
        if self.sample is None:
            raise IncompleteSample("only the digest was read")
        return self.sample


def read_look(text: str, said: str = "", keys: Collection[ServiceKey] = ()) -> Look:
    """Read the answer of either script; `keys` are those that the quick one was made for.

    Raises IncompleteSample, ParseError for a line that is not understood, and
    InconsistentSample when the table changed between its two readings.
    """
    parts = split(text, said)
    return _look(parts, keys)._replace(has_left_probe="left by a probe" in parts)


def _look(parts: dict[str, str], keys: Collection[ServiceKey]) -> Look:
    around = _surroundings(parts)
    if "thresholds" in parts:
        whole = parse.combine_sample(parts["thresholds"], parts["proc"], parts.get("save"))
        whole = _without_probes(whole)
        return Look(digest_of(whole.table, whole.hz), around, whole)
    digest = parts["digest"].strip().partition(" ")[0]
    if "shown" not in parts:
        return Look(digest, around)
    some, rest = partial.parse_partial(parts["shown"], keys)
    return Look(digest, around, some, rest)


def _without_probes(whole: Sample) -> Sample:
    probes = [key for key in whole.table if is_probe_mark(key.fwmark)]
    if not probes:
        return whole
    table, rows = dict(whole.table), dict(whole.rows)
    for key in probes:
        del table[key], rows[key]
    return whole._replace(table=table, rows=rows)


def split(text: str, said: str = "") -> dict[str, str]:
    """The parts by name. Raises IncompleteSample without an end mark."""
    parts: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines(keepends=True):
        if line.startswith(MARK):
            name = line[len(MARK) :].strip()
            if name.startswith("failed"):
                raise IncompleteSample(said.strip() or "".join(current).strip() or name)
            current = parts.setdefault(name, [])
        else:
            current.append(line)
    if END not in parts:
        raise IncompleteSample(said.strip() or "the answer stops in the middle")
    return {name: "".join(lines) for name, lines in parts.items()}


def _surroundings(parts: dict[str, str]) -> Surroundings:
    ipv4, ipv6, *_ = [*parts["forwarding"].split(), "0", "0"]
    return Surroundings(
        kernel=parts["kernel"].strip(),
        protocols=_protocols(parts.get("protocols", "")),
        addresses=_addresses(parts["addresses"]),
        routes=_routes(parts["routes"]),
        forwards_ipv4=ipv4 == "1",
        forwards_ipv6=ipv6 == "1",
        files={
            path: digest
            for digest, _, path in (line.partition("  ") for line in parts["files"].splitlines())
        },
        is_unit_enabled=parts["unit"].strip() == "enabled",
        settings=_settings(parts["settings"]),
        timeouts=_timeouts(parts["timeouts"]),
        load=_load(parts["load"]),
        local_networks=(*_networks(parts["local"]), *_networks(parts["local6"])),
        has_nft="nft" in parts,
        nft=nft_listing.parse(parts.get("nft", "")),
        undos=undo.read_list(parts.get("undo", "")),
        own=boot.read_own(parts["own vips"], parts["own sysctl"], parts["own timeouts"]),
    )


def _settings(text: str) -> dict[str, str]:
    """Lines like `drop_entry:0`."""
    found = (line.partition(":") for line in text.splitlines())
    return {name: " ".join(value.split()) for name, _colon, value in found}


def _timeouts(text: str) -> Timeouts:
    """`Timeout (tcp tcpfin udp): 900 120 300`"""
    found = re.search(r"Timeout \(tcp tcpfin udp\): (\d+) (\d+) (\d+)", text)
    if found is None:
        raise ParseError("ipvsadm -L --timeout shows no timeouts", text[:200], 1)
    return Timeouts(*map(int, found.groups()))


def _load(text: str) -> Load:
    """The heading of /proc/net/ip_vs, our own count, and netfilter's counters, of which the
    kernel prints one line for each processor, in hexadecimal, below their names."""
    numbers = {
        name: int(found[1]) if (found := re.search(pattern, text, re.MULTILINE)) else 0
        for name, pattern in (
            ("buckets", r"^IP Virtual Server version .*size=(\d+)"),
            ("connections", r"^connections (\d+)"),
            ("tracked", r"nf_conntrack_count:(\d+)"),
            ("tracked_most", r"nf_conntrack_max:(\d+)"),
        )
    }
    names: list[str] = []
    sums = {"insert_failed": 0, "drop": 0}
    for words in map(str.split, text.splitlines()):
        if words[:1] == ["entries"]:
            names = words
        elif names and len(words) == len(names):
            row = dict(zip(names, words, strict=True))
            sums = {name: count + int(row.get(name, "0"), 16) for name, count in sums.items()}
    return Load(**numbers, insert_failed=sums["insert_failed"], dropped=sums["drop"])


def _networks(text: str) -> tuple[str, ...]:
    try:
        return tuple(str(ip_network(route["dst"])) for route in json.loads(text or "[]"))
    except (ValueError, KeyError, TypeError) as error:
        raise ParseError("ip -j route show answered no list of routes", text[:200], 1) from error


def _protocols(text: str) -> frozenset[str] | None:
    """What the kernel's own options say that IPVS was built for; None where they are not kept."""
    built = re.findall(r"^CONFIG_IP_VS_PROTO_(\w+)=y$", text, re.MULTILINE)
    return frozenset(name.lower() for name in built) or None


def _routes(text: str) -> tuple[Way, ...] | None:
    """The routes, or None where iproute2 gave none that can be read: they are only advice."""
    try:
        return tuple(_way(entry) for entry in json.loads(text) if "dst" in entry)
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return None


def _way(entry: dict[str, Any]) -> Way:
    """One route; of several next hops the first. Only IPv6 routes have a preference, which is
    how a default route without a gateway shows its family."""
    hop = entry.get("nexthops", [entry])[0]
    gateway = hop.get("gateway") or hop.get("via", {}).get("host", "")
    is_ipv6 = ":" in entry["dst"] or ("." not in entry["dst"] and "pref" in entry)
    network = entry["dst"] if entry["dst"] != "default" else "::/0" if is_ipv6 else "0.0.0.0/0"
    return Way(network, gateway, hop.get("dev", ""), str(entry.get("table", "main")))


def _addresses(text: str) -> dict[str, tuple[str, ...]]:
    try:
        links = json.loads(text)
        return {
            link["ifname"]: tuple(
                f"{address['local']}/{address['prefixlen']}"
                for address in link.get("addr_info", ())
                if "local" in address
            )
            for link in links
            if "ifname" in link
        }
    except (ValueError, KeyError, TypeError) as error:
        raise ParseError("ip -j address show answered no list of links", text[:200], 1) from error
