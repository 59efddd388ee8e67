"""The program on the rack's real servers, run here on loopback with ports of its own."""

from __future__ import annotations

import importlib.util
import socket
import threading
import urllib.request
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from types import ModuleType

import pytest

from lab.store import SOURCE


def _free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports: list[int] = [s.getsockname()[1] for s in sockets]
    for taken in sockets:
        taken.close()
    return ports


@pytest.fixture(scope="module")
def server() -> Iterator[ModuleType]:
    loader = SourceFileLoader("realserver", str(SOURCE / "guest" / "realserver"))
    spec = importlib.util.spec_from_loader("realserver", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    http, udp = _free_ports(2)
    module.NAME, module.HTTP_PORTS, module.UDP_PORTS = "rs9", (http,), (udp,)  # type: ignore[attr-defined]
    threading.Thread(target=module.main, daemon=True).start()
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", http), timeout=1).close()
            break
        except OSError:
            threading.Event().wait(0.02)
    yield module


def _url(server: ModuleType, host: str) -> str:
    return f"http://{host}:{server.HTTP_PORTS[0]}/"


@pytest.mark.parametrize(("host", "client"), [("127.0.0.1", "127.0.0.1"), ("[::1]", "::1")])
def test_http_says_who_answers_and_who_asked(server: ModuleType, host: str, client: str) -> None:
    with urllib.request.urlopen(_url(server, host), timeout=5) as answer:
        assert answer.read() == f"rs9\n{client}\n".encode()
        assert answer.headers["X-Real-Server"] == "rs9"


def test_a_large_upload_is_read_to_its_end(server: ModuleType) -> None:
    request = urllib.request.Request(_url(server, "127.0.0.1"), data=b"x" * 300_000)
    with urllib.request.urlopen(request, timeout=10) as answer:
        assert answer.read().startswith(b"rs9\n")


def test_head_has_no_body(server: ModuleType) -> None:
    request = urllib.request.Request(_url(server, "127.0.0.1"), method="HEAD")
    with urllib.request.urlopen(request, timeout=5) as answer:
        assert answer.read() == b""
        assert answer.headers["Content-Length"] == str(len(b"rs9\n127.0.0.1\n"))


def test_a_request_may_come_in_pieces(server: ModuleType) -> None:
    with socket.create_connection(("127.0.0.1", server.HTTP_PORTS[0]), timeout=5) as connection:
        for piece in (b"GET / HT", b"TP/1.1\r\nHost: x\r\n", b"\r\n"):
            connection.sendall(piece)
            threading.Event().wait(0.05)
        assert connection.makefile("rb").read().endswith(b"\r\n\r\nrs9\n127.0.0.1\n")


def test_a_head_without_end_is_cut_off(server: ModuleType) -> None:
    with socket.create_connection(("127.0.0.1", server.HTTP_PORTS[0]), timeout=5) as connection:
        try:
            connection.sendall(b"A" * 200_000)
            assert connection.recv(10) == b""
        except ConnectionError:
            pass
    with urllib.request.urlopen(_url(server, "127.0.0.1"), timeout=5) as answer:
        assert answer.status == 200


@pytest.mark.parametrize("address", ["127.0.0.1", "127.0.0.2", "::1"])
def test_udp_answers_from_the_address_that_was_asked(server: ModuleType, address: str) -> None:
    """As a real server must for direct routing: the client asked the VIP, not the server."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as client:
        client.settimeout(5)
        client.sendto(b"who?", (address, server.UDP_PORTS[0]))
        data, peer = client.recvfrom(100)
    assert data == b"rs9\n"
    assert peer[0] == address
