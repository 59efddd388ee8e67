"""What of a director's own settings is declared along: timeouts, kernel settings, interface."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from lvs.director.settings import agree, normalise
from lvs.director.settings_table import SETTINGS
from lvs.director.types import Surroundings
from lvs.models import Director

_TIMEOUTS = (("tcp_timeout", "tcp"), ("tcp_fin_timeout", "tcp_fin"), ("udp_timeout", "udp"))


def settings_from(director: Director, surroundings: Surroundings) -> dict[str, Any]:
    """The fields of the director that would change; what is declared already stays."""
    values: dict[str, Any] = {
        field: getattr(surroundings.timeouts, name)
        for field, name in _TIMEOUTS
        if getattr(director, field) is None
    }
    present = normalise(director.kernel_settings)
    found = {
        setting.name: surroundings.settings[setting.name]
        for setting in SETTINGS.values()
        if setting.default
        and setting.name not in present
        and not agree(
            setting.name,
            surroundings.settings.get(setting.name, setting.default),
            setting.default,
        )
    }
    if found:
        values["kernel_settings"] = {**present, **found}
    return values


def interface_of(vips: Iterable[str], surroundings: Surroundings) -> str:
    """The interface that holds most of the VIPs, each as an address of its own; "" for none."""
    wanted = set(vips)
    held = Counter(
        name
        for name, addresses in surroundings.addresses.items()
        for address in addresses
        if is_single(address) and address.partition("/")[0] in wanted
    )
    return held.most_common(1)[0][0] if held else ""


def is_single(address: str) -> bool:
    """Whether an address with its prefix is one of its own, /32 or /128."""
    return address.endswith("/128" if ":" in address else "/32")
