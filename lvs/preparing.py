"""Preparing real servers on their own machines, and undoing it when they leave.

A director's apply prepares first, then changes the director, then withdraws; `real_server.prepare`
does the same for one machine. What is wanted is read again before every pass, so that two
operations on one machine end at the same state.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from console import alerts, hosts
from console.converge import converge
from console.execution import Refusal, Run
from console.models import Host
from console.planning import Plan, Step
from console.planning import mark as _
from console.remote.session import Session
from console.remote.transport import Fence, HostUnreachable, RemoteError, Result
from lvs import needed
from lvs.director.sample import IncompleteSample
from lvs.models import PreparedServer, VirtualService
from lvs.models.directors import Provisioning
from lvs.pinned import require_pinned
from lvs.realserver import planner, problems, sample
from lvs.realserver.items import Item
from lvs.realserver.needs import Need
from lvs.realserver.sample import Seen
from lvs.realserver.wanted import wanted_items

ROWS = PreparedServer.objects.select_related("host__credential", "host__jump_host__credential")
_HOSTS = Host.objects.select_related("credential", "jump_host__credential")

#: Runs one step on the machine: journalled in an operation, plain in a poll.
Runner = Callable[[Step], Result]


def look(
    run: Runner, machine: str, items: Iterable[Item] = (), ends: Collection[Need] = ()
) -> Seen:
    """How the machine is. `items` name the ways back that are asked, `ends` the needs whose
    connections are counted. Raises Refusal when the machine answers, but not with that."""
    rules = [item.name for item in items if item.kind == "rule"]
    step = Step(
        _("Look at the real server"),
        sample.ARGV,
        stdin=sample.script(rules, {need.local_address for need in ends}),
    )
    result = run(step)
    try:
        return sample.read(result.stdout, result.stderr)
    except (IncompleteSample, KeyError, ValueError) as error:
        raise Refusal(
            "real-server-not-read",
            _("%(machine)s: what it has as a real server could not be read"),
            {"machine": machine},
            said=f"{error}\n{result.stderr}".strip(),
            remedy=_("The machine needs iproute2 and awk. Run the preflight of this host."),
        ) from error


def before(run: Run, services: Collection[int]) -> None:
    """Prepare the machines that these services declare, before a director sends packets.

    All of them are looked at before the first is changed; one that cannot be reached or
    that cannot serve is a Refusal. Machines that are prepared already are left alone.
    """
    jobs = []
    for host_id, needs in needed.declared_needs(services).items():
        row = ROWS.filter(host=host_id).first() or PreparedServer(host=_HOSTS.get(pk=host_id))
        if not (_is_prepared(row) and needs <= row.need_values):
            session = _look_first(run, row, needs)
            jobs.append((row, needs, session))
    for row, needs, session in jobs:
        _bring(run, session, wanted := _want(row, needs), _kept(wanted))


def after(run: Run, services: Collection[int]) -> list[str]:
    """Withdraw what none of these services needs any more. The machines that could not be
    reached are returned: their undoing waits, and is tried again."""
    waiting = []
    for row in needed.prepared_for(ROWS, services):
        if needed.settled_needs(row) != row.need_values:
            try:
                settle(run, row)
            except (RemoteError, Refusal) as error:
                run.check()
                _note_waiting(row, error)
            if PreparedServer.objects.filter(pk=row.pk).exclude(undo_since=None).exists():
                waiting.append(row.host.name)
    return waiting


def prepare(run: Run) -> dict[str, Any]:
    """The body of `real_server.prepare`: prepare one machine for all that is declared, undo
    what no service needs, and verify."""
    row = ROWS.filter(pk=run.operation.target_id).first()
    if row is None:
        raise Refusal.gone(run.operation)
    services = VirtualService.objects.filter(real_servers__host=row.host_id)
    needs = needed.declared_needs(services.values_list("pk", flat=True)).get(row.host_id, set())
    try:
        _look_first(run, row, needs)
        if needs - row.need_values:
            row = _want(row, needs)
        settle(run, row)
    except (RemoteError, Refusal) as error:
        _note_failure(row, error)
        raise
    return {"needs": len(needs)}


def settle(run: Run, row: PreparedServer) -> None:
    """Bring one machine to what it should have now. Connections of a method that a service
    was moved away from are waited for, up to MOVE_LIMIT."""
    kept = row.need_values
    leaving = kept - needed.settled_needs(row)
    since = row.undo_since or timezone.now()
    is_over = timezone.now() - since > timedelta(seconds=settings.MOVE_LIMIT)
    session = _session(run, row.host)
    busy: set[Need] = set()
    if leaving and not is_over:
        seen = look(_journalled(run, session), row.host.name, ends=leaving)
        busy = _busy(leaving, needed.settled_needs(row), seen)
    wanted = _bring(run, session, row, lambda: needed.settled_needs(ROWS.get(pk=row.pk)) | busy)
    if not wanted:
        alerts.resolve_all(row)
        row.delete()
        return
    row.note(
        needs=_plain(wanted),
        undo_since=since if busy else None,
        status=Provisioning.PENDING if busy else Provisioning.ACTIVE,
        next_look_at=timezone.now() + timedelta(seconds=settings.POLL_INTERVAL if busy
                                                else settings.PREPARED_INTERVAL),
    )  # fmt: skip


def _busy(leaving: Iterable[Need], staying: Iterable[Need], seen: Seen) -> set[Need]:
    """The needs of a method that a service was moved away from, while connections use it. A
    real server that left altogether has none worth waiting for: the director dropped them."""
    moved = {(need.service, need.rip) for need in staying}
    return {
        need
        for need in leaving
        if (need.service, need.rip) in moved and seen.open_connections(need)
    }


def _is_prepared(row: PreparedServer) -> bool:
    return row.pk is not None and row.status == Provisioning.ACTIVE and not row.has_drifted


def _look_first(run: Run, row: PreparedServer, needs: Collection[Need]) -> Session:
    try:
        session = _session(run, row.host)
        seen = look(_journalled(run, session), row.host.name)
    except HostUnreachable as error:
        hosts.note_failure(error)
        raise Refusal(
            "real-server-unreachable",
            _("%(host)s cannot be reached, and must be prepared before packets are sent to it"),
            {"host": row.host.name},
            said=str(error),
            remedy=_(
                "See that it is up and try again. To serve without it, take the real server out"
                " or give it weight 0 later; to prepare it yourself, choose no machine for it."
            ),
        ) from error
    for problem in problems.problems(needs, seen):
        if problem.is_blocking:
            raise Refusal.of(problem)
    return session


def _session(run: Run, host: Host) -> Session:
    require_pinned(host)
    return run.session(host)


def _journalled(run: Run, session: Session) -> Runner:
    return lambda step: run.run(session, step)


def _want(row: PreparedServer, needs: Collection[Need]) -> PreparedServer:
    """Write down what the machine is about to be prepared for, before it is changed."""
    with transaction.atomic():
        locked, _made = PreparedServer.objects.select_for_update().get_or_create(host=row.host)
        locked.note(needs=_plain(locked.need_values | set(needs)), status=Provisioning.PENDING)
    return ROWS.get(pk=locked.pk)


def _bring(
    run: Run, session: Session, row: PreparedServer, wanted: Callable[[], Collection[Need]]
) -> Collection[Need]:
    """Converge one machine and note how it was seen; what was wanted at last."""
    asked: list[Collection[Need]] = [wanted()]

    def observe() -> Seen:
        asked.append(wanted())
        items = (*wanted_items(asked[-1]), *wanted_items(row.need_values))
        return look(_journalled(run, session), row.host.name, items)

    def plan(seen: Seen) -> Plan:
        return planner.plan(wanted_items(asked[-1]), seen, machine=row.host.name)

    seen, _outcome = converge(run, session, observe=observe, plan=plan, fence=_fence(run, row))
    hosts.note_success(row.host)
    keep_look(row, seen, status=Provisioning.ACTIVE)
    return asked[-1]


def _kept(row: PreparedServer) -> Callable[[], Collection[Need]]:
    """What the machine is to be prepared for, as it is written down at that moment."""
    return lambda: ROWS.get(pk=row.pk).need_values


def _fence(run: Run, row: PreparedServer) -> Fence:
    """Each asker has a fence of its own: two directors may prepare one machine."""
    asker = run.operation.target_type.rpartition(".")[2]
    return run.fence(f"real-server-{row.host_id}-{asker}-{run.operation.target_id}")


def keep_look(row: PreparedServer, seen: Seen, **fields: Any) -> None:
    """Write down a look that found the machine as it should be."""
    alerts.resolve("real-server-drift", row)
    row.note(
        observed_facts=seen.to_json(),
        observed_at=timezone.now(),
        error="",
        error_words={},
        drift="",
        drift_looks=0,
        **fields,
    )


def _note_failure(row: PreparedServer, error: Exception) -> None:
    if row.pk is not None:
        row.note(status=Provisioning.ERROR, **error_of(error))


def _note_waiting(row: PreparedServer, error: Exception) -> None:
    if isinstance(error, RemoteError):
        hosts.note_failure(error)
    row.note(
        status=Provisioning.PENDING,
        undo_since=row.undo_since or timezone.now(),
        next_look_at=timezone.now() + timedelta(seconds=settings.POLL_INTERVAL),
        **error_of(error),
    )


def error_of(error: Exception) -> dict[str, Any]:
    """The fields that keep why something failed."""
    return {"error": str(error), "error_words": error.words if isinstance(error, Refusal) else {}}


def _plain(needs: Iterable[Need]) -> list[dict[str, Any]]:
    return [need.to_json() for need in sorted(needs)]
