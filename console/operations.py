"""The life of one operation: begin, claim, heartbeat, finish; cancel, retry, sweep.

The row is the queue of record. Every change of state is compare-and-set: an UPDATE that
names the state it expects, and whose count of rows is the answer.
"""

from __future__ import annotations

import os
import socket
import threading
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from django.apps import apps
from django.conf import settings
from django.core.exceptions import ValidationError
from django.db import IntegrityError, models, transaction
from django.db.models import F, Q
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from console import audit
from console.access import Actor, require, tenant_of
from console.errors import Busy, WrongState
from console.models import Operation, Step, Tenant
from console.words import error_fields

log = structlog.get_logger(__name__)

#: Claims of one operation before it is given up aloud.
MAX_ATTEMPTS = 5
#: Fences of one operation stay below the next operation's, and those of an epoch below the
#: next epoch's.
_FENCES_PER_OPERATION = 1000
_FENCES_PER_EPOCH = 10**15


@dataclass(frozen=True, slots=True)
class Kind:
    """What one kind of operation is: the task that runs it and how it reads.

    `deadline` is in seconds, None for the setting's default. `capability` is what asking,
    cancelling and retrying it take. One that `undoes_on_cancel` is always ended by its body,
    which takes back what it did.
    """

    code: str
    task: str
    label: str | Promise
    capability: str
    deadline: float | None = None
    is_cancellable: bool = True
    undoes_on_cancel: bool = False


KINDS: dict[str, Kind] = {}


def register(kind: Kind) -> None:
    """Make a kind of operation known; apps do this once when they start."""
    KINDS[kind.code] = kind


def begin(
    actor: Actor,
    kind: str,
    target: models.Model,
    *,
    parameters: dict[str, Any] | None = None,
    tenant: Tenant | None = None,
    retry_of: Operation | None = None,
    reason: str = "",
    deadline: float | None = None,
    is_audited: bool = True,
) -> Operation:
    """Write an operation and its audit line; the worker is woken after commit.

    Call inside the transaction of the declared change. Raises Busy when the target has a
    live operation, which the database itself holds. `tenant` is who may see it where the
    target itself belongs to nobody. `deadline` in seconds takes the place of the kind's. What
    the console does every few minutes by itself, and leaves nothing changed, is not audited.
    """
    deadline = deadline or KINDS[kind].deadline or settings.OPERATION_DEADLINE
    try:
        with transaction.atomic():
            operation = Operation.objects.create(
                kind=kind,
                target_type=target._meta.label_lower,
                target_id=target.pk,
                target_label=str(target)[:128],
                tenant=tenant or tenant_of(target),
                requested_by=actor.user,
                requested_by_label=actor.label,
                parameters=parameters or {},
                deadline_at=timezone.now() + timedelta(seconds=deadline),
                retry_of=retry_of,
            )
    except IntegrityError:
        holder = Operation.objects.on(target).live().first()
        if holder is None:
            raise
        raise Busy(holder) from None
    if is_audited:
        audit.record(actor, kind, target, operation=operation, reason=reason)
    transaction.on_commit(lambda: send(operation.pk, kind))
    return operation


def send(pk: int, kind: str) -> bool:
    """Wake a worker for one operation. A broker that is away loses nothing: the sweep sends."""
    from console.celery import app

    try:
        app.send_task(KINDS[kind].task, args=[pk])
    except Exception as error:  # the edge to the broker: whatever it says, the row stays queued
        log.warning("broker_away", operation=pk, error=str(error))
        return False
    Operation.objects.filter(pk=pk, status=Operation.Status.QUEUED).update(sent_at=timezone.now())
    return True


def worker_name() -> str:
    """Who claims: machine, process and thread, for the journal."""
    return f"{socket.gethostname()}:{os.getpid()}:{threading.get_ident()}"[:128]


