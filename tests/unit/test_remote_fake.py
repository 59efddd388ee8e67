"""The fake machine keeps the contract, and fails in every way that a real one does."""

from __future__ import annotations

import pytest

from console.remote.transport import (
    Abortable,
    AuthenticationRefused,
    Fence,
    Fenced,
    HostKeyChanged,
    HostUnreachable,
    OutcomeUnknown,
    Transport,
)
from tests.fakes.transport import Answer, Call, FakeTransport, Fault


@pytest.fixture
def fake() -> FakeTransport:
    fake = FakeTransport("dir1")
    fake.on(("ipvsadm",), Answer(stderr="try --help\n", exit_code=2))
    fake.on(("ipvsadm", "-S"), "numeric? no\n")
    fake.on(("ipvsadm", "-S", "-n"), "-A -t 10.0.0.1:80 -s wlc\n")
    fake.on(("ipvsadm", "-R"), lambda call: Answer(call.text, "", 0))
    return fake


def test_it_is_a_transport_that_can_be_aborted(fake: FakeTransport) -> None:
    transport: Transport = fake
    assert isinstance(transport, Abortable)


def test_the_longest_prefix_answers(fake: FakeTransport) -> None:
    assert fake.run(("ipvsadm", "-S", "-n")).stdout == "-A -t 10.0.0.1:80 -s wlc\n"
    assert fake.run(("ipvsadm", "-S", "--exact")).stdout == "numeric? no\n"
    assert fake.run(("ipvsadm", "-Z")).exit_code == 2


def test_a_handler_sees_the_call(fake: FakeTransport) -> None:
    assert fake.run(("ipvsadm", "-R"), stdin=b"-A\n").stdout == "-A\n"
    assert fake.calls == [Call(("ipvsadm", "-R"), b"-A\n", 60.0, None)]
    assert fake.commands("ipvsadm") == ["ipvsadm -R"]
    assert fake.commands("virsh") == []


def test_an_unknown_command_is_not_found(fake: FakeTransport) -> None:
    result = fake.run(("virsh", "list"))
    assert result.exit_code == 127
    assert "'virsh': No such file or directory" in result.stderr


@pytest.mark.parametrize(
    ("fault", "error", "has_run"),
    [
        (Fault.UNREACHABLE, HostUnreachable, False),
        (Fault.CUT_BEFORE, HostUnreachable, False),
        (Fault.REFUSED, AuthenticationRefused, False),
        (Fault.KEY_CHANGED, HostKeyChanged, False),
        (Fault.CUT_AFTER, OutcomeUnknown, True),
        (RuntimeError("x"), RuntimeError, False),
    ],
)
def test_faults(
    fake: FakeTransport, fault: Fault | Exception, error: type[Exception], has_run: bool
) -> None:
    ran: list[Call] = []

    def change(call: Call) -> str:
        ran.append(call)
        return "done"

    fake.on(("change",), change)
    fake.fail_next(fault, times=2, prefix=("change",))
    assert fake.run(("ipvsadm", "-S")).exit_code == 0, "another command is not hit"
    for _ in range(2):
        with pytest.raises(error):
            fake.run(("change",))
    assert len(ran) == (2 if has_run else 0)
    assert len(fake.commands("change")) == len(ran)
    assert fake.run(("change",)).stdout == "done"


def test_garbage_and_half_an_answer(fake: FakeTransport) -> None:
    fake.fail_next(Fault.GARBAGE)
    assert "kernel panic" in fake.run(("ipvsadm", "-S", "-n")).stdout
    fake.fail_next(Fault.TRUNCATED)
    result = fake.run(("ipvsadm", "-S", "-n"))
    assert result.is_truncated
    assert result.stdout == "-A -t 10.0.0"


def test_output_is_bounded(fake: FakeTransport) -> None:
    result = fake.run(("ipvsadm", "-S", "-n"), max_output=5)
    assert (result.stdout, result.is_truncated) == ("-A -t", True)


def test_fences_are_kept_by_scope(fake: FakeTransport) -> None:
    fake.run(("ipvsadm", "-S"), fence=Fence("lb1", 2))
    fake.run(("ipvsadm", "-S"), fence=Fence("lb2", 1))
    with pytest.raises(Fenced):
        fake.run(("ipvsadm", "-S"), fence=Fence("lb1", 1))
    assert fake.fences == {"lb1": 2, "lb2": 1}


@pytest.mark.parametrize("argv", [(), ("a\0b",)])
def test_bad_requests_are_refused(fake: FakeTransport, argv: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match="not a command"):
        fake.run(argv)
