"""`python -m console` for real: Redis, web, worker and beat as one, and their ends."""

from __future__ import annotations

import contextlib
import http.client
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import Argon2PasswordHasher

from tests.processes import eventually, is_alive

#: Cold caches and a busy machine; warm and idle it takes 3 seconds.
READY_WITHIN = 90


class Console:
    """One console on a state directory and a port of its own."""

    def __init__(self, state: Path, *words: str) -> None:
        with socket.socket() as placeholder:
            placeholder.bind(("127.0.0.1", 0))
            self.port = placeholder.getsockname()[1]
        self.state = state
        foreign = {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}
        env = {name: value for name, value in os.environ.items() if name not in foreign}
        self.log = state.parent / f"{self.port}.log"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                (sys.executable, "-m", "console", "--bind", str(self.port), *words),
                cwd=settings.BASE_DIR,
                env={**env, "EVENKEEL_STATE_DIR": str(state)},
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
            )

    @property
    def output(self) -> str:
        return self.log.read_text()

    def await_ready(self) -> None:
        def is_over() -> bool:
            return "Evenkeel is ready" in self.output or self.process.poll() is not None

        assert eventually(is_over, within=READY_WITHIN), self.output
        assert "Evenkeel is ready" in self.output, self.output

    def get(self, path: str) -> int:
        """The status that the web server answers."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request("GET", path)
            return connection.getresponse().status

    def family(self) -> dict[int, str]:
        """Every process that works on the state directory, with its command line."""
        mark = str(self.state).encode()
        found = {}
        for path in Path("/proc").glob("[0-9]*"):
            with contextlib.suppress(OSError):
                # Redis writes its title over both, and names its socket in it.
                words = (path / "cmdline").read_bytes().replace(b"\0", b" ")
                if mark in words or mark in (path / "environ").read_bytes():
                    found[int(path.name)] = words.decode()
        return found


@pytest.fixture(scope="module")
def state(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Shared by the tests of this file: the first one finds it empty."""
    return tmp_path_factory.mktemp("c") / "var"


@contextlib.contextmanager
def console(state: Path, *words: str) -> Iterator[Console]:
    it = Console(state, *words)
    try:
        yield it
    finally:
        it.process.kill()
        it.process.wait()


def test_the_first_start_makes_a_login_and_ctrl_c_stops_everything(state: Path) -> None:
    with console(state) as first:
        first.await_ready()
        assert first.get("/healthz") == 200
        (password,) = re.findall(r"First login: admin, password (\S+) ", first.output)
        with contextlib.closing(sqlite3.connect(state / "db.sqlite3")) as database:
            rows = database.execute("SELECT username, password, is_superuser FROM auth_user")
            ((name, stored, is_superuser),) = rows.fetchall()
        assert (name, is_superuser) == ("admin", 1)
        assert Argon2PasswordHasher().verify(password, stored)
        family = first.family()
        commands = " ".join(family.values())
        assert all(name in commands for name in ("redis-server", "uvicorn", "worker", "beat"))
        kept = [path for path in state.rglob("*") if path.is_file() and not path.is_symlink()]
        assert not [path for path in kept if password.encode() in path.read_bytes()]

        first.process.send_signal(signal.SIGINT)
        assert first.process.wait(timeout=12) == 0
        assert not [pid for pid in family if is_alive(pid)]


@pytest.fixture(scope="module")
def later(state: Path) -> Iterator[Console]:
    """A second start on the same directory, for the tests that follow; the last one kills it."""
    with console(state) as it:
        it.await_ready()
        yield it


def test_a_later_start_prepares_nothing_and_tells_no_password(later: Console) -> None:
    assert "Bringing the database up to date" not in later.output
    assert "password" not in later.output


def test_a_second_console_on_the_same_directory_is_refused(later: Console) -> None:
    with console(later.state) as second:
        assert second.process.wait(timeout=20) == 1
    assert f"process {later.process.pid}, http://127.0.0.1:{later.port}/" in second.output


def test_a_killed_worker_comes_back(later: Console) -> None:
    def workers() -> list[int]:
        return [pid for pid, words in later.family().items() if "--pool=threads" in words]

    (killed,) = workers()
    os.kill(killed, signal.SIGKILL)
    assert eventually(lambda: "worker ended by signal SIGKILL" in later.output)
    assert eventually(lambda: bool(workers()) and killed not in workers(), within=10)


def test_kill_9_leaves_nothing_behind(later: Console) -> None:
    family = later.family()
    assert len(family) >= 5
    later.process.kill()
    later.process.wait()
    assert eventually(lambda: not any(is_alive(pid) for pid in family), within=3), family
    assert not later.family()


def test_a_taken_port_is_named_before_anything_starts(tmp_path: Path) -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with console(tmp_path / "var", "--bind", str(port)) as refused:
            assert refused.process.wait(timeout=20) == 1
    assert f"by process {os.getpid()}: " in refused.output
    assert not (tmp_path / "var" / "db.sqlite3").exists()


def test_a_parent_that_dies_takes_the_console_with_it(state: Path, tmp_path: Path) -> None:
    script = f"{sys.executable} -m console --with-parent --bind $1 & echo $!; wait"
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    parent = subprocess.Popen(
        ("sh", "-c", script, "sh", str(port)),
        cwd=settings.BASE_DIR,
        env={**os.environ, "EVENKEEL_STATE_DIR": str(state), "REDIS_URL": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert "Redis version" in parent.stdout.readline()
    parent.kill()
    parent.wait()
    assert eventually(lambda: not is_alive(pid), within=12)
    parent.stdout.close()
