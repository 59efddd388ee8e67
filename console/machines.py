"""The one way from a declared host to a session on it; workers only."""

from __future__ import annotations

from console.models import Host
from console.remote.pool import default_pool
from console.remote.session import Session


def session(host: Host) -> Session:
    """A session on a host, over this process's pool of connections."""
    return default_pool().session(host.endpoint())
