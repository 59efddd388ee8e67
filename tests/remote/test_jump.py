"""Machines behind a jump host."""

from __future__ import annotations

from functools import partial

import pytest

from console.remote.session import Session
from console.remote.ssh import connect, scan_host_key
from console.remote.transport import (
    AuthenticationRefused,
    Endpoint,
    HostKeyChanged,
    HostUnreachable,
    NotPinned,
    OutcomeUnknown,
)
from tests.remote.conftest import MakePool, MakeSshd
from tests.remote.proxy import Proxy
from tests.remote.sshd import SERVING_PID, Sshd, as_text, free_port, make_key
from tests.remote.test_many_at_once import all_at_once


@pytest.fixture
def jump(make_sshd: MakeSshd) -> Sshd:
    return make_sshd()


def check_true(session: Session, _chance: object) -> None:
    session.check(("true",))


def behind(server: Sshd, jump: Sshd, **changes: object) -> Endpoint:
    return server.endpoint(via=jump.endpoint(name="gate", **changes))


def test_a_command_through_a_jump_host(server: Sshd, jump: Sshd) -> None:
    with connect(behind(server, jump)) as connection:
        text = b"0123456789abcdef" * 65536
        assert connection.run(("cat",), stdin=text).stdout.encode() == text
    assert "Accepted" in jump.log


def test_a_jump_host_behind_a_jump_host(server: Sshd, make_sshd: MakeSshd) -> None:
    first, second = make_sshd(), make_sshd()
    middle = second.endpoint(name="second", via=first.endpoint(name="first"))
    with connect(server.endpoint(via=middle)) as connection:
        assert connection.run(("echo", "far")).stdout == "far\n"


def test_small_answers_are_not_held_back(server: Sshd, jump: Sshd) -> None:
    """sshd lets small packets wait on a connection that has run no command: 40 ms
    for each command, if we do not acknowledge at once."""
    with connect(behind(server, jump)) as connection:
        connection.run(("true",))
        times = sorted(connection.run(("true",)).seconds for _ in range(15))
    assert times[0] < 0.035


def test_a_scan_through_a_jump_host(server: Sshd, jump: Sshd) -> None:
    endpoint = server.endpoint(host_key="", via=jump.endpoint(name="gate"))
    assert scan_host_key(endpoint).line == server.pin


def test_a_jump_host_must_be_pinned(server: Sshd, jump: Sshd) -> None:
    with pytest.raises(NotPinned, match=r"^gate: "):
        scan_host_key(behind(server, jump, host_key=""))


def test_a_jump_host_that_is_down(server: Sshd, jump: Sshd) -> None:
    with pytest.raises(HostUnreachable, match=r"^gate: .* refuses connections"):
        connect(behind(server, jump, port=free_port()))


def test_a_jump_host_that_refuses_the_login(server: Sshd, jump: Sshd) -> None:
    with pytest.raises(AuthenticationRefused, match=r"^gate: "):
        connect(behind(server, jump, secret=as_text(make_key())))


def test_a_jump_host_with_another_key(server: Sshd, jump: Sshd) -> None:
    endpoint = behind(server, jump)
    jump.restart(host_key=make_key())
    with pytest.raises(HostKeyChanged, match=r"^gate: ") as caught:
        connect(endpoint)
    assert caught.value.offered.line == jump.pin


def test_a_machine_that_is_down_behind_a_jump_host(jump: Sshd, server: Sshd) -> None:
    endpoint = server.endpoint(port=free_port(), via=jump.endpoint(name="gate"))
    with pytest.raises(HostUnreachable, match=r"^box: its jump host gate is up and") as caught:
        connect(endpoint)
    assert "as seen from gate" in caught.value.remedy


def test_a_jump_host_that_forbids_forwarding(server: Sshd, make_sshd: MakeSshd) -> None:
    jump = make_sshd("AllowTcpForwarding no")
    with pytest.raises(HostUnreachable, match=r"^box: its jump host gate forbids") as caught:
        connect(behind(server, jump))
    assert "AllowTcpForwarding" in caught.value.remedy


def test_a_machine_with_another_key_behind_a_jump_host(jump: Sshd, make_sshd: MakeSshd) -> None:
    server = make_sshd()
    endpoint = behind(server, jump)
    server.restart(host_key=make_key())
    with pytest.raises(HostKeyChanged, match=r"^box: "):
        connect(endpoint)


def test_a_machine_that_hangs_behind_a_jump_host(server: Sshd, jump: Sshd) -> None:
    with Proxy(server.port, hang_first=100) as proxy:
        endpoint = server.endpoint(port=proxy.port, via=jump.endpoint(name="gate"))
        with pytest.raises(HostUnreachable, match=r"^box: .*not say a word of SSH"):
            connect(endpoint, timeout=2)


def test_one_connection_to_the_jump_host_serves_many_machines(
    jump: Sshd, make_sshd: MakeSshd, make_pool: MakePool
) -> None:
    servers = [make_sshd() for _ in range(3)]
    gate = jump.endpoint(name="gate")
    pool = make_pool()
    for server in servers:
        session = pool.session(server.endpoint(via=gate))
        all_at_once(partial(check_true, session), 5)
    assert jump.logins == 1


def test_a_machine_that_goes_away_leaves_its_neighbours_alone(
    jump: Sshd, make_sshd: MakeSshd, make_pool: MakePool
) -> None:
    """The jump host's sshd would end every tunnel if one sent after its CLOSE."""
    steady, shaky = make_sshd(), make_sshd()
    gate = jump.endpoint(name="gate")
    pool = make_pool(failures_to_open=1000)
    with Proxy(shaky.port) as proxy:
        other = shaky.endpoint(name="shaky", port=proxy.port, via=gate)

        def work(_chance: object) -> None:
            pool.session(steady.endpoint(via=gate)).check(("cat",), stdin=b"x" * 50_000)

        def shake() -> None:
            for _ in range(15):
                with pytest.raises((OutcomeUnknown, HostUnreachable)):
                    pool.session(other).run(
                        ("sh", "-c", f"kill -9 $({SERVING_PID})"), stdin=b"y" * 3_000_000
                    )
                proxy.cut()

        import threading

        shaker = threading.Thread(target=shake)
        shaker.start()
        all_at_once(work, 40, threads=3)
        shaker.join()
    assert jump.logins == 1
    assert "Disconnecting" not in jump.log
