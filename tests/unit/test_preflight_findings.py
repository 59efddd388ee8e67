"""Every finding is said where it is true, in words that can be filled in and translated."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

import pytest

from console.preflight import (
    FINDING_TEXTS,
    READINESS_LABELS,
    ROLE_LABELS,
    Finding,
    Readiness,
    Role,
    Status,
    check,
    parse,
    suggest_roles,
    summary,
)
from tests.unit.preflights import (
    ALL,
    CLIENT,
    DIRECTOR,
    HYPERVISOR,
    REAL_SERVER,
    WITHOUT_MODULES,
    checked,
    one,
    saying,
    section,
    swapped,
)


class Case(NamedTuple):
    """A sample, and how the console came to it."""

    text: str
    how: dict[str, Any] = {}


def without_tool(text: str, *names: str) -> str:
    """The sample of a machine that lacks these programs."""
    lines = section(text, "tools").split("\n")
    kept = [line for line in lines if line.split()[1] not in names]
    assert len(kept) == len(lines) - len(names)
    return saying(text, "tools", "\n".join(kept))


def unit(name: str, active: str, enabled: str) -> str:
    return f"Id={name}\nLoadState=loaded\nActiveState={active}\nUnitFileState={enabled}\n"


def no_ip_vs(text: str, **more: tuple[str, int]) -> str:
    """The sample of a machine whose kernel has loaded nothing of IPVS."""
    bodies = {"loaded": ("", 1), "ipvs": ("", 1), **more}
    for name, (body, code) in bodies.items():
        text = saying(text, name, body, code)
    return text


def disk(free: int, size: int = 10_000_000) -> str:
    """df's answer for a root file system, in kilobytes."""
    title = "Filesystem 1024-blocks Used Available Capacity Mounted on"
    return f"{title}\n/dev/vda {size} {size - free} {free} 1% /"


def addresses(*interfaces: str) -> str:
    return "[" + ",".join(interfaces) + "]"


def interface(name: str, ip: str, prefix: int, scope: str = "global") -> str:
    return (
        f'{{"ifname":"{name}","flags":["UP"],"mtu":1500,"addr_info":'
        f'[{{"local":"{ip}","prefixlen":{prefix},"scope":"{scope}"}}]}}'
    )


PLAIN = interface("eth0", "192.0.2.2", 24)
LOUD = (("arp_ignore:1", "arp_ignore:0"), ("arp_announce:2", "arp_announce:0"))
BLIND = {"builtin_modules": ("", 2), "module_files": ("", 2)}
NO_LIBVIRT = "error: failed to connect to the hypervisor"
POOL_TITLES = section(HYPERVISOR, "libvirt_qemu") + "\n"

