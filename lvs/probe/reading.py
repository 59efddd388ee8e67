"""The proof of a VIP as values: what the client saw, and which real server got each request."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from lvs.ipvsadm.types import Connection

_CLIENT = Path(__file__).with_name("client.py")
ARGV = ("python3", "-")


class IncompleteProof(Exception):
    """The client's answer stops in the middle, or is none."""


@dataclass(frozen=True, slots=True)
class Request:
    """One request and, once the director was asked, the real server that got it."""

    source_port: int
    outcome: str
    seconds: float
    said: str
    real_server: str = ""

    @property
    def is_answered(self) -> bool:
        return self.outcome == "answered"

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def client_script(protocol: str, address: str, port: int, requests: int, timeout: float) -> bytes:
    """What is fed to `python3 -` on the client; `timeout` is in seconds for each request."""
    parameters = {
        "protocol": protocol,
        "address": address,
        "port": port,
        "requests": requests,
        "timeout": timeout,
    }
    return f"PARAMETERS = {parameters!r}\n{_CLIENT.read_text()}".encode()


def read_requests(text: str) -> list[Request]:
    """What the client printed. Raises IncompleteProof without its end line."""
    requests: list[Request] = []
    for line in text.splitlines():
        if line == "end":
            return requests
        try:
            port, outcome, seconds, said = ast.literal_eval(line)
            requests.append(Request(int(port), str(outcome), float(seconds), str(said)))
        except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError) as error:
            raise IncompleteProof(f"not understood: {line[:200]!r}") from error
    raise IncompleteProof("the client's answer stops in the middle")


def attribute(requests: Iterable[Request], connections: Iterable[Connection]) -> list[Request]:
    """Each request with the real server that the director's connection table names for its
    source port."""
    servers: Mapping[int, str] = {
        connection.client.port: str(connection.destination) for connection in connections
    }
    return [
        Request(
            request.source_port,
            request.outcome,
            request.seconds,
            request.said,
            servers.get(request.source_port, ""),
        )
        for request in requests
    ]
