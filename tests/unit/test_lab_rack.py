"""A rack as tests and people see it: what it refuses, what it says, who thaws it."""

from __future__ import annotations

import json
import os
import socket
import threading
from pathlib import Path
from typing import Any

import pytest

from lab import cli, image, qemu, rack, store, topology
from lab.errors import LabError
from lab.rack import Rack


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory instead of the user's cache."""
    monkeypatch.setenv("EVENKEEL_LAB_DIR", str(tmp_path))
    return tmp_path


class Pretended:
    """A rack whose QEMU is a switch: `is_up` says what the switch says, thawing turns it on."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, root: Path, owner: int) -> None:
        self.is_up = True
        self.thawed: list[dict[str, Any]] = []
        self.rack = Rack(7)
        built = root / ("a" * 16)
        frozen = built / "template-b"
        (built / "hostkeys").mkdir(parents=True)
        frozen.mkdir()
        for name in topology.names():
            (built / "hostkeys" / f"{name}.pub").write_text(f"ssh-ed25519 KEY-OF-{name} {name}\n")
        (frozen / "password").write_text("s3cret")
        self.state: dict[str, Any] = {
            "image": str(built),
            "template": str(frozen),
            "shape": {},
            "owner": owner,
        }
        self._begin()
        monkeypatch.setattr(qemu, "running_pid", self._pid)
        monkeypatch.setattr(qemu, "stop", self._stop)
        monkeypatch.setattr(Rack, "_thaw", lambda _, state: self._thaw(state))

    def _begin(self) -> None:
        self.rack.directory.mkdir(exist_ok=True)
        (self.rack.directory / "state.json").write_text(json.dumps(self.state))
        (self.rack.directory / "ready").touch()

    def _pid(self, directory: Path) -> int | None:
        return 1 if self.is_up and directory == self.rack.directory else None

    def _stop(self, directory: Path) -> bool:
        was_up, self.is_up = self.is_up, False
        (directory / "ready").unlink(missing_ok=True)
        return was_up

    def _thaw(self, state: dict[str, Any]) -> None:
        self.thawed.append(state)
        self._begin()
        self.is_up = True


def test_every_machine_is_told_with_all_that_a_console_needs(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    pretended = Pretended(monkeypatch, root, owner=0)
    nodes = {node["name"]: node for node in pretended.rack.as_json()}
    assert list(nodes) == list(topology.names())
    assert nodes["lb1"] == {
        "name": "lb1",
        "role": "director",
        "address": "127.0.0.1",
        "port": 22721,
        "user": "root",
        "key_path": str(root / ("a" * 16) / "key"),
        "host_key": "ssh-ed25519 KEY-OF-lb1",
        "addresses": {
            "mgmt": ["10.0.2.21"],
            "pub0": ["10.10.0.1", "fd00:10::1"],
            "int0": ["10.20.0.1", "fd00:20::1"],
        },
        "users": ("root", "evenkeel"),
        "password": "",
    }
    assert nodes["lb2"]["password"] == "s3cret"


def test_a_password_is_never_printed_by_accident(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    pretended = Pretended(monkeypatch, root, owner=0)
    assert "s3cret" not in repr(pretended.rack.node("lb2"))


def test_an_unknown_machine_is_refused(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    pretended = Pretended(monkeypatch, root, owner=0)
    with pytest.raises(KeyError, match="no machine 'lb3'"):
        pretended.rack.node("lb3")


def test_a_rack_that_is_down_says_how_to_bring_it_up() -> None:
    with pytest.raises(LabError, match="rack 4 is not up: python3 -m lab --instance 4 up"):
        Rack(4).nodes()
    with pytest.raises(LabError, match="rack 0 is not up: python3 -m lab up"):
        Rack(0).reset()
    assert Rack(4).down() is False


def test_a_taken_port_is_named_with_a_way_out(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    monkeypatch.setattr(image, "check_host", lambda: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port: int = taken.getsockname()[1]
        monkeypatch.setattr(topology, "FIRST_PORT", port - topology.machine("hv1").octet)
        with pytest.raises(LabError, match=rf"port {port} .*hv1 in rack 0, .*--instance N"):
            Rack(0).up()


def test_up_again_changes_nothing(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    pretended = Pretended(monkeypatch, root, owner=0)
    assert pretended.rack.up() is False
    assert pretended.thawed == []


@pytest.mark.parametrize("owner", [0, os.getpid()], ids=["nobody", "this process"])
def test_a_free_rack_is_reset_here(monkeypatch: pytest.MonkeyPatch, root: Path, owner: int) -> None:
    pretended = Pretended(monkeypatch, root, owner)
    pretended.rack.reset()
    assert pretended.thawed == [pretended.state]


def test_a_rack_that_another_process_holds_is_thawed_by_that_one(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    """QEMU dies with the process that started it, so the holder must start it, not ours."""
    pretended = Pretended(monkeypatch, root, owner=os.getpid())
    stop = threading.Event()
    holder = threading.Thread(target=pretended.rack.hold, args=(stop,), kwargs={"is_mine": True})
    holder.start()
    try:
        with monkeypatch.context() as other_process:
            other_process.setattr(rack.os, "getpid", lambda: -1)
            pretended.rack.reset()
        assert pretended.thawed == [pretended.state]
        assert holder.is_alive()
    finally:
        stop.set()
        holder.join(timeout=10)


def test_a_holder_that_does_not_thaw_is_named(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    pretended = Pretended(monkeypatch, root, owner=4_000_000)
    monkeypatch.setattr(rack, "THAW_SECONDS", 0)
    with pytest.raises(LabError, match="process 4000000, which holds rack 7"):
        pretended.rack.reset()


def test_a_holder_notices_that_its_rack_was_taken_down(
    monkeypatch: pytest.MonkeyPatch, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretended = Pretended(monkeypatch, root, owner=os.getpid())
    stop = threading.Event()
    holder = threading.Thread(target=pretended.rack.hold, args=(stop,), kwargs={"is_mine": True})
    holder.start()
    assert pretended.rack.down() is True
    holder.join(timeout=10)
    assert not holder.is_alive()
    assert "rack 7 was taken down" in capsys.readouterr().err


def test_a_holder_reports_a_rack_that_died(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    pretended = Pretended(monkeypatch, root, owner=os.getpid())
    pretended.is_up = False
    with pytest.raises(LabError, match="QEMU ended by itself"):
        pretended.rack.hold(threading.Event(), is_mine=True)


def test_status_of_a_rack_that_is_down(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["status"]) == 3
    assert capsys.readouterr().out == "rack 0 is not up\n"
    assert cli.main(["status", "--json"]) == 3
    assert json.loads(capsys.readouterr().out) == []


@pytest.mark.parametrize("words", [["--instance", "7", "status"], ["status", "--instance", "7"]])
def test_the_instance_may_stand_before_or_after_the_command(
    monkeypatch: pytest.MonkeyPatch,
    root: Path,
    capsys: pytest.CaptureFixture[str],
    words: list[str],
) -> None:
    Pretended(monkeypatch, root, owner=0)
    assert cli.main(words) == 0
    table = capsys.readouterr().out.splitlines()
    assert table[0].split() == ["NODE", "ROLE", "PORT", "ADDRESSES"]
    assert table[3].split() == [
        "lb1",
        "director",
        "22721",
        "pub0",
        "10.10.0.1",
        "int0",
        "10.20.0.1",
    ]


@pytest.mark.parametrize("instance", ["10", "-1", "x"])
def test_an_instance_that_there_is_not_is_refused(instance: str) -> None:
    with pytest.raises(SystemExit) as ended:
        cli.main(["--instance", instance, "status"])
    assert ended.value.code == 2


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["ipvsadm", "-L", "-n"], "ipvsadm -L -n"),
        (["echo", "two words", "$HOME"], "echo 'two words' '$HOME'"),
        (["ipvsadm -Ln | wc -l"], "ipvsadm -Ln | wc -l"),
    ],
)
def test_a_command_reaches_the_machine_as_it_was_typed(
    monkeypatch: pytest.MonkeyPatch, root: Path, words: list[str], expected: str
) -> None:
    """Several words are one command; a single one is a line for the machine's shell."""
    Pretended(monkeypatch, root, owner=0)
    executed: list[list[str]] = []
    monkeypatch.setattr(cli.os, "execv", lambda path, argv: executed.append(argv))
    cli.main(["--instance", "7", "shell", "--user", "evenkeel", "lb1", *words])
    assert executed[0][-2:] == ["evenkeel@127.0.0.1", expected]


