"""Nothing outlives the supervisor, not even after `kill -9`.

Two independent means, because each has a gap. The kernel sends every direct child a signal
when its parent dies (prctl(2), PR_SET_PDEATHSIG), but not the children of that child. A small
process that waits on a pipe kills whole process groups once the pipe closes, but could itself
be killed. Plain Python: it runs without Django.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None, use_errno=True)


def set_parent_death_signal(number: int) -> None:
    """Have the kernel send this process signal `number` when its parent ends (prctl(2))."""
    if _libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def tied_to_parent(number: int = signal.SIGKILL) -> Callable[[], None]:
    """A `preexec_fn` that ties the new program to the process that calls this function.

    The parent must start it from its main thread: PR_SET_PDEATHSIG fires when the *thread*
    that forked ends.
    """
    parent = os.getpid()

    def tie() -> None:
        set_parent_death_signal(number)
        if os.getppid() != parent:  # the parent died before prctl() was in force
            os._exit(1)

    return tie


def kill_group(group: int, number: int = signal.SIGKILL) -> None:
    """Send a signal to every process of a group; a group that is gone is no error."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, number)


class Lifeline:
    """Kills the process groups it was told of as soon as the process that made it is gone.

    The guard is a fork, so it also holds the supervisor's lock file: a second console cannot
    start before the last group of the first one is dead.
    """

    def __init__(self) -> None:
        read_end, self._write_end = os.pipe()
        self._guard = os.fork()
        if self._guard == 0:
            os.close(self._write_end)
            _guard(read_end)
        os.close(read_end)

    def add(self, group: int) -> None:
        """Kill this process group if the supervisor dies."""
        self._tell(group)

    def remove(self, group: int) -> None:
        """Forget a process group that has ended."""
        self._tell(-group)

    def close(self) -> None:
        """End the guard. Groups that were not removed are killed."""
        os.close(self._write_end)
        os.waitpid(self._guard, 0)

    def _tell(self, number: int) -> None:
        # Shorter than PIPE_BUF: written whole. A guard that was killed is no reason to stop.
        with contextlib.suppress(BrokenPipeError):
            os.write(self._write_end, b"%d\n" % number)


def _guard(read_end: int) -> None:
    """The body of the guard process: never returns."""
    try:
        os.setsid()
        for ignored in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ignored, signal.SIG_IGN)
        groups: set[int] = set()
        with os.fdopen(read_end) as told:
            for line in told:
                number = int(line)
                if number > 0:
                    groups.add(number)
                else:
                    groups.discard(-number)
        for group in groups:
            kill_group(group)
    finally:
        os._exit(0)
