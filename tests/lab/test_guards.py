"""Kernel settings, timeouts and the preset on a real kernel: seen in /proc, drift mended."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from lab.rack import Rack
from tests.lab.services import configure, eventually
from tests.running_console import RunningConsole

VS = "/proc/sys/net/ipv4/vs"
#: Of every setting with a known range, a value that is not its default.
OTHER: dict[str, str] = {
    "am_droprate": "25", "amemthresh": "2048", "backup_only": "1", "cache_bypass": "1",
    "conn_reuse_mode": "0", "conntrack": "1", "drop_entry": "3", "drop_packet": "2",
    "expire_nodest_conn": "1", "expire_quiescent_template": "1", "ignore_tunneled": "1",
    "lblc_expiration": "3600", "lblcr_expiration": "3600", "nat_icmp_send": "1",
    "pmtu_disc": "0", "run_estimation": "0", "schedule_icmp": "1", "secure_tcp": "3",
    "sloppy_sctp": "1", "sloppy_tcp": "1", "snat_reroute": "0", "sync_persist_mode": "1",
    "sync_ports": "2", "sync_qlen_max": "4096", "sync_refresh_period": "10",
    "sync_retries": "2", "sync_sock_size": "1048576", "sync_threshold": "4 60",
    "sync_version": "0",
}  # fmt: skip


@pytest.fixture
def settings(console: RunningConsole, lb1: int) -> Iterator[str]:
    """The address of the settings; afterwards nothing is declared any more."""
    yield f"lvs/directors/{lb1}/settings/"
    configure(console, lb1, kernel_settings={}, tcp_timeout=None, tcp_fin_timeout=None,
              udp_timeout=None)  # fmt: skip


def seen(rack: Rack) -> dict[str, str]:
    """What the kernel of lb1 has, read by hand."""
    text = rack.run("lb1", ["sh", "-c", f"cd {VS} && grep -H '' *"]).stdout
    found = (line.partition(":") for line in text.splitlines())
    return {name: " ".join(value.split()) for name, _colon, value in found}


def test_every_setting_of_the_kernel_is_declared_seen_and_withdrawn(
    console: RunningConsole, rack: Rack, lb1: int, settings: str
) -> None:
    before = seen(rack)
    assert before.keys() == OTHER.keys()
    shown = configure(console, lb1, kernel_settings=OTHER)
    now = seen(rack)
    assert now == OTHER | {"drop_packet": "1"}
    assert not any(one["differs"] for one in shown["settings"])
    assert all(one["title"] and one["meaning"] for one in shown["settings"])
    configure(console, lb1, kernel_settings={})
    after = seen(rack)
    # The default of this one follows the memory, so it is left as it was.
    assert after == before | {"sync_qlen_max": "4096"}
    rack.run("lb1", ["sysctl", "-qw", f"net.ipv4.vs.sync_qlen_max={before['sync_qlen_max']}"])


@pytest.mark.parametrize("mode", ["0", "1", "2", "3"])
def test_each_guard_takes_each_mode_and_is_at_rest_afterwards(
    console: RunningConsole, rack: Rack, lb1: int, settings: str, mode: str
) -> None:
    guards = dict.fromkeys(("drop_entry", "drop_packet", "secure_tcp"), mode)
    shown = configure(console, lb1, kernel_settings=guards)
    kernel = "1" if mode == "2" else mode
    assert {name: seen(rack)[name] for name in guards} == dict.fromkeys(guards, kernel)
    assert not any(one["differs"] for one in shown["settings"])
    plan = console.call("GET", f"lvs/directors/{lb1}/planned-changes/").body
    assert plan["steps"] == []


def test_a_setting_changed_by_hand_is_shown_as_drift_and_mended(
    console: RunningConsole, rack: Rack, lb1: int, settings: str
) -> None:
    configure(console, lb1, kernel_settings={"drop_entry": "3"}, tcp_timeout=1000)
    rack.run("lb1", ["sysctl", "-qw", "net.ipv4.vs.drop_entry=0"])
    rack.run("lb1", ["ipvsadm", "--set", "500", "0", "0"])
    path = f"lvs/directors/{lb1}/"

    def drift() -> Any:
        text = console.call("GET", path).body["drift"]
        return text if "drop_entry" in text else ""

    found = eventually(drift, within=60)
    assert "net.ipv4.vs.drop_entry = 3" in found
    assert "--set 1000 0 0" in found
    console.done(console.call("POST", f"{path}apply/", {}).headers["location"])
    assert seen(rack)["drop_entry"] == "3"
    assert "1000 120 300" in rack.run("lb1", ["ipvsadm", "-L", "--timeout"]).stdout


def test_what_the_kernel_would_refuse_is_refused_before(
    console: RunningConsole, settings: str
) -> None:
    for name, value in (("drop_entry", "4"), ("sync_threshold", "60 4")):
        answer = console.call("PATCH", settings, {"kernel_settings": {name: value}})
        assert answer.status in (400, 422), answer
        assert f"kernel_settings.{name}" in str(answer.body)


def test_under_attack_goes_on_and_off_in_one_press_each(
    console: RunningConsole, rack: Rack, lb1: int, settings: str
) -> None:
    configure(console, lb1, kernel_settings={"secure_tcp": "3"}, udp_timeout=30)
    before = seen(rack)
    path = f"lvs/directors/{lb1}/under-attack/"
    console.done(console.call("POST", path, {"on": True}).headers["location"])
    now = seen(rack)
    assert (now["drop_entry"], now["drop_packet"], now["secure_tcp"]) == ("1", "1", "3")
    assert "300 30 30" in rack.run("lb1", ["ipvsadm", "-L", "--timeout"]).stdout
    console.done(console.call("POST", path, {"on": False}).headers["location"])
    assert seen(rack) == before
    assert "900 120 30" in rack.run("lb1", ["ipvsadm", "-L", "--timeout"]).stdout


def test_the_size_and_fill_of_the_tables_are_read(
    console: RunningConsole, lb1: int, settings: str
) -> None:
    console.done(console.call("POST", f"lvs/directors/{lb1}/observe/").headers["location"])
    load = console.call("GET", settings).body["load"]
    assert load["buckets"] == 4096
    assert load["tracked_most"] > 0
