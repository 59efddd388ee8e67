"""The one way from a declared host to a session on it; workers only."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings

from console.models import Host
from console.remote.pool import Pool, PoolSettings, default_pool
from console.remote.session import Session

#: Makes one connection and hangs up again, or raises as a command would.
Dial = Callable[[], None]


def session(host: Host) -> Session:
    """A session on a host, over this process's pool of connections."""
    return _pool().session(host.endpoint())


def redial(host: Host) -> Dial:
    """A function that shows whether a new connection can still be made, beside those that
    are open. It may be called in any thread."""
    pool, endpoint = _pool(), host.endpoint()
    return lambda: pool.dial(endpoint)


def _pool() -> Pool:
    return default_pool(
        PoolSettings(
            max_connections=settings.SSH_CONNECTIONS_PER_HOST,
            connect_timeout=settings.SSH_CONNECT_TIMEOUT,
        )
    )
