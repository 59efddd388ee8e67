"""Topology in the verbs, on the pages and in the API: what blocks, what advises, in words."""

from __future__ import annotations

from typing import Any

import pytest
from django.core.exceptions import ValidationError

from console.access import SYSTEM
from console.errors import WouldNotWork
from console.models import Operation
from lvs import planned, situations
from lvs.actions import directors, virtual_services
from lvs.models import Director, VirtualService
from tests import factories
from tests.app import lvs_scene
from tests.app.pages import Page, get

pytestmark = pytest.mark.django_db

ROUTES = [
    ["10.10.0.0/24", "", "pub0", "main"],
    ["10.20.0.0/24", "", "int0", "main"],
    ["0.0.0.0/0", "10.10.0.254", "pub0", "main"],
]
SEEN = lvs_scene.SURROUNDINGS | {"routes": ROUTES}
FAR = [{"rip": "10.30.0.13", "port": 80}]


@pytest.fixture
def lb1() -> Director:
    found = lvs_scene.director()
    found.observed_facts = SEEN
    found.save()
    return found


def declare(director: Director, **values: Any) -> VirtualService:
    wanted: dict[str, Any] = {"name": "far", "vip": "10.10.0.60", "port": 80, "forwarding": "route",
                              "real_servers": FAR}  # fmt: skip
    return virtual_services.create_virtual_service(SYSTEM, director=director, **wanted | values)[0]


def codes(service: VirtualService) -> list[str]:
    return [problem.code.removeprefix("ipvs-") for problem in planned.advice(service)]


def test_dr_behind_a_router_is_declared_but_not_applied(lb1: Director) -> None:
    service = declare(lb1)
    with pytest.raises(WouldNotWork, match=r"10\.30\.0\.13:80: By DR, .* Forward by TUN"):
        directors.request_apply(SYSTEM, lb1, services=[service])
    with pytest.raises(WouldNotWork):
        directors.request_apply(SYSTEM, lb1)
    assert not Operation.objects.exists()


def test_declaring_and_applying_at_once_leaves_nothing_when_it_would_not_work(
    lb1: Director,
) -> None:
    with pytest.raises(WouldNotWork):
        declare(lb1, apply=True)
    assert not VirtualService.objects.exists()


def test_what_is_in_place_already_does_not_hold_up_the_others(lb1: Director) -> None:
    VirtualService.objects.filter(pk=declare(lb1).pk).update(applied_generation=1)
    near = declare(lb1, name="near", vip="10.10.0.61", real_servers=[{"rip": "10.20.0.11",
                                                                     "port": 80}])  # fmt: skip
    assert directors.request_apply(SYSTEM, lb1).pk
    assert situations.blocking(lb1, [near]) == []


def test_a_director_that_was_never_seen_blocks_nothing() -> None:
    director = factories.DirectorFactory.create()
    declare(director, apply=True)
    assert Operation.objects.get().kind == "director.apply"


def test_a_hopeless_service_can_still_be_removed(lb1: Director) -> None:
    service = declare(lb1)
    VirtualService.objects.filter(pk=service.pk).update(applied_generation=1, generation=2)
    operation = virtual_services.request_removal(SYSTEM, service, confirm="far")
    assert operation is not None


def test_vip_that_another_director_has_now_blocks(lb1: Director) -> None:
    other = lvs_scene.director("lb2")
    other.observed_facts = {"addresses": {"pub0": ["10.10.0.2/24", "10.10.0.60/32"]}}
    other.save()
    near = [{"rip": "10.20.0.11", "port": 80}]
    service = declare(lb1, real_servers=near)
    assert codes(service) == ["vip-elsewhere"]
    with pytest.raises(WouldNotWork, match="lb2 was seen with this VIP on pub0"):
        directors.request_apply(SYSTEM, lb1, services=[service])
    other.observed_facts = {"addresses": {"lo": ["10.10.0.60/32"]}}
    other.save()
    assert codes(service) == []


def test_a_host_with_the_address_is_judged_by_its_preflight(lb1: Director) -> None:
    network = {
        "interfaces": [
            {"name": "eth1", "addresses": [{"ip": "10.20.0.11", "prefix": 24}], "is_up": True}
        ],
        "routes": [{"family": 4, "gateway": "10.20.0.254", "device": "eth1"}],
        "sysctls": {},
    }
    host = factories.HostFactory.create(name="rs1", preflight={"facts": {"network": network}})
    near = [{"rip": "10.20.0.11", "port": 80}]
    service = declare(lb1, forwarding="masq", real_servers=near)
    assert codes(service) == ["masq-return-route"]
    service.forwarding = "route"
    assert codes(service) == ["route-vip-missing"]
    service.real_servers.update(host=host)
    assert codes(VirtualService.objects.get(pk=service.pk)) == []


