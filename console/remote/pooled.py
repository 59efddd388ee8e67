"""A Transport that takes a connection from a pool for each command."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import Protocol

from .ssh import Abort, Connection, LineLost, NoSession
from .transport import Endpoint, Fence, Result


class Lender(Protocol):
    """The pool, as seen from here."""

    def line(self, endpoint: Endpoint) -> AbstractContextManager[Connection]: ...


class PooledTransport:
    """`transport.Transport` over a pool, for one piece of work."""

    def __init__(self, pool: Lender, endpoint: Endpoint) -> None:
        self._pool = pool
        self._endpoint = endpoint
        self._abort = Abort()

    def run(
        self,
        argv: tuple[str, ...],
        *,
        stdin: bytes | None = None,
        timeout: float = 60.0,
        fence: Fence | None = None,
        max_output: int = 64 * 1024 * 1024,
    ) -> Result:
        """As `transport.Transport.run`. A kept connection that turns out to be
        dead before the command was sent is replaced, once, unseen."""
        for is_last in (False, True):
            with self._pool.line(self._endpoint) as connection:
                try:
                    return connection.run(
                        argv,
                        stdin=stdin,
                        timeout=timeout,
                        fence=fence,
                        max_output=max_output,
                        abort=self._abort,
                    )
                except (LineLost, NoSession):
                    if is_last:
                        raise
        raise AssertionError("unreachable")

    def abort(self) -> None:
        """Give up the command in flight (OutcomeUnknown) and every later one
        (SessionAborted)."""
        self._abort.fire()
