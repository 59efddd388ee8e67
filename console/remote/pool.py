"""Connections that are shared and kept: at most a few for each machine."""

from __future__ import annotations

import atexit
import copy
import os
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from . import ssh
from .breaker import Breaker
from .pooled import PooledTransport
from .session import Recorder, Session
from .ssh import Connection
from .transport import (
    Endpoint,
    HostKeyChanged,
    HostUnreachable,
    RemoteError,
    TargetBusy,
)


@dataclass(frozen=True, slots=True)
class PoolSettings:
    """Bounds of a pool. Times are in seconds.

    `channels_per_connection` commands run on one connection at once; with a spare
    channel for each that is below sshd's MaxSessions (10), and more gained no
    speed. `max_connections` stays below its MaxStartups (10). Where all are in
    use, a command waits for `wait_seconds`. A connection is closed after
    `idle_seconds` without a command, and takes no new one after
    `max_age_seconds`. `failures_to_open` and `cool_down_seconds` are the circuit
    breaker's.
    """

    max_connections: int = 8
    channels_per_connection: int = 4
    idle_seconds: float = 120.0
    max_age_seconds: float = 3600.0
    connect_timeout: float = 10.0
    wait_seconds: float = 30.0
    failures_to_open: int = 3
    cool_down_seconds: float = 15.0


class Connector(Protocol):
    """As `ssh.connect`."""

    def __call__(
        self, endpoint: Endpoint, *, timeout: float, jump: Connection | None
    ) -> Connection: ...


@dataclass(eq=False)
class _Line:
    """A connection in the pool. `users` counts the commands on it, `tunnels` the
    connections that go through it to other machines."""

    connection: Connection
    born: float
    last_used: float
    users: int = 0
    tunnels: int = 0
    via: _Line | None = None


@dataclass(eq=False)
class _Target:
    """Everything about one Endpoint. `dialling` is the attempt that is going on;
    whoever needs a connection meanwhile waits for it, and shares its luck. Before
    `no_more_until` no further connection is tried beside those that work."""

    breaker: Breaker
    lines: list[_Line] = field(default_factory=list)
    dialling: Future[None] | None = None
    no_more_until: float = 0.0

    @property
    def has_life(self) -> bool:
        return any(line.connection.is_alive for line in self.lines)