def test_settings_of_the_last_look_are_judged(lb1: Director) -> None:
    near = [{"rip": "10.20.0.11", "port": 80}]
    service = declare(lb1, real_servers=near, persistence_timeout=60)
    lb1.observed_facts = SEEN | {"settings": {"expire_quiescent_template": "0",
                                              "drop_packet": "3"}}  # fmt: skip
    service.director = lb1
    assert codes(service) == ["setting-quiescent-template", "setting-drop-packet"]


def test_page_shows_what_blocks_and_offers_no_apply(browser: Any, lb1: Director) -> None:
    page = get(browser("operator"), declare(lb1).get_absolute_url())
    assert "By DR, the real server must be in a network of the director" in page.text
    assert "blocks applying" in page.text
    assert "Mend what blocks it first" in page.text


def test_review_names_what_blocks(browser: Any, lb1: Director) -> None:
    service = declare(lb1)
    page = get(browser("operator"), "/load-balancing/virtual-services/review/",
               {"service": service.pk})  # fmt: skip
    assert "10.30.0.13:80" in page.text
    assert "Mend what blocks applying first" in page.text


def test_api_refuses_in_words_and_lists_the_reasons(api: Any, lb1: Director) -> None:
    service = declare(lb1)
    call = api()
    found = call.get(f"/api/v1/lvs/virtual-services/{service.pk}/problems/").json()["results"]
    assert [(one["code"], one["is_blocking"]) for one in found] == [
        ("ipvs-route-other-network", True)
    ]
    refused = call.post(f"/api/v1/lvs/directors/{lb1.pk}/apply/", {}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (409, "would-not-work")
    assert "By DR, the real server must be in a network" in refused.json()["detail"]


def test_validation_speaks_before_topology(lb1: Director) -> None:
    with pytest.raises(ValidationError):
        declare(lb1, real_servers=[{"rip": "10.30.0.13", "port": 8080}], apply=True)


def advice(answer: Any) -> dict[str, str]:
    assert answer.status_code == 200, answer.content
    return {one["method"]: one["fit"] for one in answer.json()["results"]}


def test_api_advises_before_a_service_is_declared(api: Any, lb1: Director) -> None:
    path = f"/api/v1/lvs/directors/{lb1.pk}/advice/?vip=10.10.0.50&port=80"
    near = advice(api().get(f"{path}&real_server=10.20.0.11"))
    assert next(iter(near)) == "route"
    far = advice(api().get(f"{path}&real_server=10.30.0.13&needs_client_address=true"))
    assert far == {
        "tunnel": "best", "masq": "possible", "route": "unsuitable", "fullnat": "unsuitable"
    }  # fmt: skip
    mapped = api().get(f"{path}&real_server=10.20.0.11&real_port=8080&is_mostly_out=true")
    assert next(iter(advice(mapped).items())) == ("masq", "best")
    assert "all through the director." in mapped.json()["results"][0]["against"][1]
    refused = api().get(f"{path}&real_server=nonsense")
    assert refused.status_code == 400


def test_api_advises_on_a_declared_service(api: Any, lb1: Director) -> None:
    service = declare(lb1)
    found = advice(api().get(f"/api/v1/lvs/virtual-services/{service.pk}/advice/"))
    assert next(iter(found)) == "tunnel"


def test_form_is_checked_as_it_is_typed_and_nothing_is_saved(browser: Any, lb1: Director) -> None:
    client, path = browser("operator"), "/load-balancing/virtual-services/new/"
    typed = {
        "director": lb1.pk, "vip": "10.10.0.60", "port": "80", "forwarding": "route",
        "servers-TOTAL_FORMS": "2", "servers-INITIAL_FORMS": "0",
        "servers-0-rip": "10.30.0.13", "servers-0-port": "", "servers-1-rip": "not an address",
        "do": "check",
    }  # fmt: skip
    page = Page(client.post(path, typed))
    assert "By DR, the real server must be in a network of the director" in page.text
    assert "TUN — tunnelling recommended" in page.text
    assert not VirtualService.objects.exists()
    page = Page(client.post(path, typed | {"vip": ""}))
    assert "Choose a director, and give the VIP and the port first." in page.text


@pytest.mark.parametrize(
    ("forwarding", "ways"),
    [("route", {"open"}), ("tunnel", {"open", "tube"}), ("masq", {"open", "return"}),
     ("fullnat", {"open", "return"})],
)  # fmt: skip
def test_each_method_has_its_own_picture(
    browser: Any, lb1: Director, forwarding: str, ways: set[str]
) -> None:
    service = lvs_scene.shop(lb1, 1, forwarding=forwarding)
    page = get(browser("operator"), service.get_absolute_url())
    drawn = {path["class"] for path in page.all("path") if "stroke-width" in path}
    assert drawn == ways
    assert bool(page.all("div", class_="lane")) is (forwarding in ("route", "tunnel"))
