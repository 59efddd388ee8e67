"""Proofs: their parts put together, alerts after two in a row, and proofs on time."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone

from console.access import SYSTEM
from console.models import Alert, AuditEvent, Operation
from lvs import proving
from lvs.actions import directors, virtual_services
from lvs.models import Director, VirtualService
from tests import factories
from tests.app.conftest import Fleet
from tests.fakes.director import FakeDirector
from tests.fakes.transport import FakeTransport

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
ONE, TWO = "10.20.0.11:8080", "10.20.0.12:80"
DIRECTOR_MAC, THIEF_MAC = "52:54:00:0e:10:15", "52:54:00:0e:20:1f"
GREEN, RED = ("answered", 0.01, "HTTP/1.1 200 OK"), ("timeout", 3.0, "")


class Prober:
    """What the director and the client answer to the programs that they are sent."""

    def __init__(self, director: FakeDirector, client: FakeTransport) -> None:
        self.paths = {ONE: GREEN, TWO: GREEN}
        self.macs = [DIRECTOR_MAC]
        director.on(("python3",), lambda call: self._paths())
        client.on(("python3",), lambda call: self._client(call.text))

    def _paths(self) -> str:
        lines: list[tuple[Any, ...]] = [("interface", "pub0", DIRECTOR_MAC, "1500")]
        lines += [("setting", "ipv4/ip_forward", "1"), ("neighbour", "10.20.0.11", THIEF_MAC)]
        for name, path in self.paths.items():
            lines.append(("route", name.partition(":")[0], "pub0", "10.20.0.1"))
            upload = ("taken", 0.1, "") if path is GREEN else ("", 0.0, "")
            lines.append(("server", name, GREEN, path, upload, 1460))
        return "".join(f"{line!r}\n" for line in [*lines, ("end",)])

    def _client(self, text: str) -> str:
        if "'tries'" in text:
            heard: list[tuple[Any, ...]] = [("answer", 0, mac) for mac in self.macs]
            lines = [("route", "pub0", "10.10.0.100", ""), *heard, ("end",)]
            return "".join(f"{line!r}\n" for line in lines)
        return "(40001, 'timeout', 3.0, '')\n(40002, 'timeout', 3.0, '')\nend\n"


@pytest.fixture
def scene(fleet: Fleet, work: Work) -> tuple[VirtualService, Prober]:
    director, fake = fleet.director("lb1")
    client = FakeTransport("client")
    fleet.machines["client"] = client
    service, operation = virtual_services.create_virtual_service(
        SYSTEM,
        director=director,
        name="shop",
        vip="10.10.0.50",
        port=80,
        real_servers=[{"rip": "10.20.0.11", "port": 8080}, {"rip": "10.20.0.12", "port": 80}],
        apply=True,
    )
    assert operation is not None and work(operation).status == "succeeded"
    service.refresh_from_db()
    return service, Prober(fake, client)


def prove(service: VirtualService, work: Work) -> dict[str, Any]:
    operation = work(virtual_services.request_proof(SYSTEM, service))
    assert operation.status == "succeeded", (operation.error, operation.error_said)
    service.refresh_from_db()
    proof: dict[str, Any] = service.proof
    return proof


def with_client(service: VirtualService) -> None:
    Director.objects.update(probe_host=factories.HostFactory.create(name="client"))
    service.refresh_from_db()


def test_without_a_client_the_paths_alone_are_proved(
    scene: tuple[VirtualService, Prober], work: Work
) -> None:
    service, prober = scene
    proof = prove(service, work)
    assert (proof["verdict"], proof["paths"]["unreached"]) == ("reached", [])
    assert "owner" not in proof
    prober.paths[ONE] = RED
    proof = prove(service, work)
    assert (proof["verdict"], proof["paths"]["unreached"]) == ("partial", [ONE])
    found = {one["name"]: one["problem"] for one in proof["paths"]["servers"]}
    assert (found[ONE]["code"], found[TWO]) == ("no-return-route", None)


def test_unreached_server_alerts_after_two_proofs_and_resolves(
    scene: tuple[VirtualService, Prober], work: Work
) -> None:
    service, prober = scene
    prober.paths[ONE] = RED
    prove(service, work)
    assert not Alert.objects.exists()
    prove(service, work)
    alert = Alert.objects.open().get()
    assert alert.kind == "real-server-unreachable-through-path"
    assert alert.params["servers"] == ONE
    prober.paths[ONE] = GREEN
    prove(service, work)
    assert not Alert.objects.open().exists()


def test_server_without_weight_alerts_nobody(
    scene: tuple[VirtualService, Prober], work: Work
) -> None:
    service, prober = scene
    service.real_servers.filter(rip="10.20.0.11").update(weight=0)
    prober.paths[ONE] = RED
    assert prove(service, work)["verdict"] == "reached"
    prove(service, work)
    assert not Alert.objects.exists()


def test_thief_of_the_vip_is_named_and_told(
    scene: tuple[VirtualService, Prober], work: Work
) -> None:
    service, prober = scene
    with_client(service)
    assert prove(service, work)["owner"]["state"] == "director"
    prober.macs = [DIRECTOR_MAC, THIEF_MAC]
    owner = prove(service, work)["owner"]
    assert owner["state"] == "stolen"
    assert [(one["who"], one["is_director"]) for one in owner["answers"]] == [
        ("", True),
        ("10.20.0.11", False),
    ]
    prove(service, work)
    alert = Alert.objects.open().get(kind="vip-stolen")
    assert THIEF_MAC in alert.params["who"] and "10.20.0.11" in alert.params["who"]


def test_due_proofs_come_one_after_the_other_and_leave_no_audit(
    scene: tuple[VirtualService, Prober], work: Work
) -> None:
    service, _prober = scene
    other = factories.VirtualServiceFactory.create(
        director=service.director, name="second", vip="10.10.0.51", applied_generation=1
    )
    assert proving.begin_due() == 0, "off by default"
    Director.objects.update(prove_interval=300)
    audited = AuditEvent.objects.count()
    assert proving.begin_due() == 1
    assert proving.begin_due() == 0, "never two at once on one director"
    first = Operation.objects.live().get()
    assert work(first).status == "succeeded"
    assert proving.begin_due() == 1
    second = Operation.objects.live().get()
    assert {first.target_id, second.target_id} == {service.pk, other.pk}
    work(second)
    assert proving.begin_due() == 0, "not before the interval has passed"
    assert proving.begin_due(timezone.now() + timedelta(seconds=301)) == 1
    assert AuditEvent.objects.count() == audited


def test_proof_waits_while_the_director_is_being_changed(
    scene: tuple[VirtualService, Prober], work: Work
) -> None:
    service, _prober = scene
    Director.objects.update(prove_interval=300)
    apply = directors.request_apply(SYSTEM, service.director)
    assert proving.begin_due() == 0
    operation = work(virtual_services.request_proof(SYSTEM, service))
    assert (operation.status, operation.attempt) == ("queued", 0)
    assert f"waits for operation #{apply.pk}" in operation.error
    work(apply)
    Operation.objects.filter(pk=operation.pk).update(not_before=None)
    assert work(operation).status == "succeeded"


def test_journal_of_periodic_proofs_stays_short(
    scene: tuple[VirtualService, Prober], work: Work
) -> None:
    service, _prober = scene
    Director.objects.update(prove_interval=60)
    for minute in range(9):
        assert proving.begin_due(timezone.now() + timedelta(minutes=2 * minute)) == 1
        work(Operation.objects.live().get())
    assert Operation.objects.on(service).count() <= 7