def claim(pk: int) -> Operation | None:
    """Take a queued operation, or None when it is not there to be taken.

    A task that comes twice, late or for nothing therefore does no harm.
    """
    now = timezone.now()
    first_fence = settings.FENCE_EPOCH * _FENCES_PER_EPOCH + pk * _FENCES_PER_OPERATION
    taken = Operation.objects.filter(
        Q(not_before=None) | Q(not_before__lte=now), pk=pk, status=Operation.Status.QUEUED
    ).update(
        status=Operation.Status.RUNNING,
        attempt=F("attempt") + 1,
        fence=F("attempt") + 1 + first_fence,
        worker=worker_name(),
        heartbeat_at=now,
        started_at=now,
    )
    return Operation.objects.get(pk=pk) if taken else None


def last_fence(operation: Operation) -> int:
    """The highest fence that any claim of this operation can have."""
    return operation.fence - operation.fence % _FENCES_PER_OPERATION + _FENCES_PER_OPERATION - 1


def _mine(operation: Operation) -> models.QuerySet[Operation]:
    """The row, as long as this claim holds it."""
    return Operation.objects.filter(
        pk=operation.pk, status=Operation.Status.RUNNING, fence=operation.fence
    )


def heartbeat(operation: Operation) -> bool:
    """Say that the worker is alive; False when the claim is lost."""
    return bool(_mine(operation).update(heartbeat_at=timezone.now()))


def progress(operation: Operation, percent: int) -> None:
    """Note how far it is, 0 to 100, where that is known."""
    _mine(operation).update(percent=max(0, min(100, percent)))


def keep(operation: Operation, **fields: Any) -> bool:
    """Write down how far a claimed operation is; False when the claim is lost."""
    return bool(_mine(operation).update(**fields))


def finish(operation: Operation, status: Operation.Status, **fields: Any) -> bool:
    """End a claimed operation and complete its audit lines; False when the claim is lost."""
    with transaction.atomic():
        ended = _mine(operation).update(status=status, finished_at=timezone.now(), **fields)
        if ended:
            operation.refresh_from_db()
            audit.complete(operation)
    return bool(ended)


def put_back(operation: Operation, *, delay: float, **fields: Any) -> bool:
    """Queue a claimed operation again after `delay` seconds: nothing of it ran, or its
    outcome is unknown and will be observed, or it has nothing to do before. False when the
    claim is lost."""
    now = timezone.now()
    return bool(
        _mine(operation).update(
            status=Operation.Status.QUEUED,
            not_before=now + timedelta(seconds=delay),
            sent_at=None,
            **fields,
        )
    )


def wait(operation: Operation, *, delay: float, **fields: Any) -> bool:
    """Put an operation back that waits for something outside: no attempt was lost on it.

    The next claim has the same fence, which nothing else can hold: this one has ended.
    """
    return put_back(operation, delay=delay, attempt=F("attempt") - 1, **fields)


def request_cancel(actor: Actor, operation: Operation) -> Operation:
    """Cancel: at once while it waits, at the next safe point while it runs."""
    require(actor, KINDS[operation.kind].capability, operation)
    require(actor, "operation.cancel", operation)
    if not KINDS[operation.kind].is_cancellable:
        raise WrongState(_("This kind of operation cannot be cancelled once it was asked for."))
    now = timezone.now()
    undoes = KINDS[operation.kind].undoes_on_cancel
    with transaction.atomic():
        rows = Operation.objects.filter(pk=operation.pk)
        waiting = not undoes and rows.filter(status=Operation.Status.QUEUED).update(
            status=Operation.Status.CANCELLED,
            cancel_requested_at=now,
            finished_at=now,
            error_code="cancelled",
        )
        live = Operation.LIVE if undoes else (Operation.Status.RUNNING,)
        running = not waiting and rows.filter(status__in=live).update(
            cancel_requested_at=now, not_before=None
        )
        if not waiting and not running:
            raise WrongState(
                _("Operation #%(number)s is already finished.") % {"number": operation.pk}
            )
        operation.refresh_from_db()
        if waiting:
            audit.complete(operation)
        audit.record(actor, "operation.cancel", operation)
        if undoes:
            transaction.on_commit(lambda: send(operation.pk, operation.kind))
    return operation


