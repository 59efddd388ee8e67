"""The pool over real connections: what breaks is replaced, what is refused stays refused."""

from __future__ import annotations

import os
import signal
import time
from pathlib import Path

import pytest

from console.remote.pool import Pool
from console.remote.transport import (
    Fence,
    HostKeyChanged,
    HostUnreachable,
    OutcomeUnknown,
)
from tests.remote.conftest import MakePool, MakeSshd
from tests.remote.proxy import Proxy
from tests.remote.sshd import SERVING_PID, Sshd, free_port, make_key
from tests.unit.test_remote_session import Journal


def test_a_machine_that_rebooted_is_dialled_anew(make_sshd: MakeSshd, make_pool: MakePool) -> None:
    server = make_sshd()
    pool = make_pool()
    session = pool.session(server.endpoint())
    parent = session.check(("sh", "-c", SERVING_PID)).stdout
    with pool.line(server.endpoint()) as connection:
        os.kill(int(parent), signal.SIGKILL)
        deadline = time.monotonic() + 5
        while connection.is_alive:
            assert time.monotonic() < deadline
            time.sleep(0.01)
    assert session.check(("true",)).ok
    assert server.logins == 2


def test_a_cut_line_is_replaced_unseen(server: Sshd, proxy: Proxy, make_pool: MakePool) -> None:
    session = make_pool().session(server.endpoint(port=proxy.port))
    for _ in range(10):
        assert session.check(("true",)).ok
        proxy.cut()
        time.sleep(0.05)
    assert proxy.accepted == 10


def test_a_cut_line_under_a_command_is_not_tried_again(
    server: Sshd, proxy: Proxy, make_pool: MakePool, tmp_path: Path
) -> None:
    session = make_pool().session(server.endpoint(port=proxy.port))
    trace = tmp_path / "trace"
    script = f'echo once >>"$0"; kill -9 $({SERVING_PID}); sleep 1'
    with pytest.raises(OutcomeUnknown):
        session.run(("sh", "-c", script, str(trace)))
    assert session.check(("cat", str(trace))).stdout == "once\n"


def test_an_unreachable_machine_costs_little(server: Sshd, make_pool: MakePool) -> None:
    pool = make_pool(failures_to_open=2, cool_down_seconds=0.5)
    port = free_port()
    session = pool.session(server.endpoint(port=port))
    for _ in range(2):
        with pytest.raises(HostUnreachable, match="refuses connections"):
            session.run(("true",))
    with pytest.raises(HostUnreachable, match=r"tried 2 times, next try in . s"):
        session.run(("true",))
    time.sleep(0.5)
    with Proxy(server.port) as proxy:
        proxy_endpoint = server.endpoint(port=proxy.port)
        assert pool.session(proxy_endpoint).run(("true",)).ok


def test_a_changed_key_is_final_until_it_is_pinned(
    make_sshd: MakeSshd, make_pool: MakePool
) -> None:
    server = make_sshd()
    pool = make_pool()
    with Proxy(server.port) as proxy:
        before = server.endpoint(port=proxy.port)
        assert pool.session(before).run(("true",)).ok
        server.restart(host_key=make_key())
        with pool.line(before) as connection:
            connection.close()
        for _ in range(3):
            with pytest.raises(HostKeyChanged) as caught:
                pool.session(before).run(("true",))
        assert caught.value.offered.line == server.pin
        assert proxy.accepted == 2, "it was dialled once more"
        assert pool.session(server.endpoint(port=proxy.port)).run(("true",)).ok


def test_journal_and_fence_over_the_real_thing(server: Sshd, make_pool: MakePool) -> None:
    journal = Journal()
    endpoint = server.endpoint()
    with make_pool().session(endpoint, recorder=journal, secrets=("hunter2",)) as session:
        session.check(("cat",), stdin="password hunter2\n", fence=Fence("lb1", 1))
        session.run(("sh", "-c", 'echo "$0" >&2; exit 4', endpoint.secret))
    assert [outcome.ok for outcome in journal.outcomes] == [True, False]
    assert journal.commands[0].fence == Fence("lb1", 1)
    assert "hunter2" not in journal.text
    assert endpoint.secret.splitlines()[1] not in journal.text


def test_a_forked_child_has_connections_of_its_own(server: Sshd, make_pool: MakePool) -> None:
    """As Celery's prefork does it: the pool was used before the fork."""
    pool: Pool = make_pool()
    endpoint = server.endpoint()
    assert pool.session(endpoint).check(("echo", "parent")).stdout == "parent\n"
    read_end, write_end = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            said = "".join(
                pool.session(endpoint).check(("echo", "child")).stdout for _ in range(20)
            )
            pool.close()
        except BaseException as error:
            said = repr(error)
        os.write(write_end, said.encode())
        os._exit(0)
    for _ in range(20):
        assert pool.session(endpoint).check(("echo", "parent")).stdout == "parent\n"
    os.waitpid(pid, 0)
    assert os.read(read_end, 1000).decode() == "child\n" * 20
    logins = server.logins
    assert pool.session(endpoint).check(("echo", "parent")).stdout == "parent\n"
    assert server.logins == logins, "the parent's connection outlived the child"
