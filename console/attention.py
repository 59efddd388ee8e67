"""What needs a person now: open alerts, failed and stuck operations, keys to compare."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db.models import Exists, F, OuterRef, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.functional import Promise
from django.utils.translation import gettext as _

from console import alerts, operations, shell
from console.access import Actor, visible_to
from console.models import Alert, Host, Operation
from console.tones import tone_of
from console.words import spoken

#: A failed operation stays on the dashboard for so long.
FAILED_FOR = timedelta(days=1)
#: At most so many of each sort are spelled out; the lists have the rest.
SHOWN = 25


@dataclass(frozen=True, slots=True)
class Need:
    """One thing that waits for a person: a sentence, how long, and the one thing to press."""

    tone: str
    title: str
    text: str
    since: datetime
    url: str
    button: str | Promise


class _Lenient(dict[str, Any]):
    """Parameters of a message; one that an older row lacks is a dash, not an error."""

    def __missing__(self, key: str) -> str:
        return "–"


def alert_words(alert: Alert) -> tuple[str, str]:
    """Title and detail of an alert in the reader's language."""
    kind = alerts.KINDS.get(alert.kind)
    if kind is None:
        return f"{alert.kind}: {alert.target_label}", ""
    said = {**alert.params}
    if "error" in said:
        said["error"] = spoken(said["error"], said.get("error_words", {}))
    params = _Lenient(
        (name, value.rstrip(".。") if isinstance(value, str) else value)
        for name, value in said.items()
    )
    return str(kind.title) % params, str(kind.detail) % params


def needs(actor: Actor, now: datetime | None = None) -> list[Need]:
    """Everything that waits for this actor, the worst first, then the oldest."""
    now = now or timezone.now()
    found = [*_alerts(actor), *_failed(actor, now), *_stuck(actor, now), *_keys(actor)]
    return sorted(found, key=lambda need: (need.tone != "bad", need.since))


def _alerts(actor: Actor) -> list[Need]:
    """Open alerts that nobody has acknowledged."""
    rows = visible_to(actor, Alert.objects.open()).filter(acknowledged_at=None)
    found = []
    for alert in rows.order_by("raised_at")[:SHOWN]:
        title, detail = alert_words(alert)
        button = shell.ALERT_BUTTONS.get(alert.kind)
        url = shell.target_url(alert.target_type, alert.target_id) if button else ""
        found.append(
            Need(
                tone_of(alert.severity),
                title,
                detail,
                alert.raised_at,
                url or reverse("alert", args=[alert.pk]),
                button if button and url else _("Show"),
            )
        )
    return found


def _failed(actor: Actor, now: datetime) -> list[Need]:
    """Operations that failed within a day, with nothing of their kind begun there since."""
    later = Operation.objects.filter(
        target_type=OuterRef("target_type"),
        target_id=OuterRef("target_id"),
        kind=OuterRef("kind"),
        pk__gt=OuterRef("pk"),
    )
    rows = visible_to(actor, Operation.objects.all()).filter(
        ~Exists(later), status=Operation.Status.FAILED, finished_at__gte=now - FAILED_FOR
    )
    return [
        Need(
            "bad",
            _("%(operation)s failed on %(target)s")
            % {"operation": _label(operation), "target": operation.target_label},
            " ".join(part for part in (operation.error_text, operation.remedy_text) if part),
            operation.finished_at or operation.queued_at,
            operation.get_absolute_url(),
            _("See why"),
        )
        for operation in rows.order_by("finished_at")[:SHOWN]
    ]


def _stuck(actor: Actor, now: datetime) -> list[Need]:
    """Operations that nobody takes up, and running ones whose worker has gone silent."""
    silent = now - timedelta(seconds=settings.HEARTBEAT_STALE_AFTER)
    waiting = now - timedelta(seconds=max(60.0, settings.RESEND_AFTER * 4))
    rows = visible_to(actor, Operation.objects.all()).filter(
        Q(status=Operation.Status.RUNNING, heartbeat_at__lt=silent)
        | Q(status=Operation.Status.QUEUED, queued_at__lt=waiting, not_before=None)
        | Q(status=Operation.Status.QUEUED, not_before__lt=waiting)
    )
    return [
        Need(
            "warn",
            _("%(operation)s on %(target)s is stuck")
            % {"operation": _label(operation), "target": operation.target_label},
            _("Its worker has gone silent; it will be taken up again by another one.")
            if operation.status == Operation.Status.RUNNING
            else _("No worker has taken it up. See that a worker runs and that Redis answers."),
            operation.heartbeat_at or operation.queued_at,
            operation.get_absolute_url(),
            _("Look at it"),
        )
        for operation in rows.order_by(F("queued_at"))[:SHOWN]
    ]


def _keys(actor: Actor) -> list[Need]:
    """Hosts that have shown a key which nobody has compared yet."""
    rows = visible_to(actor, Host.objects.all()).filter(trust=Host.Trust.UNPINNED)
    return [
        Need(
            "warn",
            _("%(host)s waits for its key to be accepted") % {"host": host.name},
            _("It shows %(fingerprint)s. Nothing is done on it before somebody has compared that.")
            % {"fingerprint": host.offered_fingerprint},
            host.updated_at,
            reverse("host", args=[host.pk]),
            _("Compare the key"),
        )
        for host in rows.exclude(offered_fingerprint="").order_by("updated_at")[:SHOWN]
    ]


def _label(operation: Operation) -> str:
    kind = operations.KINDS.get(operation.kind)
    return f"{kind.label if kind else operation.kind} #{operation.pk}"
