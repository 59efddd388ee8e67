"""How much one apply may take away before somebody has to say that it is meant."""

from __future__ import annotations

from collections.abc import Iterable

from django.conf import settings

from console.planning import Plan
from lvs import declared, planned, seen
from lvs.ipvsadm import planner
from lvs.ipvsadm.types import Table
from lvs.models import Director, VirtualService


def exceeds(plan: Plan, ours: Table) -> bool:
    """Whether a plan takes more of our entries away than one pass may unasked."""
    return planner.exceeds_removal_cap(
        plan,
        planner.entry_count(ours),
        share=settings.REMOVAL_CAP_SHARE,
        at_least=settings.REMOVAL_CAP_FLOOR,
    )


def of_table(plan: Plan) -> Plan:
    """The part of a plan that changes the table."""
    return planner.batch([line for step in plan if step.argv == planner.ARGV
                          for line in step.lines])  # fmt: skip


def to_confirm(
    director: Director, plan: Plan, services: Iterable[VirtualService] | None = None
) -> int:
    """The number of entries that has to be typed before this plan is applied, 0 for none."""
    lines = of_table(plan)
    if lines.removals <= settings.REMOVAL_CAP_FLOOR:
        return 0
    rows = director.virtual_services.all()
    if services is not None:
        rows = rows.filter(pk__in=[service.pk for service in services])
    ours = seen.restrict(planned.observed_table(director), declared.owned_keys(rows))
    return lines.removals if exceeds(lines, ours) else 0
