"""Hosts, credentials, tenants, tokens, alerts and the audit log over the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.utils import timezone, translation
from rest_framework.test import APIClient

from console.models import (
    AuditEvent,
    Credential,
    Host,
    Membership,
    Operation,
    Tenant,
)
from tests import factories
from tests.app.api_answers import assert_problem
from tests.conftest import Cast

Api = Callable[..., APIClient]


def test_host_is_declared_and_its_key_read(api: Api) -> None:
    credential, program = factories.CredentialFactory.create(), api()
    response = program.post(
        "/api/v1/hosts/",
        {"name": "lb1", "address": "2001:db8::1", "port": 2222, "credential": credential.pk},
    )
    host = Host.objects.get()
    assert response.status_code == 201
    assert response["Location"].endswith(f"/api/v1/hosts/{host.pk}/")
    document = response.json()
    assert (document["trust"], document["username"], document["port"]) == ("unpinned", "root", 2222)
    operation = program.get(document["operation"]).json()
    assert (operation["kind"], operation["target_id"]) == ("host.scan_key", host.pk)
    event = AuditEvent.objects.get(verb="host.create")
    assert (event.via, event.actor_label, event.outcome) == ("api", "administrator", "done")
    assert event.request_id == response["X-Request-Id"]


def test_host_says_which_operation_is_under_way(api: Api) -> None:
    host, program = factories.HostFactory.create(), api()
    address = f"/api/v1/hosts/{host.pk}/"
    assert program.get(address).json()["operation"] is None
    begun = program.post(f"{address}scan-key/")
    assert (begun.status_code, begun["Location"]) == (202, begun.json()["url"])
    assert program.get(address).json()["operation"] == begun["Location"]
    assert program.get("/api/v1/hosts/").json()["results"][0]["operation"] == begun["Location"]


def test_key_is_accepted_only_by_its_fingerprint(api: Api) -> None:
    host = factories.HostFactory.create(
        trust=Host.Trust.UNPINNED,
        host_key="",
        fingerprint="",
        offered_key=factories.HOST_KEY,
        offered_fingerprint=factories.FINGERPRINT,
    )
    address, program = f"/api/v1/hosts/{host.pk}/accept-key/", api()
    wrong = program.post(address, {"fingerprint": "SHA256:wrong"})
    assert_problem(wrong, 400, "invalid", "fingerprint")
    host.refresh_from_db()
    assert host.trust == Host.Trust.UNPINNED
    begun = program.post(address, {"fingerprint": factories.FINGERPRINT})
    assert (begun.status_code, begun.json()["kind"]) == (202, "host.preflight")
    host.refresh_from_db()
    assert (host.trust, host.host_key) == (Host.Trust.PINNED, factories.HOST_KEY)


def test_key_is_refused(api: Api) -> None:
    host = factories.HostFactory.create(
        trust=Host.Trust.CHANGED, offered_key="k", offered_fingerprint="f"
    )
    response = api().post(f"/api/v1/hosts/{host.pk}/refuse-key/")
    document = response.json()
    assert (response.status_code, document["offered_key"], document["trust"]) == (
        200,
        "",
        "changed",
    )


def test_preflight_is_asked_for_and_read(api: Api) -> None:
    report = {"facts": {"kernel": "6.1"}, "findings": []}
    host = factories.HostFactory.create(preflight=report, preflight_at=timezone.now())
    address, program = f"/api/v1/hosts/{host.pk}/preflight/", api()
    assert program.get(address).json()["preflight"] == report
    assert program.post(address).status_code == 202


def test_changed_address_unpins_the_key(api: Api) -> None:
    host = factories.HostFactory.create()
    response = api().patch(f"/api/v1/hosts/{host.pk}/", {"address": "192.0.2.99"})
    assert (response.json()["trust"], response.json()["fingerprint"]) == ("unpinned", "")


def test_host_in_use_is_not_deleted(api: Api) -> None:
    director = factories.DirectorFactory.create()
    response = api().delete(f"/api/v1/hosts/{director.host_id}/")
    assert_problem(response, 409, "wrong-state")
    assert Host.objects.filter(pk=director.host_id).exists()


@pytest.mark.parametrize("method", ["post", "patch", "get"])
def test_secrets_go_in_and_never_come_out(api: Api, method: str) -> None:
    program = api()
    secret = "correct horse battery staple"
    sent = {"name": "a", "kind": "password", "secret": secret, "passphrase": "stapler"}
    made = program.post("/api/v1/credentials/", sent)
    answers = [made.content]
    if method == "patch":
        answers.append(program.patch(made["Location"], {"secret": secret + "!"}).content)
    answers.append(program.get(made["Location"]).content)
    answers.append(program.get("/api/v1/credentials/").content)
    answers.append(program.get("/api/v1/audit-events/").content)
    assert not [answer for answer in answers if b"horse" in answer or b"stapler" in answer]
    stored = Credential.objects.get()
    assert stored.secret == secret + ("!" if method == "patch" else "")


def test_key_pair_is_made_and_only_its_public_half_shown(api: Api) -> None:
    response = api().post("/api/v1/credentials/generate/", {"name": "deploy"})
    assert response.status_code == 201
    assert response.json()["public_key"].startswith("ssh-ed25519 ")
    assert Credential.objects.get().secret not in response.content.decode()


def test_secret_is_kept_to_the_letter(api: Api) -> None:
    sent = {"name": "a", "kind": "password", "secret": "  blanks count  "}
    assert api().post("/api/v1/credentials/", sent).status_code == 201
    assert Credential.objects.get().secret == "  blanks count  "


def test_credential_in_use_is_not_deleted(api: Api) -> None:
    host = factories.HostFactory.create()
    response = api().delete(f"/api/v1/credentials/{host.credential_id}/")
    document = assert_problem(response, 409, "wrong-state")
    assert host.name in document["detail"]


def test_tenant_is_made_renamed_and_suspended(api: Api) -> None:
    program = api()
    made = program.post("/api/v1/tenants/", {"name": "quay"})
    changed = program.patch(made["Location"], {"name": "pier", "is_suspended": True})
    assert (changed.json()["name"], changed.json()["is_suspended"]) == ("pier", True)
    assert Tenant.objects.filter(name="pier", is_suspended=True).exists()


def test_members_come_change_and_go(api: Api, cast: Cast) -> None:
    program = api()
    members = f"/api/v1/tenants/{cast.tenant.pk}/members/"
    assert program.put(f"{members}charlie/", {"role": "viewer"}).json()["role"] == "viewer"
    assert program.put(f"{members}charlie/", {"role": "owner"}).json()["role"] == "owner"
    names = [row["username"] for row in program.get(members).json()["results"]]
    assert names == ["alice", "bob", "charlie", "ray"]
    assert program.delete(f"{members}charlie/").status_code == 204
    assert not Membership.objects.filter(tenant=cast.tenant, user=cast.charlie).exists()
    assert_problem(program.put(f"{members}nobody/", {"role": "owner"}), 404, "not-found")
    assert_problem(program.put(f"{members}ray/", {"role": "king"}), 400, "invalid", "role")


@pytest.mark.parametrize("username", ["alice", "nobody-of-that-name"])
def test_member_cannot_learn_who_has_an_account(api: Api, cast: Cast, username: str) -> None:
    address = f"/api/v1/tenants/{cast.tenant.pk}/members/{username}/"
    assert_problem(api("alice").put(address, {"role": "owner"}), 403, "forbidden")
    assert_problem(api("charlie").put(address, {"role": "owner"}), 404, "not-found")


@pytest.mark.parametrize(
    ("sent", "field"),
    [
        ({"name": "x", "scopes": []}, "scopes"),
        ({"name": "x", "scopes": ["root"]}, "scopes.0"),
        ({"name": "x", "scopes": "read"}, "scopes"),
        ({"name": "x" * 65, "scopes": ["read"]}, "name"),
        ({"name": "x", "scopes": ["read"], "expires_at": "2020-01-01T00:00:00Z"}, "expires_at"),
        ({"name": "x", "scopes": ["read"], "expires_at": "never"}, "expires_at"),
        ({"name": "x", "scopes": ["read"], "user": 1}, "user"),
    ],
)
def test_token_that_makes_no_sense_is_refused(api: Api, sent: dict[str, Any], field: str) -> None:
    assert_problem(api("alice").post("/api/v1/tokens/", sent), 400, "invalid", field)


def test_alert_speaks_in_the_language_that_is_asked_for(api: Api) -> None:
    alert = factories.AlertFactory.create()
    program = api()
    document = program.get(f"/api/v1/alerts/{alert.pk}/").json()
    assert document["title"] == f"{alert.target_label} cannot be reached"
    assert "no route to host" in document["detail"]
    assert document["runbook"] == "host-unreachable"
    with translation.override("en"):
        response = program.get(f"/api/v1/alerts/{alert.pk}/", HTTP_ACCEPT_LANGUAGE="zh-hans")
    assert response["Content-Language"] == "zh-hans"


def test_alert_is_acknowledged_once_by_name(api: Api) -> None:
    alert = factories.AlertFactory.create()
    address = f"/api/v1/alerts/{alert.pk}/acknowledge/"
    first = api("operator").post(address).json()
    second = api("administrator").post(address).json()
    assert first["acknowledged_by"] == second["acknowledged_by"] == "operator"
    assert first["resolved_at"] is None
    assert AuditEvent.objects.filter(verb="alert.acknowledge").count() == 1


def test_tenant_does_not_learn_from_where_staff_works(api: Api, cast: Cast) -> None:
    service = factories.VirtualServiceFactory.create(tenant=cast.tenant)
    event = factories.AuditEventFactory.create(target=service, address="203.0.113.9")
    address = f"/api/v1/audit-events/{event.pk}/"
    assert api("ray").get(address).json()["address"] == ""
    assert api("auditor").get(address).json()["address"] == "203.0.113.9"


def test_refused_change_leaves_nothing_behind(api: Api) -> None:
    host = factories.HostFactory.create(notes="before")
    sent = {"notes": "after", "address": "not an address"}
    assert_problem(api().patch(f"/api/v1/hosts/{host.pk}/", sent), 400, "invalid", "address")
    host.refresh_from_db()
    assert host.notes == "before"
    assert not AuditEvent.objects.exists() and not Operation.objects.exists()