#: Each text of FINDING_TEXTS, and a machine about which it is said.
CASES: dict[str, Case] = {
    "system.linux": Case(DIRECTOR),
    "system.other": Case(swapped(DIRECTOR, ("uname=Linux", "uname=FreeBSD"))),
    "virtualization.none": Case(saying(DIRECTOR, "virtualization", "none", 1)),
    "virtualization.virtual": Case(HYPERVISOR),
    "virtualization.container": Case(DIRECTOR),
    "virtualization.unknown": Case(saying(DIRECTOR, "virtualization", "", 127)),
    "privileges.root": Case(DIRECTOR),
    "privileges.sudo": Case(DIRECTOR, {"username": "evenkeel"}),
    "privileges.missing": Case(
        swapped(DIRECTOR, ("id=uid=0(root)", "id=uid=1000(evenkeel)")), {"username": "evenkeel"}
    ),
    "privileges.unknown": Case(swapped(DIRECTOR, ("id=uid=", "id=?"))),
    "clock.ok": Case(DIRECTOR, {"ahead": 0.5}),
    "clock.skewed": Case(DIRECTOR, {"ahead": -3600.0}),
    "clock.vague": Case(DIRECTOR, {"before": 20.0, "after": 1.0}),
    "clock.jumped": Case(DIRECTOR, {"before": -30.0}),
    "clock.unknown": Case(saying(DIRECTOR, "clock_ended", "date: invalid date")),
    "time-sync.running": Case(
        saying(HYPERVISOR, "units", unit("chrony.service", "active", "enabled"))
    ),
    "time-sync.none": Case(HYPERVISOR),
    "init.running": Case(DIRECTOR),
    "init.degraded": Case(saying(DIRECTOR, "system_state", "degraded", 1)),
    "init.unknown": Case(saying(DIRECTOR, "system_state", "", 124)),
    "init.other": Case(WITHOUT_MODULES),
    "tools.present": Case(DIRECTOR),
    "tool.absent": Case(without_tool(DIRECTOR, "flock")),
    "tool.off-path": Case(swapped(DIRECTOR, ("in sysctl ", "out sysctl "))),
    "compression.present": Case(DIRECTOR),
    "compression.absent": Case(without_tool(DIRECTOR, "gzip")),
    "disk.ok": Case(saying(DIRECTOR, "filesystems", disk(5_000_000))),
    "disk.low": Case(saying(DIRECTOR, "filesystems", disk(900_000))),
    "disk.full": Case(saying(DIRECTOR, "filesystems", disk(10_000))),
    "disk.unknown": Case(saying(DIRECTOR, "filesystems", "", 124)),
    "writable.yes": Case(DIRECTOR),
    "writable.no": Case(swapped(DIRECTOR, ("yes /etc", "no /etc"))),
    "writable.unknown": Case(saying(DIRECTOR, "writable", "")),
    "confinement.none": Case(swapped(DIRECTOR, ("apparmor=Y", "apparmor="))),
    "confinement.apparmor": Case(DIRECTOR),
    "confinement.permissive": Case(swapped(DIRECTOR, ("selinux=", "selinux=0"))),
    "confinement.enforcing": Case(swapped(DIRECTOR, ("selinux=", "selinux=1"))),
    "hardware.ok": Case(DIRECTOR),
    "hardware.unknown": Case(saying(DIRECTOR, "hardware", "")),
    "interfaces.ok": Case(DIRECTOR),
    "interfaces.none": Case(saying(DIRECTOR, "addresses", "[]")),
    "interfaces.unreadable": Case(saying(DIRECTOR, "addresses", "ip: unrecognized option: j", 1)),
    "default-route.ok": Case(DIRECTOR),
    "default-route.none": Case(saying(saying(DIRECTOR, "routes", "[]"), "routes6", "[]")),
    "ip-vs.loaded": Case(DIRECTOR),
    "ip-vs.builtin": Case(
        no_ip_vs(DIRECTOR, builtin_modules=("kernel/net/netfilter/ipvs/ip_vs.ko", 0))
    ),
    "ip-vs.loadable": Case(no_ip_vs(DIRECTOR)),
    "ip-vs.blocked": Case(no_ip_vs(DIRECTOR, redirected=("install ip_vs /bin/true", 0))),
    "ip-vs.absent": Case(WITHOUT_MODULES),
    "ip-vs.unknown": Case(no_ip_vs(DIRECTOR, **BLIND)),
    "schedulers.present": Case(DIRECTOR),
    "schedulers.without-default": Case(
        no_ip_vs(DIRECTOR, module_files=("ipvs/ip_vs.ko\nipvs/ip_vs_rr.ko", 0))
    ),
    "schedulers.none": Case(WITHOUT_MODULES),
    "schedulers.unknown": Case(no_ip_vs(DIRECTOR, **BLIND)),
    "connection-table.known": Case(DIRECTOR),
    "connection-table.later": Case(no_ip_vs(DIRECTOR)),
    "table.empty": Case(DIRECTOR),
    "table.filled": Case(swapped(DIRECTOR, ("services=0", "services=12"))),
    "ipvsadm.present": Case(DIRECTOR),
    "ipvsadm.old": Case(saying(DIRECTOR, "version_ipvsadm", "ipvsadm v1.28 2015/02/09")),
    "ipvsadm.unversioned": Case(saying(DIRECTOR, "version_ipvsadm", "", 1)),
    "ipvsadm.absent": Case(without_tool(DIRECTOR, "ipvsadm")),
    "persistence.systemd": Case(DIRECTOR),
    "persistence.none": Case(WITHOUT_MODULES),
    "second-writer.none": Case(DIRECTOR),
    "second-writer.vrrp": Case(
        saying(saying(DIRECTOR, "writers", "/proc/77=keepalived"), "at_boot",
               "keepalived_services=0")
    ),
    "second-writer.running": Case(
        saying(saying(DIRECTOR, "writers", "/proc/77=keepalived\n/proc/78=keepalived"), "at_boot",
               "keepalived_services=2")
    ),
    "second-writer.at-boot": Case(
        saying(saying(DIRECTOR, "units", unit("keepalived.service", "inactive", "enabled")),
               "at_boot", "keepalived_services=2")
    ),
    "keepalived.present": Case(DIRECTOR),
    "keepalived.absent": Case(without_tool(DIRECTOR, "keepalived")),
    "boot-restore.none": Case(DIRECTOR),
    "boot-restore.debian": Case(saying(DIRECTOR, "at_boot", 'AUTO="true"\ndebian_rules=3')),
    "boot-restore.rhel": Case(
        saying(saying(DIRECTOR, "units", unit("ipvsadm.service", "inactive", "enabled")),
               "at_boot", "rhel_rules=4")
    ),
    "forwarding.on": Case(swapped(DIRECTOR, ("ipv4/ip_forward:0", "ipv4/ip_forward:1"))),
    "forwarding.off": Case(DIRECTOR),
    "forwarding.unknown": Case(saying(DIRECTOR, "sysctls", "")),
    "ipvs-sysctls.fine": Case(
        swapped(DIRECTOR, ("expire_nodest_conn:0", "expire_nodest_conn:1"),
                ("expire_quiescent_template:0", "expire_quiescent_template:1"))
    ),
    "ipvs-sysctls.differ": Case(DIRECTOR),
    "ipvs-sysctls.later": Case(WITHOUT_MODULES),
    "packet-rules.present": Case(DIRECTOR),
    "packet-rules.absent": Case(without_tool(DIRECTOR, "nft", "iptables")),
    "conntrack-tool.present": Case(DIRECTOR),
    "conntrack-tool.absent": Case(without_tool(DIRECTOR, "conntrack")),
    "conntrack-table.ok": Case(DIRECTOR),
    "conntrack-table.full": Case(
        swapped(DIRECTOR, ("nf_conntrack_count:0", "nf_conntrack_count:60000"))
    ),
    "arp.prepared": Case(REAL_SERVER),
    "arp.unneeded": Case(CLIENT),
    "arp.steals": Case(swapped(REAL_SERVER, *LOUD)),
    "arp.unknown": Case(saying(REAL_SERVER, "sysctls", "")),
    "reverse-path.fine": Case(
        saying(DIRECTOR, "addresses", addresses(PLAIN, interface("tunl0", "10.9.9.9", 32)))
    ),
    "reverse-path.unneeded": Case(DIRECTOR),
    "reverse-path.strict": Case(
        swapped(
            saying(DIRECTOR, "addresses", addresses(PLAIN, interface("tunl0", "10.9.9.9", 32))),
            ("conf/all/rp_filter:0", "conf/all/rp_filter:1"),
        )
    ),
    "tunnels.present": Case(DIRECTOR),
    "tunnels.absent": Case(WITHOUT_MODULES),
    "tunnels.unknown": Case(no_ip_vs(DIRECTOR, **BLIND)),
    "virsh.absent": Case(WITHOUT_MODULES),
    "libvirt.present": Case(HYPERVISOR),
    "libvirt.old": Case(swapped(HYPERVISOR, ("library: libvirt 9.0.0", "library: libvirt 5.0.0"))),
    "libvirt.silent": Case(DIRECTOR),
    "libvirt.slow": Case(
        saying(saying(HYPERVISOR, "libvirt_qemu", "", 124), "libvirt_lxc", "", 137)
    ),
    "driver-qemu.working": Case(HYPERVISOR),
    "driver-qemu.failing": Case(saying(HYPERVISOR, "libvirt_qemu", NO_LIBVIRT, 1)),
    "driver-qemu.slow": Case(saying(HYPERVISOR, "libvirt_qemu", "", 124)),
    "driver-lxc.working": Case(HYPERVISOR),
    "driver-lxc.failing": Case(saying(HYPERVISOR, "libvirt_lxc", NO_LIBVIRT, 1)),
    "driver-lxc.slow": Case(saying(HYPERVISOR, "libvirt_lxc", "", 137)),
    "kvm.usable": Case(WITHOUT_MODULES),
    "kvm.refused": Case(swapped(HYPERVISOR, ("kvm=absent", "kvm=refused"))),
    "kvm.unloaded": Case(HYPERVISOR),
    "kvm.absent": Case(swapped(HYPERVISOR, (" svm", ""))),
    "nested.on": Case(swapped(WITHOUT_MODULES, ("kvm=usable", "kvm=usable\nnested=Y"))),
    "nested.off": Case(swapped(WITHOUT_MODULES, ("kvm=usable", "kvm=usable\nnested=0"))),
    "cgroup.unified": Case(HYPERVISOR),
    "cgroup.legacy": Case(WITHOUT_MODULES),
    "cgroup.lacking": Case(swapped(HYPERVISOR, ("controllers=cpuset cpu io", "controllers=io"))),
    "cgroup.none": Case(saying(HYPERVISOR, "cgroups", "controllers=")),
    "bridges.present": Case(HYPERVISOR),
    "bridges.none": Case(DIRECTOR),
    "pools.active": Case(
        saying(HYPERVISOR, "libvirt_qemu", POOL_TITLES
               + " a      running yes         yes          5 GiB      1 GiB        4 GiB\n")
    ),
    "pools.inactive": Case(
        saying(HYPERVISOR, "libvirt_qemu", POOL_TITLES
               + " a'b    inactive no         yes          -          -            -\n")
    ),
    "pools.none": Case(HYPERVISOR),
    "pools.unknown": Case(saying(HYPERVISOR, "libvirt_qemu", "Running hypervisor: QEMU 7", 124)),
    "thin-pools.none": Case(HYPERVISOR),
    "thin-pools.ok": Case(saying(HYPERVISOR, "thin_pools", "  vg0|guests|1000|40.00|12.01")),
    "thin-pools.full": Case(saying(HYPERVISOR, "thin_pools", "  vg0|guests|1000|40.00|85.00")),
    "qemu-img.present": Case(HYPERVISOR),
    "qemu-img.absent": Case(without_tool(HYPERVISOR, "qemu-img")),
    "python3.present": Case(CLIENT),
    "python3.old": Case(saying(CLIENT, "version_python3", "Python 3.5.3")),
    "python3.absent": Case(without_tool(CLIENT, "python3")),
    "curl.present": Case(CLIENT),
    "curl.absent": Case(without_tool(CLIENT, "curl")),
}  # fmt: skip


