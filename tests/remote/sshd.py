"""A real sshd on loopback, run by the current user, with keys made for the test."""

from __future__ import annotations

import contextlib
import getpass
import signal
import socket
import subprocess
import time
from dataclasses import dataclass, field, replace
from pathlib import Path

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from console.remote.keys import check_private_key
from console.remote.transport import Endpoint

SSHD = Path("/usr/sbin/sshd")

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
#: Runs the command as whoever it is, or refuses if there is a file `no-sudo`.
SUDO = """#!/bin/sh
[ "$1" = -n ] || { echo 'sudo: -n was not given' >&2; exit 99; }
if [ -e "$HOME/no-sudo" ]; then echo 'sudo: a password is required' >&2; exit 1; fi
shift
SUDO_USER=$(id -un) exec "$@"
"""

#: For a command: the process of sshd that serves its connection.
SERVING_PID = "cut -d' ' -f4 /proc/$PPID/stat"

PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey


def make_key(kind: str = "ed25519") -> PrivateKey:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    if kind == "ecdsa":
        return ec.generate_private_key(ec.SECP256R1())
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def as_text(key: PrivateKey, form: str = "OpenSSH", passphrase: str = "") -> str:
    """The private key as a person would paste it: form OpenSSH, TraditionalOpenSSL or PKCS8."""
    encryption: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if passphrase:
        encryption = serialization.BestAvailableEncryption(passphrase.encode())
    return key.private_bytes(
        serialization.Encoding.PEM, getattr(serialization.PrivateFormat, form), encryption
    ).decode()


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass
class Sshd:
    """One server. `options` are lines for sshd_config that go before our own,
    and so win over them."""

    directory: Path
    options: tuple[str, ...] = ()
    host_key: PrivateKey = field(default_factory=make_key)
    user_key: PrivateKey = field(default_factory=make_key)
    port: int = field(default_factory=free_port)
    #: The user's private key as text; made once, because each writing differs.
    secret: str = ""
    _process: subprocess.Popen[bytes] | None = None

    def start(self) -> Sshd:
        if not SSHD.exists():
            raise RuntimeError(f"{SSHD} is missing: apt-get install openssh-server")
        self.directory.mkdir(parents=True, exist_ok=True)
        host_key = self.directory / "host_key"
        host_key.touch(mode=0o600)
        host_key.write_text(as_text(self.host_key))
        self.secret = as_text(self.user_key)
        public = check_private_key(self.secret)
        (self.directory / "authorized_keys").write_text(public + "\n")
        self._write_sudo()
        config = self.directory / "sshd_config"
        config.write_text("\n".join((*self.options, *self._own_options(host_key))) + "\n")
        # sshd wants its privilege separation directory when root starts it.
        with contextlib.suppress(PermissionError):
            Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        log = self.directory / "log"
        self._process = subprocess.Popen(
            [str(SSHD), "-D", "-f", str(config), "-E", str(log)], start_new_session=True
        )
        self._wait(log)
        return self

    def _write_sudo(self) -> None:
        sudo = self.directory / "bin" / "sudo"
        sudo.parent.mkdir(exist_ok=True)
        sudo.write_text(SUDO)
        sudo.chmod(0o755)

    def _own_options(self, host_key: Path) -> tuple[str, ...]:
        return (
            "ListenAddress 127.0.0.1",
            f"Port {self.port}",
            f"HostKey {host_key}",
            f"AuthorizedKeysFile {self.directory / 'authorized_keys'}",
            f"PidFile {self.directory / 'pid'}",
            "StrictModes no",
            "UsePAM no",
            "PasswordAuthentication no",
            "PermitRootLogin prohibit-password",
            "MaxStartups 100:30:200",
            # The login shell reads no start-up file of whoever runs the tests, and
            # finds a `sudo` that needs neither installation nor rights.
            f"SetEnv HOME={self.directory} PATH={self.directory}/bin:{PATH}",
            "LogLevel VERBOSE",
        )

    def _wait(self, log: Path) -> None:
        assert self._process is not None
        for _ in range(200):
            if self._process.poll() is not None:
                raise RuntimeError(f"sshd did not start: {log.read_text()}")
            with contextlib.suppress(OSError):
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return
            time.sleep(0.02)
        raise RuntimeError(f"sshd does not answer on port {self.port}")

    @property
    def log(self) -> str:
        return (self.directory / "log").read_text()

    @property
    def logins(self) -> int:
        """How many connections have logged in."""
        return self.log.count("Accepted publickey for")

    def stop(self) -> None:
        """End the server; sessions that it has open live on, as with systemd."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGTERM)
            self._process.wait(5)
        self._process = None

    def restart(self, **changes: object) -> Sshd:
        """Stop it and start it again on the same port, with another key perhaps."""
        self.stop()
        for name, value in changes.items():
            setattr(self, name, value)
        return self.start()

    @property
    def pin(self) -> str:
        return check_private_key(as_text(self.host_key))

    def endpoint(self, **changes: object) -> Endpoint:
        """How to reach it, with the right key and pin unless `changes` say otherwise."""
        endpoint = Endpoint(
            name="box",
            address="127.0.0.1",
            port=self.port,
            username=getpass.getuser(),
            secret_kind="key",
            secret=self.secret,
            host_key=self.pin,
        )
        return replace(endpoint, **changes)  # type: ignore[arg-type]
