"""Marks and Full NAT: claims become a disjoint map, and a plan ends at what is wanted."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvs.director import nft_listing, nft_plan
from lvs.director.claims import Claim, disjoint
from lvs.director.nftables import Marking, Ruleset, file_text
from lvs.ipvsadm.errors import ParseError
from tests.fakes import nft_tool

CAPTURES = Path(__file__).parents[1] / "captures"

_networks = st.builds(
    lambda host, length: f"10.0.0.{host & ~((1 << (32 - length)) - 1)}/{length}",
    st.integers(0, 31),
    st.integers(28, 32),
)
_ports = st.tuples(st.integers(1, 12), st.integers(0, 6)).map(lambda p: (p[0], p[0] + p[1]))


@st.composite
def nested_claims(draw: st.DrawFn) -> list[Claim]:
    """Claims each of its own owner, some of which do not carry a mark."""
    found = draw(st.lists(st.tuples(_networks, _ports, st.booleans()), max_size=7))
    return [
        Claim(network, "tcp", *ports, mark=number if is_marked else 0, owner=str(number))
        for number, (network, ports, is_marked) in enumerate(found, 1)
    ]


def holds(claim: Claim, host: int, port: int) -> bool:
    address, length = claim.network.removeprefix("10.0.0.").split("/")
    first = int(address)
    return first <= host < first + (1 << (32 - int(length))) and (
        claim.first_port <= port <= claim.last_port
    )


def size(claim: Claim) -> tuple[int, int]:
    return 32 - int(claim.network.split("/")[1]), claim.last_port - claim.first_port


@given(nested_claims())
@settings(max_examples=150, deadline=None)
def test_every_packet_gets_the_mark_of_its_most_exact_claim_and_one_only(
    claims: list[Claim],
) -> None:
    found = disjoint(claims)
    if found.conflicts:
        return
    for host in range(0, 34, 3):
        for port in range(1, 19, 2):
            mine = [claim for claim in claims if holds(claim, host, port)]
            expected = min(mine, key=size).mark if mine else 0
            value = 10 * 2**24 + host
            hits = [found.points[key] for key in [(f"10.0.0.{host}", "tcp", port)]
                    if key in found.points]  # fmt: skip
            hits += [
                one.mark
                for one in found.ranges
                if one.first <= value <= one.last and one.first_port <= port <= one.last_port
            ]
            assert hits == ([expected] if expected else [])


def test_the_same_and_crossing_claims_are_conflicts_and_nested_ones_are_not() -> None:
    same = [Claim("10.0.0.0/28", "tcp", 80, 80, mark, str(mark)) for mark in (1, 2)]
    crossing = [
        Claim("10.0.0.1", "tcp", 80, 90, 1, "one"),
        Claim("10.0.0.1", "tcp", 85, 95, 2, "two"),
    ]
    nested = [
        Claim("10.0.0.0/24", "tcp", 0, 65535, 1, "wide"),
        Claim("10.0.0.1", "tcp", 80, 80, 0, "address"),
    ]
    assert disjoint(same).conflicts[0][:2] == ("1", "2")
    assert disjoint(crossing).conflicts[0].key == "10.0.0.1 . tcp . 80-90"
    assert not disjoint(nested).conflicts
    assert not disjoint([*same[:1], Claim("10.0.0.0/28", "udp", 80, 80, 2, "udp")]).conflicts


def test_thousands_of_services_with_a_range_are_cut_in_a_moment() -> None:
    claims = [Claim(f"10.{n >> 8}.{n & 255}.1", "tcp", 80, 80, n + 1, str(n)) for n in range(5000)]
    claims.append(Claim("10.0.0.0/22", "tcp", 1, 65535, 9, "wide"))
    found = disjoint(claims)
    assert len(found.points) == 5000
    assert len(found.ranges) == 4 * 3 + 1


@st.composite
def markings(draw: st.DrawFn) -> Marking:
    found = disjoint(claim for claim in draw(nested_claims()))
    pool = tuple(draw(st.lists(st.sampled_from(["10.1.0.1", "10.1.0.2", "fd00::1"]), unique=True)))
    behind = draw(st.frozensets(st.tuples(st.integers(1, 5), st.sampled_from(
        ["10.2.0.1", "10.2.0.2", "fd00::2"]))))  # fmt: skip
    return Marking(found.points, found.ranges if not found.conflicts else (), behind, pool)


def listed(store: Path) -> Ruleset | None:
    tables = json.loads(store.read_text()) if store.exists() else {}
    name = "inet evenkeel_lvs"
    if name not in tables:
        return None
    return nft_listing.parse(json.dumps(nft_tool._listing(name, tables[name])))


def run(store: Path, text: str) -> None:
    source = store.with_suffix(".nft")
    source.write_text(text)
    assert nft_tool.main(store, ["-f", str(source)]) == 0, text


@given(before=markings(), wanted=markings())
@settings(max_examples=60, deadline=None)
def test_a_plan_leads_from_any_table_to_any_other_and_then_nothing_is_left(
    tmp_path_factory: pytest.TempPathFactory, before: Marking, wanted: Marking
) -> None:
    store = tmp_path_factory.mktemp("nft") / "tables"
    if before:
        run(store, file_text(before))
    assert listed(store) == (before.ruleset() if before else None)
    seen = listed(store)
    for step in (*nft_plan.before(wanted, seen), *nft_plan.after(wanted, seen)):
        run(store, (step.input_bytes or b"").decode())
    seen = listed(store)
    assert seen == (wanted.ruleset() if wanted else None)
    assert not nft_plan.before(wanted, seen)
    assert not nft_plan.after(wanted, seen)


def test_the_listing_of_the_real_tool_is_understood() -> None:
    text = (CAPTURES / "nft-1.0.6_j_list_table_evenkeel_lvs.json").read_text()
    found = disjoint(
        [
            Claim("10.10.0.50", "tcp", 80, 80, 0x0D000001, "a"),
            Claim("fd00:10::50", "tcp", 80, 80, 0x0D000002, "b"),
            Claim("10.10.0.64/28", "tcp", 1, 65535, 0x0E000001, "c"),
            Claim("10.10.0.66", "tcp", 80, 80, 0x0E000002, "d"),
            Claim("10.10.0.90", "udp", 0, 65535, 0x0E000003, "e"),
            Claim("fd00:77::/64", "tcp", 80, 443, 0x0E000004, "f"),
        ]
    )
    behind = {
        (0x0D000001, "10.20.0.11"),
        (0x0D000001, "10.30.0.13"),
        (0x0D000002, "fd00:20::11"),
    }
    pool = ("10.20.0.61", "10.20.0.62", "fd00:20::61")
    marking = Marking(found.points, found.ranges, frozenset(behind), pool)
    assert nft_listing.parse(text) == marking.ruleset()


def test_an_interval_that_begins_with_a_single_flag_without_its_list_is_the_same() -> None:
    text = (CAPTURES / "nft-1.0.6_j_list_table_evenkeel_lvs.json").read_text()
    newer = text.replace('"flags": ["interval"]', '"flags": "interval"')
    assert newer != text
    assert nft_listing.parse(newer) == nft_listing.parse(text)


@pytest.mark.parametrize("text", ["{", "[]", '{"nftables": [{"map": {"name": "x"}}]}', "no"])
def test_what_is_no_listing_is_a_parse_error(text: str) -> None:
    with pytest.raises(ParseError):
        nft_listing.parse(text)


def test_no_table_is_none() -> None:
    assert nft_listing.parse("") is None
