"""The fake machine of the tests and a real one behave alike where callers look."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.remote.session import Session
from console.remote.transport import (
    Abortable,
    CommandFailed,
    Fence,
    Fenced,
    OutcomeUnknown,
    SessionAborted,
    Transport,
)
from tests.fakes.transport import Answer, Call, FakeTransport
from tests.remote.conftest import MakePool
from tests.remote.sshd import Sshd


def fake() -> FakeTransport:
    machine = FakeTransport("box")
    machine.on(("cat",), lambda call: call.text)
    machine.on(("wc", "-c"), lambda call: f"{len(call.stdin or b'')}\n")
    machine.on(("false",), Answer(exit_code=1))
    machine.on(("true",), "")
    machine.on(("ls", "/nowhere"), Answer(stderr="ls: cannot access '/nowhere'\n", exit_code=2))

    def sleep(call: Call) -> str:
        time.sleep(float(call.argv[1]))
        return ""

    machine.on(("sleep",), sleep)
    return machine


@pytest.fixture(params=["fake", "real"])
def make_transport(
    request: pytest.FixtureRequest, server: Sshd, make_pool: MakePool
) -> Iterator[Callable[[], Transport]]:
    """Transports to one machine, as two workers would have them."""
    if request.param == "fake":
        machine = fake()
        yield lambda: machine
    else:
        pool = make_pool()
        yield lambda: pool.transport(server.endpoint())


@pytest.fixture
def transport(make_transport: Callable[[], Transport]) -> Transport:
    return make_transport()


def test_exit_codes_are_results(transport: Transport) -> None:
    assert transport.run(("true",)).exit_code == 0
    assert transport.run(("false",)).exit_code == 1


def test_results_name_their_command(transport: Transport) -> None:
    assert transport.run(("wc", "-c")).argv == ("wc", "-c")


def test_input_is_bytes_or_nothing(transport: Transport) -> None:
    assert transport.run(("cat",), stdin=b"a\nb").stdout == "a\nb"
    assert transport.run(("wc", "-c"), stdin=b"").stdout == "0\n"
    assert transport.run(("wc", "-c")).stdout == "0\n"


def test_streams_are_apart(transport: Transport) -> None:
    result = transport.run(("ls", "/nowhere"))
    assert (result.stdout, result.exit_code) == ("", 2)
    assert "cannot access '/nowhere'" in result.stderr


def test_unknown_commands_answer_127(transport: Transport) -> None:
    result = transport.run(("no-such-command",))
    assert result.exit_code == 127
    assert "'no-such-command': No such file or directory" in result.stderr


def test_output_is_cut_and_says_so(transport: Transport) -> None:
    result = transport.run(("cat",), stdin=b"0123456789", max_output=4)
    assert (result.stdout, result.is_truncated) == ("0123", True)
    assert not transport.run(("cat",), stdin=b"0123", max_output=4).is_truncated


@pytest.mark.parametrize("argv", [(), ("cat", "a\0b")])
def test_bad_requests_are_value_errors(transport: Transport, argv: tuple[str, ...]) -> None:
    with pytest.raises(ValueError):
        transport.run(argv)


def test_a_lower_fence_is_refused_and_a_failing_command_still_counts(
    make_transport: Callable[[], Transport],
) -> None:
    older, newer = make_transport(), make_transport()
    assert older.run(("cat",), stdin=b"1", fence=Fence("lb1", 3)).stdout == "1"
    assert newer.run(("false",), fence=Fence("lb1", 4)).exit_code == 1
    with pytest.raises(Fenced) as caught:
        older.run(("cat",), stdin=b"2", fence=Fence("lb1", 3))
    assert isinstance(caught.value, CommandFailed)
    assert caught.value.result.exit_code == 119
    assert older.run(("cat",), stdin=b"3", fence=Fence("other", 1)).stdout == "3"
    assert older.run(("cat",), stdin=b"4").stdout == "4"


def test_after_abort_nothing_runs(transport: Transport) -> None:
    assert isinstance(transport, Abortable)
    transport.abort()
    with pytest.raises(SessionAborted):
        transport.run(("true",))


def test_abort_in_flight_leaves_the_outcome_unknown(
    server: Sshd, make_pool: MakePool, tmp_path: Path
) -> None:
    machine, begun = fake(), tmp_path / "begun"

    def slow(_call: Call) -> str:
        raise AssertionError("the fake gives up before its handler runs")

    machine.on(("sh",), slow)
    machine.delay = 20
    real = make_pool().transport(server.endpoint())
    for transport, has_begun in (
        (machine, lambda: bool(machine.calls)),
        (real, begun.exists),
    ):
        session = Session(transport, "box")
        thread = threading.Thread(target=abort_when, args=(session, has_begun))
        thread.start()
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown):
            session.run(("sh", "-c", 'touch "$0"; sleep 10', str(begun)))
        thread.join()
        assert time.monotonic() - started < 8
        with pytest.raises(SessionAborted):
            session.run(("true",))


def abort_when(session: Session, has_begun: Callable[[], bool]) -> None:
    while not has_begun():
        time.sleep(0.01)
    session.abort()
