"""What paramiko is given for a socket: a buffered one, or one through a jump host."""

from __future__ import annotations

import socket

from .channel import WireChannel
from .wire import Wire

_CHUNK = 256 * 1024
_BUFFER = 64 * 1024


class BufferedSocket:
    """A TCP socket that is read in large pieces: paramiko asks for each packet in
    two or three small ones, and each would be a system call.

    `is_prompt` acknowledges at once what arrives (tcp(7), TCP_QUICKACK, which
    the kernel forgets and we repeat). A jump host needs it: OpenSSH's sshd sets
    TCP_NODELAY only on connections that run a command, so that its second small
    packet waits for our acknowledgement of the first, which the kernel would
    hold back for 40 ms.
    """

    def __init__(self, sock: socket.socket) -> None:
        self.is_prompt = False
        self._sock = sock
        self._rest = b""
        self._position = 0
        self.settimeout = sock.settimeout
        self.send = sock.send
        self.shutdown = sock.shutdown

    @property
    def _closed(self) -> bool:
        # paramiko asks for it when it ends its thread.
        return self._sock.fileno() < 0

    def recv(self, size: int) -> bytes:
        """As `socket.recv`. Only one thread may call it."""
        if self._position >= len(self._rest):
            self._rest = self._sock.recv(_BUFFER)
            self._position = 0
            if self.is_prompt:
                self._sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = self._rest[self._position : self._position + size]
        self._position += len(part)
        return part

    def close(self) -> None:
        self._sock.close()


class Tunnel:
    """A direct-tcpip channel (RFC 4254, 7.2) that paramiko can use as its socket."""

    def __init__(self, channel: WireChannel) -> None:
        self._channel = channel
        channel.is_eager = True
        self._rest = b""
        self._timeout: float | None = None
        self._closed = False

    @classmethod
    def open(cls, jump: Wire, address: str, port: int, timeout: float) -> Tunnel:
        """Have the machine at the other end of `jump` connect to `address`.

        Raises channel.ChannelRefused, channel.LineDead or TimeoutError.
        """
        if isinstance(jump.sock, BufferedSocket):
            jump.sock.is_prompt = True
        channel = jump.begin_channel("direct-tcpip", address, port, "127.0.0.1", 0)
        tunnel = cls(channel)
        try:
            channel.wait_open(timeout)
        except TimeoutError:
            tunnel.close()
            raise
        return tunnel

    def settimeout(self, seconds: float | None) -> None:
        self._timeout = seconds

    def recv(self, size: int) -> bytes:
        """As `socket.recv`: b"" at the end, TimeoutError when nothing came."""
        if not self._rest:
            channel = self._channel
            with channel.changed:
                is_ready = channel.changed.wait_for(
                    lambda: channel.inbox or channel.has_eof or channel.is_over or self._closed,
                    self._timeout,
                )
            if not is_ready:
                raise TimeoutError
            self._rest = b"".join(data for _, data in channel.take(_CHUNK))
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def send(self, data: bytes) -> int:
        """As `socket.send`: TimeoutError when the window stays shut."""
        channel = self._channel
        with channel.changed:
            is_ready = channel.changed.wait_for(
                lambda: channel.send_window > 0 or channel.is_over or self._closed, self._timeout
            )
        if channel.is_over or self._closed:
            raise BrokenPipeError
        if not is_ready:
            raise TimeoutError
        return channel.send(memoryview(data))

    def shutdown(self, _how: int) -> None:
        """Wake whoever waits; a tunnel is never closed one way only."""
        self.close()

    def close(self) -> None:
        self._closed = True
        with self._channel.changed:
            self._channel.changed.notify_all()
        self._channel.close()
