"""Waiting for an operation from a command or an API request: the row tells, no machine does."""

from __future__ import annotations

import time

from console.models import Operation

#: Seconds between two looks at the row.
_INTERVAL = 0.2


def wait_for(operation: Operation, timeout: float) -> Operation:
    """The operation's fresh row, once it is finished or after `timeout` seconds."""
    ends = time.monotonic() + timeout
    while True:
        operation.refresh_from_db()
        if not operation.is_live or time.monotonic() >= ends:
            return operation
        time.sleep(_INTERVAL)
