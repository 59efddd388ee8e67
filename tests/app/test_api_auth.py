"""Who may use the API: tokens, scopes, sessions, and how often."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.core.cache import cache
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings
from redis.exceptions import ConnectionError as RedisAway
from rest_framework.test import APIClient

from console.api import throttling
from console.models import ApiToken, AuditEvent
from tests import factories
from tests.app.api_answers import assert_problem
from tests.conftest import Cast

Api = Callable[..., APIClient]
ME = "/api/v1/me/"


def bearer(secret: str) -> dict[str, Any]:
    return {"HTTP_AUTHORIZATION": f"Bearer {secret}"}


def test_nobody_is_told_how_to_come_in(client: Client, db: None) -> None:
    response = client.get(ME)
    assert_problem(response, 401, "not-authenticated")
    assert response["WWW-Authenticate"] == 'Bearer realm="evenkeel"'


@pytest.mark.parametrize(
    "fields",
    [
        {"expires_at": timezone.now() - timedelta(seconds=1)},
        {"revoked_at": timezone.now()},
    ],
    ids=["expired", "revoked"],
)
def test_token_that_has_ended_is_refused(
    client: Client, cast: Cast, fields: dict[str, Any]
) -> None:
    _, secret = factories.token_of(cast.alice, **fields)
    response = client.get(ME, **bearer(secret))
    assert_problem(response, 401, "invalid-token")
    assert 'error="invalid_token"' in response["WWW-Authenticate"]


@pytest.mark.parametrize("secret", ["", "evk_wrong", "a b", "é", "\x00", "x" * 10_000])
def test_wrong_token_is_refused_even_beside_a_session(cast: Cast, secret: str) -> None:
    client = Client()
    client.force_login(cast.alice)
    assert_problem(client.get(ME, **bearer(secret)), 401, "invalid-token")


def test_token_of_a_person_who_left_is_refused(client: Client, cast: Cast) -> None:
    _, secret = factories.token_of(cast.alice)
    cast.alice.is_active = False
    cast.alice.save()
    assert_problem(client.get(ME, **bearer(secret)), 401, "invalid-token")


def test_last_use_is_written_at_most_once_a_minute(client: Client, cast: Cast) -> None:
    token, secret = factories.token_of(cast.alice)

    def used() -> Any:
        client.get(ME, **bearer(secret))
        token.refresh_from_db()
        return token.last_used_at

    with time_machine.travel(timezone.now(), tick=False) as traveller:
        first = used()
        assert first == timezone.now()
        traveller.shift(59)
        assert used() == first
        traveller.shift(2)
        assert used() == first + timedelta(seconds=61)


def test_only_the_digest_of_a_token_is_stored(api: Api) -> None:
    made = api("alice").post("/api/v1/tokens/", {"name": "deploy", "scopes": ["read"]})
    secret = made.json()["secret"]
    token = ApiToken.objects.get(pk=made.json()["id"])
    assert secret.startswith("evk_") and len(secret) > 40
    assert secret not in (str(vars(token)) + str(AuditEvent.objects.values()))
    assert "secret" not in api("alice").get(made["Location"]).json()


@pytest.mark.parametrize(
    ("scopes", "method", "status"),
    [
        (["read"], "get", 200),
        (["read"], "post", 403),
        (["operate"], "get", 403),
        (["admin"], "post", 400),
        (["read", "admin"], "post", 400),
    ],
)
def test_scope_decides_between_reading_and_changing(
    api: Api, scopes: list[str], method: str, status: int
) -> None:
    response = getattr(api("administrator", scopes=scopes), method)("/api/v1/tenants/")
    assert response.status_code == status
    if status == 403:
        assert_problem(response, 403, "insufficient-scope")


def test_verb_that_takes_more_than_the_scope_is_refused(api: Api) -> None:
    program = api("administrator", scopes=["read", "operate"])
    assert_problem(program.post("/api/v1/tenants/", {"name": "new"}), 403, "forbidden")


def test_token_cannot_make_a_token_that_reaches_further(api: Api) -> None:
    program = api("administrator", scopes=["read", "operate"])
    response = program.post("/api/v1/tokens/", {"name": "x", "scopes": ["read", "admin"]})
    assert 400 <= response.status_code < 500
    assert not ApiToken.objects.filter(name="x").exists()


def test_revoked_token_ends_at_once(api: Api) -> None:
    program = api("alice")
    pk = program.get("/api/v1/tokens/").json()["results"][0]["id"]
    assert program.delete(f"/api/v1/tokens/{pk}/").status_code == 204
    assert_problem(program.get(ME), 401, "invalid-token")


def test_tokens_of_others_do_not_exist(api: Api, cast: Cast) -> None:
    token, _ = factories.token_of(cast.bob)
    assert_problem(api("alice").delete(f"/api/v1/tokens/{token.pk}/"), 404, "not-found")
    assert_problem(api("administrator").get(f"/api/v1/tokens/{token.pk}/"), 404, "not-found")


def test_me_says_who_asks_and_what_for(api: Api, browser: Any, cast: Cast) -> None:
    assert api("ray", scopes=["read"]).get(ME).json() == {
        "username": "ray",
        "email": "ray@example.net",
        "staff_role": "",
        "scopes": ["read"],
        "memberships": [{"tenant": cast.tenant.pk, "name": "harbour", "role": "viewer"}],
    }
    session = browser("auditor").get(ME).json()
    assert (session["staff_role"], session["scopes"]) == ("auditor", None)


def test_member_of_a_suspended_tenant_is_nobody_there(api: Api, cast: Cast) -> None:
    cast.tenant.is_suspended = True
    cast.tenant.save()
    assert api("alice").get(ME).json()["memberships"] == []
    assert api("alice").get("/api/v1/tenants/").json()["results"] == []


@pytest.fixture
def two_a_minute(settings: Settings) -> None:
    rates = {"DEFAULT_THROTTLE_RATES": {"actor": "2/min"}}
    settings.REST_FRAMEWORK = {**settings.REST_FRAMEWORK, **rates}


@pytest.mark.usefixtures("two_a_minute")
def test_too_many_requests_have_to_wait_for_the_next_window(api: Api) -> None:
    alice, bob = api("alice"), api("bob")
    with time_machine.travel("2026-01-01T00:00:15Z", tick=False) as traveller:
        left = [alice.get(ME)["RateLimit-Remaining"] for _ in range(2)]
        refused = alice.get(ME)
        assert left == ["1", "0"]
        assert_problem(refused, 429, "throttled")
        assert (refused["Retry-After"], refused["RateLimit-Reset"]) == ("45", "45")
        assert bob.get(ME).status_code == 200
        traveller.shift(45)
        assert alice.get(ME).status_code == 200


@pytest.mark.usefixtures("two_a_minute")
def test_cache_that_is_away_lets_requests_pass(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_args: object, **_known: object) -> None:
        raise RedisAway("connection refused")

    monkeypatch.setattr(cache, "add", away)
    program = api("alice")
    assert [program.get(ME).status_code for _ in range(4)] == [200] * 4


@pytest.mark.parametrize(
    ("rate", "meaning"), [("1200/min", (1200, 60)), ("5/s", (5, 1)), ("10/Day", (10, 86400))]
)
def test_rate_is_read_as_requests_and_seconds(rate: str, meaning: tuple[int, int]) -> None:
    assert throttling.parse_rate(rate) == meaning
