"""The page and the document of a director's own side."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from rest_framework.test import APIClient

from console.models import Operation
from lvs.director.nftables import Ruleset
from lvs.director.settings import Timeouts
from lvs.director.types import Load, Own, Surroundings
from lvs.models import Director
from tests.app import lvs_scene
from tests.app.api_answers import assert_problem
from tests.app.pages import Page, get

pytestmark = pytest.mark.django_db

Browser = Callable[[str], Client]
Api = Callable[..., APIClient]


@pytest.fixture
def director() -> Director:
    """A director whose kernel has three settings, one of them new, and crowded tables."""
    found = lvs_scene.director(kernel_settings={"drop_entry": "1"}, udp_timeout=60)
    facts = Surroundings.from_json(lvs_scene.SURROUNDINGS).to_json()
    seen = Surroundings(
        settings={"drop_entry": "3", "sync_threshold": "3 50", "brand_new": "7"},
        timeouts=Timeouts(900, 120, 300),
        load=Load(4096, 20000, 65000, 65536, 12, 12),
    ).to_json()
    kept = {name: seen[name] for name in ("settings", "timeouts", "load")}
    found.observed_facts = facts | kept
    found.save()
    return found


def url(director: Director) -> str:
    return f"{director.get_absolute_url()}settings/"


def typed(page: Page) -> dict[str, str]:
    """What the form would send as it stands: text fields and chosen options."""
    fields = {one["name"]: one.get("value", "") for one in page.all("input") if "name" in one}
    return {name: value for name, value in fields.items() if name != "csrfmiddlewaretoken"}


def test_page_shows_declared_beside_seen_with_a_sentence_and_its_age(
    browser: Browser, director: Director
) -> None:
    page = get(browser("operator"), url(director))
    assert "Drop connections when memory is short" in page.text
    assert "Mode 3 drops one packet in am_droprate" not in page.text
    assert "brand_new" in page.text and "the console knows no more about it" in page.text
    assert page.text.count("differs") == 2
    assert "20,000" in page.text and "4.9 in each" in page.text
    assert "conn_tab_bits=15" in page.text
    assert "nearly full" in page.text and "add local addresses" in page.text
    assert page.all("select", name="kernel_settings.drop_entry")
    assert page.all("input", name="kernel_settings.sync_threshold")


def test_saving_declares_and_begins_to_apply_when_asked(
    browser: Browser, director: Director
) -> None:
    client = browser("operator")
    sent = typed(get(client, url(director))) | {
        "kernel_settings.drop_entry": "2",
        "kernel_settings.brand_new": "",
        "tcp_timeout": "1000",
        "local_addresses": "10.20.0.61\n10.20.0.62",
        "local_interface": "int0",
        "do": "apply",
    }
    answer = client.post(url(director), sent)
    assert answer.status_code == 302, Page(answer).text[:500]
    director.refresh_from_db()
    assert director.kernel_settings == {"drop_entry": "2"}
    assert (director.tcp_timeout, director.udp_timeout) == (1000, 60)
    assert director.local_addresses == ["10.20.0.61", "10.20.0.62"]
    assert director.provisioning_status == "pending"
    assert Operation.objects.on(director).get().kind == "director.configure"


def test_a_wrong_value_is_named_at_its_field_and_nothing_is_saved(
    browser: Browser, director: Director
) -> None:
    client = browser("operator")
    sent = typed(get(client, url(director))) | {
        "kernel_settings.sync_threshold": "50 3",
        "local_addresses": "10.10.0.999",
        "do": "save",
    }
    page = Page(client.post(url(director), sent))
    assert lvs_scene.marked(page) >= {"kernel_settings.sync_threshold"}
    assert "is no IP address" in page.text
    assert "The first number of sync_threshold is the smaller one." in page.text
    director.refresh_from_db()
    assert director.kernel_settings == {"drop_entry": "1"}


def test_recommended_values_are_filled_in_and_not_saved(
    browser: Browser, director: Director
) -> None:
    page = Page(browser("operator").post(url(director), {"do": "recommended"}))
    assert "Nothing is saved yet" in page.text
    field = page.all("input", name="kernel_settings.sync_threshold")[0]
    assert field["value"] == "3 50"
    director.refresh_from_db()
    assert director.kernel_settings == {"drop_entry": "1"}


def test_a_change_of_somebody_elses_in_between_is_noticed(
    browser: Browser, director: Director
) -> None:
    client = browser("operator")
    sent = typed(get(client, url(director))) | {"do": "save"}
    Director.objects.get(pk=director.pk).save()
    assert client.post(url(director), sent).status_code == 412


def test_an_auditor_looks_and_cannot_change(browser: Browser, director: Director) -> None:
    page = get(browser("auditor"), url(director))
    assert all("disabled" in one for one in page.all("select") if "kernel" in one["name"])
    assert f"{director.get_absolute_url()}under-attack/" not in page.posts()


def test_one_press_puts_the_preset_on_with_a_banner_and_one_takes_it_off(
    browser: Browser, director: Director
) -> None:
    client, press = browser("operator"), f"{director.get_absolute_url()}under-attack/"
    assert press in get(client, url(director)).posts()
    assert client.post(press, {"on": "1"}).status_code == 302
    for path in (url(director), director.get_absolute_url()):
        page = get(client, path)
        assert "Under attack: the guards are on" in page.text
        assert press in page.posts()
    Operation.objects.on(director).update(status="succeeded")
    assert client.post(press, {"on": "0"}).status_code == 302
    assert "the guards are on" not in get(client, url(director)).text


def test_cost_of_the_page_does_not_grow_with_services(browser: Browser, director: Director) -> None:
    client = browser("operator")
    lvs_scene.shop(director, forwarding="fullnat")
    few = lvs_scene.queries(client, url(director))
    for number in range(6):
        lvs_scene.shop(director, 3, name=f"s{number}", vip=f"10.10.1.{number}",
                       forwarding="fullnat")  # fmt: skip
    assert lvs_scene.queries(client, url(director)) == few


def test_ports_of_full_nat_are_counted_for_each_real_server(
    browser: Browser, director: Director
) -> None:
    director.local_addresses, director.local_interface = ["10.20.0.61", "10.20.0.62"], "int0"
    director.save()
    lvs_scene.shop(director, forwarding="fullnat")
    page = get(browser("operator"), url(director))
    assert "3 / 129,022" in page.text
    assert "Each local address carries 64,511 connections" in page.text


def test_document_of_settings_is_read_changed_and_refused_like_the_page(
    api: Api, director: Director
) -> None:
    client = api()
    path = f"/api/v1/lvs/directors/{director.pk}/settings/"
    document = client.get(path).json()
    guard = next(one for one in document["settings"] if one["name"] == "drop_entry")
    assert (guard["declared"], guard["seen"], guard["differs"]) == ("1", "3", True)
    assert "Throws away random half-open" in guard["meaning"]
    assert document["seen_timeouts"]["udp_timeout"] == 300
    changed = client.patch(
        path, {"kernel_settings": {"net.ipv4.vs.drop_packet": "3"}, "apply": True}, format="json"
    )
    assert changed.status_code == 200, changed.content
    assert changed.json()["kernel_settings"] == {"drop_packet": "3"}
    assert changed.json()["operation"]
    refused = client.patch(path, {"kernel_settings": {"drop_packet": "9"}}, format="json")
    assert_problem(refused, 400, "invalid", "kernel_settings.drop_packet")


def test_surroundings_are_kept_whole() -> None:
    one = Surroundings(
        kernel="6.1",
        settings={"drop_entry": "1"},
        timeouts=Timeouts(1, 2, 3),
        load=Load(1, 2, 3, 4, 5, 6),
        local_networks=("10.0.0.0/28",),
        has_nft=False,
        nft=Ruleset({"marks4": frozenset({"a : b"})}, {"prerouting": ("x",)}, {"marks4": "y"}),
        own=Own({"10.0.0.1": "pub0"}, {"drop_entry": "1"}, Timeouts(None, 5, None)),
    )
    assert Surroundings.from_json(one.to_json()) == one
    data: dict[str, Any] = {}
    assert Surroundings.from_json(data) == Surroundings()
