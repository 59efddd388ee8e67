"""Blue and green: two sets of real servers under two marks, and the flip between them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError

from console.access import SYSTEM
from console.errors import WrongState
from console.models import Operation
from lvs import history
from lvs.actions import directors, pools, revisions, virtual_services
from lvs.models import Director, Revision, VirtualService
from tests.app.conftest import Fleet
from tests.app.test_apply import declare
from tests.fakes.director import FakeDirector

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
Pair = tuple[Director, FakeDirector]

BOTH = [
    {"rip": "10.20.0.11", "port": 80, "pool": "blue"},
    {"rip": "10.20.0.12", "port": 80, "pool": "green"},
    {"rip": "10.20.0.11", "port": 8080, "pool": "green", "weight": 3},
]


@pytest.fixture
def lb1(fleet: Fleet) -> Pair:
    return fleet.director("lb1")


def two_sets(director: Director, work: Work, **values: Any) -> VirtualService:
    service, operation = declare(director, **({"matching": "mark", "real_servers": BOTH} | values))
    operation = work(operation)
    assert operation.status == "succeeded", operation.error + operation.error_said
    return again(service)


def again(service: VirtualService) -> VirtualService:
    service.refresh_from_db()
    return service


def table(fake: FakeDirector) -> list[str]:
    return sorted(fake.table.save_text().splitlines())


def test_both_sets_stand_in_the_table_each_under_its_mark(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    service = two_sets(director, work)
    assert service.fwmark == 0x0E000001
    assert table(fake) == sorted(
        [
            f"-A -f {0x0E000001} -s wlc",
            f"-a -f {0x0E000001} -r 10.20.0.11:80 -m -w 1",
            f"-A -f {0x0E800001} -s wlc",
            f"-a -f {0x0E800001} -r 10.20.0.12:80 -m -w 1",
            f"-a -f {0x0E800001} -r 10.20.0.11:8080 -m -w 3",
        ]
    )


def test_flip_is_one_transaction_and_flipping_again_takes_it_back(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    service = two_sets(director, work)
    before = table(fake)
    operation = work(pools.flip_pool(SYSTEM, service))
    assert operation.status == "succeeded", operation.error + operation.error_said
    assert table(fake) == before
    assert [step.command for step in operation.steps.all()].count("nft -f -") == 1
    assert not operation.steps.filter(command="ipvsadm -R").exists()
    changed = operation.steps.get(command="nft -f -").stdin
    assert "10.10.0.50 . tcp . 80 : 0x0e800001" in changed
    assert (service.live_pool, Revision.objects.count()) == ("green", 2)
    assert work(pools.flip_pool(SYSTEM, again(service))).status == "succeeded"
    assert again(service).live_pool == "blue"


def test_flip_that_fails_is_rolled_back(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    service = two_sets(director, work)
    fake.refuses_dials = True
    operation = work(pools.flip_pool(SYSTEM, service))
    assert (operation.status, operation.error_code) == ("failed", "cut-off")
    assert operation.remedy.startswith("It was rolled back: the director is as it was before.")


def test_going_back_flips_too(lb1: Pair, work: Work) -> None:
    director, _fake = lb1
    service = two_sets(director, work)
    work(pools.flip_pool(SYSTEM, service))
    assert revisions.go_back(SYSTEM, director, Revision.objects.get(number=1)) is None
    assert again(service).live_pool == "blue"
    assert work(directors.request_apply(SYSTEM, director)).status == "succeeded"
    state = history.state_at(Revision.objects.latest("number"))
    assert state.services[str(service.pk)]["live_pool"] == "blue"


@pytest.mark.parametrize("servers", [BOTH[:1], [*BOTH[:1], BOTH[1] | {"weight": 0}]])
def test_flip_to_nobody_is_refused(lb1: Pair, work: Work, servers: list[dict[str, Any]]) -> None:
    director, _fake = lb1
    service = two_sets(director, work, real_servers=servers)
    with pytest.raises(WrongState):
        pools.flip_pool(SYSTEM, service)


def test_flip_before_both_sets_are_built_is_refused(lb1: Pair, work: Work) -> None:
    director, _fake = lb1
    service = two_sets(director, work, real_servers=BOTH[:1])
    virtual_services.add_real_server(SYSTEM, service, rip="10.20.0.12", port=80, pool="green")
    with pytest.raises(WrongState):
        pools.flip_pool(SYSTEM, again(service))


def test_two_sets_need_a_mark(lb1: Pair) -> None:
    director, _fake = lb1
    with pytest.raises(ValidationError) as caught:
        declare(director, real_servers=BOTH)
    assert "real_servers.1.pool" in caught.value.error_dict


def test_green_set_goes_with_its_last_real_server(lb1: Pair, work: Work) -> None:
    director, fake = lb1
    service = two_sets(director, work)
    service.real_servers.filter(pool="green").delete()
    VirtualService.objects.update(generation=2)
    assert work(directors.request_apply(SYSTEM, director)).status == "succeeded"
    assert not [line for line in table(fake) if str(0x0E800001) in line]
