"""The life of an operation: one live one a target, claimed once, swept, ended, audited."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import connections
from django.utils import timezone

from console import execution, operations
from console.access import SYSTEM
from console.errors import Busy, WrongState
from console.execution import Refusal, Run
from console.models import AuditEvent, Host, Operation
from console.planning import Step as PlannedStep
from console.remote.transport import Fence, HostUnreachable, OutcomeUnknown, RemoteError
from tests import factories
from tests.app.conftest import Fleet
from tests.fakes.transport import Answer, FakeTransport, Fault

pytestmark = pytest.mark.django_db


@pytest.fixture
def host(db: None) -> Host:
    return factories.HostFactory.create(name="box")


def begin(host: Host) -> Operation:
    return operations.begin(SYSTEM, "host.preflight", host)


def in_threads(count: int, work: Callable[[], Any]) -> list[Any]:
    """What `work` returned or raised, in so many threads at once."""
    found: list[Any] = []
    start = threading.Barrier(count)

    def run() -> None:
        start.wait()
        try:
            found.append(work())
        except Exception as error:
            found.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def test_second_request_is_told_which_operation_holds_the_target(host: Host) -> None:
    first = begin(host)
    with pytest.raises(Busy) as caught:
        begin(host)
    assert caught.value.operation == first
    assert f"#{first.pk}" in str(caught.value)
    assert AuditEvent.objects.filter(verb="host.preflight").count() == 1


@pytest.mark.django_db(transaction=True)
def test_of_twelve_requests_at_once_one_begins() -> None:
    host = factories.HostFactory.create()
    found = in_threads(12, lambda: begin(host))
    assert sum(isinstance(one, Operation) for one in found) == 1
    assert sum(isinstance(one, Busy) for one in found) == 11


@pytest.mark.django_db(transaction=True)
def test_of_twelve_claims_at_once_one_takes_it() -> None:
    operation = begin(factories.HostFactory.create())
    found = in_threads(12, lambda: operations.claim(operation.pk))
    assert sum(isinstance(one, Operation) for one in found) == 1
    assert found.count(None) == 11


def test_each_claim_has_a_higher_fence(host: Host, settings: Any) -> None:
    first = operations.claim(begin(host).pk)
    assert first is not None
    operations.put_back(first, delay=0, error="")
    second = operations.claim(first.pk)
    assert second is not None
    assert (second.attempt, second.fence) == (2, first.fence + 1)
    operations.finish(second, Operation.Status.SUCCEEDED)
    third = operations.claim(begin(host).pk)
    assert third is not None
    assert third.fence > second.fence
    operations.finish(third, Operation.Status.SUCCEEDED)
    settings.FENCE_EPOCH = 1
    fourth = operations.claim(begin(host).pk)
    assert fourth is not None
    assert fourth.fence > third.fence + 10**14


def test_finished_by_a_worker_that_lost_its_claim_changes_nothing(host: Host) -> None:
    first = operations.claim(begin(host).pk)
    assert first is not None
    operations.put_back(first, delay=0, error="")
    second = operations.claim(first.pk)
    assert not operations.finish(first, Operation.Status.FAILED)
    assert not operations.heartbeat(first)
    assert second is not None
    assert operations.heartbeat(second)


def test_sweep_takes_up_what_a_dead_worker_left_and_gives_up_aloud(host: Host) -> None:
    operation = begin(host)
    for attempt in range(1, operations.MAX_ATTEMPTS + 1):
        assert operations.claim(operation.pk) is not None
        long_ago = timezone.now() - timedelta(minutes=5)
        Operation.objects.filter(pk=operation.pk).update(heartbeat_at=long_ago)
        operations.sweep()
        operation.refresh_from_db()
        is_last = attempt == operations.MAX_ATTEMPTS
        assert operation.status == ("failed" if is_last else "queued")
    assert operation.error_code == "worker-lost"
    assert AuditEvent.objects.get(operation=operation).outcome == "failed"


def test_sweep_sends_what_was_not_sent_and_again_what_nobody_took(
    host: Host, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent: list[int] = []

    def send(pk: int, kind: str) -> bool:
        sent.append(pk)
        Operation.objects.filter(pk=pk).update(sent_at=timezone.now())
        return True

    monkeypatch.setattr(operations, "send", send)
    operation = begin(host)
    operations.sweep()
    operations.sweep()
    assert sent == [operation.pk]
    operations.sweep(now=timezone.now() + timedelta(minutes=1))
    assert sent == [operation.pk] * 2


def test_sweep_fails_what_waited_past_its_deadline(host: Host) -> None:
    operation = begin(host)
    operations.sweep(now=timezone.now() + timedelta(hours=2))
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == ("failed", "deadline")
    assert operation.remedy


def test_broker_that_is_away_loses_nothing(
    host: Host, monkeypatch: pytest.MonkeyPatch, django_capture_on_commit_callbacks: Any
) -> None:
    from console.celery import app

    class Away(Exception):
        pass

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise Away

    monkeypatch.setattr(app, "send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        operation = begin(host)
    operation.refresh_from_db()
    assert (operation.status, operation.sent_at) == ("queued", None)


def test_cancel_waiting_ends_at_once_and_retry_names_it(host: Host) -> None:
    operation = operations.request_cancel(SYSTEM, begin(host))
    assert operation.status == "cancelled"
    assert operations.claim(operation.pk) is None
    with pytest.raises(WrongState):
        operations.request_cancel(SYSTEM, operation)
    again = operations.request_retry(SYSTEM, operation)
    assert again.retry_of == operation
    with pytest.raises(WrongState):
        operations.request_retry(SYSTEM, again)


def body_of(step: PlannedStep, **options: Any) -> Callable[[Run], dict[str, Any]]:
    def body(run: Run) -> dict[str, Any]:
        session = run.session(Host.objects.get())
        return {"said": run.run(session, step, **options).stdout}

    return body


STEP = PlannedStep("Do it", ("do", "it"), secrets=("hunter2",))


def test_steps_are_written_before_they_run_and_hold_no_secret(fleet: Fleet, host: Host) -> None:
    fake = fleet.machines["box"] = FakeTransport("box")
    seen: list[tuple[str, str]] = []

    def do(call: Any) -> Answer:
        row = Operation.objects.get().steps.get()
        seen.append((row.status, row.stdin))
        return Answer("the password is hunter2", "", 0)

    fake.on(("do",), do)
    step = PlannedStep("Do it", ("do", "it"), stdin=b"hunter2\n", secrets=("hunter2",))
    operation = begin(host)
    execution.execute(operation.pk, body_of(step))
    row = operation.steps.get()
    assert seen == [("running", "••••\n")]
    assert (row.stdout, row.stdin, row.stdin_bytes) == ("the password is ••••", "••••\n", 8)
    assert row.status == "succeeded"


def test_cancel_while_running_stops_before_the_next_command(fleet: Fleet, host: Host) -> None:
    fake = fleet.machines["box"] = FakeTransport("box")
    fake.on(("do",), "done")
    operation = begin(host)

    def body(run: Run) -> dict[str, Any]:
        session = run.session(host)
        run.run(session, STEP)
        operations.request_cancel(SYSTEM, run.operation)
        run.run(session, STEP)
        raise AssertionError("it went on")

    execution.execute(operation.pk, body)
    operation.refresh_from_db()
    assert operation.status == "cancelled"
    assert len(fake.calls) == 1


def test_deadline_ends_a_running_operation_in_words(fleet: Fleet, host: Host) -> None:
    fleet.machines["box"] = FakeTransport("box")
    operation = begin(host)

    def body(run: Run) -> None:
        Operation.objects.update(deadline_at=timezone.now() - timedelta(seconds=1))
        run.check()

    execution.execute(operation.pk, body)
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == ("failed", "deadline")
    assert operation.remedy


@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        (Fault.UNREACHABLE, "queued", ""),
        (Fault.CUT_BEFORE, "queued", ""),
        (Fault.CUT_AFTER, "queued", ""),
        (Fault.REFUSED, "failed", "authentication-refused"),
        (Fault.KEY_CHANGED, "failed", "host-key-changed"),
    ],
)
def test_each_failure_of_a_machine_has_its_own_end(
    fleet: Fleet, host: Host, fault: Fault, status: str, code: str
) -> None:
    fake = fleet.machines["box"] = FakeTransport("box")
    fake.on(("do",), "done")
    fake.fail_next(fault)
    operation = begin(host)
    execution.execute(operation.pk, body_of(STEP))
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == (status, code)
    assert "box" in operation.error
    if status == "failed":
        assert operation.remedy


def test_unreachable_is_given_up_after_some_tries(fleet: Fleet, host: Host) -> None:
    operation = begin(host)
    for _ in range(len(execution.RETRY_DELAYS) + 1):
        Operation.objects.filter(pk=operation.pk).update(not_before=None)
        execution.execute(operation.pk, body_of(STEP))
        operation.refresh_from_db()
    assert (operation.status, operation.error_code) == ("failed", "host-unreachable")
    assert Host.objects.get().reach == "unreachable"


def test_machine_refuses_a_worker_that_was_presumed_dead(fleet: Fleet, host: Host) -> None:
    fake = fleet.machines["box"] = FakeTransport("box")
    fake.on(("do",), "done")
    fake.run(("do", "it"), fence=Fence("thing", 10**12))
    operation = begin(host)
    execution.execute(operation.pk, body_of(STEP, fence=Fence("thing", 1)))
    operation.refresh_from_db()
    assert (operation.status, operation.error_code) == ("failed", "fenced")


def test_refusal_and_defect_both_end_in_words(host: Host) -> None:
    def refuse(run: Run) -> None:
        raise Refusal("no-room", "there is no room", remedy="Make room.", said="ENOSPC")

    def crash(run: Run) -> None:
        raise ZeroDivisionError

    for body, code in ((refuse, "no-room"), (crash, "internal")):
        operation = begin(host)
        execution.execute(operation.pk, body)
        operation.refresh_from_db()
        assert (operation.status, operation.error_code) == ("failed", code)
        assert operation.error
        assert operation.remedy


def test_every_remote_failure_has_a_remedy() -> None:
    for kind in (HostUnreachable, OutcomeUnknown):
        assert execution.remedy_for(kind("box", "no"))
    assert execution.remedy_for(RemoteError("box", "no")) == ""
