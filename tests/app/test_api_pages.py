"""Lists: keyset pages, sort, filters."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from console import keyset
from console.models import Host, Operation
from lvs.models import Director
from tests import factories
from tests.app.api_answers import assert_problem

Api = Callable[..., APIClient]
HOSTS = "/api/v1/hosts/"


def walk(program: APIClient, address: str | None, link: str = "next") -> list[list[str]]:
    """The names on each page, from `address` on."""
    pages = []
    while address is not None:
        document = program.get(address).json()
        pages.append([row["name"] for row in document["results"]])
        address = document[link]
    return pages


def make_hosts(*names: str) -> None:
    credential = factories.CredentialFactory.create()
    for name in names:
        factories.HostFactory.create(name=name, credential=credential)


@pytest.mark.parametrize(
    ("sort", "pages"),
    [
        ("name", [["a", "b"], ["c", "d"], ["e"]]),
        ("-name", [["e", "d"], ["c", "b"], ["a"]]),
        ("id", [["b", "a"], ["d", "c"], ["e"]]),
        ("-created_at", [["e", "c"], ["d", "a"], ["b"]]),
    ],
)
def test_pages_hold_every_row_once_in_order(api: Api, sort: str, pages: list[list[str]]) -> None:
    make_hosts("b", "a", "d", "c", "e")
    assert walk(api(), f"{HOSTS}?limit=2&sort={sort}") == pages


def test_the_way_back_shows_the_same_pages(api: Api) -> None:
    make_hosts(*"abcdefg")
    program = api()
    page = program.get(f"{HOSTS}?limit=3&sort=name").json()
    while page["next"]:
        page = program.get(page["next"]).json()
    assert [row["name"] for row in page["results"]] == ["g"]
    assert walk(program, page["previous"], "previous") == [["d", "e", "f"], ["a", "b", "c"]]


def test_rows_that_tie_are_neither_lost_nor_shown_twice(api: Api) -> None:
    make_hosts(*"abcde")
    Host.objects.update(created_at=timezone.now())
    names = [name for page in walk(api(), f"{HOSTS}?limit=2&sort=created_at") for name in page]
    assert sorted(names) == list("abcde") and len(set(names)) == 5


def test_row_that_is_added_meanwhile_moves_nothing(api: Api) -> None:
    make_hosts("b", "d", "f")
    program = api()
    first = program.get(f"{HOSTS}?limit=2&sort=name").json()
    make_hosts("a", "c", "e")
    assert walk(program, first["next"]) == [["e", "f"]]


def test_page_after_the_last_row_went_is_empty(api: Api) -> None:
    make_hosts("a", "b")
    program = api()
    first = program.get(f"{HOSTS}?limit=1&sort=name").json()
    Host.objects.filter(name="b").delete()
    assert program.get(first["next"]).json() == {"next": None, "previous": None, "results": []}


def test_filters_and_sort_stay_in_the_links(api: Api) -> None:
    make_hosts("db1", "db2", "db3", "web1")
    pages = walk(api(), f"{HOSTS}?q=db&limit=1&sort=-name")
    assert pages == [["db3"], ["db2"], ["db1"]]


@pytest.mark.parametrize("limit", ["0", "-1", "201", "1.5", "x", "", "٣", "9" * 400])
def test_limit_out_of_range_is_refused(api: Api, limit: str) -> None:
    assert_problem(api().get(HOSTS, {"limit": limit}), 400, "invalid", "limit")


@pytest.mark.parametrize("sort", ["", "secret", "credential__secret", "--name", "name,id"])
def test_sort_by_anything_else_is_refused(api: Api, sort: str) -> None:
    assert_problem(api().get(HOSTS, {"sort": sort}), 400, "invalid", "sort")


@pytest.mark.parametrize("cursor", ["x", "\x00", "WyJuYW1lIiwiZiIsImEiLDFd:forged", "é", ":"])
def test_cursor_of_ones_own_making_is_refused(api: Api, cursor: str) -> None:
    assert_problem(api().get(HOSTS, {"cursor": cursor}), 400, "invalid-cursor")


def test_cursor_of_another_sort_is_refused(api: Api) -> None:
    make_hosts("a", "b")
    program = api()
    link = program.get(f"{HOSTS}?limit=1&sort=name").json()["next"]
    assert_problem(program.get(link.replace("sort=name", "sort=id")), 400, "invalid-cursor")


def test_cursor_of_a_list_of_values_is_refused_elsewhere(api: Api) -> None:
    page = keyset.page_of(["a", "b"], str, limit=1)
    assert_problem(api().get(HOSTS, {"cursor": page.next or ""}), 400, "invalid-cursor")
    director = factories.DirectorFactory.create()
    rows = keyset.page(Host.objects.all(), keyset.Sort("id", "id"), limit=0)  # nothing to point at
    assert (rows.next, rows.previous) == (None, None)
    factories.HostFactory.create()
    cursor = keyset.page(Host.objects.all(), keyset.Sort("id", "id"), limit=1).next
    address = f"/api/v1/lvs/directors/{director.pk}/unmanaged/"
    assert_problem(api().get(address, {"cursor": cursor or ""}), 400, "invalid-cursor")


@pytest.mark.parametrize("name", ["names", "trust__in", "__all__", "page", "credential__secret"])
def test_parameter_that_does_not_exist_is_refused(api: Api, name: str) -> None:
    assert_problem(api().get(HOSTS, {name: "1"}), 400, "invalid", name)
    assert_problem(api().get("/api/v1/me/", {name: "1"}), 400, "invalid", name)


@pytest.mark.parametrize(
    ("query", "names"),
    [
        ("trust=changed", ["b"]),
        ("reach=reachable", ["a", "b"]),
        ("q=LB", ["lb1"]),
        ("q=198.51 lb", ["lb1"]),
        ("q=198.51 nothing", []),
        ("credential=99999999999999999999", []),
    ],
)
def test_hosts_are_filtered(api: Api, query: str, names: list[str]) -> None:
    factories.HostFactory.create(name="a")
    factories.HostFactory.create(name="b", trust=Host.Trust.CHANGED)
    factories.HostFactory.create(name="lb1", address="198.51.100.7", reach="unreachable")
    document = api().get(f"{HOSTS}?sort=name&{query}").json()
    assert [row["name"] for row in document["results"]] == names


@pytest.mark.parametrize(
    ("path", "query"),
    [
        ("hosts", "trust=friendly"),
        ("hosts", "credential="),
        ("hosts", "trust="),
        ("hosts", "credential=x"),
        ("hosts", "credential=1_0"),
        ("hosts", "credential=+1"),
        ("hosts", "credential=٣"),
        ("tenants", "is_suspended=perhaps"),
        ("alerts", "is_open=2"),
        ("hosts", "q=%00"),
        ("hosts", "q=" + "a" * 300),
        ("operations", "status=asleep"),
        ("operations", "target_id=1.5"),
        ("alerts", "severity=mild"),
        ("audit-events", "since=yesterday"),
        ("audit-events", "outcome=%00"),
        ("lvs/virtual-services", "vip=10.0.0"),
        ("lvs/virtual-services", "protocol=dccp"),
        ("lvs/real-servers", "rip=%00"),
        ("lvs/directors", "policy=none"),
    ],
)
def test_value_that_no_filter_takes_is_refused(api: Api, path: str, query: str) -> None:
    response = api().get(f"/api/v1/{path}/?{query}")
    assert_problem(response, 400, "invalid", query.partition("=")[0])


def results(program: APIClient, address: str) -> list[Any]:
    return list(program.get(address).json()["results"])


def test_operations_are_filtered(api: Api) -> None:
    host = factories.HostFactory.create()
    done = factories.OperationFactory.create(target=host, status=Operation.Status.SUCCEEDED)
    live = factories.OperationFactory.create(target=host, kind="host.scan_key")
    failed = factories.OperationFactory.create(status=Operation.Status.FAILED)
    program = api()

    def found(query: str) -> list[int]:
        return [row["id"] for row in results(program, f"/api/v1/operations/?sort=id&{query}")]

    assert found("status=queued&status=running") == [live.pk]
    assert found(f"target_type=console.host&target_id={host.pk}") == [done.pk, live.pk]
    assert found("kind=host.scan_key") == [live.pk]
    assert found(f"q={failed.target_label}") == [failed.pk]


def test_alerts_are_filtered_by_their_state(api: Api) -> None:
    opened = factories.AlertFactory.create()
    looked_after = factories.AlertFactory.create(acknowledged_at=timezone.now())
    resolved = factories.AlertFactory.create(resolved_at=timezone.now())
    program = api()

    def found(query: str) -> set[int]:
        return {row["id"] for row in results(program, f"/api/v1/alerts/?{query}")}

    assert found("is_open=true") == {opened.pk, looked_after.pk}
    assert found("is_open=false") == {resolved.pk}
    assert found("is_acknowledged=true") == {looked_after.pk}
    assert found("is_acknowledged=false&is_open=true") == {opened.pk}


def test_audit_events_are_filtered_by_time(api: Api) -> None:
    now = timezone.now()
    old = factories.AuditEventFactory.create(at=now - timedelta(days=2))
    new = factories.AuditEventFactory.create(at=now)
    program = api()
    since = (now - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ")
    assert [row["id"] for row in results(program, f"/api/v1/audit-events/?since={since}")] == [
        new.pk
    ]
    assert [row["id"] for row in results(program, f"/api/v1/audit-events/?until={since}")] == [
        old.pk
    ]


def test_services_and_directors_are_filtered(api: Api) -> None:
    here = factories.DirectorFactory.create(drift_count=2)
    there = factories.DirectorFactory.create(policy=Director.Policy.OBSERVE)
    v4 = factories.VirtualServiceFactory.create(director=here, vip="198.51.100.9")
    v6 = factories.VirtualServiceFactory.create(director=there, vip="2001:db8::1")
    server = factories.RealServerFactory.create(virtual_service=v4)
    program = api()

    def found(path: str) -> list[int]:
        return [row["id"] for row in results(program, f"/api/v1/lvs/{path}")]

    assert found(f"virtual-services/?director={here.pk}") == [v4.pk]
    assert found("virtual-services/?vip=2001:0db8:0::1") == [v6.pk]
    assert found("virtual-services/?q=198.51.100.9") == [v4.pk]
    assert found("directors/?has_drifted=true") == [here.pk]
    assert found("directors/?policy=observe") == [there.pk]
    assert found(f"real-servers/?director={here.pk}&rip={server.rip}") == [server.pk]
    assert found(f"real-servers/?virtual_service={v6.pk}") == []


def test_values_are_paged_like_rows() -> None:
    items = ["d", "b", "a", "c", "e"]
    first = keyset.page_of(items, str, limit=2)
    assert (first.rows, first.previous) == (["a", "b"], None)
    assert first.next is not None
    second = keyset.page_of([*items, "aa"], str, cursor=first.next, limit=2)
    assert second.rows == ["c", "d"]
    assert second.next is not None and second.previous is not None
    assert keyset.page_of(items, str, cursor=second.previous, limit=2).rows == ["a", "b"]
    last = keyset.page_of(items, str, cursor=second.next, limit=2)
    assert (last.rows, last.next) == (["e"], None)


@pytest.mark.parametrize(
    "path",
    ["hosts", "operations", "alerts", "audit-events", "lvs/directors", "lvs/virtual-services"],
)
def test_longer_list_takes_no_more_queries(
    api: Api, path: str, django_assert_max_num_queries: Any
) -> None:
    def make() -> None:
        service = factories.VirtualServiceFactory.create()
        factories.RealServerFactory.create_batch(2, virtual_service=service)
        factories.OperationFactory.create(target=service)
        factories.AlertFactory.create(target=service)
        factories.AuditEventFactory.create(target=service)

    program = api()
    make()
    program.get(f"/api/v1/{path}/")  # the token's last use is written now
    with django_assert_max_num_queries(50) as few:
        assert len(results(program, f"/api/v1/{path}/")) == 1
    for _ in range(4):
        make()
    with django_assert_max_num_queries(len(few)):
        assert len(results(program, f"/api/v1/{path}/")) == 5
