"""What the machine needs that sends requests through a VIP to prove it."""

from __future__ import annotations

from collections.abc import Iterator

from ..findings import Finding, Role, say
from ..types import Facts
from .wording import install, is_at_least

_ME = Role.PROBE


def check_prober(facts: Facts) -> Iterator[Finding]:
    """Every finding of the role probe."""
    python = facts.tool("python3")
    if python is None:
        yield say(_ME, "python3.absent", **install("python3"))
    elif not is_at_least(python.version, (3, 6)):
        version = python.version or "?"
        yield say(_ME, "python3.old", version=version, **install("python3"))
    else:
        yield say(_ME, "python3.present", version=python.version)
    curl = facts.tool("curl")
    if curl is None:
        yield say(_ME, "curl.absent", **install("curl"))
    else:
        yield say(_ME, "curl.present", path=curl.path)
