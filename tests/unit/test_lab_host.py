"""What the lab says about a machine that lacks something."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from lab import host
from lab.errors import LabError


@pytest.mark.parametrize(
    ("table", "expected"),
    [
        ("ann:100000:65536\n", True),
        ("1000:100000:65536\n", True),
        ("ann:100000:1000\n", False),
        ("bob:100000:65536\n", False),
        ("ann:100000\n", False),
        ("ann:100000:many\n", False),
        ("", False),
    ],
)
def test_subordinate_ids(tmp_path: Path, table: str, expected: bool) -> None:
    path = tmp_path / "subuid"
    path.write_text(table)
    assert host.has_id_range(path, "ann", 1000) is expected


def test_no_table_means_no_range(tmp_path: Path) -> None:
    assert host.has_id_range(tmp_path / "absent", "ann", 1000) is False


def _empty_machine(monkeypatch: pytest.MonkeyPatch, *, is_root: bool) -> None:
    monkeypatch.setattr(host, "find_tool", lambda name: None)
    monkeypatch.setattr(host, "KEYRING", Path("/absent"))
    monkeypatch.setattr(host, "is_root", lambda: is_root)


def test_a_user_on_an_empty_machine_is_told_every_package(monkeypatch: pytest.MonkeyPatch) -> None:
    _empty_machine(monkeypatch, is_root=False)
    assert sorted(host.missing_packages()) == sorted(host.packages())


def test_root_needs_no_fakeroot_and_no_uidmap(monkeypatch: pytest.MonkeyPatch) -> None:
    _empty_machine(monkeypatch, is_root=True)
    assert set(host.packages()) - set(host.missing_packages()) == {"fakeroot", "uidmap"}


def test_the_remedy_is_a_command_to_type(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _empty_machine(monkeypatch, is_root=False)
    monkeypatch.setattr(host, "has_id_range", lambda *_: False)
    found = {p.what: p.remedy for p in host.problems(tmp_path / "not/there/yet", is_built=False)}
    missing = next(remedy for what, remedy in found.items() if what.startswith("not installed"))
    assert missing.startswith("sudo apt-get install --no-install-recommends cpio ")
    ids = next(remedy for what, remedy in found.items() if "subordinate ids" in what)
    assert ids.startswith("sudo usermod --add-subuids 100000-165535 --add-subgids 100000-165535 ")


def test_a_built_rack_needs_less(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    _empty_machine(monkeypatch, is_root=False)
    (problem,) = host.problems(tmp_path, is_built=True)
    assert problem.what == "not installed: openssh-client, qemu-system-x86, qemu-utils"


def test_a_full_disk_is_named_before_the_build(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(host, "NEEDED_DISK", 2**62)
    found = [p for p in host.problems(tmp_path, is_built=False) if "GiB free" in p.what]
    assert "EVENKEEL_LAB_DIR" in found[0].remedy


@pytest.mark.parametrize(("system", "machine"), [("Darwin", "x86_64"), ("Linux", "aarch64")])
def test_another_kind_of_machine_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, system: str, machine: str
) -> None:
    monkeypatch.setattr("platform.system", lambda: system)
    monkeypatch.setattr("platform.machine", lambda: machine)
    assert host.problems(tmp_path, is_built=True)[0].what.endswith(f"{system} on {machine}")


def test_a_missing_command_is_refused_with_its_package(monkeypatch: pytest.MonkeyPatch) -> None:
    _empty_machine(monkeypatch, is_root=True)
    with pytest.raises(LabError, match=r"qemu-img is not installed: apt-get install .* qemu-utils"):
        host.tool("qemu-img")


def test_a_taken_port_is_seen() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert host.is_port_free(port) is False
    assert host.is_port_free(port) is True
