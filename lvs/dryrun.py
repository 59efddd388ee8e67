"""What removing some services would do, without marking them: values from the database alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from django.db.models import Q

from console.planning import Plan
from lvs import declared, planned
from lvs.director import planner as around
from lvs.director.types import Surroundings
from lvs.ipvsadm import planner
from lvs.models import Director, VirtualService


def planned_removal(director: Director, services: Sequence[VirtualService]) -> Plan:
    """The lines that would take these services of one director away, and the VIPs that
    nothing else needs. Other pending changes of the director's are left out."""
    going = director.virtual_services.filter(pk__in=[service.pk for service in services])
    gone = director.virtual_services.filter(
        Q(pk__in=going.values("pk")) | Q(removal_requested_at__isnull=False)
    )
    surroundings = Surroundings.from_json(director.observed_facts)
    wanted = declared.wanted_around(director, leaving=gone)
    held = wanted.vips & surroundings.bare_addresses()
    leaving = wanted.leaving & set(going.values_list("vip", flat=True))
    return planner.plan(
        {}, planned.observed_table(director), declared.owned_keys(going)
    ) + around.plan_after(replace(wanted, vips=held, leaving=leaving), surroundings)
