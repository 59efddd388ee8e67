"""Commands over SSH: one logged-in connection that many threads may use at once."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import TracebackType

from . import dial, quoting, verdict
from . import fence as fencing
from .channel import ChannelRefused, LineDead, WireChannel
from .exchange import Answer, DeadlinePassed, Exchange, GivenUp
from .transport import (
    Endpoint,
    Fence,
    HostKey,
    HostUnreachable,
    OutcomeUnknown,
    Result,
    SessionAborted,
    TargetBusy,
)
from .wire import Wire

#: Seconds that we grant the machine beyond its own `timeout` before we stop
#: waiting for its answer.
SLACK = 10.0
#: Sessions that we have open on one connection, the spare one included: two
#: less than OpenSSH's MaxSessions.
MAX_SESSIONS = 8
#: Pauses (seconds) before asking again for a session that was refused. sshd
#: counts one that we have closed until it has read all that we sent with it.
_ASK_AGAIN = (0.01, 0.02, 0.05, 0.1, 0.2)
#: A channel opened ahead of need is trusted for so many seconds; after that a
#: new one is opened, which also proves that the machine is still there.
FRESH = 15.0
#: Seconds to wait for a channel on a connection that was good before.
OPEN_TIMEOUT = 10.0


class LineLost(HostUnreachable):
    """A connection that was good before was found dead. Nothing ran."""


class NoSession(TargetBusy):
    """The machine opens no further session on this connection. Nothing ran."""


class Abort:
    """Gives up the command in flight from another thread. One for each session.

    The machine is not told: OpenSSH forwards no signal (RFC 4254, 6.9) to what
    root runs. The command may go on until its own timeout, and a fence keeps its
    successor waiting for as long.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hooks: list[Callable[[], None]] = []
        self.is_fired = False

    def fire(self) -> None:
        """Give up what runs now, and everything later."""
        with self._lock:
            self.is_fired = True
            hooks = list(self._hooks)
        for hook in hooks:
            hook()

    def attach(self, hook: Callable[[], None]) -> None:
        """Call `hook` when fired; at once if that has happened already."""
        with self._lock:
            self._hooks.append(hook)
            is_fired = self.is_fired
        if is_fired:
            hook()

    def detach(self, hook: Callable[[], None]) -> None:
        with self._lock:
            self._hooks.remove(hook)


def connect(
    endpoint: Endpoint, *, timeout: float = 10.0, jump: Connection | None = None
) -> Connection:
    """Connect to a machine, prove its pinned key, and log in.

    `jump` is a connection to `endpoint.via` that is to be used; without it one
    is opened, and closed with this one. `timeout` (seconds) bounds everything.
    Raises NotPinned, HostUnreachable, AuthenticationRefused or HostKeyChanged,
    whose `machine` is the one at fault: the jump host's, where it is that.
    """
    dial.require_pin(endpoint)
    deadline = time.monotonic() + timeout
    wire, owned_jump = _reach(endpoint, deadline, jump)
    try:
        dial.verify(wire, endpoint)
        dial.log_in(wire, endpoint, deadline)
    except BaseException:
        wire.close()
        if owned_jump is not None:
            owned_jump.close()
        raise
    return Connection(endpoint, wire, owned_jump)


def scan_host_key(endpoint: Endpoint, *, timeout: float = 10.0) -> HostKey:
    """The host key that a machine proves to hold, as far as the key exchange: no
    login is tried, and `endpoint.host_key` is not compared. A jump host is
    logged in to, so it must be pinned. Raises as `connect`."""
    wire, jump = _reach(endpoint, time.monotonic() + timeout, None)
    try:
        return dial.offered_key(wire)
    finally:
        wire.close()
        if jump is not None:
            jump.close()


def _reach(
    endpoint: Endpoint, deadline: float, jump: Connection | None
) -> tuple[Wire, Connection | None]:
    """A connection after its key exchange, and the jump connection that it owns."""
    owned = None
    if endpoint.via is not None and jump is None:
        jump = owned = connect(endpoint.via, timeout=deadline - time.monotonic())
    try:
        return dial.reach(endpoint, deadline, jump.wire if jump is not None else None), owned
    except BaseException:
        if owned is not None:
            owned.close()
        raise