def test_there_is_a_case_for_every_text() -> None:
    assert CASES.keys() == FINDING_TEXTS.keys()


@pytest.mark.parametrize("key", CASES)
def test_each_text_is_said_where_it_is_true(key: str) -> None:
    case, text = CASES[key], FINDING_TEXTS[key]
    said = [f for f in checked(case.text, **case.how) if f.message == text.message]
    assert said, key
    assert {finding.status for finding in said} == {Status(text.status)}
    assert "%(" not in said[0].text()


@pytest.mark.parametrize("key", CASES)
def test_whatever_is_not_ok_has_a_remedy_that_can_be_done(key: str) -> None:
    case = CASES[key]
    for finding in checked(case.text, **case.how):
        assert finding.text(), finding
        if finding.status is Status.OK:
            assert finding.remedy == ""
            continue
        remedy = finding.remedy_text()
        assert len(remedy) > 12, finding
        for name in ("debian", "rhel", "command"):
            if name in finding.params:
                assert str(finding.params[name]) in remedy


@pytest.mark.parametrize("key", FINDING_TEXTS)
def test_commands_are_parameters_so_that_nobody_translates_them(key: str) -> None:
    text = FINDING_TEXTS[key]
    assert not re.search(r"apt-get|dnf |sysctl -w|modprobe |systemctl ", text.message + text.remedy)
    assert bool(text.remedy) == (text.status != "ok")


