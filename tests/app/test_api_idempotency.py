"""Idempotency-Key: sent twice, done once, answered alike."""

from __future__ import annotations

import threading
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from django.db import connections
from django.utils import timezone
from rest_framework.test import APIClient

from console.actions import credentials
from console.api import idempotency
from console.models import ApiToken, Credential, Host, IdempotentAnswer, Operation
from tests import factories
from tests.app.api_answers import assert_problem

Api = Callable[..., APIClient]
CREDENTIALS = "/api/v1/credentials/"
NEW = {"name": "a", "kind": "password", "secret": "b"}


def post(program: APIClient, address: str, body: Any = None, key: str = "k") -> Any:
    return program.post(address, body, HTTP_IDEMPOTENCY_KEY=key)


def test_same_key_and_document_give_the_same_answer_and_are_done_once(api: Api) -> None:
    program = api()
    first, second = (post(program, CREDENTIALS, NEW) for _ in range(2))
    assert (first.status_code, first.get(idempotency.REPLAYED)) == (201, None)
    assert (second.status_code, second[idempotency.REPLAYED]) == (201, "true")
    assert second.content == first.content
    for header in ("Location", "ETag", "Content-Type"):
        assert second[header] == first[header]
    assert Credential.objects.count() == 1


def test_document_that_is_only_spelt_otherwise_is_the_same(api: Api) -> None:
    program = api()
    first = post(program, CREDENTIALS, NEW)
    spelt = program.post(
        CREDENTIALS,
        '{ "secret": "b", "kind":"password",\n"name": "\\u0061"}',
        content_type="application/json",
        HTTP_IDEMPOTENCY_KEY="k",
    )
    assert spelt.json() == first.json()


@pytest.mark.parametrize(
    ("address", "body"),
    [
        (CREDENTIALS, {**NEW, "name": "other"}),
        ("/api/v1/tenants/", {"name": "a"}),
        ("/api/v1/credentials/generate/", {"name": "a"}),
    ],
)
def test_same_key_with_another_request_is_refused(
    api: Api, address: str, body: dict[str, Any]
) -> None:
    program = api()
    post(program, CREDENTIALS, NEW)
    assert_problem(post(program, address, body), 422, "idempotency-key-reused")
    assert Credential.objects.count() == 1


def test_keys_of_two_people_are_two_keys(api: Api) -> None:
    one, two = api("alice"), api("bob")
    body = {"name": "deploy", "scopes": ["read"]}
    before = ApiToken.objects.count()
    assert post(one, "/api/v1/tokens/", body).status_code == 201
    assert post(two, "/api/v1/tokens/", body).status_code == 201
    assert ApiToken.objects.count() == before + 2


def test_without_a_key_each_request_counts(api: Api) -> None:
    program = api()
    assert program.post(CREDENTIALS, NEW).status_code == 201
    assert_problem(program.post(CREDENTIALS, NEW), 400, "invalid", "name")
    assert not IdempotentAnswer.objects.exists()


def test_refusal_is_given_again_too(api: Api) -> None:
    program = api()
    body = {**NEW, "name": "no blanks please"}
    first, second = (post(program, CREDENTIALS, body) for _ in range(2))
    assert_problem(first, 400, "invalid", "name")
    assert_problem(second, 400, "invalid", "name")
    assert second[idempotency.REPLAYED] == "true"


def test_refusal_because_of_the_moment_is_not_kept(api: Api) -> None:
    program = api()
    host = factories.HostFactory.create()
    busy = factories.OperationFactory.create(target=host)
    address = f"/api/v1/hosts/{host.pk}/preflight/"
    assert_problem(post(program, address), 409, "busy")
    Operation.objects.filter(pk=busy.pk).update(status=Operation.Status.SUCCEEDED)
    assert post(program, address).status_code == 202


