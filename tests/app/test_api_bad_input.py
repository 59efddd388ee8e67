"""Hostile documents: refused by field and rule, nothing half-saved, never a failure."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from django.apps import apps
from rest_framework.test import APIClient

from lvs.models import Director
from tests import factories
from tests.app.api_answers import assert_problem

Api = Callable[..., APIClient]
LONG = "a" * 10_000
HUGE = 2**63
BEYOND = 10**400


def counts() -> dict[str, int]:
    """How many rows each of our tables holds."""
    models = [
        *apps.get_app_config("console").get_models(),
        *apps.get_app_config("lvs").get_models(),
    ]
    return {model._meta.label: model._default_manager.count() for model in models}


def server(**values: Any) -> dict[str, Any]:
    return {"rip": "10.1.0.1", "port": 80, **values}


#: What is changed in a service that is right, and the field that has to be named.
SERVICES: list[tuple[dict[str, Any], str]] = [
    ({"name": LONG}, "name"),
    ({"name": "web\n"}, "name"),
    ({"name": "we\x00b"}, "name"),
    ({"name": " web"}, "name"),
    ({"name": ""}, "name"),
    ({"name": None}, "name"),
    ({"name": ["web"]}, "name"),
    ({"name": {"a": 1}}, "name"),
    ({"vip": "10.0.0.256"}, "vip"),
    ({"vip": "10.0.0.1/24"}, "vip"),
    ({"vip": "10.0.0.01"}, "vip"),
    ({"vip": "fe80::1%eth0"}, "vip"),
    ({"vip": "0.0.0.0"}, "vip"),
    ({"vip": "224.0.0.1"}, "vip"),
    ({"vip": "127.0.0.1"}, "vip"),
    ({"vip": "example.org"}, "vip"),
    ({"vip": 167772161}, "vip"),
    ({"vip": LONG}, "vip"),
    ({"port": 0}, "port"),
    ({"port": -1}, "port"),
    ({"port": 65536}, "port"),
    ({"port": HUGE}, "port"),
    ({"port": BEYOND}, "port"),
    ({"port": 1.5}, "port"),
    ({"port": "http"}, "port"),
    ({"port": True}, "port"),
    ({"port": None}, "port"),
    ({"protocol": "dccp"}, "protocol"),
    ({"protocol": ["tcp"]}, "protocol"),
    ({"protocol": {}}, "protocol"),
    ({"forwarding": "dsr"}, "forwarding"),
    ({"scheduler": "best"}, "scheduler"),
    ({"scheduler": "wlc -f"}, "scheduler"),
    ({"scheduler": "wlc\n-C"}, "scheduler"),
    ({"scheduler_flags": "flag-9"}, "scheduler_flags"),
    ({"persistence_timeout": 0}, "persistence_timeout"),
    ({"persistence_timeout": 2678401}, "persistence_timeout"),
    ({"persistence_timeout": 60, "persistence_prefix": 33}, "persistence_prefix"),
    ({"persistence_prefix": 24}, "persistence_prefix"),
    ({"is_one_packet": True}, "is_one_packet"),
    ({"is_one_packet": "perhaps"}, "is_one_packet"),
    ({"is_vip_managed": None}, "is_vip_managed"),
    ({"director": HUGE}, "director"),
    ({"director": BEYOND}, "director"),
    ({"director": 0}, "director"),
    ({"director": "1"}, "director"),
    ({"director": True}, "director"),
    ({"director": [1]}, "director"),
    ({"tenant": 999_999}, "tenant"),
    ({"apply": "now"}, "apply"),
    ({"provisioning_status": "active"}, "provisioning_status"),
    ({"applied_generation": 9}, "applied_generation"),
    ({"generation": 9}, "generation"),
    ({"version": 9}, "version"),
    ({"__class__": "x"}, "__class__"),
    ({"director__host": 1}, "director__host"),
    ({"real_servers": {}}, "real_servers"),
    ({"real_servers": "10.1.0.1"}, "real_servers"),
    ({"real_servers": None}, "real_servers"),
    ({"real_servers": ["10.1.0.1"]}, "real_servers.0"),
    ({"real_servers": [server(rip="10.1.0")]}, "real_servers.0.rip"),
    ({"real_servers": [server(), server(port=0)]}, "real_servers.1.port"),
    ({"real_servers": [server(), server()]}, "real_servers.1.rip"),
    ({"real_servers": [server(rip="198.51.100.1")]}, "real_servers.0.rip"),
    ({"real_servers": [server(rip="fd00::1")]}, "real_servers.0.rip"),
    ({"real_servers": [server(weight=-1)]}, "real_servers.0.weight"),
    ({"real_servers": [server(weight=2147483648)]}, "real_servers.0.weight"),
    ({"real_servers": [server(weight=HUGE)]}, "real_servers.0.weight"),
    ({"real_servers": [server(upper_threshold=HUGE)]}, "real_servers.0.upper_threshold"),
    ({"real_servers": [server(forwarding="ipip")]}, "real_servers.0.forwarding"),
    ({"real_servers": [server(id=999_999)]}, "real_servers.0.id"),
    ({"real_servers": [server(id=HUGE)]}, "real_servers.0.id"),
    ({"real_servers": [server(virtual_service=1)]}, "real_servers.0.virtual_service"),
    (
        {"forwarding": "route", "real_servers": [server(port=8080)]},
        "real_servers.0.port",
    ),
]


def right(director: Director) -> dict[str, Any]:
    return {
        "director": director.pk,
        "name": "web",
        "vip": "198.51.100.1",
        "port": 80,
        "real_servers": [server()],
    }


def name_of(case: tuple[dict[str, Any], str]) -> str:
    return f"{case[1]}={json.dumps(case[0])[:50]}"


def send(program: APIClient, method: str, address: str, document: Any) -> Any:
    """As any program might write it: `1e400` and lone surrogates included."""
    text = json.dumps(document)
    return program.generic(method, address, text, content_type="application/json")


@pytest.mark.parametrize(("values", "field"), SERVICES, ids=map(name_of, SERVICES))
def test_service_that_cannot_be_is_refused_whole(
    api: Api, values: dict[str, Any], field: str
) -> None:
    director = factories.DirectorFactory.create()
    program = api()
    before = counts()
    refused = send(program, "POST", "/api/v1/lvs/virtual-services/", right(director) | values)
    assert_problem(refused, 400, "invalid", field)
    assert counts() == before

    made = send(program, "POST", "/api/v1/lvs/virtual-services/", right(director))
    unchanged, counted = program.get(made["Location"]).json(), counts()
    refused = send(program, "PATCH", made["Location"], {"scheduler": "rr"} | values)
    assert_problem(refused, 400, "invalid", field)
    assert program.get(made["Location"]).json() == unchanged
    assert counts() == counted


def test_right_service_is_taken(api: Api) -> None:
    director = factories.DirectorFactory.create()
    response = send(api(), "POST", "/api/v1/lvs/virtual-services/", right(director))
    assert response.status_code == 201


@pytest.mark.parametrize(
    ("second", "field"),
    [
        ({"name": "web", "port": 81}, "name"),
        ({"name": "other"}, "vip"),
        ({"name": "other", "vip": "198.51.100.001", "port": 81}, "vip"),
    ],
)
def test_second_service_of_a_name_or_address_is_refused(
    api: Api, second: dict[str, Any], field: str
) -> None:
    director = factories.DirectorFactory.create()
    program = api()
    send(program, "POST", "/api/v1/lvs/virtual-services/", right(director))
    refused = send(program, "POST", "/api/v1/lvs/virtual-services/", {**right(director), **second})
    document = assert_problem(refused, 400, "invalid")
    assert field in str(document["errors"]) or document["errors"][0]["field"] == ""


def test_vip_of_another_director_is_refused(api: Api) -> None:
    program = api()
    one, two = factories.DirectorFactory.create(), factories.DirectorFactory.create()
    send(program, "POST", "/api/v1/lvs/virtual-services/", right(one))
    refused = send(program, "POST", "/api/v1/lvs/virtual-services/", {**right(two), "port": 8080})
    assert_problem(refused, 400, "invalid", "vip")


HOSTS: list[tuple[dict[str, Any], str]] = [
    ({"name": LONG}, "name"),
    ({"name": "a\nb"}, "name"),
    ({"name": "-a"}, "name"),
    ({"name": "Ünicode"}, "name"),
    ({"address": ""}, "address"),
    ({"address": "a b"}, "address"),
    ({"address": "a;reboot"}, "address"),
    ({"address": "-oProxyCommand=x"}, "address"),
    ({"address": "a\n"}, "address"),
    ({"address": LONG}, "address"),
    ({"port": 0}, "port"),
    ({"port": 70_000}, "port"),
    ({"port": HUGE}, "port"),
    ({"port": "22; reboot"}, "port"),
    ({"username": "root\n"}, "username"),
    ({"username": "ROOT"}, "username"),
    ({"username": "a" * 33}, "username"),
    ({"credential": 999_999}, "credential"),
    ({"credential": None}, "credential"),
    ({"credential": 1.5}, "credential"),
    ({"jump_host": HUGE}, "jump_host"),
    ({"jump_host": {"id": 1}}, "jump_host"),
    ({"notes": "a" * 4001}, "notes"),
    ({"notes": "\x00"}, "notes"),
    ({"trust": "pinned"}, "trust"),
    ({"host_key": "ssh-ed25519 AAAA"}, "host_key"),
    ({"operation": "x"}, "operation"),
]


@pytest.mark.parametrize(("values", "field"), HOSTS, ids=map(name_of, HOSTS))
def test_host_that_cannot_be_is_refused_whole(api: Api, values: dict[str, Any], field: str) -> None:
    credential = factories.CredentialFactory.create()
    program = api()
    sent = {"name": "a", "address": "192.0.2.1", "credential": credential.pk}
    before = counts()
    assert_problem(send(program, "POST", "/api/v1/hosts/", sent | values), 400, "invalid", field)
    assert counts() == before
    made = send(program, "POST", "/api/v1/hosts/", sent)
    unchanged = program.get(made["Location"]).json()
    assert_problem(send(program, "PATCH", made["Location"], values), 400, "invalid", field)
    assert program.get(made["Location"]).json() == unchanged


def test_host_that_is_reached_through_itself_is_refused(api: Api) -> None:
    program = api()
    host = factories.HostFactory.create()
    refused = program.patch(f"/api/v1/hosts/{host.pk}/", {"jump_host": host.pk})
    assert_problem(refused, 400, "invalid", "jump_host")


def test_name_that_is_taken_is_refused(api: Api) -> None:
    host = factories.HostFactory.create()
    sent = {"name": host.name, "address": "192.0.2.1", "credential": host.credential_id}
    assert_problem(api().post("/api/v1/hosts/", sent), 400, "invalid", "name")


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"kind": "key", "secret": "no key"}, "secret"),
        ({"kind": "key", "secret": "-----BEGIN OPENSSH PRIVATE KEY-----\n" + LONG}, "secret"),
        ({"kind": "password", "secret": "two\nlines"}, "secret"),
        ({"kind": "password", "secret": ""}, "secret"),
        ({"kind": "password", "secret": "a" * 32_769}, "secret"),
        ({"kind": "password", "secret": "\ud800"}, "secret"),
        ({"kind": "certificate", "secret": "x"}, "kind"),
        ({"kind": "password", "secret": "x", "public_key": "y"}, "public_key"),
    ],
)
def test_credential_that_cannot_be_is_refused(api: Api, values: dict[str, Any], field: str) -> None:
    program = api()
    before = counts()
    response = send(program, "POST", "/api/v1/credentials/", {"name": "a", **values})
    assert_problem(response, 400, "invalid", field)
    assert counts() == before


@pytest.mark.parametrize(
    "path",
    [
        "hosts/{}/",
        "credentials/{}/",
        "tenants/{}/",
        "tenants/{}/members/",
        "tokens/{}/",
        "alerts/{}/",
        "operations/{}/",
        "audit-events/{}/",
        "lvs/directors/{}/",
        "lvs/directors/{}/unmanaged/",
        "lvs/directors/{}/planned-changes/",
        "lvs/virtual-services/{}/",
        "lvs/virtual-services/{}/problems/",
        "lvs/virtual-services/{}/real-servers/",
        "lvs/real-servers/{}/",
    ],
)
def test_number_that_no_row_has_is_not_found(api: Api, path: str) -> None:
    program = api()
    for pk in ("0", str(HUGE), "9" * 60, "-1", "1.5", "%00", "a'b", "٣"):
        assert_problem(program.get(f"/api/v1/{path.format(pk)}"), 404, "not-found")
