"""How a director's state survives its reboot without the console.

Small files and a unit: the rules as `ipvsadm -R` reads them, VIPs and local addresses as
`ip -batch` reads them, settings as sysctl reads them, timeouts, our nftables table, and a
systemd unit that puts all of it in place at boot, the VIPs last.
The rules file may be a table followed by the changes that came later: `ipvsadm -R` takes
edits and removals as well as additions, so replaying it ends at the same table, and one
changed weight costs one appended line.
"""

from __future__ import annotations

import re

from lvs.director import nftables
from lvs.director.settings import PREFIX, Timeouts, full, timeouts_line
from lvs.director.types import Own, OwnFile, Surroundings, Wanted

RULES = "/etc/evenkeel/ipvs.rules"
VIPS = "/etc/evenkeel/vips"
TIMEOUTS = "/etc/evenkeel/timeouts"
SYSCTL = "/etc/sysctl.d/60-evenkeel.conf"
UNIT_NAME = "evenkeel-ipvs.service"
UNIT = f"/etc/systemd/system/{UNIT_NAME}"
#: All of them.
PATHS = (RULES, VIPS, TIMEOUTS, SYSCTL, nftables.FILE, UNIT)

#: Enabling is a link on the disk; nothing has to be reloaded for it now.
ENABLE = f"systemctl --root=/ enable -q {UNIT_NAME}"
DISABLE = f"systemctl --root=/ disable -q {UNIT_NAME}"
IS_ENABLED = f"systemctl --root=/ is-enabled {UNIT_NAME}"

#: The routing protocol number by which we know our own routes again.
ROUTE_PROTOCOL = "213"
_DECLARED = "# Declared on the director's page"

#: ipvsadm comes first: it loads the module, without which there are no settings.
UNIT_TEXT = f"""\
[Unit]
Description=IPVS table, VIPs and settings as Evenkeel last applied them
Wants=network-online.target
After=network-online.target systemd-sysctl.service nftables.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=-/bin/sh -c 'ipvsadm -Ln > /dev/null'
ExecStart=-/bin/sh -c 'test ! -s {SYSCTL} || sysctl -q -p {SYSCTL}'
ExecStart=-/bin/sh -c 'test ! -s {TIMEOUTS} || ipvsadm -R < {TIMEOUTS}'
ExecStart=-/bin/sh -c 'test ! -s {nftables.FILE} || nft -f {nftables.FILE}'
ExecStart=-/bin/sh -c 'test ! -s {RULES} || ipvsadm -R < {RULES}'
ExecStart=-/bin/sh -c 'test ! -s {VIPS} || ip -force -batch {VIPS}'

[Install]
WantedBy=multi-user.target
"""


def own_files(wanted: Wanted, observed: Surroundings) -> tuple[OwnFile, ...]:
    """The small files, all but the rules, as they should be. Addresses that the director
    holds by itself, with another prefix, are not ours to put there."""
    foreign = foreign_addresses(observed)
    vips = "".join(
        f"address replace {address_words(address)} dev {interface}{no_dad(address)}\n"
        for address, interface in sorted(wanted.placed().items())
        if address in wanted.vips or address not in foreign
    )
    vips += "".join(f"{route_words('replace', network)}\n" for network in sorted(wanted.networks))
    timeouts = timeouts_line(wanted.timeouts)
    return (
        OwnFile(VIPS, vips),
        OwnFile(SYSCTL, _sysctl_text(wanted)),
        OwnFile(TIMEOUTS, f"{timeouts}\n" if timeouts else ""),
        OwnFile(nftables.FILE, nftables.file_text(wanted.marking)),
        OwnFile(UNIT, UNIT_TEXT),
    )


def _sysctl_text(wanted: Wanted) -> str:
    lines = []
    if wanted.needs_ipv4_forwarding:
        lines.append("net.ipv4.ip_forward = 1")
    if wanted.needs_ipv6_forwarding:
        lines.append("net.ipv6.conf.all.forwarding = 1")
    lines += [f"{full(name)} = {value}" for name, value in sorted(wanted.derived.items())]
    if wanted.settings:
        lines.append(_DECLARED)
        lines += [f"{full(name)} = {value}" for name, value in sorted(wanted.settings.items())]
    return "".join(f"{line}\n" for line in lines)


def read_own(vips: str, sysctl: str, timeouts: str) -> Own:
    """What our files say. Lines that we would not write are left out."""
    addresses = {
        words[2].partition("/")[0]: words[4]
        for words in map(str.split, vips.splitlines())
        if words[:2] == ["address", "replace"] and len(words) > 4
    }
    _needed, _mark, declared = sysctl.partition(_DECLARED)
    settings = dict(re.findall(rf"^{re.escape(PREFIX)}(\w+) = (.*)$", declared, re.MULTILINE))
    numbers = re.fullmatch(r"--set (\d+) (\d+) (\d+)\s*", timeouts)
    seconds = [int(number) or None for number in numbers.groups()] if numbers else []
    return Own(addresses, settings, Timeouts(*seconds))


def foreign_addresses(observed: Surroundings) -> set[str]:
    """Addresses that the director holds with a network's prefix: its own, not ours."""
    return {
        address.partition("/")[0]
        for address in observed.all_addresses()
        if address != address_words(address.partition("/")[0])
    }


def address_words(vip: str) -> str:
    """A VIP with the prefix of a single address: /32 or /128."""
    return f"{vip}/128" if ":" in vip else f"{vip}/32"


def no_dad(vip: str) -> str:
    """IPv6 VIPs skip duplicate address detection: a director holds them at once."""
    return " nodad" if ":" in vip else ""


def route_words(verb: str, network: str) -> str:
    """The line of `ip -batch` by which the director takes a whole network for its own."""
    return f"route {verb} local {network} dev lo table local proto {ROUTE_PROTOCOL}"
