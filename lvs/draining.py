"""Drains as pages and API show them: which are under way, and what to know before one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.models import Operation
from lvs.models import RealServer, VirtualService
from lvs.models.virtual_services import Forwarding

_KIND = "real_server.drain"
_QUIESCENT = "net.ipv4.vs.expire_quiescent_template"


@dataclass(frozen=True, slots=True)
class Drain:
    """One drain under way. `left` is None before the first look; `until` when it ends."""

    operation: Operation
    address: str
    then: str
    left: int | None
    until: Any

    @property
    def is_undoing(self) -> bool:
        return self.operation.cancel_requested_at is not None


def drains_of(rows: Sequence[RealServer]) -> list[Drain]:
    """The drains under way of these real servers."""
    live = Operation.objects.live().filter(
        kind=_KIND, target_type="lvs.realserver", target_id__in=[row.pk for row in rows]
    )
    return [_drain(operation) for operation in live]


def _drain(operation: Operation) -> Drain:
    state, asked = operation.result, operation.parameters
    return Drain(
        operation,
        operation.target_label,
        asked.get("then", "remove"),
        state.get("left"),
        parse_datetime(state["until"]) if state.get("until") else None,
    )


def to_know_before(service: VirtualService, rows: Sequence[RealServer]) -> list[str | Promise]:
    """What a drain of this service cannot do, in sentences."""
    said: list[str | Promise] = []
    methods = {row.effective_forwarding for row in rows} or {service.forwarding}
    if service.protocol == VirtualService.Protocol.UDP:
        said.append(
            _(
                "UDP has no connections that end: an entry stays as long as its client sends."
                " At the limit such clients are cut off, and go to another real server."
            )
        )
    if service.persistence_timeout is not None and not service.is_one_packet:
        said.append(
            _(
                "With persistence, clients that were here come back in spite of weight 0, unless"
                " %(setting)s is 1. At the limit they go to another real server."
            )
            % {"setting": _QUIESCENT}
        )
    if methods & {Forwarding.ROUTE, Forwarding.TUNNEL}:
        said.append(
            _(
                "By DR and TUN the director sees only what clients send, so its count of open"
                " connections is a guess."
            )
        )
    said.append(
        _("What is still open at the limit is cut off, where the real server is taken out then.")
    )
    return said
