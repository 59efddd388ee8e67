"""Import of a running director: survey, report, declared rows, and an empty plan afterwards."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.core.management import call_command
from django.test import Client
from django.utils import timezone
from hypothesis import HealthCheck, given
from hypothesis import settings as given_settings
from rest_framework.test import APIClient

from console.access import SYSTEM
from console.errors import WrongState
from console.models import AuditEvent, Operation
from lvs import declared, planned
from lvs.actions import importing
from lvs.importing.drafts import Known, State, draft_of
from lvs.importing.report import Report, report_of
from lvs.ipvsadm import planner
from lvs.ipvsadm.types import ServiceKey, VirtualEntry
from lvs.models import Director, ImportSource, VirtualService
from tests import factories
from tests.app.conftest import Fleet
from tests.app.pages import get
from tests.fakes.director import FakeDirector
from tests.unit import ipvs_tables

pytestmark = pytest.mark.django_db

Work = Callable[[Operation], Operation]
TABLE = """\
-A -t 10.10.0.50:80 -s wlc
-a -t 10.10.0.50:80 -r 10.20.0.11:8080 -m -w 1
-a -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 5 -x 100 -y 50
-A -u 10.10.0.51:53 -s sh -p 60 -M 255.255.255.0 -b sh-fallback,sh-port
-a -u 10.10.0.51:53 -r 10.20.0.11:53 -g -w 1
-A -t 10.10.0.52:443 -s mh -p 600
-a -t 10.10.0.52:443 -r 10.30.0.13:443 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum
-a -t 10.10.0.52:443 -r 10.30.0.14:443 -i -w 1 --tun-type ipip
-A --sctp-service 10.10.0.53:5000 -s rr
-a --sctp-service 10.10.0.53:5000 -r 10.20.0.11:5000 -m -w 0
-A -t [fd00:10::50]:80 -s wrr
-a -t [fd00:10::50]:80 -r [fd00:20::11]:80 -g -w 2
-A -f 7 -s wlc -p 300
-a -f 7 -r 10.20.0.11:0 -g -w 1
"""
MARKS = """\
*mangle
-A PREROUTING -d 10.10.0.60/32 -p tcp -m multiport --dports 80,443 -j MARK --set-xmark 0x7
COMMIT
"""
KEEPALIVED = "pid=1 1 keepalived /usr/sbin/keepalived --dont-fork\n".removeprefix("pid=")
CONFIGURATION = """\
# front shop
virtual_server 10.10.0.50 80 {
    protocol TCP
    lvs_method NAT
    real_server 10.20.0.11 8080 {
        weight 1
        TCP_CHECK {
        }
    }
    real_server 10.20.0.19 8080 {
        weight 1
    }
}
vrrp_instance VI {
    interface pub0
    virtual_ipaddress {
        10.10.0.50/32
    }
}
"""


@pytest.fixture
def lb1(fleet: Fleet) -> tuple[Director, FakeDirector]:
    """A director that somebody set up by hand."""
    director, fake = fleet.director("lb1")
    fake.table.load(TABLE)
    fake.table.timeouts = [800, 120, 300]
    fake.set("conntrack", "1")
    fake.write("iptables-save", MARKS)
    fake.addresses = {
        "lo": ["127.0.0.1/8"],
        "pub0": ["10.10.0.1/24", "10.10.0.50/32", "10.10.0.51/24", "10.10.0.60/32"],
        "int0": ["10.20.0.1/24"],
    }
    (fake.root / "proc/sys/net/ipv4/ip_forward").write_text("1\n")
    return director, fake


def look(director: Director, work: Work) -> Report:
    operation = work(importing.request_survey(SYSTEM, director))
    assert operation.status == "succeeded", (operation.error, operation.error_said)
    director.refresh_from_db()
    return report_of(director, director.import_sources.get(kind="machine"))


def test_everything_of_a_table_is_declared_and_applying_changes_nothing(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    report = look(director, work)
    assert report.counts == {"new": 6, "declared": 0, "differs": 0, "refused": 0}
    assert not report.blockers
    before, log = fake.table.listing("thresholds"), len(fake.table.log)
    done = importing.import_director(SYSTEM, director)
    assert (len(done.services), done.skipped) == (6, 0)
    director.refresh_from_db()
    table = planned.observed_table(director)
    owned = declared.owned_keys(director.virtual_services.all())
    assert owned == set(table)
    assert not planner.plan(declared.desired_table(director.virtual_services.all()), table, owned)
    assert done.operation is not None
    operation = work(done.operation)
    assert operation.status == "succeeded", (operation.error, operation.error_said)
    assert operation.result["lines"] == 0
    assert fake.table.listing("thresholds") == before
    changing = {"-A", "-a", "-E", "-e", "-D", "-d", "-C"}
    assert not [line for line in fake.table.log[log:] if line.split()[0] in changing]
    assert not planned.planned_changes(Director.objects.get())


def test_settings_and_places_of_vips_are_declared_along(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, _fake = lb1
    report = look(director, work)
    assert report.values == {
        "tcp_timeout": 800,
        "tcp_fin_timeout": 120,
        "udp_timeout": 300,
        "kernel_settings": {"conntrack": "1"},
    }
    importing.import_director(SYSTEM, director)
    director.refresh_from_db()
    assert (director.tcp_timeout, director.kernel_settings) == (800, {"conntrack": "1"})
    managed = dict(VirtualService.objects.values_list("vip", "is_vip_managed"))
    assert managed["10.10.0.50"] and not managed["10.10.0.51"] and not managed["10.10.0.52"]
    assert {problem.code for problem in report.problems} == {
        "import-vip-absent", "import-vip-elsewhere",
    }  # fmt: skip


def test_a_firewall_mark_is_declared_with_the_packets_that_its_rules_give_it(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, _fake = lb1
    look(director, work)
    importing.import_director(SYSTEM, director)
    service = VirtualService.objects.get(fwmark=7)
    assert (service.matching, service.vip, service.port) == ("mark", "10.10.0.60", 80)
    assert [str(row) for row in service.addresses.all()] == ["TCP 10.10.0.60 443"]


def test_a_firewall_mark_without_a_rule_that_is_understood_is_reported(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    fake.write("iptables-save", MARKS.replace("-p tcp", "-i pub0 -p tcp"))
    report = look(director, work)
    draft = next(one for one in report.drafts if one.key == "fwmark:7")
    assert draft.state is State.REFUSED
    assert [problem.code for problem in draft.problems] == ["import-mark-unknown"]
    assert "import-mark-obscure" in {problem.code for problem in report.problems}
    assert len(importing.import_director(SYSTEM, director).services) == 5


def test_each_declared_service_and_the_import_are_in_the_audit_log(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, _fake = lb1
    look(director, work)
    importing.import_director(SYSTEM, director)
    assert AuditEvent.objects.filter(verb="virtual_service.import").count() == 6
    event = AuditEvent.objects.get(verb="director.import")
    assert event.changes["virtual_services"] == [0, 6]
    assert event.changes["tcp_timeout"] == [None, 800]


def test_while_keepalived_writes_the_import_stays_a_dry_run_and_says_how_to_hand_over(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    fake.write("ps", KEEPALIVED)
    fake.write("etc/keepalived/keepalived.conf", CONFIGURATION)
    report = look(director, work)
    assert [problem.code for problem in report.blockers] == ["import-other-writer"]
    commands = [command for _words, command in report.handover]
    assert commands[0] == "systemctl disable --now keepalived"
    assert "systemctl mask keepalived.service" in commands
    assert any("--signal=STOP" in one and "--signal=KILL" in one for one in commands)
    codes = {problem.code for problem in report.problems}
    assert {"keepalived-vrrp", "keepalived-check", "import-dead-server"} <= codes
    assert next(one for one in report.drafts if one.key == "tcp:10.10.0.50:80").name == "front-shop"
    with pytest.raises(WrongState, match="keepalived runs there"):
        importing.import_director(SYSTEM, director)
    assert not VirtualService.objects.exists()

    fake.write("ps", "")
    assert not look(director, work).blockers
    importing.import_director(SYSTEM, director)
    assert VirtualService.objects.filter(name="front-shop").exists()


def test_a_keepalived_that_only_moves_addresses_is_no_second_writer(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    fake.write("ps", KEEPALIVED)
    vrrp = CONFIGURATION[CONFIGURATION.index("vrrp_instance") :]
    fake.write("etc/keepalived/keepalived.conf", vrrp)
    report = look(director, work)
    assert not report.blockers
    importing.import_director(SYSTEM, director)
    assert not VirtualService.objects.get(vip="10.10.0.50").is_vip_managed


def test_what_is_declared_already_stays(lb1: tuple[Director, FakeDirector], work: Work) -> None:
    director, _fake = lb1
    same = factories.VirtualServiceFactory.create(
        director=director, vip="10.10.0.53", protocol="sctp", port=5000, scheduler="rr"
    )
    factories.RealServerFactory.create(virtual_service=same, rip="10.20.0.11", port=5000, weight=0)
    factories.VirtualServiceFactory.create(director=director, vip="10.10.0.50", port=80)
    report = look(director, work)
    assert report.counts == {"new": 4, "declared": 1, "differs": 1, "refused": 0}
    assert len(importing.import_director(SYSTEM, director).services) == 4


def test_an_old_look_or_a_table_that_moved_is_not_imported(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, fake = lb1
    look(director, work)
    ImportSource.objects.update(taken_at=timezone.now() - timedelta(hours=1))
    with pytest.raises(WrongState, match="too old"):
        importing.import_director(SYSTEM, director)
    look(director, work)
    fake.table.load("-A -t 10.10.0.99:80 -s rr\n")
    from lvs.actions import directors

    work(directors.request_observe(SYSTEM, director))
    with pytest.raises(WrongState, match="has changed"):
        importing.import_director(SYSTEM, director)


def test_a_file_declares_rows_that_wait_for_apply(fleet: Fleet) -> None:
    director, fake = fleet.director("lb1")
    source = importing.give_configuration(SYSTEM, director, text=CONFIGURATION, name="k.conf")
    report = report_of(director, source)
    assert report.is_possible and report.counts["new"] == 1
    done = importing.import_director(SYSTEM, director, source="file")
    assert done.operation is None
    service = VirtualService.objects.get()
    assert (service.name, service.provisioning_status) == ("front-shop", "pending")
    assert service.real_servers.count() == 2
    assert not fake.calls


def test_a_file_takes_no_entry_over_that_is_there(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, _fake = lb1
    look(director, work)
    source = importing.give_configuration(SYSTEM, director, text=CONFIGURATION)
    assert report_of(director, source).counts["refused"] == 1


def test_a_file_that_is_no_text_is_refused_at_its_field(fleet: Fleet) -> None:
    director, _fake = fleet.director("lb1")
    with pytest.raises(ValidationError) as refused:
        importing.give_configuration(SYSTEM, director, text="\0\1")
    assert "text" in refused.value.message_dict
    source = importing.give_configuration(SYSTEM, director, text="virtual_server {\n", name="k")
    assert [problem.code for problem in report_of(director, source).blockers] == [
        "keepalived-unreadable"
    ]


def test_names_are_chosen_at_import_and_refused_at_their_key(
    lb1: tuple[Director, FakeDirector], work: Work
) -> None:
    director, _fake = lb1
    look(director, work)
    with pytest.raises(ValidationError) as refused:
        importing.import_director(SYSTEM, director, names={"tcp:10.10.0.50:80": "two words"})
    assert list(refused.value.message_dict) == ["names.tcp:10.10.0.50:80"]
    done = importing.import_director(
        SYSTEM,
        director,
        keys=["tcp:10.10.0.50:80"],
        names={"tcp:10.10.0.50:80": "shop"},
    )
    assert [service.name for service in done.services] == ["shop"]


@given(ipvs_tables.tables)
@given_settings(
    max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None
)
def test_any_table_comes_back_exactly_or_is_refused_with_a_reason(
    table: dict[ServiceKey, VirtualEntry],
) -> None:
    director = factories.DirectorFactory.build(host=factories.HostFactory.build())
    known = Known({}, {}, frozenset(ipvs_tables.SCHEDULERS), ("192.0.2.1", 22))
    for key, entry in table.items():
        draft = draft_of(director, entry, known, {})
        if draft.state is State.NEW:
            again = declared.entry_of(draft.service, draft.servers)
            assert not planner.plan({key: again}, {key: entry}, {key})
        else:
            assert draft.problems
            assert all(one.text() and one.remedy_text() for one in draft.problems)


def test_thousands_of_services_are_reported_and_declared_within_seconds(fleet: Fleet) -> None:
    director, _fake = fleet.director("lb1")
    one = (
        "virtual_server 10.{}.{}.{} 80 {{\n protocol TCP\n real_server 10.20.0.11 80 {{\n }}\n}}\n"
    )
    text = "".join(one.format(n >> 16, n >> 8 & 255, n & 255) for n in range(2_000))
    began = time.process_time()
    importing.give_configuration(SYSTEM, director, text=text)
    done = importing.import_director(SYSTEM, director, source="file")
    assert len(done.services) == 2_000
    assert time.process_time() - began < 8


# Faces


def test_the_page_shows_the_report_and_imports(
    lb1: tuple[Director, FakeDirector], work: Work, browser: Callable[[str], Client]
) -> None:
    director, _fake = lb1
    client, url = browser("operator"), f"{director.get_absolute_url()}import/"
    assert "Look at the director" in get(client, url).text
    assert client.post(f"{url}look/").status_code == 302
    work(Operation.objects.get())
    page = get(client, url)
    assert "Import 6 services" in page.text
    assert "-a -t 10.10.0.50:80 -r 10.20.0.12:80 -m -w 5 -x 100 -y 50" in page.text
    assert "conntrack" in page.text
    auditor = get(browser("auditor"), url)
    assert "Import 6 services" not in auditor.text and "10.10.0.50:80" in auditor.text
    answer = client.post(f"{url}declare/", {"source": "machine", "name:fwmark:7": "seven"})
    assert answer["Location"] == director.get_absolute_url()
    assert VirtualService.objects.filter(name="seven").exists()


def test_the_page_reads_a_file(
    fleet: Fleet, browser: Callable[[str], Client], tmp_path: Path
) -> None:
    director, _fake = fleet.director("lb1")
    client, url = browser("operator"), f"{director.get_absolute_url()}import/"
    path = tmp_path / "keepalived.conf"
    path.write_text(CONFIGURATION)
    with path.open("rb") as file:
        answer = client.post(f"{url}file/", {"file": file})
    assert answer["Location"] == f"{url}?source=file"
    page = get(client, answer["Location"])
    assert "Services of keepalived.conf" in page.text and "front-shop" in str(page.html)
    assert "TCP_CHECK stands 1 times (line 7)" in page.text
    assert "Choose a file" in client.post(f"{url}file/", {}).content.decode()


def test_the_api_surveys_reports_and_imports(
    lb1: tuple[Director, FakeDirector], work: Work, api: Callable[..., APIClient]
) -> None:
    director, _fake = lb1
    client, url = api("operator"), f"/api/v1/lvs/directors/{director.pk}/import/"
    assert client.get(url).status_code == 404
    assert client.post(url, {"dry_run": True}, format="json").status_code == 202
    work(Operation.objects.get())
    report: Any = client.get(url).json()
    assert report["counts"]["new"] == 6 and report["is_possible"]
    assert report["values"]["tcp_timeout"] == 800
    answer = client.post(url, {"dry_run": False}, format="json")
    assert answer.status_code == 201, answer.content
    assert len(answer.json()["services"]) == 6 and answer.json()["operation"]
    refused = client.post(url, {"dry_run": True, "kind": "file"}, format="json")
    assert refused.status_code == 422 or refused.status_code == 400
    text = client.post(url, {"dry_run": True, "kind": "file", "text": CONFIGURATION}, format="json")
    assert text.status_code == 200
    assert text.json()["entries"][0]["lines"][0] == "-A -t 10.10.0.50:80 -s wlc"


def test_the_command_reports_and_imports_a_file(fleet: Fleet, tmp_path: Path) -> None:
    fleet.director("lb1")
    path = tmp_path / "keepalived.conf"
    path.write_text(CONFIGURATION)
    out = StringIO()
    call_command("import_director", "lb1", "--file", str(path), "--dry-run", stdout=out)
    assert "tcp:10.10.0.50:80  will be declared as front-shop" in out.getvalue()
    assert not VirtualService.objects.exists()
    call_command("import_director", "lb1", "--file", str(path), stdout=out)
    assert "Declared: 1. Left out: 0." in out.getvalue()
