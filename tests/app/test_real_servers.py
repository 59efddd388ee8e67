"""The real servers' side: prepared before the director, withdrawn after it, drift, faults,
pages and API."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.access import SYSTEM
from console.models import Alert, Host, Operation
from lvs import moving, needed, planned, poll, prepared_poll
from lvs.actions import preparation, virtual_services
from lvs.actions.moving import move_forwarding
from lvs.models import Director, PreparedServer, RealServer, VirtualService
from tests import factories
from tests.app.conftest import Fleet
from tests.app.pages import get
from tests.fakes.director import FakeDirector
from tests.fakes.real_server import FakeRealServer
from tests.fakes.transport import Fault

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
VIP = "10.10.0.50"


@pytest.fixture
def lb1(fleet: Fleet, work: Work) -> tuple[Director, FakeDirector]:
    director, fake = fleet.director("lb1")
    poll.poll(director.pk)
    director.refresh_from_db()
    return director, fake


@pytest.fixture
def rs1(fleet: Fleet) -> tuple[Host, FakeRealServer]:
    fake = FakeRealServer("rs1", "10.20.0.11/24")
    fleet.machines["rs1"] = fake
    return factories.HostFactory.create(name="rs1"), fake


def declare(director: Director, host: Host | None, **values: Any) -> tuple[Any, Operation]:
    wanted: dict[str, Any] = {
        "name": "shop",
        "vip": VIP,
        "port": 80,
        "forwarding": "route",
        "real_servers": [{"rip": "10.20.0.11", "port": 80, "host": host}],
        "apply": True,
    }
    service, operation = virtual_services.create_virtual_service(
        SYSTEM, director=director, **(wanted | values)
    )
    assert operation is not None
    return service, operation


def remove(service: VirtualService, work: Work) -> Operation:
    operation = virtual_services.request_removal(SYSTEM, service, confirm=service.name)
    assert operation is not None
    return work(operation)


def test_the_machine_is_prepared_before_the_director_and_withdrawn_after_it(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    director, _fake = lb1
    host, machine = rs1
    before = machine.state
    service, operation = declare(director, host)
    planning = planned.planned_changes(director)
    assert next(step.machine for step in planning) == "rs1"
    operation = work(operation)
    assert operation.status == "succeeded", operation.error
    assert f"{VIP}/32" in machine.addresses["lo"]
    assert machine.settings["all.arp_ignore"] == 1
    changing = operation.steps.exclude(title__startswith="Look")
    order = list(changing.values_list("machine", flat=True))
    assert order.index("rs1") < order.index("lb1")
    row = PreparedServer.objects.get()
    assert (row.status, row.error, len(row.needs)) == ("active", "", 1)
    director.refresh_from_db()
    assert not planned.planned_changes(director)

    operation = remove(service, work)
    assert operation.status == "succeeded", operation.error
    order = list(operation.steps.filter(is_destructive=True).values_list("machine", flat=True))
    assert order[-1] == "rs1" and "lb1" in order
    assert machine.state == before
    assert not PreparedServer.objects.exists()


def test_a_machine_that_is_prepared_already_is_not_asked_again(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    director, _fake = lb1
    host, machine = rs1
    service, operation = declare(director, host)
    work(operation)
    calls = len(machine.calls)
    _server, change = virtual_services.update_real_server(
        SYSTEM, service.real_servers.get(), weight=3, apply=True
    )
    assert change is not None and work(change).status == "succeeded"
    assert len(machine.calls) == calls


def test_what_was_prepared_comes_back_after_a_reboot(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    host, machine = rs1
    work(declare(lb1[0], host)[1])
    before = machine.state
    machine.reboot()
    assert machine.state == before


def test_an_unreachable_machine_is_refused_before_anything_changed(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    director, fake = lb1
    host, machine = rs1
    machine.fail_next(Fault.UNREACHABLE, times=9)
    service, operation = declare(director, host)
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "real-server-unreachable")
    assert "rs1 cannot be reached" in operation.error and operation.remedy
    assert fake.table.save_text() == "" and not PreparedServer.objects.exists()
    service.refresh_from_db()
    assert service.provisioning_status == "error"


def test_another_machine_than_the_real_server_is_refused(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    director, fake = lb1
    servers = [{"rip": "10.20.0.12", "port": 80, "host": rs1[0]}]
    operation = work(declare(director, rs1[0], real_servers=servers)[1])
    assert (operation.status, operation.error_code) == ("failed", "real-server-elsewhere")
    assert fake.table.save_text() == "" and f"{VIP}/32" not in rs1[1].addresses["lo"]


def test_undoing_waits_for_a_machine_that_cannot_be_reached(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    host, machine = rs1
    before = machine.state
    service, operation = declare(lb1[0], host)
    work(operation)
    machine.fail_next(Fault.UNREACHABLE, times=2)
    operation = remove(service, work)
    assert operation.status == "succeeded"
    assert operation.result["still_to_undo"] == ["rs1"]
    row = PreparedServer.objects.get()
    assert row.undo_since is not None and "no answer" in row.error_text
    prepared_poll.poll(row.pk)
    retry = Operation.objects.get(kind="real_server.prepare")
    assert work(retry).status in ("queued", "failed")
    Operation.objects.filter(pk=retry.pk).update(status="failed")
    prepared_poll.poll(row.pk)
    again = Operation.objects.filter(kind="real_server.prepare").latest("pk")
    assert work(again).status == "succeeded", again.error
    assert machine.state == before and not PreparedServer.objects.exists()


def test_a_line_that_is_cut_is_looked_at_and_goes_on(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    host, machine = rs1
    machine.fail_next(Fault.CUT_AFTER, prefix=("sh", "-e", "-s"))
    operation = work(declare(lb1[0], host)[1])
    assert operation.status == "succeeded", operation.error
    assert f"{VIP}/32" in machine.addresses["lo"]


def test_garbage_is_not_believed(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    rs1[1].fail_next(Fault.GARBAGE, times=9)
    operation = work(declare(lb1[0], rs1[0])[1])
    assert (operation.status, operation.error_code) == ("failed", "real-server-not-read")


@pytest.mark.parametrize(("policy", "alerts", "begun"), [("observe", 0, 0), ("alert", 1, 0),
                                                        ("reconcile", 1, 1)])  # fmt: skip
def test_drift_is_believed_when_seen_twice_and_answered_by_the_directors_policy(
    lb1: tuple[Director, FakeDirector],
    rs1: tuple[Host, FakeRealServer],
    work: Work,
    policy: str,
    alerts: int,
    begun: int,
) -> None:
    host, machine = rs1
    work(declare(lb1[0], host)[1])
    Director.objects.update(policy=policy)
    row = PreparedServer.objects.get()
    prepared_poll.poll(row.pk)
    row.refresh_from_db()
    assert not row.drift
    machine.addresses["lo"].remove(f"{VIP}/32")
    prepared_poll.poll(row.pk)
    assert not Alert.objects.exists()
    prepared_poll.poll(row.pk)
    row.refresh_from_db()
    assert row.drift == f"ip address replace {VIP}/32 dev lo"
    assert Alert.objects.filter(kind="real-server-drift", commands=row.drift).count() == alerts
    mending = Operation.objects.filter(kind="real_server.prepare")
    assert mending.count() == begun
    operation = mending.first() or preparation.request_preparation(SYSTEM, row)
    assert work(operation).status == "succeeded"
    assert f"{VIP}/32" in machine.addresses["lo"]
    row.refresh_from_db()
    assert not row.drift and not Alert.objects.open().exists()


def test_an_unreachable_machine_has_not_drifted(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    work(declare(lb1[0], rs1[0])[1])
    row = PreparedServer.objects.get()
    rs1[1].fail_next(Fault.UNREACHABLE)
    prepared_poll.poll(row.pk)
    row.refresh_from_db()
    assert not row.drift and "no answer" in row.error
    assert Alert.objects.get().kind == "host-unreachable"


def test_due_machines_are_handed_out_once(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    work(declare(lb1[0], rs1[0])[1])
    PreparedServer.objects.update(next_look_at=timezone.now() - timedelta(seconds=1))
    assert len(prepared_poll.due()) == 1
    assert prepared_poll.due() == []


def test_two_directors_share_a_machine_and_each_takes_only_its_own(
    fleet: Fleet, lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    host, machine = rs1
    before = machine.state
    other, _fake = fleet.director("lb2")
    first, operation = declare(lb1[0], host)
    work(operation)
    second, operation = declare(other, host, name="other", vip="10.10.0.51")
    assert work(operation).status == "succeeded"
    assert {"10.10.0.50/32", "10.10.0.51/32"} <= set(machine.addresses["lo"])
    remove(first, work)
    assert "10.10.0.50/32" not in machine.addresses["lo"]
    assert "10.10.0.51/32" in machine.addresses["lo"]
    assert machine.settings["all.arp_ignore"] == 1
    remove(second, work)
    assert machine.state == before


def test_nat_leads_answers_back_and_full_nat_asks_nothing(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    host, machine = rs1
    before = machine.state
    service, operation = declare(lb1[0], host, forwarding="masq")
    assert work(operation).status == "succeeded", operation.error
    (rule,) = machine.rules
    assert rule.startswith("from 10.20.0.11 ipproto 6 sport 80 lookup ")
    assert list(machine.tables.values()) == ["10.20.0.1"]
    remove(service, work)
    assert machine.state == before


def test_old_connections_keep_what_they_need_after_a_method_was_changed(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    host, machine = rs1
    service, operation = declare(lb1[0], host)
    work(operation)
    machine.connections = {f"{VIP}:80": 3}
    _service, change = virtual_services.update_virtual_service(
        SYSTEM, service, forwarding="masq", apply=True
    )
    assert change is not None
    operation = work(change)
    assert operation.status == "succeeded", operation.error
    assert f"{VIP}/32" in machine.addresses["lo"] and machine.rules
    row = PreparedServer.objects.get()
    assert row.undo_since is not None and row.status == "pending"
    machine.connections = {}
    assert work(preparation.request_preparation(SYSTEM, row)).status == "succeeded"
    assert f"{VIP}/32" not in machine.addresses["lo"] and machine.rules
    row.refresh_from_db()
    assert row.undo_since is None and row.status == "active"


def test_a_machine_is_suggested_only_when_exactly_one_holds_the_address() -> None:
    facts = {"facts": {"network": {"interfaces": [
        {"name": "eth0", "addresses": [{"ip": "10.20.0.11", "prefix": 24}]}]}}}  # fmt: skip
    one = factories.HostFactory.create(preflight=facts)
    assert needed.host_for("10.20.0.11") == one
    assert needed.host_for("10.20.0.12") is None
    factories.HostFactory.create(preflight=facts)
    assert needed.host_for("10.20.0.11") is None


def test_page_gives_the_script_and_offers_the_machine(
    client: Client, lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    facts = {"facts": {"network": {"interfaces": [
        {"name": "eth0", "addresses": [{"ip": "10.20.0.11", "prefix": 24}]}]}}}  # fmt: skip
    host = factories.HostFactory.create(name="web1", preflight=facts)
    service, operation = declare(lb1[0], None)
    work(operation)
    client.force_login(factories.UserFactory.create(is_superuser=True))
    page = get(client, service.get_absolute_url())
    assert "no machine is chosen for it" in page.text
    assert "#cloud-config" in page.text and f"ip address replace {VIP}/32 dev lo" in page.text
    assert "It is web1: let the console prepare it" in page.text
    server = service.real_servers.get()
    client.post(f"/load-balancing/real-servers/{server.pk}/link/")
    server.refresh_from_db()
    assert server.host == host
    assert "will be prepared by Apply" in get(client, service.get_absolute_url()).text


def test_page_of_a_prepared_machine_says_why_and_how_it_was(
    client: Client,
    lb1: tuple[Director, FakeDirector],
    rs1: tuple[Host, FakeRealServer],
    work: Work,
) -> None:
    service, operation = declare(lb1[0], rs1[0])
    work(operation)
    row = PreparedServer.objects.get()
    client.force_login(factories.UserFactory.create(is_superuser=True))
    page = get(client, row.get_absolute_url())
    assert "shop" in page.text and VIP in page.text and "net.ipv4.conf.all.arp_ignore" in page.text
    assert "rs1" in get(client, "/load-balancing/prepared-machines/").text
    assert "prepared, and verified" in get(client, service.get_absolute_url()).text
    client.post(f"{row.get_absolute_url()}prepare/")
    assert Operation.objects.filter(kind="real_server.prepare").count() == 1
    assert RealServer.objects.get().host == rs1[0]


def test_a_move_in_place_says_first_that_nothing_is_lost_and_applies(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    director, fake = lb1
    service, operation = declare(director, rs1[0])
    work(operation)
    (fate,) = moving.fates_of(service, service.real_servers.all(), "masq")
    assert (fate.new_port, fate.tone) == (None, "ok") and "None is lost" in fate.words
    _service, change = move_forwarding(SYSTEM, service, forwarding="masq")
    assert change is not None and work(change).status == "succeeded"
    assert fake.table.save_text().endswith("-r 10.20.0.11:80 -m -w 1\n")


def test_a_move_that_changes_the_port_adds_before_it_drains(
    lb1: tuple[Director, FakeDirector], rs1: tuple[Host, FakeRealServer], work: Work
) -> None:
    director, fake = lb1
    servers = [{"rip": "10.20.0.11", "port": 8080, "host": rs1[0], "weight": 5}]
    service, operation = declare(director, rs1[0], forwarding="masq", real_servers=servers)
    work(operation)
    _service, change = move_forwarding(SYSTEM, service, forwarding="route", drain_seconds=60)
    assert change is not None
    change = work(change)
    assert change.status == "succeeded", change.error
    rows = {row.port: (row.weight, row.forwarding) for row in service.real_servers.all()}
    assert rows == {8080: (0, "masq"), 80: (5, "")}
    assert "-r 10.20.0.11:80 -g -w 5" in fake.table.save_text()
    assert Operation.objects.filter(kind="real_server.drain").count() == 1
