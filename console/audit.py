"""The audit log: written in the transaction of the change, completed with its outcome."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import models

from console.access import Actor, tenant_of
from console.models import AuditEvent, Operation

#: Field names whose values never reach the log.
SECRET_FIELDS = frozenset({"secret", "passphrase", "digest", "password"})


def record(
    actor: Actor,
    verb: str,
    target: models.Model,
    *,
    changes: dict[str, list[Any]] | None = None,
    reason: str = "",
    operation: Operation | None = None,
) -> AuditEvent:
    """Write that `actor` did `verb` ("host.create") to `target`.

    With an `operation` the outcome stays pending until `complete()`.
    """
    return AuditEvent.objects.create(
        actor=actor.user,
        actor_label=actor.label,
        via=actor.via,
        address=actor.address,
        request_id=actor.request_id,
        verb=verb,
        target_type=target._meta.label_lower,
        target_id=target.pk,
        target_label=str(target)[:128],
        tenant=tenant_of(target),
        reason=reason,
        changes=changes or {},
        operation=operation,
        outcome=AuditEvent.Outcome.PENDING if operation else AuditEvent.Outcome.DONE,
    )


def record_many(
    actor: Actor, verb: str, told: Sequence[tuple[models.Model, dict[str, list[Any]]]]
) -> None:
    """Write that `actor` did `verb` to each target, with what changed: `record` in bulk."""
    AuditEvent.objects.bulk_create(
        [
            AuditEvent(
                actor=actor.user,
                actor_label=actor.label,
                via=actor.via,
                address=actor.address,
                request_id=actor.request_id,
                verb=verb,
                target_type=target._meta.label_lower,
                target_id=target.pk,
                target_label=str(target)[:128],
                tenant=tenant_of(target),
                changes=changes,
                outcome=AuditEvent.Outcome.DONE,
            )
            for target, changes in told
        ],
        batch_size=1000,
    )


_OUTCOMES = {
    Operation.Status.SUCCEEDED: AuditEvent.Outcome.DONE,
    Operation.Status.FAILED: AuditEvent.Outcome.FAILED,
    Operation.Status.CANCELLED: AuditEvent.Outcome.CANCELLED,
}


def complete(operation: Operation) -> None:
    """Carry the end of an operation over to the events that asked for it."""
    AuditEvent.objects.filter(operation=operation).update(
        outcome=_OUTCOMES[Operation.Status(operation.status)]
    )


def differences(before: dict[str, Any], after: dict[str, Any]) -> dict[str, list[Any]]:
    """{"field": [before, after]} for what differs; secrets only say that they changed."""
    changes: dict[str, list[Any]] = {}
    for name in after:
        if before.get(name) != after[name]:
            shown = (
                ["(secret)", "(secret)"]
                if name in SECRET_FIELDS
                else [
                    _plain(before.get(name)),
                    _plain(after[name]),
                ]
            )
            changes[name] = shown
    return changes


def values_of(obj: models.Model) -> dict[str, Any]:
    """The editable fields of a row, for `differences()`."""
    return {
        field.attname: getattr(obj, field.attname)
        for field in obj._meta.concrete_fields
        if field.editable and not field.primary_key
    }


def _plain(value: Any) -> Any:
    return value if isinstance(value, bool | int | float | str | None) else str(value)
