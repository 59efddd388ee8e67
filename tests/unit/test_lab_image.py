"""How the image is built: the words given to mmdebstrap, and what happens when it fails."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

import pytest

from lab import assemble, image, topology
from lab.errors import LabError


@pytest.fixture(autouse=True)
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENKEEL_LAB_DIR", str(tmp_path))
    monkeypatch.setattr(image, "tool", lambda name: f"/usr/bin/{name}")
    return tmp_path


@pytest.mark.parametrize(("is_root", "mode"), [(True, "root"), (False, "unshare")])
def test_mmdebstrap_is_told_how_and_from_where(
    monkeypatch: pytest.MonkeyPatch, is_root: bool, mode: str
) -> None:
    monkeypatch.setattr(image, "is_root", lambda: is_root)
    monkeypatch.setattr(
        image, "host_sources", lambda: ["deb http://a.example/debian bookworm main"]
    )
    monkeypatch.setattr(image, "host_apt_options", lambda: ['Acquire::http::Proxy "http://p:1"'])
    words = image.mmdebstrap_command(Path("/out.tar"))
    assert f"--mode={mode}" in words
    assert '--aptopt=Acquire::http::Proxy "http://p:1"' in words
    assert words[-3:] == ["bookworm", "/out.tar", "deb http://a.example/debian bookworm main"]


def test_a_failure_shows_the_end_of_the_log(tmp_path: Path) -> None:
    script = "print('E: Unable to fetch packages'); raise SystemExit(100)"
    with pytest.raises(LabError, match=r"(?s)exit code 100.*E: Unable to fetch packages"):
        image._follow([sys.executable, "-c", script], tmp_path / "log", lambda line: None)
    assert (tmp_path / "log").read_text() == "E: Unable to fetch packages\n"


def test_an_interrupted_build_stops_what_it_started(tmp_path: Path) -> None:
    script = "import os, time; print(os.getpid(), flush=True); time.sleep(60)"
    seen: list[int] = []

    def interrupt(line: str) -> None:
        seen.append(int(line))
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        image._follow([sys.executable, "-c", script], tmp_path / "log", interrupt)
    with pytest.raises(ProcessLookupError):
        os.kill(seen[0], signal.SIG_DFL)


@pytest.fixture
def keys(tmp_path: Path) -> Path:
    directory = tmp_path / "hostkeys"
    directory.mkdir()
    for name in topology.names():
        (directory / name).write_text(f"private {name}\n")
        (directory / f"{name}.pub").write_text(f"ssh-ed25519 {name}\n")
    return directory


def test_every_machine_has_its_own_identity(tmp_path: Path, keys: Path) -> None:
    data = tmp_path / "data"
    trees = {m.name: assemble.prepare_machine(data, m, keys).root for m in topology.MACHINES}
    ids = {(tree / "etc/machine-id").read_text() for tree in trees.values()}
    assert len(ids) == len(topology.MACHINES)
    for name, tree in trees.items():
        assert (tree / "etc/hostname").read_text() == f"{name}\n"
        private = tree / "etc/ssh/ssh_host_ed25519_key"
        assert private.read_text() == f"private {name}\n"
        assert private.stat().st_mode & 0o777 == 0o600


def _enabled(tree: Path) -> set[str]:
    return {p.name for p in (tree / assemble.UNITS).glob("*.wants/*")}


def _masked(tree: Path) -> set[str]:
    units = (tree / assemble.UNITS).iterdir()
    return {p.name for p in units if p.is_symlink() and p.readlink() == Path("/dev/null")}


def test_the_machines_run_what_their_role_needs(tmp_path: Path, keys: Path) -> None:
    data = tmp_path / "data"
    for node in topology.NODES:
        assemble.prepare_node(data, node, keys)
    enabled = {node.name: _enabled(data / node.name / "up") for node in topology.NODES}
    assert enabled["lb1"] == {"lab-network.service"}
    assert enabled["rs1"] == {"lab-network.service", "realserver.service", "dr-addresses.service"}
    assert enabled["rs3"] == {"lab-network.service", "realserver.service"}
    masked = {node.name: _masked(data / node.name / "up") for node in topology.NODES}
    assert "keepalived.service" in masked["rs1"]
    assert not {"keepalived.service", "ipvsadm.service", "nftables.service"} & masked["lb1"]
    assert all("libvirtd.service" in units for units in masked.values())


def test_the_hypervisor_starts_every_node(tmp_path: Path, keys: Path) -> None:
    data = tmp_path / "data"
    assemble.prepare_hypervisor(data, keys)
    tree = data / "hv1" / "up"
    assert {f"rack-node@{n.name}.service" for n in topology.NODES} <= _enabled(tree)
    for node in topology.NODES:
        assert (tree / f"etc/rack/{node.name}.links").read_text() == topology.links_file(node)
    assert "libvirtd.service" not in _masked(tree)


def test_only_lb2_takes_a_password(tmp_path: Path, keys: Path) -> None:
    data = tmp_path / "data"
    for node in topology.NODES:
        assemble.prepare_node(data, node, keys)
    files = [
        p for p in data.rglob("sshd_config.d/*") if "PasswordAuthentication yes" in p.read_text()
    ]
    assert [p.relative_to(data).parts[0] for p in files] == ["lb2"]
    assert "PasswordAuthentication no" in assemble.SSHD_CONFIG


def test_every_directory_laid_over_the_base_can_be_read_by_services(
    tmp_path: Path, keys: Path
) -> None:
    """An overlay gives the directories that it holds its own mode: /etc at 0700 stops D-Bus."""
    before = os.umask(0o077)
    try:
        assemble.prepare_node(tmp_path / "data", topology.machine("rs1"), keys)
    finally:
        os.umask(before)
    upper = tmp_path / "data" / "rs1" / "up"
    modes = {p: p.stat().st_mode & 0o777 for p in [upper, *upper.rglob("*")] if p.is_dir()}
    assert set(modes.values()) == {0o755}
