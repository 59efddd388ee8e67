"""Applying what is declared to a director: states, journal, faults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from console.access import SYSTEM
from console.models import AuditEvent, Operation, Step
from lvs import planned, poll
from lvs.actions import directors, virtual_services
from lvs.director import boot
from lvs.models import Director, VirtualService
from tests.app.conftest import Fleet
from tests.fakes.director import FakeDirector
from tests.fakes.transport import Fault

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]


def declare(director: Director, **values: Any) -> tuple[VirtualService, Operation]:
    wanted: dict[str, Any] = {
        "name": "shop",
        "vip": "10.10.0.50",
        "port": 80,
        "real_servers": [{"rip": "10.20.0.11", "port": 8080}, {"rip": "10.20.0.12", "port": 80}],
        "apply": True,
    }
    service, operation = virtual_services.create_virtual_service(
        SYSTEM, director=director, **(wanted | values)
    )
    assert operation is not None
    return service, operation


@pytest.fixture
def lb1(fleet: Fleet) -> tuple[Director, FakeDirector]:
    return fleet.director("lb1")


def test_apply_puts_service_vip_forwarding_and_saved_table_in_place(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    service, operation = declare(director)
    operation = work(operation)
    assert operation.status == "succeeded", [
        (s.title, s.status, s.exit_code, s.stderr[:300], s.stdout[:300])
        for s in operation.steps.all()
    ]
    assert fake.table.save_text() == (
        "-A -t 10.10.0.50:80 -s wlc\n"
        "-a -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 1\n"
        "-a -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 1\n"
    )
    assert "10.10.0.50/32" in fake.addresses["pub0"]
    assert fake.read("/proc/sys/net/ipv4/ip_forward") == "1\n"
    service.refresh_from_db()
    assert (service.provisioning_status, service.applied_generation) == ("active", 1)
    assert AuditEvent.objects.get(operation=operation).outcome == "done"
    director.refresh_from_db()
    assert not planned.planned_changes(director)


def test_second_apply_changes_nothing(lb1: tuple[Director, FakeDirector], work: Work) -> None:
    director, fake = lb1
    work(declare(director)[1])
    before = len(fake.table.log)
    operation = work(directors.request_apply(SYSTEM, director))
    assert operation.status == "succeeded"
    assert not [line for line in fake.table.log[before:] if line.split()[0] in {"-A", "-a", "-e"}]
    assert not operation.steps.filter(is_destructive=True).exists()


def test_table_survives_a_reboot_without_the_console(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    service, operation = declare(director)
    work(operation)
    server = service.real_servers.get(rip="10.20.0.12")
    _server, change = virtual_services.update_real_server(SYSTEM, server, weight=0, apply=True)
    assert change is not None
    assert work(change).status == "succeeded"
    table = fake.table.listing("thresholds"), fake.table.save_text()
    assert fake.read(boot.RULES).endswith("-e -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 0\n")
    fake.reboot()
    assert (fake.table.listing("thresholds"), fake.table.save_text()) == table
    assert "10.10.0.50/32" in fake.addresses["pub0"]
    assert fake.read("/proc/sys/net/ipv4/ip_forward") == "1\n"


def test_unmanaged_entries_are_listed_and_never_touched(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    fake.table.load("-A -t 10.10.0.99:25 -s rr\n-a -t 10.10.0.99:25 -r 10.20.0.9:25 -g -w 3\n")
    work(declare(director)[1])
    director.refresh_from_db()
    assert [entry.key for entry in planned.unmanaged(director)] == ["tcp:10.10.0.99:25"]
    assert "-a -t 10.10.0.99:25 -r 10.20.0.9:25 -g -w 3" in fake.table.save_text()
    assert "10.10.0.99" not in fake.read(boot.RULES)


def test_adopt_changes_nothing_in_the_table(lb1: tuple[Director, FakeDirector], work: Work) -> None:
    director, fake = lb1
    fake.table.load(
        "-A -u 10.10.0.9:53 -s wrr -p 30 -M 255.255.255.0\n"
        "-a -u 10.10.0.9:53 -r 10.20.0.9:53 -g -w 3 -x 10 -y 5\n"
    )
    work(directors.request_observe(SYSTEM, director))
    director.refresh_from_db()
    before, log = fake.table.listing("thresholds"), len(fake.table.log)
    service, operation = directors.adopt(SYSTEM, director, key="udp:10.10.0.9:53", name="dns")
    assert work(operation).status == "succeeded"
    assert fake.table.listing("thresholds") == before
    assert not [line for line in fake.table.log[log:] if line[:2] in {"-A", "-E", "-a", "-e", "-d"}]
    assert (service.persistence_prefix, service.forwarding) == (24, "route")
    assert "-x 10 -y 5" in fake.read(boot.RULES)
    director.refresh_from_db()
    assert planned.unmanaged(director) == []


def test_removal_takes_the_service_and_its_vip_away_and_then_the_row(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    service, operation = declare(director)
    work(operation)
    removal = virtual_services.request_removal(SYSTEM, service, confirm="shop")
    assert removal is not None
    assert work(removal).status == "succeeded"
    assert fake.table.save_text() == ""
    assert "10.10.0.50/32" not in fake.addresses["pub0"]
    assert not VirtualService.objects.exists()


def test_drift_shows_at_once_alerts_when_confirmed_and_reconciles(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    work(declare(director)[1])
    fake.table.load("-e -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 77\n")
    poll.poll(director.pk)
    director.refresh_from_db()
    assert director.drift == "-e -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 1"
    poll.poll(director.pk)
    from console.models import Alert

    alert = Alert.objects.get(kind="director-drift")
    assert alert.commands == director.drift
    Director.objects.update(policy="reconcile")
    poll.poll(director.pk)
    mending = Operation.objects.filter(kind="director.apply").latest("id")
    assert mending.requested_by_label == "evenkeel"
    assert work(mending).status == "succeeded"
    assert "-w 77" not in fake.table.save_text()
    alert.refresh_from_db()
    assert alert.resolved_at is not None
    director.refresh_from_db()
    assert not director.has_drifted


def test_cut_line_after_the_command_ran_is_observed_and_converges(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    _service, operation = declare(director)
    fake.fail_next(Fault.CUT_AFTER, prefix=("ipvsadm", "-R"))
    operation = work(operation)
    assert operation.status == "succeeded", operation.error
    assert operation.steps.filter(status=Step.Status.UNKNOWN).count() == 1
    assert fake.table.save_text().count("-a ") == 2


def test_unreachable_director_is_tried_later_and_nothing_is_lost(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    service, operation = declare(director)
    fake.fail_next(Fault.UNREACHABLE)
    operation = work(operation)
    assert operation.status == "queued"
    assert operation.not_before is not None
    Operation.objects.update(not_before=None)
    assert work(operation).status == "succeeded"
    service.refresh_from_db()
    assert service.provisioning_status == "active"


def test_refused_line_fails_aloud_and_names_what_is_left(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    fake.table.refusals["-a -t 10.10.0.50:80 -r 10.20.0.12:80"] = "Memory allocation problem"
    service, operation = declare(director)
    operation = work(operation)
    assert operation.status == "failed"
    assert operation.error_code == "not-converged"
    assert "Memory allocation problem" in operation.error_said
    assert "-a -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 1" in operation.error_said
    service.refresh_from_db()
    assert service.provisioning_status == "error"


def test_garbage_is_not_believed(lb1: tuple[Director, FakeDirector], work: Work) -> None:
    director, fake = lb1
    _service, operation = declare(director)
    fake.fail_next(Fault.GARBAGE, times=9)
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "no-table")
    assert fake.table.save_text() == ""


def test_changed_host_key_stops_all_work_and_raises_an_alert(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    from console.models import Alert, Host

    director, fake = lb1
    _service, operation = declare(director)
    fake.fail_next(Fault.KEY_CHANGED)
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "host-key-changed")
    assert Host.objects.get().trust == "changed"
    assert Alert.objects.get().kind == "host-key-changed"
    calls = len(fake.calls)
    again = work(directors.request_apply(SYSTEM, director))
    poll.poll(director.pk)
    assert (again.status, again.error_code) == ("failed", "host-key-changed")
    assert len(fake.calls) == calls


def test_reconciler_does_not_take_half_a_table_away(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    service, operation = declare(
        director,
        real_servers=[{"rip": f"10.20.1.{n}", "port": 80} for n in range(1, 31)],
    )
    work(operation)
    service.real_servers.filter(rip__endswith="1").delete()
    service.real_servers.exclude(rip="10.20.1.2").delete()
    Director.objects.update(policy="reconcile")
    for _ in range(2):
        poll.poll(director.pk)
    mending = Operation.objects.filter(kind="director.apply").latest("id")
    mending = work(mending)
    assert (mending.status, mending.error_code) == ("failed", "removal-cap")
    assert fake.table.save_text().count("-a ") == 30


def test_applying_one_service_puts_nothing_of_another_in_place(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    virtual_services.create_virtual_service(
        SYSTEM, director=director, name="later", vip="10.10.0.51", port=80
    )
    work(declare(director)[1])
    assert "10.10.0.51/32" not in fake.addresses["pub0"]
    assert "10.10.0.51" not in fake.read(boot.VIPS)
    work(directors.request_apply(SYSTEM, director))
    assert "10.10.0.51/32" in fake.addresses["pub0"]


def test_vip_stays_as_long_as_another_service_needs_it(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    service, operation = declare(director)
    work(operation)
    work(declare(director, name="tls", port=443)[1])
    removal = virtual_services.request_removal(SYSTEM, service, confirm="shop")
    assert removal is not None
    assert work(removal).status == "succeeded"
    assert "10.10.0.50/32" in fake.addresses["pub0"]


def test_one_change_of_a_large_table_reads_only_what_it_touches(
    lb1: tuple[Director, FakeDirector], work: Work, settings: Any
) -> None:
    director, fake = lb1
    service, operation = declare(director)
    work(operation)
    work(declare(director, name="other", port=443)[1])
    settings.LARGE_TABLE = 1
    server = service.real_servers.get(rip="10.20.0.12")
    _server, change = virtual_services.update_real_server(SYSTEM, server, weight=7, apply=True)
    assert change is not None
    change = work(change)
    assert change.status == "succeeded", change.error
    titles = [step.title for step in change.steps.all()]
    assert "Read the table" not in titles
    assert titles.count("See that nothing else moved") == 2
    assert "-r 10.20.0.12:80 -m -w 7" in fake.table.save_text()
    director.refresh_from_db()
    assert not planned.planned_changes(director)
    fake.reboot()
    assert "-r 10.20.0.12:80 -m -w 7" in fake.table.save_text()


def test_large_change_is_proved_by_the_digest_of_the_kernel_listing(
    lb1: tuple[Director, FakeDirector], work: Work, settings: Any
) -> None:
    director, fake = lb1
    fake.table.load("-A -f 7 -s rr\n")
    settings.LARGE_TABLE = 1
    operation = work(declare(director)[1])
    assert operation.status == "succeeded", operation.error
    titles = [step.title for step in operation.steps.all()]
    assert (titles.count("Read the table"), titles.count("See whether anything moved")) == (1, 1)
    director.refresh_from_db()
    assert director.observed_lines[-1] == "-a -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 1"
    assert not planned.planned_changes(director)
    poll.poll(director.pk)
    director.refresh_from_db()
    assert not director.has_drifted


@pytest.mark.parametrize("server", [{"upper_threshold": 9}, {}], ids=["thresholds", "refused line"])
def test_large_change_that_the_digest_cannot_prove_is_read_whole(
    lb1: tuple[Director, FakeDirector], work: Work, settings: Any, server: dict[str, int]
) -> None:
    director, fake = lb1
    settings.LARGE_TABLE = 1
    if not server:
        fake.table.refusals["-a -t 10.10.0.50:80 -r 10.20.0.12:80"] = "Memory allocation problem"
    servers = [{"rip": "10.20.0.11", "port": 80}, {"rip": "10.20.0.12", "port": 80, **server}]
    operation = work(declare(director, real_servers=servers)[1])
    titles = [step.title for step in operation.steps.all()]
    assert titles.count("Read the table") >= 2
    if server:
        assert operation.status == "succeeded"
    else:
        assert (operation.status, operation.error_code) == ("failed", "not-converged")
        assert "-a -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 1" in operation.error_said


def test_large_table_that_moved_by_hand_is_read_whole(
    lb1: tuple[Director, FakeDirector], work: Work, settings: Any
) -> None:
    director, fake = lb1
    service, operation = declare(director)
    work(operation)
    work(declare(director, name="other", port=443)[1])
    settings.LARGE_TABLE = 1
    calls = len(fake.calls)
    poll.poll(director.pk)
    assert len(fake.calls) == calls + 2, "nothing moved: one quick look, and the counters"
    fake.table.load("-e -t 10.10.0.50:443 -r 10.20.0.12:80 -m -w 9\n")
    server = service.real_servers.get(rip="10.20.0.12")
    _server, change = virtual_services.update_real_server(SYSTEM, server, weight=7, apply=True)
    assert change is not None
    change = work(change)
    assert change.status == "succeeded"
    assert "Read the table" in [step.title for step in change.steps.all()]
    director.refresh_from_db()
    assert director.drift == "-e -t 10.10.0.50:443 -r 10.20.0.12:80 -m -w 1"
