"""One sshd for the whole run, and fresh connections to it for each test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from console.remote import ssh
from console.remote.pool import Pool, PoolSettings
from console.remote.ssh import Connection
from console.remote.transport import Endpoint
from tests.remote.proxy import Proxy
from tests.remote.sshd import Sshd

MakeSshd = Callable[..., Sshd]
MakePool = Callable[..., Pool]


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """A server that no test may stop or change."""
    server = Sshd(tmp_path_factory.mktemp("sshd")).start()
    yield server
    server.stop()


@pytest.fixture
def make_sshd(tmp_path: Path) -> Iterator[MakeSshd]:
    """Servers of the test's own; the words are lines of sshd_config."""
    servers: list[Sshd] = []

    def make(*options: str) -> Sshd:
        servers.append(Sshd(tmp_path / f"sshd{len(servers)}", options).start())
        return servers[-1]

    yield make
    for server in servers:
        server.stop()


@pytest.fixture
def proxy(server: Sshd) -> Iterator[Proxy]:
    """A line to `server` that can be cut."""
    with Proxy(server.port) as proxy:
        yield proxy


@pytest.fixture
def connection(server: Sshd, tmp_path: Path) -> Iterator[Connection]:
    with ssh.connect(server.endpoint()) as connection:
        connection.fence_directory = str(tmp_path / "fence")
        yield connection


@pytest.fixture
def make_pool(tmp_path: Path) -> Iterator[MakePool]:
    """Pools whose fences live in the test's directory; the words are settings."""
    pools: list[Pool] = []

    def connect(endpoint: Endpoint, *, timeout: float, jump: Connection | None) -> Connection:
        connection = ssh.connect(endpoint, timeout=timeout, jump=jump)
        connection.fence_directory = str(tmp_path / "fence")
        return connection

    def make(**settings: float) -> Pool:
        pools.append(Pool(PoolSettings(**settings), connector=connect))  # type: ignore[arg-type]
        return pools[-1]

    yield make
    for pool in pools:
        pool.close()
