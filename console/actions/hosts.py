"""Verbs for machines: declare, compare the key, accept it, look what is there."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import ProtectedError
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _

from console import alerts, audit, changes, operations
from console.access import Actor, require
from console.errors import WrongState
from console.models import Credential, Host, Operation

#: Changing one of these makes it another machine: its key has to be compared again.
_IDENTITY = {"address", "port", "jump_host_id"}


def create_host(
    actor: Actor,
    *,
    name: str,
    address: str,
    credential: Credential,
    port: int = 22,
    username: str = "root",
    jump_host: Host | None = None,
    notes: str = "",
) -> tuple[Host, Operation]:
    """Declare a machine and go and read its host key, for somebody to compare."""
    require(actor, "host.manage")
    with transaction.atomic():
        host = changes.create(
            actor,
            "host.create",
            Host(
                name=name,
                address=address,
                port=port,
                username=username,
                credential=credential,
                jump_host=jump_host,
                notes=notes,
            ),
        )
        return host, operations.begin(actor, "host.scan_key", host)


def update_host(
    actor: Actor, host: Host, *, expected_version: int | None = None, **values: Any
) -> Host:
    """Change a host. Another address, port or jump host unpins its key."""
    require(actor, "host.manage", host)
    with transaction.atomic():
        changed = changes.update(actor, "host.update", host, values, expected_version)
        if _IDENTITY & changed.keys():
            _unpin(host)
    return host


def delete_host(actor: Actor, host: Host) -> None:
    """Forget a machine. Nothing is changed on it."""
    require(actor, "host.manage", host)
    try:
        with transaction.atomic():
            alerts.resolve_all(host)
            changes.delete(actor, "host.delete", host)
    except ProtectedError as error:
        users = ", ".join(sorted({str(row) for row in error.protected_objects})[:5])
        raise WrongState(
            _("%(host)s is still in use by: %(users)s.") % {"host": host.name, "users": users}
        ) from error


def request_key_scan(actor: Actor, host: Host) -> Operation:
    """Read the host key that the machine shows now, without logging in."""
    require(actor, "host.manage", host)
    with transaction.atomic():
        return operations.begin(actor, "host.scan_key", host)


def accept_key(actor: Actor, host: Host, *, fingerprint: str) -> Operation:
    """Pin the offered key, whose fingerprint the person has compared, and look what is there.

    Raises ValidationError on "fingerprint" when it is not the one on offer.
    """
    require(actor, "host.manage", host)
    with transaction.atomic():
        host = changes.lock(host)
        if not host.offered_key:
            raise WrongState(
                _("%(host)s has offered no key that waits for an answer.") % {"host": host.name}
            )
        if not constant_time_compare(fingerprint.strip(), host.offered_fingerprint):
            raise ValidationError(
                {
                    "fingerprint": ValidationError(
                        _(
                            "This is not the fingerprint that the machine showed. Read the key"
                            " again and compare once more."
                        ),
                        code="fingerprint_differs",
                    )
                }
            )
        before = host.fingerprint
        host.trust = Host.Trust.PINNED
        host.host_key, host.fingerprint = host.offered_key, host.offered_fingerprint
        host.offered_key = host.offered_fingerprint = ""
        host.pinned_at, host.pinned_by = timezone.now(), actor.user
        host.save()
        audit.record(
            actor, "host.accept_key", host, changes={"fingerprint": [before, host.fingerprint]}
        )
        alerts.resolve("host-key-changed", host)
        return operations.begin(actor, "host.preflight", host)


def refuse_key(actor: Actor, host: Host) -> Host:
    """Drop the offered key. A pinned one that had changed stays blocked until the machine
    shows the pinned key again."""
    require(actor, "host.manage", host)
    with transaction.atomic():
        locked = changes.lock(host)
        refused = locked.offered_fingerprint
        locked.offered_key = locked.offered_fingerprint = ""
        locked.save()
        audit.record(actor, "host.refuse_key", locked, changes={"fingerprint": [refused, ""]})
    host.refresh_from_db()
    return host


def request_preflight(actor: Actor, host: Host) -> Operation:
    """Look what the machine has and lacks for each role."""
    require(actor, "host.manage", host)
    if host.trust != Host.Trust.PINNED:
        raise WrongState(
            _("The host key of %(host)s has to be accepted first.") % {"host": host.name}
        )
    with transaction.atomic():
        return operations.begin(actor, "host.preflight", host)


def _unpin(host: Host) -> None:
    host.trust = Host.Trust.UNPINNED
    host.host_key = host.fingerprint = host.offered_key = host.offered_fingerprint = ""
    host.pinned_at = host.pinned_by = None
    host.reach = Host.Reach.UNKNOWN
    host.save()
