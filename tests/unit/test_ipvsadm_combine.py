"""Joining partial readings, and knowing cheaply that nothing moved."""

from __future__ import annotations

import subprocess

import pytest

from lvs.ipvsadm import digest, partial, planner
from lvs.ipvsadm.parse import (
    InconsistentSample,
    ParseError,
    Sample,
    SaveRequired,
    combine,
    combine_sample,
    needs_save,
    parse_proc,
    parse_save,
)
from lvs.ipvsadm.types import ServiceKey
from tests.fakes.ipvs_kernel import FakeIpvs
from tests.unit.captured import CAPTURES, ipvsadm, kernel


def director(*lines: str) -> FakeIpvs:
    fake = FakeIpvs()
    fake.load("".join(f"{line}\n" for line in lines))
    return fake


def whole(fake: FakeIpvs) -> Sample:
    return combine_sample(fake.listing("thresholds"), fake.proc_text(), fake.save_text())


WEB = ("-A -t 10.0.0.1:80 -s rr", "-a -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 1")


@pytest.mark.parametrize(
    "change",
    [
        "-A -t 10.0.0.2:80 -s rr",
        "-D -t 10.0.0.1:80",
        "-E -t 10.0.0.1:80 -s wlc",
        "-E -t 10.0.0.1:80 -s rr -p 60",
        "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m",
        "-d -t 10.0.0.1:80 -r 10.1.0.1:80",
        "-D -f 7",
        "-A -f 7 -6 -s rr",
        "-E -f 7 -s rr -p 60 -M 255.255.0.0",
        "-E -f 7 -s rr -p 61",
        "-E -u 10.0.0.1:53 -s rr",
    ],
)
def test_a_table_that_changed_between_the_readings_is_refused(change: str) -> None:
    fake = director(*WEB, "-A -f 7 -s rr -p 60", "-A -u 10.0.0.1:53 -s rr -o", "-A -f 9 -s rr -p 1")
    thresholds = fake.listing("thresholds")
    fake.load(f"{change}\n")
    with pytest.raises(InconsistentSample):
        combine(thresholds, fake.proc_text())


@pytest.mark.parametrize(
    "change",
    [
        "-A -t 10.0.0.2:80 -s rr",
        "-E -t 10.0.0.1:80 -s rr -p 60",
        "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m",
        "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 2",
        "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1",
    ],
)
def test_a_save_that_differs_is_refused(change: str) -> None:
    fake = director(*WEB)
    texts = fake.listing("thresholds"), fake.proc_text()
    fake.load(f"{change}\n")
    with pytest.raises(InconsistentSample):
        combine(*texts, fake.save_text())


def test_marks_of_both_families_are_told_apart() -> None:
    fake = director(
        "-A -f 7 -s rr -p 60",
        "-a -f 7 -r 10.1.0.1:0 -g -w 3",
        "-A -f 7 -6 -s rr -p 60",
        "-a -f 7 -6 -r [fd00::1]:0 -g -w 4",
    )
    texts = fake.listing("thresholds"), fake.proc_text()
    assert not needs_save(*texts)
    table = combine(*texts)
    weights = {
        key.family: [one.weight for one in entry.destinations.values()]
        for key, entry in table.items()
    }
    assert weights == {4: [3], 6: [4]}


AMBIGUOUS = (
    "-A -f 7 -s rr",
    "-a -f 7 -r 10.1.0.1:0 -i -w 3 --tun-type ipip",
    "-A -f 7 -6 -s rr",
    "-a -f 7 -6 -r 10.1.0.1:0 -i -w 4 --tun-type ipip",
)


def test_marks_that_only_weights_tell_apart_need_the_save() -> None:
    fake = director(*AMBIGUOUS)
    texts = fake.listing("thresholds"), fake.proc_text()
    assert needs_save(*texts)
    with pytest.raises(SaveRequired, match="mark 7"):
        combine(*texts)
    assert combine(*texts, fake.save_text()) == parse_save(fake.save_text())
    stale = fake.save_text().replace("-w 4", "-w 5")
    with pytest.raises(InconsistentSample):
        combine(*texts, stale)


