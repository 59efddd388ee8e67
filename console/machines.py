"""The one way from a declared host to a session on it; workers only."""

from __future__ import annotations

from django.conf import settings

from console.models import Host
from console.remote.pool import PoolSettings, default_pool
from console.remote.session import Session


def session(host: Host) -> Session:
    """A session on a host, over this process's pool of connections."""
    pool = default_pool(
        PoolSettings(
            max_connections=settings.SSH_CONNECTIONS_PER_HOST,
            connect_timeout=settings.SSH_CONNECT_TIMEOUT,
        )
    )
    return pool.session(host.endpoint())
