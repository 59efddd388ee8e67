"""The pages of load balancing with and without their scripts, on a seeded console."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, Page, Request, expect

from tests.browser.conftest import sign_in
from tests.running_console import RunningConsole

NEW = "/load-balancing/virtual-services/new/"
#: Two directors that nothing answers for, with different kernels; a service on the first.
SEED = """
from tests.app import lvs_scene
from console.models import Credential, Host
from lvs.models import Director
if not Director.objects.filter(host__name="script-lb1").exists():
    for name, schedulers in (("script-lb1", ["rr", "wlc"]), ("script-lb2", ["rr", "wlc", "mh"])):
        director = lvs_scene.director(name)
        Host.objects.filter(name=name).update(
            address="127.0.0.1", port=1, preflight={"facts": {"ipvs": {"schedulers": schedulers}}}
        )
    lvs_scene.shop(Director.objects.get(host__name="script-lb1"), name="script-shop")
"""


@pytest.fixture
def seeded(console: RunningConsole) -> RunningConsole:
    console.manage("shell", "-c", SEED)
    return console


def open_shop(page: Page) -> None:
    page.goto("/load-balancing/virtual-services/?q=script-shop")
    page.get_by_role("link", name="script-shop").click()
    expect(page.locator(".path")).to_be_visible()


def test_rows_come_and_go_and_what_was_taken_away_is_not_saved(
    page: Page, seeded: RunningConsole
) -> None:
    sign_in(page, seeded)
    page.goto(NEW)
    page.locator("#id_director").select_option(label="script-lb2")
    page.locator("#id_name").fill("script-new")
    page.locator("#id_vip").fill("10.10.0.77")
    page.locator("#id_port").fill("80")
    rows = page.locator("#rows tr")
    before = rows.count()
    page.get_by_role("button", name="Add a row").click()
    expect(rows).to_have_count(before + 1)
    for index, address in ((0, "10.20.0.5"), (1, "10.20.0.6"), (before, "10.20.0.7")):
        rows.nth(index).get_by_label("Address").fill(address)
    rows.nth(1).get_by_role("button").click()
    expect(rows.nth(1)).to_be_hidden()
    page.get_by_role("button", name="Save and review changes").click()
    plan = page.locator("section[aria-labelledby=plan]")
    expect(plan).to_contain_text("-r 10.20.0.5:80")
    expect(plan).to_contain_text("-r 10.20.0.7:80")
    expect(plan).not_to_contain_text("10.20.0.6")


def test_choosing_a_director_offers_its_schedulers_and_keeps_what_was_typed(
    page: Page, seeded: RunningConsole
) -> None:
    sign_in(page, seeded)
    page.goto(NEW)
    page.locator("#id_name").fill("kept")
    page.locator("#id_director").select_option(label="script-lb1")
    expect(page.locator(".under")).to_contain_text("script-lb1")
    expect(page.locator("#id_name")).to_have_value("kept")
    expect(page.locator("#id_scheduler option[value=mh]")).to_have_count(0)
    page.locator("#id_director").select_option(label="script-lb2")
    expect(page.locator("#id_scheduler option[value=mh]")).to_have_count(1)
    page.locator("#id_scheduler").select_option("mh")
    expect(page.locator("[data-words-of]")).to_contain_text("consistent hashing")
    expect(page.locator(".only-hashing")).to_be_visible()
    expect(page.locator(".only-udp")).to_be_hidden()
    page.locator("#id_protocol").select_option("udp")
    expect(page.locator(".only-udp")).to_be_visible()


def test_fields_appear_where_they_matter(page: Page, seeded: RunningConsole) -> None:
    sign_in(page, seeded)
    page.goto(NEW)
    page.locator("#id_director").select_option(label="script-lb2")
    expect(page.locator(".under")).to_contain_text("Absent from it:")
    for hidden in (".only-tunnel", ".only-mark", ".only-udp"):
        expect(page.locator(hidden)).to_be_hidden()
    page.get_by_label("TUN — tunnelling").check()
    expect(page.locator(".only-tunnel")).to_be_visible()
    expect(page.locator(".only-gue")).to_be_hidden()
    page.get_by_label("GUE, over UDP").first.check()
    expect(page.locator("#id_tunnel_port")).to_be_visible()
    expect(page.locator("#id_servers-0-tunnel_port")).to_be_hidden()
    page.locator("#id_servers-0-forwarding").select_option("tunnel")
    page.locator("#id_servers-0-tunnel_type").select_option("gue")
    expect(page.locator("#id_servers-0-tunnel_port")).to_be_visible()
    page.locator("input[name=matching][value=mark]").check()
    rows = page.locator("#address-rows tr")
    before = rows.count()
    page.get_by_role("button", name="Add an address").click()
    expect(rows).to_have_count(before + 1)
    expect(page.locator(".only-udp")).to_be_visible()


def test_live_part_waits_for_whoever_is_typing_in_it(page: Page, seeded: RunningConsole) -> None:
    sign_in(page, seeded)
    open_shop(page)
    asked: list[Request] = []
    page.on("request", lambda one: asked.append(one) if "part=live" in one.url else None)
    weight = page.locator(".weigh input[type=number]").first
    weight.fill("9")
    page.wait_for_timeout(6000)
    assert asked == []
    expect(weight).to_have_value("9")
    weight.fill("1")
    page.locator("h1").click()
    with page.expect_request(lambda one: "part=live" in one.url):
        pass
    page.locator(".servers summary").first.click()
    page.wait_for_timeout(500)
    asked.clear()
    page.wait_for_timeout(6000)
    assert asked == []
    expect(page.locator(".servers details[open]")).to_have_count(1)


@pytest.mark.parametrize("width", [390, 1920])
def test_no_page_is_wider_than_its_window(page: Page, seeded: RunningConsole, width: int) -> None:
    page.set_viewport_size({"width": width, "height": 900})
    sign_in(page, seeded)
    open_shop(page)
    director = page.locator(".crumbs a").last.get_attribute("href")
    paths = [page.url, director, f"{page.url}edit/", NEW, "/load-balancing/directors/",
             "/load-balancing/virtual-services/", f"{director}unmanaged/"]  # fmt: skip
    wide = []
    for path in paths:
        assert path is not None
        page.goto(path)
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            wide.append(path)
    assert wide == []


@pytest.fixture
def bare_page(browser: Browser, console: RunningConsole) -> Iterator[Page]:
    """A browser that runs no scripts."""
    context = browser.new_context(base_url=console.address, java_script_enabled=False)
    yield context.new_page()
    context.close()


def test_service_is_declared_and_edited_without_scripts(
    bare_page: Page, seeded: RunningConsole
) -> None:
    page = bare_page
    sign_in(page, seeded)
    page.goto(NEW)
    page.locator("#id_director").select_option(label="script-lb1")
    page.get_by_role("button", name="Show its schedulers").click()
    expect(page.locator(".under")).to_contain_text("script-lb1")
    page.locator("#id_name").fill("script-bare")
    page.locator("#id_vip").fill("10.10.0.78")
    page.locator("#id_port").fill("80")
    page.locator("#id_servers-0-rip").fill("10.20.0.5")
    after = page.locator("#rows tr").count()
    page.get_by_role("button", name="Add a row").click()
    expect(page.locator(f"#id_servers-{after}-rip")).to_be_visible()
    page.locator("#id_servers-1-rip").fill("10.20.0.6")
    page.get_by_role("button", name="Save and review changes").click()
    expect(page.locator("section[aria-labelledby=plan]")).to_contain_text("-r 10.20.0.6:80")
    page.get_by_role("link", name="Edit").click()
    page.locator("#id_servers-0-DELETE").check()
    page.get_by_role("button", name="Save and review changes").click()
    plan = page.locator("section[aria-labelledby=plan]")
    expect(plan).to_contain_text("-r 10.20.0.6:80")
    expect(plan).not_to_contain_text("10.20.0.5")