def test_equal_marks_need_no_telling_apart() -> None:
    fake = director("-A -f 7 -s rr", "-A -f 7 -6 -s rr")
    assert len(combine(fake.listing("thresholds"), fake.proc_text())) == 2


def test_an_ipv6_mask_survives_the_swapped_bytes_of_proc() -> None:
    fake = director("-A -t [fd00::1]:80 -s rr -p 60 -M 65", "-A -t [fd00::2]:80 -s rr -p 60")
    assert "41000000" in fake.proc_text()
    sample = combine_sample(fake.listing("thresholds"), fake.proc_text())
    assert [entry.service.netmask for entry in sample.table.values()] == ["65", ""]
    big_endian = fake.proc_text().replace("41000000", "00000041").replace("80000000", "00000080")
    assert combine(fake.listing("thresholds"), big_endian) == sample.table


def test_hz_is_one_for_the_whole_kernel() -> None:
    fake = director("-A -t 10.0.0.1:80 -s rr -p 60", "-A -t 10.0.0.2:80 -s rr -p 10")
    assert whole(fake).hz == 250
    assert whole(director(*WEB)).hz is None
    odd = fake.proc_text().replace("persistent 2500 ", "persistent 1000 ")
    with pytest.raises(InconsistentSample, match="another persistence"):
        combine(fake.listing("thresholds"), odd)


def test_the_digest_of_the_captured_kernel() -> None:
    def run(names: bytes) -> tuple[str, str]:
        path = CAPTURES / "kernel-6.1.0_proc_net_ip_vs.txt"
        done = subprocess.run(
            [*digest.ARGV[:-1], str(path)], input=names, capture_output=True, check=True
        )
        return digest.split_digest(done.stdout.decode())

    sample = combine_sample(ipvsadm("-Ln --thresholds"), kernel("ip_vs"), ipvsadm("-S -n"))
    shown, rest = run(b"")
    assert parse_proc(shown) == []
    assert rest == digest.digest_of(sample.table, sample.hz)
    keys = list(sample.table)[1:3] + list(sample.table)[8:]
    shown, rest = run(digest.shown_names(keys))
    assert len(parse_proc(shown)) == len(keys)
    assert rest == digest.digest_of(sample.table, sample.hz, keys)


def test_the_digest_ignores_connections_and_order_and_nothing_else() -> None:
    def of(fake: FakeIpvs) -> str:
        return digest.split_digest(fake.run(digest.ARGV)[1])[1]

    fake = director(*WEB, "-A -f 7 -s rr -p 60")
    before = of(fake)
    fake.server("-t 10.0.0.1:80", "10.1.0.1:80").active = 12345
    fake.load("-D -f 7\n-A -f 7 -s rr -p 60\n")
    assert of(fake) == before
    for change in (
        "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -m -w 2",
        "-e -t 10.0.0.1:80 -r 10.1.0.1:80 -g -w 1",
        "-a -t 10.0.0.1:80 -r 10.1.0.2:80 -m",
        "-E -f 7 -s rr -p 61",
        "-E -f 7 -s rr -p 60 -M 255.0.0.0",
        "-E -f 7 -s rr -p 60 -o",
        "-D -f 7",
    ):
        fake.load(f"{change}\n")
        assert of(fake) != before, change
        before = of(fake)


def test_the_digest_needs_hz_for_persistence() -> None:
    table = parse_save("-A -f 7 -s rr -p 60\n")
    with pytest.raises(ValueError, match="HZ"):
        digest.digest_of(table)
    assert digest.digest_of(table, excluding=table) == digest.digest_of({})


