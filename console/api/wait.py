"""`Prefer: wait=30` (RFC 7240): hold the answer until the operation has ended."""

from __future__ import annotations

import re
import time

from rest_framework.request import Request

from console.models import Operation

#: Longer waits are cut to this, in seconds; proxies give up at about a minute.
MAX_WAIT = 55
#: The row is read first after the shorter, later after the longer pause, in seconds.
_PAUSES = (0.02, 0.25)

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=[,;]|$)", re.IGNORECASE)


def wanted_wait(request: Request) -> int | None:
    """The seconds that the client would wait, None when it does not say so."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(found[1]), MAX_WAIT) if found else None


def wait_for(operation: Operation, seconds: float) -> bool:
    """Return when the operation has ended (True) or the time is over (False)."""
    until = time.monotonic() + seconds
    pause, longest = _PAUSES
    while Operation.objects.live().filter(pk=operation.pk).exists():
        left = until - time.monotonic()
        if left <= 0:
            return False
        time.sleep(min(pause, left))
        pause = min(pause * 1.5, longest)
    return True
