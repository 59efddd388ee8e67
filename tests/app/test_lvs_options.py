"""Methods, protocols, firewall marks, tunnels and engines: declared, refused at the right field,
planned and shown."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.test import Client
from rest_framework.test import APIClient

from console.access import SYSTEM
from console.errors import Forbidden
from console.models import AuditEvent, Host, Operation
from lvs import marks, plans
from lvs.actions import directors, virtual_services
from lvs.models import Director, ServiceAddress, VirtualService
from tests import factories
from tests.app import lvs_scene
from tests.app.conftest import Fleet
from tests.app.pages import Page, get
from tests.app.test_lvs_forms import ADD, SERVER, Row, service_form
from tests.conftest import Cast

Browser = Callable[[str], Client]
Api = Callable[..., APIClient]
Work = Callable[[Operation], Operation]
pytestmark = pytest.mark.django_db
SERVICES = "/api/v1/lvs/virtual-services/"
RANGE = {"network": "10.10.7.0/28", "first_port": 80, "last_port": 443}


@pytest.fixture
def director(db: None) -> Director:
    return lvs_scene.director(lines=[])


def declare(on: Director, **values: Any) -> VirtualService:
    wanted: dict[str, Any] = {"name": "web", "vip": "10.10.0.60", "port": 80}
    wanted["real_servers"] = [{"rip": "10.20.0.11", "port": values.get("port", 80)}]
    made, _operation = virtual_services.create_virtual_service(
        SYSTEM, director=on, **(wanted | values)
    )
    return made


def refused(on: Director, **values: Any) -> dict[str, list[str]]:
    """What a declaration is refused for: {field: codes}."""
    before = VirtualService.objects.count()
    with pytest.raises(ValidationError) as caught:
        declare(on, **values)
    assert VirtualService.objects.count() == before
    return {name: [one.code or "" for one in said]
            for name, said in caught.value.error_dict.items()}  # fmt: skip


def lines_of(service: VirtualService) -> list[str]:
    return [line.text for step in plans.plan_for(service) for line in step.lines
            if step.argv[0] == "ipvsadm"]  # fmt: skip


# Firewall marks


def test_marks_are_given_by_the_console_one_each_and_kept(director: Director) -> None:
    first = declare(director, matching="mark", addresses=[RANGE])
    second = declare(director, name="two", vip="10.10.0.61", matching="mark")
    assert (first.fwmark, second.fwmark) == (marks.FIRST_MARK, marks.FIRST_MARK + 1)
    assert lines_of(first)[0] == f"-A -f {marks.FIRST_MARK} -s wlc"
    virtual_services.update_virtual_service(SYSTEM, first, scheduler="rr", addresses=[])
    first.refresh_from_db()
    assert first.fwmark == marks.FIRST_MARK and not first.addresses.exists()
    other = lvs_scene.director("lb2", lines=[])
    assert declare(other, name="far", vip="10.10.0.70", matching="mark").fwmark == marks.FIRST_MARK


def test_a_mark_that_somebody_else_uses_in_the_table_is_passed_over(db: None) -> None:
    director = lvs_scene.director(lines=[f"-A -f {marks.FIRST_MARK} -s rr"])
    assert declare(director, matching="mark").fwmark == marks.FIRST_MARK + 1


def test_a_director_without_a_free_mark_says_so(
    director: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marks, "LAST_MARK", marks.FIRST_MARK)
    first = declare(director, matching="mark")
    taken = {"name": "two", "vip": "10.10.0.61", "matching": "mark"}
    assert refused(director, **taken) == {"matching": ["no_mark_left"]}
    VirtualService.objects.filter(pk=first.pk).delete()
    assert declare(director, **taken).fwmark == marks.FIRST_MARK


def test_matching_changes_until_the_service_is_in_place(director: Director) -> None:
    service = declare(director)
    virtual_services.update_virtual_service(SYSTEM, service, matching="mark", addresses=[RANGE])
    service.refresh_from_db()
    assert service.fwmark == marks.FIRST_MARK
    virtual_services.update_virtual_service(SYSTEM, service, matching="address", addresses=[])
    service.refresh_from_db()
    assert service.fwmark is None
    VirtualService.objects.filter(pk=service.pk).update(applied_generation=1)
    service.refresh_from_db()
    with pytest.raises(ValidationError) as caught:
        virtual_services.update_virtual_service(SYSTEM, service, matching="mark")
    assert caught.value.error_dict["matching"][0].code == "fixed"


def test_addresses_of_an_applied_service_change_and_wait_for_apply(director: Director) -> None:
    service = declare(director, matching="mark", addresses=[RANGE])
    VirtualService.objects.update(applied_generation=1, provisioning_status="active")
    service.refresh_from_db()
    more = {"protocol": "udp", "network": "10.10.8.1", "first_port": 53}
    virtual_services.update_virtual_service(SYSTEM, service, addresses=[RANGE, more])
    service.refresh_from_db()
    assert list(map(str, service.addresses.all())) == [
        "TCP 10.10.7.0/28 80-443", "UDP 10.10.8.1 53"]  # fmt: skip
    assert (service.generation, service.provisioning_status) == (2, "pending")
    event = AuditEvent.objects.filter(verb="virtual_service.update").latest("pk")
    assert event.changes["addresses"] == [
        "TCP 10.10.7.0/28 80-443", "TCP 10.10.7.0/28 80-443, UDP 10.10.8.1 53"]  # fmt: skip
    virtual_services.update_virtual_service(SYSTEM, service, addresses=[more, RANGE])
    service.refresh_from_db()
    assert service.generation == 2, "the same rows in another order are no change"


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"addresses": [RANGE]}, {"matching": ["needs_mark"]}),
        ({"matching": "mark", "addresses": [RANGE | {"network": "10.10.7.1/28"}]},
         {"addresses.0.network": ["match-network-bits"]}),
        ({"matching": "mark", "addresses": [RANGE | {"network": "shop"}]},
         {"addresses.0.network": ["match-network-invalid"]}),
        ({"matching": "mark", "addresses": [RANGE | {"network": "fd00::/64"}]},
         {"addresses.0.network": ["match-network-family"]}),
        ({"matching": "mark", "addresses": [RANGE | {"first_port": 444}]},
         {"addresses.0.last_port": ["match-ports-crossed"]}),
        ({"matching": "mark", "addresses": [RANGE | {"first_port": 0}]},
         {"addresses.0.first_port": ["min_value"]}),
        ({"matching": "mark", "addresses": [RANGE, RANGE | {"network": "10.10.7.3"}]},
         {"addresses.1.network": ["taken_twice"]}),
        ({"matching": "mark", "addresses": [RANGE | {"network": "10.10.0.60"}]},
         {"addresses.0.network": ["taken_twice"]}),
        ({"matching": "mark", "addresses": [{"network": "10.10.0.0/24", "first_port": 22}]},
         {"addresses.0.network": ["own_ssh"]}),
        ({"matching": "mark", "addresses": [RANGE | {"color": "red"}]},
         {"addresses.0.color": ["unknown_field"]}),
    ],
)  # fmt: skip
def test_addresses_that_make_no_sense_are_refused_in_their_row(
    director: Director, values: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    assert refused(director, **values) == expected


def test_two_services_do_not_take_the_same_packets(director: Director) -> None:
    declare(director, name="range", vip="10.10.0.70", matching="mark", addresses=[RANGE])
    inside = {"name": "inside", "vip": "10.10.7.3", "port": 80}
    assert refused(director, **inside) == {"vip": ["taken"]}
    assert refused(director, matching="mark", **inside) == {"vip": ["taken"]}
    wide = {"network": "10.10.7.0/24", "first_port": 1, "last_port": 65535}
    assert refused(director, name="wide", vip="10.10.0.71", matching="mark", addresses=[wide]) == {
        "addresses.0.network": ["taken"]
    }
    beside = declare(director, name="beside", vip="10.10.7.3", port=8080)
    assert refused(
        director, name="over", vip="10.10.0.72", matching="mark",
        addresses=[{"network": "10.10.7.3", "first_port": 8000, "last_port": 9000}],
    ) == {"addresses.0.network": ["taken"]}  # fmt: skip
    assert beside.fwmark is None
    declare(director, name="rest", vip="10.10.7.3", port=0, persistence_timeout=60)


def test_a_range_of_another_director_is_no_vip_here(director: Director) -> None:
    declare(director, matching="mark", addresses=[RANGE])
    other = lvs_scene.director("lb2", lines=[])
    assert refused(other, vip="10.10.7.3") == {"vip": ["other_director"]}
    own = {"network": "10.10.0.32/27", "first_port": 80}
    assert refused(other, vip="10.10.9.1", matching="mark", addresses=[own]) == {
        "addresses.0.network": ["other_director"]
    }


def test_port_0_never_takes_the_consoles_own_way_in(director: Director) -> None:
    vip = {"vip": director.host.address, "port": 0, "persistence_timeout": 60}
    assert refused(director, **vip) == {"vip": ["own_ssh"]}


def test_the_page_of_a_service_shows_all_its_marked_packets_and_no_neighbours(
    director: Director,
) -> None:
    service = declare(director, matching="mark", addresses=[RANGE])
    other = RANGE | {"network": "10.10.9.0/28"}
    declare(director, name="other", vip="10.10.0.77", matching="mark", addresses=[other])
    shown = "\n".join(line.text for step in plans.plan_for(service) for line in step.lines)
    assert "10.10.7.0-10.10.7.15 . tcp . 80-443 : 0x0e000001" in shown
    assert "10.10.7.0/28 dev lo" in shown
    assert "10.10.9." not in shown and "0x0e000002" not in shown


# Tunnels, engines, Full NAT


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ({"forwarding": "tunnel", "tunnel_type": "gue"}, {"tunnel_port": ["ipvs-tunnel-port"]}),
        ({"forwarding": "tunnel", "tunnel_port": 6080}, {"tunnel_port": ["ipvs-tunnel-port"]}),
        ({"forwarding": "tunnel", "tunnel_checksum": "csum"},
         {"tunnel_checksum": ["ipvs-tunnel-checksum"]}),
        ({"forwarding": "tunnel", "tunnel_type": "gre", "tunnel_checksum": "remcsum"},
         {"tunnel_checksum": ["ipvs-tunnel-checksum"]}),
        ({"tunnel_type": "gre"}, {"tunnel_type": ["ipvs-tunnel-options"]}),
        ({"forwarding": "fullnat", "tunnel_type": "gre"}, {"tunnel_type": ["ipvs-tunnel-options"]}),
        ({"forwarding": "tunnel", "tunnel_type": "vxlan"}, {"tunnel_type": ["invalid_choice"]}),
        ({"persistence_engine": "sip", "persistence_timeout": 60},
         {"persistence_engine": ["ipvs-pe-needs-udp"]}),
        ({"protocol": "udp", "persistence_engine": "sip"},
         {"persistence_engine": ["ipvs-pe-without-persistence"]}),
        ({"protocol": "udp", "persistence_engine": "rtp", "persistence_timeout": 60},
         {"persistence_engine": ["ipvs-pe-unknown"]}),
        ({"matching": "mark", "protocol": "udp", "persistence_engine": "sip",
          "persistence_timeout": 60, "addresses": [RANGE]},
         {"persistence_engine": ["ipvs-pe-needs-udp"]}),
        ({"matching": "mark", "is_one_packet": True, "forwarding": "route"},
         {"is_one_packet": ["ipvs-one-packet-needs-udp"]}),
        ({"protocol": "udp", "is_one_packet": True, "forwarding": "fullnat"},
         {"is_one_packet": ["ipvs-one-packet-masq"]}),
        ({"protocol": "sctp", "is_one_packet": True, "forwarding": "route"},
         {"is_one_packet": ["ipvs-one-packet-needs-udp"]}),
        ({"port": 0}, {"port": ["ipvs-port-zero-needs-persistence"]}),
        ({"real_servers": [{"rip": "10.20.0.11", "port": 0}]},
         {"real_servers.0.port": ["ipvs-server-port-zero"]}),
        ({"real_servers": [{"rip": "fd00::11", "port": 80, "forwarding": "fullnat"}]},
         {"real_servers.0.rip": ["ipvs-mixed-family"]}),
        ({"real_servers": [{"rip": "10.20.0.11", "port": 80, "tunnel_type": "gue"}]},
         {"real_servers.0.tunnel_type": ["ipvs-tunnel-options"]}),
        ({"real_servers": [{"rip": "10.20.0.11", "port": 80, "forwarding": "tunnel",
                            "tunnel_type": "gue"}]},
         {"real_servers.0.tunnel_port": ["ipvs-tunnel-port"]}),
        ({"forwarding": "tunnel", "real_servers": [{"rip": "10.20.0.11", "port": 8080}]},
         {"real_servers.0.port": ["ipvs-server-port-forced"]}),
    ],
)  # fmt: skip
def test_options_that_do_not_go_together_are_refused_at_their_field(
    director: Director, values: dict[str, Any], expected: dict[str, list[str]]
) -> None:
    assert refused(director, **values) == expected


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"forwarding": "tunnel"}, "-i -w 1 --tun-type ipip"),
        ({"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 6080,
          "tunnel_checksum": "remcsum"}, "--tun-type gue --tun-port 6080 --tun-remcsum"),
        ({"forwarding": "fullnat"}, "-m -w 1"),
        ({"protocol": "sctp"}, "--sctp-service 10.10.0.60:80"),
        ({"protocol": "udp", "persistence_engine": "sip", "persistence_timeout": 60},
         "-s wlc -p 60 --pe sip"),
        ({"matching": "mark", "protocol": "udp", "is_one_packet": True, "forwarding": "route",
          "addresses": [RANGE]}, "-s wlc -o"),
        ({"vip": "fd00:10::60", "matching": "mark",
          "real_servers": [{"rip": "fd00:20::11", "port": 0}]}, f"-f {marks.FIRST_MARK} -6"),
    ],
)  # fmt: skip
def test_options_become_lines(director: Director, values: dict[str, Any], words: str) -> None:
    assert words in "\n".join(lines_of(declare(director, **values)))


def test_sctp_is_refused_where_the_kernel_was_built_without_it(director: Director) -> None:
    declare(director, name="unknown", protocol="sctp", vip="10.10.0.61")
    director.observed_facts = {**director.observed_facts, "protocols": ["tcp", "udp"]}
    director.save()
    assert refused(director, protocol="sctp") == {"protocol": ["ipvs-protocol-missing"]}
    row = RANGE | {"protocol": "sctp"}
    assert refused(director, matching="mark", addresses=[row]) == {
        "addresses.0.protocol": ["ipvs-protocol-missing"]
    }


def test_a_method_without_a_tunnel_takes_the_tunnel_options_along(director: Director) -> None:
    gue = {"forwarding": "tunnel", "tunnel_type": "gue", "tunnel_port": 6080}
    own = {"rip": "10.20.0.12", "port": 80, **gue, "tunnel_port": 6081}
    service = declare(director, **gue, real_servers=[{"rip": "10.20.0.11", "port": 80}, own])
    server = service.real_servers.get(rip="10.20.0.12")
    virtual_services.update_real_server(SYSTEM, server, forwarding="")
    virtual_services.update_virtual_service(SYSTEM, service, forwarding="masq")
    service.refresh_from_db()
    server.refresh_from_db()
    assert (service.tunnel_type, service.tunnel_port, server.tunnel_port) == ("ipip", 0, 0)
    with pytest.raises(ValidationError, match="Tunnel options belong"):
        virtual_services.update_real_server(SYSTEM, server, forwarding="masq", tunnel_type="gre")


def test_a_service_is_found_by_any_of_its_vips(browser: Browser, director: Director) -> None:
    declare(director, name="ranged", matching="mark", addresses=[RANGE])
    client = browser("operator")
    found = client.get("/search/", {"q": "10.10.7."})
    assert found["Location"] == VirtualService.objects.get().get_absolute_url()
    assert "ranged" in get(client, "/load-balancing/virtual-services/", {"q": "10.10.7."}).text


# The form


def test_form_declares_a_mark_with_a_port_group_and_a_range(
    browser: Browser, director: Director
) -> None:
    rows: dict[str, Any] = {
        "addresses-TOTAL_FORMS": 3,
        "addresses-INITIAL_FORMS": 0,
        "addresses-0-protocol": "tcp",
        "addresses-0-network": "10.10.0.50",
        "addresses-0-first_port": "443",
        "addresses-1-protocol": "tcp",
        "addresses-2-protocol": "udp",
        "addresses-2-network": "10.10.7.0/28",
        "addresses-2-first_port": "5000",
        "addresses-2-last_port": "5010",
    }
    server: Row = SERVER | {"port": ""}
    client = browser("operator")
    client.post(ADD, service_form(director, [server], matching="mark", **rows))
    service = VirtualService.objects.get()
    assert list(map(str, service.addresses.all())) == [
        "TCP 10.10.0.50 443", "UDP 10.10.7.0/28 5000-5010"]  # fmt: skip
    assert service.real_servers.get().port == 0, "the port that the client asked"
    page = get(client, service.get_absolute_url())
    assert "0x0e000001" in page.text and "UDP 10.10.7.0/28 5000-5010" in page.text
    assert "0x0e000001" in get(client, "/load-balancing/virtual-services/").text

    url = f"{service.get_absolute_url()}edit/"
    shown = {one["name"]: one.get("value") for one in get(client, url).all("input")}
    assert shown["addresses-1-last_port"] == "5010"
    wrong = rows | {"addresses-0-network": "10.10.0.50/24", "version": service.version}
    again = [server | {"id": service.real_servers.get().pk, "port": "0"}]
    page = Page(client.post(url, service_form(director, again, matching="mark", **wrong)))
    assert lvs_scene.marked(page) == {"addresses-0-network"}
    gone = rows | {"addresses-0-DELETE": "on", "version": service.version}
    assert (
        client.post(url, service_form(director, again, matching="mark", **gone)).status_code == 302
    )
    assert list(map(str, service.addresses.all())) == ["UDP 10.10.7.0/28 5000-5010"]


def test_rows_of_addresses_are_added_without_a_script(browser: Browser, director: Director) -> None:
    rows: dict[str, Any] = {
        "addresses-TOTAL_FORMS": 1,
        "addresses-INITIAL_FORMS": 0,
        "addresses-0-network": "10.10.7.0/28",
    }
    sent = service_form(director, matching="mark", do="add-address", **rows)
    page = Page(browser("operator").post(ADD, sent))
    assert page.all("input", name="addresses-TOTAL_FORMS")[0]["value"] == "4"
    assert page.all("input", name="addresses-0-network")[0]["value"] == "10.10.7.0/28"
    assert lvs_scene.marked(page) == set()


def test_form_keeps_no_options_of_a_way_that_was_not_chosen(
    browser: Browser, director: Director
) -> None:
    """A page hides them, so they must not be refused, nor kept."""
    left: dict[str, Any] = {
        "tunnel_type": "gue",
        "tunnel_port": "6080",
        "tunnel_checksum": "csum",
        "addresses-TOTAL_FORMS": 1,
        "addresses-INITIAL_FORMS": 0,
        "addresses-0-network": "half typed",
    }
    row = SERVER | {"tunnel_type": "gre"}
    browser("operator").post(ADD, service_form(director, [row], **left))
    service = VirtualService.objects.get()
    assert (service.tunnel_type, service.tunnel_port, service.tunnel_checksum) == (
        "ipip", 0, "nocsum")  # fmt: skip
    assert service.real_servers.get().tunnel_type == "ipip"
    assert not ServiceAddress.objects.exists()


@pytest.mark.parametrize(
    ("values", "field"),
    [
        ({"forwarding": "tunnel", "tunnel_type": "gue"}, "tunnel_port"),
        ({"forwarding": "tunnel", "tunnel_type": "gre", "tunnel_checksum": "remcsum"},
         "tunnel_checksum"),
        ({"persistence_engine": "sip", "persistence_timeout": "60"}, "persistence_engine"),
        ({"matching": "colour"}, "matching"),
    ],
)  # fmt: skip
def test_wrong_options_are_marked(
    browser: Browser, director: Director, values: dict[str, Any], field: str
) -> None:
    page = Page(browser("operator").post(ADD, service_form(director, [], **values)))
    assert field in lvs_scene.marked(page)
    assert not VirtualService.objects.exists()


def test_every_choice_is_explained_beside_it(browser: Browser, director: Director) -> None:
    director.host.preflight = {"facts": {"ipvs": {"schedulers": ["rr", "wlc", "sh"]}}}
    director.host.save()
    text = browser("operator").get(ADD, {"director": director.pk}).content.decode()
    choices = re.findall(r'<label class="choice">.*?</label>', text, re.DOTALL)
    assert len(choices) >= 16
    assert [one for one in choices if 'class="sub"' not in one] == []
    select = text[text.index('id="id_scheduler"') :].partition("</select>")[0]
    options = re.findall(r"<option[^>]*>(.*?)</option>", select, re.DOTALL)
    assert len(options) == 3 and all(". " in one for one in options)
    assert "Absent from it:" in text and "<code>twos</code>" in text


# The machine of a real server


def test_only_the_operator_says_which_machine_a_real_server_is(
    api: Api, cast: Cast, director: Director
) -> None:
    host = factories.HostFactory.create(name="rs1")
    service = lvs_scene.shop(director, tenant=cast.tenant)
    server = service.real_servers.first()
    assert server is not None
    bob = cast.actor("bob")
    with pytest.raises(Forbidden):
        virtual_services.update_real_server(bob, server, host=host)
    with pytest.raises(Forbidden):
        virtual_services.add_real_server(bob, service, rip="10.20.0.99", port=80, host=host)
    virtual_services.update_real_server(SYSTEM, server, host=host)
    server.refresh_from_db()
    address = f"{SERVICES}{service.pk}/"
    assert api("operator").get(address).json()["real_servers"][0]["host"] == host.pk
    member = api("bob")
    kept = member.get(address).json()["real_servers"]
    assert kept[0]["host"] is None
    assert member.patch(address, {"real_servers": [{**kept[0], "weight": 5}]}).status_code == 200
    server.refresh_from_db()
    assert (server.host, server.weight) == (host, 5)
    refused = member.patch(f"/api/v1/lvs/real-servers/{server.pk}/", {"host": host.pk})
    assert refused.status_code == 400


def test_form_offers_pinned_hosts_as_machines(browser: Browser, director: Director) -> None:
    ours = factories.HostFactory.create(name="rs1")
    factories.HostFactory.create(name="stranger", trust=Host.Trust.UNPINNED)
    client = browser("operator")
    text = client.get(ADD).content.decode()
    select = text[text.index('id="id_servers-0-host"') :].partition("</select>")[0]
    assert ">rs1<" in select and ">stranger<" not in select
    client.post(ADD, service_form(director, [SERVER | {"host": str(ours.pk)}]))
    assert VirtualService.objects.get().real_servers.get().host == ours


# Over the API, against a fake director


def test_marks_tunnels_and_engines_are_applied_and_seen(api: Api, fleet: Fleet, work: Work) -> None:
    director, machine = fleet.director()
    program = api()
    asked: list[dict[str, Any]] = [
        {"name": "range", "vip": "10.10.0.60", "port": 80, "matching": "mark",
         "addresses": [RANGE], "real_servers": [{"rip": "10.20.0.11", "port": 0}]},
        {"name": "tun", "vip": "10.10.0.61", "port": 80, "forwarding": "tunnel",
         "tunnel_type": "gue", "tunnel_port": 6080,
         "real_servers": [{"rip": "10.20.0.11", "port": 80}]},
        {"name": "sip", "vip": "10.10.0.62", "port": 5060, "protocol": "udp",
         "persistence_timeout": 60, "persistence_engine": "sip"},
        {"name": "sctp", "vip": "10.10.0.63", "port": 5000, "protocol": "sctp"},
    ]  # fmt: skip
    made = []
    for values in asked:
        answer = program.post(SERVICES, {"director": director.pk, **values})
        assert answer.status_code == 201, answer.json()
        made.append(answer.json())
    assert made[0]["fwmark"] == marks.FIRST_MARK
    assert made[0]["addresses"] == [{"protocol": "tcp", **RANGE}]
    assert program.get(f"{SERVICES}?matching=mark").json()["results"][0]["name"] == "range"
    assert program.get(f"{SERVICES}?q=10.10.7.").json()["results"][0]["name"] == "range"
    begun = work(directors.request_apply(SYSTEM, director))
    assert begun.status == "succeeded"
    text = machine.table.save_text()
    assert f"-a -f {marks.FIRST_MARK} -r 10.20.0.11:0 -m -w 1" in text
    assert "--tun-type gue --tun-port 6080 --tun-nocsum" in text
    for document in made:
        found = program.get(f"{SERVICES}{document['id']}/").json()
        assert found["live"]["is_present"] is True
        assert program.get(f"{SERVICES}{document['id']}/planned-changes/").json()["steps"] == []
    refused = program.patch(f"{SERVICES}{made[0]['id']}/", {"fwmark": 7})
    assert refused.status_code == 400


def test_entries_with_tunnels_engines_and_every_port_are_adopted_as_they_are(
    fleet: Fleet, work: Work
) -> None:
    director, machine = fleet.director()
    machine.table.load(
        "-A --sctp-service 10.10.0.60:5000 -s rr\n"
        "-A -u 10.10.0.61:5060 -s rr -p 60 --pe sip\n"
        "-A -t 10.10.0.62:0 -s rr -p 60\n"
        "-a -t 10.10.0.62:0 -r 10.20.0.11:0 -i -w 1 --tun-type gue --tun-port 6080 --tun-csum\n"
        "-a -t 10.10.0.62:0 -r 10.20.0.12:0 -i -w 2 --tun-type ipip\n"
        "-a -t 10.10.0.62:0 -r 10.20.0.13:0 -m -w 2\n"
        "-A -t 10.10.0.63:80 -s rr -p 60 --pe sip\n"
        "-A -f 7 -s rr\n"
    )
    work(directors.request_observe(SYSTEM, director))
    director.refresh_from_db()
    before = machine.table.save_text()
    for key in ("sctp:10.10.0.60:5000", "udp:10.10.0.61:5060", "tcp:10.10.0.62:0"):
        service, operation = directors.adopt(SYSTEM, director, key=key)
        assert work(operation).status == "succeeded"
        director.refresh_from_db()
        assert not plans.plan_for(service)
    assert machine.table.save_text() == before
    for key, said in (("tcp:10.10.0.63:80", "UDP packets only"), ("fwmark:7", "mark")):
        with pytest.raises(ValidationError, match=said):
            directors.adopt(SYSTEM, director, key=key)
