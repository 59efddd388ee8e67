"""Going back to a state that was applied before."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from console import audit, changes
from console.access import Actor, require
from console.errors import WrongState
from console.models import Host, Operation, Tenant
from lvs import history
from lvs.actions.applying import begin_apply
from lvs.actions.virtual_services import (
    create_virtual_service,
    keep,
    let_go,
    update_virtual_service,
)
from lvs.history import Document
from lvs.models import Director, Revision, VirtualService
from lvs.models.directors import Provisioning

#: What makes a real server that one within its service.
_SERVER_KEY = ("pool", "rip", "port")


def go_back(
    actor: Actor,
    director: Director,
    revision: Revision,
    *,
    apply: bool = False,
    confirm_removals: int = 0,
) -> Operation | None:
    """Declare again what was declared at a revision, in one transaction.

    Nothing is changed on the director before that is applied: the planned changes show it
    first, unless `apply` begins it at once. A service that has to come back is declared
    anew; one that was not there then is removed. Raises ValidationError where the rules
    refuse now what they took then.
    """
    require(actor, "director.manage", director)
    require(actor, "director.apply", director)
    state, now = history.state_at(revision), history.state_now(director)
    with transaction.atomic():
        locked = changes.lock(director)
        if holder := Operation.objects.on(locked).live().first():
            raise WrongState(
                _("Operation #%(number)s on it is not finished.") % {"number": holder.pk}
            )
        audit.record(
            actor,
            "director.go_back",
            director,
            changes={"revision": ["", revision.number]},
        )
        _restore_own(actor, director, state.own)
        rows = {str(row.pk): row for row in director.virtual_services.all()}
        kept = {pk: _row_for(pk, document, rows) for pk, document in state.services.items()}
        staying = {row.pk for row in kept.values() if row is not None}
        for row in rows.values():
            if row.pk not in staying and not row.is_leaving:
                let_go(actor, row)
        for pk, document in state.services.items():
            found = kept[pk]
            if found is not None and found.is_leaving:
                found = keep(actor, found)
            if found is None or now.services.get(str(found.pk)) != document:
                _restore(actor, director, found, document)
        if not apply:
            return None
        return begin_apply(actor, director, None, confirm_removals=confirm_removals)


def _restore_own(actor: Actor, director: Director, own: Document) -> None:
    values = {name: value for name, value in own.items() if name != "is_under_attack"}
    changes.update(actor, "director.update", director, values)
    if "is_under_attack" in own and own["is_under_attack"] != director.is_under_attack:
        director.is_under_attack = own["is_under_attack"]
        director.save(update_fields=["is_under_attack"])


def _row_for(pk: str, document: Document, rows: dict[str, VirtualService]) -> VirtualService | None:
    """The row of a document: the very one, or one declared since at the same address."""
    identity = ("protocol", "vip", "port", "matching")
    candidates = [rows[pk]] if pk in rows else list(rows.values())
    for row in candidates:
        if all(getattr(row, name) == document.get(name, getattr(row, name)) for name in identity):
            return row
    return None


def _restore(
    actor: Actor, director: Director, row: VirtualService | None, document: Document
) -> None:
    values = {name: value for name, value in document.items() if name in history.SERVICE_COLUMNS}
    live_pool = values.pop("live_pool", "blue")
    values.pop("fwmark", None)
    values["tenant"] = Tenant.objects.filter(pk=values.pop("tenant_id", None)).first()
    present = {} if row is None else {
        tuple(getattr(one, name) for name in _SERVER_KEY): one.pk
        for one in row.real_servers.all()
    }  # fmt: skip
    values["real_servers"] = [_server(one, present) for one in document["real_servers"]]
    values["addresses"] = document["addresses"]
    if row is None:
        row, _operation = create_virtual_service(actor, director=director, **values)
    else:
        update_virtual_service(actor, row, **values)
    row.refresh_from_db()
    if row.live_pool != live_pool:
        row.live_pool = live_pool
        row.generation += 1
        row.provisioning_status = Provisioning.PENDING
        row.save(update_fields=["live_pool", "generation", "provisioning_status"])


def _server(document: Document, present: dict[tuple[Any, ...], int]) -> dict[str, Any]:
    values = {name: value for name, value in document.items() if name in history.SERVER_COLUMNS}
    values["host"] = Host.objects.filter(pk=values.pop("host_id", None)).first()
    pk = present.get(tuple(values.get(name) for name in _SERVER_KEY))
    return values if pk is None else {**values, "id": pk}
