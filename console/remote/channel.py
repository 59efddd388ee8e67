"""SSH channels that cannot race.

paramiko answers the server's CLOSE of a channel from its reader thread, while
the thread that owns the channel may be sending EOF, data or a window adjustment
at that very moment. Whatever then follows the CLOSE on the wire names a channel
that no longer exists, and OpenSSH's sshd ends the whole connection for it, with
every other command on it (upstream #1115, #1584, #1705). RFC 4254, 5.3: after
its own CLOSE a side sends nothing more for that channel.

The cure here: the reader thread only notes what arrived. Every message of a
channel is sent under that channel's one lock, and none after its CLOSE. So EOF
can be sent safely after input, also to a command that exits without reading it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from typing import Any, Protocol

from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_FAILURE,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_WINDOW_ADJUST,
)
from paramiko.message import Message

#: Bytes that the server may send on one channel before we acknowledge some.
WINDOW = 2 * 1024 * 1024
#: The largest packet that we accept; OpenSSH uses the same figure.
PACKET = 32 * 1024
#: Unacknowledged bytes at which the window is opened again.
ADJUST_AT = WINDOW // 4

STDOUT = 0
STDERR = 1

# RFC 4254, 6.10: names of signals in an exit-signal request.
_SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9,
    "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
}  # fmt: skip
_UNNAMED_SIGNAL = 127


class Sender(Protocol):
    """The connection, as a channel sees it."""

    clear_to_send: threading.Event

    def send_for_channel(self, message: Message) -> None: ...


class ChannelRefused(Exception):
    """The server did not open the channel; `reason` is RFC 4254's code."""

    def __init__(self, reason: int, words: str) -> None:
        super().__init__(words or f"reason {reason}")
        self.reason = reason


class LineDead(Exception):
    """The connection under the channel is gone."""


