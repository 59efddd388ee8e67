"""Captured samples of the preflight's probe, and changes to them."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from pathlib import Path

from console.preflight import Facts, Finding, check, parse

_CAPTURES = Path(__file__).parents[1] / "captures"

DIRECTOR = (_CAPTURES / "preflight-debian-12-director.txt").read_text()
REAL_SERVER = (_CAPTURES / "preflight-debian-12-real-server.txt").read_text()
CLIENT = (_CAPTURES / "preflight-debian-12-client.txt").read_text()
HYPERVISOR = (_CAPTURES / "preflight-debian-12-hypervisor.txt").read_text()
#: A machine without systemd and libvirt, cgroup version 1, its kernel without modules; by
#: the busybox shell.
WITHOUT_MODULES = (_CAPTURES / "preflight-kernel-without-modules.txt").read_text()
ALL = {
    "director": DIRECTOR,
    "real server": REAL_SERVER,
    "client": CLIENT,
    "hypervisor": HYPERVISOR,
    "without modules": WITHOUT_MODULES,
}


def section(text: str, name: str) -> str:
    """What a sample says in a section."""
    found = re.search(rf"^@@ {re.escape(name)}\n(.*?)^@@ rc ", text, re.DOTALL | re.MULTILINE)
    assert found, name
    return found[1].rstrip("\n")


def saying(text: str, name: str, body: str, code: int = 0) -> str:
    """The sample with another body and exit code in one section."""
    pattern = rf"^@@ {re.escape(name)}\n.*?^@@ rc \d+$"
    changed, count = re.subn(
        pattern,
        lambda _found: f"@@ {name}\n{body}\n\n@@ rc {code}",
        text,
        count=1,
        flags=re.DOTALL | re.MULTILINE,
    )
    assert count == 1, name
    return changed


def swapped(text: str, *pairs: tuple[str, str]) -> str:
    """The sample with each first text, which must be there, replaced by the second."""
    for old, new in pairs:
        assert old in text, old
        text = text.replace(old, new)
    return text


def checked(
    text: str,
    *,
    username: str = "root",
    ahead: float = 0.0,
    before: float = 0.05,
    after: float = 0.05,
) -> list[Finding]:
    """The findings of a sample for all roles. The machine's clock is `ahead` seconds ahead;
    the way there took `before` seconds and the way back `after`."""
    facts = parse(text)
    sent_at, received_at = around(facts, ahead=ahead, before=before, after=after)
    return check(facts, username=username, sent_at=sent_at, received_at=received_at)


def around(facts: Facts, *, ahead: float, before: float, after: float) -> tuple[datetime, datetime]:
    """The console's times around a probe whose machine's clock is `ahead`."""
    started, ended = facts.clock.started or 0.0, facts.clock.ended or 0.0
    return (
        datetime.fromtimestamp(started, UTC) - timedelta(seconds=ahead + before),
        datetime.fromtimestamp(ended, UTC) - timedelta(seconds=ahead - after),
    )


def one(findings: list[Finding], code: str) -> Finding:
    """The only finding with that code."""
    found = [finding for finding in findings if finding.code == code]
    assert len(found) == 1, (code, found)
    return found[0]
