"""Directors in the browser: list, page, unmanaged entries, and declaring one."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone
from pytest_django.fixtures import Settings

from console.models import Operation
from lvs.models import Director, VirtualService
from tests import factories
from tests.app import lvs_scene
from tests.app.pages import Page, get

Browser = Callable[[str], Client]
DIRECTORS = "/load-balancing/directors/"
ADD_DIRECTOR = f"{DIRECTORS}new/"


def test_list_of_directors_says_what_to_do_first(browser: Browser) -> None:
    page = get(browser("operator"), DIRECTORS)
    assert "No director yet" in page.text
    assert f"{DIRECTORS}new/" in page.links()
    assert f"{DIRECTORS}new/" not in get(browser("auditor"), DIRECTORS).links()


def test_directors_are_found_by_name_policy_and_drift(browser: Browser) -> None:
    lvs_scene.director("ams-lb1", drift_count=3, policy="observe")
    lvs_scene.director("fra-lb1")
    client = browser("operator")
    for query, found in (
        ({"q": "fra"}, "fra-lb1"),
        ({"policy": "observe"}, "ams-lb1"),
        ({"has_drifted": "true"}, "ams-lb1"),
        ({"has_drifted": "false"}, "fra-lb1"),
    ):
        page = get(client, DIRECTORS, query)
        names = {"ams-lb1", "fra-lb1"} & set(page.text.split())
        assert found in names and len(page.all("a", class_="name")) == 1, query


def test_director_page_shows_plan_drift_unmanaged_and_what_was_seen(browser: Browser) -> None:
    director = lvs_scene.director(
        lines=[*lvs_scene.SHOP[:2], *lvs_scene.MAIL],
        unmanaged_count=1,
        drift="-a -t 10.10.0.50:80 -r 10.20.0.12:8080 -m -w 2",
        drift_count=1,
        drift_since=timezone.now() - timedelta(minutes=3),
    )
    lvs_scene.shop(director)
    page = get(browser("operator"), director.get_absolute_url())
    assert "1 change would mend it" in page.text and "3 min ago" in page.text
    assert page.text.count("-a -t 10.10.0.50:80 -r 10.20.0.12:8080 -m -w 2") == 2
    assert "6.1.0-test" in page.text
    assert "-A -t 10.10.0.99:25 -s rr" in page.text
    actions = page.posts()
    for verb in ("apply", "adopt", "observe", "remove-unmanaged", "delete"):
        assert f"{director.get_absolute_url()}{verb}/" in actions


def test_auditor_reads_the_director_and_has_no_buttons(browser: Browser) -> None:
    director = lvs_scene.director(lines=lvs_scene.MAIL, unmanaged_count=1)
    lvs_scene.shop(director)
    page = get(browser("auditor"), director.get_absolute_url())
    assert "-A -t 10.10.0.99:25 -s rr" in page.text
    assert not [action for action in page.posts() if action.startswith("/load-balancing/")]


def test_cost_of_the_director_page_does_not_grow_with_its_services(browser: Browser) -> None:
    client, director = browser("operator"), lvs_scene.director()
    lvs_scene.shop(director)
    few = lvs_scene.queries(client, director.get_absolute_url())
    for number in range(8):
        lvs_scene.shop(director, 4, name=f"s{number}", vip=f"10.10.1.{number}")
    assert lvs_scene.queries(client, director.get_absolute_url()) == few == 29


def test_large_table_is_compared_apart_from_the_page(browser: Browser, settings: Settings) -> None:
    settings.LARGE_TABLE = 2
    director = lvs_scene.director(lines=lvs_scene.SHOP[:2] + lvs_scene.MAIL)
    lvs_scene.shop(director)
    client, missing = browser("operator"), "-a -t 10.10.0.50:80 -r 10.20.0.12:8080 -m -w 2"
    page = get(client, director.get_absolute_url())
    assert missing not in page.text
    waiting = next(tag for tag in page.all("div") if tag.get("id", "").startswith("plan-"))
    assert missing in get(client, director.get_absolute_url(), {"plan": "now"}).text
    assert missing in lvs_scene.part(client, director.get_absolute_url(), "plan").text

    again = lvs_scene.part(client, director.get_absolute_url())
    assert waiting["id"] in {tag.get("id") for tag in again.all("div")}
    factories.VirtualServiceFactory.create(director=director)
    changed = lvs_scene.part(client, director.get_absolute_url())
    assert waiting["id"] not in {tag.get("id") for tag in changed.all("div")}


@pytest.mark.parametrize(
    ("verb", "kind"), [("observe", "director.observe"), ("apply", "director.apply")]
)
def test_buttons_of_the_director_begin_operations(browser: Browser, verb: str, kind: str) -> None:
    director = lvs_scene.director()
    url = director.get_absolute_url()
    assert browser("auditor").post(f"{url}{verb}/").status_code == 403
    assert browser("alice").post(f"{url}{verb}/").status_code == 404
    answer = browser("operator").post(f"{url}{verb}/")
    assert answer["Location"] == url
    operation = Operation.objects.on(director).get()
    assert operation.kind == kind
    page = lvs_scene.part(browser("operator"), url)
    assert operation.get_absolute_url() in page.links()


def test_unmanaged_entry_is_adopted_under_a_name(browser: Browser) -> None:
    director = lvs_scene.director(lines=lvs_scene.MAIL, unmanaged_count=1)
    answer = browser("operator").post(
        f"{director.get_absolute_url()}adopt/", {"key": "tcp:10.10.0.99:25", "name": "mail"}
    )
    service = VirtualService.objects.get(director=director)
    assert answer["Location"] == service.get_absolute_url()
    assert (service.name, service.scheduler, service.forwarding) == ("mail", "rr", "route")
    assert [server.address for server in service.real_servers.all()] == ["10.20.0.9:25"]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        ({"key": "tcp:10.10.0.99:25", "name": "x" * 65}, 302),
        ({"key": "tcp:10.10.0.99:25", "name": "two\nlines"}, 302),
        ({"key": "fwmark:7"}, 302),
        ({"key": "tcp:10.10.0.98:25"}, 404),
        ({"key": "nonsense"}, 404),
        ({}, 302),
    ],
)
def test_what_cannot_be_adopted_is_left_alone(
    browser: Browser, sent: dict[str, str], status: int
) -> None:
    lines = [*lvs_scene.MAIL, "-A -f 7 -s wlc -p 600"]
    director = lvs_scene.director(lines=lines, unmanaged_count=2)
    answer = browser("operator").post(f"{director.get_absolute_url()}adopt/", sent)
    assert answer.status_code == status
    assert not VirtualService.objects.exists() and not Operation.objects.exists()


def test_unmanaged_entry_goes_only_after_its_key_was_typed(browser: Browser) -> None:
    director = lvs_scene.director(lines=lvs_scene.MAIL, unmanaged_count=1)
    client, url = browser("operator"), f"{director.get_absolute_url()}remove-unmanaged/"
    client.post(url, {"key": "tcp:10.10.0.99:25", "confirm": "tcp:10.10.0.99:2"})
    assert not Operation.objects.exists()
    assert "Type tcp:10.10.0.99:25 to confirm." in get(client, director.get_absolute_url()).text
    client.post(url, {"key": "tcp:10.10.0.99:25", "confirm": "tcp:10.10.0.99:25"})
    assert Operation.objects.get().parameters == {"key": "tcp:10.10.0.99:25"}


def test_many_unmanaged_entries_are_searched_and_paged(browser: Browser) -> None:
    lines = [f"-A -t 10.10.9.{number}:80 -s rr" for number in range(1, 61)]
    director = lvs_scene.director(lines=lines, unmanaged_count=60)
    client, url = browser("operator"), f"{director.get_absolute_url()}unmanaged/"
    page, seen = get(client, url), 0
    while True:
        seen += len(page.all("div", class_="unmanaged"))
        following = page.all("a", rel="next")
        if not following:
            break
        page = get(client, url + following[0]["href"])
    assert seen == 60
    assert len(get(client, url, {"q": "10.10.9.60"}).all("div", class_="unmanaged")) == 1
    assert "Nothing fits" in get(client, url, {"q": "nowhere"}).text
    assert get(client, url, {"cursor": "forged"}).all("a", rel="next")


def test_director_with_services_is_not_deleted(browser: Browser) -> None:
    director = lvs_scene.director()
    service = lvs_scene.shop(director)
    client, url = browser("operator"), f"{director.get_absolute_url()}delete/"
    assert client.post(url, {"confirm": "lb1"}).status_code == 409
    service.delete()
    client.post(url, {"confirm": "lb2"})
    assert Director.objects.exists()
    client.post(url, {"confirm": "lb1"})
    assert not Director.objects.exists()


# Forms


def test_only_hosts_that_can_be_directors_are_offered(browser: Browser) -> None:
    lvs_scene.director("taken")
    ready = lvs_scene.ready_host("ready")
    factories.HostFactory.create(name="unlooked")
    unpinned = factories.HostFactory.create(name="fresh", trust="unpinned", host_key="")
    lacking = factories.HostFactory.create(
        name="lacking", preflight={"roles": {"director": "not-ready"}}
    )
    answer = browser("operator").get(ADD_DIRECTOR)
    assert list(answer.context["form"].fields["host"].queryset) == [ready]
    page = Page(answer)
    for host, reason in (
        (unpinned, "its host key has to be compared and accepted"),
        (lacking, "its preflight says what a director needs and it lacks"),
    ):
        assert f"/hosts/{host.pk}/" in page.links()
        assert reason in page.text
    assert "its preflight has not been run yet" in page.text


def test_interfaces_are_those_of_the_chosen_host(browser: Browser) -> None:
    first, second = lvs_scene.ready_host("first"), lvs_scene.ready_host("second")
    second.preflight = {"roles": {"director": "ready"}}
    second.save()
    client = browser("operator")
    page = get(client, ADD_DIRECTOR, {"host": first.pk})
    assert {one["value"] for one in page.all("input", name="vip_interface")} == {"pub0", "int0"}
    assert "10.10.0.1/24" in page.text and "127.0.0.1" not in page.text
    redrawn = Page(
        client.post(ADD_DIRECTOR, {"host": second.pk, "policy": "reconcile", "do": "redraw"})
    )
    assert redrawn.all("input", name="vip_interface", type="text")
    assert "checked" in redrawn.all("input", name="policy", value="reconcile")[0]
    assert lvs_scene.marked(redrawn) == set() and not Director.objects.exists()


def test_new_director_is_looked_at_at_once(browser: Browser) -> None:
    host, outside = lvs_scene.ready_host("lb1"), factories.HostFactory.create(name="outside")
    answer = browser("operator").post(
        ADD_DIRECTOR,
        {"host": host.pk, "vip_interface": "pub0", "probe_host": outside.pk, "policy": "observe"},
    )
    director = Director.objects.get()
    assert answer["Location"] == director.get_absolute_url()
    assert (director.vip_interface, director.probe_host) == ("pub0", outside)
    assert Operation.objects.on(director).get().kind == "director.observe"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"host": ""}, "host"),
        ({"host": "9" * 30}, "host"),
        ({"host": "x"}, "host"),
        ({"vip_interface": "none0"}, "vip_interface"),
        ({"vip_interface": ""}, "vip_interface"),
        ({"vip_interface": "x" * 10_000}, "vip_interface"),
        ({"policy": "destroy"}, "policy"),
        ({"probe_host": 999}, "probe_host"),
    ],
)
def test_wrong_director_is_refused_at_its_field(
    browser: Browser, wrong: dict[str, object], field: str
) -> None:
    host = lvs_scene.ready_host("lb1")
    sent = {"host": host.pk, "vip_interface": "pub0", "policy": "alert"} | wrong
    page = Page(browser("operator").post(ADD_DIRECTOR, sent))
    assert page.status == 200
    assert field in lvs_scene.marked(page)
    assert not Director.objects.exists()


def test_interface_with_vips_on_it_stays(browser: Browser) -> None:
    director = lvs_scene.director()
    lvs_scene.shop(director)
    client, url = browser("operator"), f"{director.get_absolute_url()}edit/"
    page = get(client, url)
    assert {one["value"] for one in page.all("input", name="vip_interface")} == {"pub0", "int0"}
    sent = {"vip_interface": "int0", "policy": "alert", "version": director.version}
    page = Page(client.post(url, sent))
    assert lvs_scene.marked(page) == {"vip_interface"}
    assert "VIPs are on pub0 now" in page.text
    answer = client.post(url, sent | {"vip_interface": "pub0", "policy": "reconcile"})
    assert answer["Location"] == director.get_absolute_url()
    director.refresh_from_db()
    assert director.policy == "reconcile"
    assert client.post(url, sent | {"vip_interface": "pub0"}).status_code == 412
