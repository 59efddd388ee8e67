"""Applying what is declared to a director: the loop, and the table kept for its next boot."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.db import transaction
from django.db.models import F, Q, QuerySet

from console import alerts
from console.converge import converge
from console.execution import Refusal, Run, Stopped
from console.planning import Line, Plan, Step
from console.planning import mark as _
from console.remote.session import Session
from console.remote.transport import HostUnreachable, OutcomeUnknown, Result
from lvs import caps, declared, drift, expected, history, observe, preparing, seen, undoing
from lvs.director import boot
from lvs.director import planner as around
from lvs.director.sample import Look
from lvs.ipvsadm import planner
from lvs.ipvsadm.errors import SaveRequired
from lvs.ipvsadm.parse import parse_save
from lvs.ipvsadm.types import ServiceKey, Table
from lvs.models import Director, VirtualService
from lvs.models.directors import Provisioning
from lvs.pinned import require_pinned

#: More changed services than this are not worth a look of their own.
_QUICK_SERVICES = 20
#: Appended lines that a saved rules file may carry before it is written whole again.
_SAVED_LINES = 1000
_CHUNK = 900
#: Seconds that the director has for undoing by itself before it is asked for the last time.
UNDOING = 10.0

_APPEND = 'cat >> "$1" && sync "$1" && sha256sum "$1"'


class _Moved(Exception):
    """The quick look does not do: something else moved, or it cannot show everything."""


@dataclass
class Change:
    """One apply at work: what it is about and what it has done so far."""

    run: Run
    director: Director
    session: Session
    services: QuerySet[VirtualService]
    guard: undoing.Guard
    is_automatic: bool = False
    #: Lines that the services are given back in place of what is declared for them.
    restored: list[str] | None = None
    applied: list[Line] = field(default_factory=list)
    passes: int = 0

    def step(self, step: Step) -> Result:
        """Run a reading step in the operation's journal."""
        return self.run.run(self.session, step)

    @property
    def is_confirmed(self) -> bool:
        """Whether what goes was named for removal by somebody."""
        return bool(self.run.operation.parameters.get("is_confirmed"))

    def look(self, keys: Collection[ServiceKey] | None = None) -> Look:
        """Look at the whole table, or quickly at the services of `keys`, with an eye on the
        timed undo."""
        self.guard.looking()
        machine = self.session.machine
        found = (
            observe.look_whole(self.step, machine)
            if keys is None
            else observe.look_quick(self.step, machine, keys)
        )
        self.guard.saw(found)
        return found


def apply(run: Run) -> dict[str, Any]:
    """The body of `director.apply`: bring a director to what is declared for it.

    With `services` in the parameters only those; `automatic` marks the reconciler, whose
    removals are capped. With `restore`, the services get these lines, and stay pending.
    """
    director = director_of(run)
    wanted = run.operation.parameters.get("services")
    services = director.virtual_services.all()
    if wanted is not None:
        services = services.filter(pk__in=wanted)
    is_automatic = bool(run.operation.parameters.get("automatic"))
    scope = list(services.values_list("pk", flat=True))
    try:
        preparing.before(run, scope)
        session = run.session(director.host)
        guard = undoing.Guard(run, director, session)
        restored = run.operation.parameters.get("restore")
        change = Change(run, director, session, services, guard, is_automatic, restored)
        with undoing.rolled_back(guard, director):
            result = _apply(change)
        if waiting := preparing.after(run, scope):
            result["still_to_undo"] = waiting
    except Stopped:
        raise
    except (HostUnreachable, OutcomeUnknown) as error:
        error.patience = director.confirm_seconds + UNDOING
        raise
    except Exception as error:
        _note_failure(director, services, is_automatic, error)
        raise
    Director.objects.filter(pk=director.pk).update(reconcile_failures=0)
    alerts.resolve("reconcile-stopped", director)
    return result


def director_of(run: Run) -> Director:
    """The director that an operation is about, if work on it may go on."""
    director = (
        Director.objects.select_related("host__credential", "host__jump_host__credential")
        .filter(pk=run.operation.target_id)
        .first()
    )
    if director is None:
        raise Refusal.gone(run.operation)
    require_pinned(director.host)
    return director


def _apply(change: Change) -> dict[str, Any]:
    touched = list(
        change.services.filter(~Q(generation=F("applied_generation"))
                               | ~Q(removal_requested_at=None)
                               | ~Q(provisioning_status=Provisioning.ACTIVE))
        .values_list("pk", "generation", "removal_requested_at")
    )  # fmt: skip
    pks = [pk for pk, _generation, _leaving in touched]
    if change.restored is not None:
        return _restore(change, change.restored)
    try:
        if not _goes_quick(change.director, pks):
            raise _Moved
        _apply_quick(change, change.services.filter(pk__in=pks))
        _conclude(change, touched)
    except (_Moved, SaveRequired):
        look = _apply_whole(change)
        _conclude(change, touched)
        seen.keep_drift(change.director, drift.of(change.director, look))
    return {
        "lines": len(change.applied),
        "summary": planner.summary(planner.batch(change.applied))._asdict(),
    }


