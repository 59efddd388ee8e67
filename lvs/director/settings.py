"""The rules of the kernel's settings: what a value may be, when two agree, what is imposed.

Values are text as the kernel writes them, with single spaces: "1", "3 50".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

from console.planning import Problem
from console.planning import mark as _
from lvs.director.settings_table import SETTINGS, Setting

PREFIX = "net.ipv4.vs."

#: Written 1 or 2 by us, and moved between the two by the kernel (ip_vs_ctl.c).
_AUTOMATIC = frozenset({"drop_entry", "drop_packet", "secure_tcp"})
_NAME = re.compile(r"[a-z][a-z0-9_]{0,40}")
_VALUE = re.compile(r"-?[0-9]+(?:[ ,-]+[0-9]+)*")

#: What the preset "under attack" lays over the declared settings.
ATTACK_SETTINGS = {"drop_entry": "1", "drop_packet": "1", "secure_tcp": "1"}


class Timeouts(NamedTuple):
    """Seconds that idle connections live (`ipvsadm --set`); None leaves the kernel's."""

    tcp: int | None = None
    tcp_fin: int | None = None
    udp: int | None = None


NO_TIMEOUTS = Timeouts()
#: What the kernel starts with, and the longest that is of any use (31 days).
TIMEOUT_DEFAULTS = Timeouts(900, 120, 300)
MAX_TIMEOUT = 2678400
#: The preset's: never longer than what is declared.
ATTACK_TIMEOUTS = Timeouts(300, 30, 60)


def full(name: str) -> str:
    """The name that sysctl knows."""
    return PREFIX + name


def normalise(declared: Mapping[str, object]) -> dict[str, str]:
    """Declared settings by short name, values with single spaces."""
    return {
        name.removeprefix(PREFIX): " ".join(str(value).split()) for name, value in declared.items()
    }


def agree(name: str, one: str, other: str) -> bool:
    """Whether two values are the same state of the kernel: automatic reads as 1 or as 2."""
    if name in _AUTOMATIC and one in ("1", "2"):
        return other in ("1", "2")
    return one == other


def problem_of(name: str, value: str) -> Problem | None:
    """Why a setting cannot have this value, or None."""
    setting = SETTINGS.get(name)
    if not _NAME.fullmatch(name):
        return _problem("setting-name", name, _("%(setting)s is no name of a setting."))
    if setting is None:
        if _VALUE.fullmatch(value):
            return None
        return _problem("setting-value", name, _("%(setting)s takes whole numbers."))
    numbers = value.split(" ")
    if len(numbers) != 1 + setting.is_pair or not all(re.fullmatch("[0-9]+", n) for n in numbers):
        if setting.is_pair:
            message = _("%(setting)s takes two whole numbers with a space between.")
        else:
            message = _("%(setting)s takes one whole number.")
        return _problem("setting-value", name, message)
    return _range_problem(setting, [int(number) for number in numbers])


def _range_problem(setting: Setting, numbers: list[int]) -> Problem | None:
    if not all(setting.least <= number <= setting.most for number in numbers):
        return Problem(
            "setting-range",
            setting.name,
            _("%(setting)s is between %(least)s and %(most)s."),
            _("Give a value in this range, or leave it empty for the kernel's own."),
            {"setting": setting.name, "least": setting.least, "most": setting.most},
        )
    if setting.is_pair and numbers[1] and numbers[0] >= numbers[1]:
        return _problem(
            "setting-pair", setting.name, _("The first number of %(setting)s is the smaller one.")
        )
    if setting.is_power_of_two and numbers[0] & (numbers[0] - 1):
        return _problem("setting-power", setting.name, _("%(setting)s is a power of two."))
    return None


def _problem(code: str, name: str, message: str) -> Problem:
    remedy = _("Mend the value, or leave it empty for the kernel's own.")
    return Problem(code, name, message, remedy, {"setting": name})


def under_attack(declared: Mapping[str, str]) -> dict[str, str]:
    """Declared settings with the preset over them; what is stricter already stays."""
    stricter = {
        name: declared[name] if declared.get(name) == "3" else value
        for name, value in ATTACK_SETTINGS.items()
    }
    return {**declared, **stricter}


def timeouts_under_attack(declared: Timeouts) -> Timeouts:
    """Declared timeouts, none longer than the preset's."""
    return Timeouts(
        *(
            min(own or MAX_TIMEOUT, preset or MAX_TIMEOUT)
            for own, preset in zip(declared, ATTACK_TIMEOUTS, strict=True)
        )
    )


def timeouts_line(timeouts: Timeouts) -> str:
    """The `ipvsadm -R` line; ipvsadm(8): 0 leaves a timeout as it is. Empty for none."""
    if not any(timeouts):
        return ""
    return "--set " + " ".join(str(seconds or 0) for seconds in timeouts)


def default_of(name: str) -> str:
    """What the kernel starts with; "" where that is not known."""
    return SETTINGS[name].default if name in SETTINGS else ""
