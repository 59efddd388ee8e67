"""The readers of ipvsadm's and the kernel's text, in one place.

Nothing is guessed: a line that is not understood raises `ParseError` with the line
and its number. A text that was cut in the middle of a line is recognised; one that
was cut exactly between two lines cannot be, so a caller must also know that the
command ended well (its exit code, or an end mark behind it).
"""

from __future__ import annotations

import re

from .combine import Sample, combine, combine_sample, needs_save
from .errors import InconsistentSample, ParseError, SaveRequired
from .lexer import lines_of
from .listing import (
    parse_listing,
    parse_rate,
    parse_stats,
    parse_thresholds,
    parse_tunnels,
)
from .proc import parse_connections, parse_proc, parse_totals
from .rules import parse_save, replay
from .types import SyncDaemon, Timeouts, Version

__all__ = [
    "InconsistentSample",
    "ParseError",
    "Sample",
    "SaveRequired",
    "combine",
    "combine_sample",
    "needs_save",
    "parse_connections",
    "parse_daemons",
    "parse_listing",
    "parse_proc",
    "parse_rate",
    "parse_save",
    "parse_stats",
    "parse_thresholds",
    "parse_timeouts",
    "parse_totals",
    "parse_tunnels",
    "parse_version",
    "replay",
]

_TIMEOUTS = re.compile(r"Timeout \(tcp tcpfin udp\): (\d+) (\d+) (\d+)\n")
_DAEMON = re.compile(
    r"(master|backup) sync daemon \(mcast=([^,]+), syncid=(\d+)"
    r"(?:, maxlen=(\d+))?(?:, group=([^,]+))?"
    r"(?:, port=(\d+))?(?:, ttl=(\d+))?\)"
)
_VERSION = re.compile(r"ipvsadm v([\d.]+)\b.* IPVS v([\d.]+)\)\n")


def parse_timeouts(text: str) -> Timeouts:
    """`ipvsadm -L --timeout`."""
    match = _TIMEOUTS.fullmatch(text)
    if match is None:
        raise ParseError("this is not the output of ipvsadm -L --timeout", text.strip())
    return Timeouts(*(int(number) for number in match.groups()))


def parse_daemons(text: str) -> tuple[SyncDaemon, ...]:
    """`ipvsadm -L --daemon`: the daemons that run, none for an empty text."""
    daemons = []
    for number, line in enumerate(lines_of(text), 1):
        match = _DAEMON.fullmatch(line)
        if match is None:
            raise ParseError("this is not a synchronisation daemon", line, number)
        role, interface, syncid, max_length, group, port, ttl = match.groups(default="")
        daemons.append(
            SyncDaemon(
                role,
                interface,
                int(syncid),
                int(max_length or 0),
                group,
                int(port or 0),
                int(ttl or 0),
            )
        )
    return tuple(daemons)


def parse_version(text: str) -> Version:
    """`ipvsadm --version`."""
    match = _VERSION.fullmatch(text)
    if match is None:
        raise ParseError("this is not the output of ipvsadm --version", text.strip())
    tool, ipvs = (tuple(int(part) for part in group.split(".")) for group in match.groups())
    return Version(tool, ipvs)
