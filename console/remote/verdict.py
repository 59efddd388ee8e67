"""What an answer really means: a Result, or the error that hides behind an exit code."""

from __future__ import annotations

from dataclasses import dataclass

from . import fence as fencing
from . import quoting
from .exchange import Answer
from .transport import (
    Fence,
    FenceBroken,
    Fenced,
    HostUnreachable,
    OutcomeUnknown,
    PrivilegeRefused,
    RemoteError,
    Result,
    TargetBusy,
)

#: Exit codes of timeout(1): the command was told to end; it had to be killed.
_TIMED_OUT = (124, 128 + 9)
#: The machine's clock may run a little faster than ours.
_CLOCKS_AGREE = 0.98

LOOK_FIRST = (
    "Look at the machine before anything else: the command may have run, in part or whole, "
    "and may still run."
)


@dataclass(frozen=True, slots=True)
class Request:
    """A command as it was sent."""

    machine: str
    username: str
    argv: tuple[str, ...]
    timeout: float
    fence: Fence | None
    lock_wait: float


def judge(request: Request, answer: Answer, seconds: float) -> Result:
    """The Result of a command that ran to its end, whatever its exit code.

    Raises HostUnreachable or PrivilegeRefused if nothing ran, Fenced, TargetBusy
    or FenceBroken if the fence stood in the way, and OutcomeUnknown if the end
    was not seen or `timeout` stopped the command. timeout(1) cannot have fired
    before its time: an earlier 124 or 137 is the command's own.
    """
    result = Result(
        argv=request.argv,
        exit_code=-1 if answer.exit_code is None else answer.exit_code,
        stdout=answer.stdout.decode("utf-8", "replace"),
        stderr=answer.stderr.decode("utf-8", "replace"),
        seconds=seconds,
        is_truncated=answer.is_truncated,
    )
    error = (
        _not_accepted(request, answer)
        or _end_not_seen(request, answer, result)
        or _timed_out(request, result)
        or _sudo_refused(request, result)
        or _fence_refused(request, result)
    )
    if error is not None:
        raise error
    return result


def _not_accepted(request: Request, answer: Answer) -> RemoteError | None:
    if answer.is_accepted:
        return None
    return HostUnreachable(
        request.machine,
        f"the machine refuses to run commands for user {request.username!r}",
        argv=request.argv,
        remedy="Give the account a POSIX login shell, and let sshd_config allow commands to it.",
    )


def _end_not_seen(request: Request, answer: Answer, result: Result) -> RemoteError | None:
    if answer.exit_code is not None and not answer.is_line_dead:
        return None
    how = "the line was cut" if answer.is_line_dead else "the session ended without an exit code"
    return OutcomeUnknown(
        request.machine,
        f"{how} after the command was sent",
        argv=request.argv,
        said=_said(result),
        remedy=LOOK_FIRST,
    )


def _timed_out(request: Request, result: Result) -> RemoteError | None:
    is_late = result.seconds >= request.timeout * _CLOCKS_AGREE
    if result.exit_code not in _TIMED_OUT or not is_late:
        return None
    return OutcomeUnknown(
        request.machine,
        f"the command did not end within {request.timeout:g} s and was stopped",
        argv=request.argv,
        said=_said(result),
        remedy="Look at the machine before anything else: the command may have done a part.",
    )


def _sudo_refused(request: Request, result: Result) -> RemoteError | None:
    if not quoting.sudo_said_no(request.username, result.exit_code, result.stderr):
        return None
    return PrivilegeRefused(
        request.machine,
        f"user {request.username!r} may not use sudo without a password",
        argv=request.argv,
        said=result.stderr,
        remedy=f"Install sudo there and put the line `{request.username} ALL=(ALL) NOPASSWD: ALL` "
        "into a file in /etc/sudoers.d, or connect as root.",
    )


def _fence_refused(request: Request, result: Result) -> RemoteError | None:
    if request.fence is None:
        return None
    found = fencing.verdict(result.exit_code, result.stderr)
    if found is None:
        return None
    kind, words = found
    scope = request.fence.scope
    if kind == "refused":
        return Fenced(
            request.machine,
            f"a newer worker (number {words}) has taken {scope!r} over from this one "
            f"(number {request.fence.number}); the command was not run",
            result=result,
        )
    if kind == "busy":
        return TargetBusy(
            request.machine,
            f"an earlier command on {scope!r} still runs after {request.lock_wait:g} s",
            argv=request.argv,
            said=result.stderr,
            remedy="Wait until it ends, and try again.",
        )
    return FenceBroken(
        request.machine,
        f"the fence of {scope!r} cannot be kept: {words}",
        argv=request.argv,
        said=result.stderr,
        remedy="Mend it on the machine; what is wrong stands in the message.",
    )


def _said(result: Result) -> str:
    return result.stderr or result.stdout
