"""One command on one channel: feed its input, drain its output, know how it ended."""

from __future__ import annotations

import time
from dataclasses import dataclass

from .channel import WireChannel

#: A command that has ended may leave a process behind that holds its output
#: open, and the server does not close the channel before that has ended too.
#: After so many seconds without anything new we stop listening.
LINGER = 5.0


class DeadlinePassed(Exception):
    """The command has not ended in time."""


class GivenUp(Exception):
    """Another thread gave the command up."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came back on the channel. `exit_code` is None when the channel ended
    without one; `is_accepted` is False when the server refused to run anything;
    `is_truncated` says that output was cut, or that its end was not seen."""

    stdout: bytes
    stderr: bytes
    exit_code: int | None
    is_accepted: bool
    is_line_dead: bool
    is_truncated: bool


class Exchange:
    """Runs one command: `start`, then `finish`. `abort` may be called from any
    thread."""

    def __init__(self, channel: WireChannel, stdin: bytes | None, limit: int) -> None:
        self._channel = channel
        self._input = memoryview(stdin or b"")
        self._has_input = stdin is not None
        self._limit = limit
        self._kept: tuple[list[bytes], list[bytes]] = ([], [])
        self._sizes = [0, 0]
        self._is_truncated = False
        self._is_given_up = False

    def abort(self) -> None:
        """Give the command up: `finish` raises GivenUp."""
        with self._channel.changed:
            self._is_given_up = True
            self._channel.changed.notify_all()

    def start(self, command: bytes) -> None:
        """Send the request. From here on the command may have run."""
        self._channel.request_exec(command)

    def finish(self, deadline: float) -> Answer:
        """Serve the command until it ends or the monotonic time `deadline` comes.

        Input and output move in one loop, so that neither side can fill its
        window while the other waits. Raises DeadlinePassed or GivenUp; then the
        command may still run.
        """
        channel = self._channel
        while self._wait(deadline):
            is_over = channel.is_over
            self._keep(channel.take())
            if is_over or channel.is_request_accepted is False:
                break
            self._feed()
        else:
            self._keep(channel.take())
            self._is_truncated = self._is_truncated or not channel.has_eof
        channel.close()
        return Answer(
            stdout=b"".join(self._kept[0]),
            stderr=b"".join(self._kept[1]),
            exit_code=channel.exit_code,
            is_accepted=channel.is_request_accepted is not False,
            is_line_dead=channel.is_dead and not channel.is_closed_by_peer,
            is_truncated=self._is_truncated,
        )

    def _wait(self, deadline: float) -> bool:
        """Wait for work. False: the command has ended and nothing more comes."""
        channel = self._channel
        with channel.changed:
            while not self._has_work():
                now = time.monotonic()
                is_ended = channel.exit_code is not None
                until = min(deadline, channel.heard_at + LINGER) if is_ended else deadline
                if now < until:
                    channel.changed.wait(until - now)
                elif is_ended:
                    return False
                else:
                    raise DeadlinePassed
            if self._is_given_up:
                raise GivenUp
        if time.monotonic() > deadline and not channel.is_over:
            raise DeadlinePassed
        return True

    def _has_work(self) -> bool:
        channel = self._channel
        return (
            channel.is_over
            or self._is_given_up
            or channel.is_request_accepted is False
            or channel.wants_taking
            or (self._has_input and (channel.send_window > 0 or not self._input))
        )

    def _feed(self) -> None:
        if not self._has_input:
            return
        if self._input:
            self._input = self._input[self._channel.send(self._input) :]
        if not self._input:
            self._has_input = False
            self._channel.send_eof()

    def _keep(self, parts: list[tuple[int, bytes]]) -> None:
        for stream, data in parts:
            room = self._limit - self._sizes[stream]
            if len(data) > room:
                self._is_truncated = True
                data = data[: max(room, 0)]
            if data:
                self._sizes[stream] += len(data)
                self._kept[stream].append(data)
