"""What a director needs: ip_vs with its schedulers, ipvsadm, and nobody else at the table."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Role, say
from ..types import Facts, Presence
from .wording import fuller_kernel, install, is_at_least, names, sysctl_command, upgrade

_ME = Role.DIRECTOR
#: What a director should have besides the kernel's defaults (Linux, ipvs-sysctl.rst).
_RECOMMENDED = {
    "net.ipv4.vs.expire_nodest_conn": 1,
    "net.ipv4.vs.expire_quiescent_template": 1,
}


def check_director(facts: Facts) -> Iterator[Finding]:
    """Every finding of the role director."""
    yield _ip_vs(facts)
    yield _schedulers(facts)
    yield from _tables(facts)
    yield _ipvsadm(facts)
    yield say(_ME, "persistence.systemd" if facts.init.is_systemd else "persistence.none")
    yield _second_writer(facts)
    yield _keepalived(facts)
    yield _boot_restore(facts)
    yield from _forwarding(facts)
    yield _sysctls(facts)
    yield _packet_rules(facts)
    yield from _conntrack(facts)


def _ip_vs(facts: Facts) -> Finding:
    presence = facts.kernel.presence("ip_vs")
    release = facts.kernel.release
    if presence is Presence.ABSENT:
        return say(_ME, "ip-vs.absent", release=release, **fuller_kernel())
    if presence is Presence.UNKNOWN:
        command = "grep IP_VS= /boot/config-$(uname -r); modprobe -n -v ip_vs"
        return say(_ME, "ip-vs.unknown", release=release, command=command)
    if presence is Presence.BLOCKED:
        command = (
            "modprobe -n -v ip_vs; grep -r ip_vs /etc/modprobe.d; sysctl kernel.modules_disabled"
        )
        return say(_ME, "ip-vs.blocked", command=command)
    return say(_ME, f"ip-vs.{presence.value}")


def _schedulers(facts: Facts) -> Finding:
    found = facts.ipvs.schedulers
    if found is None:
        return say(
            _ME,
            "schedulers.unknown",
            command="ls /lib/modules/$(uname -r)/kernel/net/netfilter/ipvs",
        )
    if not found:
        return say(_ME, "schedulers.none", **fuller_kernel())
    words: dict[str, str | int] = {"count": len(found), "names": ", ".join(found)}
    if "wlc" not in found:
        return say(_ME, "schedulers.without-default", **words, **fuller_kernel())
    return say(_ME, "schedulers.present", **words)


def _tables(facts: Facts) -> Iterator[Finding]:
    ipvs = facts.ipvs
    if ipvs.buckets is None:
        yield say(_ME, "connection-table.later")
    else:
        bits = ipvs.tab_bits if ipvs.tab_bits is not None else ipvs.buckets.bit_length() - 1
        yield say(_ME, "connection-table.known", buckets=ipvs.buckets, bits=bits)
    if ipvs.services:
        yield say(_ME, "table.filled", count=ipvs.services)
    elif ipvs.services == 0 or not ipvs.is_active:
        yield say(_ME, "table.empty")


def _ipvsadm(facts: Facts) -> Finding:
    tool = facts.tool("ipvsadm")
    if tool is None:
        return say(_ME, "ipvsadm.absent", **install("ipvsadm"))
    if not tool.version:
        return say(_ME, "ipvsadm.unversioned", command="ipvsadm --version")
    if not is_at_least(tool.version, (1, 31)):
        return say(_ME, "ipvsadm.old", version=tool.version, **upgrade("ipvsadm"))
    return say(_ME, "ipvsadm.present", version=tool.version)


def _second_writer(facts: Facts) -> Finding:
    """keepalived writes only if its file has virtual servers; one that includes other files
    (or has no file that we know of) is taken to write."""
    ipvs = facts.ipvs
    running = sorted({writer.name for writer in ipvs.writers})
    if running == ["keepalived"] and ipvs.keepalived_services == 0:
        return say(_ME, "second-writer.vrrp")
    if running:
        units = " ".join(running)
        command = f"systemctl disable --now {units}"
        return say(_ME, "second-writer.running", names=", ".join(running), command=command)
    unit = facts.init.unit("keepalived.service")
    if unit and unit.enabled == "enabled" and ipvs.keepalived_services:
        return say(
            _ME,
            "second-writer.at-boot",
            command="systemctl disable keepalived",
        )
    return say(_ME, "second-writer.none")


def _keepalived(facts: Facts) -> Finding:
    tool = facts.tool("keepalived")
    if tool is None:
        return say(_ME, "keepalived.absent")
    return say(_ME, "keepalived.present", version=tool.version)


def _boot_restore(facts: Facts) -> Finding:
    """Debian's ipvsadm reads /etc/default/ipvsadm, Red Hat's has a unit."""
    ipvs, unit = facts.ipvs, facts.init.unit("ipvsadm.service")
    if ipvs.auto in ("true", "yes", "1"):
        command = "sed -i 's/^AUTO=.*/AUTO=\"false\"/' /etc/default/ipvsadm"
        return say(_ME, "boot-restore.debian", count=ipvs.debian_rules or 0, command=command)
    if ipvs.rhel_rules is not None and unit and unit.enabled == "enabled":
        command = "systemctl disable ipvsadm"
        return say(_ME, "boot-restore.rhel", count=ipvs.rhel_rules, command=command)
    return say(_ME, "boot-restore.none")


def _forwarding(facts: Facts) -> Iterator[Finding]:
    yield _forwarding_of(facts, "IPv4", "net.ipv4.ip_forward")
    if facts.network.number("net.ipv6.conf.all.disable_ipv6") == 0:
        yield _forwarding_of(facts, "IPv6", "net.ipv6.conf.all.forwarding")


def _forwarding_of(facts: Facts, family: str, name: str) -> Finding:
    code, value = f"forwarding-{family.lower()}", facts.network.number(name)
    if value is None:
        return say(_ME, "forwarding.unknown", code, family=family, command=f"sysctl {name}")
    return say(_ME, "forwarding.on" if value else "forwarding.off", code, family=family)


def _sysctls(facts: Facts) -> Finding:
    present = {name: facts.network.number(name) for name in _RECOMMENDED}
    if all(value is None for value in present.values()):
        return say(_ME, "ipvs-sysctls.later")
    wrong = [name for name, value in present.items()
             if value is not None and value != _RECOMMENDED[name]]  # fmt: skip
    if not wrong:
        return say(_ME, "ipvs-sysctls.fine")
    return say(
        _ME,
        "ipvs-sysctls.differ",
        settings=", ".join(f"{name.rpartition('.')[2]} = {present[name]}" for name in wrong),
        command=sysctl_command(f"{name}={_RECOMMENDED[name]}" for name in wrong),
    )


def _packet_rules(facts: Facts) -> Finding:
    tools = [tool for name in ("nft", "iptables") if (tool := facts.tool(name))]
    if not tools:
        return say(_ME, "packet-rules.absent", **install("nft"))
    return say(
        _ME,
        "packet-rules.present",
        names=names([f"{tool.name} {tool.version}".strip() for tool in tools]),
    )


def _conntrack(facts: Facts) -> Iterator[Finding]:
    tool = facts.tool("conntrack")
    if tool is None:
        yield say(_ME, "conntrack-tool.absent", **install("conntrack"))
    else:
        yield say(_ME, "conntrack-tool.present", path=tool.path)
    count = facts.network.number("net.netfilter.nf_conntrack_count")
    limit = facts.network.number("net.netfilter.nf_conntrack_max")
    if count is None or not limit:
        return
    if count * 10 >= limit * 8:
        command = sysctl_command([f"net.netfilter.nf_conntrack_max={limit * 2}"])
        yield say(_ME, "conntrack-table.full", count=count, max=limit, command=command)
    else:
        yield say(_ME, "conntrack-table.ok", count=count, max=limit)
