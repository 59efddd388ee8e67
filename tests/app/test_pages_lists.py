"""Every list: filters and sort in the address, keyset pages, CSV, the states without rows."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from console.listing import PAGE_SIZE
from console.models import Host, Operation
from tests import factories
from tests.app.pages import get
from tests.conftest import Cast

Browser = Callable[[str], Client]


def test_pages_follow_each_other_without_gap_or_repeat(browser: Browser) -> None:
    factories.HostFactory.create_batch(PAGE_SIZE * 2 + 3)
    client = browser("operator")
    seen: list[str] = []
    path, query = "/hosts/", {"sort": "-name"}
    page = get(client, path, query)
    while True:
        seen += [found["href"] for found in page.all("a", class_="name")]
        following = page.all("a", rel="next")
        if not following:
            break
        page = get(client, path + following[0]["href"])
    rows = [f"/hosts/{pk}/" for pk in Host.objects.order_by("-name").values_list("pk", flat=True)]
    assert seen == rows


def test_previous_leads_back_to_the_same_rows(browser: Browser) -> None:
    factories.HostFactory.create_batch(PAGE_SIZE + 1)
    client = browser("operator")
    first = get(client, "/hosts/")
    second = get(client, "/hosts/" + first.all("a", rel="next")[0]["href"])
    again = get(client, "/hosts/" + second.all("a", rel="prev")[0]["href"])
    assert again.all("a", class_="name") == first.all("a", class_="name")


@pytest.mark.parametrize(
    "query",
    [
        {"cursor": "forged"},
        {"sort": "password"},
        {"sort": "-"},
        {"trust": "no such trust"},
        {"credential": "9" * 40},
        {"credential": "x"},
        {"q": "%_\\"},
    ],
)
def test_nonsense_in_the_address_is_no_error(browser: Browser, query: dict[str, str]) -> None:
    factories.HostFactory.create()
    get(browser("operator"), "/hosts/", query)


def test_filter_and_sort_stay_in_every_address(browser: Browser) -> None:
    factories.HostFactory.create_batch(PAGE_SIZE + 1, reach=Host.Reach.UNREACHABLE)
    page = get(browser("operator"), "/hosts/", {"reach": "unreachable", "sort": "-address"})
    following = page.all("a", rel="next")[0]["href"]
    assert "reach=unreachable" in following and "sort=-address" in following
    assert page.all("input", type="hidden", name="sort")[0]["value"] == "-address"
    assert any("format=csv" in link and "reach=unreachable" in link for link in page.links())


def test_filters_narrow_the_list(browser: Browser) -> None:
    away = factories.HostFactory.create(reach=Host.Reach.UNREACHABLE)
    factories.HostFactory.create()
    page = get(browser("operator"), "/hosts/", {"reach": "unreachable"})
    assert [found["href"] for found in page.all("a", class_="name")] == [f"/hosts/{away.pk}/"]


def test_a_filter_without_control_shows_as_a_chip(browser: Browser) -> None:
    operation = factories.OperationFactory.create()
    factories.OperationFactory.create()
    query = {"target_type": "console.host", "target_id": operation.target_id}
    page = get(browser("operator"), "/operations/", query)
    assert f"Object: {operation.target_id}" in page.text
    assert f"/operations/{operation.pk}/" in page.links()
    assert page.html.count('data-label="Operation"') == 1


def test_the_column_that_sorts_says_so(browser: Browser) -> None:
    factories.HostFactory.create()
    page = get(browser("operator"), "/hosts/", {"sort": "-address"})
    assert [found.get("aria-sort") for found in page.all("th") if "aria-sort" in found] == [
        "descending"
    ]
    assert any(link == "?sort=address" for link in page.links())


def test_csv_has_every_row_and_no_formula(browser: Browser, cast: Cast) -> None:
    factories.HostFactory.create_batch(PAGE_SIZE + 1)
    factories.AuditEventFactory.create(
        actor_label="=cmd|' /C calc'!A0", changes={"notes": ["", "@SUM(1)"]}
    )
    client = browser("administrator")
    hosts = _csv(client, "/hosts/")
    assert len(hosts) == 1 + Host.objects.count()
    assert hosts[0][:2] == ["Host", "Address"]
    cells = [cell for row in _csv(client, "/audit/") for cell in row]
    assert "'=cmd|' /C calc'!A0" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "@"))]


def _csv(client: Client, path: str) -> list[list[str]]:
    answer = client.get(path, {"format": "csv"})
    assert answer["Content-Type"] == "text/csv; charset=utf-8"
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return list(csv.reader(io.StringIO(text)))


@pytest.mark.parametrize(
    ("path", "words"),
    [
        ("/hosts/", "No host yet"),
        ("/credentials/", "No credential yet"),
        ("/operations/", "Nothing was asked for yet"),
        ("/alerts/", "No open alert"),
        ("/tokens/", "No token yet"),
        ("/audit/", "Nothing was done yet"),
    ],
)
def test_an_empty_list_says_what_to_do_first(browser: Browser, path: str, words: str) -> None:
    assert words in get(browser("administrator"), path).text


@pytest.mark.parametrize("path", ["/hosts/", "/operations/", "/alerts/", "/audit/", "/tokens/"])
def test_a_list_that_the_filter_emptied_offers_to_clear_it(browser: Browser, path: str) -> None:
    page = get(browser("administrator"), path, {"q": "nothing is called this"})
    assert "Nothing fits these filters" in page.text
    assert path in page.links()


def _rows(count: int) -> None:
    for _ in range(count):
        host = factories.HostFactory.create()
        factories.OperationFactory.create(target=host, status=Operation.Status.SUCCEEDED)
        factories.AlertFactory.create(target=host)
        factories.AuditEventFactory.create(target=host)
        factories.MembershipFactory.create()


@pytest.mark.parametrize(
    ("path", "queries"),
    [
        ("/", 20),
        ("/hosts/", 7),
        ("/credentials/", 7),
        ("/operations/", 7),
        ("/alerts/", 7),
        ("/audit/", 7),
        ("/tenants/", 7),
        ("/tokens/", 7),
    ],
)
def test_the_number_of_queries_does_not_grow_with_the_rows(
    browser: Browser, path: str, queries: int
) -> None:
    """Session, user, staff role, memberships and the two counters come with every page."""
    client = browser("operator")
    _rows(2)
    get(client, path)
    with CaptureQueriesContext(connection) as few:
        get(client, path)
    _rows(7)
    with CaptureQueriesContext(connection) as many:
        get(client, path)
    assert len(many) == len(few)
    assert len(many) <= queries, [query["sql"] for query in many.captured_queries]
