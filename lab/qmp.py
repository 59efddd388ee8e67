"""QEMU's machine protocol: one JSON object per line over a unix socket
(docs/interop/qmp-spec of QEMU)."""

from __future__ import annotations

import json
import os
import socket
import time
from pathlib import Path
from types import TracebackType
from typing import Any

from lab.errors import LabError


class Monitor:
    """A connection to one QEMU process; use it in a `with` block."""

    def __init__(self, path: Path, *, timeout: float = 30.0) -> None:
        self._socket = socket.socket(socket.AF_UNIX)
        self._socket.settimeout(timeout)
        directory = os.open(path.parent, os.O_PATH)
        try:
            # A unix socket's path has room for 107 bytes; the cache directory may need more.
            self._socket.connect(f"/proc/self/fd/{directory}/{path.name}")
        finally:
            os.close(directory)
        self._stream = self._socket.makefile("rw")
        self._stream.readline()
        self.execute("qmp_capabilities")

    def execute(self, command: str, **arguments: Any) -> Any:
        """The command's answer; LabError with QEMU's own words when it refuses."""
        self._stream.write(json.dumps({"execute": command, "arguments": arguments}) + "\n")
        self._stream.flush()
        for line in self._stream:
            answer = json.loads(line)
            if "return" in answer:
                return answer["return"]
            if "error" in answer:
                raise LabError(f"QEMU refused {command}: {answer['error'].get('desc')}")
        raise LabError(f"QEMU ended while it was asked to {command}")

    def ignore_shared_memory(self) -> None:
        """Leave guest memory that lives in a shared file out of the migration stream."""
        capability = {"capability": "x-ignore-shared", "state": True}
        self.execute("migrate-set-capabilities", capabilities=[capability])

    def wait_until(self, command: str, wanted: tuple[str, ...], *, timeout: float) -> str:
        """Poll `query-…` until its status is one of `wanted`; LabError after `timeout` s."""
        deadline = time.monotonic() + timeout
        status = ""
        while time.monotonic() < deadline:
            status = str(self.execute(command).get("status", ""))
            if status in wanted:
                return status
            time.sleep(0.02)
        raise LabError(f"QEMU is still {status!r} after {timeout:.0f} s ({command})")

    def close(self) -> None:
        self._stream.close()
        self._socket.close()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()
