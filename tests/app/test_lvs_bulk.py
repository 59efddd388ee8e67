"""Many virtual services at once: first what would run, then one operation a director."""

from __future__ import annotations

from collections.abc import Callable

from django.test import Client

from console.models import Operation
from lvs.models import VirtualService
from tests import factories
from tests.app import lvs_scene
from tests.app.pages import Page, get
from tests.conftest import Cast

Browser = Callable[[str], Client]
LIST = "/load-balancing/virtual-services/"


def two_directors() -> list[VirtualService]:
    """Two services on lb1 and one on lb2, all there."""
    more = ["-A -t 10.10.0.51:80 -s wlc"]
    first, second = lvs_scene.director("lb1", lvs_scene.SHOP + more), lvs_scene.director("lb2", [])
    return [
        lvs_scene.shop(first),
        lvs_scene.shop(first, 0, name="blog", vip="10.10.0.51"),
        lvs_scene.shop(second, 1, name="mail", vip="10.10.0.60"),
    ]


def pks(services: list[VirtualService]) -> list[int]:
    return [service.pk for service in services]


def test_removal_is_shown_line_by_line_before_anything_is_changed(browser: Browser) -> None:
    services = two_directors()
    page = get(browser("operator"), f"{LIST}review/", {"do": "remove", "service": pks(services)})
    assert "Remove 3 virtual services" in page.text
    for line in ("-d -t 10.10.0.50:80 -r 10.20.0.11:8080", "-D -t 10.10.0.51:80",
                 "address delete 10.10.0.50/32 dev pub0"):  # fmt: skip
        assert line in page.text
    assert "Type remove 3 to confirm" in page.text
    assert not VirtualService.objects.exclude(removal_requested_at=None).exists()


def test_vip_that_another_service_needs_is_not_planned_away(browser: Browser) -> None:
    director = lvs_scene.director()
    service = lvs_scene.shop(director)
    lvs_scene.shop(director, name="shop-udp", protocol="udp")
    page = get(browser("operator"), f"{LIST}review/", {"do": "remove", "service": service.pk})
    assert "-D -t 10.10.0.50:80" in page.text and "address delete" not in page.text
    assert "Type shop to confirm" in page.text


def test_removal_needs_the_words_and_begins_one_operation_a_director(browser: Browser) -> None:
    services, client = two_directors(), browser("operator")
    sent = {"service": pks(services), "confirm": "remove 2"}
    assert (
        "Type remove 3 to confirm." in Page(client.post(f"{LIST}remove/", sent, follow=True)).text
    )
    assert not Operation.objects.exists()
    client.post(f"{LIST}remove/", sent | {"confirm": "remove 3"})
    assert VirtualService.objects.filter(removal_requested_at=None).count() == 0
    named = {one.target_label: one.parameters["services"] for one in Operation.objects.all()}
    assert named == {"lb1": pks(services)[:2], "lb2": pks(services)[2:]}


def test_applying_shows_the_lines_and_a_busy_director_refuses_its_own(browser: Browser) -> None:
    services, client = two_directors(), browser("operator")
    page = get(client, f"{LIST}review/", {"do": "apply", "service": pks(services)})
    assert "-A -t 10.10.0.60:80 -s wlc" in page.text
    factories.OperationFactory.create(target=services[0].director, kind="director.apply")
    answer = Page(client.post(f"{LIST}apply/", {"service": pks(services)}, follow=True))
    assert "lb1 is busy" in answer.text and "lb2: operation #" in answer.text
    assert Operation.objects.on(services[2].director).get().parameters == {
        "services": [services[2].pk]
    }


def test_nothing_ticked_is_said_and_does_nothing(browser: Browser) -> None:
    client = browser("operator")
    for ticked in ({}, {"service": ["x", "9" * 30, "-1", "999"]}):
        answer = client.get(f"{LIST}review/", ticked, follow=True)
        assert "Tick at least one virtual service." in Page(answer).text
        assert client.post(f"{LIST}apply/", ticked).status_code == 302
        assert client.post(f"{LIST}remove/", ticked).status_code == 302
    assert not Operation.objects.exists()


def test_another_tenants_services_cannot_be_ticked(browser: Browser, cast: Cast) -> None:
    mine, other, _mail = two_directors()
    VirtualService.objects.filter(pk=mine.pk).update(tenant=cast.tenant)
    VirtualService.objects.filter(pk=other.pk).update(tenant=cast.other_tenant)
    sent = {"service": [mine.pk, other.pk], "confirm": "shop"}
    page = get(browser("bob"), f"{LIST}review/", sent | {"do": "remove"})
    assert "address delete 10.10.0.50/32" in page.text and "10.10.0.51" not in page.text
    browser("bob").post(f"{LIST}remove/", sent)
    assert list(VirtualService.objects.exclude(removal_requested_at=None)) == [mine]
    assert browser("ray").post(f"{LIST}apply/", sent).status_code == 403
