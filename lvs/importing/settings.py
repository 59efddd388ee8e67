"""What of a director's own settings is declared along: timeouts, kernel settings, interface."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from lvs.director.survey import Survey
from lvs.director.types import Surroundings
from lvs.models import Director

#: What a 6.1 kernel sets by itself (tests/captures): what differs was set by somebody.
DEFAULTS = {
    "am_droprate": "10",
    "amemthresh": "1024",
    "backup_only": "0",
    "cache_bypass": "0",
    "conn_reuse_mode": "1",
    "conntrack": "0",
    "drop_entry": "0",
    "drop_packet": "0",
    "expire_nodest_conn": "0",
    "expire_quiescent_template": "0",
    "ignore_tunneled": "0",
    "nat_icmp_send": "0",
    "pmtu_disc": "1",
    "schedule_icmp": "0",
    "secure_tcp": "0",
    "sloppy_sctp": "0",
    "sloppy_tcp": "0",
    "snat_reroute": "1",
    "sync_persist_mode": "0",
    "sync_ports": "1",
    "sync_refresh_period": "0",
    "sync_retries": "0",
    "sync_threshold": "3 50",
    "sync_version": "1",
}
_PREFIX = "net.ipv4.vs."
_TIMEOUTS = (("tcp_timeout", "tcp"), ("tcp_fin_timeout", "tcp_fin"), ("udp_timeout", "udp"))


def settings_from(director: Director, survey: Survey) -> dict[str, Any]:
    """The fields of the director that would change; what is declared already stays."""
    values: dict[str, Any] = {
        field: getattr(survey.timeouts, name)
        for field, name in _TIMEOUTS
        if getattr(director, field) is None
    }
    found = {
        f"{_PREFIX}{name}": survey.settings[name]
        for name, usual in DEFAULTS.items()
        if survey.settings.get(name, usual) != usual
    }
    more = {name: value for name, value in found.items() if name not in director.kernel_settings}
    if more:
        values["kernel_settings"] = {**director.kernel_settings, **more}
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
