"""Reads a few services in full and the rest as one digest, in one command.

When one weight changes among 10,000 services, reading the whole table twice costs far
more than the change. What the console needs to know is how the touched services are,
and that nothing else moved. `command` asks for that, `parse_partial` reads the answer,
and `merge` puts it together with the last complete sample, or refuses.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from typing import NamedTuple

from .combine import Sample, join
from .digest import PROC, PROGRAM, digest_of, proc_name, split_digest
from .errors import InconsistentSample, ParseError
from .listing import Section, Thresholds, Tunnelled, parse_thresholds, parse_tunnels
from .proc import parse_proc
from .render import service_words
from .types import Destination, DestinationKey, Service, ServiceKey, VirtualEntry

#: Above this many services, a complete reading is cheaper: each takes two processes.
MAX_SERVICES = 50

_MARK = "== "
_VIEWS = ("--thresholds", "--tun-info")
_ABSENT = "No such service\n"

#: `$1` is the awk program; standard input has "TCP 0A00000A:0050 -t 10.0.0.10:80" lines.
#: `set -f` keeps the brackets of an IPv6 address from being taken as a file pattern.
SCRIPT = f"""set -uf
names=$(cat)
printf '%s\\n' "$names" | awk "$1" stage=1 - stage=2 {PROC} || exit
printf '%s\\n' "$names" | while read -r kind name words; do
  [ -n "$words" ] || continue
  for view in {" ".join(_VIEWS)}; do
    printf '{_MARK}%s %s\\n' "$view" "$words"
    ipvsadm -Ln "$view" $words </dev/null 2>&1
  done
done
printf '{_MARK}end\\n'
"""

#: The command; its standard input is `names`.
ARGV = ("sh", "-c", SCRIPT, "sh", PROGRAM)


class Partial(NamedTuple):
    """The touched services that exist, complete, and the digest of all others."""

    sample: Sample
    rest: str


def touched(keys: Iterable[ServiceKey]) -> tuple[ServiceKey, ...]:
    """The keys in a stable order, each firewall mark with both families: /proc does not
    tell those apart, so they are read together."""
    closed: dict[ServiceKey, None] = {}
    for key in sorted(keys):
        if key.fwmark:
            closed.update(dict.fromkeys(ServiceKey.of_mark(key.fwmark, one) for one in (4, 6)))
        else:
            closed[key] = None
    return tuple(closed)


def names(keys: Iterable[ServiceKey]) -> bytes:
    """Standard input for `ARGV`."""
    lines = (f"{proc_name(key)} {service_words(key)}\n" for key in touched(keys))
    return "".join(lines).encode()


def parse_partial(text: str, keys: Iterable[ServiceKey]) -> Partial:
    """What `ARGV` printed when it was asked for `keys`.

    Raises ParseError when it is not complete or not understood, InconsistentSample
    when the table changed while it was read, SaveRequired when ipvsadm is too old to
    tell what is needed about a tunnel.
    """
    first, answers = _split(text)
    shown, rest = split_digest(first)
    limits: dict[ServiceKey, Section[Service, Thresholds]] = {}
    saved: dict[ServiceKey, VirtualEntry] | None = {}
    for key in touched(keys):
        words = service_words(key)
        thresholds, tunnels = (answers.get(f"{view} {words}", "") for view in _VIEWS)
        if thresholds == _ABSENT:
            continue
        limits.update(parse_thresholds(thresholds))
        if saved is not None:
            # An ipvsadm before 1.30 refuses --tun-info in words of its own.
            saved = saved | _entries(tunnels) if tunnels.startswith("Prot ") else None
    return Partial(join(limits, parse_proc(shown), saved), rest)


def merge(known: Sample, partial: Partial, keys: Collection[ServiceKey]) -> Sample:
    """The complete sample, when nothing but `keys` moved since `known` was taken.

    Raises InconsistentSample when the digest of the rest differs: read in full. The
    connection counts of the untouched services stay those of `known`.
    """
    hz = known.hz or partial.sample.hz
    those = touched(keys)
    if digest_of(known.table, hz, those) != partial.rest:
        raise InconsistentSample("other services changed since the last complete reading")
    table = {key: entry for key, entry in known.table.items() if key not in those}
    rows = {key: servers for key, servers in known.rows.items() if key not in those}
    return Sample(table | partial.sample.table, rows | partial.sample.rows, hz)


def _split(text: str) -> tuple[str, dict[str, str]]:
    """The text before the first mark, and what follows each mark."""
    first, *parts = f"\n{text}".split(f"\n{_MARK}")
    if not parts or parts[-1] != "end\n":
        raise ParseError("the end mark is missing: the output was cut")
    answers = {}
    for part in parts[:-1]:
        title, _, body = part.partition("\n")
        answers[title] = f"{body}\n" if body else ""
    return first[1:] + "\n", answers


def _entries(text: str) -> dict[ServiceKey, VirtualEntry]:
    """A `--tun-info` listing as a table without thresholds."""
    return {
        key: VirtualEntry(head, {server: _destination(server, row) for server, row in rows.items()})
        for key, (head, rows) in parse_tunnels(text).items()
    }


def _destination(server: DestinationKey, row: Tunnelled) -> Destination:
    return Destination(server, row.forwarding, row.weight, 0, 0, row.tunnel)
