"""Runs several programs as one: starts them in order, shows their output, restarts what
crashes, stops everything in reverse.

Plain Python: it runs without Django. One thread, one loop: children are forked from the main
thread only (see `lifeline` for why).
"""

from __future__ import annotations

import contextlib
import os
import re
import selectors
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from types import FrameType
from typing import TextIO

from console.lifeline import Lifeline, kill_group, tied_to_parent

#: Everything is down this many seconds after it was asked to stop.
STOP_WITHIN = 9.0
#: A program that stayed up this long starts again with the shortest back-off.
STABLE_AFTER = 60.0
#: A program that ends this often before it was ever ready is given up, and all with it.
MAX_FAILED_STARTS = 3
LONGEST_BACKOFF = 30.0
_BUSY_TICK = 0.05
_IDLE_TICK = 1.0
_LONGEST_LINE = 65536
_COLOURS = (36, 32, 35, 33, 34, 31)


class Restart(Enum):
    """When a program that has ended is started again."""

    ALWAYS = "always"
    ON_FAILURE = "on failure"
    NEVER = "never"


@dataclass(frozen=True)
class Program:
    """One program to keep running.

    `needs` names the programs that must be ready first. It counts as ready once a line of its
    output matches `ready_line`, or `probe()` is true (asked every 50 ms; it must answer within
    that), or, with neither, at once. One that is never restarted is a job: it is ready when it
    has ended. `grace` is the seconds between SIGTERM and SIGKILL. Lines that match `mute` are
    not shown.
    """

    name: str
    argv: tuple[str, ...]
    needs: tuple[str, ...] = ()
    ready_line: str | None = None
    probe: Callable[[], bool] | None = None
    env: Mapping[str, str] = field(default_factory=dict)
    grace: float = 3.0
    restart: Restart = Restart.ALWAYS
    mute: str | None = None


def describe_exit(code: int) -> str:
    """An exit status as `subprocess` gives it, in words: negative means a signal."""
    if code >= 0:
        return f"with exit code {code}"
    return f"by signal {signal.Signals(-code).name}"


class _State(Enum):
    WAITING = "waiting"
    STARTING = "starting"
    READY = "ready"
    DONE = "done"


class _Child:
    """A program and the process that runs it now, if any."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self.process: subprocess.Popen[bytes] | None = None
        self.state = _State.WAITING
        self.was_ready = False
        self.ready_at = float("inf")
        self.failures = 0
        self.not_before = 0.0
        self.kill_at: float | None = None
        self.buffer = b""

    def spawn(self) -> None:
        self.process = subprocess.Popen(  # noqa: S603
            self.program.argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **self.program.env},
            start_new_session=True,
            preexec_fn=tied_to_parent(signal.SIGKILL),
        )
        os.set_blocking(self.output, False)
        self.state = _State.STARTING
        self.ready_at = float("inf")

    @property
    def pid(self) -> int:
        """Of the process that runs now; also the number of its process group."""
        if self.process is None:
            raise RuntimeError(f"{self.program.name} is not running")
        return self.process.pid

    @property
    def output(self) -> int:
        """The descriptor on which its output arrives."""
        if self.process is None or self.process.stdout is None:
            raise RuntimeError(f"{self.program.name} is not running")
        return self.process.stdout.fileno()

    def has_ended(self) -> bool:
        """Whether it is over. It stays a zombie, so that its group's number remains its own."""
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self.pid, flags) is not None

    def collect(self) -> int:
        """Take the exit status of the process that has ended."""
        process = self.process
        if process is None or process.stdout is None:
            raise RuntimeError(f"{self.program.name} is not running")
        process.stdout.close()
        self.process = None
        return process.wait()

    def take_lines(self, data: bytes) -> list[str]:
        """The whole lines that are there once `data` has come; empty `data` means the end."""
        *lines, self.buffer = (self.buffer + data).split(b"\n")
        if self.buffer and (not data or len(self.buffer) > _LONGEST_LINE):
            lines, self.buffer = [*lines, self.buffer], b""
        return [line.decode(errors="replace").rstrip() for line in lines]


