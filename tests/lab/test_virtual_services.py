"""Virtual services on a real director, with real packets: declared, planned, applied, proved."""

from __future__ import annotations

from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import (
    ask,
    declare,
    eventually,
    planned_lines,
    prove,
    remove,
    table,
    wait_for_reboot,
)
from tests.running_console import RunningConsole

NAT = {"forwarding": "masq"}
DR = {"forwarding": "route"}
CASES = [
    pytest.param(
        {"name": "nat", "vip": "10.10.0.50", **NAT},
        [("10.20.0.11", 8080), ("10.20.0.12", 80)],
        id="NAT with another port",
    ),
    pytest.param(
        {"name": "dr", "vip": "10.10.0.81", **DR}, [("10.20.0.11", 80), ("10.20.0.12", 80)], id="DR"
    ),
    pytest.param(
        {"name": "udp", "vip": "10.10.0.51", "protocol": "udp", "port": 53, **NAT},
        [("10.20.0.11", 53), ("10.20.0.12", 5353)],
        id="UDP by NAT",
    ),
    pytest.param(
        {"name": "nat6", "vip": "fd00:10::50", **NAT},
        [("fd00:20::11", 8080), ("fd00:20::12", 80)],
        id="IPv6 by NAT",
    ),
]


@pytest.mark.parametrize(("values", "servers"), CASES)
def test_declared_planned_applied_proved_removed(
    console: RunningConsole,
    rack: Rack,
    lb1: int,
    values: dict[str, Any],
    servers: list[tuple[str, int]],
) -> None:
    before = table(rack)
    real_servers = [{"rip": rip, "port": port} for rip, port in servers]
    service = declare(console, lb1, **values, real_servers=real_servers)
    path = f"lvs/virtual-services/{service['id']}/"
    planned = planned_lines(console, path)
    assert sum(line.startswith("-a ") for line in planned) == 2
    assert table(rack) == before, "nothing runs before Apply"

    applied = console.call("POST", f"lvs/directors/{lb1}/apply/", {"services": [service["id"]]})
    assert applied.status == 202
    operation = console.done(applied.headers["location"])
    assert operation["result"]["lines"] == 3
    assert planned_lines(console, path) == []
    here = [line for line in table(rack) if line not in before]
    assert sorted(here) == sorted(line for line in planned if line[:2] in {"-A", "-a"})

    proof = prove(console, service)
    assert proof["verdict"] == "proved", proof
    assert len(proof["answered"]) == 2
    for counted in proof["counters"].values():
        assert counted["after"][0] > counted["before"][0]
    assert {answer["said"].splitlines()[-2] for answer in proof["requests"]
            if values.get("protocol") != "udp"} <= {"rs1", "rs2"}  # fmt: skip

    remove(console, service)
    assert table(rack) == before


