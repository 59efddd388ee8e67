"""What real servers need: items, order, plans that come to rest, scripts, and their reading."""

from __future__ import annotations

import subprocess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from console.planning import Plan
from lvs.realserver import boot, planner, problems, sample, script
from lvs.realserver.checks import gateway_for, listener_check
from lvs.realserver.needs import Need, digest_of
from lvs.realserver.sample import Seen
from lvs.realserver.wanted import wanted_items
from tests.fakes.real_server import FakeRealServer

DR = Need(1, "10.10.0.80", "10.20.0.11", "route", "tcp", 80)
NAT = Need(2, "10.10.0.50", "10.20.0.11", "masq", "tcp", 8080, gateway="10.20.0.1")
GUE = Need(3, "10.10.0.60", "10.20.0.11", "tunnel", "tcp", 80, tunnel="gue", tunnel_port=5555)


def look(fake: FakeRealServer, needs: set[Need], *others: Need) -> Seen:
    items = wanted_items({*needs, *others})
    rules = [item.name for item in items if item.kind == "rule"]
    result = fake.run(sample.ARGV, stdin=sample.script(rules, [need.vip for need in others]))
    return sample.read(result.stdout, result.stderr)


def bring(fake: FakeRealServer, needs: set[Need]) -> Plan:
    """Run what is planned; the plan that is left."""
    for step in planner.plan(wanted_items(needs), look(fake, needs)):
        result = fake.run(step.argv, stdin=step.input_bytes)
        assert result.ok, (step.title, result.stderr)
    return planner.plan(wanted_items(needs), look(fake, needs))


def machine() -> FakeRealServer:
    return FakeRealServer("rs1", "10.20.0.11/24", "fd00:20::11/64")


_VIPS = st.sampled_from(["10.10.0.50", "10.10.0.51", "10.9.0.0/24", "fd00:10::50"])


@st.composite
def _needs(draw: st.DrawFn) -> Need:
    method = draw(st.sampled_from(["masq", "route", "tunnel", "fullnat"]))
    tunnel = draw(st.sampled_from(["ipip", "gre", "gue"])) if method == "tunnel" else ""
    sums = {"gre": ["nocsum", "csum"], "gue": ["nocsum", "csum", "remcsum"]}
    rip = draw(st.sampled_from(["10.20.0.11", "fd00:20::11"]))
    return Need(
        draw(st.integers(1, 4)),
        draw(_VIPS),
        rip,
        method,
        draw(st.sampled_from(["tcp", "udp", "sctp"])),
        draw(st.sampled_from([0, 80, 8080])),
        ("fd00:20::1" if ":" in rip else "10.20.0.1") if method == "masq" else "",
        tunnel,
        5555 if tunnel == "gue" else 0,
        draw(st.sampled_from(sums.get(tunnel, ["nocsum"]))),
    )


@settings(deadline=None, max_examples=60)
@given(st.sets(_needs(), max_size=5), st.sets(_needs(), max_size=5))
def test_every_plan_comes_to_rest_in_one_pass_and_leaving_undoes_everything(
    first: set[Need], second: set[Need]
) -> None:
    fake = machine()
    bring(fake, first)
    fresh = fake.state
    assert not bring(fake, first)
    assert fake.state == fresh
    assert not bring(fake, second)
    assert not bring(fake, set())
    assert fake.files == {} and not fake.is_enabled
    clean = machine()
    assert {name: held for name, held in fake.addresses.items() if held} == clean.addresses
    assert fake.up == clean.up
    assert {name: fake.settings[name] for name in clean.settings} == clean.settings
    assert (fake.rules, fake.tables, fake.networks, fake.nft) == (set(), {}, set(), "")


@settings(deadline=None, max_examples=60)
@given(st.sets(_needs(), max_size=5))
def test_a_reboot_brings_back_what_was_put(needs: set[Need]) -> None:
    fake = machine()
    bring(fake, needs)
    before = fake.state
    fake.reboot()
    assert fake.state == before
    assert not planner.plan(wanted_items(needs), look(fake, needs))


@settings(deadline=None, max_examples=60)
@given(st.sets(_needs(), max_size=5))
def test_scripts_are_shell_and_say_the_same_as_the_plan(needs: set[Need]) -> None:
    text = script.preparation_script(needs)
    for one in (text, script.undo_script(), script.verification_script(needs)):
        checked = subprocess.run(["sh", "-n"], input=one, text=True, check=False)
        assert checked.returncode == 0
    for step in planner.plan(wanted_items(needs), Seen()):
        assert all(line.text in text for line in step.lines)
    assert bool(script.cloud_init(needs)) == bool(text)


@settings(deadline=None, max_examples=60)
@given(st.sets(_needs(), max_size=4))
def test_needs_survive_the_database(needs: set[Need]) -> None:
    assert {Need.from_json(need.to_json()) for need in needs} == needs
    assert digest_of(needs) == digest_of(sorted(needs, reverse=True))


def lines(needs: set[Need], seen: Seen | None = None) -> list[str]:
    plan = planner.plan(wanted_items(needs), seen or Seen())
    return [line.text for step in plan for line in step.lines]


