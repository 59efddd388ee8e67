"""The SSH connection itself: paramiko's transport with channels that cannot race.

paramiko answers the server's CLOSE of a channel from its reader thread, while
the thread that owns the channel may be sending EOF, data or a window adjustment
at that very moment. Whatever then follows the CLOSE on the wire names a channel
that no longer exists, and OpenSSH's sshd ends the whole connection for it, with
every other command on it (upstream #1115, #1584, #1705). RFC 4254, 5.3: after
its own CLOSE a side sends nothing more for that channel.

The cure here: the reader thread only notes what arrived. Every message of a
channel is sent under that channel's one lock, and none after its CLOSE. So EOF
can be sent safely after input, also to a command that exits without reading it.

This module is the only one that touches what paramiko does not document; it is
written for the version that requirements.txt pins.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from typing import Any, ClassVar

import paramiko
from paramiko.common import (
    MSG_CHANNEL_CLOSE,
    MSG_CHANNEL_DATA,
    MSG_CHANNEL_EOF,
    MSG_CHANNEL_EXTENDED_DATA,
    MSG_CHANNEL_FAILURE,
    MSG_CHANNEL_OPEN,
    MSG_CHANNEL_REQUEST,
    MSG_CHANNEL_SUCCESS,
    MSG_CHANNEL_WINDOW_ADJUST,
)
from paramiko.message import Message
from paramiko.packet import Packetizer

#: Bytes that the server may send on one channel before we acknowledge some.
WINDOW = 2 * 1024 * 1024
#: The largest packet that we accept; OpenSSH uses the same figure.
PACKET = 32 * 1024
#: Unacknowledged bytes at which the window is opened again.
ADJUST_AT = WINDOW // 4

#: Seconds that the reader gets to notice the end of its connection.
_READER_ENDS_IN = 1.0

STDOUT = 0
STDERR = 1

_LOG_NAME = "console.remote.wire"
# Every failure reaches the caller as an exception with words; paramiko's own
# log would repeat it with a stack trace.
logging.getLogger(_LOG_NAME).setLevel(logging.CRITICAL)

# RFC 4254, 6.10: names of signals in an exit-signal request.
_SIGNALS = {
    "HUP": 1, "INT": 2, "QUIT": 3, "ILL": 4, "ABRT": 6, "FPE": 8, "KILL": 9,
    "USR1": 10, "SEGV": 11, "USR2": 12, "PIPE": 13, "ALRM": 14, "TERM": 15,
}  # fmt: skip
_UNNAMED_SIGNAL = 127


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

    def __init__(self, wire: Wire, number: int) -> None:
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
        self._request("exec", True, command)

    def request_signal(self, name: str) -> None:
        """Ask the server to signal the command (RFC 4254, 6.9); there is no
        answer, and servers older than OpenSSH 7.9 ignore it."""
        self._request("signal", False, name.encode("ascii"))

    def _request(self, kind: str, wants_reply: bool, argument: bytes) -> None:
        self._send(MSG_CHANNEL_REQUEST, kind.encode("ascii"), wants_reply, argument)

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


class _TimerlessPacketizer(Packetizer):
    """Without paramiko's handshake timer: a thread that outlives a failed
    handshake and delays the end of the process. `dial` keeps its own deadline."""

    def start_handshake(self, timeout: float) -> None:
        """Start nothing."""

    def complete_handshake(self) -> None:
        """Stop nothing."""


class Wire(paramiko.Transport):
    """A client transport whose channels are all `WireChannel`."""

    # What paramiko has and its type stubs leave out.
    server_extensions: dict[str, bytes]
    _channels: Any
    _next_channel: Callable[[], int]
    _send_user_message: Callable[[Message], None]
    _unlink_channel: Callable[[int], None]

    # The reader looks up from its socket this often (seconds) when nothing
    # arrives. `close` wakes it, so the figure only bounds a lost wake-up; a
    # short one would cost a wake-up for each idle connection.
    _active_check_timeout = 2.0

    _channel_handler_table: ClassVar[dict[int, Any]] = {
        MSG_CHANNEL_SUCCESS: WireChannel.on_success,
        MSG_CHANNEL_FAILURE: WireChannel.on_failure,
        MSG_CHANNEL_DATA: WireChannel.on_data,
        MSG_CHANNEL_EXTENDED_DATA: WireChannel.on_extended_data,
        MSG_CHANNEL_WINDOW_ADJUST: WireChannel.on_window_adjust,
        MSG_CHANNEL_REQUEST: WireChannel.on_request,
        MSG_CHANNEL_EOF: WireChannel.on_eof,
        MSG_CHANNEL_CLOSE: WireChannel.on_close,
    }

    def __init__(self, sock: Any) -> None:
        super().__init__(
            sock,
            default_window_size=WINDOW,
            default_max_packet_size=PACKET,
            packetizer_class=_TimerlessPacketizer,
        )
        self.offered_kex: tuple[str, ...] = ()
        self.offered_keys: tuple[str, ...] = ()
        self.set_log_channel(_LOG_NAME)

    def _really_parse_kex_init(self, m: Message, ignore_first_byte: bool = False) -> dict[str, Any]:
        # Kept for the words of an error: which algorithms the server offered.
        parsed: dict[str, Any] = super()._really_parse_kex_init(  # type: ignore[misc]
            m, ignore_first_byte
        )
        if not ignore_first_byte:
            self.offered_kex = tuple(parsed["kex_algo_list"])
            self.offered_keys = tuple(parsed["server_key_algo_list"])
        return parsed

    def begin_channel(self, kind: str, *fields: str | int) -> WireChannel:
        """Ask for a channel and return at once; see `WireChannel.wait_open`.

        `fields` are the words and numbers that RFC 4254 wants after the common
        part of an open request of that kind.
        """
        with self.lock:
            number = self._next_channel()
            channel = WireChannel(self, number)
            self._channels.put(number, channel)
            self.channels_seen[number] = True
        message = Message()
        message.add_byte(bytes((MSG_CHANNEL_OPEN,)))
        message.add_string(kind)
        for count in (number, WINDOW, PACKET):
            message.add_int(count)
        for value in fields:
            if isinstance(value, int):
                message.add_int(value)
            else:
                message.add_string(value)
        self.send_for_channel(message)
        if not self.is_active():
            channel._unlink()
        return channel

    def send_for_channel(self, message: Message) -> None:
        """Send one message, after any key exchange that is going on. A dead
        connection swallows it: its channels learn of it through `is_dead`."""
        with contextlib.suppress(EOFError, OSError, paramiko.SSHException):
            self._send_user_message(message)

    def _parse_channel_open_failure(self, message: Message) -> None:
        number = message.get_int()
        refusal = ChannelRefused(message.get_int(), message.get_text())
        channel = self._channels.get(number)
        if channel is not None:
            self._unlink_channel(number)
            channel.on_refused(refusal)

    def close(self) -> None:
        """End the connection and wake its reader at once."""
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)
        if self.is_alive() and self is not threading.current_thread():
            # It may still be reading from the descriptor that is closed next.
            self.join(_READER_ENDS_IN)
        super().close()
        self.sock.close()
