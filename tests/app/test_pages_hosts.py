"""Hosts and credentials in the browser."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.test import Client
from django.utils import timezone

from console.models import AuditEvent, Credential, Host, Operation
from console.preflight import FINDING_TEXTS, Role
from console.preflight.findings import Finding, say
from tests import factories
from tests.app.pages import Page, get
from tests.conftest import Cast

Browser = Callable[[str], Client]
OTHER = "SHA256:Zk1RrUSK4mKcFbRzjbcwkMi2xKYXkqH4QGeVnI8sBq0"


def _form(**values: object) -> dict[str, object]:
    return {"name": "lb1", "address": "192.0.2.1", "port": 22, "username": "root", **values}


def _unpinned(**fields: object) -> Host:
    return factories.HostFactory.create(
        trust=Host.Trust.UNPINNED, host_key="", fingerprint="", **fields
    )


def test_adding_a_host_reads_its_key_at_once(browser: Browser) -> None:
    credential = factories.CredentialFactory.create()
    answer = browser("operator").post("/hosts/new/", _form(credential=credential.pk))
    host = Host.objects.get()
    assert answer["Location"] == f"/hosts/{host.pk}/"
    assert Operation.objects.on(host).get().kind == "host.scan_key"


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"name": "x" * 10_000}, "name"),
        ({"name": "two\nlines"}, "name"),
        ({"name": ""}, "name"),
        ({"address": "not an address"}, "address"),
        ({"port": 0}, "port"),
        ({"port": 65536}, "port"),
        ({"port": "ssh"}, "port"),
        ({"username": "Root!"}, "username"),
        ({"credential": 999}, "credential"),
        ({"jump_host": 999}, "jump_host"),
    ],
)
def test_bad_input_is_named_at_its_field_and_nothing_is_saved(
    browser: Browser, wrong: dict[str, object], field: str
) -> None:
    credential = factories.CredentialFactory.create()
    answer = browser("operator").post("/hosts/new/", _form(credential=credential.pk) | wrong)
    page = Page(answer)
    assert page.status == 200
    control = next(
        found for found in (*page.all("input"), *page.all("select")) if found.get("name") == field
    )
    assert control["aria-invalid"] == "true"
    assert not Host.objects.exists()
    assert not AuditEvent.objects.exists()


def test_a_name_that_is_taken_is_refused_by_name(browser: Browser) -> None:
    host = factories.HostFactory.create(name="lb1")
    page = Page(browser("operator").post("/hosts/new/", _form(credential=host.credential_id)))
    assert "already exists" in page.text


def test_a_new_key_is_shown_with_the_command_to_compare_it(browser: Browser) -> None:
    host = _unpinned(offered_key=factories.HOST_KEY, offered_fingerprint=factories.FINGERPRINT)
    page = get(browser("operator"), f"/hosts/{host.pk}/")
    assert factories.FINGERPRINT in page.text
    assert "ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub" in page.text
    assert f"/hosts/{host.pk}/accept-key/" in page.posts()


def test_accepting_pins_the_key_that_was_shown(browser: Browser) -> None:
    host = _unpinned(offered_key=factories.HOST_KEY, offered_fingerprint=factories.FINGERPRINT)
    client = browser("operator")
    client.post(f"/hosts/{host.pk}/accept-key/", {"fingerprint": factories.FINGERPRINT})
    host.refresh_from_db()
    assert (host.trust, host.fingerprint) == (Host.Trust.PINNED, factories.FINGERPRINT)
    assert Operation.objects.on(host).get().kind == "host.preflight"


def test_a_key_that_changed_meanwhile_is_not_accepted(browser: Browser) -> None:
    host = _unpinned(offered_key=factories.HOST_KEY, offered_fingerprint=factories.FINGERPRINT)
    answer = browser("operator").post(
        f"/hosts/{host.pk}/accept-key/", {"fingerprint": OTHER}, follow=True
    )
    assert "not the fingerprint that the machine showed" in Page(answer).text
    host.refresh_from_db()
    assert host.trust == Host.Trust.UNPINNED


def test_a_changed_key_is_red_and_shows_both(browser: Browser) -> None:
    host = factories.HostFactory.create(
        trust=Host.Trust.CHANGED, offered_key=factories.HOST_KEY, offered_fingerprint=OTHER
    )
    page = get(browser("operator"), f"/hosts/{host.pk}/")
    assert page.all("section", class_="tone-bad")
    assert factories.FINGERPRINT in page.text and OTHER in page.text


def test_refusing_drops_the_offered_key(browser: Browser) -> None:
    host = _unpinned(offered_key=factories.HOST_KEY, offered_fingerprint=factories.FINGERPRINT)
    browser("operator").post(f"/hosts/{host.pk}/refuse-key/")
    host.refresh_from_db()
    assert (host.offered_key, host.trust) == ("", Host.Trust.UNPINNED)


def test_an_auditor_sees_a_host_and_no_button(browser: Browser) -> None:
    host = _unpinned(offered_key=factories.HOST_KEY, offered_fingerprint=factories.FINGERPRINT)
    client = browser("auditor")
    posts = get(client, f"/hosts/{host.pk}/").posts()
    assert not [path for path in posts if path.startswith("/hosts/")]
    answer = client.post(f"/hosts/{host.pk}/accept-key/", {"fingerprint": factories.FINGERPRINT})
    assert answer.status_code == 403


def test_deleting_takes_the_name(browser: Browser) -> None:
    host = factories.HostFactory.create(name="lb1")
    client = browser("operator")
    answer = client.post(f"/hosts/{host.pk}/delete/", {"confirm": "lb2"}, follow=True)
    assert "the name did not match" in Page(answer).text
    assert Host.objects.filter(pk=host.pk).exists()
    client.post(f"/hosts/{host.pk}/delete/", {"confirm": "lb1"})
    assert not Host.objects.filter(pk=host.pk).exists()


def test_a_host_in_use_is_not_deleted_and_its_users_are_named(browser: Browser) -> None:
    director = factories.DirectorFactory.create()
    host = director.host
    answer = browser("operator").post(
        f"/hosts/{host.pk}/delete/",
        {"confirm": host.name},
        follow=True,
        headers={"referer": f"http://testserver/hosts/{host.pk}/"},
    )
    assert "still in use" in Page(answer).text
    assert Host.objects.filter(pk=host.pk).exists()


def test_an_edit_that_came_too_late_changes_nothing(browser: Browser) -> None:
    host = factories.HostFactory.create(name="lb1", notes="")
    client = browser("operator")
    read = get(client, f"/hosts/{host.pk}/edit/")
    version = read.all("input", name="version")[0]["value"]
    host.notes = "somebody was faster"
    host.save()
    form = _form(credential=host.credential_id, address=host.address, notes="mine", version=version)
    answer = client.post(
        f"/hosts/{host.pk}/edit/",
        form,
        follow=True,
        headers={"referer": f"http://testserver/hosts/{host.pk}/edit/"},
    )
    assert "Somebody changed this since you read it" in Page(answer).text
    host.refresh_from_db()
    assert host.notes == "somebody was faster"


def test_a_busy_host_says_by_what(browser: Browser) -> None:
    host = factories.HostFactory.create()
    operation = factories.OperationFactory.create(target=host)
    answer = browser("operator").post(
        f"/hosts/{host.pk}/preflight/",
        follow=True,
        headers={"referer": f"http://testserver/hosts/{host.pk}/"},
    )
    assert f"operation #{operation.pk} is not finished" in Page(answer).text


def test_another_address_unpins_the_key(browser: Browser) -> None:
    host = factories.HostFactory.create(name="lb1", address="192.0.2.1")
    browser("operator").post(
        f"/hosts/{host.pk}/edit/",
        _form(credential=host.credential_id, address="192.0.2.9", version=host.version),
    )
    host.refresh_from_db()
    assert (host.address, host.trust) == ("192.0.2.9", Host.Trust.UNPINNED)


def test_findings_stand_under_their_role_with_the_command_of_their_distribution(
    browser: Browser, preflight: dict[str, object]
) -> None:
    host = factories.HostFactory.create(preflight=preflight, preflight_at=timezone.now())
    page = get(browser("operator"), f"/hosts/{host.pk}/")
    assert "ipvsadm is not installed." in page.text
    copied = {found["data-copy"] for found in page.all("button") if "data-copy" in found}
    assert "apt-get install -y ipvsadm" in copied
    assert "dnf install -y ipvsadm" not in copied
    assert "Not ready" in page.text
    assert "<img src=x>" not in page.html  # what machines say is text
    assert "&lt;img src=x&gt;" in page.html


@pytest.fixture
def preflight() -> dict[str, object]:
    """A kept preflight of a Debian machine that lacks ipvsadm and has a hostile name."""
    findings: list[Finding] = [
        say(
            Role.DIRECTOR,
            "ipvsadm.absent",
            debian="apt-get install -y ipvsadm",
            rhel="dnf install -y ipvsadm",
        ),
        say(
            Role.HOST,
            "system.linux",
            name="Debian",
            release="6.1",
            machine="x86_64",
            hostname="<img src=x>",
        ),
    ]
    assert {"ipvsadm.absent", "system.linux"} <= set(FINDING_TEXTS)
    return {
        "facts": {
            "distribution": {"id": "debian", "like": [], "version": "12", "name": "Debian 12"},
            "kernel": {"release": "6.1.0-27-amd64"},
        },
        "findings": [finding.to_json() for finding in findings],
        "roles": {"director": "not-ready"},
    }


def test_what_another_version_kept_is_said_to_be_unreadable(browser: Browser) -> None:
    host = factories.HostFactory.create(preflight={"facts": {}, "findings": [{}]})
    assert (
        "Another version of the console looked last"
        in get(browser("operator"), f"/hosts/{host.pk}/").text
    )


def test_the_moving_part_comes_alone_when_htmx_asks(browser: Browser) -> None:
    host = factories.HostFactory.create()
    factories.OperationFactory.create(target=host, status=Operation.Status.RUNNING)
    client = browser("operator")
    part = get(client, f"/hosts/{host.pk}/", {"part": "live"}, headers={"HX-Request": "true"})
    assert not part.all("html")
    assert part.all("div", id="live")[0]["hx-trigger"] == "every 1500ms"


def test_a_secret_is_never_shown_again(browser: Browser) -> None:
    client = browser("administrator")
    credential = factories.CredentialFactory.create(secret="hush-hush", passphrase="tell-nobody")
    for path in (
        "/credentials/",
        f"/credentials/{credential.pk}/",
        f"/credentials/{credential.pk}/edit/",
        "/audit/",
    ):
        page = get(client, path)
        assert "hush-hush" not in page.html and "tell-nobody" not in page.html, path


def test_a_generated_pair_shows_its_public_half_to_copy(browser: Browser) -> None:
    client = browser("administrator")
    answer = client.post("/credentials/generate/", {"name": "fleet"}, follow=True)
    credential = Credential.objects.get(name="fleet")
    page = Page(answer)
    copied = [found["data-copy"] for found in page.all("button") if "data-copy" in found]
    assert copied[0] == credential.public_key
    assert credential.public_key.strip() in copied[1] and "authorized_keys" in copied[1]
    assert "PRIVATE KEY" not in page.html


def test_an_edit_without_a_secret_keeps_the_old_one(browser: Browser) -> None:
    credential = factories.CredentialFactory.create(name="old", secret="hush-hush")
    browser("administrator").post(
        f"/credentials/{credential.pk}/edit/",
        {"name": "new", "kind": "password", "secret": "", "version": credential.version},
    )
    credential.refresh_from_db()
    assert (credential.name, credential.secret) == ("new", "hush-hush")


def test_a_broken_key_is_refused_in_words_and_not_echoed(browser: Browser) -> None:
    broken = "-----BEGIN OPENSSH PRIVATE KEY-----\nnonsense\n-----END OPENSSH PRIVATE KEY-----"
    page = Page(
        browser("administrator").post(
            "/credentials/new/", {"name": "k", "kind": "key", "secret": broken}
        )
    )
    secret = page.all("textarea", name="secret")[0]
    assert secret["aria-invalid"] == "true"
    assert "nonsense" not in page.html
    assert not Credential.objects.exists()


def test_a_used_credential_is_not_deleted(browser: Browser) -> None:
    host = factories.HostFactory.create()
    name = host.credential.name
    browser("administrator").post(f"/credentials/{host.credential_id}/delete/", {"confirm": name})
    assert Credential.objects.filter(name=name).exists()


def test_an_operator_reads_credentials_and_changes_none(browser: Browser, cast: Cast) -> None:
    credential = factories.CredentialFactory.create()
    client = browser("operator")
    get(client, f"/credentials/{credential.pk}/")
    assert client.get("/credentials/new/").status_code == 403
    answer = client.post(f"/credentials/{credential.pk}/delete/", {"confirm": credential.name})
    assert answer.status_code == 403