def test_a_shell_on_an_unknown_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Pretended(monkeypatch, root, owner=0)
    assert cli.main(["--instance", "7", "shell", "lb9"]) == 1
    assert "no machine 'lb9' in the rack; there are hv1, rtr, lb1" in capsys.readouterr().err


def test_clean_leaves_running_racks_alone(
    monkeypatch: pytest.MonkeyPatch, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pretended = Pretended(monkeypatch, root, owner=0)
    assert cli.main(["clean"]) == 1
    assert "stop the racks that run first" in capsys.readouterr().err
    pretended.is_up = False
    assert cli.main(["clean"]) == 0
    assert not root.exists()


def test_preflight_says_what_is_missing_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("lab.host.find_tool", lambda name: None)
    assert cli.main(["preflight"]) == 1
    assert "apt-get install --no-install-recommends" in capsys.readouterr().out
    with pytest.raises(LabError, match="cannot run the rack yet"):
        image.check_host()


def test_packages_are_printed_for_apt(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["packages"]) == 0
    assert {"mmdebstrap", "qemu-system-x86", "uidmap"} <= set(capsys.readouterr().out.split())


def test_images_in_use_are_kept(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    pretended = Pretended(monkeypatch, root, owner=0)
    for number, letter in enumerate("abcd", 1):
        (root / (letter * 16)).mkdir(exist_ok=True)
        os.utime(root / (letter * 16), (number, number))
    rack._remove_old_images(root / ("b" * 16))
    left = {path.name[0] for path in store.images()}
    assert left == {"a", "b", "d"}
    assert Path(pretended.state["image"]).name == "a" * 16


def test_a_command_that_does_not_end_is_an_error_of_the_lab(
    monkeypatch: pytest.MonkeyPatch, root: Path
) -> None:
    pretended = Pretended(monkeypatch, root, owner=0)
    monkeypatch.setattr(Rack, "ssh_command", lambda *_: ["sh", "-c"])
    assert pretended.rack.run("lb1", ["echo", "a b"]).stdout == "a b\n"
    with pytest.raises(LabError, match=r"lb1: sleep 9: no end after 0\.2 s"):
        pretended.rack.run("lb1", ["sleep", "9"], timeout=0.2)


def test_a_command_that_fails_is_quoted(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    pretended = Pretended(monkeypatch, root, owner=0)
    monkeypatch.setattr(Rack, "ssh_command", lambda *_: ["sh", "-c"])
    with pytest.raises(LabError, match=r"lb1: ls /absent ended with 2: .*No such file"):
        pretended.rack.run("lb1", ["ls", "/absent"])
    assert pretended.rack.run("lb1", ["false"], check=False).returncode == 1
    assert pretended.rack.run("lb1", ["cat"], given="in\n").stdout == "in\n"


def test_silent_machines_get_a_second_thaw(
    monkeypatch: pytest.MonkeyPatch, root: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rack_under_test = Rack(7)
    rack_under_test.directory.mkdir(parents=True)
    starts: list[int] = []
    monkeypatch.setattr(Rack, "_start", lambda *_: starts.append(1))
    monkeypatch.setattr(Rack, "run", lambda *_: None)

    def wait_for(doors: object, *, timeout: float) -> float:
        if len(starts) < 2:
            raise LabError("no answer by SSH within 45 s from lb1")
        return 1.0

    monkeypatch.setattr(rack.ssh, "wait_for", wait_for)
    rack_under_test._thaw({})
    assert len(starts) == 2
    assert "from lb1: thawing once more" in capsys.readouterr().err


def test_a_rack_that_stays_silent_is_stopped(monkeypatch: pytest.MonkeyPatch, root: Path) -> None:
    rack_under_test = Rack(7)
    stopped: list[Path] = []
    monkeypatch.setattr(Rack, "_start", lambda *_: None)
    monkeypatch.setattr(qemu, "stop", lambda directory: stopped.append(directory))

    def wait_for(doors: object, *, timeout: float) -> float:
        raise LabError("no answer")

    monkeypatch.setattr(rack.ssh, "wait_for", wait_for)
    with pytest.raises(LabError, match="no answer"):
        rack_under_test._thaw({})
    assert stopped == [rack_under_test.directory]
