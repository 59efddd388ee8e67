"""Looking at directors on time: age, drift, alerts, and the reconciler."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import structlog
from django.conf import settings
from django.db import transaction
from django.db.models import Q
from django.utils import timezone

from console import alerts, hosts, machines, operations
from console.access import SYSTEM
from console.errors import Busy
from console.execution import Refusal, Run
from console.models import Host, Operation
from console.planning import Step
from console.remote.transport import RemoteError, Result
from lvs import counting, declared, drift, execute, observe, seen, through
from lvs.models import Director
from lvs.observe import Runner

log = structlog.get_logger(__name__)


def due() -> list[int]:
    """Take the directors whose next look is due: each is handed out once."""
    now = timezone.now()
    candidates = Director.objects.filter(
        Q(next_look_at=None) | Q(next_look_at__lte=now), host__trust=Host.Trust.PINNED
    ).values_list("pk", "next_look_at")
    taken = []
    for pk, was in candidates:
        claimed = Director.objects.filter(pk=pk, next_look_at=was).update(
            next_look_at=now + timedelta(seconds=settings.POLL_INTERVAL)
        )
        if claimed:
            taken.append(pk)
    return taken


def poll(pk: int) -> None:
    """One periodic look at a director, and what follows from it."""
    director = (
        Director.objects.select_related("host__credential", "host__jump_host__credential")
        .filter(pk=pk, host__trust=Host.Trust.PINNED)
        .first()
    )
    if director is None or Operation.objects.on(director).live().exists():
        return
    run = _unjournalled(director)
    try:
        is_believed = look_at(director, run)
        counting.count(director, run)
    except RemoteError as error:
        hosts.note_failure(error)
        seen.keep_error(director, str(error))
        return
    except Refusal as refusal:
        _keep_refusal(director, refusal)
        return
    if director.has_drifted:
        _answer_drift(director, is_believed=is_believed)


def look(run: Run) -> dict[str, Any]:
    """The body of `director.observe`: a whole look, asked for by a person."""
    director = execute.director_of(run)
    session = run.session(director.host)
    try:
        look_at(director, lambda step: run.run(session, step), whole=True)
    except Refusal as refusal:
        _keep_refusal(director, refusal)
        raise
    return {"drift": director.drift_count, "unmanaged": director.unmanaged_count}


def _keep_refusal(director: Director, refusal: Refusal) -> None:
    said = refusal.said.strip()
    error = f"{refusal}: {said}" if said else str(refusal)
    seen.keep_error(director, error, refusal.words | {"said": said})


def look_at(director: Director, run: Runner, *, whole: bool = False) -> bool:
    """Observe, keep what was seen, and plan: True when drift is believed.

    A large table of which nothing moved is not read again.
    """
    if not whole and seen.is_large(director) and not seen.needs_whole_look(director):
        found = observe.look_quick(run, director.host.name)
        through.sweep_if_left(director, found)
        if found.digest == director.table_digest and not director.has_drifted:
            seen.keep_unchanged(director, found)
            return seen.keep_drift(director, drift.around(director, found))
    found = observe.look_whole(run, director.host.name)
    through.sweep_if_left(director, found)
    seen.keep_look(director, found, declared.owned_keys(director.virtual_services.all()))
    return seen.keep_drift(director, drift.of(director, found))


def _unjournalled(director: Director) -> Runner:
    """Reading steps need no journal: they change nothing."""
    session = machines.session(director.host)

    def run(step: Step) -> Result:
        return session.run(step.argv, stdin=step.input_bytes, timeout=step.timeout)

    return run


def _answer_drift(director: Director, *, is_believed: bool) -> None:
    """Confirm drift by a second look; then tell, and mend, as the policy says."""
    if not is_believed:
        seen.plan_next_look(director, soon=True)
        return
    if director.policy == Director.Policy.OBSERVE:
        return
    alerts.raise_alert(
        "director-drift",
        director,
        params={
            "count": director.drift_count,
            "policy": director.policy,
        },
        commands=director.drift,
    )
    if (
        director.policy == Director.Policy.RECONCILE
        and director.reconcile_failures < settings.RECONCILE_MAX_FAILURES
    ):
        try:
            with transaction.atomic():
                operations.begin(SYSTEM, "director.apply", director,
                                 parameters={"automatic": True})  # fmt: skip
        except Busy:
            log.info("reconcile_waits", director=director.pk)
