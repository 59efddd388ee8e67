"""What running a command on a machine means: the protocol, its answer, its failures.

PURE: values and types only. `ssh.py` implements the protocol with paramiko,
the fakes of the tests implement it without a network.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class Endpoint:
    """How to reach one machine. Frozen, hashable, and safe to print.

    `host_key` is the pinned key as OpenSSH writes it ("ssh-ed25519 AAAA…"), or
    empty while none is pinned. `secret` is a private key in PEM or OpenSSH
    form, or a password, as `secret_kind` says ("key" or "password"); it is
    never part of `repr`. `via` is the jump host. Users other than root run
    everything through `sudo -n`.
    """

    name: str
    address: str
    port: int
    username: str
    secret_kind: str
    secret: str = field(repr=False)
    passphrase: str = field(default="", repr=False)
    host_key: str = ""
    via: Endpoint | None = None


@dataclass(frozen=True, slots=True)
class HostKey:
    """A key that a server offered: `line` is "TYPE BASE64"; `fingerprint` is
    "SHA256:…" as `ssh-keygen -l` prints it."""

    line: str
    fingerprint: str

    @property
    def algorithm(self) -> str:
        return self.line.split(" ", 1)[0]


@dataclass(frozen=True, slots=True)
class Result:
    """What a command answered. Output is bytes-exact text, decoded as UTF-8 with
    replacement, and bounded: `is_truncated` says that the bound was reached.
    `seconds` is wall time as the console saw it."""

    argv: tuple[str, ...]
    exit_code: int
    stdout: str
    stderr: str
    seconds: float = 0.0
    is_truncated: bool = False

    @property
    def ok(self) -> bool:
        return self.exit_code == 0


class RemoteError(Exception):
    """A machine could not do what it was asked. Carries what a person needs:
    which machine, which command, what it said, what to do next."""

    #: A stable word for programs, journals and alerts.
    code = "remote-error"
    #: Seconds that the last try should wait at least: until the machine has helped itself.
    patience = 0.0

    def __init__(
        self,
        machine: str,
        message: str,
        *,
        argv: tuple[str, ...] = (),
        said: str = "",
        remedy: str = "",
    ) -> None:
        super().__init__(f"{machine}: {message}")
        self.machine = machine
        self.message = message
        self.argv = argv
        self.said = said
        self.remedy = remedy

    def __reduce__(self) -> tuple[Any, ...]:
        # Copies and pickles keep everything, whatever the constructor wants.
        return _restore, (type(self), self.args, self.__dict__.copy())

    @property
    def command(self) -> str:
        return shlex.join(self.argv)


def _restore(kind: type[RemoteError], args: tuple[Any, ...], state: dict[str, Any]) -> RemoteError:
    error = kind.__new__(kind, *args)
    error.__dict__.update(state)
    return error


class HostUnreachable(RemoteError):
    """Nothing ran: safe to try again."""

    code = "host-unreachable"


class AuthenticationRefused(HostUnreachable):
    """The machine answered and refused the login. Nothing ran; trying again
    with the same credential will not help."""

    code = "authentication-refused"


class HostKeyChanged(RemoteError):
    """The machine showed another key than the pinned one: stop, tell a person.

    `offered` is the key that it showed.
    """

    code = "host-key-changed"

    def __init__(self, machine: str, message: str, *, offered: HostKey, remedy: str = "") -> None:
        super().__init__(machine, message, remedy=remedy)
        self.offered = offered


class CommandFailed(RemoteError):
    """The command ran and said no. `result` is its whole answer."""

    code = "command-failed"

    def __init__(self, machine: str, message: str, *, result: Result, remedy: str = "") -> None:
        super().__init__(
            machine, message, argv=result.argv, said=result.stderr or result.stdout, remedy=remedy
        )
        self.result = result


class Fenced(CommandFailed):
    """The machine has seen a newer worker for this target and refused this one."""

    code = "fenced"


class OutcomeUnknown(RemoteError):
    """A timeout or a cut line after the command was sent: it may have run, and
    may still run. Observe before anything else."""

    code = "outcome-unknown"


class NotPinned(RemoteError):
    """The endpoint carries no pinned host key. Nothing ran, and nothing runs
    before a person has compared the key and pinned it."""

    code = "not-pinned"


class PrivilegeRefused(AuthenticationRefused):
    """The login worked and `sudo -n` refused. Nothing ran."""

    code = "privilege-refused"


class TargetBusy(HostUnreachable):
    """Something that must end first did not end in time: another command holds
    the fence of this target, or every connection is in use. Nothing ran; try
    again later."""

    code = "target-busy"


class FenceBroken(RemoteError):
    """The machine cannot keep the fence (its file is damaged, its directory not
    writable, `flock` missing). Nothing ran; a person has to mend it."""

    code = "fence-broken"


class SessionAborted(RemoteError):
    """The session was aborted before this command. Nothing ran."""

    code = "aborted"


@dataclass(frozen=True, slots=True)
class Fence:
    """A fencing token: `scope` names the target on the machine (a plain word),
    `number` must not be lower than any that the machine has seen for it."""

    scope: str
    number: int


class Transport(Protocol):
    """One machine that runs commands."""

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes | None = None,
        timeout: float = 60.0,
        fence: Fence | None = None,
        max_output: int = 64 * 1024 * 1024,
    ) -> Result:
        """Run one command and return what it answered, whatever its exit code.

        The remote side runs it under `env LC_ALL=C` and its own
        `timeout -k 5 TIMEOUT`. With a `fence`, the machine itself refuses a
        number lower than one that it has seen for that scope.

        Raises HostUnreachable, HostKeyChanged, OutcomeUnknown, Fenced; never
        CommandFailed for a non-zero exit code (see `session.Session.check`).
        Also NotPinned and FenceBroken. A malformed request (an argument with a
        NUL byte, no argument, a timeout that is not positive) is a ValueError.
        """
        ...


@runtime_checkable
class Abortable(Protocol):
    """A transport whose running command can be given up from another thread."""

    def abort(self) -> None:
        """Make the command in flight raise OutcomeUnknown, and every later one
        SessionAborted."""
        ...
