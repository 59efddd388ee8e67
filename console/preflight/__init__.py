"""Preflight: what a machine has and lacks for each role, in words, from one round trip.

    result = transport.run(argv(), stdin=probe_script(), timeout=TIMEOUT)
    facts = parse(result.stdout)
    findings = check(facts, username=…, sent_at=…, received_at=…)
    summary(findings)                   {"director": "ready", "hypervisor": "not-ready", …}

PURE: standard library only; the caller runs the probe and keeps the result.
"""

from __future__ import annotations

from .checks import check, suggest_roles
from .errors import IncompleteSample, ParseError
from .findings import ROLES, Finding, Readiness, Role, Status, summary
from .parse import parse
from .probe import MAX_OUTPUT, TIMEOUT, argv, probe_script
from .texts import FINDING_TEXTS, READINESS_LABELS, ROLE_LABELS
from .types import Facts

__all__ = [
    "FINDING_TEXTS",
    "MAX_OUTPUT",
    "READINESS_LABELS",
    "ROLES",
    "ROLE_LABELS",
    "TIMEOUT",
    "Facts",
    "Finding",
    "IncompleteSample",
    "ParseError",
    "Readiness",
    "Role",
    "Status",
    "argv",
    "check",
    "parse",
    "probe_script",
    "suggest_roles",
    "summary",
]
