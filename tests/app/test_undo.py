"""Timed undo and rollback: what cuts the console off, or fails half way, is taken back."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from console.access import SYSTEM
from console.models import Operation
from console.remote.transport import OutcomeUnknown
from lvs.actions import directors, virtual_services
from lvs.director import boot, undo
from lvs.models import Director, RealServer, VirtualService
from tests.app.conftest import Fleet
from tests.app.test_apply import declare
from tests.fakes.director import FakeDirector
from tests.fakes.transport import Fault

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
Pair = tuple[Director, FakeDirector]

SECOND = "-a -t 10.10.0.50:80 -r 10.20.0.12:80"


@pytest.fixture
def lb1(fleet: Fleet) -> Pair:
    return fleet.director("lb1")


def state(fake: FakeDirector) -> tuple[object, ...]:
    """All that an apply may touch."""
    files = {path: (fake.root / path.lstrip("/")).exists() and fake.read(path)
             for path in (boot.VIPS, boot.SYSCTL, boot.UNIT)}  # fmt: skip
    return (
        fake.table.listing("thresholds"),
        sorted(fake.table.save_text().splitlines()),
        fake.addresses,
        fake.read("/proc/sys/net/ipv4/ip_forward"),
        files,
        (fake.root / "enabled").exists(),
    )


def left_there(fake: FakeDirector) -> list[str]:
    return [path.name for path in (fake.root / "run/evenkeel").glob("undo-*")]


def again(operation: Operation) -> None:
    """Let the pause before the next try be over."""
    Operation.objects.filter(pk=operation.pk).update(not_before=None)


def test_undo_is_armed_before_the_change_and_gone_after_the_proof(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    _service, operation = declare(director)
    operation = work(operation)
    assert operation.status == "succeeded", operation.error_said
    titles = [step.title for step in operation.steps.all()]
    assert titles.index("Leave a timed undo on the director") < titles.index(
        "Change the IPVS table"
    )
    assert "Take the timed undo away" in titles
    assert (fake.timers, left_there(fake)) == ({}, [])


def test_no_timer_where_the_director_wants_none(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    Director.objects.update(confirm_seconds=0)
    _service, operation = declare(director)
    fake.on(("ip", "-batch"), _unreachable)
    assert work(operation).status == "queued"
    assert (fake.timers, left_there(fake)) == ({}, [f"undo-{operation.pk}"])
    fake.on(("ip", "-batch"), fake._execute)
    again(operation)
    assert work(operation).status == "succeeded"
    assert left_there(fake) == []


def test_change_that_cuts_the_console_off_is_undone_by_the_director_itself(
    lb1: Pair, work: Work
) -> None:
    director, fake = lb1
    before = state(fake)
    service, operation = declare(director)
    fake.cut_by = "10.10.0.50"
    operation = work(operation)
    assert (operation.status, fake.timers.keys()) == ("queued", {f"evenkeel-undo-{operation.pk}"})
    assert next(iter(fake.timers.values())).startswith("60 ")
    assert state(fake) != before
    fake.elapse()
    assert state(fake) == before
    again(operation)
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "cut-off")
    assert "undid it by itself at 2" in operation.error
    assert state(fake) == before
    service.refresh_from_db()
    assert service.provisioning_status == "error"
    assert VirtualService.objects.get().real_servers.count() == 2


def test_nothing_of_an_operation_runs_after_its_undo(lb1: Pair, work: Work) -> None:
    """The timer comes between the batch and the VIPs."""
    director, fake = lb1
    before = state(fake)
    _service, operation = declare(director)

    def slow(call: Any) -> Any:
        answer = fake._execute(call)
        fake.elapse()
        return answer

    fake.on(("ipvsadm", "-R"), slow)
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "cut-off")
    assert state(fake) == before


def test_old_connections_that_live_on_are_no_proof(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    before = state(fake)
    fake.refuses_dials = True
    operation = work(declare(director)[1])
    assert (operation.status, operation.error_code) == ("failed", "cut-off")
    assert "rolled back" in operation.remedy
    assert (state(fake), fake.timers) == (before, {})


def test_refused_line_is_named_and_all_of_it_rolled_back(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    before = state(fake)
    fake.table.refusals[SECOND] = "Memory allocation problem"
    service, operation = declare(director)
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "not-converged")
    assert "Memory allocation problem" in operation.error_said
    assert SECOND in operation.error_said
    assert operation.remedy.startswith("It was rolled back: the director is as it was before.")
    assert (state(fake), fake.timers) == (before, {})
    service.refresh_from_db()
    assert service.provisioning_status == "error"
    fake.table.refusals.clear()
    assert work(directors.request_apply(SYSTEM, director)).status == "succeeded"
    assert left_there(fake) == []


def test_rollback_restores_what_stood_there_before(lb1: Pair, work: Work) -> None:
    """Weights, thresholds, a removed real server and a removed service, all at once."""
    director, fake = lb1
    service, operation = declare(
        director,
        real_servers=[{"rip": "10.20.0.11", "port": 80, "weight": 7, "upper_threshold": 9},
                      {"rip": "10.20.0.12", "port": 80}],
    )  # fmt: skip
    work(operation)
    other, operation = declare(director, name="mail", vip="10.10.0.51", port=25)
    work(operation)
    before = state(fake)
    RealServer.objects.filter(virtual_service=service, rip="10.20.0.11").update(weight=1)
    RealServer.objects.filter(virtual_service=service, rip="10.20.0.12").delete()
    virtual_services.add_real_server(SYSTEM, service, rip="10.20.0.13", port=80)
    fake.table.refusals["-a -t 10.10.0.50:80 -r 10.20.0.13:80"] = "No space"
    removal = virtual_services.request_removal(SYSTEM, other, confirm="mail")
    assert removal is not None
    Operation.objects.filter(pk=removal.pk).update(parameters={})
    removal = work(removal)
    assert (removal.status, removal.error_code) == ("failed", "not-converged")
    assert "No space" in removal.error_said
    assert state(fake) == before
    director.refresh_from_db()
    assert director.saved_digest, "the saved table is still the one in place"


def test_what_cannot_be_rolled_back_is_named(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    work(declare(director)[1])
    service = VirtualService.objects.get()
    service.real_servers.get(rip="10.20.0.12").delete()
    virtual_services.add_real_server(SYSTEM, service, rip="10.20.0.13", port=80)
    fake.table.refusals["-a -t 10.10.0.50:80 -r 10.20.0.13:80"] = "No space"
    fake.table.refusals[SECOND] = "No space either"
    operation = work(directors.request_apply(SYSTEM, director))
    assert operation.status == "failed"
    assert "not all of it" in operation.remedy
    assert f"not rolled back:\n{SECOND} -m -w 1" in operation.error_said


def test_director_may_keep_what_took_effect(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    Director.objects.update(on_failure="keep")
    fake.table.refusals[SECOND] = "Memory allocation problem"
    operation = work(declare(director)[1])
    assert operation.status == "failed"
    assert "-A -t 10.10.0.50:80 -s wlc" in fake.table.save_text()
    assert (fake.timers, left_there(fake)) == ({}, [])


def test_reboot_in_the_middle_ends_converged(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    work(declare(director)[1])
    _service, operation = declare(director, name="mail", vip="10.10.0.51", port=25)

    def reboots(call: Any) -> Any:
        fake.on(("ip", "-batch"), fake._execute)
        fake.reboot()
        raise OutcomeUnknown("lb1", "the line was cut", argv=call.argv)

    fake.on(("ip", "-batch"), reboots)
    operation = work(operation)
    assert operation.status == "succeeded", operation.error_said
    assert fake.table.save_text().count("-A ") == 2
    assert {"10.10.0.50/32", "10.10.0.51/32"} <= set(fake.addresses["pub0"])
    assert fake.timers == {}


def test_lost_worker_is_followed_by_one_that_takes_the_undo_over(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    _service, operation = declare(director)
    fake.fail_next(Fault.CUT_AFTER, prefix=("ipvsadm", "-R"))
    fake.on(("ip", "-batch"), _unreachable)
    operation = work(operation)
    assert operation.status == "queued"
    assert list(fake.timers) == [f"evenkeel-undo-{operation.pk}"]
    fake.on(("ip", "-batch"), fake._execute)
    again(operation)
    assert work(operation).status == "succeeded"
    assert (fake.timers, left_there(fake)) == ({}, [])


def _unreachable(call: Any) -> Any:
    from console.remote.transport import HostUnreachable

    raise HostUnreachable("lb1", "no answer", argv=call.argv)


def test_undo_of_a_cancelled_operation_is_taken_over_by_the_next(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    before = state(fake)
    service, operation = declare(director)

    def cancels(call: Any) -> Any:
        Operation.objects.filter(pk=operation.pk).update(cancel_requested_at=operation.queued_at)
        return fake._execute(call)

    fake.on(("ipvsadm", "-R"), cancels)
    assert work(operation).status == "cancelled"
    fake.on(("ipvsadm", "-R"), fake._execute)
    assert list(fake.timers) == [f"evenkeel-undo-{operation.pk}"]
    fake.table.refusals["-a -t 10.10.0.50:80 -r 10.20.0.13:80"] = "No space"
    virtual_services.add_real_server(SYSTEM, service, rip="10.20.0.13", port=80)
    failed = work(directors.request_apply(SYSTEM, director))
    assert failed.status == "failed"
    assert state(fake) == before
    assert fake.timers == {}


def test_director_that_cannot_be_armed_is_not_changed(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    before = state(fake)
    fake._tool("systemd-run", "echo 'Failed to connect to bus' >&2; exit 1")
    operation = work(declare(director)[1])
    assert (operation.status, operation.error_code) == ("failed", "no-undo")
    assert "Failed to connect to bus" in operation.error_said
    assert state(fake) == before


def test_list_reads_pending_and_done() -> None:
    assert undo.read_list("12 pending\n7 1795277000\nsomething\n") == {12: None, 7: 1795277000}