class Connection:
    """A logged-in connection. Implements `transport.Transport`; any thread may
    call `run`, and several may at once."""

    def __init__(self, endpoint: Endpoint, wire: Wire, jump: Connection | None = None) -> None:
        self.machine = endpoint.name
        self.wire = wire
        self.fence_directory = fencing.DIRECTORY
        self.lock_wait = fencing.LOCK_WAIT
        #: Sessions that the machine is known, or assumed, to allow at once.
        self.capacity = MAX_SESSIONS
        self._username = endpoint.username
        self._jump = jump
        self._lock = threading.Lock()
        self._spares: deque[tuple[float, WireChannel]] = deque()
        self._busy = 0
        self._keeps_spares = True
        self._is_retired = False

    @property
    def is_alive(self) -> bool:
        """Whether a new command may be given to it."""
        return not self._is_retired and self.wire.is_active()

    def close(self) -> None:
        """Hang up. Commands in flight raise OutcomeUnknown."""
        self._is_retired = True
        self.wire.close()
        if self._jump is not None:
            self._jump.close()

    def __enter__(self) -> Connection:
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self.close()

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes | None = None,
        timeout: float = 60.0,
        fence: Fence | None = None,
        max_output: int = 64 * 1024 * 1024,
        abort: Abort | None = None,
    ) -> Result:
        """Run one command; see `transport.Transport.run`.

        `max_output` bounds each of the two streams (bytes); what exceeds it is
        read and thrown away, so that the command still ends by itself. A command
        that ends with 124 or 137 before its timeout has done so on its own
        account, and is a Result; at or after it, the outcome is unknown. A
        command that died of a signal has the exit code 128 + signal.
        """
        line = quoting.command_line(
            argv,
            username=self._username,
            timeout=timeout,
            has_stdin=stdin is not None,
            fence=fence,
            fence_directory=self.fence_directory,
            lock_wait=self.lock_wait,
        )
        request = verdict.Request(
            self.machine, self._username, argv, timeout, fence, self.lock_wait
        )
        patience = timeout + quoting.KILL_AFTER + SLACK + (self.lock_wait if fence else 0.0)
        with self._session_slot():
            answer, seconds = self._exchange(argv, line, stdin, patience, max_output, abort)
        return verdict.judge(request, answer, seconds)

    @contextmanager
    def _session_slot(self) -> Iterator[None]:
        with self._lock:
            self._busy += 1
        try:
            yield
        finally:
            with self._lock:
                self._busy -= 1

    def _exchange(
        self,
        argv: tuple[str, ...],
        line: bytes,
        stdin: bytes | None,
        patience: float,
        max_output: int,
        abort: Abort | None,
    ) -> tuple[Answer, float]:
        """The answer to one command line and the seconds that it took.

        Where we stop waiting for a command that may run, the machine counts its
        session until it has ended, so this connection takes no further one.
        """
        channel = self._take_channel(argv)
        if abort is not None and abort.is_fired:
            channel.close()
            raise SessionAborted(
                self.machine, "the session was aborted before this command", argv=argv
            )
        exchange = Exchange(channel, stdin, max_output)
        try:
            if abort is not None:
                abort.attach(exchange.abort)
            started = time.monotonic()
            exchange.start(line)
            self._open_spare()
            answer = exchange.finish(started + patience)
            return answer, time.monotonic() - started
        except (DeadlinePassed, GivenUp) as error:
            self._is_retired = True
            if isinstance(error, GivenUp):
                how = "the command was given up while it ran"
            else:
                how = f"no answer within {patience:.0f} s; the machine's own timeout is over"
            raise OutcomeUnknown(self.machine, how, argv=argv, remedy=verdict.LOOK_FIRST) from None
        except BaseException:
            self._is_retired = True
            raise
        finally:
            channel.close()
            if abort is not None:
                abort.detach(exchange.abort)

    def _take_channel(self, argv: tuple[str, ...]) -> WireChannel:
        """A channel that the server has confirmed. Nothing has run when it fails."""
        with self._lock:
            channel = self._fresh_spare()
        pauses = iter(_ASK_AGAIN)
        while True:
            try:
                if channel is None:
                    channel = self.wire.begin_channel("session")
                channel.wait_open(OPEN_TIMEOUT)
                return channel
            except ChannelRefused as error:
                channel = None
                pause = next(pauses, None)
                if pause is None:
                    raise self._no_session(argv, error) from error
                time.sleep(pause)
            except (LineDead, TimeoutError) as error:
                self._is_retired = True
                raise LineLost(
                    self.machine,
                    "the connection was lost before the command was sent",
                    argv=argv,
                    remedy="Try again.",
                ) from error

    def _no_session(self, argv: tuple[str, ...], error: ChannelRefused) -> NoSession:
        with self._lock:
            self.capacity = max(self._busy - 1, 1)
        return NoSession(
            self.machine,
            f"the machine opens no further session on this connection: {error}",
            argv=argv,
            remedy="Raise MaxSessions in its sshd_config, or try again.",
        )

    def _fresh_spare(self) -> WireChannel | None:
        while self._spares:
            opened_at, channel = self._spares.popleft()
            if channel.refusal is not None:
                self._keeps_spares = False
                continue
            if time.monotonic() - opened_at < FRESH and not channel.is_over:
                return channel
            channel.close()
        return None

    def _open_spare(self) -> None:
        """Open a channel for the next command while this one runs: a command then
        costs one round trip instead of two."""
        with self._lock:
            is_full = self._busy + len(self._spares) >= self.capacity
            if is_full or self._is_retired or not self._keeps_spares:
                return
            self._spares.append((time.monotonic(), self.wire.begin_channel("session")))
