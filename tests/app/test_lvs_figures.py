"""What was counted, as pages and programs are shown it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from rest_framework.test import APIClient

from console.metrics import writing
from console.templatetags.figures import figure
from lvs.measures import DIRECTOR, SERVER, SERVICE
from lvs.models import Director, VirtualService
from tests import factories
from tests.app import lvs_scene
from tests.app.pages import get
from tests.conftest import Cast

pytestmark = pytest.mark.django_db

Api = Callable[..., APIClient]
Browser = Callable[[str], Client]
API = "/api/v1/lvs/"
PAGES = "/load-balancing/"


def counted(director: Director, service: VirtualService, *, out: bool = True, ago: int = 0) -> None:
    """Ten minutes of 10 connections, 1 kB in and 4 kB out a second on each real server."""
    servers = list(service.real_servers.all())
    begin = timezone.now().timestamp() - 600 - ago
    for offset in range(0, 601, 30):

        def numbers(times: int, offset: int = offset) -> list[int | None]:
            seen = [10 * offset * times, 60 * offset * times, 50 * offset * times,
                    1000 * offset * times, 4000 * offset * times]  # fmt: skip
            if not out:
                return [seen[0], seen[1], None, seen[3], None, 3 * times, 4 * times]
            return [*seen, 3 * times, 4 * times]

        at = begin + offset
        writing.record(DIRECTOR, at, {director.pk: [*numbers(len(servers)), 4096]}, 90)
        writing.record(SERVICE, at, {service.pk: numbers(len(servers))}, 90)
        writing.record(SERVER, at, {server.pk: numbers(1) for server in servers}, 90)


@pytest.fixture
def shop() -> VirtualService:
    return lvs_scene.shop(lvs_scene.director())


def line(body: dict[str, Any], metric: str) -> dict[str, Any]:
    return next(one for one in body["lines"] if one["metric"] == metric)


def test_program_reads_rates_totals_and_gaps(api: Api, shop: VirtualService) -> None:
    counted(shop.director, shop)
    answer = api().get(f"{API}virtual-services/{shop.pk}/metrics/")
    assert answer.status_code == 200
    body = answer.json()
    connections = line(body, "connections")
    assert {value for value in connections["average"] if value is not None} == {20.0}
    assert connections["average"][0] is None, "nothing was counted an hour ago"
    assert (connections["mean"], connections["total"], connections["unit"]) == (20.0, 12_000, "1/s")
    assert line(body, "active")["highest"] == 6
    assert len(body["times"]) == len(connections["average"]) == len(connections["peak"])
    assert body["counted_at"] is not None


def test_program_reads_each_real_server(api: Api, shop: VirtualService) -> None:
    counted(shop.director, shop)
    body = api().get(
        f"{API}virtual-services/{shop.pk}/metrics/",
        {"by": "real_server", "metric": "in_bytes", "points": "10"},
    ).json()  # fmt: skip
    servers = list(shop.real_servers.all())
    assert [(one["real_server"], one["address"], one["mean"]) for one in body["lines"]] == [
        (server.pk, server.address, 1000.0) for server in servers
    ]
    one = api().get(f"{API}real-servers/{servers[0].pk}/metrics/", {"metric": "connections"}).json()
    assert [found["mean"] for found in one["lines"]] == [10.0]
    whole = api().get(f"{API}directors/{shop.director_id}/metrics/").json()
    assert line(whole, "buckets")["mean"] == 4096


def test_answers_that_go_past_the_director_are_marked_and_not_zero(
    api: Api, browser: Browser, shop: VirtualService
) -> None:
    shop.forwarding = "route"
    shop.save()
    counted(shop.director, shop, out=False)
    body = api().get(f"{API}virtual-services/{shop.pk}/metrics/").json()
    assert [one["metric"] for one in body["lines"] if one["is_one_way"]] == [
        "out_packets", "out_bytes",
    ]  # fmt: skip
    assert set(line(body, "out_bytes")["average"]) == {None}
    page = get(browser("operator"), f"{PAGES}virtual-services/{shop.pk}/")
    assert "Answers do not pass the director" in page.text
    assert page.text.count("not seen by the director") == 2


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"from": "yesterday"}, "from"),
        ({"from": "2026-01-01T00:00:00"}, "from"),
        ({"from": "2020-01-01T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ({"from": "2026-01-02T00:00:00Z", "to": "2026-01-01T00:00:00Z"}, "from"),
        ({"to": "2026-13-01T00:00:00Z"}, "to"),
        ({"metric": "beauty"}, "metric"),
        ({"points": "0"}, "points"),
        ({"points": "many"}, "points"),
        ({"by": "colour"}, "by"),
    ],
)
def test_what_is_asked_wrongly_is_refused_at_its_field(
    api: Api, shop: VirtualService, query: dict[str, str], field: str
) -> None:
    answer = api().get(f"{API}virtual-services/{shop.pk}/metrics/", query)
    assert answer.status_code == 400
    assert list(answer.json()["errors"]) == [field] or field in str(answer.json()["errors"])


def test_page_has_graphs_a_table_and_live_figures(browser: Browser, shop: VirtualService) -> None:
    counted(shop.director, shop)
    client = browser("operator")
    page = get(client, f"{PAGES}virtual-services/{shop.pk}/")
    (section,) = page.all("section", id="statistics")
    assert section["data-graphs"] == f"{API}virtual-services/{shop.pk}/metrics/"
    assert len(page.all("div", class_="graph")) == 4
    assert "20/s" in page.text, "the table has what the graphs draw"
    assert "8 kB/s" in page.text
    assert "Traffic now" in page.text
    part = lvs_scene.part(client, f"{PAGES}virtual-services/{shop.pk}/")
    assert "Traffic now" in part.text, "figures are live"
    assert not part.all("section", id="statistics"), "graphs are not drawn anew every 5 s"
    week = get(
        client,
        f"{PAGES}virtual-services/{shop.pk}/",
        {"part": "statistics", "period": "week"},
        headers={"HX-Request": "true"},
    )
    (section,) = week.all("section", id="statistics")
    assert section["data-seconds"] == str(7 * 86400)
    director = get(client, f"{PAGES}directors/{shop.director_id}/")
    (section,) = director.all("section", id="statistics")
    assert section["data-graphs"] == f"{API}directors/{shop.director_id}/metrics/"


def test_page_says_when_nothing_was_counted_and_when_it_has_stopped(
    browser: Browser, shop: VirtualService
) -> None:
    client = browser("operator")
    page = get(client, f"{PAGES}virtual-services/{shop.pk}/")
    assert "Nothing has been counted yet" in page.text
    assert not page.all("div", class_="graph")
    counted(shop.director, shop, ago=3000)
    page = get(client, f"{PAGES}virtual-services/{shop.pk}/")
    assert "It has not been counted since" in page.text


def test_member_sees_the_figures_of_their_services(api: Api, browser: Browser, cast: Cast) -> None:
    service = factories.VirtualServiceFactory.create(tenant=cast.tenant)
    factories.RealServerFactory.create(virtual_service=service)
    counted(service.director, service)
    body = api("ray").get(f"{API}virtual-services/{service.pk}/metrics/").json()
    assert line(body, "connections")["mean"] == 10.0
    assert api("charlie").get(f"{API}virtual-services/{service.pk}/metrics/").status_code == 404
    assert "10/s" in get(browser("ray"), f"{PAGES}virtual-services/{service.pk}/").text


def test_no_page_reads_more_than_a_bounded_number_of_real_servers(
    api: Api, django_assert_max_num_queries: Any
) -> None:
    service = lvs_scene.shop(lvs_scene.director(), 0)
    factories.RealServerFactory.create_batch(60, virtual_service=service)
    counted(service.director, service)
    program = api()
    with django_assert_max_num_queries(14):
        body = program.get(
            f"{API}virtual-services/{service.pk}/metrics/",
            {"by": "real_server", "metric": "connections"},
        ).json()
    assert len(body["lines"]) == 24


@pytest.mark.parametrize(
    ("value", "unit", "expected"),
    [
        (None, "1/s", "–"),
        (0.0, "1/s", "0/s"),
        (12.345, "1/s", "12.3/s"),
        (1.234, "1/s", "1.23/s"),
        (1234.5, "", "1,234"),
        (4_560_000.0, "B/s", "4.56 MB/s"),
        (999.7, "B/s", "1.00 kB/s"),
        (17.0, "B", "17 B"),
    ],
)
def test_figures_have_three_digits_and_a_unit(
    value: float | None, unit: str, expected: str
) -> None:
    assert figure(value, unit).replace("\xa0", " ") == expected


def test_a_director_is_not_read_more_often_than_its_size_allows() -> None:
    from lvs.figures import counting_interval

    director = lvs_scene.director()
    assert counting_interval(director) == 30
    director.table_size = 20_000
    assert timedelta(seconds=counting_interval(director)) == timedelta(minutes=10)
