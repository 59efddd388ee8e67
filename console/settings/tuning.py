"""Intervals and limits of the loop. Seconds unless the name says otherwise."""

from __future__ import annotations

import os


def _number(name: str, default: float) -> float:
    return float(os.environ.get(name, default))


#: How often a running operation says that its worker is alive.
HEARTBEAT_INTERVAL = _number("EVENKEEL_HEARTBEAT_INTERVAL", 3)
#: A heartbeat older than this means that the worker is gone: the operation is taken up again.
HEARTBEAT_STALE_AFTER = _number("EVENKEEL_HEARTBEAT_STALE_AFTER", 20)
#: A queued operation that nobody took up for so long is sent to the broker again.
RESEND_AFTER = _number("EVENKEEL_RESEND_AFTER", 15)
#: How often the sweep looks for unsent and stale operations, and for due observations.
SWEEP_INTERVAL = _number("EVENKEEL_SWEEP_INTERVAL", 5)
#: An operation that is not finished by then fails, in words.
OPERATION_DEADLINE = _number("EVENKEEL_OPERATION_DEADLINE", 900)
#: How often a director is observed.
POLL_INTERVAL = _number("EVENKEEL_POLL_INTERVAL", 30)
#: How often a prepared real server is looked at.
PREPARED_INTERVAL = _number("EVENKEEL_PREPARED_INTERVAL", 300)
#: After a service was moved to another forwarding method, what the old one needs on a real
#: server stays until its connections have ended, and at most this long.
MOVE_LIMIT = _number("EVENKEEL_MOVE_LIMIT", 3600)
#: A table with more services and real servers than this is read whole only every
#: FULL_READ_INTERVAL; in between a digest of the kernel's own listing tells whether
#: anything moved, and only what is being changed is read whole.
LARGE_TABLE = int(_number("EVENKEEL_LARGE_TABLE", 1000))
FULL_READ_INTERVAL = _number("EVENKEEL_FULL_READ_INTERVAL", 600)
#: Raise it by one after restoring an older backup of the database: every machine then takes
#: the console's fencing numbers as new, although operations are numbered from the backup on.
FENCE_EPOCH = int(_number("EVENKEEL_FENCE_EPOCH", 0))
#: What one pass may take away from a machine, as a share of what is ours, and the number that
#: is always allowed.
REMOVAL_CAP_SHARE = _number("EVENKEEL_REMOVAL_CAP_SHARE", 0.5)
REMOVAL_CAP_FLOOR = int(_number("EVENKEEL_REMOVAL_CAP_FLOOR", 10))
#: Applied states of a director that its history keeps, and for how many days.
REVISIONS_KEPT = int(_number("EVENKEEL_REVISIONS_KEPT", 500))
REVISION_DAYS = _number("EVENKEEL_REVISION_DAYS", 400)
#: The reconciler stops aloud after so many failed tries in a row.
RECONCILE_MAX_FAILURES = int(_number("EVENKEEL_RECONCILE_MAX_FAILURES", 5))
#: Bytes of a step's output and input that the journal keeps, each.
JOURNAL_BYTES = int(_number("EVENKEEL_JOURNAL_BYTES", 64 * 1024))
#: SSH connections a host that one worker process opens at most.
SSH_CONNECTIONS_PER_HOST = int(_number("EVENKEEL_SSH_CONNECTIONS_PER_HOST", 8))
SSH_CONNECT_TIMEOUT = _number("EVENKEEL_SSH_CONNECT_TIMEOUT", 10)
