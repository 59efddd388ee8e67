"""The planner, example by example: the lines as a person reads them."""

from __future__ import annotations

import pytest

from console.planning import Effect, Line, Plan
from lvs.ipvsadm import planner
from lvs.ipvsadm.parse import parse_save
from lvs.ipvsadm.types import ServiceKey, VirtualEntry
from tests.fakes.ipvs_kernel import FakeIpvs

WEB = "-t 10.0.0.1:80"
Tables = dict[ServiceKey, VirtualEntry]


def table(*lines: str) -> Tables:
    return parse_save("".join(f"{line}\n" for line in lines))


def texts(planned: Plan) -> list[str]:
    return [line.text for step in planned for line in step.lines]


def planned(desired: Tables, observed: Tables) -> Plan:
    return planner.plan(desired, observed, desired.keys() | observed.keys())


BASE = (f"-A {WEB} -s rr", f"-a {WEB} -r 10.1.0.1:80 -m -w 1", f"-a {WEB} -r 10.1.0.2:80 -m -w 1")


def test_equal_tables_need_no_plan() -> None:
    assert planned(table(*BASE), table(*BASE)) == Plan()


def test_an_empty_director_gets_each_service_with_its_servers() -> None:
    other = ("-A -u 10.0.0.1:53 -s rr -o", "-a -u 10.0.0.1:53 -r 10.1.0.1:53 -m -w 2 -x 20 -y 10")
    (step,) = planned(table(*BASE, *other), {})
    assert step.argv == ("ipvsadm", "-R")
    assert step.lines == tuple(Line(text, Effect.ADD) for text in (*BASE, *other))
    assert not step.is_destructive


@pytest.mark.parametrize(
    ("before", "after", "lines"),
    [
        # A weight; the edit says everything.
        (
            [f"-a {WEB} -r 10.1.0.1:80 -m -w 1 -x 20 -y 10"],
            [f"-a {WEB} -r 10.1.0.1:80 -m -w 0 -x 20 -y 10"],
            [f"-e {WEB} -r 10.1.0.1:80 -m -w 0 -x 20 -y 10"],
        ),
        # Thresholds that go are written as 0.
        (
            [f"-a {WEB} -r 10.1.0.1:80 -m -w 1 -x 20 -y 10"],
            [f"-a {WEB} -r 10.1.0.1:80 -m -w 1"],
            [f"-e {WEB} -r 10.1.0.1:80 -m -w 1 -x 0 -y 0"],
        ),
        # The method is an edit while the port stays.
        (
            [f"-a {WEB} -r 10.1.0.1:80 -m -w 1"],
            [f"-a {WEB} -r 10.1.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum"],
            [f"-e {WEB} -r 10.1.0.1:80 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum"],
        ),
        # From NAT with another port to DR: another real server, added before the old one goes.
        (
            [f"-a {WEB} -r 10.1.0.1:8080 -m -w 1"],
            [f"-a {WEB} -r 10.1.0.1:80 -g -w 1"],
            [f"-a {WEB} -r 10.1.0.1:80 -g -w 1", f"-d {WEB} -r 10.1.0.1:8080"],
        ),
    ],
)
def test_changes_of_a_real_server(before: list[str], after: list[str], lines: list[str]) -> None:
    service = f"-A {WEB} -s rr"
    assert texts(planned(table(service, *after), table(service, *before))) == lines


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("-s rr", "-s wrr"),
        ("-s rr -p 60", "-s rr"),
        ("-s rr -p 60", "-s rr -p 60 -M 255.255.255.0"),
        ("-s sh -b sh-port", "-s sh"),
        ("-s sh -b sh-port", "-s mh -b mh-fallback,mh-port"),
        ("-s rr -p 60 --pe sip", "-s rr -p 60"),
        ("-s rr", "-s rr -o"),
    ],
)
def test_everything_about_a_service_is_one_edit(before: str, after: str) -> None:
    name = "-u 10.0.0.1:53"
    plan = planned(table(f"-A {name} {after}"), table(f"-A {name} {before}"))
    (line,) = plan.steps[0].lines
    assert line == Line(f"-E {name} {after}", Effect.CHANGE, f"-E {name} {before}")
    fake = FakeIpvs()
    fake.load(f"-A {name} {before}\n")
    fake.run(plan.steps[0].argv, plan.steps[0].input_bytes)
    assert parse_save(fake.save_text()) == table(f"-A {name} {after}")


