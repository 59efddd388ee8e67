"""Facts out of real samples, and out of broken and hostile ones."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.preflight import (
    Facts,
    Finding,
    IncompleteSample,
    ParseError,
    check,
    parse,
    suggest_roles,
    summary,
)
from console.preflight.frame import SECTIONS
from console.preflight.types import Address, Presence
from tests.unit import preflights
from tests.unit.preflights import (
    ALL,
    CLIENT,
    DIRECTOR,
    HYPERVISOR,
    REAL_SERVER,
    WITHOUT_MODULES,
    saying,
    section,
    swapped,
)

CLOUD_SCHEDULERS = (
    *("dh", "fo", "lblc", "lblcr", "lc", "mh", "nq", "ovf", "rr", "sed", "sh", "wlc", "wrr"),
)


def test_a_director_is_read() -> None:
    facts = parse(DIRECTOR)
    assert facts.kernel.release == "6.1.0-56-cloud-amd64"
    assert facts.kernel.hostname == "lb1"
    assert facts.kernel.presence("ip_vs") is Presence.LOADED
    assert facts.kernel.presence("ip_vs_twos") is Presence.ABSENT
    assert facts.ipvs.schedulers == CLOUD_SCHEDULERS
    assert (facts.ipvs.buckets, facts.ipvs.tab_bits, facts.ipvs.services) == (4096, 12, 0)
    assert facts.distribution.family == "debian"
    assert facts.virtualization == "systemd-nspawn"
    assert facts.identity.uid == 0
    assert facts.init.is_systemd
    versions = {tool.name: tool.version for tool in facts.tools if tool.version}
    assert versions == {
        "ipvsadm": "1.31",
        "keepalived": "2.2.7",
        "nft": "1.0.6",
        "iptables": "1.8.9",
        "qemu-img": "7.2.22",
        "python3": "3.11.2",
    }
    assert facts.ipvs.auto == "false"
    assert facts.cgroup.version == "2"
    assert facts.security.has_apparmor


def test_addresses_and_routes_are_read() -> None:
    network = parse(DIRECTOR).network
    assert network.interfaces is not None
    public = next(found for found in network.interfaces if found.name == "pub0")
    assert public.is_up
    assert public.mtu == 1500
    assert Address("10.10.0.1", 24, "global") in public.addresses
    assert [(r.family, r.gateway, r.device) for r in network.routes] == [
        (4, "10.10.0.254", "pub0"),
        (6, "fd00:10::254", "pub0"),
    ]


def test_the_larger_of_all_and_an_interface_counts() -> None:
    network = parse(REAL_SERVER).network
    assert network.sysctls["net.ipv4.conf.int0.arp_ignore"] == "0"
    assert network.conf("int0", "arp_ignore") == 1
    assert network.conf("int0", "arp_announce") == 2
    assert network.conf("int0", "nothing") is None


def test_an_interface_with_a_dot_keeps_it_as_sysctl_writes_it() -> None:
    text = swapped(REAL_SERVER, ("conf/int0/arp_ignore:0", "conf/eth0.7/arp_ignore:1"))
    assert parse(text).network.number("net.ipv4.conf.eth0/7.arp_ignore") == 1


def test_a_hypervisor_is_read() -> None:
    facts = parse(HYPERVISOR)
    drivers = {driver.name: driver for driver in facts.libvirt.drivers}
    assert drivers["lxc"].is_working
    assert drivers["qemu"].is_working
    assert drivers["lxc"].hypervisor == "LXC 6.1.0"
    assert drivers["qemu"].library == "9.0.0"
    assert facts.libvirt.pools == ()
    assert facts.hardware.kvm == "absent"
    assert facts.hardware.cpus == 2
    bridges = {bridge.name: bridge.ports for bridge in facts.network.bridges}
    assert set(bridges) == {"far0", "int0", "mgmt0", "pub0"}
    assert "lb1-pub0" in bridges["pub0"]
    assert facts.virtualization == "qemu"


def test_pools_stand_under_their_titles() -> None:
    said = section(HYPERVISOR, "libvirt_qemu").split("\n Name")[0] + (
        "\n Name        State      Autostart   Persistent   Capacity   Allocation   Available\n"
        "--------------------------------------------------------------------------------\n"
        " default     running    yes         yes          5.88 GiB   753.41 MiB   5.15 GiB\n"
        " old disks   inactive   no          yes          -          -            -\n"
    )
    pools = parse(saying(HYPERVISOR, "libvirt_qemu", said)).libvirt.pools
    assert pools is not None
    assert [(p.name, p.state, p.autostart, p.capacity, p.available) for p in pools] == [
        ("default", "running", "yes", "5.88 GiB", "5.15 GiB"),
        ("old disks", "inactive", "no", "-", "-"),
    ]


def test_a_kernel_without_modules_is_told_by_its_options() -> None:
    facts = parse(WITHOUT_MODULES)
    assert facts.kernel.presence("ip_vs") is Presence.ABSENT
    assert facts.ipvs.schedulers == ()
    assert facts.cgroup.version == "hybrid"
    assert "memory" in facts.cgroup.controllers
    built_in = saying(
        WITHOUT_MODULES,
        "kernel_options",
        "listed\nCONFIG_IP_VS=y\nCONFIG_IP_VS_IPV6=y\nCONFIG_IP_VS_TAB_BITS=12\n"
        "CONFIG_IP_VS_PROTO_TCP=y\nCONFIG_IP_VS_RR=y\nCONFIG_IP_VS_MH=y\nCONFIG_IP_VS_FTP=y\n"
        "CONFIG_IP_VS_MH_TAB_INDEX=12\nCONFIG_IP_VS_NFCT=y\nCONFIG_IP_VS_PE_SIP=y",
    )
    facts = parse(built_in)
    assert facts.kernel.presence("ip_vs") is Presence.BUILTIN
    assert facts.ipvs.schedulers == ("mh", "rr")


def test_schedulers_are_what_can_be_used_loaded_or_not() -> None:
    text = saying(DIRECTOR, "loaded", "ip_vs 188416 0 - Live 0x0\nip_vs_rr 16384 0 - Live 0x0")
    assert parse(text).ipvs.schedulers == CLOUD_SCHEDULERS
    text = saying(text, "module_files", "extra/ip_vs_mh.ko.zst\nextra/ip_vs_twos.ko.xz")
    assert parse(text).ipvs.schedulers == ("mh", "rr", "twos")
    blocked = saying(text, "redirected", "install ip_vs_mh /bin/false")
    assert parse(blocked).ipvs.schedulers == ("rr", "twos")
    assert parse(blocked).kernel.presence("ip_vs_mh") is Presence.BLOCKED
    locked = swapped(text, ("modules_disabled=0", "modules_disabled=1"))
    assert parse(locked).ipvs.schedulers == ("rr",)


def test_a_container_that_sees_no_modules_has_the_table_all_the_same() -> None:
    text = saying(DIRECTOR, "loaded", "", 2)
    text = saying(saying(text, "builtin_modules", "", 2), "module_files", "", 2)
    facts = parse(text)
    assert facts.kernel.presence("ip_vs") is Presence.LOADED
    assert facts.kernel.presence("ip_vs_mh") is Presence.UNKNOWN
    assert facts.ipvs.schedulers is None


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ("ipvsadm v1.31 2019/12/24 (compiled with popt and IPVS v1.2.1)", "1.31"),
        ("1:1.31-1+b1", "1.31"),
        ("1.31", "1.31"),
        ("ipvsadm", ""),
        ("١.٣", ""),
        ("9" * 50 + ".1", ""),
    ],
)
def test_versions_out_of_what_tools_and_packages_say(said: str, version: str) -> None:
    tool = parse(saying(DIRECTOR, "version_ipvsadm", said)).tool("ipvsadm")
    assert tool is not None
    assert tool.version == version


def test_a_clock_without_fractions_counts_whole_seconds() -> None:
    text = saying(saying(CLIENT, "clock_started", "100 %N"), "clock_ended", "103 %N")
    clock = parse(text).clock
    assert (clock.started, clock.ended, clock.resolution) == (100.0, 103.0, 1.0)


def test_thin_pools_and_volume_groups_are_read() -> None:
    text = saying(HYPERVISOR, "volume_groups", "  vg0|10737418240|1073741824\n  vg 1|x|y")
    text = saying(text, "thin_pools", "  vg0|guests|5368709120|85.20|12.01\n  vg0|new|1||")
    storage = parse(text).storage
    assert [(g.name, g.size, g.free) for g in storage.volume_groups] == [
        ("vg0", 10737418240, 1073741824)
    ]
    assert [(p.name, p.data, p.metadata) for p in storage.thin_pools] == [("guests", 85.2, 12.01)]


@pytest.mark.parametrize("name", ALL)
def test_facts_survive_json(name: str) -> None:
    facts = parse(ALL[name])
    assert Facts.from_json(json.loads(json.dumps(facts.to_json()))) == facts


@pytest.mark.parametrize("name", ALL)
def test_findings_survive_json(name: str) -> None:
    for finding in preflights.checked(ALL[name]):
        assert Finding.from_json(json.loads(json.dumps(finding.to_json()))) == finding


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"kernel": 1},
        {**parse(CLIENT).to_json(), "tools": {}},
        {**parse(CLIENT).to_json(), "virtualization": 3},
        {**parse(CLIENT).to_json(), "more": 3},
        {**parse(CLIENT).to_json(), "clock": {"started": True, "ended": None, "resolution": 1}},
    ],
)
def test_json_of_another_shape_is_refused(data: Any) -> None:
    with pytest.raises(ParseError):
        Facts.from_json(data)


@pytest.mark.parametrize(
    "data", [None, [], {}, {"code": "a"}, {**preflights.checked(CLIENT)[0].to_json(), "role": "x"}]
)
def test_json_that_is_no_finding_is_refused(data: Any) -> None:
    with pytest.raises(ParseError):
        Finding.from_json(data)


def test_a_cut_sample_is_incomplete_wherever_it_was_cut() -> None:
    whole = DIRECTOR.rstrip("\n")
    for length in range(0, len(whole), 997):
        with pytest.raises(ParseError):
            parse(whole[:length])
    for lines in range(1, whole.count("\n") + 1):
        with pytest.raises(IncompleteSample):
            parse("\n".join(whole.split("\n")[:lines]))


BROKEN = {
    "another program": ("Welcome to lb1!\n", ParseError),
    "a greeting in front": ("hello\n" + DIRECTOR, ParseError),
    "another version": (swapped(DIRECTOR, ("@@ begin 2", "@@ begin 3")), ParseError),
    "a section more": (swapped(DIRECTOR, ("@@ end 36", "@@ end 37")), ParseError),
    "a section twice": (
        saying(DIRECTOR, "writers", "@@ rc 0\n@@ at_boot\nAUTO=true"),
        ParseError,
    ),
    "a section that ends early": (saying(DIRECTOR, "distribution", "@@ rc 0\nID=x"), ParseError),
    "an end in the middle": (saying(DIRECTOR, "distribution", "@@ end 36"), None),
    "something after the end": (DIRECTOR + "bye\n", IncompleteSample),
    "too long": (DIRECTOR + "\n" * 5_000_000, ParseError),
    "empty": ("", IncompleteSample),
}


@pytest.mark.parametrize("name", BROKEN)
def test_broken_frames(name: str) -> None:
    text, error = BROKEN[name]
    if error is None:  # a mark inside a section is text
        assert parse(text).kernel.hostname == "lb1"
        return
    with pytest.raises(error):
        parse(text)


HOSTILE_BODIES = (
    *("", "=", "=" * 1000, "a=b=c", "null", "[]", "{}", '[{"ifname": 3}]', "[[[]]]"),
    '[{"ifname": "e\\ud800\\u0000", "flags": {}, "addr_info": [1, {"local": []}], "mtu": 1e400}]',
    '[{"ifname": "e", "mtu": ' + "9" * 4000 + ', "addr_info": {"local": "x"}}]',
    "[" * 100_000,
    "\x00\ud800\udfff",
    "%s %(name)s %d %",
    "/proc/sys/net/ipv4/ip_forward:" + "9" * 5000,
    "/proc/sys/net/ipv4/ip_forward:٣",
    "uid=" + "9" * 10 + "(%(x)s)",
    "uname=",
    "cpus=5-1,999999-0",
    "99999999999 999999999",
    "Id=\nLoadState=\n\nId=keepalived.service",
    "in timeout \n out flock x",
    " Name State Autostart Persistent Capacity Allocation Available",
    "x|||||\n|1|1\nvg|1|1",
    "Using library: libvirt ...\nRunning hypervisor: ",
    "Filesystem\n/dev/x 0 0 0 0% /\n/dev/y 1 1 99999999999999999999 1% /var",
    "yes \nno /etc\nmaybe /var/lib",
)


def _strings(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from (text for item in value.items() for text in _strings(list(item)))
    elif isinstance(value, list):
        yield from (text for item in value for text in _strings(item))


def _survives(text: str) -> None:
    """Only ParseError may come out; what comes out otherwise can be judged, said and kept."""
    try:
        facts = parse(text)
    except ParseError:
        return
    stored = json.dumps(facts.to_json(), allow_nan=False)
    for text in _strings(facts.to_json()):
        assert "\0" not in text
        text.encode()  # a lone surrogate would not
    assert Facts.from_json(json.loads(stored)) == facts
    sent_at, received_at = preflights.around(facts, ahead=0.0, before=0.1, after=0.1)
    findings = check(facts, username="root", sent_at=sent_at, received_at=received_at)
    for finding in findings:
        assert finding.text()
        assert bool(finding.remedy_text()) == (finding.status != "ok")
    assert set(summary(findings)) == {"director", "real_server", "hypervisor", "probe"}
    suggest_roles(facts)


@pytest.mark.parametrize("name", SECTIONS)
def test_no_answer_of_a_tool_makes_it_crash(name: str) -> None:
    for body in HOSTILE_BODIES:
        for code in (0, 137):
            _survives(saying(DIRECTOR, name, body, code))


_LINES = st.sampled_from(sorted({line for text in ALL.values() for line in text.split("\n")}))
_ANY_LINE = st.one_of(_LINES, st.text(max_size=80), st.sampled_from(HOSTILE_BODIES))


@settings(deadline=None, max_examples=60)
@given(st.text())
def test_no_text_makes_it_crash(text: str) -> None:
    _survives(text)


@settings(deadline=None, max_examples=60)
@given(
    st.sampled_from(sorted(ALL)),
    st.lists(st.tuples(st.floats(0, 1), st.sampled_from("adr"), _ANY_LINE), max_size=6),
)
def test_no_mutation_makes_it_crash(name: str, edits: list[tuple[float, str, str]]) -> None:
    """Lines added, deleted and replaced at any place of a real sample."""
    lines = ALL[name].split("\n")
    for place, kind, line in edits:
        at = int(place * (len(lines) - 1))
        lines[at : at + (kind != "a")] = [] if kind == "d" else [line]
    _survives("\n".join(lines))


@settings(deadline=None, max_examples=60)
@given(st.dictionaries(st.sampled_from(SECTIONS), st.text(), max_size=5))
def test_no_text_of_a_section_makes_it_crash(bodies: dict[str, str]) -> None:
    text = HYPERVISOR
    for name, body in bodies.items():
        text = saying(text, name, body)
    _survives(text)
