"""Moving a live service from one forwarding method to another: what happens to each real
server and to its connections, told before anything is done. From the database alone.

Measured on Debian 12's 6.1 kernel: a connection keeps the method that its real server had
when it was opened; an edit in place (`ipvsadm -e`) changes the method for new ones only.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from lvs import declared
from lvs.ipvsadm.types import stored_port
from lvs.models import RealServer, VirtualService
from lvs.models.virtual_services import Forwarding


@dataclass(frozen=True, slots=True)
class Fate:
    """What a move does to one real server.

    `new_port` is the port of the entry that takes its place in the table, None where the
    entry stays; `tone` and `words` say what that means for its connections.
    """

    server: RealServer
    new_port: int | None
    tone: str
    words: str


def fates_of(service: VirtualService, rows: Iterable[RealServer], forwarding: str) -> list[Fate]:
    """One for each real server, in their order."""
    return [_fate(service, row, Forwarding(forwarding)) for row in rows]


def _fate(service: VirtualService, row: RealServer, method: Forwarding) -> Fate:
    if row.forwarding:
        words = _("It has a method of its own, %(method)s, and keeps it.")
        return Fate(row, None, "neutral", words % {"method": row.get_forwarding_display()})
    key = declared.key_of(service)
    port = stored_port(key, method.in_table, row.port)
    before = stored_port(key, Forwarding(service.forwarding).in_table, row.port)
    if port != before:
        words = _(
            "With port %(new)s it is another entry of the table. The new one is added first; the"
            " old one with port %(old)s gets no new connections, is waited for, and then taken"
            " out. Connections that outlast the limit end."
        ) % {"new": port, "old": before}
        return Fate(row, port, "warn", words)
    if service.protocol == "udp":
        words = _(
            "Changed in place. A client that keeps sending goes on by the old method: for UDP a"
            " connection ends only when it was silent for the timeout."
        )
        return Fate(row, None, "warn", words)
    words = _(
        "Changed in place: new connections go by the new method at once, open ones go on by the"
        " old one until they end. None is lost."
    )
    return Fate(row, None, "ok", words)


def consequences(
    service: VirtualService, rows: Sequence[RealServer], forwarding: str
) -> list[tuple[str, str]]:
    """What else there is to know, as tone and sentence."""
    method, before = Forwarding(forwarding), Forwarding(service.forwarding)
    following = [row for row in rows if not row.forwarding]
    alone = [row.address for row in following if row.host_id is None]
    found = []
    if method != Forwarding.FULLNAT and alone:
        found.append((
            "warn",
            _("The console does not prepare %(servers)s: run the script of the new method there"
              " before, and leave what the old one needs until its connections have ended.")
            % {"servers": ", ".join(alone)},
        ))  # fmt: skip
    if any(row.host_id is not None for row in following):
        found.append((
            "ok",
            _("The machines are prepared for the new method first. What only the old one needs"
              " is undone when its connections have ended, or after a limit."),
        ))  # fmt: skip
    if method == Forwarding.FULLNAT:
        found.append(
            ("warn", _("The real servers see an address of the director instead of the client’s."))
        )
    if before == Forwarding.FULLNAT:
        found.append(("ok", _("The real servers see the clients’ own addresses again.")))
    if method in (Forwarding.ROUTE, Forwarding.TUNNEL):
        found.append(("info", _("Answers no longer pass the director: it counts no packets out.")))
    return found