class _Printer:
    """Writes each line behind the name of the program that said it."""

    def __init__(self, out: TextIO, names: Sequence[str]) -> None:
        self._out = out
        self._width = max(map(len, names), default=0)
        colour = out.isatty() and "NO_COLOR" not in os.environ
        self._paint = {
            name: (f"\033[{_COLOURS[i % len(_COLOURS)]}m", "\033[0m") if colour else ("", "")
            for i, name in enumerate(names)
        }
        #: The terminal or the reader of the pipe has gone away.
        self.is_lost = False

    def line(self, name: str, text: str) -> None:
        start, end = self._paint[name]
        self.say(f"{start}{name.ljust(self._width)} |{end} {text}")

    def say(self, text: str) -> None:
        if self.is_lost:
            return
        try:
            self._out.write(f"{text}\n")
            self._out.flush()
        except OSError:
            self.is_lost = True


class Supervisor:
    """Runs `programs` (in this order; stopped in the reverse one) until it is told to stop.

    `on_ready` is called once, with the seconds since `run()` began, when every program has
    been ready and every job has ended.
    """

    def __init__(
        self,
        programs: Sequence[Program],
        *,
        on_ready: Callable[[float], None] = lambda seconds: None,
        out: TextIO | None = None,
    ) -> None:
        self._children = {program.name: _Child(program) for program in programs}
        if len(self._children) != len(programs):
            raise ValueError("two programs have the same name")
        self._printer = _Printer(out or sys.stdout, list(self._children))
        self._on_ready: Callable[[float], None] | None = on_ready
        self._requests = 0
        self._woken, self._waker = socket.socketpair()
        self._stop_by: float | None = None
        self._has_failed = False

    def run(self) -> int:
        """Start everything and stay until SIGINT, SIGTERM or SIGHUP.

        Returns 0 after an orderly stop that was asked for, 1 if a program could not be started.
        A second signal kills what is left at once. Call it from the main thread.
        """
        began = time.monotonic()
        self._lifeline = Lifeline()
        with selectors.DefaultSelector() as self._selector, self._signals():
            try:
                while self._stop_by is None or self._alive():
                    self._step(began)
            finally:
                for child in self._alive():
                    kill_group(child.pid)
                self._lifeline.close()
        return 1 if self._has_failed else 0

    def stop(self) -> None:
        """Ask for an orderly stop, from a signal handler or from another thread."""
        self._requests += 1
        with contextlib.suppress(OSError):  # it is awake already, or has ended
            self._waker.send(b"!")

    def _step(self, began: float) -> None:
        now = time.monotonic()
        if self._stop_by is None and (self._requests or self._printer.is_lost):
            self._stop_by = now + STOP_WITHIN
            self._printer.say("Stopping.")
        if self._stop_by is not None:
            self._stop_next(now, self._stop_by)
        else:
            self._start_due(now)
            self._announce(now - began)
        for key, _ in self._selector.select(self._pause()):
            key.data()
        for child in self._alive():
            if child.has_ended():
                self._finish(child)

    def _pause(self) -> float:
        settled = all(c.state in (_State.READY, _State.DONE) for c in self._children.values())
        return _IDLE_TICK if settled and self._stop_by is None else _BUSY_TICK

    # Starting

    def _start_due(self, now: float) -> None:
        for child in self._children.values():
            probe = child.program.probe
            if child.state is _State.WAITING and now >= child.not_before:
                needs = (self._children[name].state for name in child.program.needs)
                if all(state in (_State.READY, _State.DONE) for state in needs):
                    self._start(child)
            elif child.state is _State.STARTING and probe is not None and probe():
                self._mark_ready(child)

    def _start(self, child: _Child) -> None:
        try:
            child.spawn()
        except OSError as error:
            self._give_up(f"{child.program.name} cannot be started: {error}")
            return
        self._lifeline.add(child.pid)
        self._selector.register(child.output, selectors.EVENT_READ, lambda: self._read(child))
        program = child.program
        is_job = program.restart is Restart.NEVER
        if program.probe is None and program.ready_line is None and not is_job:
            self._mark_ready(child)

    def _mark_ready(self, child: _Child) -> None:
        child.state = _State.READY
        child.was_ready = True
        child.ready_at = time.monotonic()

    def _announce(self, elapsed: float) -> None:
        if self._on_ready is not None and all(c.was_ready for c in self._children.values()):
            self._on_ready(elapsed)
            self._on_ready = None

    def _give_up(self, reason: str) -> None:
        self._printer.say(reason)
        self._has_failed = True
        self.stop()

    # Output

    def _read(self, child: _Child) -> bool:
        """Show what it has written. False when there is nothing more for now, or for ever."""
        try:
            data = os.read(child.output, 65536)
        except BlockingIOError:
            return False
        if not data:
            self._unwatch(child)
        for text in child.take_lines(data):
            self._show(child, text)
        return bool(data)

    def _show(self, child: _Child, text: str) -> None:
        program = child.program
        if program.mute is None or not re.search(program.mute, text):
            self._printer.line(program.name, text)
        if child.state is not _State.STARTING or program.ready_line is None:
            return
        if re.search(program.ready_line, text):
            self._mark_ready(child)

    def _unwatch(self, child: _Child) -> None:
        with contextlib.suppress(KeyError):
            self._selector.unregister(child.output)

    # Endings

    def _alive(self) -> list[_Child]:
        return [child for child in self._children.values() if child.process is not None]

    def _finish(self, child: _Child) -> None:
        """Kill what the process left behind in its group, show its last words, and judge."""
        group = child.pid
        kill_group(group)
        while self._read(child):
            pass
        self._unwatch(child)
        code = child.collect()
        self._lifeline.remove(group)
        restart = child.program.restart
        if self._stop_by is not None or self._requests:
            child.state = _State.DONE
        elif restart is Restart.NEVER or (restart is Restart.ON_FAILURE and code == 0):
            child.state, child.was_ready = _State.DONE, True
            if code != 0:
                self._printer.say(f"{child.program.name} ended {describe_exit(code)}.")
        else:
            self._schedule_restart(child, code)

    def _schedule_restart(self, child: _Child, code: int) -> None:
        now = time.monotonic()
        if now - child.ready_at >= STABLE_AFTER:
            child.failures = 0
        child.failures += 1
        said = f"{child.program.name} ended {describe_exit(code)}"
        if not child.was_ready and child.failures >= MAX_FAILED_STARTS:
            self._give_up(f"{said}, {child.failures} times before it was ready: giving up.")
            return
        delay = min(LONGEST_BACKOFF, 2.0 ** (child.failures - 1))
        child.state = _State.WAITING
        child.not_before = now + delay
        self._printer.say(f"{said}. It starts again in {delay:.0f} s.")

    def _stop_next(self, now: float, stop_by: float) -> None:
        """Stop the last program that still runs; kill all once there is no time left."""
        alive = self._alive()
        if now >= stop_by or self._requests > 1:
            for child in alive:
                kill_group(child.pid)
        elif alive:
            last = alive[-1]
            if last.kill_at is None:
                last.kill_at = now + last.program.grace
                os.kill(last.pid, signal.SIGTERM)
            elif now >= last.kill_at:
                kill_group(last.pid)

    @contextlib.contextmanager
    def _signals(self) -> Iterator[None]:
        """Count requests to stop, and wake the loop on any signal, a child's end included."""

        def request(number: int, frame: FrameType | None) -> None:
            self.stop()

        def ignore(number: int, frame: FrameType | None) -> None:
            pass

        handlers = {signal.SIGCHLD: ignore} | dict.fromkeys(
            (signal.SIGINT, signal.SIGTERM, signal.SIGHUP), request
        )
        self._woken.setblocking(False)
        self._waker.setblocking(False)
        previous = {number: signal.signal(number, handlers[number]) for number in handlers}
        wakeup = signal.set_wakeup_fd(self._waker.fileno(), warn_on_full_buffer=False)
        self._selector.register(self._woken, selectors.EVENT_READ, lambda: self._woken.recv(4096))
        try:
            yield
        finally:
            signal.set_wakeup_fd(wakeup)
            for number, handler in previous.items():
                signal.signal(number, handler)
            self._woken.close()
            self._waker.close()
