"""A machine without a network: scripted answers, and every way of failing.

It keeps the contract of `console.remote.transport.Transport` and shares no code
with the real one, so a test that passes here says something about its caller.

    fake = FakeTransport("dir1")
    fake.on(("ipvsadm", "-S", "-n"), "-A -t 10.0.0.1:80 -s wlc\\n")
    fake.on(("ipvsadm", "-R"), lambda call: table.load(call.stdin))
    fake.fail_next(Fault.CUT_AFTER, prefix=("ipvsadm", "-R"))
"""

from __future__ import annotations

import shlex
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum, auto
from typing import Any

from console.remote.session import Session
from console.remote.transport import (
    AuthenticationRefused,
    Fence,
    Fenced,
    HostKey,
    HostKeyChanged,
    HostUnreachable,
    OutcomeUnknown,
    RemoteError,
    Result,
    SessionAborted,
)

OTHER_KEY = HostKey(line="ssh-ed25519 AAAAother", fingerprint="SHA256:other")
NOISE = "\x00\ufffd\x1b[31m*** kernel panic ***\nnot what you asked for"


@dataclass(frozen=True)
class Call:
    """One command that reached the fake."""

    argv: tuple[str, ...]
    stdin: bytes | None
    timeout: float
    fence: Fence | None

    @property
    def text(self) -> str:
        """The input as text; empty when there was none."""
        return (self.stdin or b"").decode()

    @property
    def command(self) -> str:
        return shlex.join(self.argv)


@dataclass(frozen=True)
class Answer:
    """What a handler lets the command say."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0


Handler = Callable[[Call], "Answer | str"]


class Fault(Enum):
    """What goes wrong with one command. In the first group it does not run."""

    UNREACHABLE = auto()
    REFUSED = auto()
    KEY_CHANGED = auto()
    CUT_BEFORE = auto()

    CUT_AFTER = auto()
    GARBAGE = auto()
    TRUNCATED = auto()


@dataclass
class _Planned:
    fault: Fault | Exception
    times: int
    prefix: tuple[str, ...]


class FakeTransport:
    """One machine. Any thread may use it; commands run one after the other."""

    def __init__(self, machine: str = "box") -> None:
        self.machine = machine
        self.delay = 0.0
        #: Whether it answers on old connections only.
        self.refuses_dials = False
        self.calls: list[Call] = []
        self.fences: dict[str, int] = {}
        self._handlers: dict[tuple[str, ...], Handler] = {}
        self._planned: list[_Planned] = []
        self._turn = threading.Lock()
        self._aborted = threading.Event()

    def on(self, prefix: tuple[str, ...], answer: Handler | Answer | str) -> None:
        """Answer commands that begin with the words `prefix`. The longest prefix
        that fits wins; a second handler for the same one replaces the first."""
        if isinstance(answer, str | Answer):
            fixed = answer
            self._handlers[prefix] = lambda _call: fixed
        else:
            self._handlers[prefix] = answer

    def fail_next(
        self, fault: Fault | Exception, *, times: int = 1, prefix: tuple[str, ...] = ()
    ) -> None:
        """Let the next `times` commands that begin with `prefix` meet `fault`; an
        exception is raised instead of running the command."""
        self._planned.append(_Planned(fault, times, prefix))

    def commands(self, *prefix: str) -> list[str]:
        """The commands so far that begin with the words `prefix`, as shell text."""
        return [call.command for call in self.calls if call.argv[: len(prefix)] == prefix]

    def session(self, **options: Any) -> Session:
        """A real Session on this machine; options as for `Session`."""
        return Session(self, self.machine, **options)

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes | None = None,
        timeout: float = 60.0,
        fence: Fence | None = None,
        max_output: int = 64 * 1024 * 1024,
    ) -> Result:
        if not argv or any("\0" in word for word in argv):
            raise ValueError(f"not a command: {argv!r}")
        call = Call(argv, stdin, timeout, fence)
        with self._turn:
            if self._aborted.is_set():
                raise SessionAborted(self.machine, "aborted before this command", argv=argv)
            fault = self._next_fault(argv)
            self._fail_before(call, fault)
            self.calls.append(call)
            if self.delay and self._aborted.wait(self.delay):
                raise OutcomeUnknown(self.machine, "given up while it ran", argv=argv)
            started = time.monotonic()
            self._check_fence(call)
            answer = self._answer(call)
            seconds = self.delay + time.monotonic() - started
            return self._returned(call, answer, fault, seconds, max_output)

    def abort(self) -> None:
        self._aborted.set()

    def _next_fault(self, argv: tuple[str, ...]) -> Fault | Exception | None:
        for planned in self._planned:
            if planned.times > 0 and argv[: len(planned.prefix)] == planned.prefix:
                planned.times -= 1
                return planned.fault
        return None

    def _fail_before(self, call: Call, fault: Fault | Exception | None) -> None:
        if isinstance(fault, Exception):
            raise fault
        errors: dict[Fault, RemoteError] = {
            Fault.UNREACHABLE: HostUnreachable(
                self.machine, "no answer within 10 s", argv=call.argv, remedy="Is it on?"
            ),
            Fault.CUT_BEFORE: HostUnreachable(
                self.machine, "the connection was lost before the command was sent", argv=call.argv
            ),
            Fault.REFUSED: AuthenticationRefused(
                self.machine, "the machine refused the key", argv=call.argv
            ),
            Fault.KEY_CHANGED: HostKeyChanged(
                self.machine, "the machine showed another host key", offered=OTHER_KEY
            ),
        }
        if fault in errors:
            raise errors[fault]

    def _check_fence(self, call: Call) -> None:
        if call.fence is None:
            return
        seen = self.fences.get(call.fence.scope, 0)
        if call.fence.number < seen:
            said = f"evenkeel-fence: refused: {seen}\n"
            raise Fenced(
                self.machine,
                f"a newer worker (number {seen}) has taken {call.fence.scope!r} over",
                result=Result(call.argv, 119, "", said),
            )
        self.fences[call.fence.scope] = call.fence.number

    def _answer(self, call: Call) -> Answer:
        fitting = [prefix for prefix in self._handlers if call.argv[: len(prefix)] == prefix]
        if not fitting:
            words = f"timeout: failed to run command '{call.argv[0]}': No such file or directory\n"
            return Answer(stderr=words, exit_code=127)
        answer = self._handlers[max(fitting, key=len)](call)
        return Answer(stdout=answer) if isinstance(answer, str) else answer

    def _returned(
        self,
        call: Call,
        answer: Answer,
        fault: Fault | Exception | None,
        seconds: float,
        max_output: int,
    ) -> Result:
        if fault is Fault.CUT_AFTER:
            raise OutcomeUnknown(
                self.machine, "the line was cut after the command was sent", argv=call.argv
            )
        stdout = NOISE if fault is Fault.GARBAGE else answer.stdout
        if fault is Fault.TRUNCATED:
            max_output = min(max_output, len(stdout.encode()) // 2)
        kept = stdout.encode()[:max_output].decode(errors="replace")
        return Result(
            argv=call.argv,
            exit_code=answer.exit_code,
            stdout=kept,
            stderr=answer.stderr,
            seconds=seconds,
            is_truncated=len(stdout.encode()) > max_output,
        )
