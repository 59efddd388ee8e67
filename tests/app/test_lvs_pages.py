"""Virtual services in the browser: list, page, and what the buttons ask."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from console.listing import PAGE_SIZE
from console.models import Operation
from lvs.models import Director, RealServer, VirtualService
from tests import factories
from tests.app import lvs_scene
from tests.app.pages import Page, get
from tests.conftest import Cast

Browser = Callable[[str], Client]
DIRECTORS = "/load-balancing/directors/"
SERVICES = "/load-balancing/virtual-services/"
LIVE = {"HX-Request": "true"}


# Lists


def test_cost_of_the_lists_does_not_grow_with_their_rows(browser: Browser) -> None:
    client = browser("operator")
    first = lvs_scene.director("lb0")
    lvs_scene.shop(first)
    counts = lvs_scene.queries(client, DIRECTORS), lvs_scene.queries(client, SERVICES)
    for number in range(1, 6):
        lvs_scene.shop(lvs_scene.director(f"lb{number}"), servers=5, name=f"shop{number}")
    assert (lvs_scene.queries(client, DIRECTORS), lvs_scene.queries(client, SERVICES)) == counts
    assert counts == (7, 9)


def test_virtual_services_are_found_by_name_vip_and_real_server(browser: Browser) -> None:
    director = lvs_scene.director()
    lvs_scene.shop(director)
    v6 = lvs_scene.shop(director, 0, name="six", vip="2001:db8::50", forwarding="route")
    factories.RealServerFactory.create(virtual_service=v6, rip="2001:db8::b")
    client = browser("operator")
    for query, found in (
        ({"q": "sho"}, "shop"),
        ({"q": "10.10.0.50"}, "shop"),
        ({"q": "10.20.0.12"}, "shop"),
        ({"q": "2001:0DB8:0:0::b"}, "six"),
        ({"q": "[2001:db8::50]"}, "six"),
        ({"forwarding": "route"}, "six"),
        ({"vip": "2001:0db8::0050"}, "six"),
    ):
        page = get(client, SERVICES, query)
        assert len(page.all("a", class_="name")) == 1, query
        assert found in page.text.split(), query
    page = get(client, SERVICES, {"director": director.pk, "protocol": "udp"})
    assert "Nothing fits these filters" in page.text


def test_virtual_services_page_by_page_and_as_csv(browser: Browser) -> None:
    director = lvs_scene.director()
    factories.VirtualServiceFactory.create_batch(PAGE_SIZE + 5, director=director)
    client = browser("operator")
    first = get(client, SERVICES)
    following = get(client, SERVICES + first.all("a", rel="next")[0]["href"])
    assert len(first.all("a", class_="name")) == PAGE_SIZE
    assert len(following.all("a", class_="name")) == 5
    answer = client.get(SERVICES, {"format": "csv"})
    rows = list(csv.DictReader(io.StringIO(answer.getvalue().decode())))
    assert len(rows) == PAGE_SIZE + 5
    assert {row["Address"].partition(":")[0] for row in rows} == {"tcp"}
    assert {(row["Scheduler"], row["Method"]) for row in rows} == {("wlc", "masq")}


def test_members_see_their_services_and_no_way_to_the_director(
    browser: Browser, cast: Cast
) -> None:
    director = lvs_scene.director()
    mine = lvs_scene.shop(director, tenant=cast.tenant)
    lvs_scene.shop(director, name="others", vip="10.10.0.51", tenant=cast.other_tenant)
    client = browser("alice")
    page = get(client, SERVICES)
    assert [found["href"] for found in page.all("a", class_="name")] == [mine.get_absolute_url()]
    assert director.get_absolute_url() not in page.links()
    page = get(client, mine.get_absolute_url())
    assert "lb1" in page.text
    assert director.get_absolute_url() not in page.links()


# Virtual services


def test_service_page_draws_the_path_with_what_was_seen(browser: Browser) -> None:
    director = lvs_scene.director()
    service = lvs_scene.shop(director, servers=3)
    page = get(browser("operator"), service.get_absolute_url())
    assert "NAT — masquerading" in page.text and "Weighted least connections" in page.text
    assert len(page.all("li", class_="stop")) == 3
    assert "not on the director" in page.text  # the third was never seen
    assert "NAT · weight 2 · 3 active · 4 inactive" in page.text
    assert "4 active · 6 inactive" in page.text  # of the whole service
    assert "-a -t 10.10.0.50:80 -r 10.20.0.13:8080 -m -w 1" in page.text
    assert "replies come back through the director." in page.text
    assert not page.all("div", class_="lane")


def test_path_of_direct_routing_draws_the_way_back(browser: Browser) -> None:
    service = lvs_scene.shop(lvs_scene.director(), forwarding="route")
    page = get(browser("operator"), service.get_absolute_url())
    assert page.all("div", class_="lane")
    assert "Dotted: replies go straight back to the clients" in page.text


def test_cost_of_the_service_page_does_not_grow_with_its_pool(browser: Browser) -> None:
    client, director = browser("operator"), lvs_scene.director()
    small = lvs_scene.shop(director, 1)
    large = lvs_scene.shop(director, 40, name="large", vip="10.10.0.60")
    few = lvs_scene.queries(client, small.get_absolute_url())
    assert lvs_scene.queries(client, large.get_absolute_url()) == few == 43


def test_live_part_says_how_the_service_stands_now(browser: Browser) -> None:
    service = lvs_scene.shop(lvs_scene.director())
    client = browser("operator")
    assert "In place" in lvs_scene.part(client, service.get_absolute_url()).text
    VirtualService.objects.update(generation=2)
    page = lvs_scene.part(client, service.get_absolute_url())
    assert "Changed, not applied" in page.text
    assert page.all("span", id="standing")[0]["hx-swap-oob"] == "true"
    assert not page.all("html")


def test_change_by_hand_on_the_director_is_shown_as_drift(browser: Browser) -> None:
    lines = [lvs_scene.SHOP[0], lvs_scene.SHOP[1].replace("-w 1", "-w 77"), lvs_scene.SHOP[2]]
    service = lvs_scene.shop(lvs_scene.director(lines=lines))
    page = get(browser("operator"), service.get_absolute_url())
    assert "Differs on the director" in page.text
    assert "Drift: what would mend it" in page.text and "Mend it now" in page.text
    assert "-e -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 77" in page.text
    assert "77 on the director" in page.text


def test_member_is_not_shown_what_neighbours_need(browser: Browser, cast: Cast) -> None:
    director = lvs_scene.director(lines=[])
    mine = lvs_scene.shop(director, tenant=cast.tenant, vip="10.10.0.70", applied_generation=0)
    lvs_scene.shop(director, name="secret", vip="10.10.0.71", applied_generation=0)
    Director.objects.update(vip_interface="gone0")
    member, staff = browser("bob"), browser("operator")
    page = get(member, mine.get_absolute_url())
    assert "-A -t 10.10.0.70:80" in page.text
    assert "address add 10.10.0.70/32" in page.text
    assert "10.10.0.71" not in page.text and "no interface gone0" not in page.text
    assert "no interface gone0" in get(staff, mine.get_absolute_url()).text
    assert "10.10.0.71" in get(staff, director.get_absolute_url()).text


def test_settled_service_is_not_said_to_change_with_its_neighbours(browser: Browser) -> None:
    director = lvs_scene.director()
    service = lvs_scene.shop(director)
    lvs_scene.shop(director, name="new", vip="10.10.0.71", applied_generation=0)
    page = get(browser("operator"), service.get_absolute_url())
    assert "In place" in page.text and "10.10.0.71" not in page.text
    assert f"{service.get_absolute_url()}apply/" not in page.posts()


@pytest.mark.parametrize(
    ("gone", "forwarding", "line"),
    [
        ({"forwards_ipv4": False}, "masq", "sysctl -qw net.ipv4.ip_forward=1"),
        ({"forwards_ipv4": False}, "route", ""),
        ({"addresses": {"pub0": ["10.10.0.1/24"]}}, "route", "address add 10.10.0.50/32 dev pub0"),
    ],
)
def test_what_a_service_needs_around_the_table_is_its_drift_too(
    browser: Browser, gone: dict[str, Any], forwarding: str, line: str
) -> None:
    method = "-g" if forwarding == "route" else "-m"
    director = lvs_scene.director(lines=[one.replace("-m", method) for one in lvs_scene.SHOP])
    director.observed_facts = lvs_scene.SURROUNDINGS | gone
    director.save()
    service = lvs_scene.shop(director, forwarding=forwarding)
    service.real_servers.update(port=80 if forwarding == "route" else 8080)
    if forwarding == "route":
        director.set_observed_lines(
            [one.replace(":8080", ":80") for one in director.observed_lines]
        )
        director.save()
    page = get(browser("operator"), service.get_absolute_url())
    assert ("Differs on the director" in page.text) is bool(line)
    assert line in page.text


def test_weight_is_changed_in_its_row_and_waits_for_apply(browser: Browser) -> None:
    service = lvs_scene.shop(lvs_scene.director())
    server = service.real_servers.get(rip="10.20.0.11")
    url = f"/load-balancing/real-servers/{server.pk}/weight/"
    client = browser("operator")
    answer = client.post(url, {"weight": 0, "version": server.version}, follow=True)
    server.refresh_from_db()
    assert server.weight == 0 and not Operation.objects.exists()
    page = Page(answer)
    assert "-e -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 0" in page.text
    assert "drained: no new connections" in page.text
    assert f"{service.get_absolute_url()}apply/" in page.posts()
    assert client.post(url, {"weight": 5, "version": 1}).status_code == 412
    for wrong in ("-1", "many", "", "99999999999", "1.5"):
        client.post(url, {"weight": wrong})
    server.refresh_from_db()
    assert server.weight == 0


@pytest.mark.parametrize("who", ["ray", "auditor"])
def test_viewer_cannot_change_weight_apply_prove_or_remove(
    browser: Browser, cast: Cast, who: str
) -> None:
    service = lvs_scene.shop(lvs_scene.director(), tenant=cast.tenant)
    server = service.real_servers.get(rip="10.20.0.11")
    client, url = browser(who), service.get_absolute_url()
    page = get(client, url)
    assert not [action for action in page.posts() if action.startswith("/load-balancing/")]
    for path in (f"{url}apply/", f"{url}prove/", f"{url}remove/", f"{url}keep/", f"{url}edit/",
                 f"/load-balancing/real-servers/{server.pk}/weight/",
                 f"/load-balancing/real-servers/{server.pk}/remove/"):  # fmt: skip
        assert client.post(path, {"weight": 3, "confirm": "shop"}).status_code == 403, path
        assert browser("charlie").post(path).status_code == 404, path
    assert not Operation.objects.exists()


def test_removal_asks_for_the_name_and_can_be_undone(browser: Browser) -> None:
    service = lvs_scene.shop(lvs_scene.director())
    client, url = browser("operator"), service.get_absolute_url()
    client.post(f"{url}remove/", {"confirm": "shopp"})
    service.refresh_from_db()
    assert not service.is_leaving
    client.post(f"{url}remove/", {"confirm": "shop"})
    page = get(client, url)
    assert "Being removed" in page.text and f"{url}keep/" in page.posts()
    assert f"{url}edit/" not in page.links()
    assert client.post(f"{url}keep/").status_code == 409  # its operation waits
    Operation.objects.update(status="cancelled")
    client.post(f"{url}keep/")
    service.refresh_from_db()
    assert not service.is_leaving


def test_service_that_was_never_applied_is_gone_at_once(browser: Browser) -> None:
    service = lvs_scene.shop(lvs_scene.director(lines=[]), applied_generation=0)
    answer = browser("operator").post(
        f"{service.get_absolute_url()}remove/", {"confirm": "shop"}, follow=True
    )
    assert "It had never been applied." in Page(answer).text
    assert not VirtualService.objects.exists()


def test_real_server_is_taken_out_only_after_its_address_was_typed(browser: Browser) -> None:
    service = lvs_scene.shop(lvs_scene.director())
    server = service.real_servers.get(rip="10.20.0.11")
    client, url = browser("operator"), f"/load-balancing/real-servers/{server.pk}/remove/"
    client.post(url, {"confirm": "10.20.0.11"})
    assert RealServer.objects.count() == 2
    answer = client.post(url, {"confirm": "10.20.0.11:8080"}, follow=True)
    assert [row.rip for row in RealServer.objects.all()] == ["10.20.0.12"]
    page = Page(answer)
    assert "-d -t 10.10.0.50:80 -r 10.20.0.11:8080" in page.text
    assert "its open connections end" in page.text


def test_pages_have_no_inline_code_and_every_control_a_label(browser: Browser) -> None:
    director = lvs_scene.director(lines=lvs_scene.SHOP + lvs_scene.MAIL, unmanaged_count=1)
    service = lvs_scene.shop(director)
    server = service.real_servers.first()
    lvs_scene.ready_host("lb2")
    assert server is not None
    for path in (
        DIRECTORS, f"{DIRECTORS}new/", director.get_absolute_url(),
        f"{director.get_absolute_url()}edit/", f"{director.get_absolute_url()}unmanaged/",
        SERVICES, f"{SERVICES}new/", service.get_absolute_url(),
        f"{service.get_absolute_url()}edit/", f"{service.get_absolute_url()}real-servers/new/",
        f"/load-balancing/real-servers/{server.pk}/edit/",
        f"{SERVICES}review/?do=remove&service={service.pk}",
    ):  # fmt: skip
        _assert_clean(get(browser("administrator"), path), path)


def _assert_clean(page: Page, path: str) -> None:
    tags: list[tuple[str, dict[str, Any]]] = page._tags
    for tag, found in tags:
        assert "style" not in found and not [key for key in found if key.startswith("on")], path
        assert tag != "script" or "src" in found, path
    labels = {found.get("for") for found in page.all("label")}
    for control in [*page.all("input"), *page.all("select"), *page.all("textarea")]:
        is_shown = control.get("type") not in ("hidden", "submit")
        is_wrapped = control.get("type") in ("radio", "checkbox")
        if is_shown and not is_wrapped:
            assert control.get("aria-label") or control.get("id") in labels, (path, control)
    ids = [found["id"] for _tag, found in tags if "id" in found]
    doubled = {one for one in ids if ids.count(one) > 1}
    assert not {one for one in doubled if "__prefix__" not in one}, (path, doubled)
