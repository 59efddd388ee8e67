"""Operations, alerts and the dashboard in the browser."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from console import alerts
from console.attention import alert_words
from console.models import Alert, Host, Operation, Step
from tests import factories
from tests.app.pages import get
from tests.conftest import Cast

Browser = Callable[[str], Client]


def _service_operation(cast: Cast, **fields: Any) -> Operation:
    """An operation on a virtual service of alice's tenant, with one step."""
    service = factories.VirtualServiceFactory.create(tenant=cast.tenant)
    operation = factories.OperationFactory.create(
        target=service, kind="virtual_service.prove", **fields
    )
    factories.StepFactory.create(
        operation=operation, command="ipvsadm -S -n", stdout="the table", stdin="typed in"
    )
    return operation


def test_staff_sees_command_input_and_output(browser: Browser, cast: Cast) -> None:
    operation = _service_operation(cast)
    page = get(browser("auditor"), f"/operations/{operation.pk}/")
    for words in ("ipvsadm -S -n", "the table", "typed in"):
        assert words in page.text


def test_a_member_sees_the_steps_without_commands_or_output(browser: Browser, cast: Cast) -> None:
    operation = _service_operation(
        cast, status=Operation.Status.FAILED, error="it said no", error_said="root@lb1: secrets"
    )
    page = get(browser("alice"), f"/operations/{operation.pk}/")
    assert "Look" in page.text and "it said no" in page.text
    for words in ("ipvsadm", "the table", "typed in", "secrets"):
        assert words not in page.html


def test_another_tenants_operation_does_not_exist(browser: Browser, cast: Cast) -> None:
    operation = _service_operation(cast)
    client = browser("charlie")
    assert client.get(f"/operations/{operation.pk}/").status_code == 404
    assert client.post(f"/operations/{operation.pk}/cancel/").status_code == 404


def test_a_viewer_is_offered_neither_cancel_nor_retry(browser: Browser, cast: Cast) -> None:
    operation = _service_operation(cast)
    client = browser("ray")
    page = get(client, f"/operations/{operation.pk}/")
    assert not [path for path in page.posts() if path.startswith("/operations/")]
    assert client.post(f"/operations/{operation.pk}/cancel/").status_code == 403


def test_cancel_is_offered_while_it_lives_and_works(browser: Browser) -> None:
    operation = factories.OperationFactory.create()
    client = browser("operator")
    path = f"/operations/{operation.pk}/"
    assert f"{path}cancel/" in get(client, path).posts()
    client.post(f"{path}cancel/")
    operation.refresh_from_db()
    assert operation.status == Operation.Status.CANCELLED
    assert f"{path}cancel/" not in get(client, path).posts()


def test_try_again_makes_an_operation_that_names_the_old_one(browser: Browser) -> None:
    operation = factories.OperationFactory.create(
        status=Operation.Status.FAILED, finished_at=timezone.now()
    )
    client = browser("operator")
    client.post(f"/operations/{operation.pk}/retry/")
    again = Operation.objects.get(retry_of=operation)
    assert f"/operations/{again.pk}/" in get(client, f"/operations/{operation.pk}/").links()
    assert f"/operations/{operation.pk}/" in get(client, f"/operations/{again.pk}/").links()


def test_the_page_asks_again_only_while_it_lives(browser: Browser) -> None:
    live = factories.OperationFactory.create(status=Operation.Status.RUNNING, percent=40)
    done = factories.OperationFactory.create(
        status=Operation.Status.SUCCEEDED, finished_at=timezone.now()
    )
    client = browser("operator")
    page = get(client, f"/operations/{live.pk}/")
    assert "hx-trigger" in page.all("div", id="live")[0]
    assert page.all("meta", **{"http-equiv": "refresh"})
    assert page.all("progress")[0]["value"] == "40"
    page = get(client, f"/operations/{done.pk}/")
    assert "hx-trigger" not in page.all("div", id="live")[0]
    assert not page.all("meta", **{"http-equiv": "refresh"})


