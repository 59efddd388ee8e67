"""A small SSH server that takes passwords: sshd needs PAM or real accounts for them."""

from __future__ import annotations

import io
import logging
import socket
import threading
from types import TracebackType

import paramiko
from paramiko.common import (
    AUTH_FAILED,
    AUTH_PARTIALLY_SUCCESSFUL,
    AUTH_SUCCESSFUL,
    OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED,
    OPEN_SUCCEEDED,
)
from paramiko.server import InteractiveQuery

from console.remote.keys import host_key_from_blob
from console.remote.transport import Endpoint
from tests.remote.sshd import as_text, make_key

logging.getLogger("tests.password_server").setLevel(logging.CRITICAL)


class Rules(paramiko.ServerInterface):
    """Who may log in, and how: `methods` as a server lists them. Every command
    answers "ok"."""

    def __init__(self, username: str, password: str, methods: str, wants_more: bool) -> None:
        self._username = username
        self._password = password
        self._methods = methods
        self._wants_more = wants_more

    def get_allowed_auths(self, _username: str) -> str:
        return self._methods

    def _judge(self, method: str, username: str, password: str) -> int:
        if method not in self._methods.split(","):
            return AUTH_FAILED
        if (username, password) != (self._username, self._password):
            return AUTH_FAILED
        return AUTH_PARTIALLY_SUCCESSFUL if self._wants_more else AUTH_SUCCESSFUL

    def check_auth_password(self, username: str, password: str) -> int:
        return self._judge("password", username, password)

    def check_auth_interactive(self, username: str, _submethods: str) -> int | InteractiveQuery:
        if "keyboard-interactive" not in self._methods.split(","):
            return AUTH_FAILED
        self._asked = username
        return InteractiveQuery("", "", ("Password: ", False))

    def check_auth_interactive_response(self, responses: list[str]) -> int:
        return self._judge("keyboard-interactive", self._asked, responses[0])

    def check_channel_request(self, kind: str, _number: int) -> int:
        if kind == "session":
            return OPEN_SUCCEEDED
        return OPEN_FAILED_ADMINISTRATIVELY_PROHIBITED

    def check_channel_exec_request(self, channel: paramiko.Channel, _command: bytes) -> bool:
        threading.Thread(target=self._answer, args=(channel,), daemon=True).start()
        return True

    def _answer(self, channel: paramiko.Channel) -> None:
        channel.sendall(b"ok\n")
        channel.send_exit_status(0)
        channel.close()


class PasswordServer:
    """Serves on loopback until its block ends."""

    def __init__(
        self, *, methods: str = "password", wants_more: bool = False, password: str = "right"
    ) -> None:
        self._rules = Rules("root", password, methods, wants_more)
        self._key = paramiko.Ed25519Key.from_private_key(io.StringIO(as_text(make_key())))
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._transports: list[paramiko.Transport] = []

    def endpoint(self, password: str = "right") -> Endpoint:
        return Endpoint(
            name="box",
            address="127.0.0.1",
            port=self._listener.getsockname()[1],
            username="root",
            secret_kind="password",
            secret=password,
            host_key=host_key_from_blob(self._key.asbytes()).line,
        )

    def __enter__(self) -> PasswordServer:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _error: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for transport in self._transports:
            transport.close()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            transport = paramiko.Transport(sock)
            transport.set_log_channel("tests.password_server")
            transport.add_server_key(self._key)
            self._transports.append(transport)
            transport.start_server(event=threading.Event(), server=self._rules)
