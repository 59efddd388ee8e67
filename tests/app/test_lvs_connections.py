"""Searching a director's connection table: asked by a person or a program, never by itself."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from console.models import Operation
from lvs import poll
from lvs.models import Director
from tests.app import lvs_scene
from tests.app.conftest import Fleet
from tests.app.pages import get
from tests.fakes.director import FakeDirector

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
CAPTURE = Path(__file__).parents[1] / "captures" / "kernel-6.1.0_proc_net_ip_vs_conn.txt"


@pytest.fixture
def lb1(fleet: Fleet) -> tuple[Director, FakeDirector]:
    """A director that clients have connections through."""
    director, fake = fleet.director()
    (fake.root / "proc/net/ip_vs_conn").write_text(CAPTURE.read_text())
    return director, fake


def test_a_client_is_found_in_the_browser(
    browser: Callable[[str], Client], lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, _fake = lb1
    service = lvs_scene.shop(director, vip="10.10.0.51")
    client, path = browser("operator"), f"/load-balancing/directors/{director.pk}/connections/"
    assert "Nothing was searched for yet" in get(client, path).text
    answer = client.post(path, {"client": " 10.10.0.100 ", "service": service.pk, "state": ""})
    operation = Operation.objects.get()
    assert answer["Location"] == f"{path}?operation={operation.pk}"
    assert get(client, answer["Location"]).all("section", id="found")[0]["hx-get"]
    assert work(operation).status == "succeeded"
    page = get(client, answer["Location"])
    assert page.text.count("10.10.0.51:80") == 7
    assert "7 connections in all" in page.text
    assert "10.10.0.100/32 · shop" in page.text
    assert "persistence: where this client’s next connection goes" in page.text
    assert "hx-get" not in page.all("section", id="found")[0]


def test_a_program_finds_the_same(
    api: Callable[..., APIClient], lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, _fake = lb1
    begun = api().post(
        f"/api/v1/lvs/directors/{director.pk}/connections/", {"state": "ESTABLISHED"}
    )
    assert begun.status_code == 202
    result = work(Operation.objects.get()).result
    assert (result["total"], result["is_cut"]) == (3, False)
    assert result["connections"][0] == {
        "protocol": "TCP",
        "client": "10.10.0.100:33332",
        "virtual": "10.10.0.60:9000",
        "real_server": "10.20.0.11:9000",
        "state": "ESTABLISHED",
        "expires": 324,
        "is_template": False,
    }
    assert api().get(begun["Location"]).json()["result"]["total"] == 3


@pytest.mark.parametrize(
    ("asked", "field"),
    [
        ({}, "client"),
        ({"client": "everybody"}, "client"),
        ({"client": "fe80::1%eth0"}, "client"),
        ({"client": "10.0.0.0/40"}, "client"),
        ({"state": "HAPPY"}, "state"),
    ],
)
def test_what_cannot_be_searched_is_refused_at_its_field(
    api: Callable[..., APIClient],
    lb1: tuple[Director, FakeDirector],
    asked: dict[str, Any],
    field: str,
) -> None:
    answer = api().post(f"/api/v1/lvs/directors/{lb1[0].pk}/connections/", asked)
    assert answer.status_code == 400
    assert field in str(answer.json()["errors"])
    assert not Operation.objects.exists()


def test_a_service_of_another_director_is_refused(
    api: Callable[..., APIClient], lb1: tuple[Director, FakeDirector]
) -> None:
    other = lvs_scene.shop(lvs_scene.director("lb9"))
    answer = api().post(
        f"/api/v1/lvs/directors/{lb1[0].pk}/connections/", {"service": other.pk}
    )  # fmt: skip
    assert answer.status_code == 400


def test_a_search_that_does_not_end_says_what_to_do(
    browser: Callable[[str], Client],
    api: Callable[..., APIClient],
    lb1: tuple[Director, FakeDirector],
    work: Work,
) -> None:
    director, fake = lb1
    fake._tool("awk", "exit 124")
    api().post(f"/api/v1/lvs/directors/{director.pk}/connections/", {"client": "10.0.0.0/8"})
    operation = work(Operation.objects.get())
    assert (operation.status, operation.error_code) == ("failed", "not-searched")
    page = get(browser("operator"), f"/load-balancing/directors/{director.pk}/connections/")
    assert "the connection table could not be searched" in page.text
    assert "Try again when there are fewer connections" in page.text


def test_no_look_reads_the_connection_table(lb1: tuple[Director, FakeDirector]) -> None:
    director, fake = lb1
    poll.poll(director.pk)
    assert fake.calls
    assert not [call for call in fake.calls if "ip_vs_conn" in call.text]
