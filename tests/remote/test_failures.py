"""Each way of failing is told from the others, in words, and says what to do."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import paramiko
import pytest

from console.remote import dial, ssh
from console.remote.ssh import Connection, LineLost, connect, scan_host_key
from console.remote.transport import (
    AuthenticationRefused,
    HostKeyChanged,
    HostUnreachable,
    NotPinned,
    OutcomeUnknown,
)
from tests.remote.conftest import MakeSshd
from tests.remote.proxy import Proxy
from tests.remote.sshd import Sshd, as_text, free_port, make_key
from tests.remote.test_commands import eventually


@contextmanager
def answering(first_words: bytes) -> Iterator[int]:
    """A port where something says `first_words` to whoever connects, and reads on."""
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                sock, _ = listener.accept()
            except OSError:
                return
            with sock, contextlib.suppress(OSError):
                sock.sendall(first_words)
                sock.settimeout(5)
                while sock.recv(4096):
                    pass

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1]
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()


def kexinit(kex: str, keys: str) -> bytes:
    """A server's KEXINIT (RFC 4253, 7.1), as it comes before encryption begins."""
    names = [
        kex,
        keys,
        "aes128-ctr",
        "aes128-ctr",
        "hmac-sha1",
        "hmac-sha1",
        "none",
        "none",
        "",
        "",
    ]
    lists = b"".join(struct.pack(">I", len(name)) + name.encode() for name in names)
    payload = b"\x14" + bytes(16) + lists + b"\x00" + bytes(4)
    padding = 8 - (len(payload) + 5) % 8 + 8
    return struct.pack(">IB", len(payload) + padding + 1, padding) + payload + bytes(padding)


# Nothing ran: the machine cannot be reached.


def test_a_port_where_nobody_listens(server: Sshd) -> None:
    with pytest.raises(HostUnreachable, match="refuses connections") as caught:
        connect(server.endpoint(port=free_port()))
    assert type(caught.value) is HostUnreachable
    assert caught.value.machine == "box"
    assert "sshd running" in caught.value.remedy


def test_a_name_that_does_not_resolve(server: Sshd) -> None:
    with pytest.raises(HostUnreachable, match=r"'no-such-host\.invalid' cannot be resolved"):
        connect(server.endpoint(address="no-such-host.invalid"))


@pytest.mark.parametrize("address", ["", "a b", "x" * 300, "..", "é" * 70])
def test_an_address_that_is_none(server: Sshd, address: str) -> None:
    with pytest.raises(HostUnreachable):
        connect(server.endpoint(address=address or "\u3002"), timeout=5)


