"""Draining a real server: it waits without holding anything, and goes on from what it sees."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.utils import timezone
from django.utils.module_loading import import_string

from console import operations
from console.access import SYSTEM
from console.errors import Busy, WrongState
from console.models import Operation
from lvs import drain as drains
from lvs.actions import directors, virtual_services
from lvs.actions.draining import drain_real_server
from lvs.models import Director, RealServer
from tests.app.conftest import Fleet
from tests.fakes.director import FakeDirector
from tests.fakes.transport import Fault

pytestmark = pytest.mark.django_db

ONE = "10.20.0.11:8080"
Work = Callable[[Operation], Operation]


@pytest.fixture
def scene(fleet: Fleet, work: Work) -> tuple[RealServer, FakeDirector]:
    """A service in place with two real servers; the first is to be drained."""
    director, fake = fleet.director("lb1")
    service, operation = virtual_services.create_virtual_service(
        SYSTEM,
        director=director,
        name="shop",
        vip="10.10.0.50",
        port=80,
        real_servers=[
            {"rip": "10.20.0.11", "port": 8080, "weight": 7},
            {"rip": "10.20.0.12", "port": 80},
        ],
        apply=True,
    )
    assert operation is not None
    assert work(operation).status == "succeeded"
    return service.real_servers.get(rip="10.20.0.11"), fake


@pytest.fixture
def busy(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """How many connections the first real server has."""
    count = {"left": 3}
    real = drains._look

    def look(run: Any, server: RealServer) -> Any:
        seen = real(run, server)
        return seen and seen._replace(left=count["left"])

    monkeypatch.setattr(drains, "_look", look)
    return count


def step(operation: Operation) -> Operation:
    """Let the queue run until nothing but the drain waits; its fresh row."""
    for _round in range(6):
        for other in Operation.objects.live().exclude(pk=operation.pk):
            import_string(operations.KINDS[other.kind].task)(other.pk)
        Operation.objects.filter(pk=operation.pk).update(not_before=None)
        import_string(operations.KINDS[operation.kind].task)(operation.pk)
        operation.refresh_from_db()
    return operation


def weights(fake: FakeDirector) -> dict[str, str]:
    words = [line.split() for line in fake.table.save_text().splitlines() if "-r" in line]
    return {line[line.index("-r") + 1]: line[line.index("-w") + 1] for line in words}


def test_waits_for_connections_then_takes_it_out(
    scene: tuple[RealServer, FakeDirector], busy: dict[str, int]
) -> None:
    server, fake = scene
    operation = step(drain_real_server(SYSTEM, server, limit_seconds=300))
    assert (operation.status, operation.attempt) == ("queued", 0), operation.error
    assert "Connections left: 3. The limit is reached in" in operation.error
    assert weights(fake)[ONE] == "0"
    assert not Operation.objects.on(server.virtual_service.director).live().exists()
    busy["left"] = 0
    operation = step(operation)
    assert (operation.status, operation.error_text) == ("succeeded", "")
    assert not RealServer.objects.filter(pk=server.pk).exists()
    assert list(weights(fake)) == ["10.20.0.12:80"]


def test_limit_ends_the_wait(scene: tuple[RealServer, FakeDirector], busy: dict[str, int]) -> None:
    server, fake = scene
    operation = step(drain_real_server(SYSTEM, server, limit_seconds=300))
    operation.result["since"] = (timezone.now() - timedelta(seconds=301)).isoformat()
    operation.save()
    operation = step(operation)
    assert (operation.status, operation.result["left"]) == ("succeeded", 3)
    assert ONE not in weights(fake)


def test_keep_leaves_it_with_weight_0(
    scene: tuple[RealServer, FakeDirector], busy: dict[str, int]
) -> None:
    server, fake = scene
    busy["left"] = 0
    operation = step(drain_real_server(SYSTEM, server, then="keep"))
    assert operation.status == "succeeded"
    assert weights(fake)[ONE] == "0" and RealServer.objects.get(pk=server.pk).weight == 0


@pytest.mark.parametrize("begins", [False, True], ids=["before it began", "while it waits"])
def test_cancelling_gives_the_old_weight_back(
    scene: tuple[RealServer, FakeDirector], busy: dict[str, int], begins: bool
) -> None:
    server, fake = scene
    operation = drain_real_server(SYSTEM, server)
    if begins:
        step(operation)
    operations.request_cancel(SYSTEM, operation)
    assert step(operation).status == "cancelled"
    for other in Operation.objects.live():
        import_string(operations.KINDS[other.kind].task)(other.pk)
    assert RealServer.objects.get(pk=server.pk).weight == 7
    assert weights(fake)[ONE] == "7"
    again = step(operations.request_retry(SYSTEM, operation))
    assert (again.status, weights(fake)[ONE]) == ("queued", "0")


def test_worker_that_died_is_followed_by_another(
    scene: tuple[RealServer, FakeDirector], busy: dict[str, int]
) -> None:
    server, _fake = scene
    operation = step(drain_real_server(SYSTEM, server))
    Operation.objects.filter(pk=operation.pk).update(not_before=None)
    assert operations.claim(operation.pk) is not None
    operations.sweep(timezone.now() + timedelta(minutes=1))
    busy["left"] = 0
    assert step(operation).status == "succeeded"


def test_busy_director_is_waited_for(
    scene: tuple[RealServer, FakeDirector], busy: dict[str, int]
) -> None:
    server, _fake = scene
    director: Director = server.virtual_service.director
    other = directors.request_observe(SYSTEM, director)
    operation = drain_real_server(SYSTEM, server)
    import_string(operations.KINDS[operation.kind].task)(operation.pk)
    operation.refresh_from_db()
    assert operation.status == "queued"
    assert f"waits for operation #{other.pk}" in operation.error
    busy["left"] = 0
    assert step(operation).status == "succeeded"


def test_unreachable_director_does_not_end_a_drain(
    scene: tuple[RealServer, FakeDirector], busy: dict[str, int]
) -> None:
    server, fake = scene
    operation = step(drain_real_server(SYSTEM, server))
    fake.fail_next(Fault.UNREACHABLE)
    Operation.objects.filter(pk=operation.pk).update(not_before=None)
    import_string(operations.KINDS[operation.kind].task)(operation.pk)
    operation.refresh_from_db()
    assert operation.status == "queued" and "cannot be asked" in operation.error
    busy["left"] = 0
    assert step(operation).status == "succeeded"


def test_weight_that_somebody_gave_meanwhile_ends_it(
    scene: tuple[RealServer, FakeDirector], busy: dict[str, int]
) -> None:
    server, _fake = scene
    operation = step(drain_real_server(SYSTEM, server))
    server.refresh_from_db()
    virtual_services.update_real_server(SYSTEM, server, weight=3)
    operation = step(operation)
    assert (operation.status, operation.error_code) == ("failed", "drain-overtaken")


def test_what_cannot_be_drained_is_refused(scene: tuple[RealServer, FakeDirector]) -> None:
    server, _fake = scene
    for values in ({"limit_seconds": 1}, {"limit_seconds": 100_000}, {"then": "burn"}):
        with pytest.raises(ValidationError):
            drain_real_server(SYSTEM, server, **values)
    drain_real_server(SYSTEM, server)
    with pytest.raises(Busy):
        drain_real_server(SYSTEM, server)
    service = server.virtual_service
    service.applied_generation = 0
    service.save()
    with pytest.raises(WrongState):
        drain_real_server(SYSTEM, service.real_servers.get(rip="10.20.0.12"))
