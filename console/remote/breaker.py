"""A circuit breaker: a machine that does not answer is not dialled again at once."""

from __future__ import annotations

import copy
import threading
from collections.abc import Callable

from .transport import Endpoint, HostKeyChanged, HostUnreachable


class Breaker:
    """For one Endpoint. Closed, it lets everybody dial. After `limit` failures in
    a row it opens and refuses at once for `cool_down` seconds; then one caller
    may try, and its luck decides. A changed host key opens it for good: only an
    Endpoint with another pin, or `Pool.reset`, gets a new breaker."""

    def __init__(
        self, endpoint: Endpoint, limit: int, cool_down: float, clock: Callable[[], float]
    ) -> None:
        self._machine = endpoint.name
        self._limit = limit
        self._cool_down = cool_down
        self._clock = clock
        self._lock = threading.Lock()
        self._failures = 0
        self._open_until = 0.0
        self._is_probing = False
        self._last_error: HostUnreachable | None = None
        self._changed: HostKeyChanged | None = None

    def permit(self) -> None:
        """Return if the caller may dial; it must then call `succeeded`, `failed`
        or `withdrawn`. Raises HostUnreachable or HostKeyChanged if not."""
        self.refuse_changed_key()
        with self._lock:
            if self._failures < self._limit:
                return
            wait = self._open_until - self._clock()
            if wait > 0 or self._is_probing:
                raise self._refusal(max(wait, 0.0))
            self._is_probing = True

    def refuse_changed_key(self) -> None:
        """Raise HostKeyChanged if the machine has shown another key before: then
        connections from before are not used either."""
        with self._lock:
            if self._changed is not None:
                raise copy.copy(self._changed)

    def succeeded(self) -> None:
        with self._lock:
            self._failures = 0
            self._is_probing = False
            self._last_error = None

    def failed(self, error: HostUnreachable) -> None:
        with self._lock:
            self._failures += 1
            self._is_probing = False
            self._last_error = error
            self._open_until = self._clock() + self._cool_down

    def key_changed(self, error: HostKeyChanged) -> None:
        with self._lock:
            self._is_probing = False
            self._changed = error

    def withdrawn(self) -> None:
        """The dialling was broken off without an answer of the machine."""
        with self._lock:
            self._is_probing = False

    @property
    def is_at_rest(self) -> bool:
        """Nothing is remembered that a new breaker would not know."""
        with self._lock:
            return self._failures == 0 and self._changed is None and not self._is_probing

    def _refusal(self, wait: float) -> HostUnreachable:
        last = self._last_error
        when = f"next try in {wait:.0f} s" if wait else "a try is going on"
        kind = type(last) if last is not None else HostUnreachable
        return kind(
            self._machine,
            f"tried {self._failures} times, {when}; last: {last.message if last else 'no answer'}",
            said=last.said if last else "",
            remedy=last.remedy if last else "",
        )
