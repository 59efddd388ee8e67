"""How a table survives the director's reboot without the console.

Four files: the rules as `ipvsadm -R` reads them, the VIPs as `ip -batch` reads them, the
forwarding as sysctl reads it, and a systemd unit that puts all three in place at boot.
The rules file may be a table followed by the changes that came later: `ipvsadm -R` takes
edits and removals as well as additions, so replaying it ends at the same table, and one
changed weight costs one appended line.
"""

from __future__ import annotations

from lvs.director.types import OwnFile, Wanted

RULES = "/etc/evenkeel/ipvs.rules"
VIPS = "/etc/evenkeel/vips"
SYSCTL = "/etc/sysctl.d/60-evenkeel.conf"
UNIT_NAME = "evenkeel-ipvs.service"
UNIT = f"/etc/systemd/system/{UNIT_NAME}"

#: Enabling is a link on the disk; nothing has to be reloaded for it now.
ENABLE = f"systemctl --root=/ enable -q {UNIT_NAME}"
DISABLE = f"systemctl --root=/ disable -q {UNIT_NAME}"
IS_ENABLED = f"systemctl --root=/ is-enabled {UNIT_NAME}"

UNIT_TEXT = f"""\
[Unit]
Description=IPVS table, VIPs and forwarding as Evenkeel last applied them
Wants=network-online.target
After=network-online.target systemd-sysctl.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/bin/sh -c 'test ! -s {SYSCTL} || sysctl -q -p {SYSCTL}'
ExecStart=-/bin/sh -c 'test ! -s {RULES} || ipvsadm -R < {RULES}'
ExecStart=-/bin/sh -c 'test ! -s {VIPS} || ip -force -batch {VIPS}'

[Install]
WantedBy=multi-user.target
"""


def own_files(wanted: Wanted) -> tuple[OwnFile, ...]:
    """The small files, all but the rules, as they should be."""
    vips = "".join(
        f"address replace {address_words(vip)} dev {wanted.interface}{no_dad(vip)}\n"
        for vip in sorted(wanted.vips)
    )
    forwarding = ("net.ipv4.ip_forward = 1\n" if wanted.needs_ipv4_forwarding else "") + (
        "net.ipv6.conf.all.forwarding = 1\n" if wanted.needs_ipv6_forwarding else ""
    )
    return (OwnFile(VIPS, vips), OwnFile(SYSCTL, forwarding), OwnFile(UNIT, UNIT_TEXT))


def address_words(vip: str) -> str:
    """A VIP with the prefix of a single address: /32 or /128."""
    return f"{vip}/128" if ":" in vip else f"{vip}/32"


def no_dad(vip: str) -> str:
    """IPv6 VIPs skip duplicate address detection: a director holds them at once."""
    return " nodad" if ":" in vip else ""