def test_arp_is_silenced_before_the_vip_is_there_and_let_go_after_it_has_left() -> None:
    putting = lines({DR})
    vip = putting.index("ip address replace 10.10.0.80/32 dev lo")
    assert putting.index("sysctl -qw net.ipv4.conf.all.arp_ignore=1") < vip
    assert putting.index("sysctl -qw net.ipv4.conf.all.arp_announce=2") < vip
    fake = machine()
    bring(fake, {DR})
    taking = lines(set(), look(fake, set()))
    assert taking.index("ip address delete 10.10.0.80/32 dev lo") < taking.index(
        "sysctl -qw net.ipv4.conf.all.arp_ignore=0"
    )
    boots = fake.files[boot.SCRIPT]
    assert boots.index("arp_ignore") < boots.index("ip address replace")


def test_ipv6_needs_no_arp_no_duplicate_detection_and_is_never_a_source() -> None:
    found = lines({Need(1, "2001:db8::80", "2001:db8::11", "route", "tcp", 80)})
    assert "arp" not in " ".join(found)
    assert "ip address replace 2001:db8::80/128 dev lo nodad preferred_lft 0" in found


def test_what_the_machine_had_of_its_own_is_left_to_it() -> None:
    fake = machine()
    fake.addresses["lo"].append("10.10.0.80/32")
    fake.settings["all.arp_ignore"] = 2
    bring(fake, {DR})
    assert fake.settings["all.arp_ignore"] == 2, "a stricter setting is as good"
    bring(fake, set())
    assert "10.10.0.80/32" in fake.addresses["lo"]
    assert fake.settings["all.arp_announce"] == 0


def test_nat_leads_only_the_service_back_and_nothing_where_the_way_out_does() -> None:
    fake = machine()
    bring(fake, {NAT})
    (rule,) = fake.rules
    assert rule.startswith("from 10.20.0.11 ipproto 6 sport 8080 lookup ")
    assert list(fake.tables.values()) == ["10.20.0.1"]
    assert not planner.plan(wanted_items({NAT}), look(fake, {NAT}))
    direct = FakeRealServer("rs1", "10.20.0.11/24", gateway="10.20.0.1")
    assert not bring(direct, {NAT}) and not direct.rules and not direct.files


@pytest.mark.parametrize(
    ("need", "mss"),
    [
        (Need(1, "10.0.0.1", "10.1.0.1", "tunnel", tunnel="ipip"), 1440),
        (Need(1, "10.0.0.1", "10.1.0.1", "tunnel", tunnel="gre"), 1436),
        (Need(1, "10.0.0.1", "10.1.0.1", "tunnel", tunnel="gre", tunnel_checksum="csum"), 1432),
        (GUE, 1428),
        (Need(1, "fd00::1", "fd01::1", "tunnel", tunnel="ipip"), 1400),
        (Need(1, "fd00::1", "10.1.0.1", "tunnel", tunnel="ipip"), 1420),
    ],
)
def test_segments_fit_into_the_tunnel(need: Need, mss: int) -> None:
    assert need.mss == mss


def test_gue_has_interface_port_and_clamp() -> None:
    found = lines({GUE})
    assert "ip link set tunl0 up" in found
    assert any(line.endswith("ip fou add port 5555 gue") for line in found)
    assert "nft -f /etc/evenkeel/realserver.nft" in found
    fake = machine()
    bring(fake, {GUE})
    assert "ip saddr 10.10.0.60 tcp flags syn / syn,rst tcp option maxseg size set 1428" in fake.nft


def test_problems_are_told_before_anything_is_changed() -> None:
    fake = FakeRealServer("rs1", "10.20.0.12/24", "10.10.0.80/24")
    found = problems.problems({DR}, look(fake, set()))
    assert {one.code: one.is_blocking for one in found} == {
        "real-server-elsewhere": True,
        "real-server-owns-vip": True,
    }
    behind = Need(1, "10.10.0.50", "10.20.0.12", "masq", "tcp", 80)
    (one,) = problems.problems({behind}, look(fake, set()))
    assert (one.code, one.is_blocking) == ("real-server-behind-router", False)


def test_open_connections_are_those_of_the_machines_own_end() -> None:
    fake = machine()
    fake.connections = {"10.10.0.80:80": 2, "10.10.0.80:443": 1, "[::ffff:10.10.0.80]:80": 1}
    seen = look(fake, set(), DR)
    assert seen.open_connections(DR) == 3
    assert seen.open_connections(NAT) == 0


@pytest.mark.parametrize("text", ["", "@@ kernel\n6.1\n", "@@ links\n{\n@@ end\n"])
def test_an_answer_that_is_not_whole_is_not_believed(text: str) -> None:
    with pytest.raises((sample.IncompleteSample, KeyError)):
        sample.read(text)


def test_the_listener_is_asked_by_protocol() -> None:
    assert listener_check(53, "udp") == "ss -H -lnu 'sport = :53'"
    assert listener_check(80, "tcp") == "ss -H -lnt 'sport = :80'"
    assert listener_check(5060, "sctp") == "ss -H -lnS 'sport = :5060'"


@pytest.mark.parametrize(
    ("rip", "gateway"),
    [
        ("10.20.0.11", "10.20.0.1"),
        ("10.10.0.7", "10.10.0.1"),
        ("10.30.0.7", ""),
        ("10.20.0.1", ""),
        ("fd00:20::11", "fd00:20::1"),
        ("fd00:30::11", ""),
    ],
)
def test_way_back_is_the_director_in_the_real_servers_own_network(rip: str, gateway: str) -> None:
    held = {
        "pub0": ["10.10.0.50/24", "10.10.0.1/24"],
        "int0": ["10.20.0.1/24", "fd00:20::1/64", "fe80::1/64"],
    }
    assert gateway_for(rip, held, ["10.10.0.50"]) == gateway