class WireChannel:
    """One channel. The reader thread calls the `on_` methods, which only note
    and notify; any other thread may send, under one lock and in one order."""

    def __init__(self, wire: Sender, number: int) -> None:
        self.number = number
        self.changed = threading.Condition(threading.Lock())
        self.is_open = False
        self.refusal: ChannelRefused | None = None
        self.is_request_accepted: bool | None = None
        self.exit_code: int | None = None
        self.heard_at = 0.0
        self.has_eof = False
        self.is_closed_by_peer = False
        self.is_dead = False
        self.is_eager = False
        self.inbox: deque[tuple[int, bytes]] = deque()
        self.inbox_size = 0
        self.send_window = 0
        self._wire = wire
        self._peer_number = 0
        self._max_packet = 0
        self._order = threading.Lock()
        self._is_shut = False
        self._unacknowledged = 0

    # What the reader thread notes.

    def _set_remote_channel(self, number: int, window: int, max_packet: int) -> None:
        # paramiko calls it by this name when the server confirms the channel.
        with self.changed:
            self._peer_number = number
            self.send_window = window
            self._max_packet = max(max_packet - 64, 1)
            self.is_open = True
            self.changed.notify_all()

    def _unlink(self) -> None:
        # paramiko calls it by this name when the connection ends.
        with self.changed:
            self.is_dead = True
            self.changed.notify_all()

    def on_refused(self, refusal: ChannelRefused) -> None:
        with self.changed:
            self.refusal = refusal
            self.changed.notify_all()

    def on_success(self, _message: Message) -> None:
        self.is_request_accepted = True

    def on_failure(self, _message: Message) -> None:
        with self.changed:
            self.is_request_accepted = False
            self.changed.notify_all()

    def on_data(self, message: Message) -> None:
        self._store(STDOUT, message.get_binary())

    def on_extended_data(self, message: Message) -> None:
        # RFC 4254, 5.2: type 1 is the only one defined.
        message.get_int()
        self._store(STDERR, message.get_binary())

    def _store(self, stream: int, data: bytes) -> None:
        with self.changed:
            self.inbox.append((stream, data))
            self.inbox_size += len(data)
            if self.exit_code is not None:
                self.heard_at = time.monotonic()
            if self.is_eager or self.wants_taking:
                self.changed.notify_all()

    def on_window_adjust(self, message: Message) -> None:
        with self.changed:
            was_shut = self.send_window == 0
            self.send_window += message.get_int()
            if was_shut:
                self.changed.notify_all()

    def on_request(self, message: Message) -> None:
        kind = message.get_text()
        wants_reply = message.get_boolean()
        if kind == "exit-status":
            self._ended(message.get_int())
        elif kind == "exit-signal":
            self._ended(128 + _SIGNALS.get(message.get_text(), _UNNAMED_SIGNAL))
        if wants_reply:
            self._answer_if_free()

    def _ended(self, exit_code: int) -> None:
        with self.changed:
            self.exit_code = exit_code
            self.heard_at = time.monotonic()
            self.changed.notify_all()

    def _answer_if_free(self) -> None:
        """Answer a request of the server (OpenSSH's ClientAliveInterval asks in
        this way, and takes any packet for an answer). This is the reader thread,
        which must not wait: where a sender is at work, its packet will do."""
        if self._wire.clear_to_send.is_set() and self._order.acquire(blocking=False):
            try:
                if not self._is_shut:
                    message = Message()
                    message.add_byte(bytes((MSG_CHANNEL_FAILURE,)))
                    message.add_int(self._peer_number)
                    self._wire.send_for_channel(message)
            finally:
                self._order.release()

    def on_eof(self, _message: Message) -> None:
        with self.changed:
            self.has_eof = True
            if self.is_eager:
                self.changed.notify_all()

    def on_close(self, _message: Message) -> None:
        with self.changed:
            self.is_closed_by_peer = True
            self.changed.notify_all()

    # What the owner does.

    @property
    def is_over(self) -> bool:
        """Nothing more will arrive."""
        return self.is_closed_by_peer or self.is_dead

    @property
    def wants_taking(self) -> bool:
        """So much has arrived that the server will soon wait for us."""
        return self.inbox_size + self._unacknowledged >= ADJUST_AT

    def wait_open(self, timeout: float) -> None:
        """Wait until the server has confirmed the channel.

        Raises ChannelRefused, LineDead, or TimeoutError after `timeout` seconds.
        """
        with self.changed:
            self.changed.wait_for(
                lambda: self.is_open or self.refusal is not None or self.is_dead, timeout
            )
            if self.refusal is not None:
                raise self.refusal
            if self.is_dead:
                raise LineDead
            if not self.is_open:
                raise TimeoutError

    def request_exec(self, command: bytes) -> None:
        """Ask the server to run `command` (RFC 4254, 6.5). The answer is noted in
        `is_request_accepted`; it is not waited for."""
        self._send(MSG_CHANNEL_REQUEST, b"exec", True, command)

    def send(self, data: memoryview) -> int:
        """Send as much of `data` as the window and one packet allow; return how
        many bytes went. Never waits for the window."""
        with self.changed:
            size = min(len(data), self.send_window, self._max_packet)
            self.send_window -= size
        if size:
            self._send(MSG_CHANNEL_DATA, bytes(data[:size]))
        return size

    def send_eof(self) -> None:
        """Say that no more input comes."""
        self._send(MSG_CHANNEL_EOF)

    def take(self, limit: int | None = None) -> list[tuple[int, bytes]]:
        """Take what has arrived (at most about `limit` bytes), and open the
        window for as much again."""
        taken: list[tuple[int, bytes]] = []
        size = 0
        with self.changed:
            while self.inbox and (limit is None or size < limit):
                part = self.inbox.popleft()
                size += len(part[1])
                taken.append(part)
            self.inbox_size -= size
            self._unacknowledged += size
            adjust = self._unacknowledged if self._unacknowledged >= ADJUST_AT else 0
            if adjust and not self.has_eof and not self.is_over:
                self._unacknowledged = 0
            else:
                adjust = 0
        if adjust:
            self._send(MSG_CHANNEL_WINDOW_ADJUST, adjust)
        return taken

    def close(self) -> None:
        """Send our CLOSE. Safe at any time, from any thread, more than once."""
        self._send(MSG_CHANNEL_CLOSE)

    def _send(self, kind: int, *fields: Any) -> None:
        message = Message()
        message.add_byte(bytes((kind,)))
        message.add_int(self._peer_number)
        for value in fields:
            if isinstance(value, bool):
                message.add_boolean(value)
            elif isinstance(value, int):
                message.add_int(value)
            else:
                message.add_string(value)
        with self._order:
            if self._is_shut or self.is_dead or not self.is_open:
                return
            self._is_shut = kind == MSG_CHANNEL_CLOSE
            self._wire.send_for_channel(message)