@pytest.mark.parametrize("text", ["", "IP Virtual Server\n", "a" * 64 + "  -"])
def test_a_missing_digest_is_noticed(text: str) -> None:
    with pytest.raises(ParseError, match="digest is missing"):
        digest.split_digest(text)


def test_a_partial_reading_sees_what_others_did() -> None:
    fake = director(*WEB, "-A -f 7 -s rr -p 60", *(f"-A -f {mark} -s rr" for mark in (20, 21)))
    known = whole(fake)
    keys = [ServiceKey.of("tcp", "10.0.0.1", 80), ServiceKey.of_mark(20)]
    fake.load("-e -t 10.0.0.1:80 -r 10.1.0.1:80 -i -w 9 -x 8 -y 7 --tun-type gre\n-D -f 20\n")
    _, out, _ = fake.run(partial.ARGV, partial.names(keys))
    merged = partial.merge(known, partial.parse_partial(out, keys), keys)
    assert merged.table == whole(fake).table
    assert merged.hz == 250
    fake.load("-E -f 21 -s wlc\n")
    _, out, _ = fake.run(partial.ARGV, partial.names(keys))
    with pytest.raises(InconsistentSample, match="other services"):
        partial.merge(known, partial.parse_partial(out, keys), keys)


def test_a_partial_reading_of_nothing_is_a_digest() -> None:
    fake = director(*WEB)
    code, out, _ = fake.run(partial.ARGV, partial.names([]))
    assert code == 0
    assert out.count("==") == 1
    read = partial.parse_partial(out, [])
    assert read.sample.table == {}
    assert read.rest == digest.digest_of(whole(fake).table)


def test_an_old_ipvsadm_is_enough_without_tunnels() -> None:
    fake = director(*WEB)
    keys = [ServiceKey.of("tcp", "10.0.0.1", 80)]
    _, out, _ = fake.run(partial.ARGV, partial.names(keys))
    first, _, _ = out.partition("== --tun-info")
    old = f"{first}== --tun-info -t 10.0.0.1:80\n--tun-info: unknown option\n== end\n"
    assert partial.parse_partial(old, keys).sample.table == whole(fake).table
    fake.load("-e -t 10.0.0.1:80 -r 10.1.0.1:80 -i --tun-type gre\n")
    tunnelled = old.replace("Masq  ", "Tunnel")
    with pytest.raises(SaveRequired):
        partial.parse_partial(tunnelled, keys)


def test_a_partial_reading_that_was_cut_is_refused() -> None:
    fake = director(*WEB)
    keys = [ServiceKey.of("tcp", "10.0.0.1", 80)]
    _, out, _ = fake.run(partial.ARGV, partial.names(keys))
    with pytest.raises(ParseError, match="end mark"):
        partial.parse_partial(out.removesuffix("== end\n"), keys)


def test_touched_marks_come_in_both_families_and_in_order() -> None:
    web = ServiceKey.of("tcp", "10.0.0.1", 80)
    keys = [web, ServiceKey.of_mark(7, 6)]
    assert partial.touched(keys) == (ServiceKey.of_mark(7), ServiceKey.of_mark(7, 6), web)
    assert partial.names(keys) == (
        b"FWM 00000007 -f 7\nFWM 00000007 -f 7 -6\nTCP 0A000001:0050 -t 10.0.0.1:80\n"
    )


def test_the_plan_of_a_merged_sample_is_empty_after_the_change() -> None:
    fake = director(*WEB, "-A -f 7 -s rr -p 60")
    known = whole(fake)
    desired = parse_save(fake.save_text().replace("-w 1", "-w 5"))
    planned = planner.plan(desired, known.table, desired.keys())
    for step in planned:
        fake.run(step.argv, step.input_bytes)
    keys = [ServiceKey.of("tcp", "10.0.0.1", 80)]
    _, out, _ = fake.run(partial.ARGV, partial.names(keys))
    merged = partial.merge(known, partial.parse_partial(out, keys), keys)
    assert not planner.plan(desired, merged.table, desired.keys())