@pytest.mark.parametrize("name", ALL)
def test_code_and_role_tell_findings_apart(name: str) -> None:
    findings = checked(ALL[name])
    assert len({(f.code, f.role) for f in findings}) == len(findings)


def test_words_are_translated_before_they_are_filled_in() -> None:
    finding = one(checked(DIRECTOR), "ipvsadm")
    assert (
        finding.text(lambda text: text.replace("is installed", "ist da")) == "ipvsadm 1.31 ist da."
    )


def test_every_role_and_every_outcome_has_a_label() -> None:
    assert ROLE_LABELS.keys() == {role.value for role in Role}
    assert READINESS_LABELS.keys() == {outcome.value for outcome in Readiness}


SUMMARIES = {
    "director": ("ready-with-warnings", "ready", "not-ready", "ready"),
    "real server": ("ready-with-warnings", "ready", "not-ready", "ready"),
    "client": ("ready-with-warnings", "ready", "not-ready", "ready"),
    "hypervisor": (*("ready-with-warnings",) * 2, "not-ready", "ready-with-warnings"),
    "without modules": ("not-ready", "ready-with-warnings", "not-ready", "ready-with-warnings"),
}


@pytest.mark.parametrize("name", ALL)
def test_what_the_machines_come_to(name: str) -> None:
    roles = ("director", "real_server", "hypervisor", "probe")
    assert summary(checked(ALL[name])) == dict(zip(roles, SUMMARIES[name], strict=True))