def test_htmx_gets_the_moving_part_alone(browser: Browser) -> None:
    operation = factories.OperationFactory.create(status=Operation.Status.RUNNING)
    path = f"/operations/{operation.pk}/"
    part = get(browser("operator"), path, headers={"HX-Request": "true"})
    assert not part.all("html") and part.all("div", id="live")


def test_a_step_that_failed_is_open_and_one_that_succeeded_is_not(browser: Browser) -> None:
    operation = factories.OperationFactory.create()
    good = factories.StepFactory.create(operation=operation)
    bad = factories.StepFactory.create(operation=operation, status=Step.Status.UNKNOWN)
    page = get(browser("operator"), f"/operations/{operation.pk}/")
    assert "open" not in page.all("details", id=f"step-{good.pk}")[0]
    assert "open" in page.all("details", id=f"step-{bad.pk}")[0]


def test_what_a_machine_says_is_never_markup(browser: Browser) -> None:
    operation = factories.OperationFactory.create(error="<script>alert(1)</script>")
    factories.StepFactory.create(
        operation=operation, stdout="<script>alert(2)</script>", command="echo '</pre><b>'"
    )
    page = get(browser("operator"), f"/operations/{operation.pk}/")
    assert "<script>alert" not in page.html and "</pre><b>" not in page.html


def test_a_toast_tells_of_my_operation_and_of_nobody_elses(browser: Browser, cast: Cast) -> None:
    before = timezone.now() - timedelta(seconds=1)
    ended = {"status": Operation.Status.SUCCEEDED, "finished_at": timezone.now()}
    mine = factories.OperationFactory.create(requested_by=cast.operator, **ended)
    factories.OperationFactory.create(requested_by=cast.administrator, **ended)
    client = browser("operator")
    page = get(client, "/operations/ended/", {"since": before.isoformat()})
    assert page.links() == {f"/operations/{mine.pk}/"}
    assert page.response["X-Live"] == "0"
    again = get(client, "/operations/ended/", {"since": page.response["X-Since"]})
    assert again.links() == set()


@pytest.mark.parametrize("since", ["", "yesterday", "2026-13-45T00:00:00"])
def test_a_toast_since_nonsense_is_a_bad_request(browser: Browser, since: str) -> None:
    assert browser("operator").get("/operations/ended/", {"since": since}).status_code == 400


def test_an_alert_reads_as_a_sentence_and_links_to_its_paragraph(browser: Browser) -> None:
    alert = factories.AlertFactory.create(commands="ipvsadm -R")
    page = get(browser("operator"), f"/alerts/{alert.pk}/")
    assert f"{alert.target_label} cannot be reached" in page.text
    assert "/runbook/#host-unreachable" in page.links()
    assert f"/hosts/{alert.target_id}/" in page.links()
    assert "ipvsadm -R" in page.text


def test_every_kind_of_alert_has_a_paragraph_in_the_runbook(browser: Browser) -> None:
    headings = {found.get("id") for found in get(browser("ray"), "/runbook/").all("h2")}
    assert {kind.runbook for kind in alerts.KINDS.values()} <= headings


def test_words_of_an_alert_without_its_parameters_are_still_words(db: None) -> None:
    alert = factories.AlertFactory.create(params={})
    assert alert_words(alert)[0] == "– cannot be reached"


def test_acknowledging_several_leaves_the_others(browser: Browser) -> None:
    first, second, third = factories.AlertFactory.create_batch(3)
    browser("operator").post("/alerts/acknowledge/", {"alert": [first.pk, second.pk, "x"]})
    taken = set(Alert.objects.exclude(acknowledged_at=None).values_list("pk", flat=True))
    assert taken == {first.pk, second.pk}
    assert third.acknowledged_at is None


def test_acknowledging_several_does_not_reach_another_tenants(browser: Browser, cast: Cast) -> None:
    alert = factories.AlertFactory.create(tenant=cast.tenant)
    browser("charlie").post("/alerts/acknowledge/", {"alert": [alert.pk]})
    alert.refresh_from_db()
    assert alert.acknowledged_at is None


