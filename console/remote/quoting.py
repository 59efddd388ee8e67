"""From a tuple of words to the one line that the remote shell reads.

This is the only place where words become shell text. The login shell of the SSH
user must be a POSIX shell (sh, dash, bash, zsh, ksh, busybox): sshd hands it the
line with `-c`.
"""

from __future__ import annotations

import math
import re
import shlex

from . import fence as fencing
from .transport import Fence

#: Seconds between `timeout`'s TERM and its KILL.
KILL_AFTER = 5
#: Linux gives one argument of a process at most 32 pages (execve(2),
#: MAX_ARG_STRLEN), and the whole line is one argument of the login shell.
LONGEST_LINE = 32 * 4096 - 1

_SUDO_SAID_NO = re.compile(
    r"^(sudo: .*(password is required|no tty present|a terminal is required|"
    r"interactive authentication|not found|not allowed)"
    r"|.*is not in the sudoers file|.*is not allowed to (run|execute)"
    r"|.*sudo.*: (command )?not found|env: .sudo.: No such file)",
    re.MULTILINE,
)


def command_line(
    argv: tuple[str, ...],
    *,
    username: str,
    timeout: float,
    has_stdin: bool,
    fence: Fence | None = None,
    fence_directory: str = fencing.DIRECTORY,
    lock_wait: float = fencing.LOCK_WAIT,
) -> bytes:
    """The line that runs `argv` on a machine: under `env LC_ALL=C`, for at most
    `timeout` seconds (timeout(1) sends TERM, and KILL five seconds later), with
    an empty input unless `has_stdin`, as root (`sudo -n` for other users), and
    under `fence` if there is one.

    Raises ValueError, in words, for what cannot be said to a machine.
    """
    check_words(argv)
    limit = _seconds(timeout)
    if fence is None:
        words: tuple[str, ...] = ("timeout", "-k", str(KILL_AFTER), limit, *argv)
    else:
        words = fencing.guarded(argv, fence, limit, directory=fence_directory, lock_wait=lock_wait)
    words = ("env", "LC_ALL=C", *words)
    # For other users sudo's own words must be in English too, see `sudo_said_no`.
    if username != "root":
        words = ("env", "LC_ALL=C", "sudo", "-n", *words)
    line = "exec " + shlex.join(words) + ("" if has_stdin else " </dev/null")
    encoded = line.encode("utf-8", "surrogateescape")
    if len(encoded) > LONGEST_LINE:
        raise ValueError(
            f"the command line of {argv[0]!r} has {len(encoded)} bytes and a machine takes at most "
            f"{LONGEST_LINE}: send the bulk on standard input"
        )
    return encoded


def check_words(argv: tuple[str, ...]) -> None:
    """Raise ValueError unless every word can be an argument of a process."""
    if not argv:
        raise ValueError("a command needs at least one word")
    for position, word in enumerate(argv):
        if "\0" in word:
            raise ValueError(f"word {position} of the command contains a NUL byte")
        try:
            word.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise ValueError(f"word {position} of the command is not valid text") from error


def _seconds(timeout: float) -> str:
    if not math.isfinite(timeout) or timeout < 0.001:
        raise ValueError(f"a timeout must be a positive number of seconds, not {timeout!r}")
    return f"{timeout:.3f}".rstrip("0").rstrip(".")


def sudo_said_no(username: str, exit_code: int, stderr: str) -> bool:
    """Whether `sudo -n` refused, so that nothing ran (sudo(8): exit value 1 for
    a refusal; 127 from a shell that knows no sudo)."""
    if username == "root" or exit_code not in (1, 127):
        return False
    return _SUDO_SAID_NO.search(stderr) is not None
