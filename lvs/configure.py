"""Bringing a director's own side to what is declared, without touching its IPVS table."""

from __future__ import annotations

from typing import Any

from console.converge import converge
from console.execution import Refusal, Run, Stopped
from console.planning import Plan
from console.remote.session import Session
from console.remote.transport import HostUnreachable, OutcomeUnknown
from lvs import declared, execute, observe, seen, undoing
from lvs.director import planner as around
from lvs.director.sample import Look
from lvs.models import Director
from lvs.models.directors import Provisioning


def configure(run: Run) -> dict[str, Any]:
    """The body of `director.configure`: settings, timeouts, addresses and marks.

    It looks at the digest of the table only, so it is as quick on a large one.
    """
    director = execute.director_of(run)
    try:
        session = run.session(director.host)
        guard = undoing.Guard(run, director, session)
        with undoing.rolled_back(guard, director):
            return _configure(run, director, session, guard)
    except Stopped:
        raise
    except (HostUnreachable, OutcomeUnknown) as error:
        error.patience = director.confirm_seconds + execute.UNDOING
        raise
    except Exception:
        Director.objects.filter(pk=director.pk).update(provisioning_status=Provisioning.ERROR)
        raise


def _configure(
    run: Run, director: Director, session: Session, guard: undoing.Guard
) -> dict[str, Any]:
    in_place = director.virtual_services.filter(applied_generation__gt=0)
    wanted = declared.wanted_around(director, in_place, leaving=in_place.none())

    def plan(found: Look) -> Plan:
        return around.plan_before(wanted, found.surroundings) + around.plan_after(
            wanted, found.surroundings
        )

    def look() -> Look:
        guard.looking()
        found = observe.look_quick(lambda step: run.run(session, step), session.machine)
        guard.saw(found)
        return found

    def check(found: Look, planned: Plan) -> None:
        for problem in around.problems(wanted, found.surroundings):
            raise Refusal.of(problem)
        guard.arm(planned, found, ())

    found, outcome = converge(
        run,
        session,
        observe=look,
        plan=plan,
        check=check,
        fence=guard.fence,
    )
    guard.confirm(found)
    seen.keep_surroundings(director, found)
    execute.note_configured(director)
    seen.plan_next_look(director, soon=True)
    return {"steps": outcome.steps_run}