def test_a_director_with_the_recommended_settings_is_ready() -> None:
    assert summary(checked(CASES["ipvs-sysctls.fine"].text))["director"] == "ready"


def test_a_hypervisor_needs_a_pool_besides_what_the_rack_has() -> None:
    missing = [f.code for f in checked(HYPERVISOR) if f.status is Status.MISSING]
    assert missing == ["pools"]
    assert summary(checked(CASES["pools.active"].text))["hypervisor"] == "ready-with-warnings"


def test_what_the_host_lacks_counts_for_every_role() -> None:
    for readiness in summary(checked(CASES["tool.absent"].text)).values():
        assert readiness == "not-ready"


def test_only_the_roles_that_were_asked_for() -> None:
    facts = parse(DIRECTOR)
    how: dict[str, Any] = {"username": "root", "sent_at": None, "received_at": None}
    findings = check(facts, ["director"], **how)
    assert {finding.role for finding in findings} == {Role.HOST, Role.DIRECTOR}
    assert summary(findings) == {"director": "ready-with-warnings"}
    assert summary(check(facts, [], **how)) == {"host": "ready"}
    with pytest.raises(ValueError, match="router"):
        check(facts, ["router"], **how)


def test_roles_are_suggested_by_what_is_there() -> None:
    assert suggest_roles(parse(DIRECTOR)) == (Role.DIRECTOR, Role.REAL_SERVER, Role.PROBE)
    assert suggest_roles(parse(WITHOUT_MODULES)) == (Role.REAL_SERVER, Role.PROBE)
    assert Role.HYPERVISOR in suggest_roles(parse(CASES["pools.active"].text))


@pytest.mark.parametrize(
    ("ahead", "before", "after", "skew", "uncertainty"),
    [
        (0.0, 0.05, 0.05, "0 ms", "50 ms"),
        (0.25, 0.05, 0.05, "+250 ms", "50 ms"),
        (-2.0, 0.01, 0.01, "−2.0 s", "10 ms"),
        (90.0, 0.1, 0.3, "+89.9 s", "200 ms"),
        (-7200.0, 0.1, 0.1, "−2.0 h", "100 ms"),
        (1e6, 0.1, 0.1, "+11.6 d", "100 ms"),
    ],
)
def test_the_skew_of_the_clock_and_how_well_it_is_known(
    ahead: float, before: float, after: float, skew: str, uncertainty: str
) -> None:
    finding = one(checked(DIRECTOR, ahead=ahead, before=before, after=after), "clock")
    assert (finding.params["skew"], finding.params["uncertainty"]) == (skew, uncertainty)
    assert (finding.status is Status.OK) == (abs(ahead) <= 1)


