"""The part of a director's plan that is about some of its services: what their page shows."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import replace

from console.planning import Effect, Plan, Step
from lvs import planned
from lvs.director import boot
from lvs.director import planner as surroundings
from lvs.ipvsadm import planner
from lvs.models import VirtualService
from lvs.models.virtual_services import Forwarding

_SYSCTL = "sysctl"


def plan_for(service: VirtualService) -> Plan:
    """What Apply would run for this service; its neighbours' share is left out."""
    plan = planned.planned_changes(service.director, services=[service])
    return own_part(plan, [service])


def own_part(plan: Plan, services: Collection[VirtualService]) -> Plan:
    """The lines of these services: of the table, of their marks and VIPs, and forwarding for
    NAT.

    What Apply also does for the rest of the director is not about them, and members of a
    tenant must not read their neighbours' addresses there. Files that are written along
    are shown where something else is.
    """
    vips = {words for service in services for words in _words_of(service)}
    own = {service.vip for service in services} | {
        row.rip for service in services for row in service.real_servers.all()
    }
    uses_nat = any(_uses_nat(service) for service in services)
    parts = [
        _on_machine(step, own) if step.machine else _own_step(step, vips, uses_nat=uses_nat)
        for step in plan
    ]
    if all(part is None for part in parts):
        return Plan()
    shown = [part or (None if step.lines or step.argv[0] == _SYSCTL else step)
             for step, part in zip(plan, parts, strict=True)]  # fmt: skip
    return Plan(tuple(step for step in shown if step is not None))


def _words_of(service: VirtualService) -> Iterator[str]:
    """What tells a line that is about a service: its mark, and its VIPs as lines write them."""
    yield from (boot.address_words(service.vip), service.vip)
    if service.is_marked:
        yield service.mark_text
        yield from (row.network for row in service.addresses.all())


def _on_machine(step: Step, own: set[str]) -> Step | None:
    """The lines of a real server's machine, without those about addresses of others."""
    lines = tuple(line for line in step.lines if addresses_in(line.text) <= own)
    return replace(step, lines=lines) if lines else None


def addresses_in(text: str) -> set[str]:
    """The IP addresses that stand in a line; gateways are the director's and no secret."""
    words = re.split(r"[\s,/=]+", text.partition(" via ")[0])
    return {word for word in words if ("." in word and word[0].isdigit()) or word.count(":") > 1}


def _own_step(step: Step, vips: set[str], *, uses_nat: bool) -> Step | None:
    if step.argv == planner.ARGV:
        return step
    if step.argv == surroundings.SETTINGS_ARGV or step.argv[:2] == surroundings.TIMEOUTS_ARGV:
        return None
    if step.argv[0] == _SYSCTL:
        return step if uses_nat else None
    lines = tuple(
        line
        for line in step.lines
        if not vips.isdisjoint((*line.text.split(), *line.before.split()))
    )
    return replace(step, lines=lines) if lines else None


def _uses_nat(service: VirtualService) -> bool:
    methods = {service.forwarding, *(row.forwarding for row in service.real_servers.all())}
    return any(Forwarding(method).answers_through_director for method in methods - {""})


def takes_connections(plan: Plan) -> bool:
    """Whether the plan removes something of the table that may hold connections."""
    return any(
        line.effect is Effect.REMOVE
        for step in plan
        if step.argv == planner.ARGV
        for line in step.lines
    )
