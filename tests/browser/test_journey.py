"""The first journey, as a person walks it: from an empty console to a proved and mended VIP."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import Page, expect

from lab.rack import Node, Rack
from tests.browser.conftest import PATIENCE, sign_in
from tests.running_console import RunningConsole

expect.set_options(timeout=PATIENCE)


def add_host(page: Page, node: Node) -> None:
    page.goto("/hosts/new/")
    page.locator("#id_name").fill(node.name)
    page.locator("#id_address").fill(node.address)
    page.locator("#id_port").fill(str(node.port))
    page.locator("#id_credential").select_option(label="rack")
    page.get_by_role("button", name="Add and read its key").click()
    accept = page.get_by_role("button", name="They are the same: accept")
    expect(accept).to_be_visible()
    expect(page.locator(".fingerprints")).to_contain_text("SHA256:")
    accept.click()
    expect(page.get_by_role("heading", name="Pinned key")).to_be_visible()
    expect(page.locator("#live .facts")).to_contain_text("Kernel")


def test_from_an_empty_console_to_a_proved_and_mended_vip(
    page: Page, console: RunningConsole, rack: Rack
) -> None:
    sign_in(page, console)

    page.goto("/credentials/new/")
    page.locator("#id_name").fill("rack")
    page.locator("#id_secret").fill(Path(rack.node("lb1").key_path).read_text())
    page.get_by_role("button", name="Save").click()
    for name in ("lb1", "client"):
        add_host(page, rack.node(name))

    page.goto("/load-balancing/directors/new/")
    page.locator("#id_host").select_option(label="lb1")
    page.locator("input[name=vip_interface][value=pub0]").check()
    page.locator("#id_probe_host").select_option(label="client")
    page.get_by_role("button", name="Add and read its table").click()
    expect(page.locator("#live")).to_contain_text("as declared")

    page.goto("/load-balancing/virtual-services/new/")
    page.locator("#id_name").fill("shop")
    page.locator("#id_vip").fill("10.10.0.50")
    page.locator("#id_port").fill("80")
    rows = page.locator("#rows tr")
    for index, (address, port) in enumerate((("10.20.0.11", "8080"), ("10.20.0.12", "80"))):
        rows.nth(index).get_by_label("Address").fill(address)
        rows.nth(index).get_by_label("Port", exact=True).fill(port)
    page.get_by_role("button", name="Save and review changes").click()

    plan = page.locator("section[aria-labelledby=plan]")
    expect(plan).to_contain_text("-A -t 10.10.0.50:80 -s wlc")
    expect(plan).to_contain_text("-a -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 1")
    assert "10.10.0.50" not in rack.run("lb1", ["ipvsadm", "-Ln"]).stdout
    plan.get_by_role("button", name="Apply").click()
    service = page.url
    page.goto(console.address + "/load-balancing/virtual-services/")
    page.get_by_role("link", name="shop").first.click()
    service = page.url
    expect(page.locator("section[aria-labelledby=plan]")).to_have_count(0)
    assert "10.10.0.50:80" in rack.run("lb1", ["ipvsadm", "-Ln"]).stdout

    page.get_by_role("button", name="Prove it").first.click()
    page.goto(service)
    proof = page.locator("section[aria-labelledby=proof]")
    expect(proof).to_contain_text("from client")
    expect(proof).to_contain_text("10.20.0.11:8080")
    expect(proof).to_contain_text("10.20.0.12:80")

    rack.run("lb1", ["ipvsadm", "-e", "-t", "10.10.0.50:80", "-r", "10.20.0.12:80", "-m",
                     "-w", "77"])  # fmt: skip
    page.goto(service)
    expect(page.get_by_role("heading", name="Drift: what would mend it")).to_be_visible()
    expect(page.locator("section[aria-labelledby=plan]")).to_contain_text(
        "-e -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 1"
    )
    page.get_by_role("button", name="Mend it now").first.click()
    page.goto(service)
    expect(page.get_by_role("heading", name="Drift: what would mend it")).to_have_count(0)
    assert "-w 77" not in rack.run("lb1", ["ipvsadm", "-S", "-n"]).stdout


def test_bad_input_lands_on_its_field_and_saves_nothing(
    page: Page, console: RunningConsole
) -> None:
    sign_in(page, console)
    page.goto("/hosts/new/")
    page.locator("#id_name").fill("no blanks here")
    page.locator("#id_address").fill("bad address")
    page.get_by_role("button", name="Add and read its key").click()
    expect(page.locator("#div_id_name")).to_contain_text("letters, digits")
    expect(page.locator("#div_id_address")).to_contain_text("without blanks")
    hosts = console.call("GET", "hosts/?q=blanks").body["results"]
    assert hosts == []


def test_palette_finds_by_keyboard_alone(page: Page, console: RunningConsole) -> None:
    sign_in(page, console)
    page.keyboard.press("Control+k")
    page.keyboard.type("audit")
    expect(page.get_by_role("option").or_(page.locator("dialog[open] a")).first).to_be_visible()
    page.keyboard.press("Enter")
    page.wait_for_url("**/audit/**")


def test_speaks_chinese_and_goes_dark(page: Page, console: RunningConsole) -> None:
    sign_in(page, console)
    page.get_by_role("button", name="中文").first.click()
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page.locator("body")).to_contain_text("虚拟服务")
