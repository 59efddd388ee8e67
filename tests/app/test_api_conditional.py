"""ETag, If-None-Match, If-Match."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from rest_framework.test import APIClient

from console import changes
from console.models import Host, Tenant
from lvs.models import VirtualService
from tests import factories
from tests.app.api_answers import assert_problem

Api = Callable[..., APIClient]


def address_of(host: Host) -> str:
    return f"/api/v1/hosts/{host.pk}/"


def test_answer_that_the_client_has_is_not_sent_again(api: Api) -> None:
    host, program = factories.HostFactory.create(), api()
    etag = program.get(address_of(host))["ETag"]
    for known in (etag, f'"x", W/{etag}', "*"):
        response = program.get(address_of(host), HTTP_IF_NONE_MATCH=known)
        assert (response.status_code, response.content) == (304, b"")
        assert response["ETag"] == etag
    assert program.get(address_of(host), HTTP_IF_NONE_MATCH='"x"').status_code == 200


def test_observation_is_news_though_nobody_changed_the_row(api: Api) -> None:
    host, program = factories.HostFactory.create(), api()
    etag = program.get(address_of(host))["ETag"]
    Host.objects.update(reach=Host.Reach.UNREACHABLE)
    response = program.get(address_of(host), HTTP_IF_NONE_MATCH=etag)
    assert (response.status_code, response.json()["reach"]) == (200, "unreachable")


def test_observation_is_no_conflict(api: Api) -> None:
    host, program = factories.HostFactory.create(), api()
    etag = program.get(address_of(host))["ETag"]
    Host.objects.update(reach=Host.Reach.UNREACHABLE)
    response = program.patch(address_of(host), {"notes": "x"}, HTTP_IF_MATCH=etag)
    assert response.status_code == 200
    assert response["ETag"] != etag


def test_change_of_what_somebody_else_changed_is_refused(api: Api) -> None:
    host, program = factories.HostFactory.create(notes="first"), api()
    etag = program.get(address_of(host))["ETag"]
    changed = program.patch(address_of(host), {"notes": "theirs"}, HTTP_IF_MATCH=etag)
    assert changed.status_code == 200
    refused = program.patch(address_of(host), {"notes": "mine"}, HTTP_IF_MATCH=etag)
    assert_problem(refused, 412, "stale")
    host.refresh_from_db()
    assert host.notes == "theirs"
    again = program.patch(address_of(host), {"notes": "mine"}, HTTP_IF_MATCH=changed["ETag"])
    assert again.status_code == 200


def test_change_between_the_look_and_the_lock_is_seen(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    host = factories.HostFactory.create()
    program = api()
    etag = program.get(address_of(host))["ETag"]
    lock = changes.lock

    def overtaken(row: Any) -> Any:
        Host.objects.filter(pk=host.pk).update(version=host.version + 7)
        return lock(row)

    monkeypatch.setattr(changes, "lock", overtaken)
    assert_problem(
        program.patch(address_of(host), {"notes": "x"}, HTTP_IF_MATCH=etag), 412, "stale"
    )


@pytest.mark.parametrize(
    ("condition", "status"),
    [
        ("*", 200),
        ('"{version}"', 200),
        ('"x", "{version}-0123456789abcdef"', 200),
        ('W/"{version}"', 412),
        ('"{version}x"', 412),
        ("{version}", 412),
        ("", 412),
        ('"', 412),
        ('"٣"', 412),
    ],
)
def test_condition_is_compared_by_version(api: Api, condition: str, status: int) -> None:
    host = factories.HostFactory.create()
    header = condition.format(version=host.version)
    response = api().patch(address_of(host), {"notes": "x"}, HTTP_IF_MATCH=header)
    assert response.status_code == status


ROWS: list[tuple[Callable[[], Any], str, str]] = [
    (factories.HostFactory.create, "hosts/{}/", ""),
    (factories.CredentialFactory.create, "credentials/{}/", ""),
    (factories.DirectorFactory.create, "lvs/directors/{}/", ""),
    (factories.VirtualServiceFactory.create, "lvs/virtual-services/{}/", "?confirm={}"),
    (factories.RealServerFactory.create, "lvs/real-servers/{}/", ""),
]


@pytest.mark.parametrize(("make", "path", "query"), ROWS, ids=[row[1] for row in ROWS])
def test_row_is_deleted_only_as_it_was_read(
    api: Api, make: Callable[[], Any], path: str, query: str
) -> None:
    row, program = make(), api()
    address = f"/api/v1/{path.format(row.pk)}"
    etag = program.get(address)["ETag"]
    row.save()
    address += query.format(row)
    assert_problem(program.delete(address, HTTP_IF_MATCH=etag), 412, "stale")
    assert type(row).objects.filter(pk=row.pk).exists()
    assert program.delete(address, HTTP_IF_MATCH=f'"{row.version}"').status_code == 204
    assert not type(row).objects.filter(pk=row.pk).exists()


def test_answers_of_changes_carry_the_tag_of_the_next_reading(api: Api) -> None:
    program = api()
    made = program.post("/api/v1/tenants/", {"name": "quay"})
    assert program.get(made["Location"])["ETag"] == made["ETag"]
    changed = program.patch(made["Location"], {"name": "pier"}, HTTP_IF_MATCH=made["ETag"])
    assert program.get(made["Location"])["ETag"] == changed["ETag"]
    assert Tenant.objects.filter(name="pier").exists()


def test_service_is_stale_once_its_real_servers_moved(api: Api) -> None:
    service, program = factories.VirtualServiceFactory.create(), api()
    address = f"/api/v1/lvs/virtual-services/{service.pk}/"
    etag = program.get(address)["ETag"]
    added = program.post(f"{address}real-servers/", {"rip": "10.1.0.1", "port": 80})
    assert added.status_code == 201
    assert_problem(program.patch(address, {"real_servers": []}, HTTP_IF_MATCH=etag), 412, "stale")
    assert VirtualService.objects.get().real_servers.count() == 1
