"""Alerts: raised and resolved by fingerprint, their words kept in one table.

A fingerprint is `kind:target_type:target_id`, with a suffix where one object can have
several. Raising an open one again only refreshes it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, models, transaction
from django.utils import timezone
from django.utils.functional import Promise

from console import audit
from console.access import Actor, require, tenant_of
from console.models import Alert


@dataclass(frozen=True, slots=True)
class AlertKind:
    """How one kind of alert reads. Title and detail are format strings over its params;
    `runbook` is the anchor of its paragraph in docs/runbook.md."""

    code: str
    severity: Alert.Severity
    title: str | Promise
    detail: str | Promise
    runbook: str


KINDS: dict[str, AlertKind] = {}


def register(kind: AlertKind) -> None:
    """Make a kind of alert known; apps do this once when they start."""
    KINDS[kind.code] = kind


def fingerprint_of(kind: str, target: models.Model, suffix: str = "") -> str:
    """The fingerprint of a kind of alert on one object."""
    parts = [kind, target._meta.label_lower, str(target.pk), *([suffix] if suffix else [])]
    return ":".join(parts)


def raise_alert(
    kind: str,
    target: models.Model,
    *,
    params: dict[str, Any] | None = None,
    commands: str = "",
    suffix: str = "",
) -> Alert:
    """Open an alert, or refresh the open one of the same fingerprint."""
    fingerprint = fingerprint_of(kind, target, suffix)
    fresh = {
        "params": {"target": str(target), **(params or {})},
        "commands": commands,
        "last_seen_at": timezone.now(),
    }
    try:
        with transaction.atomic():
            alert, made = Alert.objects.get_or_create(
                fingerprint=fingerprint,
                resolved_at=None,
                defaults={
                    "kind": kind,
                    "severity": KINDS[kind].severity,
                    "target_type": target._meta.label_lower,
                    "target_id": target.pk,
                    "target_label": str(target)[:128],
                    "tenant": tenant_of(target),
                    **fresh,
                },
            )
    except IntegrityError:  # somebody raised it at the same moment
        alert, made = Alert.objects.get(fingerprint=fingerprint, resolved_at=None), False
    if not made:
        Alert.objects.filter(pk=alert.pk).update(**fresh)
    return alert


def resolve(kind: str, target: models.Model, *, suffix: str = "") -> bool:
    """Close the open alert of that fingerprint; True when there was one."""
    return bool(
        Alert.objects.filter(
            fingerprint=fingerprint_of(kind, target, suffix), resolved_at=None
        ).update(resolved_at=timezone.now())
    )


def resolve_all(target: models.Model) -> None:
    """Close whatever is open on an object that is going away."""
    Alert.objects.open().filter(target_type=target._meta.label_lower, target_id=target.pk).update(
        resolved_at=timezone.now()
    )


def acknowledge(actor: Actor, alert: Alert) -> None:
    """Say that somebody looks after it; it stays open until its cause is gone."""
    require(actor, "alert.acknowledge", alert)
    with transaction.atomic():
        changed = Alert.objects.filter(pk=alert.pk, acknowledged_at=None).update(
            acknowledged_at=timezone.now(), acknowledged_by=actor.user
        )
        if changed:
            audit.record(actor, "alert.acknowledge", alert)
    alert.refresh_from_db()
