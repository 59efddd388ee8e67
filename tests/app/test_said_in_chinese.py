"""What planners, rules and workers say: kept in English, read in the reader's language."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.test import Client
from django.utils import translation

from console import attention, execution, operations
from console.access import SYSTEM
from console.execution import Refusal, Run
from console.models import Alert, Host, Operation
from lvs import execute, poll
from lvs.actions import virtual_services
from lvs.models import Director
from tests import factories
from tests.app import lvs_scene
from tests.app.conftest import Fleet
from tests.app.pages import Page, get
from tests.fakes.director import FakeDirector
from tests.fakes.transport import Fault

pytestmark = pytest.mark.django_db

Browser = Callable[[str], Client]
Work = Callable[[Operation], Operation]
CHINESE: dict[str, Any] = {"HTTP_ACCEPT_LANGUAGE": "zh-hans"}


@pytest.fixture(autouse=True)
def _english_afterwards() -> Iterator[None]:
    """A request leaves its language to the thread; a worker's thread has none."""
    with translation.override("en"):
        yield


@pytest.fixture
def lb1(fleet: Fleet) -> tuple[Director, FakeDirector]:
    return fleet.director("lb1")


def failed(body: Callable[[Run], Any]) -> Operation:
    """An operation of a body that did not come to its end."""
    host = factories.HostFactory.create(name="box")
    operation = operations.begin(SYSTEM, "host.preflight", host)
    execution.execute(operation.pk, body)
    operation.refresh_from_db()
    assert operation.status == "failed"
    return operation


def refuse(run: Run) -> None:
    execute.require_pinned(Host(name="box", trust=Host.Trust.CHANGED))


def crash(run: Run) -> None:
    raise ZeroDivisionError("100 %")


@pytest.mark.parametrize(
    ("body", "english", "chinese", "remedy"),
    [
        (refuse, "box: its host key has changed", "box：其主机密钥已改变", "请将主机页面上的指纹"),
        (
            crash,
            "The console itself failed: ZeroDivisionError('100 %')",
            "控制台本身出错：ZeroDivisionError('100 %')",
            "这是控制台的缺陷",
        ),
    ],
)
def test_failure_is_kept_in_english_and_read_in_chinese(
    browser: Browser, body: Callable[[Run], Any], english: str, chinese: str, remedy: str
) -> None:
    operation = failed(body)
    assert operation.error == english
    client = browser("operator")
    address = operation.get_absolute_url()
    assert english in get(client, address).text
    page = get(client, address, **CHINESE)
    assert chinese in page.text and remedy in page.text and english not in page.text
    dashboard = get(client, "/", **CHINESE)
    assert chinese in dashboard.text and remedy in dashboard.text


def test_program_reads_a_failure_in_the_language_that_it_asks_for(api: Any) -> None:
    operation = failed(refuse)
    address = f"/api/v1/operations/{operation.pk}/"
    assert api().get(address).json()["error"] == "box: its host key has changed"
    document = api().get(address, **CHINESE).json()
    assert document["error"] == "box：其主机密钥已改变"
    assert document["remedy"].startswith("请将主机页面上的指纹")


def test_words_of_a_machine_are_shown_as_they_are(
    lb1: tuple[Director, FakeDirector], work: Work, browser: Browser
) -> None:
    director, fake = lb1
    fake.fail_next(Fault.REFUSED)
    operation = work(operations.begin(SYSTEM, "director.observe", director))
    assert (operation.error_code, operation.error_words) == ("authentication-refused", {})
    page = get(browser("operator"), operation.get_absolute_url(), **CHINESE)
    assert operation.error in page.text
    assert operation.remedy and operation.remedy_text in page.text


