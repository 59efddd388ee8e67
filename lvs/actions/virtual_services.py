"""Verbs for virtual services and their real servers: declare, change, remove, prove."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from console import alerts, audit, changes, operations
from console.access import Actor, require
from console.errors import WrongState
from console.models import Operation, Tenant
from lvs import marks, matching, rules
from lvs.actions import pool
from lvs.actions.applying import begin_apply
from lvs.models import Director, RealServer, ServiceAddress, VirtualService
from lvs.models.directors import Provisioning

Servers = Iterable[dict[str, Any]]
Addresses = Iterable[dict[str, Any]]

#: What makes a service that one: it cannot change once it is in the kernel's table.
_IDENTITY = ("director", "protocol", "vip", "port", "matching")
#: Changing these is nothing that the director has to learn.
_NOT_IN_TABLE = {"name", "tenant_id"}


def create_virtual_service(
    actor: Actor,
    *,
    director: Director,
    tenant: Tenant | None = None,
    addresses: Addresses = (),
    real_servers: Servers = (),
    apply: bool = False,
    **values: Any,
) -> tuple[VirtualService, Operation | None]:
    """Declare a service with its real servers; with `apply` also begin to put it in place.

    `addresses` are what a service by firewall mark takes beside its VIP. Raises
    ValidationError whose keys are field names, or "real_servers.0.rip" and so on.
    """
    service = VirtualService(director=director, tenant=tenant)
    require(actor, "virtual_service.manage", service)
    changes.assign(service, values)
    servers = rules.servers_from(real_servers)
    rows = matching.addresses_from(addresses)
    with transaction.atomic():
        declare(actor, "virtual_service.create", service, servers, addresses=rows)
        return service, begin_apply(actor, director, [service]) if apply else None


def declare(
    actor: Actor,
    verb: str,
    service: VirtualService,
    servers: Sequence[RealServer],
    *,
    addresses: Sequence[ServiceAddress] = (),
    is_adoption: bool = False,
) -> None:
    """Validate and insert a service with its real servers. Call inside a transaction."""
    for server in servers:
        pool.require_machine(actor, server.host_id, None)
    marks.settle(service)
    rules.check(service, servers, addresses=addresses, is_adoption=is_adoption)
    changes.create(actor, verb, service)
    rows: Iterable[ServiceAddress | RealServer] = (*addresses, *servers)
    for row in rows:
        row.virtual_service = service
        row.save(force_insert=True)


def update_virtual_service(
    actor: Actor,
    service: VirtualService,
    *,
    expected_version: int | None = None,
    addresses: Addresses | None = None,
    real_servers: Servers | None = None,
    apply: bool = False,
    **values: Any,
) -> tuple[VirtualService, Operation | None]:
    """Change a service; `real_servers` and `addresses`, where given, are the whole new lists.

    A real server with "id" keeps that row; a row that is not named goes.
    """
    require(actor, "virtual_service.manage", service)
    with transaction.atomic():
        _refuse_leaving(service)
        present = list(service.addresses.all())
        rows = matching.addresses_from(addresses) if addresses is not None else present
        differs = sorted(map(str, rows)) != sorted(map(str, present))
        values = rules.with_way(values)
        if _changes_identity(service, values) or "tenant" in values or differs:
            require(actor, "director.manage", service.director)
        changed = changes.update(actor, "virtual_service.update", service, values, expected_version)
        if marks.settle(service):
            service.save(update_fields=["fwmark"])
        if differs:
            changed |= pool.replace_addresses(actor, service, present, rows)
        servers = list(service.real_servers.all())
        if real_servers is not None:
            wanted = rules.servers_from(real_servers, present=servers)
            pool.require_machines(actor, servers, wanted)
            rules.check(service, wanted, addresses=rows)
            changed |= pool.replace_servers(actor, service, servers, wanted)
        else:
            rules.check(service, servers, addresses=rows)
        if changed.keys() - _NOT_IN_TABLE:
            touch(service)
        return service, begin_apply(actor, service.director, [service]) if apply else None


def add_real_server(
    actor: Actor, service: VirtualService, *, apply: bool = False, **values: Any
) -> tuple[RealServer, Operation | None]:
    """Declare one more real server."""
    require(actor, "virtual_service.manage", service)
    with transaction.atomic():
        service = lock_for_change(service)
        server = rules.server_from(values)
        pool.require_machine(actor, server.host_id, None)
        server.virtual_service = service
        rules.check(service, [*service.real_servers.all(), server], only=server)
        changes.create(actor, "real_server.create", server)
        touch(service)
        return server, begin_apply(actor, service.director, [service]) if apply else None


def update_real_server(
    actor: Actor,
    real_server: RealServer,
    *,
    expected_version: int | None = None,
    apply: bool = False,
    **values: Any,
) -> tuple[RealServer, Operation | None]:
    """Change weight, thresholds, or the address itself (which is another real server)."""
    require(actor, "virtual_service.manage", real_server)
    with transaction.atomic():
        service = lock_for_change(real_server.virtual_service)
        if "host" in values:
            wanted = values["host"].pk if values["host"] is not None else None
            pool.require_machine(actor, wanted, real_server.host_id)
        values = rules.with_way(values)
        changed = changes.update(actor, "real_server.update", real_server, values, expected_version)
        servers = list(service.real_servers.all())
        rules.check(service, servers, only=next(row for row in servers if row == real_server))
        if changed:
            touch(service)
        return real_server, begin_apply(actor, service.director, [service]) if apply else None


def remove_real_server(
    actor: Actor, real_server: RealServer, *, apply: bool = False
) -> Operation | None:
    """Take a real server out of its service."""
    require(actor, "virtual_service.manage", real_server)
    with transaction.atomic():
        service = lock_for_change(real_server.virtual_service)
        changes.delete(actor, "real_server.delete", real_server)
        touch(service)
        return begin_apply(actor, service.director, [service]) if apply else None


def request_removal(actor: Actor, service: VirtualService, *, confirm: str) -> Operation | None:
    """Remove a service from its director, after its name was typed in.

    The row stays until the director was seen without it. One that was never applied is
    gone at once, and None is returned.
    """
    require(actor, "virtual_service.manage", service)
    if confirm.strip() != service.name:
        raise ValidationError(
            {
                "confirm": ValidationError(
                    _("Type %(name)s to confirm.") % {"name": service.name}, code="not_confirmed"
                )
            }
        )
    with transaction.atomic():
        leaving = let_go(actor, service)
        return (
            begin_apply(actor, service.director, [leaving], is_confirmed=True) if leaving else None
        )


def let_go(actor: Actor, service: VirtualService) -> VirtualService | None:
    """Put a service on its way out; None when it was never applied and is gone at once.

    Call inside the transaction that also begins the apply.
    """
    service = changes.lock(service)
    alerts.resolve_all(service)
    never_sent = service.applied_generation == 0 and not (
        Operation.objects.on(service.director).exclude(kind="director.observe").exists()
    )
    if never_sent:
        changes.delete(actor, "virtual_service.delete", service)
        return None
    if service.removal_requested_at is None:
        service.removal_requested_at = timezone.now()
        service.provisioning_status = Provisioning.PENDING
        service.save()
    audit.record(actor, "virtual_service.remove", service)
    return service


def keep(actor: Actor, service: VirtualService) -> VirtualService:
    """Undo a removal that has not happened yet."""
    require(actor, "virtual_service.manage", service)
    with transaction.atomic():
        locked = changes.lock(service)
        if locked.removal_requested_at is None:
            raise WrongState(_("%(name)s is not being removed.") % {"name": locked.name})
        if Operation.objects.on(locked.director).live().exists():
            raise WrongState(_("The removal is already under way. Cancel its operation first."))
        locked.removal_requested_at = None
        locked.save()
        touch(locked)
        audit.record(actor, "virtual_service.keep", locked)
    service.refresh_from_db()
    return service


def request_proof(actor: Actor, service: VirtualService) -> Operation:
    """Ask each real server through its path, and the VIP from outside where the director has
    a client for proofs."""
    require(actor, "virtual_service.prove", service)
    if service.applied_generation == 0:
        raise WrongState(_("%(name)s has never been applied.") % {"name": service.name})
    with transaction.atomic():
        return operations.begin(actor, "virtual_service.prove", service)


def lock_for_change(service: VirtualService) -> VirtualService:
    locked = changes.lock(service)
    _refuse_leaving(locked)
    return locked


def _refuse_leaving(service: VirtualService) -> None:
    if service.is_leaving:
        raise WrongState(_("%(name)s is being removed.") % {"name": service.name})


def _changes_identity(service: VirtualService, values: dict[str, Any]) -> bool:
    """Whether another service is asked for; refused once this one is in place."""
    changed = [
        name for name in _IDENTITY if name in values and values[name] != getattr(service, name)
    ]
    if changed and service.applied_generation > 0:
        fixed = ValidationError(
            _("This is what makes the service: declare another one and remove this."), code="fixed"
        )
        raise ValidationError(dict.fromkeys(changed, fixed))
    return bool(changed)


def touch(service: VirtualService) -> None:
    """Something that the director has to learn has changed."""
    service.generation += 1
    service.provisioning_status = Provisioning.PENDING
    service.save(update_fields=["generation", "provisioning_status"])
