"""From facts to findings: what each role needs, one file a role. PURE."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime

from ..findings import ROLES, Finding, Readiness, Role, summary
from ..types import Facts
from .director import check_director
from .host import check_host
from .hypervisor import check_hypervisor
from .prober import check_prober
from .realserver import check_real_server

_CHECKS: dict[Role, Callable[[Facts], Iterator[Finding]]] = {
    Role.DIRECTOR: check_director,
    Role.REAL_SERVER: check_real_server,
    Role.HYPERVISOR: check_hypervisor,
    Role.PROBE: check_prober,
}


def check(
    facts: Facts,
    roles: Iterable[Role | str] | None = None,
    *,
    username: str,
    sent_at: datetime | None,
    received_at: datetime | None,
) -> list[Finding]:
    """What a machine has and lacks: of the host, then of each role (all of them by default).

    `username` is who the console logs in as. `sent_at` and `received_at` are the console's
    time just before the probe was sent and just after its answer came; without
    them nothing is said about the difference of the clocks.
    """
    wanted = {Role(role) for role in (ROLES if roles is None else roles)}
    findings = [*check_host(facts, username, sent_at, received_at)]
    for role in ROLES:
        if role in wanted:
            findings += _CHECKS[role](facts)
    return findings


def suggest_roles(facts: Facts) -> tuple[Role, ...]:
    """The roles for which nothing is missing, so that the machine could take them."""
    findings = check(facts, username=facts.identity.user, sent_at=None, received_at=None)
    ready = summary(findings)
    return tuple(role for role in ROLES if ready[role.value] != Readiness.NOT_READY.value)