def request_retry(actor: Actor, operation: Operation) -> Operation:
    """Ask for the same thing again, as a new operation that names the old one."""
    require(actor, KINDS[operation.kind].capability, operation)
    require(actor, "operation.retry", operation)
    if operation.status not in (Operation.Status.FAILED, Operation.Status.CANCELLED):
        raise WrongState(_("Only a failed or cancelled operation can be tried again."))
    target = target_of(operation)
    if target is None:
        raise ValidationError(_("%(target)s is gone.") % {"target": operation.target_label})
    with transaction.atomic():
        return begin(
            actor,
            operation.kind,
            target,
            parameters=operation.parameters,
            tenant=operation.tenant,
            retry_of=operation,
        )


def target_of(operation: Operation) -> models.Model | None:
    """The object that an operation is about, or None when it is gone."""
    model = apps.get_model(operation.target_type)
    return model._base_manager.filter(pk=operation.target_id).first()


def sweep(now: datetime | None = None) -> dict[str, int]:
    """Nothing stays behind: send what was not sent, take up what a dead worker left,
    end what is past its deadline. Harmless to run twice at once."""
    now = now or timezone.now()
    counts = {"expired": _expire(now), "taken_up": _take_up_stale(now), "sent": 0}
    unsent = Operation.objects.filter(status=Operation.Status.QUEUED).filter(
        Q(not_before=None) | Q(not_before__lte=now),
        Q(sent_at=None) | Q(sent_at__lt=now - timedelta(seconds=settings.RESEND_AFTER)),
    )
    for pk, kind in unsent.order_by("id").values_list("pk", "kind")[:500]:
        if not send(pk, kind):
            break
        counts["sent"] += 1
    return counts


def _take_up_stale(now: datetime) -> int:
    stale = now - timedelta(seconds=settings.HEARTBEAT_STALE_AFTER)
    left = Operation.objects.filter(status=Operation.Status.RUNNING, heartbeat_at__lt=stale)
    taken = 0
    for operation in left:
        if operation.attempt >= MAX_ATTEMPTS:
            finish(
                operation,
                Operation.Status.FAILED,
                error_code="worker-lost",
                remedy=gettext_noop("Look at the worker's log, then try again."),
                **error_fields(
                    gettext_noop("The worker was lost %(count)d times."),
                    {"count": operation.attempt},
                ),
            )
            continue
        if put_back(operation, delay=0, error=""):
            operation.steps.filter(status=Step.Status.RUNNING).update(status=Step.Status.UNKNOWN)
            taken += 1
    return taken


def _expire(now: datetime) -> int:
    """Fail what waited past its deadline; a running worker ends its own (see execution)."""
    nobody = error_fields(
        gettext_noop("It was not finished by its deadline, and nobody was working on it.")
    )
    grace = now - timedelta(seconds=settings.HEARTBEAT_STALE_AFTER)
    expired = 0
    late = Operation.objects.filter(
        Q(status=Operation.Status.QUEUED)
        | Q(status=Operation.Status.RUNNING, heartbeat_at__lt=grace),
        deadline_at__lt=now,
    )
    for operation in late:
        with transaction.atomic():
            ended = Operation.objects.filter(
                pk=operation.pk, status=operation.status, fence=operation.fence
            ).update(
                status=Operation.Status.FAILED,
                finished_at=now,
                error_code="deadline",
                remedy=gettext_noop("See that a worker runs, then try again."),
                **({} if operation.error else nobody),
            )
            if ended:
                operation.refresh_from_db()
                audit.complete(operation)
                expired += 1
    return expired