@pytest.mark.parametrize(
    ("ahead", "skew", "status"), [(1.5, "+2.0 s", Status.WARNING), (0.5, "+1.0 s", Status.OK)]
)
def test_a_clock_of_whole_seconds_is_doubted_more(ahead: float, skew: str, status: Status) -> None:
    text = saying(saying(CLIENT, "clock_started", "1000 %N"), "clock_ended", "1003 %N")
    finding = one(checked(text, ahead=ahead, before=0.2, after=0.2), "clock")
    assert finding.status is status
    assert (finding.params["skew"], finding.params["uncertainty"]) == (skew, "700 ms")


def _said(text: str, code: str, **how: Any) -> Finding:
    return one(checked(text, **how), code)


def test_the_login_user_gets_the_line_for_sudoers() -> None:
    finding = _said(CASES["privileges.missing"].text, "privileges", username="evenkeel")
    assert "'evenkeel ALL=(root) NOPASSWD: ALL' > /etc/sudoers.d/evenkeel" in finding.remedy_text()


def test_a_stealing_real_server_names_address_and_interfaces() -> None:
    finding = _said(CASES["arp.steals"].text, "arp")
    assert "10.10.0.80" in finding.text()
    assert "int0" in finding.text()
    assert "net.ipv4.conf.all.arp_ignore=1" in finding.remedy_text()


@pytest.mark.parametrize("half", ["arp_ignore", "arp_announce"])
def test_both_arp_settings_are_needed(half: str) -> None:
    text = swapped(REAL_SERVER, *(pair for pair in LOUD if pair[0].startswith(half)))
    assert _said(text, "arp").status is Status.WARNING


def test_a_second_writer_is_named_once_with_the_command_that_stops_it() -> None:
    finding = _said(CASES["second-writer.running"].text, "second-writer")
    assert finding.text().startswith("keepalived is running")
    assert finding.params["command"] == "systemctl disable --now keepalived"
    both = saying(DIRECTOR, "writers", "/proc/9=ldirectord\n/proc/77=keepalived")
    assert _said(both, "second-writer").params["names"] == "keepalived, ldirectord"


def test_keepalived_without_a_file_that_can_be_read_is_taken_to_write() -> None:
    text = saying(DIRECTOR, "writers", "/proc/77=keepalived")
    assert _said(text, "second-writer").status is Status.WARNING


def test_what_the_cloud_kernel_lacks_is_not_offered() -> None:
    finding = _said(DIRECTOR, "schedulers")
    assert finding.params["count"] == 13
    assert "twos" not in finding.text()
    assert "wlc" in finding.text()
    assert "mh" in finding.text()


def test_names_of_pools_are_quoted_in_commands() -> None:
    command = _said(CASES["pools.inactive"].text, "pools").params["command"]
    assert command == """virsh pool-start 'a'"'"'b' && virsh pool-autostart 'a'"'"'b'"""


def test_of_many_interfaces_the_first_are_listed_and_the_others_counted() -> None:
    many = addresses(*(interface(f"vnet{n}", f"10.0.0.{n}", 24) for n in range(1, 21)))
    text = _said(saying(DIRECTOR, "addresses", many), "interfaces").text()
    assert "vnet8" in text
    assert "vnet9" not in text
    assert "(+12)" in text


def test_each_file_system_is_said_once() -> None:
    body = disk(5_000_000) + "\n" + "/dev/vdb 1000 1000 0 100% /var"
    findings = checked(saying(DIRECTOR, "filesystems", body))
    assert one(findings, "disk-/").status is Status.OK
    assert one(findings, "disk-/var").status is Status.MISSING
