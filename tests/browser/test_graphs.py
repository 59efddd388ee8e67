"""The graphs, drawn in a real browser from what was counted, under the pages' own policy."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone
from playwright.sync_api import Browser, Page, expect

from console.metrics import writing
from lvs.measures import DIRECTOR, SERVER, SERVICE
from lvs.models import VirtualService
from tests import factories
from tests.app import lvs_scene

pytestmark = pytest.mark.django_db(transaction=True)
os.environ.setdefault("DJANGO_ALLOW_ASYNC_UNSAFE", "true")  # Playwright runs a loop of its own

#: Minutes of readings; those of the middle are missing.
MINUTES, MISSING = 180, range(100, 125)


@pytest.fixture
def shop() -> VirtualService:
    """Three hours of counters with a gap, the second real server by DR."""
    service = lvs_scene.shop(lvs_scene.director())
    first, second = service.real_servers.all()
    second.forwarding = "route"
    second.save()
    begin = timezone.now() - timedelta(minutes=MINUTES)
    counted = [0.0, 0.0]
    for minute in range(MINUTES + 1):
        for place, most in enumerate((20, 12)):
            counted[place] += 60 * most * (1 + 0.5 * math.sin(minute / 15 + place))
        if minute in MISSING:
            continue
        one, other = (int(count) for count in counted)
        at = (begin + timedelta(minutes=minute)).timestamp()
        both = one + other
        writing.record(
            SERVER,
            at,
            {
                first.pk: [one, 6 * one, 5 * one, 700 * one, 9000 * one, one % 50 + 40, 9],
                second.pk: [other, 6 * other, None, 700 * other, None, other % 30 + 9, 9],
            },
            300,
        )
        whole = [both, 6 * both, 5 * one, 700 * both, 9000 * one, both % 60 + 50, 18]
        writing.record(SERVICE, at, {service.pk: whole}, 300)
        writing.record(DIRECTOR, at, {service.director_id: [*whole, 4096]}, 300)
    return service


@pytest.fixture
def page(browser: Browser, live_server: Any, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page of a signed-in operator; what the browser complains of fails the test."""
    user = factories.UserFactory.create()
    factories.StaffRoleFactory.create(user=user)
    client = Client()
    client.force_login(user, "django.contrib.auth.backends.ModelBackend")
    context = browser.new_context(base_url=live_server.url, viewport={"width": 1366, "height": 900})
    context.add_cookies(
        [{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": live_server.url}]
    )
    said: list[str] = []
    opened = context.new_page()
    opened.set_default_timeout(60_000)
    opened.on("console", lambda one: said.append(one.text) if one.type == "error" else None)
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    if directory := os.environ.get("EVENKEEL_SCREENSHOTS"):
        opened.screenshot(path=Path(directory) / f"{request.node.name}.png", full_page=True)
    context.close()
    assert said == []


def painted(page: Page, graph: int) -> int:
    """How many points of a drawing are neither empty nor of the grid: something is drawn."""
    found: int = page.evaluate(
        """(graph) => {
          const canvas = document.querySelectorAll("#statistics canvas")[graph];
          const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
          let count = 0;
          for (let at = 0; at < data.length; at += 4) {
            const [red, green, blue, alpha] = data.slice(at, at + 4);
            const colour = Math.max(red, green, blue) - Math.min(red, green, blue);
            if (alpha > 200 && colour > 40) count += 1;
          }
          return count;
        }""",
        graph,
    )
    return found


def test_graphs_are_drawn_split_zoomed_and_follow_the_theme(
    page: Page, shop: VirtualService
) -> None:
    page.goto(f"/load-balancing/virtual-services/{shop.pk}/?period=day")
    expect(page.locator("#statistics canvas")).to_have_count(4)
    assert all(painted(page, graph) > 100 for graph in range(4))
    expect(page.locator("#statistics")).to_contain_text("Bytes out")

    page.get_by_role("button", name="Each real server").click()
    legend = page.locator("#statistics .u-legend").first
    expect(legend).to_contain_text("10.20.0.12:8080")
    assert painted(page, 0) > 1000, "stacked areas"

    with page.expect_response(lambda answer: "/metrics/" in answer.url) as asked:
        box = page.locator("#statistics .u-over").first.bounding_box()
        assert box is not None
        page.mouse.move(box["x"] + box["width"] * 0.9, box["y"] + 50)
        page.mouse.down()
        page.mouse.move(box["x"] + box["width"] * 0.98, box["y"] + 50, steps=4)
        page.mouse.up()
    assert asked.value.json()["step"] <= 120, "a closer look has finer steps"
    page.get_by_role("button", name="Whole period").click()
    expect(page.get_by_role("button", name="Whole period")).to_be_hidden()

    page.get_by_role("link", name="Hour", exact=True).click()
    expect(page.locator('#statistics [aria-current="true"]')).to_have_text("Hour")
    expect(page.locator("#statistics canvas")).to_have_count(4)
    page.evaluate("document.documentElement.dataset.bsTheme = 'dark'")
    expect(page.locator("#statistics canvas")).to_have_count(4)


def test_graphs_of_a_director_on_a_narrow_screen(page: Page, shop: VirtualService) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"/load-balancing/directors/{shop.director_id}/?period=day")
    expect(page.locator("#statistics canvas")).to_have_count(4)
    width = page.evaluate("document.documentElement.scrollWidth")
    assert width <= 390, "nothing runs out of the page"
    expect(page.locator("#statistics")).to_contain_text("4,096 buckets")