def test_steps_are_named_in_the_readers_language(
    lb1: tuple[Director, FakeDirector], work: Work, browser: Browser, api: Any
) -> None:
    director, _fake = lb1
    _service, operation = virtual_services.create_virtual_service(
        SYSTEM,
        director=director,
        name="shop",
        vip="10.10.0.50",
        port=80,
        real_servers=[{"rip": "10.20.0.11", "port": 8080}],
        apply=True,
    )
    assert operation is not None
    planned = f"/api/v1/lvs/directors/{director.pk}/planned-changes/"
    assert "更改 IPVS 表" in titles(api().get(planned, **CHINESE))
    assert "更改 IPVS 表" in get(browser("operator"), director.get_absolute_url(), **CHINESE).text
    work(operation)
    kept = set(operation.steps.values_list("title", flat=True))
    assert {"Read the table", "Change the IPVS table", "Put the VIPs on the director"} <= kept
    shown = titles(api().get(f"/api/v1/operations/{operation.pk}/", **CHINESE))
    assert {"读取表", "更改 IPVS 表", "把 VIP 加到调度器上"} <= shown
    page = get(browser("operator"), operation.get_absolute_url(), **CHINESE)
    assert all(title in page.text for title in shown)


def titles(answer: Any) -> set[str]:
    return {step["title"] for step in answer.json()["steps"]}


def test_look_that_failed_says_why_in_chinese(
    lb1: tuple[Director, FakeDirector], browser: Browser, api: Any
) -> None:
    director, fake = lb1
    fake.fail_next(Fault.GARBAGE)
    poll.poll(director.pk)
    director.refresh_from_db()
    assert director.observe_error.startswith("lb1: the IPVS table could not be read: ")
    said = "lb1：无法读取 IPVS 表: "
    assert said in get(browser("operator"), director.get_absolute_url(), **CHINESE).text
    address = f"/api/v1/lvs/directors/{director.pk}/"
    assert api().get(address, **CHINESE).json()["observe_error"].startswith(said)
    poll.poll(director.pk)
    director.refresh_from_db()
    assert (director.observe_error, director.observe_error_words) == ("", {})


def test_alert_repeats_a_refusal_in_the_readers_language() -> None:
    alert = factories.AlertFactory.create(
        kind="reconcile-stopped",
        params={
            "target": "lb1",
            "failures": 5,
            "error": "100 % of words",
            "error_words": Refusal("gone", "%(target)s is no longer declared",
                                   {"target": "lb1"}).words,
        },
    )  # fmt: skip
    assert "lb1 is no longer declared" in attention.alert_words(alert)[1]
    with translation.override("zh-hans"):
        assert "lb1 已不再声明" in attention.alert_words(alert)[1]
    plain = Alert(kind="reconcile-stopped", params={"failures": 5, "error": "100 % of words"})
    assert "100 % of words" in attention.alert_words(plain)[1]


def test_advice_is_given_in_the_readers_language(browser: Browser, api: Any) -> None:
    service = lvs_scene.shop(lvs_scene.director(), servers=0)
    chinese = "该服务没有真实服务器：新的客户端会被拒绝。"
    address = f"/api/v1/lvs/virtual-services/{service.pk}/problems/"
    found = api().get(address, **CHINESE).json()["results"]
    assert (found[0]["message"], found[0]["remedy"]) == (
        chinese,
        "请给某台真实服务器大于 0 的权重。",
    )
    page = get(browser("operator"), service.get_absolute_url(), **CHINESE)
    assert chinese in page.text


def test_rule_of_ipvs_is_explained_in_the_actors_language(browser: Browser) -> None:
    director = lvs_scene.director(lines=[])
    form = {
        "director": director.pk,
        "name": "dns",
        "protocol": "udp",
        "vip": "10.10.0.53",
        "port": "53",
        "forwarding": "masq",
        "scheduler": "wlc",
        "is_one_packet": "on",
        "do": "review",
        "servers-TOTAL_FORMS": 1,
        "servers-INITIAL_FORMS": 0,
        "servers-0-rip": "10.20.0.11",
        "servers-0-port": "53",
        "servers-0-weight": "1",
        "servers-0-forwarding": "",
        "servers-0-upper_threshold": "0",
        "servers-0-lower_threshold": "0",
    }
    address = "/load-balancing/virtual-services/new/"
    page = Page(browser("operator").post(address, form, **CHINESE))
    assert "使用单包调度时，调度器不记得把包转发给了谁" in page.text
    assert "请改用 route 方式转发，或关闭单包调度。" in page.text
    assert "is_one_packet" in lvs_scene.marked(page)
