"""A whole console in processes of its own, and a client of its API, for lab and browser tests."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).resolve().parents[1]
#: Seconds until a console on a slow machine has to be ready.
_PATIENCE = 120


def free_port() -> int:
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port: int = sock.getsockname()[1]
        return port


@dataclass(frozen=True)
class Answer:
    """An answer of the API: status, headers in lower case, parsed body."""

    status: int
    headers: dict[str, str]
    body: Any


class RunningConsole:
    """`python -m console` on a directory and a port of its own, as a user runs it."""

    def __init__(self, **environment: str) -> None:
        self.directory = Path(tempfile.mkdtemp(prefix="ek-", dir="/tmp"))
        self.port = free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.environment = {
            **{key: value for key, value in os.environ.items()
               if key not in {"DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE"}},
            "EVENKEEL_STATE_DIR": str(self.directory / "state"),
            **environment,
        }  # fmt: skip
        self.password = ""
        self.token = ""
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start and wait until it is ready; make a token on the first start."""
        log = (self.directory / "log").open("ab")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "console", "--bind", f"127.0.0.1:{self.port}", "--with-parent"],
            cwd=_ROOT,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        self._wait_until_ready(len(self.log()))
        if not self.token:
            self.token = self.manage(
                "create_token", "admin", "tests", "--scope", "read", "--scope", "operate",
                "--scope", "admin",
            ).strip()  # fmt: skip

    def stop(self) -> None:
        """Stop as Ctrl-C does."""
        if self._process is not None:
            self._process.send_signal(signal.SIGINT)
            self._process.wait(timeout=60)
            self._process = None

    def log(self) -> str:
        path = self.directory / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def manage(self, *words: str) -> str:
        """Run a management command on the same database; its output."""
        done = subprocess.run(
            [sys.executable, "manage.py", *words],
            cwd=_ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def pid_of(self, name: str) -> int:
        """The process of "worker", "web", "beat" or "redis"."""
        words = {
            "worker": "console.celery:app worker",
            "beat": "console.celery:app beat",
            "web": f"127.0.0.1:{self.port}",
        }
        assert self._process is not None
        found = subprocess.run(
            ["pgrep", "-P", str(self._process.pid), "-f", "--", words.get(name, name)],
            capture_output=True,
            text=True,
            check=False,
        ).stdout.split()
        assert found, f"no {name} below {self._process.pid}"
        return int(found[0])

    def call(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """One request of the API, `path` below /api/v1/ or from Location."""
        url = path if path.startswith("http") else f"{self.address}/api/v1/{path}"
        if path.startswith("/"):
            url = self.address + path
        request = urllib.request.Request(
            url,
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": "application/json",
                **{name.replace("_", "-"): value for name, value in headers.items()},
            },
        )
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                return _read(answer.status, dict(answer.headers), answer.read())
        except urllib.error.HTTPError as error:
            return _read(error.code, dict(error.headers), error.read())

    def done(self, operation: str | int, timeout: float = 240) -> dict[str, Any]:
        """Wait for an operation, by number or address; its last state, which must be success."""
        found = self.ended(operation, timeout)
        assert found["status"] == "succeeded", json.dumps(found, indent=1)
        return found

    def ended(self, operation: str | int, timeout: float = 240) -> dict[str, Any]:
        """Wait until an operation is no longer live."""
        path = operation if isinstance(operation, str) else f"operations/{operation}/"
        until = time.monotonic() + timeout
        while time.monotonic() < until:
            answer = self.call("GET", path, Prefer="wait=30")
            assert answer.status == 200, answer
            if answer.body["status"] not in ("queued", "running"):
                found: dict[str, Any] = answer.body
                return found
        raise AssertionError(f"{path} is not finished after {timeout} s:\n{self.log()[-3000:]}")

    def _wait_until_ready(self, start: int) -> None:
        until = time.monotonic() + _PATIENCE
        while time.monotonic() < until:
            fresh = self.log()[start:]
            if "is ready" in fresh:
                self._read_password(fresh)
                return
            assert self._process is not None
            assert self._process.poll() is None, fresh
            time.sleep(0.2)
        raise AssertionError(f"not ready after {_PATIENCE} s:\n{self.log()[start:]}")

    def _read_password(self, text: str) -> None:
        for line in text.splitlines():
            if "First login: admin, password " in line:
                self.password = line.split("password ", 1)[1].split()[0]


def _read(status: int, headers: dict[str, str], body: bytes) -> Answer:
    try:
        parsed = json.loads(body) if body else None
    except ValueError:
        parsed = body.decode(errors="replace")
    return Answer(status, {name.lower(): value for name, value in headers.items()}, parsed)
