"""The history of a director: each applied state as what was declared, kept at the cost of
what changed, compared as lines of the table.

A revision holds documents of services, by their number: whole ones now and then, else only
those that differ from the revision before, None for a service that is gone. A new whole one
is due when the revisions since the last one have become as heavy as that.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import models, transaction
from django.db.models import F, Max, Sum
from django.utils import timezone

from console.models import Operation
from console.planning import Plan
from lvs import declared
from lvs.ipvsadm import planner
from lvs.ipvsadm.planner import Summary
from lvs.ipvsadm.types import ServiceKey, VirtualEntry
from lvs.models import Director, RealServer, Revision, ServiceAddress, VirtualService
from lvs.models.directors import pack, unpack

Document = dict[str, Any]
Documents = dict[str, Document]

#: Services that revisions may name before a whole one is due, however small that would be.
_LIGHT = 50
_CHUNK = 900

#: Of a director: how the console works with it, which is no state of its machine.
_NOT_APPLIED = {"host_id", "probe_host_id", "policy", "confirm_seconds", "on_failure"}


def _columns(model: type[models.Model], *without: str) -> tuple[str, ...]:
    return tuple(
        field.attname
        for field in model._meta.concrete_fields
        if field.editable and not field.primary_key and field.attname not in without
    )


SERVICE_COLUMNS = (*_columns(VirtualService, "director_id"), "fwmark", "live_pool")
SERVER_COLUMNS = _columns(RealServer, "virtual_service_id")
ADDRESS_COLUMNS = _columns(ServiceAddress, "virtual_service_id")


@dataclass(frozen=True, slots=True)
class State:
    """What was declared at one moment: the director's own settings, and its services."""

    own: Document
    services: Documents


@dataclass(frozen=True, slots=True)
class Difference:
    """One field that differs: of the director (`subject` is "") or of a service."""

    subject: str
    field: str
    before: Any
    after: Any


@dataclass(frozen=True, slots=True)
class Comparison:
    """What lies between two states: lines of the table, and fields that it does not show."""

    plan: Plan
    fields: list[Difference]

    def __bool__(self) -> bool:
        return bool(self.plan) or bool(self.fields)


def record(
    director: Director,
    operation: Operation,
    generations: dict[int, int],
    gone: Iterable[int],
    summary: Summary,
) -> Revision | None:
    """Keep what has just been seen in place; call inside the transaction that says so.

    `generations` names the services that were applied and at which generation: one that
    somebody has changed meanwhile waits for its own apply. None where nothing is new.
    """
    last = Revision.objects.filter(director=director).first()
    own = own_document(director)
    changed: dict[str, Document | None] = dict.fromkeys(map(str, gone))
    changed |= _documents_at(director, generations)
    if last is not None and not changed and _read(last)["own"] == own:
        return None
    content: dict[str, Any] = {"own": own, "services": changed}
    is_whole = last is None or _is_due(director, len(changed))
    if is_whole:
        content["services"] = _whole(director, last, changed)
    revision = Revision.objects.create(
        director=director,
        number=last.number + 1 if last else 1,
        operation=operation,
        applied_by=operation.requested_by_label,
        is_whole=is_whole,
        content=pack(json.dumps(content)),
        weight=len(content["services"]),
        added=summary.added,
        changed=summary.changed,
        removed=summary.removed,
    )
    _forget_old(director, revision)
    return revision


def find(rows: models.QuerySet[Revision], number: int) -> Revision | None:
    """The state with this number, which may be any that an address can hold."""
    return rows.filter(number=number).first() if 0 < number < 2**31 else None


def state_at(revision: Revision) -> State:
    """What was declared at a revision: the last whole one, and what changed after it."""
    until = Revision.objects.filter(director=revision.director_id, number__lte=revision.number)
    start = until.filter(is_whole=True).aggregate(number=Max("number"))["number"]
    services: Documents = {}
    own: Document = {}
    for row in until.filter(number__gte=start).order_by("number"):
        content = _read(row)
        own = content["own"]
        for pk, document in content["services"].items():
            if document is None:
                services.pop(pk, None)
            else:
                services[pk] = document
    return State(own, services)


def state_now(director: Director) -> State:
    """What is declared now, applied or not; services on their way out are left out."""
    return State(own_document(director), _documents(director.virtual_services.declared()))


def own_document(director: Director) -> Document:
    """The director's own declared settings."""
    names = [name for name in _columns(Director) if name not in _NOT_APPLIED]
    return {name: getattr(director, name) for name in [*names, "is_under_attack"]}


