"""What workers learn about a host: reached, not reached, or showing another key."""

from __future__ import annotations

from django.db import transaction
from django.utils import timezone

from console import alerts, audit
from console.access import SYSTEM
from console.models import Host
from console.remote.transport import HostKeyChanged, HostUnreachable, RemoteError


def note_success(host: Host) -> None:
    """The host answered: remember when, and close what was open about it."""
    Host.objects.filter(pk=host.pk).update(
        reach=Host.Reach.REACHABLE, observed_at=timezone.now(), observed_error=""
    )
    alerts.resolve("host-unreachable", host)


def note_failure(error: RemoteError) -> None:
    """Keep what a failure says about its host. An unreachable host is neither drift nor
    death: its last observation stays. A changed key stops all work on it."""
    host = Host.objects.filter(name=error.machine).first()
    if host is None:
        return
    if isinstance(error, HostKeyChanged):
        _note_changed_key(host, error)
    elif isinstance(error, HostUnreachable):
        Host.objects.filter(pk=host.pk).update(
            reach=Host.Reach.UNREACHABLE, observed_error=error.message
        )
        alerts.raise_alert("host-unreachable", host, params={"error": error.message})


def _note_changed_key(host: Host, error: HostKeyChanged) -> None:
    with transaction.atomic():
        changed = Host.objects.filter(pk=host.pk, trust=Host.Trust.PINNED).update(
            trust=Host.Trust.CHANGED,
            offered_key=error.offered.line,
            offered_fingerprint=error.offered.fingerprint,
        )
        if changed:
            audit.record(
                SYSTEM,
                "host.key_changed",
                host,
                changes={"fingerprint": [host.fingerprint, error.offered.fingerprint]},
            )
        alerts.raise_alert(
            "host-key-changed",
            host,
            params={"pinned": host.fingerprint, "offered": error.offered.fingerprint},
        )
