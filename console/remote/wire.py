"""The SSH connection itself: paramiko's transport, with our own channels on it.

This module and `channel` are the only ones that touch what paramiko does not
document; they are written for the version that requirements.txt pins.
"""

from __future__ import annotations

import contextlib
import logging
import socket
import threading
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

from .channel import PACKET, WINDOW, ChannelRefused, WireChannel

#: Seconds that the reader gets to notice the end of its connection.
_READER_ENDS_IN = 1.0

_LOG_NAME = "console.remote.wire"
# Every failure reaches the caller as an exception with words; paramiko's own
# log would repeat it with a stack trace.
logging.getLogger(_LOG_NAME).setLevel(logging.CRITICAL)


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
        """Send one message, after any key exchange that is going on. Where that
        fails the connection ends, and its channels learn of it through `is_dead`:
        whatever came after a lost message would mean something else."""
        try:
            self._send_user_message(message)
        except (EOFError, OSError, paramiko.SSHException):
            self._hang_up()

    def _hang_up(self) -> None:
        with contextlib.suppress(OSError):
            self.sock.shutdown(socket.SHUT_RDWR)

    def _parse_channel_open_failure(self, message: Message) -> None:
        number = message.get_int()
        refusal = ChannelRefused(message.get_int(), message.get_text())
        channel = self._channels.get(number)
        if channel is not None:
            self._unlink_channel(number)
            channel.on_refused(refusal)

    def close(self) -> None:
        """End the connection and wake its reader at once."""
        self._hang_up()
        if self.is_alive() and self is not threading.current_thread():
            # It may still be reading from the descriptor that is closed next.
            self.join(_READER_ENDS_IN)
        super().close()
        self.sock.close()
