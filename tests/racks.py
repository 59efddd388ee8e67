"""Which rack of the laboratory a test process uses."""

from __future__ import annotations

import os


def rack_number() -> int:
    """EVENKEEL_TEST_RACK, 0 by default, and one more for each worker after the first."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return int(os.environ.get("EVENKEEL_TEST_RACK", "0")) + int(worker)
