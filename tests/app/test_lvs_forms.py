"""Declaring virtual services and real servers in the browser: every wrong thing is said beside
its field, and nothing of it is saved."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client

from console.access import SYSTEM
from console.errors import Forbidden
from console.models import Operation
from lvs.actions import virtual_services
from lvs.forms.editor import MAX_ROWS
from lvs.models import Director, RealServer, VirtualService
from tests import factories
from tests.app import lvs_scene
from tests.app.pages import Page, get
from tests.conftest import Cast

Browser = Callable[[str], Client]
Row = dict[str, Any]
ADD_DIRECTOR = "/load-balancing/directors/new/"
ADD = "/load-balancing/virtual-services/new/"
SERVER: Row = {"rip": "10.20.0.11", "port": "8080", "weight": "1", "forwarding": "",
          "upper_threshold": "0", "lower_threshold": "0"}  # fmt: skip
BLANK: Row = SERVER | {"rip": "", "port": ""}


@pytest.fixture
def director(db: None) -> Director:
    return lvs_scene.director(lines=lvs_scene.MAIL, unmanaged_count=1)


def service_form(on: Director, rows: list[Row] | None = None, **values: Any) -> Row:
    """What the browser sends of the form, with these rows."""
    sent: Row = {
        "director": on.pk,
        "tenant": "",
        "name": "shop",
        "protocol": "tcp",
        "vip": "10.10.0.50",
        "port": "80",
        "forwarding": "masq",
        "scheduler": "wlc",
        "persistence_timeout": "",
        "persistence_prefix": "",
        "is_vip_managed": "on",
        "do": "review",
    } | values
    rows = [SERVER] if rows is None else rows
    sent |= {"servers-TOTAL_FORMS": len(rows), "servers-INITIAL_FORMS": 0}
    for index, row in enumerate(rows):
        sent |= {f"servers-{index}-{name}": value for name, value in row.items()}
    return sent


def test_service_and_pool_are_declared_on_one_page(browser: Browser, director: Director) -> None:
    rows = [SERVER, BLANK, SERVER | {"rip": "10.20.0.12", "port": "", "weight": "3"}]
    answer = browser("operator").post(ADD, service_form(director, rows))
    service = VirtualService.objects.get()
    assert answer["Location"] == service.get_absolute_url()
    pool = [(row.rip, row.port, row.weight) for row in service.real_servers.all()]
    assert pool == [("10.20.0.11", 8080, 1), ("10.20.0.12", 80, 3)]
    assert not Operation.objects.exists()
    page = get(browser("operator"), service.get_absolute_url())
    assert "-a -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 3" in page.text


def test_save_and_apply_begins_the_apply(browser: Browser, director: Director) -> None:
    browser("operator").post(ADD, service_form(director, do="apply"))
    service = VirtualService.objects.get()
    assert Operation.objects.on(director).get().parameters == {"services": [service.pk]}


def test_busy_director_refuses_and_what_was_typed_stays(
    browser: Browser, director: Director
) -> None:
    factories.OperationFactory.create(target=director, kind="director.apply")
    page = Page(browser("operator").post(ADD, service_form(director, do="apply")))
    assert "is busy" in page.text and "Nothing was saved" in page.text
    assert page.all("input", name="servers-0-rip")[0]["value"] == "10.20.0.11"
    assert not VirtualService.objects.exists()


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "x" * 10_000}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": "blank inside"}, "name"),
        ({"name": ""}, "name"),
        ({"director": ""}, "director"),
        ({"director": "999"}, "director"),
        ({"director": "9" * 30}, "director"),
        ({"tenant": "999"}, "tenant"),
        ({"protocol": "dccp"}, "protocol"),
        ({"vip": "10.10.0"}, "vip"),
        ({"vip": "10.10.0.50/32"}, "vip"),
        ({"vip": "224.0.0.1"}, "vip"),
        ({"vip": "10.10.0.99", "port": "25"}, "vip"),
        ({"vip": "10.20.0.11"}, "servers-0-rip"),
        ({"port": "0"}, "port"),
        ({"port": "65536"}, "port"),
        ({"port": "http"}, "port"),
        ({"forwarding": "dsr"}, "forwarding"),
        ({"scheduler": "twos"}, "scheduler"),
        ({"scheduler": "rr; reboot"}, "scheduler"),
        ({"scheduler_flags": ["port"]}, "scheduler_flags"),
        ({"scheduler_flags": ["none"]}, "scheduler_flags"),
        ({"persistence_timeout": "0"}, "persistence_timeout"),
        ({"persistence_timeout": "2678401"}, "persistence_timeout"),
        ({"persistence_prefix": "24"}, "persistence_prefix"),
        ({"persistence_timeout": "60", "persistence_prefix": "64"}, "persistence_prefix"),
        ({"is_one_packet": "on"}, "is_one_packet"),
    ],
)
def test_wrong_service_is_refused_at_its_field(
    browser: Browser, director: Director, wrong: dict[str, Any], field: str
) -> None:
    director.host.preflight = {"facts": {"ipvs": {"schedulers": ["rr", "wlc", "sh"]}}}
    director.host.save()
    page = Page(browser("operator").post(ADD, service_form(director, **wrong)))
    assert page.status == 200
    assert field in lvs_scene.marked(page)
    assert "Nothing was saved" in page.text
    assert not VirtualService.objects.exists() and not RealServer.objects.exists()


@pytest.mark.parametrize(
    ("taken", "said"),
    [
        ({"name": "shop", "vip": "10.10.0.51"}, "on this director has this name"),
        ({"name": "other", "vip": "10.10.0.50"}, "has this protocol, VIP and port"),
    ],
)
def test_second_service_of_a_name_or_address_is_refused(
    browser: Browser, director: Director, taken: Row, said: str
) -> None:
    factories.VirtualServiceFactory.create(director=director, port=80, **taken)
    page = Page(browser("operator").post(ADD, service_form(director)))
    assert said in page.text and "Nothing was saved" in page.text
    assert VirtualService.objects.count() == 1


@pytest.mark.parametrize(
    ("row", "values", "field"),
    [
        ({"rip": "10.20.0"}, {}, "rip"),
        ({"rip": "x" * 10_000}, {}, "rip"),
        ({"rip": "", "weight": "5"}, {}, "rip"),
        ({"rip": "10.20.0.11", "port": "8080"}, {}, "rip"),
        ({"rip": "2001:db8::1"}, {}, "rip"),
        ({"rip": "224.0.0.1"}, {}, "rip"),
        ({"port": "8081"}, {"forwarding": "route"}, "port"),
        ({"port": "8081", "forwarding": "route"}, {}, "port"),
        ({"port": "65536"}, {}, "port"),
        ({"port": "80 "}, {"vip": "10.20.0.12"}, "rip"),
        ({"weight": "-1"}, {}, "weight"),
        ({"weight": "2147483648"}, {}, "weight"),
        ({"weight": ""}, {}, "weight"),
        ({"forwarding": "dsr"}, {}, "forwarding"),
        ({"upper_threshold": "-1"}, {}, "upper_threshold"),
        ({"lower_threshold": "5"}, {}, "lower_threshold"),
        ({"upper_threshold": "4", "lower_threshold": "5"}, {}, "lower_threshold"),
        ({"id": "999"}, {}, "rip"),
    ],
)
def test_wrong_real_server_is_refused_in_its_row(
    browser: Browser, director: Director, row: Row, values: Row, field: str
) -> None:
    first = SERVER | {"port": ""} if values.get("forwarding") == "route" else SERVER
    rows = [BLANK, first, SERVER | {"rip": "10.20.0.77", "DELETE": "on"},
            SERVER | {"rip": "10.20.0.12"} | row]  # fmt: skip
    page = Page(browser("operator").post(ADD, service_form(director, rows, **values)))
    assert page.status == 200
    assert lvs_scene.marked(page) == {f"servers-3-{field}"}
    assert not VirtualService.objects.exists()


@pytest.mark.parametrize("total", ["", "x", "-1", "999999999"])
def test_forged_number_of_rows_is_no_error_of_ours(
    browser: Browser, director: Director, total: str
) -> None:
    sent = service_form(director) | {"servers-TOTAL_FORMS": total}
    answer = browser("operator").post(ADD, sent)
    assert answer.status_code in (200, 302)
    assert RealServer.objects.count() <= 1


def test_rows_are_added_without_a_script(browser: Browser, director: Director) -> None:
    rows = [SERVER, SERVER | {"rip": "not yet"}, BLANK]
    page = Page(browser("operator").post(ADD, service_form(director, rows, name="", do="add-row")))
    typed = [one.get("value", "") for one in page.all("input") if one["name"].endswith("-rip")]
    assert [one for one in typed if one] == ["10.20.0.11", "not yet"]
    assert page.all("input", name="servers-TOTAL_FORMS")[0]["value"] == "5"
    assert lvs_scene.marked(page) == set() and "Nothing was saved" not in page.text


def test_schedulers_are_those_of_the_chosen_directors_kernel(browser: Browser) -> None:
    old, new = lvs_scene.director("old"), lvs_scene.director("new")
    old.host.preflight = {"facts": {"ipvs": {"schedulers": ["rr", "wlc"]}}}
    old.host.save()
    client = browser("operator")
    page = get(client, ADD, {"director": old.pk})
    assert "Those that the kernel of old has." in page.text
    names = {one["value"] for one in page.all("option")}
    assert "wlc" in names and "mh" not in names
    page = Page(client.post(ADD, service_form(new, name="kept", do="redraw")))
    assert "mh" in {one["value"] for one in page.all("option")}
    assert "All that are known" in page.text
    assert page.all("input", name="name")[0]["value"] == "kept"


def test_hashing_flags_are_written_as_ipvsadm_names_them(
    browser: Browser, director: Director
) -> None:
    sent = service_form(director, scheduler="mh", scheduler_flags=["fallback", "port"])
    client = browser("operator")
    client.post(ADD, sent)
    service = VirtualService.objects.get()
    assert service.scheduler_flags == "mh-fallback,mh-port"
    page = get(client, f"{service.get_absolute_url()}edit/")
    boxes = page.all("input", name="scheduler_flags")
    assert len(boxes) == 2 and all("checked" in box for box in boxes)


def test_edit_changes_adds_and_takes_out_in_one_save(browser: Browser) -> None:
    director = lvs_scene.director()
    service = lvs_scene.shop(director)
    first, second = service.real_servers.all()
    rows = [
        SERVER | {"id": first.pk, "weight": "9"},
        SERVER | {"id": second.pk, "rip": second.rip, "DELETE": "on"},
        SERVER | {"rip": "10.20.0.13"},
        BLANK,
    ]
    client, url = browser("operator"), f"{service.get_absolute_url()}edit/"
    assert "10.20.0.12" in {one.get("value") for one in get(client, url).all("input")}
    sent = service_form(director, rows, version=service.version, scheduler="rr")
    assert client.post(url, sent)["Location"] == service.get_absolute_url()
    service.refresh_from_db()
    pool = {row.pk: (row.rip, row.weight) for row in service.real_servers.all()}
    assert pool.pop(first.pk) == ("10.20.0.11", 9)
    assert list(pool.values()) == [("10.20.0.13", 1)]
    assert (service.scheduler, service.generation) == ("rr", 2)


def test_stale_edit_is_refused_in_words_and_keeps_what_was_typed(browser: Browser) -> None:
    director = lvs_scene.director()
    service = lvs_scene.shop(director)
    seen = service.version
    service.save()
    sent = service_form(director, name="renamed", version=seen)
    page = Page(browser("operator").post(f"{service.get_absolute_url()}edit/", sent))
    assert "Somebody changed this since you read it." in page.text
    assert page.all("input", name="name")[0]["value"] == "renamed"
    service.refresh_from_db()
    assert service.name == "shop" and service.real_servers.count() == 2


def test_what_makes_an_applied_service_is_fixed(browser: Browser) -> None:
    director = lvs_scene.director()
    service = lvs_scene.shop(director)
    url = f"{service.get_absolute_url()}edit/"
    page = get(browser("operator"), url)
    for name in ("vip", "port"):
        assert "disabled" in page.all("input", name=name)[0]
    first, second = service.real_servers.all()
    rows = [SERVER | {"id": first.pk}, SERVER | {"id": second.pk, "rip": second.rip}]
    sent = service_form(director, rows, vip="10.10.0.51", port="81", name="renamed")
    browser("operator").post(url, sent)
    service.refresh_from_db()
    assert (service.name, service.vip, service.port) == ("renamed", "10.10.0.50", 80)


def test_a_name_and_an_address_that_are_taken_are_told_at_their_fields(director: Director) -> None:
    lvs_scene.shop(director)
    with pytest.raises(ValidationError) as caught:
        virtual_services.create_virtual_service(
            SYSTEM, director=director, name="shop", vip="10.10.0.50", port=80
        )
    codes = {name: [one.code for one in said] for name, said in caught.value.error_dict.items()}
    assert codes == {"name": ["duplicate_name"], "vip": ["duplicate_address"]}


def test_members_do_not_choose_the_vip_of_a_declared_service(cast: Cast) -> None:
    service = lvs_scene.shop(lvs_scene.director(), tenant=cast.tenant)
    service.applied_generation = 0
    service.save()
    bob = cast.actor("bob")
    with pytest.raises(Forbidden):
        virtual_services.update_virtual_service(bob, service, vip="10.10.0.51")
    virtual_services.update_virtual_service(bob, service, vip="10.10.0.50", scheduler="rr")


def test_member_edits_without_seeing_director_or_tenants(browser: Browser, cast: Cast) -> None:
    service = lvs_scene.shop(lvs_scene.director(), tenant=cast.tenant)
    url = f"{service.get_absolute_url()}edit/"
    page = get(browser("bob"), url)
    assert not page.all("select", name="director") and not page.all("select", name="tenant")
    first, second = service.real_servers.all()
    rows = [SERVER | {"id": first.pk, "weight": "4"}, SERVER | {"id": second.pk, "rip": second.rip}]
    sent = service_form(service.director, rows, tenant=cast.other_tenant.pk)
    assert browser("bob").post(url, sent).status_code == 302
    service.refresh_from_db()
    assert service.tenant == cast.tenant
    assert service.real_servers.get(pk=first.pk).weight == 4
    assert browser("bob").get(ADD).status_code == 403


def test_large_pool_is_not_drawn_as_rows_and_not_lost(browser: Browser) -> None:
    director = lvs_scene.director()
    service = lvs_scene.shop(director, servers=MAX_ROWS + 1)
    client, url = browser("operator"), f"{service.get_absolute_url()}edit/"
    page = get(client, url)
    assert "The pool is too large for one page" in page.text
    assert not page.all("tbody", id="rows")
    client.post(url, service_form(director, [], scheduler="rr", version=service.version))
    service.refresh_from_db()
    assert service.scheduler == "rr" and service.real_servers.count() == MAX_ROWS + 1


def test_service_form_without_a_director_says_what_to_do_first(browser: Browser) -> None:
    page = get(browser("operator"), ADD)
    assert "No director yet" in page.text and ADD_DIRECTOR in page.links()


# One real server


def test_real_server_is_added_and_changed_on_a_page_of_its_own(browser: Browser) -> None:
    service = lvs_scene.shop(lvs_scene.director())
    client, add = browser("operator"), f"{service.get_absolute_url()}real-servers/new/"
    assert client.post(add, SERVER | {"rip": "10.20.0.40", "port": ""}).status_code == 302
    server = service.real_servers.get(rip="10.20.0.40")
    assert server.port == 80
    assert lvs_scene.marked(
        Page(client.post(add, SERVER | {"rip": "10.20.0.40", "port": "80"}))
    ) == {"rip"}
    url = f"/load-balancing/real-servers/{server.pk}/edit/"
    sent = SERVER | {"rip": "10.20.0.40", "upper_threshold": "10", "version": server.version}
    client.post(url, sent)
    server.refresh_from_db()
    assert (server.upper_threshold, server.port) == (10, 8080)
    assert client.post(url, sent).status_code == 412
    sent |= {"version": server.version, "lower_threshold": "11"}
    assert lvs_scene.marked(Page(client.post(url, sent))) == {"lower_threshold"}
