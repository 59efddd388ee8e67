"""What a configuration asks for that the console does not do: in words, each with its lines."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import NamedTuple

from console.planning import Problem
from console.planning import mark as _
from lvs.keepalived.tree import Statement
from lvs.keepalived.types import Configuration, Server, VirtualServer

#: Line numbers that one problem names.
_NAMED = 8


class _Saying(NamedTuple):
    """Why a keyword has no place here, and what to do. Both may use %(keyword)s, %(count)s
    and %(lines)s."""

    code: str
    message: str
    remedy: str


_CHECK = _Saying(
    "keepalived-check",
    _(
        "%(keyword)s stands %(count)s times (line %(lines)s). It is not taken over: once"
        " keepalived has stopped, a real server that dies keeps its weight."
    ),
    _("Watch the real servers by other means, and set the weight of one that dies to 0."),
)
_SCRIPT = _Saying(
    "keepalived-script",
    _("%(keyword)s runs a script (line %(lines)s). The console runs none of yours."),
    _("Use webhooks of the console, or keep the script's work where it is needed otherwise."),
)
_VRRP = _Saying(
    "keepalived-vrrp",
    _(
        "%(keyword)s moves addresses between directors (line %(lines)s). The console puts its VIPs"
        " on this director and leaves them there."
    ),
    _(
        "Stop keepalived on the other directors first: they would take the addresses while this"
        " one keeps them."
    ),
)
_SORRY = _Saying(
    "keepalived-sorry",
    _("%(keyword)s stands %(count)s times (line %(lines)s): there is no server of last resort."),
    _("Declare it as a real server of weight 0, and give it weight when it is needed."),
)
_QUORUM = _Saying(
    "keepalived-quorum",
    _("%(keyword)s (line %(lines)s) is not taken over: a service stays while it is declared."),
    _("Nothing, unless something else relies on the service going away."),
)
_SYNC = _Saying(
    "keepalived-sync",
    _("%(keyword)s (line %(lines)s) starts the synchronisation of connections, which ends with"
      " keepalived."),
    _("Start it by `ipvsadm --start-daemon` from a unit of your own where you need it."),
)  # fmt: skip
_ELSEWHERE = _Saying(
    "keepalived-elsewhere",
    _("%(keyword)s (line %(lines)s) puts the table into another place than the console reads."),
    _("Leave this director to keepalived, or move its table into the machine's own namespace."),
)
_OTHER = _Saying(
    "keepalived-other",
    _("%(keyword)s (line %(lines)s) has no counterpart in the console."),
    _("See whether somebody relies on it before keepalived stops."),
)
_UNKNOWN = _Saying(
    "keepalived-unknown",
    _("%(keyword)s (line %(lines)s) is no keyword that is known here; it was left out."),
    _("Compare it with keepalived.conf(5) of the version that runs there."),
)

CHECKS = frozenset(
    {"TCP_CHECK", "HTTP_GET", "SSL_GET", "SMTP_CHECK", "DNS_CHECK", "MISC_CHECK", "BFD_CHECK",
     "PING_CHECK", "UDP_CHECK", "FILE_CHECK"}
)  # fmt: skip
#: What only tunes checks, logs and mail: told with the checks, or not worth a word.
_TUNING = frozenset(
    {"delay_loop", "delay_before_retry", "retry", "warmup", "alpha", "omega", "connect_timeout",
     "smtp_alert", "hashed", "sorry_server_inhibit", "snmp_name", "SSL",
     "router_id", "script_user", "enable_script_security", "vrrp_version", "max_auto_priority",
     "notification_email", "notification_email_from", "smtp_server", "smtp_connect_timeout",
     "smtp_helo_name", "checker_log_all_failures", "reload_check_config", "lvs_flush",
     "lvs_flush_on_stop", "child_wait_time", "process_names", "use_symlink_paths",
     "dynamic_interfaces", "track_file", "vrrp_track_file", "bfd_instance", "track_process",
     "vrrp_track_process", "use_pid_dir", "umask", "random_seed", "no_email_faults",
     "tmp_config_directory", "config_save_dir", "process_name", "checker_process_name",
     "bfd_process_name", "smtp_alert_checker", "checker_priority", "checker_no_swap",
     "checker_rt_priority", "notify_fifo"}
)  # fmt: skip
_SAYINGS = {
    **dict.fromkeys(CHECKS, _CHECK),
    **dict.fromkeys(
        ("notify_up", "notify_down", "quorum_up", "quorum_down", "lvs_notify_fifo",
         "lvs_notify_fifo_script", "notify_fifo_script", "startup_script", "shutdown_script"),
        _SCRIPT,
    ),
    **dict.fromkeys(
        ("vrrp_instance", "vrrp_sync_group", "vrrp_script", "static_ipaddress", "static_routes",
         "static_rules", "ha_suspend"),
        _VRRP,
    ),
    **dict.fromkeys(("net_namespace", "net_namespace_ipvs"), _ELSEWHERE),
    "sorry_server": _SORRY,
    "sorry_server_lvs_method": _SORRY,
    "lvs_sync_daemon": _SYNC,
    "nftables_ipvs": _OTHER,
    "linkbeat_interfaces": _OTHER,
    "instance": _OTHER,
    "interface_up_down_delays": _OTHER,
}  # fmt: skip


def unexpressed(configuration: Configuration) -> list[Problem]:
    """Every kind of thing that is left out, once each, with the lines where it stands."""
    found: dict[tuple[_Saying, str], list[int]] = defaultdict(list)
    for saying, keyword, line in _all(configuration):
        found[saying, keyword].append(line)
    return [_problem(saying, keyword, lines) for (saying, keyword), lines in found.items()]


def _all(configuration: Configuration) -> Iterator[tuple[_Saying, str, int]]:
    for one in (*configuration.settings, *configuration.rest):
        yield from _statement(one)
    for instance in configuration.vrrp:
        yield _VRRP, "vrrp_instance", instance.line
    if configuration.sync_daemon:
        yield _SYNC, "lvs_sync_daemon", 0
    for server in configuration.servers:
        yield from _server(server)


def _server(server: VirtualServer) -> Iterator[tuple[_Saying, str, int]]:
    if server.sorry is not None:
        yield _SORRY, "sorry_server", server.sorry.line
    if server.quorum > 1:
        yield _QUORUM, "quorum", server.line
    for one in server.rest:
        yield from _statement(one)
    for real in server.servers:
        yield from _real(real)


def _real(real: Server) -> Iterator[tuple[_Saying, str, int]]:
    for one in real.rest:
        yield from _statement(one)


def _statement(one: Statement) -> Iterator[tuple[_Saying, str, int]]:
    keyword = one.keyword
    if keyword in _TUNING or (keyword.startswith("vrrp_") and keyword not in _SAYINGS):
        return
    yield _SAYINGS.get(keyword, _UNKNOWN), keyword[:60], one.line


def _problem(saying: _Saying, keyword: str, lines: list[int]) -> Problem:
    named = ", ".join(str(line) for line in lines[:_NAMED] if line)
    more = " …" if len(lines) > _NAMED else ""
    return Problem(
        saying.code,
        keyword,
        saying.message,
        saying.remedy,
        {"keyword": keyword, "count": len(lines), "lines": f"{named}{more}" or "–"},
        is_blocking=False,
    )
