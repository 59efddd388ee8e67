"""Chromium on a running console with the rack behind it."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from lab.rack import Rack
from tests.racks import rack_number
from tests.running_console import RunningConsole

#: Milliseconds: everything goes through a rack that may run under software emulation.
PATIENCE = 120_000


@pytest.fixture(scope="session")
def rack() -> Rack:
    """The rack, fresh from its template."""
    found = Rack(rack_number())
    if not found.up():
        found.reset()
    return found


@pytest.fixture(scope="session")
def console(rack: Rack) -> Iterator[RunningConsole]:
    """A fresh console that knows nothing yet."""
    running = RunningConsole(EVENKEEL_POLL_INTERVAL="10", EVENKEEL_SWEEP_INTERVAL="2")
    running.start()
    yield running
    running.stop()


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Debian's Chromium, headless."""
    path = shutil.which("chromium")
    assert path, "install it: apt-get install chromium"
    with sync_playwright() as playwright:
        yield playwright.chromium.launch(
            executable_path=path,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )


@pytest.fixture
def context(browser: Browser, console: RunningConsole) -> Iterator[BrowserContext]:
    """A window of its own; what the page says on its console fails the test."""
    made = browser.new_context(base_url=console.address, viewport={"width": 1366, "height": 900})
    made.set_default_timeout(PATIENCE / 4)
    yield made
    made.close()


@pytest.fixture
def page(context: BrowserContext, request: pytest.FixtureRequest) -> Iterator[Page]:
    """A page; errors of scripts and refusals of the content security policy fail the test.

    With EVENKEEL_SCREENSHOTS set, the last state of each test is kept there.
    """
    said: list[str] = []
    opened = context.new_page()
    opened.on("console", lambda message: said.append(message.text)
              if message.type == "error" else None)  # fmt: skip
    opened.on("pageerror", lambda error: said.append(str(error)))
    yield opened
    if directory := os.environ.get("EVENKEEL_SCREENSHOTS"):
        opened.screenshot(path=Path(directory) / f"{request.node.name}.png", full_page=True)
    assert not [line for line in said if "status of 4" not in line], said


def sign_in(page: Page, console: RunningConsole) -> None:
    """Sign in as the first administrator."""
    page.goto("/")
    page.locator("#id_login").fill("admin")
    page.locator("#id_password").fill(console.password)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.wait_for_url("**/")
