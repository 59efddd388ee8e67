"""Draining a real server: weight 0, wait until its connections have ended or a limit, then
take it out or leave it there.

A drain holds neither a worker nor its director while it waits: it looks, puts itself back
in the queue, and goes on from what it sees. Weight and removal are applies of the director
like any other, begun when the director is free.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone

from console import hosts, machines, operations
from console.access import SYSTEM, Actor
from console.errors import Busy, VerbRefused
from console.execution import Later, Refusal, Run, Stopped
from console.models import Operation
from console.planning import mark as _
from console.remote.transport import HostUnreachable, OutcomeUnknown
from lvs import declared
from lvs.actions import virtual_services as verbs
from lvs.actions.applying import begin_apply
from lvs.ipvsadm import parse, render
from lvs.models import RealServer, VirtualService
from lvs.pinned import require_pinned

#: Seconds between two looks at the connections, and at an apply that is under way.
_LOOK, _SOON = 5.0, 2.0


class _Seen(NamedTuple):
    """A real server in the kernel's table: its weight, and how many connections keep it."""

    weight: int
    left: int


def drain(run: Run) -> dict[str, Any]:
    """The body of `real_server.drain`; its parameters are those of the verb.

    Raises Later while it waits. Cancelled, it gives the old weight back.
    """
    try:
        return _drain(run)
    except Stopped as stop:
        if stop.code == "cancelled":
            _give_back(run)
        raise


def _drain(run: Run) -> dict[str, Any]:
    run.check()
    server = _server_of(run.operation)
    if server is None:
        return _after_removal(run)
    if not run.operation.result.get("has_begun"):
        if server.weight:  # tried again after a drain that gave the weight back
            verbs.update_real_server(_actor(run), server, weight=0)
        _keep(run, has_begun=True)
    elif server.weight:
        raise Refusal(
            "drain-overtaken",
            _("Somebody gave %(server)s weight %(weight)s meanwhile"),
            {"server": server.address, "weight": server.weight},
            remedy=_("Drain it again if it still has to go."),
        )
    seen = _look(run, server)
    if seen is None:
        return _conclude(run, server, left=0)
    if seen.weight:
        _put_in_place(run, server)
    since = _since(run)
    limit = since + timedelta(seconds=run.operation.parameters["limit_seconds"])
    rest = (limit - timezone.now()).total_seconds()
    if seen.left and rest > 0:
        _wait(run, seen.left, limit, rest)
    return _conclude(run, server, left=seen.left)


def _server_of(operation: Operation) -> RealServer | None:
    return (
        RealServer.objects.select_related(
            "virtual_service__director__host__credential",
            "virtual_service__director__host__jump_host__credential",
            "virtual_service__tenant",
        )
        .filter(pk=operation.target_id)
        .first()
    )


def _look(run: Run, server: RealServer) -> _Seen | None:
    """The real server as the kernel has it now; None when it is not in the table.

    UDP knows no open connection, so all of its entries count. A look changes nothing and
    needs no journal.
    """
    service = server.virtual_service
    host = service.director.host
    require_pinned(host)
    key = declared.key_of(service)
    try:
        session = machines.session(host)
        argv = ("ipvsadm", "-Ln", *render.service_words(key).split())
        result = session.run(argv, timeout=60)
    except (HostUnreachable, OutcomeUnknown) as error:
        hosts.note_failure(error)
        raise Later(
            2 * _LOOK, _("The director cannot be asked: %(error)s"), {"error": str(error)}
        ) from error
    if not result.ok:
        return None
    section = parse.parse_listing(result.stdout).get(key)
    wanted = next(iter(declared.entry_of(service, [server]).destinations))
    row = section.rows.get(wanted) if section else None
    if row is None:
        return None
    active, inactive = row.connections
    counts_all = service.protocol == VirtualService.Protocol.UDP
    return _Seen(row.weight, active + inactive if counts_all else active)


