"""OpenSSH's words, and the wait for machines that are slow to answer."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from lab import ssh
from lab.errors import LabError


@contextmanager
def _server(
    greeting: bytes, *, delay: float = 0.0
) -> Iterator[tuple[tuple[str, int], list[float]]]:
    """A server that greets `delay` seconds after each connection; when each came."""
    came: list[float] = []
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.05)
        stop = threading.Event()

        def greet(connection: socket.socket) -> None:
            with connection:
                stop.wait(delay)
                try:
                    connection.sendall(greeting)
                except OSError:
                    return

        def serve() -> None:
            while not stop.is_set():
                try:
                    connection, _ = listener.accept()
                except TimeoutError:
                    continue
                came.append(time.monotonic())
                threading.Thread(target=greet, args=(connection,), daemon=True).start()

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname(), came
        finally:
            stop.set()
            thread.join()


def test_only_an_ssh_greeting_counts_as_an_answer() -> None:
    with _server(b"SSH-2.0-OpenSSH_9.2\r\n") as (door, _):
        assert ssh.answers(*door) is True
    with _server(b"HTTP/1.1 400\r\n") as (door, _):
        assert ssh.answers(*door) is False
    assert ssh.answers(*door) is False


def test_a_connection_that_hangs_is_no_answer() -> None:
    with _server(b"SSH-2.0-x\r\n", delay=5) as (door, _):
        began = time.monotonic()
        assert ssh.answers(*door, timeout=0.2) is False
        assert time.monotonic() - began < 2


def test_a_slow_machine_gets_longer_instead_of_more_knocks() -> None:
    with _server(b"SSH-2.0-x\r\n", delay=2.5) as (door, came):
        assert ssh.wait_for({"lb1": door}, timeout=20) < 10
        assert len(came) <= 3


def test_the_silent_machines_are_named() -> None:
    with _server(b"SSH-2.0-x\r\n") as (door, _), socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        doors = {"lb1": door, "rs1": closed.getsockname()}
        with pytest.raises(LabError, match=r"within 1 s from rs1$"):
            ssh.wait_for(doors, timeout=1)


def _options(words: list[str]) -> dict[str, str]:
    found = [words[i + 1] for i, word in enumerate(words) if word == "-o"]
    return dict(option.split("=", 1) for option in found)


@pytest.fixture
def _ssh_is_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ssh, "tool", lambda name: f"/usr/bin/{name}")


@pytest.mark.usefixtures("_ssh_is_there")
def test_the_host_key_is_always_checked_against_the_racks_own_file() -> None:
    words = ssh.command("127.0.0.1", 22021, "root", Path("/k"), Path("/a b/known"))
    options = _options(words)
    assert options["StrictHostKeyChecking"] == "yes"
    assert options["UserKnownHostsFile"] == '"/a b/known"'
    assert options["GlobalKnownHostsFile"] == "/dev/null"
    assert "ControlPath" not in options
    assert words[:7] == ["/usr/bin/ssh", "-F", "none", "-i", "/k", "-p", "22021"]
    assert words[-1] == "root@127.0.0.1"


@pytest.mark.usefixtures("_ssh_is_there")
@pytest.mark.parametrize(("length", "expected"), [(80, True), (95, False)])
def test_a_connection_is_shared_when_its_socket_has_room(length: int, expected: bool) -> None:
    shared = Path("/" + "s" * (length - 1))
    words = ssh.command("127.0.0.1", 1, "root", Path("/k"), Path("/h"), shared=shared)
    assert ("ControlPath" in _options(words)) is expected


def test_known_hosts_carry_the_port() -> None:
    line = ssh.known_hosts_line("127.0.0.1", 22021, "ssh-ed25519 AAAA")
    assert line == "[127.0.0.1]:22021 ssh-ed25519 AAAA\n"
