"""Two workers, one machine: the one that was presumed dead changes nothing more."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from console.remote.session import Session
from console.remote.ssh import Connection, connect
from console.remote.transport import (
    Fence,
    FenceBroken,
    Fenced,
    HostUnreachable,
    OutcomeUnknown,
    TargetBusy,
)
from tests.remote.proxy import Proxy
from tests.remote.sshd import Sshd
from tests.remote.test_commands import eventually


@pytest.fixture
def fences(tmp_path: Path) -> str:
    return str(tmp_path / "fence")


def worker(server: Sshd, fences: str, **changes: object) -> Connection:
    connection = connect(server.endpoint(**changes))
    connection.fence_directory = fences
    return connection


def test_the_newer_worker_wins(server: Sshd, fences: str, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    with worker(server, fences) as one, worker(server, fences) as two:
        older, newer = Session(one, "box"), Session(two, "box")
        append = ("sh", "-c", 'cat >>"$0"', str(trace))
        older.check(append, stdin="1", fence=Fence("lb1", 1))
        newer.check(append, stdin="2", fence=Fence("lb1", 2))
        with pytest.raises(Fenced, match=r"newer worker \(number 2\)") as caught:
            older.run(append, stdin="3" * 1_000_000, fence=Fence("lb1", 1))
        assert caught.value.result.exit_code == 119
        older.check(append, stdin="4", fence=Fence("lb2", 1))
        older.check(append, stdin="5")
    assert trace.read_text() == "1245"


def test_the_answer_is_the_commands_own(server: Sshd, fences: str) -> None:
    with worker(server, fences) as connection:
        result = connection.run(
            ("sh", "-c", "cat; echo err >&2; exit 3"), stdin=b"in", fence=Fence("lb1", 1)
        )
        assert (result.stdout, result.stderr, result.exit_code) == ("in", "err\n", 3)
        assert result.argv == ("sh", "-c", "cat; echo err >&2; exit 3")
        assert connection.run(("wc", "-c"), fence=Fence("lb1", 1)).stdout == "0\n"


def test_a_timeout_under_the_fence(server: Sshd, fences: str) -> None:
    with worker(server, fences) as connection:
        with pytest.raises(OutcomeUnknown, match="did not end within"):
            connection.run(("sleep", "20"), timeout=0.3, fence=Fence("lb1", 1))
        assert connection.run(("true",), fence=Fence("lb1", 2)).ok


def test_the_successor_of_a_cut_line_waits_for_what_still_runs(
    server: Sshd, fences: str, tmp_path: Path
) -> None:
    trace, begun = tmp_path / "trace", tmp_path / "begun"
    with Proxy(server.port) as proxy:
        older = worker(server, fences, port=proxy.port)
        newer = worker(server, fences)

        def cut() -> None:
            eventually(begun)
            proxy.cut()

        thread = threading.Thread(target=cut)
        thread.start()
        slow = ("sh", "-c", 'touch "$1"; sleep 1; echo older >>"$0"', str(trace), str(begun))
        with older, pytest.raises(OutcomeUnknown):
            older.run(slow, fence=Fence("lb1", 1))
        thread.join()
        with newer:
            newer.run(("sh", "-c", 'echo newer >>"$0"', str(trace)), fence=Fence("lb1", 2))
    assert trace.read_text().split() == ["older", "newer"]


def test_waiting_for_the_predecessor_has_an_end(server: Sshd, fences: str, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with worker(server, fences) as older, worker(server, fences) as newer:
        newer.lock_wait = 0.3
        slow = ("sh", "-c", 'touch "$0"; sleep 1.5', str(begun))
        thread = threading.Thread(target=older.run, args=(slow,), kwargs={"fence": Fence("lb1", 1)})
        thread.start()
        eventually(begun)
        started = time.monotonic()
        with pytest.raises(TargetBusy, match=r"still runs after 0\.3 s") as caught:
            newer.run(("true",), fence=Fence("lb1", 2))
        assert time.monotonic() - started < 1.5
        assert isinstance(caught.value, HostUnreachable), "nothing ran"
        thread.join()
        assert newer.run(("true",), fence=Fence("lb1", 2)).ok


def test_a_broken_fence_lets_nobody_through(server: Sshd, fences: str, tmp_path: Path) -> None:
    with worker(server, fences) as connection:
        connection.run(("true",), fence=Fence("lb1", 1))
        Path(fences, "lb1").write_text("nonsense")
        with pytest.raises(FenceBroken, match="does not hold a number") as caught:
            connection.run(("touch", str(tmp_path / "trace")), fence=Fence("lb1", 2))
        assert fences in caught.value.message
    assert not (tmp_path / "trace").exists()


def test_a_bad_scope_sends_nothing(server: Sshd, fences: str) -> None:
    with worker(server, fences) as connection, pytest.raises(ValueError, match="plain word"):
        connection.run(("true",), fence=Fence("../etc", 1))
    assert not Path(fences).exists()