def _goes_quick(director: Director, pks: list[int]) -> bool:
    return (
        0 < len(pks) <= _QUICK_SERVICES
        and seen.is_large(director)
        and not seen.needs_whole_look(director)
        and director.drift_count == 0
    )


def _restore(change: Change, lines: list[str]) -> dict[str, Any]:
    """Give services back the entries that they had; what is declared waits for another try."""
    table = parse_save("".join(f"{line}\n" for line in lines))
    look = _apply_whole(change, table)
    for service in change.services:
        had = declared.key_of(service) in table
        change.services.filter(pk=service.pk).update(
            applied_generation=service.generation - 1 if had else 0,
            provisioning_status=Provisioning.ERROR,
        )
    seen.keep_drift(change.director, drift.of(change.director, look))
    return {"lines": len(change.applied), "restored": len(table)}


def _apply_whole(change: Change, desired: Table | None = None) -> Look:
    director = change.director
    desired = declared.desired_table(change.services) if desired is None else desired
    owned = declared.owned_keys(change.services)
    looks: list[Look] = []

    def look_again() -> Look:
        proved = _look_for_proof(change, looks[0], desired, owned) if looks else None
        looks.append(proved or change.look())
        return looks[-1]

    look, _outcome = _converge(change, desired, owned, look_again)
    change.guard.confirm(look)
    everything = declared.owned_keys(director.virtual_services.all())
    look = _save_for_boot(change, look, lambda: seen.restrict(look.read.table, everything))
    seen.keep_look(director, look, everything)
    return look


def _look_for_proof(
    change: Change, before: Look, desired: Table, owned: set[ServiceKey]
) -> Look | None:
    """What a large change came to, without reading the table where its digest can tell."""
    if planner.entry_count(desired) <= settings.LARGE_TABLE:
        return None
    return expected.proved_by_digest(before, desired, owned, lambda: change.look(()))


def _apply_quick(change: Change, services: QuerySet[VirtualService]) -> None:
    """Change a few services of a large table at a cost that does not grow with the table.

    The digest of the kernel's listing proves that nothing moved since the last whole look;
    the second digest, of all other services, that nothing else moved meanwhile. Raises
    _Moved when that does not hold.
    """
    director = change.director
    desired = declared.desired_table(services)
    owned = declared.owned_keys(services)
    rests: list[str] = []

    def look() -> Look:
        found = change.look(sorted(owned))
        if not rests and found.digest != director.table_digest:
            raise _Moved
        rests.append(found.rest_digest)
        return found

    last, _outcome = _converge(change, desired, owned, look)
    if len(set(rests)) > 1:
        raise _Moved
    change.guard.confirm(last)
    seen.keep_part(director, _save_for_boot(change, last, None), owned)


def _converge(
    change: Change,
    desired: Table,
    owned: set[ServiceKey],
    look: Callable[[], Look],
) -> tuple[Look, Any]:
    wanted = declared.wanted_around(change.director, change.services)

    def plan(found: Look) -> Plan:
        return (
            around.plan_before(wanted, found.surroundings)
            + planner.plan(desired, found.read.table, owned)
            + around.plan_after(wanted, found.surroundings)
        )

    def check(found: Look, planned: Plan) -> None:
        for problem in around.problems(wanted, found.surroundings):
            raise Refusal.of(problem)
        lines = caps.of_table(planned)
        if not change.is_confirmed and caps.exceeds(lines, seen.restrict(found.read.table, owned)):
            _refuse_removals(change, lines, seen.restrict(found.read.table, owned))
        if lines:
            _forget_saved(change, found)
            change.applied.extend(line for step in lines for line in step.lines)
            change.passes += 1
        change.guard.arm(planned, found, owned)

    return converge(
        change.run,
        change.session,
        observe=look,
        plan=plan,
        check=check,
        fence=change.guard.fence,
    )


def _refuse_removals(change: Change, planned: Plan, ours: Table) -> None:
    """Refuse to take so much away, unless somebody typed that number."""
    numbers = {"count": planned.removals, "present": planner.entry_count(ours)}
    if change.is_automatic:
        raise Refusal(
            "removal-cap",
            _("Reconciling would take away %(count)s of %(present)s entries at once"),
            numbers,
            remedy=_(
                "Look at the planned changes. If they are what you want, press Apply yourself."
            ),
        )
    if planned.removals > change.run.operation.parameters.get("confirm_removals", 0):
        raise Refusal(
            "removal-cap",
            _("Applying would take away %(count)s of %(present)s entries at once"),
            numbers,
            remedy=_(
                "Look at the planned changes. If they are what you want, press Apply on that"
                " page and type the number, or send it as confirm_removals."
            ),
        )


