"""The history of a director: kept with each apply, compared, gone back to; and the cap."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.access import SYSTEM
from console.models import AuditEvent, Operation
from lvs import history, planned
from lvs.actions import bulk, directors, revisions, virtual_services
from lvs.ipvsadm.render import render_table
from lvs.models import Director, Revision, VirtualService
from tests.app.conftest import Fleet
from tests.app.test_apply import declare
from tests.fakes.director import FakeDirector

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
Pair = tuple[Director, FakeDirector]


@pytest.fixture
def lb1(fleet: Fleet) -> Pair:
    return fleet.director("lb1")


def weigh(service: VirtualService, rip: str, weight: int, work: Work) -> None:
    server = service.real_servers.get(rip=rip)
    _server, change = virtual_services.update_real_server(SYSTEM, server, weight=weight, apply=True)
    assert change is not None
    assert work(change).status == "succeeded"


def lines(comparison: history.Comparison) -> list[str]:
    return [line.text for step in comparison.plan for line in step.lines]


def at(number: int) -> Revision:
    return Revision.objects.get(number=number)


def test_each_applied_state_is_kept_at_the_cost_of_what_changed(lb1: Pair, work: Work) -> None:
    director, _fake = lb1
    service, operation = declare(director)
    work(operation)
    work(declare(director, name="mail", vip="10.10.0.51", port=25)[1])
    weigh(service, "10.20.0.11", 7, work)
    found = list(Revision.objects.order_by("number"))
    assert [(row.number, row.is_whole, row.weight) for row in found] == [
        (1, True, 1),
        (2, False, 1),
        (3, False, 1),
    ]
    assert [(row.added, row.changed, row.removed) for row in found] == [
        (3, 0, 0),
        (3, 0, 0),
        (0, 1, 0),
    ]
    assert (found[2].applied_by, found[0].operation) == ("evenkeel", operation)
    assert history.state_at(found[2]) == history.state_now(director)
    comparison = history.compare(history.state_at(found[0]), history.state_at(found[2]))
    assert lines(comparison) == [
        "-e -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 7",
        "-A -t 10.10.0.51:25 -s wlc",
        "-a -t 10.10.0.51:25 -r 10.20.0.11:8080 -m -w 1",
        "-a -t 10.10.0.51:25 -r 10.20.0.12:80 -m -w 1",
    ]


def test_apply_that_changes_nothing_leaves_no_state(lb1: Pair, work: Work) -> None:
    director, _fake = lb1
    work(declare(director)[1])
    work(directors.request_apply(SYSTEM, director))
    assert Revision.objects.count() == 1


def test_failed_apply_leaves_no_state(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    fake.table.refusals["-a -t 10.10.0.50:80 -r 10.20.0.12:80"] = "Memory allocation problem"
    work(declare(director)[1])
    assert not Revision.objects.exists()


def test_going_back_is_a_plan_like_any_other(lb1: Pair, work: Work) -> None:
    """A weight, a removed service, an added one and a removed real server come back."""
    director, fake = lb1
    service, operation = declare(director)
    work(operation)
    mail, operation = declare(director, name="mail", vip="10.10.0.51", port=25)
    work(operation)
    before = sorted(fake.table.save_text().splitlines())
    weigh(service, "10.20.0.11", 7, work)
    virtual_services.remove_real_server(SYSTEM, service.real_servers.get(rip="10.20.0.12"))
    work(directors.request_apply(SYSTEM, director))
    removal = virtual_services.request_removal(SYSTEM, mail, confirm="mail")
    assert removal is not None
    work(removal)
    work(declare(director, name="new", vip="10.10.0.52", port=443)[1])
    after = sorted(fake.table.save_text().splitlines())
    assert revisions.go_back(SYSTEM, director, at(2)) is None
    assert sorted(fake.table.save_text().splitlines()) == after, "nothing before it is applied"
    director.refresh_from_db()
    assert "-D -t 10.10.0.52:443" in [
        line.text for step in planned.planned_changes(director) for line in step.lines
    ]
    operation = work(directors.request_apply(SYSTEM, director))
    assert operation.status == "succeeded", operation.error_said
    assert sorted(fake.table.save_text().splitlines()) == before
    assert lines(history.compare(history.state_at(at(2)), history.state_now(director))) == []
    assert AuditEvent.objects.filter(verb="director.go_back").count() == 1


def test_going_back_at_once(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    service, operation = declare(director)
    work(operation)
    weigh(service, "10.20.0.11", 7, work)
    back = revisions.go_back(SYSTEM, director, at(1), apply=True)
    assert back is not None
    assert work(back).status == "succeeded"
    assert "-r 10.20.0.11:8080 -m -w 1" in fake.table.save_text()
    assert at(3).is_whole is False


def test_whole_state_is_kept_again_when_the_changes_weigh_as_much(
    lb1: Pair, work: Work, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "_LIGHT", 2)
    director, _fake = lb1
    service, operation = declare(director)
    work(operation)
    states = []
    for weight in (2, 3, 4, 5):
        weigh(service, "10.20.0.11", weight, work)
        states.append(history.state_now(director))
    found = list(Revision.objects.order_by("number"))
    assert [row.is_whole for row in found] == [True, False, False, True, False]
    assert [history.state_at(row) for row in found[1:]] == states


def test_old_states_are_forgotten_and_the_rest_can_still_be_read(
    lb1: Pair, work: Work, settings: Any
) -> None:
    settings.REVISIONS_KEPT = 2
    director, _fake = lb1
    service, operation = declare(director)
    work(operation)
    for weight in (2, 3, 4):
        weigh(service, "10.20.0.11", weight, work)
    assert list(Revision.objects.values_list("number", flat=True)) == [4, 3]
    assert history.state_at(at(4)) == history.state_now(director)
    Revision.objects.update(applied_at=timezone.now() - timedelta(days=500))
    weigh(service, "10.20.0.11", 9, work)
    assert list(Revision.objects.values_list("number", flat=True)) == [5]
    assert history.state_at(at(5)) == history.state_now(director)


def test_service_changed_meanwhile_waits_for_its_own_state(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    service, operation = declare(director)

    def meanwhile(call: Any) -> Any:
        VirtualService.objects.filter(pk=service.pk).update(generation=2, scheduler="rr")
        return fake._execute(call)

    fake.on(("ipvsadm", "-R"), meanwhile)
    work(operation)
    assert history.state_at(at(1)).services == {}


def test_table_of_a_state_is_what_the_kernel_had(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    work(declare(director, scheduler="sh", scheduler_flags="sh-port", persistence_timeout=60)[1])
    comparison = history.compare(history.State({}, {}), history.state_at(at(1)))
    assert "".join(f"{line}\n" for line in lines(comparison)) == fake.table.save_text()
    assert lines(comparison) == render_table(planned.observed_table(director_again(director)))


def director_again(director: Director) -> Director:
    director.refresh_from_db()
    return director


def crowd(director: Director, work: Work) -> VirtualService:
    service, operation = declare(
        director, real_servers=[{"rip": f"10.20.1.{n}", "port": 80} for n in range(1, 31)]
    )
    work(operation)
    return service


def test_person_who_takes_much_away_has_to_say_how_much(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    service = crowd(director, work)
    virtual_services.update_virtual_service(
        SYSTEM, service, real_servers=[{"rip": "10.20.1.1", "port": 80}]
    )
    refused = work(directors.request_apply(SYSTEM, director, confirm_removals=12))
    assert (refused.status, refused.error_code) == ("failed", "removal-cap")
    assert "29 of 31" in refused.error
    assert fake.table.save_text().count("-a ") == 30
    answer = bulk.apply_several(SYSTEM, [service], confirm_removals=29)[0]
    assert answer.operation is not None
    assert work(answer.operation).status == "succeeded"
    assert fake.table.save_text().count("-a ") == 1


def test_service_that_was_named_for_removal_needs_no_number(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    service = crowd(director, work)
    removal = virtual_services.request_removal(SYSTEM, service, confirm="shop")
    assert removal is not None
    assert work(removal).status == "succeeded"
    assert fake.table.save_text() == ""
