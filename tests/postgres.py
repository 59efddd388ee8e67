"""A private PostgreSQL for one test run: its own cluster, a unix socket, gone at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

from console.lifeline import tied_to_parent

#: initdb and postgres refuse to run as root; Debian's package brings this account.
ACCOUNT = "postgres"
READY_WITHIN = 30.0


def binaries() -> Path:
    """The newest PostgreSQL of Debian's packages. Raises `FileNotFoundError` without one."""
    found = sorted(
        Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda p: float(p.parts[4])
    )
    if not found:
        raise FileNotFoundError("Debian's postgresql is not installed: ./setup.sh test")
    return found[-1].parent


@contextlib.contextmanager
def private_postgresql() -> Iterator[str]:
    """Run a server, and give the DATABASE_URL of its empty database.

    It listens on no network address, trusts whoever reaches its socket (in a directory of mode
    0700), and does not wait for disks. It dies with this process, however that ends.
    """
    account = ACCOUNT if os.geteuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="ek-pg-") as name:
        directory = Path(name)
        if account:
            shutil.chown(directory, account, account)
        data = directory / "data"
        log = (directory / "log").open("wb")
        command = (binaries() / "initdb", "-D", data, "-U", "evenkeel", "-A", "trust", "-N")
        subprocess.run(
            (*map(str, command), "-E", "UTF8", "--locale=C.UTF-8"),
            cwd=directory,
            user=account,
            group=account,
            extra_groups=[] if account else None,
            stdout=log,
            stderr=log,
            check=True,
        )
        settings = ("listen_addresses=", "fsync=off", "synchronous_commit=off")
        options = [word for setting in settings for word in ("-c", setting)]
        server = subprocess.Popen(
            (str(binaries() / "postgres"), "-D", str(data), "-k", name, *options),
            cwd=directory,
            user=account,
            group=account,
            extra_groups=[] if account else None,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=tied_to_parent(signal.SIGINT),  # a fast shutdown
        )
        try:
            _await_ready(server, directory)
            yield f"postgres://evenkeel@{quote(name, safe='')}/postgres"
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(timeout=30)


def _await_ready(server: subprocess.Popen[bytes], directory: Path) -> None:
    deadline = time.monotonic() + READY_WITHIN
    while time.monotonic() < deadline and server.poll() is None:
        asked = (str(binaries() / "pg_isready"), "-q", "-h", str(directory))
        if subprocess.run(asked, check=False).returncode == 0:
            return
        time.sleep(0.05)
    raise RuntimeError(f"PostgreSQL did not start:\n{(directory / 'log').read_text()}")
