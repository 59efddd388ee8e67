"""The rows of a service: its pool and its addresses made what is wanted. For the verbs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from console import audit, changes
from console.access import Actor, require
from lvs.models import RealServer, ServiceAddress, VirtualService


def require_machines(
    actor: Actor, present: Iterable[RealServer], wanted: Iterable[RealServer]
) -> None:
    """The same for a whole pool, whose rows keep their machines."""
    before = {server.pk: server.host_id for server in present}
    for server in wanted:
        require_machine(actor, server.host_id, before.get(server.pk))


def require_machine(actor: Actor, wanted: int | None, present: int | None) -> None:
    """Only the operator says on which machine the console prepares a real server: there it
    runs commands as root."""
    if wanted != present:
        require(actor, "host.manage")


def replace_addresses(
    actor: Actor,
    service: VirtualService,
    present: Sequence[ServiceAddress],
    wanted: Sequence[ServiceAddress],
) -> dict[str, list[Any]]:
    """Make the rows those of `wanted`; equal ones stay."""
    kept = {str(row): row for row in present}
    for row in wanted:
        if kept.pop(str(row), None) is None:
            row.virtual_service = service
            row.full_clean()
            row.save(force_insert=True)
    for row in kept.values():
        row.delete()
    changed = {"addresses": [", ".join(map(str, present)), ", ".join(map(str, wanted))]}
    audit.record(actor, "virtual_service.update", service, changes=changed)
    return dict(changed)


def replace_servers(
    actor: Actor,
    service: VirtualService,
    present: list[RealServer],
    wanted: list[RealServer],
) -> dict[str, list[Any]]:
    """Make the rows those of `wanted`; removals first, so that an address can move."""
    kept = {server.pk for server in wanted if server.pk is not None}
    changed: dict[str, list[Any]] = {}
    before = {row.pk: audit.values_of(row) for row in present}
    for row in present:
        if row.pk not in kept:
            changed[f"real server {row}"] = ["present", ""]
            changes.delete(actor, "real_server.delete", row)
    for server in wanted:
        server.virtual_service = service
        if server.pk is None:
            changed[f"real server {server}"] = ["", "present"]
            changes.create(actor, "real_server.create", server)
            continue
        differs = audit.differences(before[server.pk], audit.values_of(server))
        if differs:
            changed[f"real server {server}"] = ["changed", ""]
            server.full_clean()
            server.save()
            audit.record(actor, "real_server.update", server, changes=differs)
    return changed
