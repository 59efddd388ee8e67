"""What the page of a service says of its last proof, and what to check where it failed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console.models import Operation
from lvs.models import Director, VirtualService
from tests import factories
from tests.app import lvs_scene
from tests.app.pages import Page, get

Browser = Callable[[str], Client]
SAID = "HTTP/1.1 200 OK\r\n\r\nrs1"
ONE, TWO = "10.20.0.11:8080", "10.20.0.12:8080"


def request(server: str, outcome: str = "answered", said: str = SAID) -> dict[str, Any]:
    return {
        "source_port": 40001,
        "outcome": outcome,
        "seconds": 0.0042,
        "said": said,
        "real_server": server,
    }


def proved(service: VirtualService, verdict: str, **kept: Any) -> None:
    proof = {
        "verdict": verdict,
        "answered": [],
        "silent": [],
        "unasked": [],
        "sent": 2,
        "failed": 0,
        "client": "outside",
        "requests": [request(ONE), request(TWO, "timeout", "")],
        "counters": {ONE: {"before": [10, 80, 0, 9000, 0], "after": [12, 96, 0, 9900, 0]}},
    }
    VirtualService.objects.filter(pk=service.pk).update(
        proof=proof | kept, proved_at=timezone.now()
    )


@pytest.fixture
def service(db: None) -> VirtualService:
    director = lvs_scene.director(probe_host=factories.HostFactory.create(name="outside"))
    return lvs_scene.shop(director)


def page_of(browser: Browser, service: VirtualService) -> Page:
    return get(browser("operator"), service.get_absolute_url())


def test_proof_is_asked_for_with_one_button(browser: Browser, service: VirtualService) -> None:
    assert "Prove it sends real requests from outside" in page_of(browser, service).text
    url = f"{service.get_absolute_url()}prove/"
    assert browser("operator").post(url)["Location"] == service.get_absolute_url()
    assert Operation.objects.on(service).get().kind == "virtual_service.prove"


def test_without_a_client_the_page_leads_to_choosing_one(
    browser: Browser, service: VirtualService
) -> None:
    Director.objects.update(probe_host=None)
    page = page_of(browser, service)
    assert f"{service.director.get_absolute_url()}edit/" in page.links()
    assert "Prove it asks each real server from the director" in page.text
    assert browser("operator").post(f"{service.get_absolute_url()}prove/").status_code == 302


def test_proved_service_says_who_answered_and_how_fast(
    browser: Browser, service: VirtualService
) -> None:
    proved(service, "proved", answered=[ONE, TWO])
    page = page_of(browser, service)
    assert "Serving, proved" in page.text
    assert "each of the 2 real servers with weight answered" in page.text
    assert "4.2 ms" in page.text and "HTTP/1.1 200 OK" in page.text
    assert "10 → 12" in page.text and "from outside" in page.text
    assert "What to check" not in page.text


def test_proof_from_before_a_change_is_marked_as_old(
    browser: Browser, service: VirtualService
) -> None:
    proved(service, "proved", answered=[ONE, TWO])
    service.refresh_from_db()
    service.save()
    page = page_of(browser, service)
    assert "changed since" in page.text and "Serving, proved" not in page.text


def test_silent_real_server_by_nat_is_told_the_way_back(
    browser: Browser, service: VirtualService
) -> None:
    proved(service, "partial", answered=[ONE], silent=[TWO], failed=1)
    page = page_of(browser, service)
    assert "Proved in part" in page.text and "1 request failed." in page.text
    assert "ss -H -lnt 'sport = :8080'" in page.text
    assert "ip route replace default via 10.20.0.1" in page.text
    checked = {one.get("id") for one in page.all("details")}
    assert f"check-{TWO}" in checked and f"check-{ONE}" not in checked


def test_silent_real_server_by_dr_is_given_the_script(
    browser: Browser, service: VirtualService
) -> None:
    VirtualService.objects.update(forwarding="route")
    proved(service, "failed", silent=[ONE], unasked=[TWO], failed=2)
    page = page_of(browser, service)
    assert "Failed: none of the 2 requests through the VIP got an answer." in page.text
    assert "ip address replace 10.10.0.50/32 dev lo" in page.text
    assert "sysctl -qw net.ipv4.conf.all.arp_ignore=1" in page.text
    scripts = [one["data-copy"] for one in page.all("button") if "data-copy" in one]
    assert any(script.startswith("#!/bin/sh") for script in scripts)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"persistence_timeout": 60}, "With persistence one client stays"),
        ({"scheduler": "sh"}, "always sends one client to the same real server"),
        ({"scheduler": "mh", "scheduler_flags": "mh-fallback"}, "always sends one client"),
        ({"scheduler": "mh", "scheduler_flags": "mh-port"}, ""),
        ({"scheduler": "dh"}, "sends one destination address to one real server"),
        ({"scheduler": "fo"}, "takes the highest weight first"),
        ({"scheduler": "wlc"}, ""),
    ],
)
def test_real_servers_that_one_client_cannot_reach_are_explained(
    browser: Browser, service: VirtualService, values: dict[str, Any], words: str
) -> None:
    VirtualService.objects.update(**values)
    proved(service, "partial", answered=[ONE], unasked=[TWO])
    page = page_of(browser, service)
    assert "1 answered, 1 got no request" in page.text
    card = page.text.partition("Last proof")[2].partition("History")[0]
    assert (words in card) if words else "This scheduler" not in card
