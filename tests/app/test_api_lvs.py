"""Directors, virtual services and real servers over the API, against a fake director."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from console.models import Operation
from lvs.models import Director, RealServer, VirtualService
from tests import factories
from tests.app.api_answers import assert_problem
from tests.app.conftest import Fleet
from tests.conftest import Cast

Api = Callable[..., APIClient]
Work = Callable[[Operation], Operation]
SERVICES = "/api/v1/lvs/virtual-services/"
SERVERS = "/api/v1/lvs/real-servers/"
TABLE = [
    "-A -t 10.10.0.51:80 -s wlc",
    "-a -t 10.10.0.51:80 -r 10.20.0.11:8080 -m -w 3",
    "-A -u 10.10.0.53:53 -s rr -o",
    "-A -f 7 -s rr",
]


def new_service(director: Director, **values: Any) -> dict[str, Any]:
    return {
        "director": director.pk,
        "name": "web",
        "protocol": "tcp",
        "vip": "10.10.0.50",
        "port": 80,
        "real_servers": [
            {"rip": "10.20.0.11", "port": 8080},
            {"rip": "10.20.0.12", "port": 8080, "weight": 2},
        ],
        **values,
    }


def seen(director: Director, lines: list[str]) -> Director:
    director.set_observed_lines(lines)
    director.save()
    return director


def operation_at(address: str) -> Operation:
    return Operation.objects.get(pk=int(address.rstrip("/").rpartition("/")[2]))


def test_service_is_declared_shown_as_a_plan_applied_and_seen(
    api: Api, fleet: Fleet, work: Work
) -> None:
    director, _machine = fleet.director()
    program = api()
    made = program.post(SERVICES, new_service(director))
    assert made.status_code == 201
    assert (made.json()["provisioning_status"], made.json()["operation"]) == ("pending", None)
    address = made["Location"]

    plan = program.get(f"{address}planned-changes/").json()
    lines = [line for step in plan["steps"] for line in step["lines"]]
    assert plan["removals"] == 0
    assert {"-A -t 10.10.0.50:80 -s wlc"} <= {line["text"] for line in lines}
    assert {line["effect"] for line in lines} == {"add"}

    begun = program.post(f"/api/v1/lvs/directors/{director.pk}/apply/")
    assert (begun.status_code, begun.json()["kind"]) == (202, "director.apply")
    assert program.get(address).json()["operation"] == begun["Location"]
    assert work(operation_at(begun["Location"])).status == "succeeded"

    document = program.get(address).json()
    assert (document["provisioning_status"], document["operation"]) == ("active", None)
    assert document["applied_generation"] == document["generation"]
    assert document["live"]["is_present"] is True
    assert document["live"]["real_servers"]["10.20.0.12:8080"]["weight"] == 2
    assert program.get(f"{address}planned-changes/").json()["steps"] == []


def test_service_is_declared_and_applied_in_one_request(api: Api, fleet: Fleet, work: Work) -> None:
    director, _machine = fleet.director()
    program = api()
    made = program.post(SERVICES, new_service(director, apply=True)).json()
    assert work(operation_at(made["operation"])).status == "succeeded"
    address = f"{SERVICES}{made['id']}/"
    kept = program.get(address).json()["real_servers"][0]
    changed = program.patch(
        address, {"scheduler": "rr", "real_servers": [{**kept, "weight": 0}], "apply": True}
    )
    assert changed.status_code == 200
    assert work(operation_at(changed.json()["operation"])).status == "succeeded"
    live = program.get(address).json()["live"]["real_servers"]
    assert {name: server["weight"] for name, server in live.items()} == {"10.20.0.11:8080": 0}


def test_service_is_removed_by_name_and_kept_until_then(api: Api, fleet: Fleet, work: Work) -> None:
    director, _machine = fleet.director()
    program = api()
    made = program.post(SERVICES, new_service(director, apply=True)).json()
    work(operation_at(made["operation"]))
    address = f"{SERVICES}{made['id']}/"

    assert_problem(program.delete(address), 400, "invalid", "confirm")
    assert_problem(program.delete(address, {"confirm": "wrong"}), 400, "invalid", "confirm")
    begun = program.delete(address, {"confirm": "web"})
    assert begun.status_code == 202
    assert program.post(f"{begun['Location']}cancel/").status_code == 200
    assert program.get(address).json()["removal_requested_at"] is not None
    kept = program.post(f"{address}keep/")
    assert (kept.status_code, kept.json()["removal_requested_at"]) == (200, None)
    assert_problem(program.post(f"{address}keep/"), 409, "wrong-state")

    begun = program.delete(f"{address}?confirm=web")
    assert work(operation_at(begun["Location"])).status == "succeeded"
    assert_problem(program.get(address), 404, "not-found")


def test_service_that_was_never_applied_is_gone_at_once(api: Api) -> None:
    service = factories.VirtualServiceFactory.create()
    response = api().delete(f"{SERVICES}{service.pk}/?confirm={service.name}")
    assert (response.status_code, response.content) == (204, b"")
    assert not VirtualService.objects.exists()


def test_real_servers_come_change_and_go(api: Api) -> None:
    service = factories.VirtualServiceFactory.create()
    program = api()
    address = f"{SERVICES}{service.pk}/real-servers/"
    made = program.post(address, {"rip": "10.1.0.1", "port": 8080})
    assert made.status_code == 201
    assert program.get(address).json()["results"] == [program.get(made["Location"]).json()]
    changed = program.patch(made["Location"], {"weight": 0, "apply": True})
    assert changed.json()["weight"] == 0
    operation = operation_at(changed.json()["operation"])
    assert (operation.kind, operation.target_id) == ("director.apply", service.director_id)
    Operation.objects.update(status=Operation.Status.SUCCEEDED)
    assert program.delete(made["Location"]).status_code == 204
    again = program.post(address, {"rip": "10.1.0.1", "port": 8080})
    begun = program.delete(again["Location"] + "?apply=true")
    assert begun.status_code == 202
    assert not RealServer.objects.exists()


def test_director_is_declared_on_a_pinned_host_and_looked_at(api: Api) -> None:
    program = api()
    host = factories.HostFactory.create(name="lb1")
    response = program.post(
        "/api/v1/lvs/directors/", {"host": host.pk, "vip_interface": "eth0", "policy": "observe"}
    )
    assert response.status_code == 201
    assert (response.json()["name"], response.json()["policy"]) == ("lb1", "observe")
    assert operation_at(response.json()["operation"]).kind == "director.observe"
    twice = program.post("/api/v1/lvs/directors/", {"host": host.pk, "vip_interface": "eth0"})
    assert_problem(twice, 400, "invalid", "host")
    unpinned = factories.HostFactory.create(trust="unpinned")
    refused = program.post("/api/v1/lvs/directors/", {"host": unpinned.pk, "vip_interface": "eth0"})
    assert_problem(refused, 400, "invalid", "host")


def test_director_changes_policy_and_goes_when_it_has_no_services(api: Api) -> None:
    service = factories.VirtualServiceFactory.create()
    program, address = api(), f"/api/v1/lvs/directors/{service.director_id}/"
    assert program.patch(address, {"policy": "reconcile"}).json()["policy"] == "reconcile"
    assert_problem(program.delete(address), 409, "wrong-state")
    service.delete()
    assert program.delete(address).status_code == 204


def test_only_named_services_are_applied(api: Api) -> None:
    service = factories.VirtualServiceFactory.create()
    program = api()
    address = f"/api/v1/lvs/directors/{service.director_id}/apply/"
    assert_problem(program.post(address, {"services": []}), 400, "invalid", "services")
    assert_problem(program.post(address, {"services": [0]}), 400, "invalid", "services.0")
    begun = program.post(address, {"services": [service.pk]})
    assert begun.json()["parameters"] == {"services": [service.pk]}


def test_unmanaged_entries_are_listed_adopted_and_removed(api: Api) -> None:
    director = seen(factories.DirectorFactory.create(), TABLE)
    program = api()
    address = f"/api/v1/lvs/directors/{director.pk}/"
    listed = {row["key"]: row for row in program.get(f"{address}unmanaged/").json()["results"]}
    assert set(listed) == {"tcp:10.10.0.51:80", "udp:10.10.0.53:53", "fwmark:7"}
    assert listed["tcp:10.10.0.51:80"]["real_servers"] == 1
    assert listed["tcp:10.10.0.51:80"]["lines"][0].startswith("-A -t 10.10.0.51:80")
    assert not listed["fwmark:7"]["can_adopt"] and listed["fwmark:7"]["reason"]

    adopted = program.post(f"{address}adopt/", {"key": "tcp:10.10.0.51:80", "name": "shop"})
    document = adopted.json()
    assert (adopted.status_code, document["name"], document["vip"]) == (201, "shop", "10.10.0.51")
    assert [server["weight"] for server in document["real_servers"]] == [3]
    Operation.objects.update(status=Operation.Status.SUCCEEDED)

    remove = f"{address}remove-unmanaged/"
    refused = program.post(remove, {"key": "udp:10.10.0.53:53", "confirm": "yes"})
    assert_problem(refused, 400, "invalid", "confirm")
    begun = program.post(remove, {"key": "fwmark:7", "confirm": "fwmark:7"})
    assert begun.json()["kind"] == "director.remove_unmanaged"
    assert_problem(program.post(f"{address}adopt/", {"key": "tcp:1.2.3.4:5"}), 404, "not-found")


def test_one_packet_scheduling_and_nat_do_not_go_together(api: Api) -> None:
    program = api()
    lines = ["-A -u 10.10.0.53:53 -s rr -o", "-a -u 10.10.0.53:53 -r 10.20.0.9:53 -m -w 1"]
    director = seen(factories.DirectorFactory.create(), lines)
    address = f"/api/v1/lvs/directors/{director.pk}/"
    (row,) = program.get(f"{address}unmanaged/").json()["results"]
    assert not row["can_adopt"] and "one-packet" in row["reason"]
    values = {"director": director.pk, "name": "dns", "protocol": "udp", "vip": "10.10.0.54",
              "port": 53, "is_one_packet": True,
              "real_servers": [{"rip": "10.20.0.9", "port": 53}]}  # fmt: skip
    refused = program.post(SERVICES, values | {"forwarding": "masq"})
    assert_problem(refused, 400, "invalid", "is_one_packet")
    service = program.post(SERVICES, values | {"forwarding": "route"}).json()
    servers = f"{SERVICES}{service['id']}/real-servers/"
    more = {"rip": "10.20.0.8", "port": 53}
    refused = program.post(servers, more | {"forwarding": "masq"})
    assert_problem(refused, 400, "invalid", "forwarding")
    assert program.post(servers, more).status_code == 201


def test_unmanaged_entries_come_in_pages(api: Api) -> None:
    lines = [f"-A -t 10.10.1.{n}:80 -s rr" for n in range(1, 8)]
    director = seen(factories.DirectorFactory.create(), lines)
    program = api()
    address: str | None = f"/api/v1/lvs/directors/{director.pk}/unmanaged/?limit=3"
    keys = []
    while address:
        document = program.get(address).json()
        keys += [row["key"] for row in document["results"]]
        address = document["next"]
    assert keys == [f"tcp:10.10.1.{n}:80" for n in range(1, 8)]


def test_planned_changes_of_a_director_name_what_goes(api: Api) -> None:
    service = factories.VirtualServiceFactory.create(vip="10.10.0.51", port=80)
    seen(service.director, TABLE)
    plan = api().get(f"/api/v1/lvs/directors/{service.director_id}/planned-changes/").json()
    removed = [
        line["text"]
        for step in plan["steps"]
        for line in step["lines"]
        if line["effect"] == "remove"
    ]
    assert removed == ["-d -t 10.10.0.51:80 -r 10.20.0.11:8080"]
    assert plan["removals"] == 1
    assert any("ipvsadm" in step["command"] for step in plan["steps"])


def test_reasons_why_a_service_may_not_work_come_with_remedies(api: Api) -> None:
    service = factories.VirtualServiceFactory.create()
    listed = api().get(f"{SERVICES}{service.pk}/problems/").json()
    assert listed["next"] is None and listed["results"]
    assert all(row["code"] and row["message"] and row["remedy"] for row in listed["results"])


def test_proof_needs_a_service_that_was_applied(api: Api) -> None:
    program = api()
    service = factories.VirtualServiceFactory.create(applied_generation=0)
    address = f"{SERVICES}{service.pk}/prove/"
    assert_problem(program.post(address), 409, "wrong-state")
    service.applied_generation = 1
    service.save()
    begun = program.post(address)
    assert (begun.status_code, begun.json()["kind"]) == (202, "virtual_service.prove")


def test_busy_director_is_named(api: Api) -> None:
    service = factories.VirtualServiceFactory.create()
    program = api()
    first = program.post(f"/api/v1/lvs/directors/{service.director_id}/observe/")
    document = assert_problem(
        program.patch(f"{SERVICES}{service.pk}/", {"scheduler": "rr", "apply": True}), 409, "busy"
    )
    assert document["operation"] == first["Location"]
    service.refresh_from_db()
    assert service.scheduler == "wlc"


def test_member_works_on_the_tenants_services_only(api: Api, cast: Cast) -> None:
    mine = factories.VirtualServiceFactory.create(tenant=cast.tenant)
    theirs = factories.VirtualServiceFactory.create(tenant=cast.other_tenant)
    bob = api("bob")
    assert [row["id"] for row in bob.get(SERVICES).json()["results"]] == [mine.pk]
    assert_problem(bob.get(f"{SERVICES}{theirs.pk}/"), 404, "not-found")
    changed = bob.patch(f"{SERVICES}{mine.pk}/", {"scheduler": "rr", "apply": True})
    operation = bob.get(changed.json()["operation"]).json()
    assert (operation["tenant"], operation["parameters"]) == (cast.tenant.pk, {})
    moved = bob.patch(f"{SERVICES}{mine.pk}/", {"tenant": cast.other_tenant.pk})
    assert_problem(moved, 400, "invalid", "tenant")
    stolen = bob.post(
        f"/api/v1/lvs/directors/{theirs.director_id}/apply/", {"services": [theirs.pk]}
    )
    assert_problem(stolen, 404, "not-found")


@pytest.mark.parametrize("name", ["alice", "ray"])
def test_member_cannot_give_a_service_away(api: Api, cast: Cast, name: str) -> None:
    mine = factories.VirtualServiceFactory.create(tenant=cast.tenant)
    response = api(name).patch(f"{SERVICES}{mine.pk}/", {"tenant": None})
    assert_problem(response, 403, "forbidden")
    mine.refresh_from_db()
    assert mine.tenant == cast.tenant
