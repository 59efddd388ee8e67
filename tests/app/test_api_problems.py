"""Whatever goes wrong is answered as RFC 9457 problem details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from pytest_django.fixtures import Settings
from rest_framework.test import APIClient

from console.api.problem_types import DEFAULT_CODES, PROBLEM_TYPES
from console.errors import Busy, Stale, WrongState
from tests import factories
from tests.app.api_answers import assert_problem

Api = Callable[..., APIClient]
CREDENTIALS = "/api/v1/credentials/"


@pytest.mark.parametrize(
    "path", ["/api/v1/nothing/", "/api/v2/hosts/", "/api/", "/api/v1/hosts/x/"]
)
def test_address_that_is_none_is_a_problem_for_anybody(api: Api, path: str) -> None:
    assert_problem(api("anonymous").get(path), 404, "not-found")


def test_row_that_is_not_there_is_a_problem(api: Api) -> None:
    assert_problem(api().get("/api/v1/hosts/12345/"), 404, "not-found")


@pytest.mark.parametrize("pk", ["9" * 19, "9" * 30, "9" * 5000])
def test_number_beyond_64_bits_finds_nothing(api: Api, pk: str) -> None:
    assert_problem(api().get(f"/api/v1/hosts/{pk}/"), 404, "not-found")
    assert_problem(api().post(f"/api/v1/operations/{pk}/cancel/"), 404, "not-found")


def test_method_that_does_not_fit_names_those_that_do(api: Api) -> None:
    response = api().put("/api/v1/hosts/", {})
    assert_problem(response, 405, "method-not-allowed")
    assert "POST" in response["Allow"]


def test_wish_for_another_format_is_refused(api: Api) -> None:
    assert_problem(api().get("/api/v1/hosts/", HTTP_ACCEPT="text/html"), 406, "not-acceptable")


def test_document_of_another_kind_is_refused(api: Api) -> None:
    response = api().post(CREDENTIALS, "name=x", content_type="application/x-www-form-urlencoded")
    assert_problem(response, 415, "unsupported-media-type")


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"{'name': 1}",
        b"\xff\xfe",
        b'{"name": NaN}',
        b"[" * 100_000,
        b'{"a":' * 5_000 + b"1" + b"}" * 5_000,
        b"[" * 40 + b"]" * 40,
        b'{"port": ' + b"9" * 5_000 + b"}",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_body_that_cannot_be_read_is_refused(api: Api, body: bytes) -> None:
    assert_problem(api().post(CREDENTIALS, body, content_type="application/json"), 400, "malformed")


@pytest.mark.parametrize("body", ["[]", '"text"', "1", "null", "true"])
def test_body_that_is_no_object_is_refused(api: Api, body: str) -> None:
    assert_problem(api().post(CREDENTIALS, body, content_type="application/json"), 400, "invalid")


def test_body_beyond_the_limit_is_refused(api: Api, settings: Settings) -> None:
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 100
    assert_problem(api().post(CREDENTIALS, {"name": "a" * 200}), 413, "too-large")


def test_refused_fields_are_named_with_code_and_message(api: Api) -> None:
    document = assert_problem(
        api().post(CREDENTIALS, {"name": "", "kind": "ring"}),
        400,
        "invalid",
        "name",
        "kind",
        "secret",
    )
    codes = {error["field"]: error["code"] for error in document["errors"]}
    assert codes == {"name": "blank", "kind": "invalid_choice", "secret": "required"}


def test_field_that_does_not_exist_or_is_not_yours_is_refused(api: Api) -> None:
    sent = {"name": "a", "kind": "password", "secret": "b", "is_admin": True, "id": 7}
    document = assert_problem(api().post(CREDENTIALS, sent), 400, "invalid", "is_admin", "id")
    codes = {error["field"]: error["code"] for error in document["errors"]}
    assert codes == {"is_admin": "unknown_field", "id": "read_only"}


def test_lone_surrogate_comes_back_as_a_replacement(api: Api) -> None:
    response = api().post(
        CREDENTIALS, b'{"kind": "\\ud800", "\\udfff": 1}', content_type="application/json"
    )
    assert_problem(response, 400, "invalid", "?")


def test_bad_host_header_is_a_problem(api: Api) -> None:
    assert_problem(api().get("/api/v1/me/", HTTP_HOST="evil.example"), 400, "refused")


def test_failure_that_nobody_foresaw_is_a_problem_without_its_cause(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_args: object, **_known: object) -> None:
        raise RuntimeError("the inside of the console")

    monkeypatch.setattr("console.api.views.tenants.MeSerializer.to_representation", fail)
    client = api()
    client.raise_request_exception = False
    response = client.get("/api/v1/me/")
    document = assert_problem(response, 500, "error")
    assert "inside" not in str(document)
    assert response["X-Request-Id"]


@pytest.mark.parametrize(
    ("refuse", "status", "code"),
    [
        (lambda: WrongState("it is asleep"), 409, "wrong-state"),
        (Stale, 412, "stale"),
        (lambda: Busy(factories.OperationFactory.create()), 409, "busy"),
    ],
    ids=["wrong-state", "stale", "busy"],
)
def test_refused_verb_is_a_problem_of_its_own_code(
    api: Api,
    monkeypatch: pytest.MonkeyPatch,
    refuse: Callable[[], Exception],
    status: int,
    code: str,
) -> None:
    def refused(*_args: object, **_known: object) -> None:
        raise refuse()

    monkeypatch.setattr("console.actions.hosts.request_key_scan", refused)
    host = factories.HostFactory.create()
    document = assert_problem(api().post(f"/api/v1/hosts/{host.pk}/scan-key/"), status, code)
    assert ("operation" in document) == (code == "busy")


def test_browser_without_csrf_token_is_refused(cast: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.administrator)
    response = client.post(CREDENTIALS, "{}", content_type="application/json")
    assert_problem(response, 403, "csrf-failed")


def test_browser_with_csrf_token_comes_through(cast: Any) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(cast.administrator)
    client.get("/api/v1/docs/")
    response = client.post(
        CREDENTIALS,
        '{"name": "a", "kind": "password", "secret": "b"}',
        content_type="application/json",
        headers={"X-CSRFToken": client.cookies["csrftoken"].value},
    )
    assert response.status_code == 201


@pytest.mark.parametrize("code", list(PROBLEM_TYPES))
def test_type_of_a_problem_leads_to_its_description(api: Api, code: str) -> None:
    described = api("ray").get(f"/api/v1/problem-types/{code}/").json()
    assert described["code"] == code
    assert described["status"] == PROBLEM_TYPES[code].status
    assert described["title"] and described["remedy"]


def test_every_kind_of_problem_is_listed(api: Api) -> None:
    listed = api("ray").get("/api/v1/problem-types/").json()["results"]
    assert [row["code"] for row in listed] == list(PROBLEM_TYPES)
    assert_problem(api("ray").get("/api/v1/problem-types/none/"), 404, "not-found")


def test_status_without_a_code_of_its_own_has_a_default() -> None:
    assert all(PROBLEM_TYPES[code].status == status for status, code in DEFAULT_CODES.items())


@pytest.mark.parametrize("method", ["get", "post", "patch", "delete"])
def test_forgotten_slash_leads_on_and_keeps_method_and_body(api: Api, method: str) -> None:
    response = getattr(api("anonymous"), method)("/api/v1/hosts?q=a")
    assert (response.status_code, response["Location"][:15]) == (308, "/api/v1/hosts/?")


def test_options_names_the_methods(api: Api) -> None:
    response = api("ray").options("/api/v1/tokens/")
    assert (response.status_code, response["Allow"]) == (204, "GET, POST, HEAD, OPTIONS")
