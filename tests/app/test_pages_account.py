"""Tokens, tenants, sign-in and what machines ask of the console."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from rest_framework.test import APIClient

from console.models import ApiToken, AuditEvent, Membership, Tenant
from console.models.tokens import digest
from tests import factories
from tests.app.pages import Page, get
from tests.conftest import Cast

Browser = Callable[[str], Client]


def test_a_token_is_shown_once(browser: Browser, cast: Cast) -> None:
    client = browser("alice")
    form = {"name": "provisioning", "scopes": ["read", "operate"], "lifetime": "30"}
    page = Page(client.post("/tokens/new/", form))
    secret = next(found["data-copy"] for found in page.all("button") if "data-copy" in found)
    token = ApiToken.objects.get(user=cast.alice)
    assert digest(secret) == token.digest
    assert "no-store" in page.response["Cache-Control"]
    assert token.expires_at is not None
    assert 29 <= (token.expires_at - timezone.now()).days <= 30
    assert secret not in get(client, "/tokens/").html
    assert secret not in get(client, "/audit/").html


def test_a_token_without_scope_or_name_is_refused(browser: Browser) -> None:
    page = Page(browser("alice").post("/tokens/new/", {"name": "", "lifetime": "30"}))
    assert page.status == 200
    assert not ApiToken.objects.exists()


def test_a_token_may_live_until_it_is_revoked(browser: Browser) -> None:
    browser("alice").post("/tokens/new/", {"name": "x", "scopes": ["read"], "lifetime": ""})
    assert ApiToken.objects.get().expires_at is None


def test_nobody_sees_or_revokes_another_persons_token(browser: Browser, cast: Cast) -> None:
    token, _secret = factories.token_of(cast.alice, name="hers")
    client = browser("administrator")
    assert "hers" not in get(client, "/tokens/").text
    assert client.post(f"/tokens/{token.pk}/revoke/").status_code == 404


def test_a_revoked_token_offers_no_button(browser: Browser, cast: Cast) -> None:
    token, _secret = factories.token_of(cast.alice)
    client = browser("alice")
    revoke = f"/tokens/{token.pk}/revoke/"
    assert revoke in get(client, "/tokens/").posts()
    client.post(revoke)
    assert revoke not in get(client, "/tokens/").posts()


def test_a_tenant_is_made_renamed_and_suspended(browser: Browser) -> None:
    client = browser("administrator")
    client.post("/tenants/new/", {"name": "quay"})
    tenant = Tenant.objects.get(name="quay")
    client.post(
        f"/tenants/{tenant.pk}/edit/",
        {"name": "pier", "is_suspended": "on", "version": tenant.version},
    )
    tenant.refresh_from_db()
    assert (tenant.name, tenant.is_suspended) == ("pier", True)


def test_a_member_is_added_promoted_and_removed(browser: Browser, cast: Cast) -> None:
    client = browser("administrator")
    path = f"/tenants/{cast.tenant.pk}/members/"
    for role in ("viewer", "owner"):
        client.post(path, {"username": "charlie", "role": role})
        assert Membership.objects.get(tenant=cast.tenant, user=cast.charlie).role == role
    client.post(f"{path}{cast.charlie.pk}/remove/")
    assert not Membership.objects.filter(tenant=cast.tenant, user=cast.charlie).exists()


def test_an_unknown_member_is_refused_at_the_field(browser: Browser, cast: Cast) -> None:
    page = Page(
        browser("administrator").post(
            f"/tenants/{cast.tenant.pk}/members/", {"username": "nobody", "role": "viewer"}
        )
    )
    assert "Nobody has an account of that name." in page.text


def test_an_owner_sees_the_members_and_cannot_change_them(browser: Browser, cast: Cast) -> None:
    client = browser("alice")
    path = f"/tenants/{cast.tenant.pk}/"
    page = get(client, path)
    assert "ray" in page.text
    assert not [post for post in page.posts() if post.startswith("/tenants/")]
    answer = client.post(f"{path}members/", {"username": "charlie", "role": "owner"})
    assert answer.status_code == 403
    assert client.get(f"/tenants/{cast.other_tenant.pk}/").status_code == 404


def test_the_audit_list_says_who_what_and_from_where(browser: Browser, cast: Cast) -> None:
    client = browser("administrator")
    client.post("/tenants/new/", {"name": "quay"}, REMOTE_ADDR="192.0.2.44")
    page = get(client, "/audit/", {"verb": "tenant.create"})
    for words in ("administrator", "192.0.2.44", "tenant.create", "quay"):
        assert words in page.text
    assert AuditEvent.objects.get(verb="tenant.create").via == "browser"


def test_sign_in_with_the_wrong_password_says_nothing_of_the_account(db: None) -> None:
    factories.UserFactory.create(username="alice")
    for name in ("alice", "nobody"):
        page = Page(
            Client().post(reverse("account_login"), {"login": name, "password": "wrong password"})
        )
        assert "The username and/or password you specified are not correct." in page.text


def test_sign_in_works_and_goes_where_somebody_wanted(db: None) -> None:
    factories.UserFactory.create(username="alice")
    answer = Client().post(
        reverse("account_login") + "?next=/alerts/",
        {"login": "alice", "password": factories.PASSWORD, "next": "/alerts/"},
    )
    assert answer["Location"] == "/alerts/"


def test_nobody_signs_up_alone(db: None) -> None:
    page = get(Client(), reverse("account_signup"))
    assert not page.all("input", name="password1")


def test_a_totp_device_is_offered_with_a_drawn_code(browser: Browser) -> None:
    client = browser("ray")
    asked = client.get(reverse("mfa_activate_totp"), follow=True)
    client.post(asked.redirect_chain[-1][0], {"password": factories.PASSWORD})
    page = get(client, reverse("mfa_activate_totp"))
    assert page.all("img", class_="qr")[0]["src"].startswith("data:image/svg+xml")
    assert page.all("input", id="authenticator_secret")


def test_healthz_answers_anybody(db: None) -> None:
    answer = Client().get("/healthz")
    assert (answer.status_code, answer.content) == (200, b"ok\n")


def test_metrics_count_what_is_there(browser: Browser) -> None:
    factories.AlertFactory.create()
    factories.OperationFactory.create()
    lines = browser("auditor").get("/metrics").content.decode().splitlines()
    assert 'evenkeel_operations{status="queued"} 1.0' in lines
    assert 'evenkeel_operations{status="failed"} 0.0' in lines
    assert 'evenkeel_alerts_open{severity="warning"} 1.0' in lines
    assert 'evenkeel_hosts{reach="reachable"} 2.0' in lines


def test_prometheus_reads_metrics_with_a_token(api: Callable[..., APIClient]) -> None:
    accept = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5,*/*;q=0.1"
    answer = api("auditor", scopes=["read"]).get("/metrics", HTTP_ACCEPT=accept)
    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/plain")


@pytest.mark.parametrize("name", ["anonymous", "alice"])
def test_metrics_are_not_for_everybody(api: Callable[..., APIClient], name: str) -> None:
    assert api(name).get("/metrics").status_code in (401, 403)
