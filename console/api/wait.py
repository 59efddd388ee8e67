"""`Prefer: wait=30` (RFC 7240): hold the answer until the operation has ended."""

from __future__ import annotations

import re

from rest_framework.request import Request

#: Longer waits are cut to this, in seconds; proxies give up at about a minute.
MAX_WAIT = 55

_WAIT = re.compile(r"(?:^|[,;])\s*wait\s*=\s*\"?(\d{1,6})\"?\s*(?=[,;]|$)", re.IGNORECASE)


def wanted_wait(request: Request) -> int | None:
    """The seconds that the client would wait, None when it does not say so."""
    found = _WAIT.search(request.headers.get("Prefer", ""))
    return min(int(found[1]), MAX_WAIT) if found else None
