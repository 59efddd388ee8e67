"""The frame of every page: who sees which entries, what search finds, theme and language."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from django.urls import get_resolver, reverse

from console import shell
from console.access import actor_for
from tests import factories
from tests.app.pages import Page, get
from tests.conftest import Cast

Browser = Callable[[str], Client]


def _sidebar(page: Page) -> set[str]:
    names = {reverse(entry.url_name) for entry in shell.NAVIGATION}
    return page.links() & names


def test_staff_sees_the_whole_sidebar(browser: Browser) -> None:
    page = get(browser("administrator"), "/")
    assert _sidebar(page) == {reverse(entry.url_name) for entry in shell.NAVIGATION}


def test_member_sees_no_hosts_and_no_credentials(browser: Browser) -> None:
    seen = _sidebar(get(browser("ray"), "/"))
    assert {"/", "/alerts/", "/operations/", "/tokens/", "/audit/"} <= seen
    assert not seen & {"/hosts/", "/credentials/"}


def test_stranger_is_sent_to_the_sign_in(browser: Browser) -> None:
    answer = browser("anonymous").get("/hosts/")
    assert (answer.status_code, answer["Location"]) == (302, "/accounts/login/?next=/hosts/")


@pytest.mark.parametrize("path", ["/hosts/", "/credentials/", "/hosts/new/", "/metrics"])
def test_member_is_refused_what_is_staffs(browser: Browser, path: str) -> None:
    assert browser("alice").get(path).status_code == 403


def test_refusal_says_why(browser: Browser) -> None:
    page = Page(browser("auditor").get("/hosts/new/"))
    assert page.status == 403
    assert "your role lacks “host.manage”" in page.text


def test_counters_stand_beside_their_entries(browser: Browser) -> None:
    factories.AlertFactory.create()
    factories.OperationFactory.create()
    page = get(browser("operator"), "/")
    assert page.html.count('class="count bad">1<') == 1
    assert page.html.count('class="count ">1<') == 1


def test_every_registered_name_leads_somewhere() -> None:
    names = set(get_resolver().reverse_dict)
    entries = {entry.url_name for entry in shell.NAVIGATION}
    steps = {step.url_name for step in shell.FIRST_STEPS}
    assert entries | steps | set(shell.TARGETS.values()) <= names


def test_palette_finds_by_name_address_and_number(browser: Browser) -> None:
    client = browser("operator")
    host = factories.HostFactory.create(name="fra-lb7", address="192.0.2.77")
    operation = factories.OperationFactory.create(target=host)
    for words, url in (
        ("lb7", f"/hosts/{host.pk}/"),
        ("192.0.2.77", f"/hosts/{host.pk}/"),
        (f"#{operation.pk}", f"/operations/{operation.pk}/"),
        ("audit", "/audit/"),
    ):
        assert url in get(client, "/palette/", {"q": words}).links(), words


def test_palette_hides_what_is_not_yours(browser: Browser) -> None:
    host = factories.HostFactory.create(name="fra-lb7")
    operation = factories.OperationFactory.create(target=host)
    client = browser("charlie")
    assert get(client, "/palette/", {"q": "lb7"}).links() == set()
    assert get(client, "/palette/", {"q": str(operation.pk)}).links() == set()


def test_palette_of_nothing_offers_the_pages(browser: Browser) -> None:
    assert "/hosts/" in get(browser("operator"), "/palette/").links()


def test_search_opens_the_only_thing_found(browser: Browser) -> None:
    host = factories.HostFactory.create(name="fra-lb7")
    answer = browser("operator").get("/search/", {"q": "fra-lb7"})
    assert answer["Location"] == f"/hosts/{host.pk}/"


@pytest.mark.parametrize("words", ["nothing like it", "%", "٣", "9" * 30, "<script>", "\x00"])
def test_search_takes_anything(browser: Browser, words: str) -> None:
    page = get(browser("operator"), "/search/", {"q": words})
    assert "<script>alert" not in page.html
    assert "<script></" not in page.html


def test_theme_is_remembered_and_written_into_the_page(browser: Browser) -> None:
    client = browser("ray")
    answer = client.post("/theme/", {"theme": "dark", "next": "/alerts/"})
    assert answer["Location"] == "/alerts/"
    assert get(client, "/").all("html")[0]["data-bs-theme"] == "dark"
    assert client.post("/theme/", {"theme": "pink"}).status_code == 400


def test_theme_goes_back_to_this_console_only(browser: Browser) -> None:
    answer = browser("ray").post("/theme/", {"theme": "dark", "next": "https://example.net/"})
    assert answer["Location"] == "/"


def test_a_forged_theme_cookie_does_nothing(browser: Browser) -> None:
    client = browser("ray")
    client.cookies["theme"] = '"><script>x</script>'
    page = get(client, "/")
    assert "<script>x" not in page.html
    assert "data-bs-theme" not in page.all("html")[0]


def test_language_is_switched_by_post(browser: Browser) -> None:
    client = browser("ray")
    client.post("/language/", {"language": "zh-hans", "next": "/"})
    assert get(client, "/").all("html")[0]["lang"] == "zh-hans"


def test_sign_in_speaks_both_languages_before_anybody_signed_in(browser: Browser) -> None:
    client = browser("anonymous")
    client.post("/language/", {"language": "zh-hans", "next": "/accounts/login/"})
    assert "登录" in get(client, "/accounts/login/").text


def test_policy_allows_neither_inline_script_nor_inline_style(browser: Browser) -> None:
    policy = browser("ray").get("/")["Content-Security-Policy"]
    assert "script-src 'self'" in policy and "style-src 'self'" in policy
    assert "unsafe" not in policy


PAGES = [
    "dashboard",
    "search",
    "runbook",
    "alerts",
    "operations",
    "hosts",
    "host-add",
    "credentials",
    "credential-add",
    "credential-generate",
    "tenants",
    "tenant-add",
    "tokens",
    "token-add",
    "audit",
    "mfa_index",
    "mfa_activate_totp",
    "account_change_password",
    "account_email",
]


@pytest.mark.parametrize("name", PAGES)
def test_page_has_no_inline_code_one_heading_and_labelled_controls(
    browser: Browser, name: str
) -> None:
    client = browser("administrator")
    answer = client.get(reverse(name), follow=True)  # security pages ask for the password again
    page = Page(answer)
    assert page.status == 200
    for tag, found in page._tags:
        assert "style" not in found, (tag, found)
        assert not [key for key in found if key.startswith("on")], (tag, found)
    for script in page.all("script"):
        assert "src" in script or script.get("type") == "application/json"
    assert len(page.all("h1")) >= 1
    labels = {found.get("for") for found in page.all("label")}
    for control in [*page.all("input"), *page.all("select"), *page.all("textarea")]:
        if control.get("type") not in ("hidden", "submit"):
            assert control.get("aria-label") or control.get("id") in labels, control


def test_error_pages_stand_on_their_own(browser: Browser, cast: Cast) -> None:
    page = Page(browser("ray").get("/no/such/page/"))
    assert page.status == 404
    assert "Not found" in page.text


def test_tenant_roles_of_a_suspended_tenant_open_nothing(cast: Cast) -> None:
    cast.tenant.is_suspended = True
    cast.tenant.save()
    assert not shell.may_somewhere(actor_for(cast.alice), "alert.view")


def test_sign_in_page_offers_a_passkey(browser: Browser) -> None:
    page = get(browser("anonymous"), reverse("account_login"))
    assert page.all("button", id="passkey_login")
    assert settings.MFA_PASSKEY_LOGIN_ENABLED


def test_sign_out_is_a_post(browser: Browser) -> None:
    client = browser("ray")
    assert "/accounts/logout/" in get(client, "/").posts()
    client.post("/accounts/logout/")
    assert client.get("/").status_code == 302
