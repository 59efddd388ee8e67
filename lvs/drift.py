"""Drift: what was applied and is no longer so. Pure but for the declared rows."""

from __future__ import annotations

from django.db.models import F

from console.planning import Plan
from console.planning import mark as _
from lvs import declared
from lvs.director import boot
from lvs.director import planner as surroundings
from lvs.director.sample import Look
from lvs.ipvsadm import planner
from lvs.models import Director

#: The title of the step that saves the table.
SAVE = _("Save the table for the next boot")


def of(director: Director, found: Look) -> Plan:
    """What would bring the services that were applied back; changes that somebody has
    declared and not applied yet are no drift."""
    applied = director.virtual_services.declared().filter(generation=F("applied_generation"))
    table = planner.plan(
        declared.desired_table(applied), found.read.table, declared.owned_keys(applied)
    )
    return table + around(director, found)


def around(director: Director, found: Look) -> Plan:
    """What would mend VIPs, forwarding and the saved table, once something was applied."""
    if not director.virtual_services.filter(applied_generation__gt=0).exists():
        return Plan()
    pending = director.virtual_services.exclude(generation=F("applied_generation"))
    if pending.exists() or director.virtual_services.exclude(removal_requested_at=None).exists():
        return Plan()
    wanted = declared.wanted_around(director)
    plan = surroundings.plan_before(wanted, found.surroundings) + surroundings.plan_after(
        wanted, found.surroundings
    )
    if found.surroundings.files.get(boot.RULES, "") != director.saved_digest:
        plan += Plan((surroundings.write_file(SAVE, boot.RULES, b""),))
    return plan
