"""Verbs for many virtual services at once: one operation a director, refusals one by one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console.access import Actor, require
from console.errors import VerbRefused
from console.models import Operation
from lvs.actions.applying import begin_apply
from lvs.actions.directors import request_apply
from lvs.actions.virtual_services import let_go
from lvs.models import Director, VirtualService

Services = Sequence[VirtualService]


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of one director's share: an operation, a refusal, or neither where
    nothing had ever been applied."""

    director: Director
    operation: Operation | None = None
    refusal: VerbRefused | None = None


def apply_several(actor: Actor, services: Services, *, confirm_removals: int = 0) -> list[Answer]:
    """Bring the given services to what is declared for them; a busy director refuses its own.

    `confirm_removals` is how many entries may go on each director.
    """
    _require_all(actor, services)
    return _each_director(
        services,
        lambda director, ours: request_apply(
            actor, director, services=ours, confirm_removals=confirm_removals
        ),
    )


def remove_several(actor: Actor, services: Services, *, confirm: str) -> list[Answer]:
    """Remove the given services, after `words_for_removal` was typed in."""
    _require_all(actor, services)
    words = words_for_removal(services)
    if confirm.strip() != words:
        raise ValidationError(
            {
                "confirm": ValidationError(
                    _("Type %(name)s to confirm.") % {"name": words}, code="not_confirmed"
                )
            }
        )

    def remove(director: Director, ours: list[VirtualService]) -> Operation | None:
        leaving = [service for service in (let_go(actor, one) for one in ours) if service]
        return begin_apply(actor, director, leaving, is_confirmed=True) if leaving else None

    return _each_director(services, remove)


def words_for_removal(services: Services) -> str:
    """What somebody types to confirm: the one name, or how many there are."""
    return services[0].name if len(services) == 1 else f"remove {len(services)}"


def _require_all(actor: Actor, services: Services) -> None:
    for service in services:
        require(actor, "virtual_service.manage", service)


def _each_director(
    services: Services, verb: Callable[[Director, list[VirtualService]], Operation | None]
) -> list[Answer]:
    shares: dict[Director, list[VirtualService]] = {}
    for service in services:
        shares.setdefault(service.director, []).append(service)
    answers = []
    for director, ours in shares.items():
        try:
            with transaction.atomic():
                answers.append(Answer(director, operation=verb(director, ours)))
        except VerbRefused as refusal:
            answers.append(Answer(director, refusal=refusal))
    return answers
