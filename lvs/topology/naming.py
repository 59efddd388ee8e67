"""How problems name what they are about."""

from __future__ import annotations

from collections.abc import Sequence

from .facts import Server

#: Real servers that are named; the rest is counted.
_NAMED = 3


def subject_of(servers: Sequence[Server]) -> str:
    """Real servers by address and port: the first ones, and how many more."""
    named = ", ".join(str(server) for server in servers[:_NAMED])
    left = len(servers) - _NAMED
    return f"{named} + {left}" if left > 0 else named