def test_a_machine_that_does_not_answer(server: Sshd) -> None:
    """A listener whose queue is full drops what comes, like a firewall."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        try:
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(("127.0.0.1", port))
            started = time.monotonic()
            with pytest.raises(HostUnreachable, match=r"no answer from .* within") as caught:
                connect(server.endpoint(port=port), timeout=0.5)
            assert time.monotonic() - started < 3
            assert "firewall" in caught.value.remedy
        finally:
            for filler in fillers:
                filler.close()


def test_a_port_that_accepts_and_says_nothing(server: Sshd) -> None:
    with Proxy(server.port, hang_first=100) as proxy:
        started = time.monotonic()
        with pytest.raises(HostUnreachable, match="did not say a word of SSH"):
            connect(server.endpoint(port=proxy.port), timeout=2)
        assert time.monotonic() - started < 4
        assert proxy.accepted == 2, "it was dialled once more"


def test_a_first_connection_that_hangs_is_dialled_again(server: Sshd) -> None:
    with Proxy(server.port, hang_first=1) as proxy:
        with connect(server.endpoint(port=proxy.port), timeout=4) as connection:
            assert connection.run(("true",)).ok
        assert proxy.accepted == 2


def test_a_server_that_hangs_up_twice_is_dialled_again(server: Sshd) -> None:
    with Proxy(server.port, drop_first=2) as proxy:
        with connect(server.endpoint(port=proxy.port)) as connection:
            assert connection.run(("true",)).ok
        assert proxy.accepted == 3


def test_a_server_that_always_hangs_up(server: Sshd) -> None:
    with Proxy(server.port, drop_first=100) as proxy:
        with pytest.raises(HostUnreachable, match="does not speak SSH to us") as caught:
            connect(server.endpoint(port=proxy.port))
        assert proxy.accepted == 3
        assert "MaxStartups" in caught.value.remedy


@pytest.mark.parametrize(
    "words", [b"HTTP/1.1 400 Bad Request\r\n\r\n" * 120, b"\x00\xff\r\n" * 120]
)
def test_something_else_answers_on_that_port(server: Sshd, words: bytes) -> None:
    with answering(words * 120) as port, pytest.raises(HostUnreachable) as caught:
        connect(server.endpoint(port=port), timeout=3)
    assert "Is this the SSH port?" in caught.value.remedy


def test_ssh_version_one(server: Sshd) -> None:
    with answering(b"SSH-1.5-OldThing\r\n") as port, pytest.raises(HostUnreachable) as caught:
        connect(server.endpoint(port=port), timeout=3)
    assert "SHA-1" in caught.value.remedy


OLD = [
    ("diffie-hellman-group14-sha1,diffie-hellman-group1-sha1", "ssh-rsa,ssh-dss"),
    ("curve25519-sha256@libssh.org", "ssh-rsa"),
    ("diffie-hellman-group1-sha1", "ssh-ed25519"),
]


@pytest.mark.parametrize(("kex", "keys"), OLD)
def test_a_machine_too_old_to_be_safe_is_told_so(server: Sshd, kex: str, keys: str) -> None:
    hello = b"SSH-2.0-OpenSSH_5.3\r\n" + kexinit(kex, keys)
    with answering(hello) as port, pytest.raises(HostUnreachable) as caught:
        connect(server.endpoint(port=port), timeout=3)
    assert "OpenSSH_5.3" in caught.value.message
    assert keys.split(",")[0] in caught.value.message
    assert "SHA-1" in caught.value.remedy
    assert "Update OpenSSH" in caught.value.remedy


def test_a_line_that_is_cut_in_the_key_exchange(server: Sshd) -> None:
    half = b"SSH-2.0-x\r\n" + b"\x00\x00\x00\x0c garbage"
    with answering(half) as port, pytest.raises(HostUnreachable, match="key exchange"):
        connect(server.endpoint(port=port), timeout=2)


# Nothing ran: the login was refused.


def test_another_key_than_the_machine_knows(server: Sshd) -> None:
    with pytest.raises(AuthenticationRefused, match="refused the key of user") as caught:
        connect(server.endpoint(secret=as_text(make_key())))
    assert "authorized_keys" in caught.value.remedy
    assert caught.value.machine == "box"


def test_another_user(server: Sshd) -> None:
    with pytest.raises(AuthenticationRefused, match="'nobody-here'"):
        connect(server.endpoint(username="nobody-here"))


def test_a_password_where_only_keys_are_taken(server: Sshd) -> None:
    with pytest.raises(AuthenticationRefused, match="refused the password") as caught:
        connect(server.endpoint(secret_kind="password", secret="hunter2"))
    assert "accepts: publickey" in caught.value.remedy
    assert "hunter2" not in repr(vars(caught.value))


@pytest.mark.parametrize(
    ("secret", "passphrase", "words"),
    [
        (as_text(make_key(), passphrase="right"), "", "passphrase and none is stored"),
        (as_text(make_key(), passphrase="right"), "wrong", "passphrase is wrong"),
        ("not a key", "", "not a private key"),
    ],
)
def test_a_key_that_cannot_be_read(server: Sshd, secret: str, passphrase: str, words: str) -> None:
    with pytest.raises(AuthenticationRefused, match=words):
        connect(server.endpoint(secret=secret, passphrase=passphrase))


def test_a_line_that_is_cut_in_the_login_is_no_refusal(server: Sshd) -> None:
    with Proxy(server.port) as proxy:
        endpoint = server.endpoint(port=proxy.port)
        wire = dial.reach(endpoint, time.monotonic() + 5, None)
        proxy.cut()
        with pytest.raises(HostUnreachable, match="middle of the login") as caught:
            dial.log_in(wire, endpoint, time.monotonic() + 5)
        assert type(caught.value) is HostUnreachable
        wire.close()


def test_a_login_that_falls_silent_has_an_end(server: Sshd) -> None:
    with Proxy(server.port) as proxy:
        endpoint = server.endpoint(port=proxy.port)
        wire = dial.reach(endpoint, time.monotonic() + 5, None)
        proxy.freeze()
        with pytest.raises(HostUnreachable, match="middle of the login") as caught:
            dial.log_in(wire, endpoint, time.monotonic() + 0.5)
        assert type(caught.value) is HostUnreachable
        wire.close()


@pytest.mark.parametrize("kind", ["ed25519", "ecdsa", "rsa"])
@pytest.mark.parametrize("passphrase", ["", "correct horse"])
def test_every_kind_of_key_logs_in(make_sshd: MakeSshd, kind: str, passphrase: str) -> None:
    server = make_sshd()
    server.restart(user_key=make_key(kind), host_key=make_key(kind))
    secret = as_text(server.user_key, "PKCS8" if passphrase else "OpenSSH", passphrase)
    with connect(server.endpoint(secret=secret, passphrase=passphrase)) as connection:
        assert connection.run(("true",)).ok


# The machine is another one.


def test_nobody_is_trusted_at_first_sight(server: Sshd) -> None:
    with pytest.raises(NotPinned, match="no host key is pinned") as caught:
        connect(server.endpoint(host_key=""))
    assert "fingerprint" in caught.value.remedy


def test_a_pin_that_cannot_be_read(server: Sshd) -> None:
    with pytest.raises(NotPinned, match="cannot be used"):
        connect(server.endpoint(host_key="ssh-ed25519 AAAA"))


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_a_changed_key_stops_before_any_login(make_sshd: MakeSshd, kind: str) -> None:
    server = make_sshd()
    endpoint = server.endpoint()
    server.restart(host_key=make_key(kind))
    before = server.log
    with pytest.raises(HostKeyChanged) as caught:
        connect(endpoint)
    assert caught.value.offered.line == server.pin
    assert caught.value.offered.fingerprint in caught.value.message
    assert "pin it" in caught.value.remedy
    said = server.log.removeprefix(before)
    for word in ("Accepted", "Failed", "userauth", "Postponed", "authenticating"):
        assert word not in said


def test_a_machine_with_several_keys_shows_the_pinned_kind(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    rsa = make_key("rsa")
    path = server.directory / "rsa_key"
    path.touch(mode=0o600)
    path.write_text(as_text(rsa))
    server.options = (f"HostKey {path}",)
    server.restart()
    ed25519_pin = server.pin
    assert scan_host_key(server.endpoint()).line == ed25519_pin
    server.host_key, whole = rsa, server.host_key
    pinned_to_rsa = server.endpoint()
    server.host_key = whole
    with connect(pinned_to_rsa) as connection:
        assert connection.run(("true",)).ok


def test_a_scan_logs_nobody_in(make_sshd: MakeSshd) -> None:
    server = make_sshd()
    key = scan_host_key(server.endpoint(host_key="", secret="", username="x"))
    assert key.line == server.pin
    assert key.fingerprint.startswith("SHA256:")
    assert "Accepted" not in server.log
    assert "Failed" not in server.log


def test_a_scan_says_what_is_wrong(server: Sshd) -> None:
    with pytest.raises(HostUnreachable, match="refuses connections"):
        scan_host_key(server.endpoint(port=free_port(), host_key=""))


# It may have run.


def test_a_line_cut_after_the_command_was_sent(server: Sshd, proxy: Proxy, tmp_path: Path) -> None:
    begun, ended = tmp_path / "begun", tmp_path / "ended"
    with connect(server.endpoint(port=proxy.port)) as connection:

        def cut() -> None:
            eventually(begun)
            proxy.cut()

        thread = threading.Thread(target=cut)
        thread.start()
        script = 'echo heard >&2; touch "$0"; sleep 0.5; touch "$1"'
        with pytest.raises(OutcomeUnknown, match="line was cut after") as caught:
            connection.run(("sh", "-c", script, str(begun), str(ended)))
        thread.join()
        assert not connection.is_alive
    assert caught.value.argv[0] == "sh"
    assert "Look at the machine" in caught.value.remedy
    eventually(ended)


def test_a_line_cut_under_bulk_input(server: Sshd, proxy: Proxy, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    with connect(server.endpoint(port=proxy.port)) as connection:

        def cut() -> None:
            eventually(begun)
            proxy.cut()

        thread = threading.Thread(target=cut)
        thread.start()
        with pytest.raises(OutcomeUnknown, match="line was cut after"):
            connection.run(
                ("sh", "-c", 'touch "$0"; exec sleep 5', str(begun)), stdin=b"x" * 30_000_000
            )
        thread.join()


def test_a_line_cut_before_the_command_was_sent(server: Sshd, proxy: Proxy, tmp_path: Path) -> None:
    with connect(server.endpoint(port=proxy.port)) as connection:
        proxy.cut()
        deadline = time.monotonic() + 5
        while connection.is_alive:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        with pytest.raises(LineLost, match="before the command was sent") as caught:
            connection.run(("touch", str(tmp_path / "trace")))
        assert isinstance(caught.value, HostUnreachable)
    assert not (tmp_path / "trace").exists()


def test_a_silent_line_is_noticed_before_the_command_is_sent(
    server: Sshd, proxy: Proxy, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "FRESH", 0.0)
    monkeypatch.setattr(ssh, "OPEN_TIMEOUT", 0.3)
    with connect(server.endpoint(port=proxy.port)) as connection:
        assert connection.run(("true",)).ok
        proxy.freeze()
        with pytest.raises(LineLost):
            connection.run(("touch", str(tmp_path / "trace")))
        assert not connection.is_alive
    proxy.thaw()
    assert not (tmp_path / "trace").exists()


def test_a_line_that_falls_silent_under_a_command(
    server: Sshd, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ssh, "SLACK", -4.5)
    with connect(server.endpoint(port=proxy.port)) as connection:
        threading.Timer(0.1, proxy.freeze).start()
        started = time.monotonic()
        with pytest.raises(OutcomeUnknown, match="no answer within"):
            connection.run(("sleep", "0.3"), timeout=0.5)
        assert time.monotonic() - started < 3
        proxy.thaw()


def test_input_that_loses_a_piece_is_not_continued(
    server: Sshd, monkeypatch: pytest.MonkeyPatch
) -> None:
    """paramiko gives a message up when a key exchange does not end in time."""
    with connect(server.endpoint()) as connection:
        send, count = connection.wire._send_user_message, iter(range(1000))

        def lose_one(message: object) -> None:
            if next(count) == 8:
                raise paramiko.SSHException("Key-exchange timed out")
            send(message)  # type: ignore[arg-type]

        monkeypatch.setattr(connection.wire, "_send_user_message", lose_one)
        with pytest.raises(OutcomeUnknown, match="line was cut after"):
            connection.run(("wc", "-c"), stdin=b"x" * 1_000_000)
        assert not connection.is_alive


def test_hanging_up_under_a_command(server: Sshd, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    connection: Connection = connect(server.endpoint())

    def hang_up() -> None:
        eventually(begun)
        connection.close()

    thread = threading.Thread(target=hang_up)
    thread.start()
    with pytest.raises(OutcomeUnknown):
        connection.run(("sh", "-c", 'touch "$0"; sleep 1', str(begun)))
    thread.join()


def test_a_closed_connection_runs_nothing(server: Sshd) -> None:
    connection = connect(server.endpoint())
    connection.close()
    connection.close()
    with pytest.raises(LineLost):
        connection.run(("true",))


def test_no_thread_outlives_its_connection(server: Sshd) -> None:
    before = set(threading.enumerate())
    with connect(server.endpoint()) as connection:
        connection.run(("true",))
    for secret in ("not a key", as_text(make_key())):
        with pytest.raises(AuthenticationRefused):
            connect(server.endpoint(secret=secret))
    with pytest.raises(HostUnreachable):
        connect(server.endpoint(port=free_port()))
    deadline = time.monotonic() + 3
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline, threading.enumerate()
        time.sleep(0.02)
