"""Reading a director's counters: what was printed on a real machine, and what a fake prints."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvs.director.counters import read_counters
from lvs.director.sample import IncompleteSample
from lvs.ipvsadm.errors import ParseError
from lvs.ipvsadm.types import Connections, DestinationKey, ServiceKey, Stats
from tests.fakes.ipvs_kernel import FakeIpvs

CAPTURES = Path(__file__).parents[1] / "captures"
TOTALS = (CAPTURES / "kernel-6.1.0_proc_net_ip_vs_stats.txt").read_text()
WEB = ServiceKey.of("tcp", "10.10.0.50", 80)


def answer(fake: FakeIpvs, totals: str = TOTALS) -> str:
    return (
        f"@@ totals\n{totals}@@ sums\n3 4 1 4096\n"
        f"@@ stats\n{fake.listing('stats')}@@ proc\n{fake.proc_text()}@@ end\n"
    )


def table(*lines: str) -> FakeIpvs:
    fake = FakeIpvs()
    fake.load("".join(f"{line}\n" for line in lines))
    return fake


def test_totals_are_read_from_hexadecimal() -> None:
    found = read_counters(f"@@ totals\n{TOTALS}@@ sums\n7 9 1 4096\n@@ end\n")
    assert found.services is None
    assert found.totals.own.stats == Stats(0x394, 0x16E1, 0x1614, 0x50A4C, 0x78CAC)
    assert found.totals.own.now == Connections(7, 9)
    assert not found.totals.own.is_one_way
    assert found.totals.buckets == 4096


def test_each_real_server_with_its_counters_and_connections() -> None:
    fake = table(
        "-A -t 10.10.0.50:80 -s rr",
        "-a -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 1",
        "-a -t 10.10.0.50:80 -r 10.20.0.12:80 -g -w 1",
    )
    one = fake.server("-t 10.10.0.50:80", "10.20.0.11:8080")
    one.counters, one.active, one.inactive = [5, 50, 40, 3000, 90000], 2, 3
    found = read_counters(answer(fake)).services
    assert found is not None
    servers = found[WEB].servers
    first = servers[DestinationKey("10.20.0.11", 8080)]
    assert first.stats == Stats(5, 50, 40, 3000, 90000)
    assert (first.now, first.is_one_way) == (Connections(2, 3), False)
    assert servers[DestinationKey("10.20.0.12", 80)].is_one_way
    assert not found[WEB].own.is_one_way, "one of the two answers through the director"
    assert found[WEB].own.now == Connections(2, 3)


@pytest.mark.parametrize("method", ["-g", "-i"])
def test_a_service_by_route_or_tunnel_alone_is_one_way(method: str) -> None:
    fake = table("-A -t 10.10.0.50:80 -s rr", f"-a -t 10.10.0.50:80 -r 10.20.0.12:80 {method} -w 1")
    found = read_counters(answer(fake)).services
    assert found is not None
    assert found[WEB].own.is_one_way


def test_marks_of_both_families_are_told_apart_by_their_real_servers() -> None:
    fake = table(
        "-A -f 7 -s rr",
        "-a -f 7 -r 10.20.0.11:80 -m -w 1",
        "-A -f 7 -6 -s rr",
        "-a -f 7 -6 -r [fd00::11]:80 -g -w 1",
    )
    found = read_counters(answer(fake)).services
    assert found is not None
    assert [found[ServiceKey.of_mark(7, family)].own.is_one_way for family in (4, 6)] == [
        False,
        True,
    ]


def test_two_empty_services_of_one_mark_have_no_connections_to_tell() -> None:
    fake = table("-A -f 7 -s rr", "-A -f 7 -6 -s rr")
    found = read_counters(answer(fake)).services
    assert found is not None
    assert found[ServiceKey.of_mark(7, 4)].own.now == Connections(0, 0)


@pytest.mark.parametrize(
    "text",
    ["", "@@ totals\n", "@@ failed no IPVS\n", f"@@ totals\n{TOTALS}@@ sums\nnone\n@@ end\n"],
)
def test_an_answer_that_stops_is_not_believed(text: str) -> None:
    with pytest.raises(IncompleteSample):
        read_counters(text)


def test_rounded_counters_are_refused() -> None:
    rounded = (CAPTURES / "broken_ipvsadm_-Ln_--stats_rounded.txt").read_text()
    with pytest.raises(ParseError):
        read_counters(
            f"@@ totals\n{TOTALS}@@ sums\n0 0 0 4096\n@@ stats\n{rounded}@@ proc\n@@ end\n"
        )
