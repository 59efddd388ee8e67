"""What is said of a director."""

from __future__ import annotations

from .words import INSTALL, RUN, SEE, Text, _

DIRECTOR: dict[str, Text] = {
    "ip-vs.loaded": Text("ok", _("ip_vs is loaded.")),
    "ip-vs.builtin": Text("ok", _("ip_vs is built into the kernel.")),
    "ip-vs.loadable": Text("ok", _("ip_vs is not loaded; the first ipvsadm command loads it.")),
    "ip-vs.blocked": Text(
        "missing",
        _("ip_vs is on the disk, and the machine's configuration keeps it from being loaded."),
        _(
            "See what keeps it out (an install line, a missing dependency, or"
            " kernel.modules_disabled=1, which ends with a reboot): %(command)s"
        ),
    ),
    "ip-vs.absent": Text(
        "missing",
        _("Kernel %(release)s has no ip_vs."),
        _("Install a kernel that has it: %(debian)s (Debian family) or %(rhel)s (RHEL family)."),
    ),
    "ip-vs.unknown": Text(
        "unknown", _("Whether kernel %(release)s has ip_vs could not be told."), SEE
    ),
    "schedulers.present": Text("ok", _("Schedulers that can be used (%(count)d): %(names)s.")),
    "schedulers.without-default": Text(
        "warning",
        _("Schedulers that can be used (%(count)d): %(names)s; not wlc, which is the usual one."),
        _(
            "Choose one of these for each virtual service, or install a kernel with more:"
            " %(debian)s (Debian family) or %(rhel)s (RHEL family)."
        ),
    ),
    "schedulers.none": Text(
        "missing",
        _("This kernel has no scheduler for IPVS."),
        _("Install a kernel that has some: %(debian)s (Debian family) or %(rhel)s (RHEL family)."),
    ),
    "schedulers.unknown": Text(
        "unknown", _("Which schedulers this kernel has could not be told."), SEE
    ),
    "connection-table.known": Text(
        "ok",
        _(
            "The connection table has %(buckets)d buckets (conn_tab_bits %(bits)d). It can only"
            " be chosen when the module is loaded."
        ),
    ),
    "connection-table.later": Text(
        "ok",
        _("The connection table gets its size when ip_vs is loaded (4096 buckets, if not set)."),
    ),
    "table.empty": Text("ok", _("The kernel's table is empty.")),
    "table.filled": Text(
        "ok",
        _(
            "Virtual services already in the kernel's table: %(count)d. Those that are not"
            " declared here are listed as unmanaged and left alone."
        ),
    ),
    "ipvsadm.present": Text("ok", _("ipvsadm %(version)s is installed.")),
    "ipvsadm.old": Text(
        "warning",
        _("ipvsadm %(version)s is installed; before 1.31 it knows fewer kinds of tunnel."),
        _("Upgrade it: %(debian)s (Debian family) or %(rhel)s (RHEL family)."),
    ),
    "ipvsadm.unversioned": Text(
        "unknown", _("ipvsadm is installed, its version could not be told."), SEE
    ),
    "ipvsadm.absent": Text("missing", _("ipvsadm is not installed."), INSTALL),
    "persistence.systemd": Text("ok", _("A systemd unit can put the table in place at boot.")),
    "persistence.none": Text(
        "missing",
        _("Without systemd nothing puts the table in place at boot."),
        _("Use a distribution with systemd for a director."),
    ),
    "second-writer.none": Text("ok", _("No other program writes the kernel's table.")),
    "second-writer.vrrp": Text(
        "ok",
        _("keepalived is running and configures no virtual server; it only moves addresses."),
    ),
    "second-writer.running": Text(
        "warning",
        _("%(names)s is running and may write the kernel's table as well: one undoes the other."),
        _("Let only one write. To stop it for good: %(command)s"),
    ),
    "second-writer.at-boot": Text(
        "warning",
        _(
            "keepalived is not running, but starts at boot, and its configuration has"
            " virtual servers."
        ),
        _("Let only one write. To keep it from starting: %(command)s"),
    ),
    "keepalived.present": Text("ok", _("keepalived %(version)s is installed.")),
    "keepalived.absent": Text(
        "ok", _("keepalived is not installed; only a pair of directors needs it.")
    ),
    "boot-restore.none": Text("ok", _("Nothing else restores a table at boot.")),
    "boot-restore.debian": Text(
        "warning",
        _(
            "AUTO=true in /etc/default/ipvsadm clears the table at boot and loads"
            " /etc/ipvsadm.rules (%(count)d virtual services) in its place."
        ),
        RUN,
    ),
    "boot-restore.rhel": Text(
        "warning",
        _(
            "ipvsadm.service clears the table at boot and loads /etc/sysconfig/ipvsadm"
            " (%(count)d virtual services) in its place."
        ),
        RUN,
    ),
    "forwarding.on": Text("ok", _("%(family)s forwarding is on.")),
    "forwarding.off": Text(
        "ok",
        _(
            "%(family)s forwarding is off; it is turned on with the first service that needs it"
            " (NAT)."
        ),
    ),
    "forwarding.unknown": Text(
        "unknown", _("Whether %(family)s is forwarded could not be told."), SEE
    ),
    "ipvs-sysctls.fine": Text("ok", _("The kernel's IPVS settings are as recommended.")),
    "ipvs-sysctls.differ": Text(
        "warning",
        _(
            "%(settings)s: connections and sticky clients of a real server stay with it after"
            " it was removed or drained, up to their timeout."
        ),
        _("Set them, and put them into /etc/sysctl.d to keep them: %(command)s"),
    ),
    "ipvs-sysctls.later": Text("ok", _("The kernel's IPVS settings appear when ip_vs is loaded.")),
    "packet-rules.present": Text("ok", _("Packet rules can be set by %(names)s.")),
    "packet-rules.absent": Text(
        "warning",
        _("Neither nft nor iptables is installed; Full NAT and marks need one of them."),
        INSTALL,
    ),
    "conntrack-tool.present": Text("ok", _("conntrack is installed (%(path)s).")),
    "conntrack-tool.absent": Text(
        "warning",
        _("conntrack is not installed; Full NAT running out of ports cannot be seen without it."),
        INSTALL,
    ),
    "conntrack-table.ok": Text(
        "ok", _("Connection tracking holds %(count)d of at most %(max)d connections.")
    ),
    "conntrack-table.full": Text(
        "warning",
        _(
            "Connection tracking holds %(count)d of at most %(max)d connections; when it is full,"
            " packets of new ones are dropped."
        ),
        _("Raise the limit, and put it into /etc/sysctl.d to keep it: %(command)s"),
    ),
}