def _forget_saved(change: Change, found: Look) -> None:
    """From here on the saved table may not be the one in place, until it is saved again."""
    director = change.director
    if director.saved_digest != found.surroundings.files.get(boot.RULES):
        director.saved_digest = ""
    Director.objects.filter(pk=director.pk).update(saved_digest="")


def _save_for_boot(change: Change, look: Look, table: Callable[[], Table] | None) -> Look:
    """Keep the table on the director: append the lines that ran, or write it whole. Returns
    the look with what is saved now.

    Appending needs a saved table that is known to be the one before this change. `table`
    makes the whole of ours; a quick change has only its own part, and leaves writing it
    whole to the next whole look (an empty `saved_digest` is drift).
    """
    director, count = change.director, len(change.applied)
    on_disk = look.surroundings.files.get(boot.RULES, "")
    is_known = bool(director.saved_digest) and director.saved_digest == on_disk
    if is_known and not count:
        return look
    if is_known and change.passes == 1 and director.saved_lines + count <= _SAVED_LINES:
        lines = "".join(f"{line.text}\n" for line in change.applied).encode()
        step = Step(_("Add the change to the saved table"), ("sh", "-c", _APPEND, "evenkeel",
                    boot.RULES), stdin=lines)  # fmt: skip
        saved_lines = director.saved_lines + count
    elif table is not None:
        rules = planner.rules_text(table()).encode()
        step = around.write_file(drift.SAVE, boot.RULES, rules)
        saved_lines = 0
    else:
        raise _Moved
    result = change.run.run(change.session, step, fence=change.guard.fence)
    digest = result.stdout.split(" ", 1)[0]
    if not result.ok or len(digest) != 64:
        raise Refusal(
            "not-saved",
            _("%(machine)s: the table is in place, but could not be saved for a reboot"),
            {"machine": director.host.name},
            said=result.stderr or result.stdout,
            remedy=_("See that /etc is writable and has room, then apply again."),
        )
    director.saved_digest, director.saved_lines = digest, saved_lines
    Director.objects.filter(pk=director.pk).update(saved_digest=digest, saved_lines=saved_lines)
    files = {**look.surroundings.files, boot.RULES: digest}
    return look._replace(surroundings=replace(look.surroundings, files=files))


def _conclude(change: Change, touched: list[tuple[int, int, Any]]) -> None:
    """The declared rows are in place: say so, and let go of those that were on their way out.

    Rows that somebody changed meanwhile stay pending.
    """
    staying: dict[int, list[int]] = {}
    for pk, generation, leaving in touched:
        if leaving is None:
            staying.setdefault(generation, []).append(pk)
    gone = [pk for pk, _generation, leaving in touched if leaving is not None]
    rows = VirtualService.objects.filter(director=change.director)
    with transaction.atomic():
        for generation, pks in staying.items():
            for start in range(0, len(pks), _CHUNK):
                rows.filter(pk__in=pks[start : start + _CHUNK], generation=generation).update(
                    applied_generation=generation, provisioning_status=Provisioning.ACTIVE
                )
        _record(change, touched)
        for start in range(0, len(gone), _CHUNK):
            rows.filter(pk__in=gone[start : start + _CHUNK]).exclude(
                removal_requested_at=None
            ).delete()
    note_configured(change.director)
    seen.plan_next_look(change.director, soon=True)


def note_configured(director: Director) -> None:
    """The director's own settings are in place, unless somebody changed them meanwhile."""
    Director.objects.filter(pk=director.pk, version=director.version).update(
        provisioning_status=Provisioning.ACTIVE
    )


def _record(change: Change, touched: list[tuple[int, int, Any]]) -> None:
    """Write the new state into the director's history."""
    staying = {pk: generation for pk, generation, leaving in touched if leaving is None}
    gone = [pk for pk, _generation, leaving in touched if leaving is not None]
    history.record(
        change.director,
        change.run.operation,
        staying,
        gone,
        planner.summary(planner.batch(change.applied)),
    )


def _note_failure(
    director: Director, services: QuerySet[VirtualService], is_automatic: bool, error: Exception
) -> None:
    services.exclude(generation=F("applied_generation"), removal_requested_at=None).update(
        provisioning_status=Provisioning.ERROR
    )
    if not is_automatic:
        return
    Director.objects.filter(pk=director.pk).update(reconcile_failures=F("reconcile_failures") + 1)
    director.refresh_from_db(fields=["reconcile_failures"])
    if director.reconcile_failures >= settings.RECONCILE_MAX_FAILURES:
        alerts.raise_alert(
            "reconcile-stopped",
            director,
            params={
                "failures": director.reconcile_failures,
                "error": str(error),
                "error_words": error.words if isinstance(error, Refusal) else {},
            },
        )