def test_order_is_build_everything_then_take_away() -> None:
    observed = table(
        *BASE,
        "-A -t 10.0.0.2:80 -s rr",
        "-a -t 10.0.0.2:80 -r 10.1.0.1:80 -g -w 1",
    )
    desired = table(
        f"-A {WEB} -s wlc",
        f"-a {WEB} -r 10.1.0.2:80 -m -w 9",
        f"-a {WEB} -r 10.1.0.3:80 -m -w 1",
        "-A -f 7 -6 -s rr",
    )
    assert texts(planned(desired, observed)) == [
        f"-E {WEB} -s wlc",
        f"-a {WEB} -r 10.1.0.3:80 -m -w 1",
        f"-e {WEB} -r 10.1.0.2:80 -m -w 9",
        "-A -f 7 -6 -s rr",
        f"-d {WEB} -r 10.1.0.1:80",
        "-d -t 10.0.0.2:80 -r 10.1.0.1:80",
        "-D -t 10.0.0.2:80",
    ]


def test_a_line_knows_what_it_replaces() -> None:
    observed = table(*BASE)
    desired = table(BASE[0], f"-a {WEB} -r 10.1.0.1:80 -m -w 5")
    (step,) = planned(desired, observed)
    assert step.is_destructive
    assert step.lines == (
        Line(
            f"-e {WEB} -r 10.1.0.1:80 -m -w 5",
            Effect.CHANGE,
            f"-e {WEB} -r 10.1.0.1:80 -m -w 1",
        ),
        Line(f"-d {WEB} -r 10.1.0.2:80", Effect.REMOVE, f"-a {WEB} -r 10.1.0.2:80 -m -w 1"),
    )


def test_unmanaged_services_are_listed_and_left_alone() -> None:
    observed = table(*BASE, "-A -t 10.0.0.9:80 -s rr", "-a -t 10.0.0.9:80 -r 10.1.0.1:80 -m -w 1")
    desired = table(*BASE)
    assert not planner.plan(desired, observed, desired.keys())
    (foreign,) = planner.unmanaged(observed, list(desired))
    assert foreign.service.key == ServiceKey.of("tcp", "10.0.0.9", 80)
    assert planner.plan({}, observed, [foreign.service.key]).removals == 2


def test_the_inverse_of_everything() -> None:
    observed = table(*BASE, "-A -f 7 -6 -s rr -p 60", "-a -f 7 -6 -r [fd00::5]:0 -g -w 3 -x 9 -y 1")
    desired = table(f"-A {WEB} -s rr -p 5", f"-a {WEB} -r 10.1.0.3:80 -m -w 1", "-A -f 9 -s rr")
    plan = planned(desired, observed)
    undo = planner.inverse(plan)
    assert texts(undo) == [
        "-A -f 7 -6 -s rr -p 60",
        "-a -f 7 -6 -r [fd00::5]:0 -g -w 3 -x 9 -y 1",
        f"-a {WEB} -r 10.1.0.2:80 -m -w 1",
        f"-a {WEB} -r 10.1.0.1:80 -m -w 1",
        f"-E {WEB} -s rr",
        "-D -f 9",
        f"-d {WEB} -r 10.1.0.3:80",
    ]
    assert undo.steps[0].is_destructive
    assert planner.inverse(Plan()) == Plan()


def test_summary() -> None:
    plan = planned(table(f"-A {WEB} -s wlc", "-A -f 1 -s rr"), table(*BASE, "-A -f 2 -s rr"))
    assert planner.summary(plan) == planner.Summary(1, 1, 1, 0, 0, 2)
    assert planner.summary(Plan()) == planner.Summary()


@pytest.mark.parametrize(
    ("removals", "present", "exceeds"),
    [(10, 10, False), (11, 12, True), (11, 22, False), (50, 100, False), (51, 100, True)],
)
def test_removals_of_one_pass_are_capped(removals: int, present: int, exceeds: bool) -> None:
    lines = [Line(f"-D -f {mark}", Effect.REMOVE) for mark in range(1, removals + 1)]
    plan = planner.batch(lines)
    assert planner.exceeds_removal_cap(plan, present) is exceeds


def test_entry_count_and_time_allowed() -> None:
    assert planner.entry_count(table(*BASE)) == 3
    lines = [Line(f"-D -f {mark}", Effect.REMOVE) for mark in range(1, 50_001)]
    assert planner.batch(lines).steps[0].timeout == 530.0


def test_rules_text_keeps_thresholds() -> None:
    text = f"-A {WEB} -s rr\n-a {WEB} -r 10.1.0.1:80 -m -w 1 -x 20 -y 10\n"
    assert planner.rules_text(parse_save(text)) == text
