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
from lvs.models.directors import Provisioning

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
    """What would mend VIPs, settings, marks and the saved table, once something was applied."""
    if not _was_applied(director, found) or _is_pending(director):
        return Plan()
    wanted = declared.wanted_around(director)
    plan = surroundings.plan_before(wanted, found.surroundings) + surroundings.plan_after(
        wanted, found.surroundings
    )
    services = director.virtual_services.filter(applied_generation__gt=0)
    on_disk = found.surroundings.files.get(boot.RULES, "")
    if on_disk != director.saved_digest and services.exists():
        plan += Plan((surroundings.write_file(SAVE, boot.RULES, b""),))
    return plan


def _was_applied(director: Director, found: Look) -> bool:
    """Whether the console has ever put something there: our unit, or a service."""
    return (
        boot.UNIT in found.surroundings.files
        or director.virtual_services.filter(applied_generation__gt=0).exists()
    )


def _is_pending(director: Director) -> bool:
    """Whether something is declared that was not applied yet, for it or for its services."""
    services = director.virtual_services
    return (
        director.provisioning_status == Provisioning.PENDING
        or services.exclude(generation=F("applied_generation")).exists()
        or services.exclude(removal_requested_at=None).exists()
    )
