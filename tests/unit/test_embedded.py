"""The embedded console's lock, Redis and port, against real files, sockets and processes."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import stat
import subprocess
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
import redis

from console import embedded
from console.embedded import CannotStart, HttpProbe, RedisProbe


@pytest.fixture
def state(tmp_path: Path) -> Path:
    path = tmp_path / "s"
    path.mkdir()
    return path


@contextlib.contextmanager
def running_redis(state: Path) -> Iterator[subprocess.Popen[bytes]]:
    """The embedded Redis, up."""
    process = subprocess.Popen(embedded.redis_command(state), stdout=subprocess.DEVNULL)
    try:
        probe = RedisProbe(embedded.redis_socket(state))
        deadline = time.monotonic() + 5
        while not probe():
            assert time.monotonic() < deadline, "Redis did not answer"
            time.sleep(0.02)
        yield process
    finally:
        process.kill()
        process.wait()


def test_the_state_directory_is_var_unless_the_environment_says_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("EVENKEEL_STATE_DIR", raising=False)
    assert embedded.state_dir(tmp_path) == tmp_path / "var"
    assert stat.S_IMODE((tmp_path / "var").stat().st_mode) == 0o700
    monkeypatch.setenv("EVENKEEL_STATE_DIR", str(tmp_path / "a" / "b"))
    assert embedded.state_dir(tmp_path) == tmp_path / "a" / "b"


def test_the_run_directory_is_closed_even_if_it_was_open(state: Path) -> None:
    (state / "run").mkdir(mode=0o755)
    assert stat.S_IMODE(embedded.run_dir(state).stat().st_mode) == 0o700


def test_a_second_console_on_the_same_directory_is_refused_by_name(state: Path) -> None:
    with embedded.only_console(state, "http://127.0.0.1:8000/"):
        with pytest.raises(CannotStart) as refused, embedded.only_console(state, "elsewhere"):
            pass
        assert f"process {os.getpid()}, http://127.0.0.1:8000/" in str(refused.value)
        assert "EVENKEEL_STATE_DIR" in str(refused.value)


def test_the_lock_is_free_again_after_its_holder(state: Path) -> None:
    with embedded.only_console(state, "first"):
        pass
    with embedded.only_console(state, "second"):
        assert "first" not in (state / "run" / "console.lock").read_text()


def test_the_embedded_redis_is_reached_by_its_owner_and_by_no_network(state: Path) -> None:
    with running_redis(state):
        path = embedded.redis_socket(state)
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
        client = redis.Redis(unix_socket_path=str(path))
        assert client.config_get("port")["port"] == "0"
        assert client.info("server")["tcp_port"] == 0


def test_the_embedded_redis_forgets_nothing_when_it_is_killed(state: Path) -> None:
    with running_redis(state) as process:
        client = redis.Redis(unix_socket_path=str(embedded.redis_socket(state)))
        client.set("kept", "yes")
        process.send_signal(signal.SIGKILL)
        process.wait()
    with running_redis(state):
        client = redis.Redis(unix_socket_path=str(embedded.redis_socket(state)))
        assert client.get("kept") == b"yes"


def fake_binary(directory: Path, name: str, says: str) -> Path:
    path = directory / name
    path.write_text(f"#!/bin/sh\necho '{says}'\n")
    path.chmod(0o755)
    return path


def test_valkey_comes_before_redis_and_both_before_the_bundled_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    bundled = embedded.redis_binary()
    assert bundled is not None and bundled.parent != tmp_path
    server = fake_binary(tmp_path, "redis-server", "Redis server v=7.0.15")
    assert embedded.redis_binary() == server
    valkey = fake_binary(tmp_path, "valkey-server", "Server v=8.1.1")
    assert embedded.redis_binary() == valkey


def test_each_major_version_keeps_its_files_apart(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fake_binary(tmp_path, "redis-server", "Redis server v=7.0.15 sha=0:0")
    command = embedded.redis_command(state)
    assert command[command.index("--dir") + 1] == str(state / "redis-7")


def test_something_else_by_the_name_of_redis_is_refused(
    state: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    fake_binary(tmp_path, "redis-server", "hello")
    with pytest.raises(CannotStart, match="does not answer like a Redis"):
        embedded.redis_command(state)


def test_no_redis_at_all_says_what_to_do(state: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(embedded, "redis_binary", lambda: None)
    with pytest.raises(CannotStart, match=r"\./setup\.sh run"):
        embedded.redis_command(state)


def test_a_state_directory_too_long_for_a_socket_is_refused_in_words(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100)
    with pytest.raises(CannotStart, match="at most 107 bytes"):
        embedded.redis_socket(deep)


def test_the_redis_probe_says_no_where_nothing_listens(state: Path) -> None:
    assert not RedisProbe(embedded.redis_socket(state))()


class Slow(BaseHTTPRequestHandler):
    """Answers 500, then takes its time for a 200."""

    answered = 0

    def do_GET(self) -> None:
        type(self).answered += 1
        if type(self).answered > 1:
            time.sleep(0.3)
        self.send_response(200 if type(self).answered > 1 else 500)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:
        """Nothing: the test's output is enough."""


def test_the_http_probe_waits_for_an_answer_that_is_no_server_error() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Slow) as server:
        probe = HttpProbe("127.0.0.1", server.server_port, "/")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        answers: list[bool] = []
        deadline = time.monotonic() + 5
        while not (answers and answers[-1]):
            assert time.monotonic() < deadline
            began = time.monotonic()
            answers.append(probe())
            assert time.monotonic() - began < 0.2, "a probe must not wait for the answer"
            time.sleep(0.02)
        server.shutdown()
    assert Slow.answered == 2


def test_the_http_probe_says_no_where_nothing_listens() -> None:
    with socket.socket() as placeholder:
        placeholder.bind(("127.0.0.1", 0))
        port = placeholder.getsockname()[1]
    assert not HttpProbe("127.0.0.1", port, "/")()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("8000", ("127.0.0.1", 8000)),
        ("0.0.0.0:80", ("0.0.0.0", 80)),
        ("console.example.com:8443", ("console.example.com", 8443)),
        ("[::1]:8000", ("::1", 8000)),
    ],
)
def test_addresses_to_listen_on(text: str, expected: tuple[str, int]) -> None:
    assert embedded.parse_bind(text) == expected


@pytest.mark.parametrize("text", ["", "x", "0", "65536", "host:", ":8000", "::1:8000", "8000 "])
def test_what_is_no_address_is_refused_in_words(text: str) -> None:
    with pytest.raises(CannotStart, match="HOST:PORT"):
        embedded.parse_bind(text)


def test_a_taken_port_names_who_has_it() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        port = holder.getsockname()[1]
        holder.listen()
        with pytest.raises(CannotStart) as refused:
            embedded.require_free("127.0.0.1", port)
    assert f"by process {os.getpid()}: " in str(refused.value)
    embedded.require_free("127.0.0.1", port)


def test_an_address_of_another_machine_is_refused() -> None:
    with pytest.raises(CannotStart, match=r"Cannot listen on 192\.0\.2\.1 port 8000"):
        embedded.require_free("192.0.2.1", 8000)