def test_weight_0_gets_no_new_request_and_is_not_expected_to_answer(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    service = declare(
        console,
        lb1,
        name="drained",
        vip="10.10.0.52",
        apply=True,
        real_servers=[
            {"rip": "10.20.0.11", "port": 80, "weight": 0, "upper_threshold": 100,
             "lower_threshold": 50},
            {"rip": "10.20.0.12", "port": 80},
        ],
    )  # fmt: skip
    assert set(ask(rack, "http://10.10.0.52/", 4)) == {"rs2"}
    proof = prove(console, service)
    assert (proof["verdict"], proof["answered"]) == ("proved", ["10.20.0.12:80"])
    thresholds = rack.run("lb1", ["ipvsadm", "-Ln", "--thresholds"]).stdout
    assert ["->", "10.20.0.11:80", "100", "50"] in [
        line.split()[:4] for line in thresholds.splitlines()
    ]
    remove(console, service)


def test_a_dead_real_server_makes_the_proof_partial_and_names_it(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    service = declare(
        console,
        lb1,
        name="halfdead",
        vip="10.10.0.53",
        apply=True,
        real_servers=[{"rip": "10.20.0.11", "port": 80}, {"rip": "10.20.0.12", "port": 9}],
    )
    proof = prove(console, service)
    assert proof["verdict"] == "partial"
    assert proof["answered"] == ["10.20.0.11:80"]
    assert proof["silent"] == ["10.20.0.12:9"]
    remove(console, service)


def test_the_table_survives_the_reboot_of_the_director_without_the_console(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    service = declare(
        console,
        lb1,
        name="lasting",
        vip="10.10.0.54",
        scheduler="wrr",
        persistence_timeout=120,
        apply=True,
        real_servers=[
            {"rip": "10.20.0.11", "port": 80, "weight": 3, "upper_threshold": 500},
            {"rip": "10.20.0.12", "port": 80},
        ],
    )
    listing = ["ipvsadm", "-Ln", "--thresholds"]
    before = rack.run("lb1", listing).stdout.split("\n", 1)[1]
    console.stop()
    try:
        rack.run("lb1", ["systemctl", "reboot"], check=False)
        wait_for_reboot(rack)
        after = rack.run("lb1", listing).stdout.split("\n", 1)[1]
        assert sorted(_settled(after)) == sorted(_settled(before))
        assert ask(rack, "http://10.10.0.54/")[0] in {"rs1", "rs2"}
    finally:
        console.start()
    assert planned_lines(console, f"lvs/directors/{lb1}/") == []
    remove(console, service)


def _ended(said: str) -> str:
    return said if "ended" in said else ""


def _settled(listing: str) -> list[str]:
    """The lines without the connection counts."""
    return [" ".join(line.split()[:4]) for line in listing.splitlines()[2:]]


def test_unmanaged_entries_are_adopted_without_a_packet_lost_and_others_never_touched(
    console: RunningConsole, rack: Rack, lb1: int
) -> None:
    rack.run(
        "lb1",
        ["ipvsadm", "-R"],
        given=(
            "-A -t 10.10.0.1:8088 -s wrr -p 30\n"
            "-a -t 10.10.0.1:8088 -r 10.20.0.11:8080 -m -w 2 -x 100 -y 50\n"
            "-A -f 9 -s rr\n"
            "-a -f 9 -r 10.20.0.12:0 -g -w 1\n"
        ),
    )
    rack.run("lb1", ["sysctl", "-qw", "net.ipv4.ip_forward=1"])
    begun = console.call("POST", f"lvs/directors/{lb1}/observe/")
    console.done(begun.headers["location"])
    unmanaged = console.call("GET", f"lvs/directors/{lb1}/unmanaged/").body["results"]
    assert {entry["key"]: entry["can_adopt"] for entry in unmanaged} == {
        "tcp:10.10.0.1:8088": True,
        "fwmark:9": False,
    }
    before = table(rack)
    rack.run(
        "client",
        ["sh", "-c", "(for i in $(seq 60); do curl -s -m 4 -o /dev/null http://10.10.0.1:8088/"
                     " || echo failed; sleep 0.1; done; echo ended) > /tmp/adopt 2>&1 &"],
    )  # fmt: skip
    adopted = console.call(
        "POST", f"lvs/directors/{lb1}/adopt/", {"key": "tcp:10.10.0.1:8088", "name": "adopted"}
    )
    assert adopted.status == 201, adopted
    operation = console.done(adopted.body["operation"])
    assert operation["result"]["lines"] == 0
    assert table(rack) == before
    said = eventually(lambda: _ended(rack.run("client", ["cat", "/tmp/adopt"]).stdout), within=120)
    assert "failed" not in said
    remove(console, {"id": adopted.body["id"], "name": "adopted"})
    assert [line for line in table(rack) if " -f 9 " in f"{line} "]
    gone = console.call(
        "POST", f"lvs/directors/{lb1}/remove-unmanaged/", {"key": "fwmark:9", "confirm": "fwmark:9"}
    )
    console.done(gone.headers["location"])
    assert not [line for line in table(rack) if " -f 9" in line]
