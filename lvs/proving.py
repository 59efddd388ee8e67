"""Proofs on time: each applied service of a director that asks for it, one after the other."""

from __future__ import annotations

import contextlib
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, QuerySet
from django.utils import timezone

from console import operations
from console.access import SYSTEM
from console.errors import Busy
from console.execution import Later, Run
from console.models import Host, Operation
from console.planning import mark as _
from lvs.models import Director, VirtualService

_KIND = "virtual_service.prove"
#: Periodic proofs of one service that stay in the journal, beside those that failed.
_KEPT = 5
#: Seconds until a proof looks again whether it is its turn.
_TURN = 3.0


def begin_due(now: datetime | None = None) -> int:
    """Begin the next proof of every director whose turn it is; how many were begun.

    A director that is being changed, or proved, is passed over until it is free: so proofs
    of many services spread by themselves.
    """
    now = now or timezone.now()
    directors = Director.objects.filter(prove_interval__gt=0, host__trust=Host.Trust.PINNED)
    return sum(_begin_next(director, now) for director in directors.only("pk", "prove_interval"))


def _begin_next(director: Director, now: datetime) -> bool:
    if Operation.objects.on(director).live().exists() or _others(director).exists():
        return False
    before = now - timedelta(seconds=director.prove_interval)
    service = (
        director.virtual_services.declared()
        .filter(Q(proof_asked_at=None) | Q(proof_asked_at__lte=before), applied_generation__gt=0)
        .order_by(F("proof_asked_at").asc(nulls_first=True), "pk")
        .defer("proof")
        .first()
    )
    if service is None:
        return False
    rows = VirtualService.objects.filter(pk=service.pk, proof_asked_at=service.proof_asked_at)
    if not rows.update(proof_asked_at=now):
        return False
    _forget_old(service)
    with contextlib.suppress(Busy), transaction.atomic():
        operations.begin(
            SYSTEM,
            _KIND,
            service,
            parameters={"periodic": True},
            tenant=service.tenant,
            is_audited=False,
        )
        return True
    return False


def wait_for_turn(run: Run, director: Director) -> None:
    """Raise Later while the director is being changed, or proved by an operation that was
    asked for earlier."""
    holder = Operation.objects.on(director).live().first()
    if holder is None:
        holder = _others(director).filter(pk__lt=run.operation.pk).first()
    if holder is not None:
        raise Later(
            _TURN,
            _("It waits for operation #%(number)s on the director"),
            {"number": holder.pk},
        )


def _others(director: Director) -> QuerySet[Operation]:
    """The proofs of this director's services that are waiting or running."""
    services = director.virtual_services.values("pk")
    return Operation.objects.live().filter(
        kind=_KIND, target_type=VirtualService._meta.label_lower, target_id__in=services
    )


def _forget_old(service: VirtualService) -> None:
    """Keep the journal of what repeats every few minutes short."""
    ended = Operation.objects.on(service).filter(
        kind=_KIND, parameters__periodic=True, status=Operation.Status.SUCCEEDED
    )
    old = list(ended.order_by("-pk").values_list("pk", flat=True)[_KEPT:])
    Operation.objects.filter(pk__in=old).delete()
