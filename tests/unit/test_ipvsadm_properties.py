"""Promises of the planner and the parsers, kept for random tables against the fake kernel."""

from __future__ import annotations

import re

from hypothesis import given, settings
from hypothesis import strategies as st

from console.planning import Effect, Line, Plan
from lvs.ipvsadm import digest, partial, planner
from lvs.ipvsadm.parse import Sample, combine_sample, needs_save, parse_save, replay
from lvs.ipvsadm.types import Table
from tests.fakes.ipvs_kernel import FakeIpvs
from tests.unit.ipvs_tables import Situation, situations, tables

relaxed = settings(deadline=None)


def machine(table: Table) -> FakeIpvs:
    fake = FakeIpvs()
    fake.load(planner.rules_text(table))
    return fake


def observe(fake: FakeIpvs) -> Sample:
    thresholds, proc = fake.listing("thresholds"), fake.proc_text()
    saved = fake.save_text() if needs_save(thresholds, proc) else None
    return combine_sample(thresholds, proc, saved)


def run(fake: FakeIpvs, planned: Plan) -> None:
    for step in planned:
        assert fake.run(step.argv, step.input_bytes) == (0, "", "")


def lines_of(planned: Plan) -> tuple[Line, ...]:
    return tuple(line for step in planned for line in step.lines)


@given(tables)
@relaxed
def test_rules_text_reads_back_as_the_same_table(table: Table) -> None:
    assert parse_save(planner.rules_text(table)) == table


@given(tables)
@relaxed
def test_combined_readings_are_the_whole_table(table: Table) -> None:
    assert observe(machine(table)).table == table


@given(situations())
@settings(deadline=None, max_examples=300)
def test_one_pass_leaves_nothing_to_do(situation: Situation) -> None:
    observed, desired, owned = situation
    fake = machine(observed)
    run(fake, planner.plan(desired, observe(fake).table, owned))
    after = observe(fake).table
    assert not planner.plan(desired, after, owned)
    foreign = {key: entry for key, entry in observed.items() if key not in owned}
    assert after == foreign | desired
    assert {entry.service.key for entry in planner.unmanaged(after, owned)} == set(foreign)


@given(situations())
@relaxed
def test_the_inverse_brings_the_table_back(situation: Situation) -> None:
    observed, desired, owned = situation
    fake = machine(observed)
    planned = planner.plan(desired, observed, owned)
    run(fake, planned)
    run(fake, planner.inverse(planned))
    assert observe(fake).table == observed


@given(situations())
@relaxed
def test_lines_keep_the_rules(situation: Situation) -> None:
    observed, desired, owned = situation
    lines = lines_of(planner.plan(desired, observed, owned))
    commands = [line.text[:2] for line in lines]
    assert not set(commands) - {"-A", "-E", "-a", "-e", "-d", "-D"}
    ranks = {"-A": 0, "-E": 0, "-a": 1, "-e": 2, "-d": 3, "-D": 4}
    order: dict[str, list[int]] = {}
    for line in lines:
        service = re.match(r"-. (-f \d+ -6|\S+ \S+)", line.text)
        assert service is not None
        order.setdefault(service[1], []).append(ranks[line.text[:2]])
        kind = {"-A": Effect.ADD, "-a": Effect.ADD, "-E": Effect.CHANGE, "-e": Effect.CHANGE}
        assert line.effect is kind.get(line.text[:2], Effect.REMOVE)
        assert (line.before == "") is (line.effect is Effect.ADD)
        if line.text[:2] in ("-a", "-e"):
            assert re.search(r" -[gim] -w \d+", line.text)
        if line.text[:2] in ("-A", "-E"):
            assert " -s " in line.text
    assert all(ranks == sorted(ranks) for ranks in order.values())
    removing = [line.effect is Effect.REMOVE for line in lines]
    assert removing == sorted(removing)


@given(situations())
@relaxed
def test_replaying_the_plan_is_what_the_kernel_does(situation: Situation) -> None:
    observed, desired, owned = situation
    planned = planner.plan(desired, observed, owned)
    fake = machine(observed)
    run(fake, planned)
    lines = [line.text for line in lines_of(planned)]
    assert replay(lines, observed) == observe(fake).table


@given(situations())
@relaxed
def test_summary_and_removals_count_the_lines(situation: Situation) -> None:
    observed, desired, owned = situation
    planned = planner.plan(desired, observed, owned)
    counts = planner.summary(planned)
    assert counts.added + counts.changed + counts.removed == len(lines_of(planned))
    assert counts.removed == planned.removals
    assert all(step.is_destructive is bool(counts.removed) for step in planned)
    gone = {key for key in observed if key in owned and key not in desired}
    assert counts.services_removed == len(gone)


@given(tables, st.data())
@settings(deadline=None, max_examples=40)
def test_the_digest_of_awk_is_the_digest_of_the_table(table: Table, data: st.DataObject) -> None:
    fake = machine(table)
    keys = [key for key in table if data.draw(st.booleans())]
    code, out, _ = fake.run(digest.ARGV, digest.shown_names(keys))
    assert code == 0
    _, rest = digest.split_digest(out)
    assert rest == digest.digest_of(table, fake.hz, keys)


@given(situations())
@settings(deadline=None, max_examples=12)
def test_a_partial_reading_replaces_a_full_one(situation: Situation) -> None:
    observed, desired, owned = situation
    fake = machine(observed)
    known = observe(fake)._replace(hz=fake.hz)
    planned = planner.plan(desired, known.table, owned)
    moved = [
        key
        for key in observed.keys() | desired.keys()
        if observed.get(key) != desired.get(key) and key in owned
    ]
    run(fake, planned)
    code, out, _ = fake.run(partial.ARGV, partial.names(moved))
    assert code == 0
    merged = partial.merge(known, partial.parse_partial(out, moved), moved)
    assert merged.table == observe(fake).table
