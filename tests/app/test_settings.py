"""A director's own side: kernel settings, timeouts, the preset, Full NAT and marks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from console.access import SYSTEM
from console.models import AuditEvent, Operation
from lvs import planned, poll
from lvs.actions import directors, settings
from lvs.actions.virtual_services import request_removal
from lvs.director import boot, nftables
from lvs.models import Director, ServiceAddress, VirtualService
from tests import factories
from tests.app.conftest import Fleet
from tests.app.test_apply import declare
from tests.fakes.director import FakeDirector

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
Lb = tuple[Director, FakeDirector]


@pytest.fixture
def lb1(fleet: Fleet) -> Lb:
    return fleet.director("lb1")


def change(director: Director, work: Work, **values: Any) -> Operation:
    """Change settings and apply them, which must succeed."""
    _director, operation = settings.change_settings(SYSTEM, director, apply=True, **values)
    assert operation is not None
    done = work(operation)
    assert done.status == "succeeded", (done.error, done.error_said, done.remedy)
    director.refresh_from_db()
    return done


def test_declared_settings_are_put_in_place_kept_for_the_boot_and_survive_it(
    lb1: Lb, work: Work
) -> None:
    director, fake = lb1
    change(director, work, kernel_settings={"drop_entry": "2", "sync_threshold": "4  60"})
    assert (fake.setting("drop_entry"), fake.setting("sync_threshold")) == ("1", "4\t60")
    assert director.provisioning_status == "active"
    assert not planned.planned_changes(director)
    fake.reboot()
    assert (fake.setting("drop_entry"), fake.setting("sync_threshold")) == ("1", "4\t60")
    assert AuditEvent.objects.filter(verb="director.change_settings").exists()


def test_what_is_not_declared_is_left_alone(lb1: Lb, work: Work) -> None:
    director, fake = lb1
    fake.set("am_droprate", "77")
    change(director, work, kernel_settings={"drop_entry": "1"})
    assert fake.setting("am_droprate") == "77"


def test_a_withdrawn_setting_gets_the_kernels_default_once(lb1: Lb, work: Work) -> None:
    director, fake = lb1
    change(director, work, kernel_settings={"drop_packet": "3"}, udp_timeout=60)
    assert (fake.setting("drop_packet"), fake.table.timeouts) == ("3", [900, 120, 60])
    change(director, work, kernel_settings={}, udp_timeout=None)
    assert (fake.setting("drop_packet"), fake.table.timeouts) == ("0", [900, 120, 300])
    fake.set("drop_packet", "3")
    fake.table.timeouts[2] = 77
    change(director, work, kernel_settings={"drop_entry": "1"})
    assert (fake.setting("drop_packet"), fake.table.timeouts[2]) == ("3", 77)


def test_timeouts_survive_a_reboot(lb1: Lb, work: Work) -> None:
    director, fake = lb1
    change(director, work, tcp_timeout=1000, udp_timeout=30)
    assert fake.table.timeouts == [1000, 120, 30]
    fake.reboot()
    assert fake.table.timeouts == [1000, 120, 30]


def test_a_setting_changed_by_hand_is_drift_and_1_and_2_are_not(lb1: Lb, work: Work) -> None:
    director, fake = lb1
    change(director, work, kernel_settings={"drop_entry": "1", "secure_tcp": "3"})
    fake.set("drop_entry", "2")
    poll.poll(director.pk)
    director.refresh_from_db()
    assert not director.has_drifted
    fake.set("secure_tcp", "0")
    poll.poll(director.pk)
    director.refresh_from_db()
    assert "net.ipv4.vs.secure_tcp = 3" in director.drift
    assert work(directors.request_apply(SYSTEM, director)).status == "succeeded"
    assert fake.setting("secure_tcp") == "3"


def test_settings_that_wait_for_apply_are_no_drift(lb1: Lb, work: Work) -> None:
    director, _fake = lb1
    change(director, work, kernel_settings={"drop_entry": "1"})
    settings.change_settings(SYSTEM, director, kernel_settings={"drop_entry": "3"})
    director.refresh_from_db()
    assert director.provisioning_status == "pending"
    poll.poll(director.pk)
    director.refresh_from_db()
    assert not director.has_drifted
    assert planned.planned_changes(director)


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kernel_settings": {"drop_entry": "4"}}, "kernel_settings.drop_entry"),
        ({"kernel_settings": {"drop_entry": "one"}}, "kernel_settings.drop_entry"),
        ({"kernel_settings": {"sync_threshold": "50 3"}}, "kernel_settings.sync_threshold"),
        ({"kernel_settings": {"sync_threshold": "3"}}, "kernel_settings.sync_threshold"),
        ({"kernel_settings": {"sync_ports": "3"}}, "kernel_settings.sync_ports"),
        ({"kernel_settings": {"a/../b": "1"}}, "kernel_settings.a/../b"),
        ({"kernel_settings": {"new_one": "1\n2"}}, None),
        ({"kernel_settings": {"new_one": "x"}}, "kernel_settings.new_one"),
        ({"tcp_timeout": 0}, "tcp_timeout"),
        ({"local_addresses": ["10.20.0.61"]}, "local_interface"),
        ({"local_addresses": ["nowhere"], "local_interface": "int0"}, "local_addresses"),
        ({"local_addresses": ["127.0.0.1"], "local_interface": "int0"}, "local_addresses"),
        (
            {"local_addresses": ["10.20.0.61", "10.20.0.61"], "local_interface": "int0"},
            "local_addresses",
        ),
        ({"policy": "observe"}, "policy"),
    ],
)
def test_what_the_kernel_would_refuse_is_refused_at_its_field(
    values: dict[str, Any], field: str | None
) -> None:
    director = factories.DirectorFactory.create()
    if field is None:
        settings.change_settings(SYSTEM, director, **values)
        return
    with pytest.raises(ValidationError) as refused:
        settings.change_settings(SYSTEM, director, **values)
    assert field in refused.value.error_dict


def test_a_setting_that_the_kernel_lacks_is_named(lb1: Lb, work: Work) -> None:
    director, _fake = lb1
    _director, operation = settings.change_settings(
        SYSTEM, director, apply=True, kernel_settings={"conn_lfactor": "-4"}
    )
    assert operation is not None
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "setting-absent")
    director.refresh_from_db()
    assert director.provisioning_status == "error"


def test_the_preset_lies_over_the_declared_settings_and_goes_without_a_trace(
    lb1: Lb, work: Work
) -> None:
    director, fake = lb1
    change(director, work, kernel_settings={"drop_packet": "3"}, tcp_timeout=100)
    work(settings.set_under_attack(SYSTEM, director, on=True))
    assert [fake.setting(name) for name in ("drop_entry", "drop_packet", "secure_tcp")] == [
        "1",
        "3",
        "1",
    ]
    assert fake.table.timeouts == [100, 30, 60]
    director.refresh_from_db()
    assert director.is_under_attack
    assert director.kernel_settings == {"drop_packet": "3"}
    work(settings.set_under_attack(SYSTEM, director, on=False))
    assert [fake.setting(name) for name in ("drop_entry", "drop_packet", "secure_tcp")] == [
        "0",
        "3",
        "0",
    ]
    assert fake.table.timeouts == [100, 120, 300]


def full_nat(director: Director, **values: Any) -> tuple[VirtualService, Operation]:
    return declare(director, **{"forwarding": "fullnat"} | values)


def test_full_nat_brings_tracking_forwarding_pool_and_sources_and_takes_them_away(
    lb1: Lb, work: Work
) -> None:
    director, fake = lb1
    settings.change_settings(
        SYSTEM,
        director,
        local_addresses=["10.20.0.61", "10.20.0.62"],
        local_interface="int0",
    )
    director.refresh_from_db()
    service, operation = full_nat(director)
    operation = work(operation)
    assert operation.status == "succeeded", (operation.error, operation.error_said)
    assert fake.setting("conntrack") == "1"
    assert fake.read("/proc/sys/net/ipv4/ip_forward") == "1\n"
    assert {"10.20.0.61/32", "10.20.0.62/32"} <= set(fake.addresses["int0"])
    assert fake.nft_elements["marks4"] == 1
    assert fake.nft_elements["full_nat4"] == 2
    titles = [step.title for step in operation.steps.all()]
    assert titles.index("Make the nftables table for marks and Full NAT") < titles.index(
        "Change the IPVS table"
    )
    director.refresh_from_db()
    assert not planned.planned_changes(director)
    fake.reboot()
    assert fake.nft_elements["full_nat4"] == 2
    assert "10.20.0.62/32" in fake.addresses["int0"]
    gone = request_removal(SYSTEM, service, confirm=service.name)
    assert gone is not None
    assert work(gone).status == "succeeded"
    assert fake.nft_elements == {}
    assert "10.20.0.61/32" not in fake.addresses["int0"]
    assert fake.read(nftables.FILE) == ""


def test_a_declared_setting_that_full_nat_cannot_live_with_blocks_in_words(
    lb1: Lb, work: Work
) -> None:
    director, fake = lb1
    change(director, work, kernel_settings={"conntrack": "0"})
    _service, operation = full_nat(director)
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "setting-contradicts")
    assert "net.ipv4.vs.conntrack=1" in operation.error
    assert not fake.table.entries


def test_an_own_address_of_the_director_may_be_in_the_pool_and_stays(lb1: Lb, work: Work) -> None:
    director, fake = lb1
    settings.change_settings(
        SYSTEM, director, local_addresses=["10.20.0.1"], local_interface="int0"
    )
    director.refresh_from_db()
    service, operation = full_nat(director)
    assert work(operation).status == "succeeded"
    assert fake.addresses["int0"] == ["10.20.0.1/24"]
    assert "10.20.0.1/" not in fake.read(boot.VIPS)
    gone = request_removal(SYSTEM, service, confirm=service.name)
    assert gone is not None
    work(gone)
    assert fake.addresses["int0"] == ["10.20.0.1/24"]


def marked(director: Director, name: str, mark: int, **fields: Any) -> VirtualService:
    """A service by firewall mark that nobody has applied yet."""
    service = factories.VirtualServiceFactory.create(
        director=director,
        name=name,
        **{"vip": "10.10.0.50", "port": 80, "matching": "mark", "fwmark": mark} | fields,
    )
    factories.RealServerFactory.create(virtual_service=service, rip="10.20.0.11", port=0)
    return service


def test_marks_ports_and_networks_are_put_in_place_and_drift_is_mended(lb1: Lb, work: Work) -> None:
    director, fake = lb1
    service = marked(director, "web", 0x0E000001)
    for network, first, last in (("10.10.0.50", 8080, 8080), ("10.10.0.64/28", 80, 443)):
        ServiceAddress.objects.create(
            virtual_service=service, network=network, first_port=first, last_port=last
        )
    operation = work(directors.request_apply(SYSTEM, director))
    assert operation.status == "succeeded", (operation.error, operation.error_said)
    assert (fake.nft_elements["marks4"], fake.nft_elements["ranges4"]) == (2, 1)
    assert fake.addresses["routes"] == ["10.10.0.64/28"]
    assert "10.10.0.50/32" in fake.addresses["pub0"]
    fake.nft("delete element inet evenkeel_lvs marks4 { 10.10.0.50 . tcp . 8080 }")
    fake.nft("add rule inet evenkeel_lvs prerouting drop")
    poll.poll(director.pk)
    director.refresh_from_db()
    assert "add element inet evenkeel_lvs marks4 { 10.10.0.50 . tcp . 8080" in director.drift
    assert "flush chain inet evenkeel_lvs prerouting" in director.drift
    assert work(directors.request_apply(SYSTEM, director)).status == "succeeded"
    assert fake.nft_elements["marks4"] == 2
    service.addresses.all().delete()
    assert work(directors.request_apply(SYSTEM, director)).status == "succeeded"
    assert (fake.nft_elements["marks4"], fake.nft_elements["ranges4"]) == (1, 0)
    assert "routes" not in fake.addresses


def test_a_network_recut_by_a_more_exact_service_is_one_transaction(lb1: Lb, work: Work) -> None:
    director, fake = lb1
    wide = marked(director, "wide", 0x0E000001, vip="10.10.0.90")
    ServiceAddress.objects.create(
        virtual_service=wide, network="10.10.0.64/28", first_port=80, last_port=80
    )
    assert work(directors.request_apply(SYSTEM, director)).status == "succeeded"
    marked(director, "exact", 0x0E000002, vip="10.10.0.66")
    operation = work(directors.request_apply(SYSTEM, director))
    assert operation.status == "succeeded", (operation.error, operation.error_said)
    assert (fake.nft_elements["marks4"], fake.nft_elements["ranges4"]) == (2, 2)


def test_two_services_that_want_the_same_packets_are_refused_in_words(lb1: Lb, work: Work) -> None:
    director, _fake = lb1
    for number, (name, vip) in enumerate((("one", "10.10.0.50"), ("two", "10.10.0.51")), 1):
        service = marked(director, name, 0x0E000000 + number, vip=vip)
        ServiceAddress.objects.create(
            virtual_service=service, network="10.10.0.64/28", first_port=80, last_port=80
        )
    operation = work(directors.request_apply(SYSTEM, director))
    assert (operation.status, operation.error_code) == ("failed", "marks-conflict")
    assert "10.10.0.64-10.10.0.79 . tcp . 80" in operation.error


def test_a_director_without_nft_is_told_to_get_it(lb1: Lb, work: Work) -> None:
    director, fake = lb1
    (fake.root / "bin/nft").unlink()
    _service, operation = full_nat(director)
    operation = work(operation)
    assert (operation.status, operation.error_code) == ("failed", "no-nft")
    assert "apt-get install nftables" in operation.remedy
