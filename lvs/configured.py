"""A director's own side as pages and programs see it: declared beside seen.

From the database alone.
"""

from __future__ import annotations

from dataclasses import dataclass

from lvs.director.settings import (
    TIMEOUT_DEFAULTS,
    Timeouts,
    agree,
    normalise,
)
from lvs.director.settings_table import GROUPS, SETTINGS, Setting
from lvs.director.types import Load, Surroundings
from lvs.models import Director
from lvs.needs import settings_of, wanted_around

#: Connections in one bucket, on average, from which the table should be larger.
CROWDED = 2.0
#: Share of netfilter's table from which a person should look (percent).
NEARLY_FULL = 80


@dataclass(frozen=True, slots=True)
class SettingShown:
    """One setting. `declared` is "" where it is left alone, `wanted` what is in force now:
    declared, of the preset, or needed by services; `seen` is "" where it was not read."""

    about: Setting
    declared: str
    wanted: str
    seen: str

    @property
    def name(self) -> str:
        return self.about.name

    @property
    def differs(self) -> bool:
        return bool(self.wanted and self.seen) and not agree(self.name, self.wanted, self.seen)

    @property
    def is_recommended(self) -> bool:
        """Whether what is declared, or seen where nothing is, is what is recommended."""
        return agree(self.name, self.declared or self.seen, self.about.recommended)


@dataclass(frozen=True, slots=True)
class TimeoutShown:
    """One timeout in seconds; None where it is not declared or was not read."""

    field: str
    declared: int | None
    wanted: int | None
    seen: int | None
    default: int


@dataclass(frozen=True, slots=True)
class TablesShown:
    """How full the tables are: of IPVS connections, and netfilter's where it is used."""

    load: Load
    bits: int

    @property
    def in_bucket(self) -> float:
        """Connections in one bucket of the hash table, on average."""
        return self.load.connections / self.load.buckets if self.load.buckets else 0.0

    @property
    def is_crowded(self) -> bool:
        return self.in_bucket > CROWDED

    @property
    def better_bits(self) -> int:
        """conn_tab_bits with which there would be one connection in a bucket, at most 20:
        what every kernel takes."""
        return min(20, max(self.bits, self.load.connections.bit_length()))

    @property
    def tracked_percent(self) -> float:
        most = self.load.tracked_most
        return 100 * self.load.tracked / most if most else 0.0

    @property
    def is_nearly_full(self) -> bool:
        return self.tracked_percent >= NEARLY_FULL


def settings_shown(director: Director) -> list[SettingShown]:
    """Every setting that the director's kernel has, that is declared or described, in the
    order of the page; those that its kernel lacks only while they are declared."""
    seen = Surroundings.from_json(director.observed_facts).settings
    declared = normalise(director.kernel_settings)
    wanted = settings_of(director)[0] | wanted_around(director).derived
    names = [name for name in SETTINGS if name in seen or name in declared or not seen]
    names += sorted((seen.keys() | declared.keys()) - SETTINGS.keys())
    return [
        SettingShown(
            SETTINGS.get(name) or Setting(name, "other", "", "", default=""),
            declared.get(name, ""),
            wanted.get(name, ""),
            seen.get(name, ""),
        )
        for name in names
    ]


def by_group(settings: list[SettingShown]) -> list[tuple[str, str, list[SettingShown]]]:
    """Groups that have settings: code, heading, settings."""
    found = [
        (group, heading, [one for one in settings if one.about.group == group])
        for group, heading in GROUPS.items()
    ]
    return [entry for entry in found if entry[2]]


def timeouts_shown(director: Director) -> list[TimeoutShown]:
    """The three timeouts of `ipvsadm --set`."""
    seen = Surroundings.from_json(director.observed_facts).timeouts
    declared = Timeouts(director.tcp_timeout, director.tcp_fin_timeout, director.udp_timeout)
    wanted = settings_of(director)[1]
    names = ("tcp_timeout", "tcp_fin_timeout", "udp_timeout")
    rows = zip(names, declared, wanted, seen, TIMEOUT_DEFAULTS, strict=True)
    return [
        TimeoutShown(name, own, now, was, default or 0) for name, own, now, was, default in rows
    ]


def tables_shown(director: Director) -> TablesShown:
    """Sizes and fill as they were last seen."""
    load = Surroundings.from_json(director.observed_facts).load
    return TablesShown(load, max(0, load.buckets.bit_length() - 1))
