"""How far a machine's clock is off, and how well that is known."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from ..findings import Finding, Role, say
from ..types import Clock, Facts
from .wording import duration, install, signed

#: More than this (seconds) is worth a word.
ALLOWED_SKEW = 1.0
#: A comparison that is no better than this (seconds) says nothing.
LARGEST_UNCERTAINTY = 5.0
TIME_UNITS = (
    "chrony.service",
    "chronyd.service",
    "ntpsec.service",
    "ntpd.service",
    "systemd-timesyncd.service",
)


class Skew(NamedTuple):
    """Seconds that the machine's clock is ahead of the console's, give or take
    `uncertainty`; a negative uncertainty means that one of them was set meanwhile."""

    seconds: float
    uncertainty: float


def skew(clock: Clock, sent_at: datetime, received_at: datetime) -> Skew | None:
    """Compare by four readings, as NTP does (RFC 5905, section 8): the machine's first reading
    cannot be before the console's first, nor its last after the console's last. None
    when the machine's clock could not be read."""
    if clock.started is None or clock.ended is None:
        return None
    highest = clock.started + clock.resolution - sent_at.timestamp()
    lowest = clock.ended - received_at.timestamp()
    return Skew((highest + lowest) / 2, (highest - lowest) / 2)


def check_clock(
    facts: Facts, sent_at: datetime | None, received_at: datetime | None
) -> Iterator[Finding]:
    """The difference of the clocks, and whether something keeps the machine's right."""
    if sent_at is not None and received_at is not None:
        yield _difference(skew(facts.clock, sent_at, received_at))
    if facts.init.units and not is_container(facts):
        active = [unit.name for unit in facts.init.units
                  if unit.name in TIME_UNITS and unit.active == "active"]  # fmt: skip
        if active:
            yield say(Role.HOST, "time-sync.running", units=", ".join(active))
        else:
            yield say(Role.HOST, "time-sync.none", **install("chrony"))


def _difference(found: Skew | None) -> Finding:
    if found is None:
        return say(Role.HOST, "clock.unknown", command="date '+%s %N'")
    # Both sides round their readings: a negative width of that size is no jump.
    if found.uncertainty < -0.01:
        return say(Role.HOST, "clock.jumped", command="timedatectl; journalctl -b -g 'clock|time'")
    words: dict[str, str | int] = {
        "skew": signed(found.seconds),
        "uncertainty": duration(max(found.uncertainty, 0.0)),
    }
    if abs(found.seconds) - max(found.uncertainty, 0.0) > ALLOWED_SKEW:
        return say(Role.HOST, "clock.skewed", **words, **install("chrony"))
    if found.uncertainty > LARGEST_UNCERTAINTY:
        return say(Role.HOST, "clock.vague", **words)
    return say(Role.HOST, "clock.ok", **words)


#: What systemd-detect-virt(1) calls containers.
_CONTAINERS = frozenset(
    {"openvz", "lxc", "lxc-libvirt", "systemd-nspawn", "docker", "podman", "rkt", "wsl", "proot"}
    | {"pouch", "container-other"}
)


def is_container(facts: Facts) -> bool:
    """Whether the machine shares its kernel and clock with the one around it."""
    return facts.virtualization in _CONTAINERS
