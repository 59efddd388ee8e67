"""Removing an entry that is not ours, because a person asked for it by name."""

from __future__ import annotations

from typing import Any

from console.converge import converge
from console.execution import Refusal, Run
from console.planning import Plan
from console.planning import mark as _
from lvs import declared, execute, observe, seen
from lvs.director.sample import Look
from lvs.ipvsadm import planner


def remove(run: Run) -> dict[str, Any]:
    """The body of `director.remove_unmanaged`: take away that one entry and nothing else."""
    director = execute.director_of(run)
    key_text = run.operation.parameters["key"]
    owned = declared.owned_keys(director.virtual_services.all())
    session = run.session(director.host)

    def look() -> Look:
        return observe.look_whole(lambda step: run.run(session, step), session.machine)

    def plan(found: Look) -> Plan:
        chosen = {key for key in found.read.table if declared.key_text(key) == key_text}
        if chosen & owned:
            raise Refusal(
                "is-managed",
                _("%(service)s has been declared meanwhile"),
                {"service": key_text},
                remedy=_("Nothing was taken away. Remove it as a virtual service if it has to go."),
            )
        return planner.plan({}, found.read.table, chosen)

    found, outcome = converge(
        run,
        session,
        observe=look,
        plan=plan,
        fence=run.fence(f"director-{director.pk}"),
    )
    seen.keep_look(director, found, owned)
    return {"steps": outcome.steps_run}
