"""What is said of a real server."""

from __future__ import annotations

from .words import SEE, Text, _

REAL_SERVER: dict[str, Text] = {
    "arp.prepared": Text(
        "ok",
        _(
            "It keeps quiet about addresses on the loopback (arp_ignore and arp_announce on"
            " %(names)s)."
        ),
    ),
    "arp.unneeded": Text(
        "ok",
        _(
            "It has no virtual address of its own. Direct routing would need one on the loopback,"
            " arp_ignore 1 or more and arp_announce 2."
        ),
    ),
    "arp.steals": Text(
        "warning",
        _(
            "It has %(addresses)s and answers ARP for it on %(names)s: clients reach it and"
            " by-pass the director."
        ),
        _("Run this, and put both into /etc/sysctl.d to keep them: %(command)s"),
    ),
    "arp.unknown": Text("unknown", _("Which addresses it answers ARP for could not be told."), SEE),
    "reverse-path.fine": Text(
        "ok", _("The reverse path filter lets packets out of a tunnel pass.")
    ),
    "reverse-path.unneeded": Text("ok", _("No tunnel interface is up; only TUN needs one.")),
    "reverse-path.strict": Text(
        "warning",
        _("rp_filter is 1 on %(names)s: packets that come out of the tunnel are dropped."),
        _("Run this, and put it into /etc/sysctl.d to keep it: %(command)s"),
    ),
    "tunnels.present": Text(
        "ok", _("The kernel can take packets out of these tunnels: %(names)s.")
    ),
    "tunnels.absent": Text(
        "warning",
        _("Kernel %(release)s has neither ipip, gre nor fou; the method TUN cannot be used."),
        _(
            "Use another forwarding method, or a kernel with more: %(debian)s (Debian family) or"
            " %(rhel)s (RHEL family)."
        ),
    ),
    "tunnels.unknown": Text(
        "unknown", _("Which tunnels the kernel can take packets out of could not be told."), SEE
    ),
}
