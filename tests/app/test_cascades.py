"""Cascades: two tiers recognised, declared, applied and removed as one; never half."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from console.access import SYSTEM
from console.errors import WrongState
from console.models import Operation
from lvs import cascades, planned
from lvs.actions import cascade, directors, virtual_services
from lvs.actions.cascade import Tier
from lvs.models import Director, RealServer, VirtualService
from tests.app.conftest import Fleet
from tests.app.pages import Page, get
from tests.fakes.director import FakeDirector

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
Pair = tuple[tuple[Director, FakeDirector], tuple[Director, FakeDirector]]
BEHIND = [{"rip": "10.20.0.11", "port": 8080}, {"rip": "10.20.0.12", "port": 80}]
FRONT_TABLE = "-A -t 10.10.0.50:80 -s wlc\n-a -t 10.10.0.50:80 -r 10.10.0.2:80 -g -w 1\n"
BACK_TABLE = (
    "-A -t 10.10.0.50:80 -s wlc\n"
    "-a -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 1\n"
    "-a -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 1\n"
)


@pytest.fixture
def pair(fleet: Fleet, work: Work) -> Pair:
    """lb1 and lb2, each seen once."""
    found = fleet.director("lb1"), fleet.director("lb2")
    found[1][1].addresses = {"lo": ["127.0.0.1/8"], "pub0": ["10.10.0.2/24"],
                             "int0": ["10.20.0.2/24"]}  # fmt: skip
    for director, _fake in found:
        work(directors.request_observe(SYSTEM, director))
        director.refresh_from_db()
    return found


def declare(pair: Pair, **values: Any) -> VirtualService:
    """A cascade over lb2, which somebody else has prepared: the fakes of directors are no
    real servers. tests/lab/test_cascade.py has the console do it."""
    front = declare_whole(pair, **values)
    front.real_servers.update(host=None)
    return front


def declare_whole(pair: Pair, **values: Any) -> VirtualService:
    (lb1, _), (lb2, _) = pair
    front = {"director": lb1, "name": "shop", "vip": "10.10.0.50", "port": 80} | values
    return cascade.create(SYSTEM, front=front, tiers=[Tier(lb2, BEHIND)])[0]


def back_of(front: VirtualService) -> VirtualService:
    (back,) = cascades.backs_of(front).values()
    return back


def test_both_tiers_are_declared_together_and_know_each_other(pair: Pair) -> None:
    front = declare_whole(pair)
    back = back_of(front)
    assert (back.name, back.vip, back.port, back.forwarding) == ("shop-lb2", "10.10.0.50", 80,
                                                                 "masq")  # fmt: skip
    assert not back.is_vip_managed
    assert cascades.fronts_of(back) == [front]
    server = front.real_servers.get()
    assert (server.rip, server.host) == ("10.10.0.2", pair[1][0].host)
    assert [problem.code for problem in planned.advice(back)] == []


def test_nothing_is_declared_where_a_tier_is_refused(pair: Pair) -> None:
    (lb1, _), (lb2, _) = pair
    with pytest.raises(ValidationError) as refused:
        cascade.create(
            SYSTEM,
            front={"director": lb1, "name": "shop", "vip": "10.10.0.50", "port": 80},
            tiers=[Tier(lb2, [{"rip": "10.20.0.11", "port": 99999}])],
        )
    assert list(refused.value.error_dict) == ["tiers.0.real_servers.0.port"]
    with pytest.raises(ValidationError, match="at least one director"):
        cascade.create(SYSTEM, front={}, tiers=[])
    with pytest.raises(ValidationError, match="by NAT or Full NAT"):
        declare_with(pair, Tier(lb2, BEHIND, forwarding="route"))
    with pytest.raises(ValidationError, match="was not seen with this address"):
        declare_with(pair, Tier(lb2, BEHIND, via="10.20.0.99"))
    assert not VirtualService.objects.exists()


def declare_with(pair: Pair, tier: Tier) -> None:
    front = {"director": pair[0][0], "name": "shop", "vip": "10.10.0.50", "port": 80}
    cascade.create(SYSTEM, front=front, tiers=[tier])


def test_a_vip_still_has_one_owner_where_there_is_no_cascade(pair: Pair) -> None:
    front = declare(pair)
    with pytest.raises(ValidationError, match="an address has one owner"):
        virtual_services.create_virtual_service(
            SYSTEM, director=pair[1][0], name="other", vip=front.vip, port=443
        )
    on_front, _operation = virtual_services.create_virtual_service(
        SYSTEM, director=pair[0][0], name="beside", vip=front.vip, port=443
    )
    assert cascades.backs_of(on_front) == {}
    with pytest.raises(WrongState):
        cascade.request_apply(SYSTEM, on_front)


def test_a_front_has_several_directors_behind_it(pair: Pair, fleet: Fleet, work: Work) -> None:
    lb3, fake3 = fleet.director("lb3")
    fake3.addresses = {"pub0": ["10.10.0.3/24"], "int0": ["10.20.0.3/24"]}
    work(directors.request_observe(SYSTEM, lb3))
    lb3.refresh_from_db()
    front = declare(pair)
    cascade.add_tier(SYSTEM, front, Tier(lb3, BEHIND))
    assert sorted(cascades.backs_of(front)) == ["10.10.0.2", "10.10.0.3"]
    for back in cascades.backs_of(front).values():
        assert cascades.fronts_of(back) == [front]


def test_one_operation_applies_the_back_first_then_the_front(pair: Pair, work: Work) -> None:
    front = declare(pair)
    operation = work(cascade.request_apply(SYSTEM, front))
    assert operation.status == "succeeded", operation.error
    (_, fake1), (_, fake2) = pair
    assert (fake1.table.save_text(), fake2.table.save_text()) == (FRONT_TABLE, BACK_TABLE)
    inner = Operation.objects.filter(pk__in=operation.result["operations"]).order_by("pk")
    assert [one.target_label for one in inner] == ["lb2", "lb1"]
    assert not VirtualService.objects.exclude(provisioning_status="active").exists()


def test_the_back_is_taken_back_when_the_front_fails(pair: Pair, work: Work) -> None:
    (_, fake1), (_, fake2) = pair
    front = declare(pair)
    fake1.table.schedulers = frozenset({"rr"})  # the kernel refuses wlc
    operation = work(cascade.request_apply(SYSTEM, front))
    assert operation.status == "failed"
    assert "lb1: its part of the cascade failed" in operation.error
    assert "have what they had before" in operation.remedy
    assert (fake1.table.save_text(), fake2.table.save_text()) == ("", "")
    assert set(VirtualService.objects.values_list("applied_generation", "provisioning_status")) == {
        (0, "error")
    }


def test_a_changed_back_gets_its_old_entry_when_the_front_fails(pair: Pair, work: Work) -> None:
    (_, fake1), (_, fake2) = pair
    front = declare(pair)
    work(cascade.request_apply(SYSTEM, front))
    virtual_services.update_virtual_service(SYSTEM, back_of(front), scheduler="rr")
    virtual_services.update_virtual_service(SYSTEM, front, scheduler="sh")
    fake1.table.schedulers = frozenset({"wlc"})
    operation = work(cascade.request_apply(SYSTEM, front))
    assert operation.status == "failed"
    assert (fake1.table.save_text(), fake2.table.save_text()) == (FRONT_TABLE, BACK_TABLE)
    back = back_of(front)
    assert (back.scheduler, back.generation - back.applied_generation) == ("rr", 1)
    fake1.table.schedulers = frozenset({"wlc", "rr", "sh"})
    assert work(cascade.request_apply(SYSTEM, front)).status == "succeeded"
    assert "-s rr" in fake2.table.save_text()


def test_removal_takes_the_front_first_and_leaves_nothing(pair: Pair, work: Work) -> None:
    front = declare(pair)
    work(cascade.request_apply(SYSTEM, front))
    with pytest.raises(ValidationError):
        cascade.request_removal(SYSTEM, front, confirm="another")
    removal = cascade.request_removal(SYSTEM, front, confirm="shop")
    assert removal is not None
    operation = work(removal)
    assert operation.status == "succeeded", operation.error
    inner = Operation.objects.filter(pk__in=operation.result["operations"]).order_by("pk")
    assert [one.target_label for one in inner] == ["lb1", "lb2"]
    assert not VirtualService.objects.exists()
    assert {fake.table.save_text() for _director, fake in pair} == {""}


def test_a_busy_second_director_is_said_and_the_first_taken_back(pair: Pair, work: Work) -> None:
    front = declare(pair)
    holder = directors.request_observe(SYSTEM, pair[0][0])
    operation = work(cascade.request_apply(SYSTEM, front))
    assert operation.status == "failed"
    assert f"lb1 is busy: operation #{holder.pk}" in operation.error
    assert pair[1][1].table.save_text() == ""


def test_one_picture_shows_both_tiers(browser: Any, pair: Pair) -> None:
    front = declare(pair)
    page = get(browser("operator"), front.get_absolute_url())
    assert page.all("div", class_="second")
    assert "on lb2 · shop-lb2 · NAT — masquerading" in page.text
    assert "10.20.0.11:8080" in page.text
    behind = get(browser("operator"), back_of(front).get_absolute_url())
    assert "the clients reach it through shop" in behind.text


def test_form_puts_a_director_behind_a_front(browser: Any, pair: Pair) -> None:
    (lb1, _), (lb2, _) = pair
    front, _operation = virtual_services.create_virtual_service(
        SYSTEM, director=lb1, name="shop", vip="10.10.0.50", port=80, forwarding="route"
    )
    client, path = browser("operator"), f"/load-balancing/virtual-services/{front.pk}/cascade/"
    typed = {"director": lb2.pk, "forwarding": "masq", "scheduler": "rr", "weight": 1, "via": "",
             "real_servers": "10.20.0.11 8080\n\n10.20.0.12 80 3\n", "do": "save"}  # fmt: skip
    refused = Page(client.post(path, typed | {"real_servers": "10.20.0.11"}))
    assert "is not an address, a port and a weight" in refused.text
    assert client.post(path, typed).status_code == 302
    assert [(row.address, row.weight) for row in back_of(front).real_servers.all()] == [
        ("10.20.0.11:8080", 1),
        ("10.20.0.12:80", 3),
    ]
    assert "Apply both tiers" in get(client, path).text


def test_api_declares_applies_and_removes_a_cascade(api: Any, pair: Pair, work: Work) -> None:
    (lb1, _), (lb2, fake2) = pair
    call, base = api(), "/api/v1/lvs/"
    front = {"director": lb1.pk, "name": "shop", "vip": "10.10.0.50", "port": 80,
             "forwarding": "route"}  # fmt: skip
    body = {"front": front, "tiers": [{"director": lb2.pk, "real_servers": BEHIND}], "apply": True}
    made = call.post(f"{base}cascades/", body, format="json")
    assert made.status_code == 201, made.content
    RealServer.objects.update(host=None)
    work(Operation.objects.get(kind="cascade.apply"))
    assert fake2.table.save_text() == BACK_TABLE
    path = f"{base}virtual-services/{made.json()['id']}/cascade/"
    (tier,) = call.get(path).json()["results"]
    assert (tier["via"], tier["service"]["name"]) == ("10.10.0.2", "shop-lb2")
    assert call.post(f"{path}apply/").status_code == 202
    Operation.objects.filter(status="queued").update(status="cancelled")
    gone = call.delete(f"{path}?confirm=shop")
    assert gone.status_code == 202, gone.content
