"""The kernel's own settings of IPVS, each with its sentence.

Names are those under net.ipv4.vs, meanings from the kernel's ipvs-sysctl documentation,
defaults as read from a 6.1 kernel. `recommended` is empty where the default is best left
to whoever knows the network.
"""

from __future__ import annotations

from dataclasses import dataclass

from console.planning import mark as _

#: Group -> its heading, in the order of the page.
GROUPS = {
    "guards": _("Guards against floods"),
    "servers": _("When real servers leave or rest"),
    "connections": _("Connections and packets"),
    "sync": _("Synchronisation with another director"),
    "other": _("Other settings of this kernel"),
}


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting: what it is, what it may be, and what is good.

    `default` is what the kernel starts with; empty where that depends on the machine.
    `gain` says what the recommended value buys, `notes` are further sentences.
    """

    name: str
    group: str
    title: str
    meaning: str
    default: str = "0"
    recommended: str = ""
    gain: str = ""
    least: int = 0
    most: int = 1
    notes: tuple[str, ...] = ()

    @property
    def is_pair(self) -> bool:
        """Whether its value is two numbers."""
        return " " in self.default

    @property
    def is_power_of_two(self) -> bool:
        return self.name == "sync_ports"


_INT = 2147483647
_WHEN = _(
    "0 is off. 1 and 2 are the two faces of automatic, and the kernel moves between them: on"
    " while available memory is below amemthresh. 3 is always on."
)

_GUARDS = (
    Setting(
        "drop_entry",
        "guards",
        _("Drop connections when memory is short"),
        _("Throws away random half-open and old entries of the connection table."),
        recommended="1",
        gain=_("A flood of half-open connections cannot eat all memory; idle otherwise."),
        most=3,
        notes=(_WHEN,),
    ),
    Setting(
        "drop_packet",
        "guards",
        _("Drop packets when memory is short"),
        _("Drops one packet in every so many, before it reaches a real server."),
        most=3,
        notes=(
            _WHEN,
            _(
                "Mode 3 drops one packet in am_droprate, whatever the load: 10 is a tenth of"
                " all traffic."
            ),
        ),
    ),
    Setting(
        "secure_tcp",
        "guards",
        _("Strict TCP states"),
        _("Takes a connection for established only after the whole handshake."),
        most=3,
        notes=(_WHEN,),
    ),
    Setting(
        "am_droprate",
        "guards",
        _("Rate of drop_packet in mode 3"),
        _("One packet in so many is dropped in mode 3; 10 is a tenth of all traffic."),
        default="10",
        least=1,
        most=_INT,
    ),
    Setting(
        "amemthresh",
        "guards",
        _("Memory below which the guards begin"),
        _("In pages, of 4 KiB on most machines: 1024 is 4 MiB."),
        default="1024",
        least=1,
        most=_INT,
    ),
)
_SERVERS = (
    Setting(
        "expire_nodest_conn",
        "servers",
        _("End connections of a removed real server"),
        _(
            "0 drops their packets in silence until they time out. 1 answers TCP with a reset"
            " and forgets UDP, so that clients go to another real server at once."
        ),
        recommended="1",
        gain=_("A removed real server costs clients a moment instead of minutes."),
    ),
    Setting(
        "expire_quiescent_template",
        "servers",
        _("End persistence to a drained real server"),
        _(
            "0 keeps sending persistent clients to a real server of weight 0. 1 schedules their"
            " next connection anew."
        ),
        recommended="1",
        gain=_("Draining works for persistent services, too."),
    ),
    Setting(
        "conn_reuse_mode",
        "servers",
        _("Reuse of a client's port"),
        _(
            "What happens when a client uses a port again before its old connection timed out:"
            " 0 goes to the same real server, even of weight 0; 1 schedules it anew."
        ),
        default="1",
        recommended="1",
        gain=_("Clients that reuse ports leave a drained real server."),
        most=3,
    ),
)
_CONNECTIONS = (
    Setting(
        "conntrack",
        "connections",
        _("Connection tracking"),
        _(
            "Lets netfilter see IPVS connections. Full NAT needs it and turns it on by itself;"
            " it costs memory and time for each connection."
        ),
    ),
    Setting(
        "snat_reroute",
        "connections",
        _("Route answers of NAT again"),
        _("Looks up the route anew once an answer has the VIP as its source."),
        default="1",
        recommended="1",
        gain=_("Policy routing by source works for answers."),
    ),
    Setting(
        "nat_icmp_send",
        "connections",
        _("ICMP errors to real servers of NAT"),
        _("1 tells a real server when its packet belongs to no connection any more."),
    ),
    Setting(
        "pmtu_disc",
        "connections",
        _("Path MTU discovery for tunnels"),
        _(
            "1 answers packets that do not fit into the tunnel with ICMP. 0 sends fragments:"
            " the cure where clients do not get ICMP."
        ),
        default="1",
        recommended="1",
        gain=_("No fragments."),
    ),
    Setting(
        "sloppy_tcp",
        "connections",
        _("TCP from the middle"),
        _(
            "1 makes a connection of any TCP packet, not only of a SYN. For several directors"
            " behind one router, with the scheduler mh."
        ),
    ),
    Setting(
        "sloppy_sctp",
        "connections",
        _("SCTP from the middle"),
        _("1 makes a connection of any SCTP packet, as sloppy_tcp does for TCP."),
    ),
    Setting(
        "schedule_icmp",
        "connections",
        _("Schedule ICMP errors"),
        _("1 also spreads ICMP errors that belong to no known connection."),
    ),
    Setting(
        "ignore_tunneled",
        "connections",
        _("Leave tunnelled packets alone"),
        _(
            "1 never balances a packet that came out of a tunnel. For a director that is also a"
            " real server behind TUN: otherwise packets can go round."
        ),
    ),
    Setting(
        "cache_bypass",
        "connections",
        _("Go round caches that are down"),
        _("1 sends requests straight on when no cache is left. For transparent caches only."),
    ),
    Setting(
        "lblc_expiration",
        "connections",
        _("Memory of the scheduler lblc"),
        _("Seconds after which an unused address is forgotten."),
        default="86400",
        least=1,
        most=_INT // 1000,
    ),
    Setting(
        "lblcr_expiration",
        "connections",
        _("Memory of the scheduler lblcr"),
        _("Seconds after which an unused address is forgotten."),
        default="86400",
        least=1,
        most=_INT // 1000,
    ),
    Setting(
        "run_estimation",
        "connections",
        _("Rates"),
        _("0 stops the reckoning of connections, packets and bytes a second, and saves time."),
        default="1",
    ),
)
_SYNC = (
    Setting(
        "backup_only",
        "sync",
        _("A backup does not balance"),
        _(
            "1 turns balancing off while only the backup's half of the synchronisation runs. For"
            " a backup director that is also a real server."
        ),
    ),
    Setting(
        "sync_threshold",
        "sync",
        _("When a connection is sent"),
        _("First after so many packets, then once in every so many; the first is the smaller."),
        default="3 50",
        recommended="3 50",
        gain=_("Short connections cost nothing, long ones survive."),
        most=_INT,
    ),
    Setting(
        "sync_refresh_period",
        "sync",
        _("Least seconds between two sendings of a connection"),
        _("0 goes by the number of packets alone."),
        most=_INT // 1000,
    ),
    Setting(
        "sync_retries",
        "sync",
        _("Repetitions"),
        _("How often a new state is sent again, an eighth of sync_refresh_period apart."),
        most=7,
    ),
    Setting(
        "sync_persist_mode",
        "sync",
        _("Only persistence is sent"),
        _("1 sends the template of a persistent client, and its connections no more."),
    ),
    Setting(
        "sync_ports",
        "sync",
        _("Threads and ports"),
        _("A power of two; both directors need the same."),
        default="1",
        least=1,
        most=16,
    ),
    Setting(
        "sync_qlen_max",
        "sync",
        _("Messages that may wait"),
        _("Beyond so many, messages are lost. The kernel's default follows its memory."),
        default="",
        most=_INT,
    ),
    Setting(
        "sync_sock_size",
        "sync",
        _("Buffer of the socket"),
        _("In bytes; 0 leaves it to the system."),
        most=_INT,
    ),
    Setting(
        "sync_version",
        "sync",
        _("Form of the messages"),
        _("1, or 0 where the other director runs a kernel before 2.6.39."),
        default="1",
    ),
)

SETTINGS = {one.name: one for one in (*_GUARDS, *_SERVERS, *_CONNECTIONS, *_SYNC)}
