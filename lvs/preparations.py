"""The real servers' side as pages and API show it: from the database alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from django.utils.translation import gettext as _

from console.access import Actor
from console.models import Host
from console.planning import Problem
from lvs import needed
from lvs.models import PreparedServer, RealServer
from lvs.models.directors import Provisioning
from lvs.realserver import problems, script
from lvs.realserver.needs import Need
from lvs.realserver.sample import Seen
from lvs.realserver.wanted import wanted_items

#: Real servers whose scripts a page spells out.
SHOWN = 20


@dataclass(frozen=True, slots=True)
class Preparation:
    """One real server's side. `script` is "" where its method asks nothing of it; `suggested`
    is the one known machine that holds its address, where none is chosen."""

    server: RealServer
    tone: str
    words: str
    prepared: PreparedServer | None
    suggested: Host | None
    script: str
    cloud_init: str
    verification: str
    undo: str
    problems: tuple[Problem, ...] = ()


def preparation_of(actor: Actor, server: RealServer) -> Preparation:
    """What a real server needs and whether it has it. Machines are shown to staff only."""
    return preparations_of(actor, [server])[0]


def preparations_of(actor: Actor, rows: Iterable[RealServer]) -> list[Preparation]:
    """Those of the first SHOWN real servers of one service."""
    servers = list(rows)[:SHOWN]
    if not servers:
        return []
    sees = actor.can("host.view")
    vips = needed.vips_of(servers[0].virtual_service.director)
    hosts = {server.host_id for server in servers if server.host_id is not None}
    found = PreparedServer.objects.filter(host__in=hosts).select_related("host") if hosts else ()
    prepared = {row.host_id: row for row in found}
    suggested = needed.hosts_by_address() if sees and len(hosts) < len(servers) else {}
    return [
        _preparation(
            server,
            needed.needs_of(server, vips),
            prepared.get(server.host_id) if server.host_id is not None else None,
            suggested.get(server.rip) if server.host_id is None else None,
            sees=sees,
        )
        for server in servers
    ]


def _preparation(
    server: RealServer,
    needs: list[Need],
    prepared: PreparedServer | None,
    suggested: Host | None,
    *,
    sees: bool,
) -> Preparation:
    seen = Seen.from_json(prepared.observed_facts) if prepared else Seen()
    asks = bool(wanted_items(needs))
    tone, words = _standing(server, prepared, needs, asks)
    is_seen = prepared is not None and prepared.observed_at is not None
    return Preparation(
        server,
        tone,
        words,
        prepared if sees else None,
        suggested,
        script.preparation_script(needs),
        script.cloud_init(needs),
        script.verification_script(needs),
        script.undo_script() if asks else "",
        tuple(problems.problems(needs, seen)) if is_seen else (),
    )


def _standing(
    server: RealServer, prepared: PreparedServer | None, needs: list[Need], asks: bool
) -> tuple[str, str]:
    if server.host_id is None:
        if not asks:
            return "ok", _("nothing to prepare")
        return "warn", _("not prepared by the console: no machine is chosen for it")
    if prepared is None or not set(needs) <= prepared.need_values:
        return "neutral", _("will be prepared by Apply")
    if prepared.status == Provisioning.ERROR or prepared.error:
        return "bad", prepared.error_text or _("the last try failed")
    if prepared.has_drifted:
        return "bad", _("differs from what was prepared")
    if prepared.undo_since:
        return "warn", _("prepared; something earlier is still to be undone")
    if prepared.status == Provisioning.PENDING:
        return "neutral", _("being prepared")
    return "ok", _("prepared, and verified")
