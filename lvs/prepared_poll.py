"""Looking at prepared real servers on time: drift, alerts, the reconciler, and what still
waits to be undone."""

from __future__ import annotations

from datetime import timedelta

import structlog
from django.conf import settings
from django.db import models, transaction
from django.db.models import Q
from django.utils import timezone

from console import alerts, hosts, machines, operations
from console.access import SYSTEM
from console.converge import describe
from console.errors import Busy
from console.execution import Refusal
from console.models import Host, Operation
from console.planning import Plan
from console.remote.transport import RemoteError
from lvs import needed, preparing
from lvs.models import Director, PreparedServer
from lvs.realserver import planner
from lvs.realserver.wanted import wanted_items

log = structlog.get_logger(__name__)

_POLICIES = Director.Policy
#: Drift is believed when so many looks in a row agree.
_LOOKS_TO_BELIEVE = 2
_DRIFT_LINES = 200


def due() -> list[int]:
    """Take the machines whose next look is due: each is handed out once."""
    now = timezone.now()
    candidates = PreparedServer.objects.filter(
        Q(next_look_at=None) | Q(next_look_at__lte=now), host__trust=Host.Trust.PINNED
    ).values_list("pk", "next_look_at")
    later = now + timedelta(seconds=settings.PREPARED_INTERVAL)
    return [
        pk
        for pk, was in candidates
        if PreparedServer.objects.filter(pk=pk, next_look_at=was).update(next_look_at=later)
    ]


def poll(pk: int) -> None:
    """One periodic look at a prepared machine, and what follows from it."""
    row = preparing.ROWS.filter(pk=pk, host__trust=Host.Trust.PINNED).first()
    if row is None or Operation.objects.on(row).live().exists() or _is_applying(row):
        return
    if row.need_values - needed.settled_needs(row):
        _begin(row)
        return
    session = machines.session(row.host)
    items = wanted_items(row.need_values)
    try:
        seen = preparing.look(
            lambda step: session.run(step.argv, stdin=step.input_bytes, timeout=step.timeout),
            row.host.name,
            items,
        )
    except (RemoteError, Refusal) as error:
        if isinstance(error, RemoteError):
            hosts.note_failure(error)
        row.note(**preparing.error_of(error))
        return
    hosts.note_success(row.host)
    left = planner.plan(items, seen, machine=row.host.name)
    if not left:
        preparing.keep_look(row, seen)
        return
    row.note(
        observed_facts=seen.to_json(),
        observed_at=timezone.now(),
        drift="\n".join(describe(left, _DRIFT_LINES)),
        drift_looks=row.drift_looks + 1,
        error="",
        error_words={},
    )
    _answer_drift(row, left)


def _answer_drift(row: PreparedServer, left: Plan) -> None:
    """Confirm drift by a second look; then tell, and mend, as the directors' policies say."""
    if row.drift_looks < _LOOKS_TO_BELIEVE:
        row.note(next_look_at=timezone.now() + timedelta(seconds=1))
        return
    policies = set(_directors(row).values_list("policy", flat=True))
    if policies <= {_POLICIES.OBSERVE}:
        return
    policy = _POLICIES.RECONCILE if policies == {_POLICIES.RECONCILE} else _POLICIES.ALERT
    count = sum(len(step.lines) or 1 for step in left)
    alerts.raise_alert(
        "real-server-drift", row, params={"count": count, "policy": policy}, commands=row.drift
    )
    if policy == _POLICIES.RECONCILE:
        _begin(row)


def _begin(row: PreparedServer) -> None:
    try:
        with transaction.atomic():
            operations.begin(SYSTEM, "real_server.prepare", row, parameters={"automatic": True})
    except Busy:
        log.info("prepare_waits", prepared=row.pk)


def _directors(row: PreparedServer) -> models.QuerySet[Director]:
    services = {need.service for need in row.need_values}
    return Director.objects.filter(virtual_services__in=services).distinct()


def _is_applying(row: PreparedServer) -> bool:
    """Whether a director that prepares this machine is at work."""
    return (
        Operation.objects.live()
        .filter(
            kind="director.apply",
            target_id__in=_directors(row).values_list("pk", flat=True),
        )
        .exists()
    )