def compare(before: State, after: State) -> Comparison:
    """The way from one state to the other."""
    differing = [
        pk
        for pk in before.services.keys() | after.services.keys()
        if before.services.get(pk) != after.services.get(pk)
    ]
    differing.sort(key=int)
    was, wanted = _table(before, differing), _table(after, differing)
    lines = planner.plan_lines(wanted, was, was.keys() | wanted.keys())
    fields = _differences("", before.own, after.own)
    for pk in differing:
        old, new = before.services.get(pk, {}), after.services.get(pk, {})
        if old and new:
            fields += _differences(new["name"], old, new)
    return Comparison(planner.batch(lines), fields)


def _differences(subject: str, before: Document, after: Document) -> list[Difference]:
    return [
        Difference(subject, name, before.get(name), after.get(name))
        for name in after
        if name != "real_servers" and before.get(name) != after.get(name)
    ]


def _table(state: State, pks: Collection[str]) -> dict[ServiceKey, VirtualEntry]:
    return dict(pair for pk in pks if pk in state.services for pair in _entries(state.services[pk]))


def _entries(document: Document) -> list[tuple[ServiceKey, VirtualEntry]]:
    known = {name: document[name] for name in SERVICE_COLUMNS if name in document}
    service = VirtualService(**known)
    servers = [RealServer(**_known(one, SERVER_COLUMNS)) for one in document["real_servers"]]
    return list(declared.entries_of(service, servers).items())


def _known(document: Document, names: Iterable[str]) -> Document:
    return {name: document[name] for name in names if name in document}


def _read(revision: Revision) -> dict[str, Any]:
    content: dict[str, Any] = json.loads(unpack(revision.content))
    return content


def _documents_at(director: Director, generations: dict[int, int]) -> Documents:
    """Documents of those services that are still at the given generation."""
    found: Documents = {}
    pks = list(generations)
    for start in range(0, len(pks), _CHUNK):
        chunk = pks[start : start + _CHUNK]
        rows = director.virtual_services.filter(pk__in=chunk)
        same = [pk for pk, now in rows.values_list("pk", "generation") if generations[pk] == now]
        found |= _documents(rows.filter(pk__in=same))
    return found


def _documents(services: models.QuerySet[VirtualService]) -> Documents:
    """Three queries, whatever the number of services."""
    found: Documents = {
        str(row.pop("pk")): {**row, "addresses": [], "real_servers": []}
        for row in services.order_by("pk").values("pk", *SERVICE_COLUMNS)
    }
    for name, model, columns in (
        ("addresses", ServiceAddress, ADDRESS_COLUMNS),
        ("real_servers", RealServer, SERVER_COLUMNS),
    ):
        rows = model._base_manager.filter(virtual_service__in=services.order_by())
        for row in rows.order_by("pk").values("virtual_service_id", *columns):
            found[str(row.pop("virtual_service_id"))][name].append(row)
    return found


def _is_due(director: Director, more: int) -> bool:
    """Whether the next revision should be whole."""
    rows = Revision.objects.filter(director=director)
    whole = rows.filter(is_whole=True).first()
    if whole is None:
        return True
    since = rows.filter(number__gt=whole.number).aggregate(weight=Sum("weight"))["weight"] or 0
    return since + more > max(_LIGHT, whole.weight)


def _whole(
    director: Director, last: Revision | None, changed: dict[str, Document | None]
) -> Documents:
    """All documents: those before with what changed, or all that is in place."""
    if last is None:
        applied = director.virtual_services.declared().filter(generation=F("applied_generation"))
        before = _documents(applied)
    else:
        before = state_at(last).services
    return {pk: one for pk, one in (before | changed).items() if one is not None}


def _forget_old(director: Director, newest: Revision) -> None:
    """Let go of revisions beyond the number and the age that are kept, some at a time."""
    rows = Revision.objects.filter(director=director)
    oldest = newest.number - settings.REVISIONS_KEPT + 1
    limit = timezone.now() - timedelta(days=settings.REVISION_DAYS)
    fresh = rows.filter(applied_at__gte=limit).order_by("number").first()
    keep = max(oldest, fresh.number if fresh else newest.number)
    first = rows.order_by("number").first()
    if first is None or keep - first.number < settings.REVISIONS_KEPT // 10 + 1:
        return
    kept = rows.filter(number__gte=keep).order_by("number").first()
    if kept is None:
        return
    with transaction.atomic():
        if not kept.is_whole:
            state = state_at(kept)
            kept.content = pack(json.dumps({"own": state.own, "services": state.services}))
            kept.is_whole, kept.weight = True, len(state.services)
            kept.save(update_fields=["content", "is_whole", "weight"])
        rows.filter(number__lt=kept.number).delete()