class Pool:
    """Hands out connections, by Endpoint. Any thread may use it. A pool that a
    forked child inherits starts over, empty, and leaves the parent's alone."""

    def __init__(
        self,
        settings: PoolSettings | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
        connector: Connector = ssh.connect,
    ) -> None:
        self._settings = settings or PoolSettings()
        self._clock = clock
        self._connector = connector
        self._start_over()

    def _start_over(self) -> None:
        self._pid = os.getpid()
        self._changed = threading.Condition()
        self._targets: dict[Endpoint, _Target] = {}
        self._is_closed = False
        self._sweeper: threading.Thread | None = None
        self._stop = threading.Event()

    def session(
        self,
        endpoint: Endpoint,
        *,
        recorder: Recorder | None = None,
        guard: Callable[[], None] | None = None,
        secrets: Iterable[str] = (),
    ) -> Session:
        """A Session on one machine. It holds a connection only while a command
        runs. The endpoint's own secrets are blanked like `secrets`."""
        return Session(
            self.transport(endpoint),
            endpoint.name,
            recorder=recorder,
            guard=guard,
            secrets=(*secrets, endpoint.secret, endpoint.passphrase),
        )

    def transport(self, endpoint: Endpoint) -> PooledTransport:
        """A Transport that takes a connection from the pool for each command."""
        return PooledTransport(self, endpoint)

    @contextmanager
    def line(self, endpoint: Endpoint) -> Iterator[Connection]:
        """A connection with room for one command, for the time of the block.

        Raises as `ssh.connect`; TargetBusy if every connection stays in use for
        `wait_seconds`.
        """
        line = self._borrow(endpoint, is_tunnel=False)
        try:
            yield line.connection
        finally:
            with self._changed:
                line.users -= 1
                line.last_used = self._clock()
                self._changed.notify_all()

    def dial(self, endpoint: Endpoint) -> None:
        """Make a connection beside those that are there, and hang up: a machine that
        answers on old ones only is cut off. Raises as `ssh.connect`."""
        if self._pid != os.getpid():
            self._start_over()
        with self._changed:
            target = self._target(endpoint)
        self._hang_up(self._connect(endpoint, target))

    def reset(self, endpoint: Endpoint) -> None:
        """Forget the failures of a machine, so that the next command dials."""
        with self._changed:
            target = self._targets.get(endpoint)
            if target is not None:
                target.breaker = self._new_breaker(endpoint)

    def sweep(self) -> None:
        """Close what is broken, idle or too old, and forget what is at rest. A
        thread of the pool calls it from time to time."""
        with self._changed:
            leaving = [
                (target, line)
                for target in self._targets.values()
                for line in target.lines
                if self._is_done(line)
            ]
            for target, line in leaving:
                target.lines.remove(line)
            for endpoint, target in list(self._targets.items()):
                if not target.lines and target.dialling is None and target.breaker.is_at_rest:
                    del self._targets[endpoint]
        for _, line in leaving:
            self._hang_up(line)

    def close(self) -> None:
        """Hang up everywhere. Commands in flight raise OutcomeUnknown."""
        if self._pid != os.getpid():
            return
        self._stop.set()
        with self._changed:
            self._is_closed = True
            lines = [line for target in self._targets.values() for line in target.lines]
            self._targets.clear()
            self._changed.notify_all()
        for line in lines:
            line.connection.close()

    def _borrow(self, endpoint: Endpoint, *, is_tunnel: bool) -> _Line:
        if self._pid != os.getpid():
            self._start_over()
        give_up_at = time.monotonic() + self._settings.wait_seconds
        while True:
            with self._changed:
                if self._is_closed:
                    raise HostUnreachable(endpoint.name, "the console is shutting down")
                target = self._target(endpoint)
                target.breaker.refuse_changed_key()
                line = self._pick(target, is_tunnel)
                if line is not None:
                    line.users += not is_tunnel
                    line.tunnels += is_tunnel
                    return line
                dialling, is_mine = target.dialling, False
                if dialling is None and self._may_dial(target):
                    target.dialling = dialling = Future()
                    is_mine = True
                if dialling is None:
                    self._wait_for_room(endpoint, give_up_at)
                    continue
            if is_mine:
                self._dial(endpoint, target, dialling)
            try:
                dialling.result()
            except HostUnreachable as error:
                # Where others work, one more was a wish, and its failure is none.
                if not target.has_life:
                    raise copy.copy(error) from error
            except RemoteError as error:
                raise copy.copy(error) from error

    def _target(self, endpoint: Endpoint) -> _Target:
        target = self._targets.get(endpoint)
        if target is None:
            target = self._targets[endpoint] = _Target(self._new_breaker(endpoint))
        return target

    def _new_breaker(self, endpoint: Endpoint) -> Breaker:
        settings = self._settings
        return Breaker(endpoint, settings.failures_to_open, settings.cool_down_seconds, self._clock)

    def _pick(self, target: _Target, is_tunnel: bool) -> _Line | None:
        """The busiest line that has room: the others may then fall idle."""
        now = self._clock()
        usable = [
            line
            for line in target.lines
            if line.connection.is_alive
            and now - line.born < self._settings.max_age_seconds
            and (is_tunnel or line.users < self._room(line))
        ]
        return max(usable, key=lambda line: line.users, default=None)

    def _may_dial(self, target: _Target) -> bool:
        if target.has_life and self._clock() < target.no_more_until:
            return False
        held = [line for line in target.lines if line.users or line.connection.is_alive]
        return len(held) < self._settings.max_connections

    def _room(self, line: _Line) -> int:
        return min(self._settings.channels_per_connection, line.connection.capacity)

    def _wait_for_room(self, endpoint: Endpoint, give_up_at: float) -> None:
        remaining = give_up_at - time.monotonic()
        if remaining <= 0:
            raise TargetBusy(
                endpoint.name,
                "every connection to it is in use",
                remedy="Wait until the commands on them end, and try again.",
            )
        self._changed.wait(remaining)

    def _dial(self, endpoint: Endpoint, target: _Target, dialling: Future[None]) -> None:
        """Dial once, and tell everybody who waits for it."""
        try:
            line = self._connect(endpoint, target)
        except BaseException as error:
            with self._changed:
                target.dialling = None
                target.no_more_until = self._clock() + self._settings.cool_down_seconds
                self._changed.notify_all()
            if isinstance(error, RemoteError):
                dialling.set_exception(error)
                return
            dialling.set_exception(HostUnreachable(endpoint.name, "the dialling was broken off"))
            raise
        with self._changed:
            target.dialling = None
            target.lines.append(line)
            is_closed = self._is_closed
            self._start_sweeper()
            self._changed.notify_all()
        if is_closed:
            line.connection.close()
        dialling.set_result(None)
        self.sweep()

    def _connect(self, endpoint: Endpoint, target: _Target) -> _Line:
        breaker = target.breaker
        breaker.permit()
        via = None
        try:
            if endpoint.via is not None:
                # The jump host has a breaker of its own.
                via = self._borrow(endpoint.via, is_tunnel=True)
            jump = via.connection if via is not None else None
            try:
                connection = self._connector(
                    endpoint, timeout=self._settings.connect_timeout, jump=jump
                )
            except HostUnreachable as error:
                if not target.has_life:
                    breaker.failed(error)
                raise
            except HostKeyChanged as error:
                breaker.key_changed(error)
                raise
        except BaseException:
            breaker.withdrawn()
            if via is not None:
                self._release_tunnel(via)
            raise
        breaker.succeeded()
        now = self._clock()
        return _Line(connection, born=now, last_used=now, via=via)

    def _is_done(self, line: _Line) -> bool:
        if line.users or line.tunnels:
            return False
        now = self._clock()
        return (
            not line.connection.is_alive
            or now - line.last_used >= self._settings.idle_seconds
            or now - line.born >= self._settings.max_age_seconds
        )

    def _hang_up(self, line: _Line) -> None:
        line.connection.close()
        if line.via is not None:
            self._release_tunnel(line.via)

    def _release_tunnel(self, via: _Line) -> None:
        with self._changed:
            via.tunnels -= 1
            via.last_used = self._clock()

    def _start_sweeper(self) -> None:
        if self._sweeper is None and not self._is_closed:
            self._sweeper = threading.Thread(
                target=self._keep_sweeping, args=(self._stop,), name="ssh-pool", daemon=True
            )
            self._sweeper.start()

    def _keep_sweeping(self, stop: threading.Event) -> None:
        while not stop.wait(self._settings.idle_seconds / 4):
            self.sweep()


_default: Pool | None = None
_default_lock = threading.Lock()


def default_pool(settings: PoolSettings | None = None) -> Pool:
    """The pool of this process; made on first use, with `settings`."""
    global _default
    with _default_lock:
        if _default is None:
            _default = Pool(settings)
            atexit.register(_default.close)
        return _default


def _forget_default() -> None:
    global _default, _default_lock
    _default = None
    _default_lock = threading.Lock()


os.register_at_fork(after_in_child=_forget_default)
