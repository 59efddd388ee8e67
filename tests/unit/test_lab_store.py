"""Where the lab keeps its files, what makes it build again, and how processes wait."""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
from pathlib import Path

import pytest

from lab import store


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("EVENKEEL_LAB_DIR", str(tmp_path / "lab"))
    return tmp_path / "lab"


def test_the_directory_is_the_users_cache_unless_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("EVENKEEL_LAB_DIR", raising=False)
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", "/home/ann")
    assert store.root() == Path("/home/ann/.cache/evenkeel-lab")
    monkeypatch.setenv("XDG_CACHE_HOME", "/var/cache/ann")
    assert store.root() == Path("/var/cache/ann/evenkeel-lab")
    monkeypatch.setenv("EVENKEEL_LAB_DIR", "/srv/rack")
    assert store.root() == Path("/srv/rack")


def test_a_digest_tells_where_one_part_ends() -> None:
    assert store.digest(b"ab", b"c") != store.digest(b"a", b"bc")
    assert store.digest(b"ab") == store.digest(b"ab")


@pytest.mark.parametrize("changed", ["topology.py", "packages.txt", "guest/rack-node"])
def test_another_recipe_is_another_image(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, changed: str
) -> None:
    for name in (*store.RECIPE, *(f"guest/{p.name}" for p in (store.SOURCE / "guest").iterdir())):
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        copy.write_bytes((store.SOURCE / name).read_bytes())
    original = store.image_hash()
    monkeypatch.setattr(store, "SOURCE", tmp_path)
    assert store.image_hash() == original
    with (tmp_path / changed).open("a") as file:
        file.write("# another\n")
    assert store.image_hash() != original


def test_packages_are_named_once_and_without_comments() -> None:
    found = store.guest_packages()
    assert len(found) == len(set(found))
    assert {"ipvsadm", "keepalived", "sudo", "python3-minimal"} <= set(found)
    assert not [name for name in found if "#" in name or " " in name]


def test_old_images_go_but_never_a_running_one() -> None:
    a, b, c, d = (Path(name) for name in "abcd")
    assert store.superfluous([a, b, c, d], {d}) == [c]
    assert store.superfluous([a, b], set()) == []


def test_images_are_known_by_their_name_and_sorted_by_use(root: Path) -> None:
    for number, name in enumerate(("0" * 16, "f" * 16, "instance-0", "f" * 16 + ".partial")):
        (root / name).mkdir(parents=True)
        os.utime(root / name, (number, number))
    assert [p.name for p in store.images()] == ["f" * 16, "0" * 16]


def test_two_processes_do_not_hold_one_lock(root: Path) -> None:
    """The other process keeps the lock until it is told to go; ours gets it only then."""
    script = (
        "import sys; from lab import store\n"
        "with store.locked('build', 'x'):\n"
        "    print('held', flush=True); sys.stdin.readline()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=store.SOURCE.parent,
    ) as other:
        assert other.stdin is not None and other.stdout is not None
        assert other.stdout.readline() == "held\n"
        with pytest.raises(BlockingIOError):
            _try_lock(root / "build.lock")
        other.stdin.write("go\n")
        other.stdin.flush()
        with store.locked("build", "it is building the image"):
            assert other.wait(timeout=10) == 0


def _try_lock(path: Path) -> None:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