def test_the_list_shows_open_alerts_until_asked_for_all(browser: Browser) -> None:
    over = factories.AlertFactory.create(resolved_at=timezone.now())
    client = browser("operator")
    assert f"/alerts/{over.pk}/" not in get(client, "/alerts/").links()
    assert f"/alerts/{over.pk}/" in get(client, "/alerts/", {"is_open": ""}).links()


def test_a_tenants_alert_hides_its_commands_from_the_tenant(browser: Browser, cast: Cast) -> None:
    alert = factories.AlertFactory.create(tenant=cast.tenant, commands="ipvsadm -R")
    assert "ipvsadm" not in get(browser("alice"), f"/alerts/{alert.pk}/").html


def _needs(client: Client) -> str:
    return get(client, "/").text.partition("Needs you now")[2].partition("Hosts")[0]


def test_the_dashboard_says_what_waits_the_worst_first(browser: Browser) -> None:
    now = timezone.now()
    key = factories.HostFactory.create(
        name="new1",
        trust=Host.Trust.UNPINNED,
        host_key="",
        fingerprint="",
        offered_key=factories.HOST_KEY,
        offered_fingerprint=factories.FINGERPRINT,
    )
    factories.AlertFactory.create(
        kind="host-key-changed",
        severity=Alert.Severity.CRITICAL,
        params={"target": "lb9", "pinned": "a", "offered": "b"},
        raised_at=now,
    )
    factories.OperationFactory.create(
        status=Operation.Status.FAILED, finished_at=now - timedelta(hours=1), error="it said no"
    )
    factories.OperationFactory.create(queued_at=now - timedelta(hours=1))
    text = get(browser("operator"), "/").text
    places = [
        text.index(words)
        for words in (
            "failed on",
            "lb9 shows another host key",
            "is stuck",
            "new1 waits for its key",
        )
    ]
    assert places == sorted(places)
    assert f"/hosts/{key.pk}/" in get(browser("operator"), "/").links()


@pytest.mark.parametrize(
    "fields",
    [
        {"finished_at": timezone.now() - timedelta(days=2)},
        {"status": Operation.Status.CANCELLED},
    ],
)
def test_what_is_over_does_not_wait(browser: Browser, fields: dict[str, Any]) -> None:
    ended = {"status": Operation.Status.FAILED, "finished_at": timezone.now()}
    factories.OperationFactory.create(**{**ended, **fields})
    assert "failed on" not in get(browser("operator"), "/").text


def test_a_failure_that_was_tried_again_does_not_wait(browser: Browser) -> None:
    host = factories.HostFactory.create()
    factories.OperationFactory.create(
        target=host, status=Operation.Status.FAILED, finished_at=timezone.now()
    )
    factories.OperationFactory.create(target=host)
    assert "failed on" not in get(browser("operator"), "/").text


def test_an_acknowledged_alert_does_not_wait(browser: Browser) -> None:
    factories.AlertFactory.create(acknowledged_at=timezone.now())
    assert "cannot be reached" not in get(browser("operator"), "/").text


def test_an_empty_fleet_gets_first_steps_and_no_made_up_figures(browser: Browser) -> None:
    page = get(browser("administrator"), "/")
    assert "First steps" in page.text
    assert {"/credentials/generate/", "/hosts/new/"} <= page.links()
    figures = page.html.split('class="figure">')[1:]
    assert [figure.partition("<")[0] for figure in figures] == ["0", "0"]


def test_a_step_that_was_taken_is_ticked(browser: Browser) -> None:
    factories.CredentialFactory.create()
    page = get(browser("administrator"), "/")
    assert len(page.all("li", class_="is-done")) == 1
    assert "/credentials/generate/" not in page.links()


def test_a_member_gets_no_first_steps_of_staff(browser: Browser) -> None:
    links = get(browser("ray"), "/").links()
    assert not links & {"/credentials/generate/", "/hosts/new/"}
