"""Operations over the API: waiting, cancelling, trying again, and what tenants see of them."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest
from django.db import connections
from rest_framework.test import APIClient, APIRequestFactory

from console.api import wait
from console.models import AuditEvent, Operation
from tests import factories
from tests.app.api_answers import assert_problem
from tests.conftest import Cast

Api = Callable[..., APIClient]


def address_of(operation: Operation) -> str:
    return f"/api/v1/operations/{operation.pk}/"


def test_operation_that_has_ended_is_answered_at_once(api: Api) -> None:
    operation = factories.OperationFactory.create(status=Operation.Status.SUCCEEDED)
    began = time.monotonic()
    response = api().get(address_of(operation), HTTP_PREFER="wait=30")
    assert time.monotonic() - began < 5
    assert response["Preference-Applied"] == "wait=30"
    assert (response.json()["status"], response.json()["is_live"]) == ("succeeded", False)


@pytest.mark.django_db(transaction=True)
def test_answer_comes_when_the_operation_ends(api: Api) -> None:
    operation, program = factories.OperationFactory.create(), api()

    def finish() -> None:
        time.sleep(0.6)
        Operation.objects.update(status=Operation.Status.FAILED, error="no")
        connections.close_all()

    worker = threading.Thread(target=finish)
    began = time.monotonic()
    worker.start()
    response = program.get(address_of(operation), HTTP_PREFER="respond-async, wait=20")
    took = time.monotonic() - began
    worker.join()
    assert response.json()["status"] == "failed"
    assert 0.5 < took < 10


def test_answer_comes_when_the_time_is_over(api: Api) -> None:
    operation = factories.OperationFactory.create()
    began = time.monotonic()
    response = api().get(address_of(operation), HTTP_PREFER="wait=1")
    assert time.monotonic() - began >= 1
    assert (response.status_code, response.json()["status"]) == (200, "queued")


@pytest.mark.parametrize(
    ("prefer", "seconds"),
    [
        ("wait=30", 30),
        ("return=minimal; foo, WAIT = 5", 5),
        ('wait="7"', 7),
        ("wait=0", 0),
        ("wait=100000", wait.MAX_WAIT),
        ("wait=-1", None),
        ("wait=1.5", None),
        ("wait=", None),
        ("wait=99999999999999999999", None),
        ("await=5", None),
        ("", None),
    ],
)
def test_preference_is_read_as_seconds(prefer: str, seconds: int | None) -> None:
    request = APIRequestFactory().get("/", headers={"Prefer": prefer})
    assert wait.wanted_wait(request) == seconds


def test_wait_without_a_preference_is_none(api: Api) -> None:
    operation = factories.OperationFactory.create()
    assert "Preference-Applied" not in api().get(address_of(operation))


def test_nobody_waits_for_what_is_not_theirs(api: Api) -> None:
    operation = factories.OperationFactory.create()
    response = api("alice").get(address_of(operation), HTTP_PREFER="wait=30")
    assert_problem(response, 404, "not-found")


def test_waiting_operation_is_cancelled_at_once(api: Api) -> None:
    operation = factories.OperationFactory.create()
    response = api().post(f"{address_of(operation)}cancel/")
    assert (response.status_code, response.json()["status"]) == (200, "cancelled")
    assert AuditEvent.objects.filter(verb="operation.cancel").exists()


def test_ended_operation_cannot_be_cancelled(api: Api) -> None:
    operation = factories.OperationFactory.create(status=Operation.Status.SUCCEEDED)
    assert_problem(api().post(f"{address_of(operation)}cancel/"), 409, "wrong-state")


def test_failed_operation_is_asked_for_again(api: Api) -> None:
    operation = factories.OperationFactory.create(status=Operation.Status.FAILED)
    response = api().post(f"{address_of(operation)}retry/")
    assert response.status_code == 202
    again = api().get(response["Location"]).json()
    assert (again["retry_of"], again["status"]) == (operation.pk, "queued")
    assert again["url"] == response["Location"]


def test_operation_on_what_is_gone_cannot_be_asked_for_again(api: Api) -> None:
    operation = factories.OperationFactory.create(status=Operation.Status.FAILED, target_id=999_999)
    assert_problem(api().post(f"{address_of(operation)}retry/"), 400, "invalid", "")


def test_second_live_operation_names_the_first(api: Api) -> None:
    first = factories.OperationFactory.create()
    document = assert_problem(api().post(f"/api/v1/hosts/{first.target_id}/scan-key/"), 409, "busy")
    assert document["operation"].endswith(address_of(first))
    assert str(first.pk) in document["detail"]


def make_step(cast: Cast) -> Operation:
    service = factories.VirtualServiceFactory.create(tenant=cast.tenant)
    operation = factories.OperationFactory.create(
        target=service, parameters={"services": [7]}, error_said="ipvsadm: no"
    )
    factories.StepFactory.create(
        operation=operation, command="ipvsadm -R", stdin="-A x", stderr="oops", machine="lb1"
    )
    return operation


def test_staff_sees_commands_and_output(api: Api, cast: Cast) -> None:
    document = api("auditor").get(address_of(make_step(cast))).json()
    step = document["steps"][0]
    assert (step["command"], step["stdin"], step["stderr"]) == ("ipvsadm -R", "-A x", "oops")
    assert (document["parameters"], document["error_said"]) == ({"services": [7]}, "ipvsadm: no")


@pytest.mark.parametrize("name", ["alice", "bob", "ray"])
def test_tenant_sees_steps_without_commands_and_output(api: Api, cast: Cast, name: str) -> None:
    document = api(name).get(address_of(make_step(cast))).json()
    step = document["steps"][0]
    assert (step["title"], step["status"], step["exit_code"]) == ("Look", "succeeded", 0)
    shown = {name: step[name] for name in ("command", "stdin", "stdout", "stderr", "machine")}
    assert set(shown.values()) == {""}
    assert (document["parameters"], document["error_said"]) == ({}, "")


def test_steps_of_a_listed_operation_are_not_read(api: Api, cast: Cast) -> None:
    make_step(cast)
    assert "steps" not in api().get("/api/v1/operations/").json()["results"][0]
