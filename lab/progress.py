"""Progress on standard error: `[lab] 12 s  building image: unpacking packages (3 of 5)`."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

_started = time.monotonic()
_lock = threading.Lock()


def say(text: str) -> None:
    """One line, with the seconds since the program started."""
    with _lock:
        sys.stderr.write(f"[lab] {time.monotonic() - _started:.0f} s  {text}\n")
        sys.stderr.flush()


class Heartbeat:
    """Repeats the step under way every `every` seconds, so that silence never means hung."""

    def __init__(self, text: str, *, every: float = 10.0) -> None:
        self._text = text
        self._every = every
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._beat, daemon=True)

    def step(self, text: str) -> None:
        """Name the next step, at once."""
        self._text = text
        say(text)

    def _beat(self) -> None:
        began = time.monotonic()
        while not self._done.wait(self._every):
            say(f"{self._text} … {time.monotonic() - began:.0f} s")

    def __enter__(self) -> Heartbeat:
        say(self._text)
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._done.set()
        self._thread.join()


@contextmanager
def timed(text: str) -> Iterator[Heartbeat]:
    """A heartbeat that ends with the time the whole took."""
    began = time.monotonic()
    with Heartbeat(text) as beat:
        yield beat
    say(f"{text}: done in {time.monotonic() - began:.1f} s")