def _put_in_place(run: Run, server: RealServer) -> None:
    """See that weight 0 is applied: wait for the apply that does it, or begin it."""
    service = server.virtual_service
    mine = _apply_of(run)
    if mine is None or mine.status == Operation.Status.SUCCEEDED:
        _begin(run, lambda: begin_apply(_actor(run), service.director, [service]))
    elif not mine.is_live:
        raise _not_applied(mine)
    raise Later(_SOON, _("Weight 0 is being put in place"))


def _since(run: Run) -> datetime:
    """When weight 0 was first seen in place."""
    kept = run.operation.result.get("since")
    if kept:
        return datetime.fromisoformat(kept)
    now = timezone.now()
    _keep(run, since=now.isoformat())
    return now


def _wait(run: Run, left: int, limit: datetime, rest: float) -> None:
    _keep(run, left=left, until=limit.isoformat())
    whole = run.operation.parameters["limit_seconds"]
    run.progress(int(100 * (whole - rest) / whole))
    minutes, seconds = divmod(int(rest), 60)
    raise Later(
        min(_LOOK, rest),
        _("Connections left: %(left)s. The limit is reached in %(rest)s."),
        {"left": left, "rest": f"{minutes}:{seconds:02}"},
    )


def _conclude(run: Run, server: RealServer, *, left: int) -> dict[str, Any]:
    _keep(run, left=left)
    if run.operation.parameters["then"] == "keep":
        return dict(run.operation.result)
    actor = _actor(run)
    _begin(run, lambda: verbs.remove_real_server(actor, server, apply=True))
    raise Later(_SOON, _("It is being taken out"))


def _after_removal(run: Run) -> dict[str, Any]:
    """The row is gone: done, once the apply that we began has ended well."""
    mine = _apply_of(run)
    if mine is not None and mine.is_live:
        raise Later(_SOON, _("It is being taken out"))
    if mine is not None and mine.status != Operation.Status.SUCCEEDED:
        raise _not_applied(mine)
    return dict(run.operation.result)


def _give_back(run: Run) -> None:
    """Undo: the weight that it had before. Raises Later while the director is busy."""
    server, weight = _server_of(run.operation), run.operation.parameters["weight"]
    if server is None or server.weight or not weight:
        return
    actor = _actor(run)
    try:
        _begin(run, lambda: verbs.update_real_server(actor, server, weight=weight, apply=True)[1])
    except (ValidationError, VerbRefused) as error:
        raise Refusal(
            "weight-not-given-back",
            _("%(server)s could not get its weight %(weight)s back"),
            {"server": server.address, "weight": weight},
            said=str(error),
            remedy=_("Set its weight on the page of its virtual service, then apply."),
        ) from error


def _begin(run: Run, verb: Any) -> None:
    """Begin an apply and remember it; wait where the director has something else to do."""
    try:
        with transaction.atomic():
            operation = verb()
            _keep(run, apply=operation.pk)
    except Busy as busy:
        raise Later(
            _SOON,
            _("It waits for operation #%(number)s on the director"),
            {"number": busy.operation.pk},
        ) from busy


def _apply_of(run: Run) -> Operation | None:
    return Operation.objects.filter(pk=run.operation.result.get("apply")).first()


def _not_applied(mine: Operation) -> Refusal:
    return Refusal(
        "drain-not-applied",
        _("Operation #%(number)s, which had to put it in place, has failed"),
        {"number": mine.pk},
        said=mine.error,
        remedy=_("Mend what it names and apply; then drain again if the real server is there."),
    )


def _keep(run: Run, **state: Any) -> None:
    """Write down how far it is: what the next look goes on from, and what pages show."""
    run.operation.result = {**run.operation.result, **state}
    operations.keep(run.operation, result=run.operation.result)


def _actor(run: Run) -> Actor:
    """The console, on behalf of whoever asked for the drain and was allowed to."""
    operation = run.operation
    return replace(SYSTEM, label=operation.requested_by_label, user=operation.requested_by)
