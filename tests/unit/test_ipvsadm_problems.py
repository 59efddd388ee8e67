"""Each reason why a service would not work, with its code; and the fake kernel agrees."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from console.planning import Problem
from lvs.ipvsadm import pools, problems
from lvs.ipvsadm.render import destination_line, service_line
from lvs.ipvsadm.schedulers import SCHEDULERS, available
from lvs.ipvsadm.types import (
    Connections,
    Destination,
    DestinationKey,
    ForwardingMethod,
    Service,
    ServiceKey,
    Tunnel,
    TunnelChecksum,
    TunnelType,
    VirtualEntry,
    table_of,
)
from tests.fakes.ipvs_kernel import FakeIpvs

WEB = ServiceKey.of("tcp", "10.0.0.1", 80)
DNS = ServiceKey.of("udp", "10.0.0.1", 53)
ANY = ServiceKey.of("tcp", "10.0.0.1", 0)
SIX = ServiceKey.of("tcp", "fd00::1", 80)
MARK = ServiceKey.of_mark(7)
ROUTE, TUNNEL, MASQ = ForwardingMethod.ROUTE, ForwardingMethod.TUNNEL, ForwardingMethod.MASQ


def codes(found: Iterable[Problem]) -> list[str]:
    """The codes, after checking that each problem is complete."""
    found = list(found)
    for problem in found:
        assert problem.code in problems.FIELDS
        assert problem.subject
        for said in (problem.text(), problem.remedy_text()):
            assert said.endswith(".")
            assert "%" not in said
    return [problem.code.removeprefix("ipvs-") for problem in found]


def server(
    address: str = "10.1.0.1",
    port: int = 80,
    method: ForwardingMethod = MASQ,
    weight: int = 1,
    upper: int = 0,
    lower: int = 0,
    tunnel: Tunnel | None = None,
) -> Destination:
    return Destination(DestinationKey(address, port), method, weight, upper, lower, tunnel)


SERVICES = [
    (Service(WEB, "rr"), []),
    (Service(WEB, "sh", ("sh-port",), 60, "255.255.0.0"), []),
    (Service(DNS, "rr", one_packet=True), []),
    (Service(DNS, "rr", (), 60, pe="sip"), []),
    (Service(MARK, "rr", one_packet=True), []),
    (Service(ANY, "rr", (), 60), []),
    (Service(ANY, "rr"), ["port-zero-needs-persistence"]),
    (Service(WEB, "rr", one_packet=True), ["one-packet-needs-udp"]),
    (Service(WEB, "rr", (), 0), ["persistence-range"]),
    (Service(WEB, "rr", (), 2678401), ["persistence-range"]),
    (Service(WEB, "rr", (), 2678400), []),
    (Service(WEB, "twos"), ["scheduler-missing"]),
    (Service(WEB, "rr", ("sh-port",)), ["scheduler-flag"]),
    (Service(WEB, "mh", ("sh-port",)), ["scheduler-flag"]),
    (Service(WEB, "rr", (), 60, "300.1.1.1"), ["netmask-invalid"]),
    (Service(SIX, "rr", (), 60, "129"), ["netmask-invalid"]),
    (Service(WEB, "rr", (), 60, pe="rtp"), ["pe-unknown", "pe-needs-udp"]),
]


@pytest.mark.parametrize(("service", "expected"), SERVICES)
def test_services(service: Service, expected: list[str]) -> None:
    here = SCHEDULERS.keys() - {"twos"}
    found = list(problems.service_problems(service, here))
    assert codes(found) == expected
    fake = FakeIpvs(schedulers=here)
    code, _, _ = fake.run(tuple(f"ipvsadm {service_line('-A', service)}".split()))
    assert (code != 0) is any(problem.is_blocking for problem in found)


@pytest.mark.parametrize(
    ("service", "expected"),
    [
        (Service(WEB, "rr", netmask="255.255.0.0"), ["netmask-without-persistence"]),
        (Service(DNS, "rr", pe="sip"), ["pe-without-persistence"]),
        (Service(WEB, "rr", (), 60, pe="sip"), ["pe-needs-udp"]),
        (Service(ServiceKey.of("tcp", "0.0.0.0", 80), "rr"), ["service-not-unicast"]),
        (Service(ServiceKey.of("tcp", "224.0.0.1", 80), "rr"), ["service-not-unicast"]),
        (Service(ServiceKey.of("tcp", "fe80::1", 80), "rr"), ["service-not-unicast"]),
        (Service(WEB, "nosuch", ("flag-1",)), ["scheduler-missing", "scheduler-flag"]),
    ],
)
def test_services_that_ipvsadm_would_alter(service: Service, expected: list[str]) -> None:
    assert codes(problems.service_problems(service)) == expected


GUE = TunnelType.GUE
SERVERS = [
    (WEB, server(), []),
    (WEB, server(port=8080), []),
    (MARK, server(port=8080, method=ROUTE), []),
    (WEB, server("fd00::9", method=TUNNEL, tunnel=Tunnel()), []),
    (WEB, server("fd00::9"), ["mixed-family"]),
    (SIX, server(method=ROUTE), ["mixed-family"]),
    (WEB, server(weight=-1), ["weight-range"]),
    (WEB, server(weight=2**31), ["weight-range"]),
    (WEB, server(weight=2**31 - 1), []),
    (WEB, server(upper=5, lower=6), ["thresholds-crossed"]),
    (WEB, server(lower=6), ["thresholds-crossed"]),
    (WEB, server(upper=2**31), ["threshold-range"]),
    (WEB, server(upper=5, lower=5), []),
    (WEB, server("224.0.0.1"), ["server-not-unicast"]),
    (WEB, server("0.0.0.0"), ["server-not-unicast"]),
    (WEB, server("255.255.255.255"), ["server-not-unicast"]),
    (WEB, server("240.0.0.1"), []),
    (SIX, server("fe80::1"), ["server-not-unicast"]),
    (SIX, server("ff02::1"), ["server-not-unicast"]),
    (SIX, server("::"), ["server-not-unicast"]),
    (SIX, server("::ffff:a01:1"), ["server-not-unicast"]),
    (SIX, server("::1"), []),
    (WEB, server(method=TUNNEL, tunnel=Tunnel(GUE, 6080, TunnelChecksum.REMOTE)), []),
    (WEB, server(method=TUNNEL, tunnel=Tunnel(GUE)), ["tunnel-port"]),
    (WEB, server(method=TUNNEL, tunnel=Tunnel(GUE, 65536)), ["tunnel-port"]),
    (WEB, server(tunnel=Tunnel()), ["tunnel-options"]),
    (
        WEB,
        server(method=TUNNEL, tunnel=Tunnel(TunnelType.GRE, 0, TunnelChecksum.REMOTE)),
        ["tunnel-checksum"],
    ),
]


@pytest.mark.parametrize(("key", "one", "expected"), SERVERS)
def test_servers(key: ServiceKey, one: Destination, expected: list[str]) -> None:
    found = list(problems.server_problems(key, one))
    assert codes(found) == expected
    fake = FakeIpvs()
    fake.load(f"{service_line('-A', Service(key, 'rr'))}\n")
    code, _, _ = fake.run(tuple(f"ipvsadm {destination_line('-a', key, one)}".split()))
    assert (code != 0) is any(problem.is_blocking for problem in found)


@pytest.mark.parametrize(
    ("key", "one", "expected"),
    [
        (WEB, server(port=8080, method=ROUTE), ["server-port-forced"]),
        (WEB, server(port=0, method=TUNNEL, tunnel=Tunnel()), ["server-port-forced"]),
        (WEB, server("10.0.0.1", 8080), ["server-is-vip"]),
        (
            WEB,
            server(method=TUNNEL, tunnel=Tunnel(TunnelType.IPIP, 5)),
            ["tunnel-port"],
        ),
        (
            WEB,
            server(method=TUNNEL, tunnel=Tunnel(checksum=TunnelChecksum.FULL)),
            ["tunnel-checksum"],
        ),
    ],
)
def test_servers_that_ipvsadm_would_alter_or_loop(
    key: ServiceKey, one: Destination, expected: list[str]
) -> None:
    found = list(problems.server_problems(key, one))
    assert codes(found) == expected
    assert found[0].is_blocking


def test_mixed_families_are_not_synchronised() -> None:
    one = server("fd00::9", method=TUNNEL, tunnel=Tunnel())
    assert codes(problems.server_problems(WEB, one, is_syncing=True)) == ["mixed-family-sync"]


@pytest.mark.parametrize(
    ("scheduler", "pool", "expected"),
    [
        ("wrr", [server(), server("10.1.0.2", weight=5)], []),
        ("wrr", [], ["no-servers"]),
        ("wrr", [server(weight=0)], ["all-weights-zero"]),
        ("wrr", [server(), server()], ["server-duplicate"]),
        ("wrr", [server(method=ROUTE), server(port=8080, method=ROUTE)], ["server-duplicate"]),
        ("rr", [server(), server("10.1.0.2", weight=5)], ["weights-ignored"]),
        ("rr", [server(), server("10.1.0.2", weight=0)], []),
        ("sh", [server(weight=256)], []),
        ("sh", [server(weight=200), server("10.1.0.2", weight=57)], ["weights-beyond-slots"]),
        ("mh", [server(weight=4094)], ["weights-beyond-slots"]),
    ],
)
def test_pools(scheduler: str, pool: list[Destination], expected: list[str]) -> None:
    assert codes(pools.pool_problems(Service(WEB, scheduler), pool)) == expected


@pytest.mark.parametrize(("inactive", "is_near"), [(7, False), (8, True)])
def test_an_upper_threshold_counts_inactive_connections(inactive: int, is_near: bool) -> None:
    one = server(upper=10, lower=5)
    held = {one.key: Connections(0, inactive)}
    expected = ["threshold-near"] if is_near else []
    assert codes(pools.pool_problems(Service(WEB, "wrr"), [one], held)) == expected


@pytest.mark.parametrize(
    ("is_one_packet", "pool", "expected"),
    [
        (True, [server(method=ROUTE), server("10.1.0.2")], ["one-packet-masq"]),
        (True, [server(method=ROUTE)], []),
        (False, [server()], []),
    ],
)
def test_one_packet_scheduling_by_masq_leaves_clients_without_answer(
    is_one_packet: bool, pool: list[Destination], expected: list[str]
) -> None:
    found = list(pools.pool_problems(Service(DNS, "wrr", one_packet=is_one_packet), pool))
    assert codes(found) == expected
    assert all(problem.is_blocking for problem in found)


def test_problem_is_a_value_and_is_filled_in_after_it_was_translated() -> None:
    one, same = (
        Problem("code", "it", "%(count)s of it.", "Take %(count)s.", {"count": 2}) for _ in range(2)
    )
    other = Problem("code", "it", "%(count)s of it.", "Take %(count)s.", {"count": 3})
    assert one == same and len({one, same, other}) == 2
    assert (one.text(), one.remedy_text()) == ("2 of it.", "Take 2.")
    assert one.text({"%(count)s of it.": "its %(count)s"}.__getitem__) == "its 2"


def test_services_in_each_others_way() -> None:
    assert codes(pools.service_conflicts([WEB, DNS, SIX, MARK])) == []
    assert codes(pools.service_conflicts([WEB, WEB])) == ["service-duplicate"]
    assert codes(pools.service_conflicts([WEB, ANY, DNS])) == ["services-overlap"]


def test_an_unmanaged_service_is_not_taken_silently() -> None:
    table = table_of([VirtualEntry.of(Service(WEB)), VirtualEntry.of(Service(DNS))])
    assert codes(pools.unmanaged_conflicts(table, table, {DNS})) == ["unmanaged-conflict"]
    assert codes(pools.unmanaged_conflicts(table, {}, ())) == []


def test_every_scheduler_is_described_and_takes_its_flags() -> None:
    for name, scheduler in SCHEDULERS.items():
        assert (scheduler.name, scheduler.summary[-1]) == (name, ".")
        service = Service.of(WEB, name, sched_flags=scheduler.flags)
        assert codes(problems.service_problems(service)) == []


def test_schedulers_of_a_kernel() -> None:
    lines = [
        "kernel/net/netfilter/ipvs/ip_vs_rr.ko: kernel/net/netfilter/ipvs/ip_vs.ko",
        "kernel/net/netfilter/ipvs/ip_vs_mh.ko.xz: kernel/net/netfilter/ipvs/ip_vs.ko.xz",
        "kernel/net/netfilter/ipvs/ip_vs_ftp.ko: kernel/net/netfilter/ipvs/ip_vs.ko",
        "kernel/net/netfilter/ipvs/ip_vs.ko: kernel/net/netfilter/nf_conntrack.ko",
        "/lib/modules/6.1.0/kernel/net/netfilter/ipvs/ip_vs_sh.ko",
    ]
    assert available(lines) == {"rr", "mh", "sh"}