def test_request_that_is_still_being_answered_is_not_begun_again(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    program, again = api(), api()
    seen: list[Any] = []
    create = credentials.create_credential

    def slow(*args: Any, **values: Any) -> Credential:
        seen.append(post(again, CREDENTIALS, NEW))
        return create(*args, **values)

    monkeypatch.setattr(credentials, "create_credential", slow)
    assert post(program, CREDENTIALS, NEW).status_code == 201
    assert_problem(seen[0], 409, "idempotency-key-in-use")


def test_failure_that_nobody_foresaw_frees_the_key_and_undoes_the_work(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = api()
    program.raise_request_exception = False
    credential = factories.CredentialFactory.create()
    body = {"name": "h", "address": "192.0.2.1", "credential": credential.pk}
    with monkeypatch.context() as patched:
        patched.setattr(idempotency, "_keep", lambda *_: 1 / 0)
        assert_problem(post(program, "/api/v1/hosts/", body), 500, "error")
    assert not Host.objects.exists() and not Operation.objects.exists()
    assert post(program, "/api/v1/hosts/", body).status_code == 201


def test_claim_of_a_process_that_died_is_taken_over(api: Api) -> None:
    program = api()
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        post(program, CREDENTIALS, NEW)
        Credential.objects.all().delete()
        IdempotentAnswer.objects.update(status=None, headers={}, body="")
        assert_problem(post(program, CREDENTIALS, NEW), 409, "idempotency-key-in-use")
        traveller.shift(idempotency.ABANDONED_AFTER.total_seconds() + 1)
        assert post(program, CREDENTIALS, NEW).status_code == 201
    assert Credential.objects.count() == 1


def test_process_that_comes_back_too_late_undoes_its_work(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It slept for so long that somebody else took its claim over."""
    create = credentials.create_credential

    def overtaken(*args: Any, **values: Any) -> Credential:
        later = timezone.now() + timedelta(minutes=3)
        IdempotentAnswer.objects.update(created_at=later)
        return create(*args, **values)

    monkeypatch.setattr(credentials, "create_credential", overtaken)
    assert_problem(post(api(), CREDENTIALS, NEW), 409, "idempotency-key-in-use")
    assert not Credential.objects.exists()


def test_answers_are_kept_for_a_day(api: Api) -> None:
    program = api()
    with time_machine.travel(timezone.now(), tick=False) as traveller:
        first = post(program, CREDENTIALS, NEW)
        Credential.objects.all().delete()
        traveller.shift(timedelta(hours=23, minutes=59))
        assert post(program, CREDENTIALS, NEW).json() == first.json()
        traveller.shift(timedelta(minutes=2))
        assert post(program, CREDENTIALS, NEW).json()["id"] != first.json()["id"]
    assert IdempotentAnswer.objects.count() == 1


@pytest.mark.parametrize("key", ["", " ", "a b", "é", "a\tb", "a" * 256])
def test_key_that_is_none_is_refused(api: Api, key: str) -> None:
    response = post(api(), CREDENTIALS, NEW, key)
    assert_problem(response, 400, "invalid", "Idempotency-Key")
    assert not Credential.objects.exists()


def test_longest_key_is_taken(api: Api) -> None:
    assert post(api(), CREDENTIALS, NEW, "~" * 255).status_code == 201


def test_secret_that_is_shown_once_is_sealed_where_the_answer_is_kept(api: Api) -> None:
    program = api("alice")
    body = {"name": "deploy", "scopes": ["read"]}
    secret = post(program, "/api/v1/tokens/", body).json()["secret"]
    kept = IdempotentAnswer.objects.get()
    assert secret not in kept.body and "deploy" not in kept.body
    assert post(program, "/api/v1/tokens/", body).json()["secret"] == secret


@pytest.mark.django_db(transaction=True)
def test_two_requests_at_once_are_done_once(api: Api) -> None:
    """Real threads, real connections, on whichever database the tests run."""
    programs = [api() for _ in range(6)]
    together = threading.Barrier(6)
    statuses: list[int] = []

    def send(client: APIClient) -> None:
        together.wait()
        try:
            statuses.append(post(client, CREDENTIALS, NEW).status_code)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=send, args=[client]) for client in programs]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len(statuses) == 6
    assert set(statuses) <= {201, 409} and 201 in statuses
    assert Credential.objects.count() == 1
    assert post(programs[0], CREDENTIALS, NEW).status_code == 201
    assert Credential.objects.count() == 1


def test_operation_of_a_repeated_request_is_begun_once(
    api: Api, django_capture_on_commit_callbacks: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = api()
    sent: list[int] = []
    monkeypatch.setattr("console.operations.send", lambda pk, kind: sent.append(pk))
    credential = factories.CredentialFactory.create()
    body = {"name": "h", "address": "192.0.2.1", "credential": credential.pk}
    with django_capture_on_commit_callbacks(execute=True):
        answers = [post(program, "/api/v1/hosts/", body).json() for _ in range(3)]
    assert answers[0] == answers[1] == answers[2]
    assert sent == [Operation.objects.get().pk]
