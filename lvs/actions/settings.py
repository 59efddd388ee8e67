"""Verbs for a director's own side: kernel settings, timeouts, local addresses, the preset."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console import audit, changes, operations
from console.access import Actor, require
from console.errors import WrongState
from console.models import Operation
from lvs import local
from lvs.director import settings
from lvs.models import Director
from lvs.models.directors import Provisioning

TIMEOUTS = ("tcp_timeout", "tcp_fin_timeout", "udp_timeout")
_FIELDS = frozenset({"kernel_settings", "local_addresses", "local_interface", *TIMEOUTS})


def change_settings(
    actor: Actor,
    director: Director,
    *,
    expected_version: int | None = None,
    apply: bool = False,
    **values: Any,
) -> tuple[Director, Operation | None]:
    """Declare settings, timeouts and local addresses; with `apply` also begin to put them in
    place. `kernel_settings`, where given, is the whole list: one that is not named is left
    alone from then on, after the kernel's default was written once.

    Raises ValidationError whose keys are field names, those of settings like
    "kernel_settings.drop_entry".
    """
    require(actor, "director.manage", director)
    if unknown := values.keys() - _FIELDS:
        raise ValidationError(dict.fromkeys(unknown, _("This cannot be changed here.")))
    if "kernel_settings" in values:
        values["kernel_settings"] = settings.normalise(values["kernel_settings"])
    if "local_addresses" in values:
        values["local_addresses"] = local.canonical(values["local_addresses"])
    _check(director, values)
    with transaction.atomic():
        changed = changes.update(
            actor, "director.change_settings", director, values, expected_version
        )
        if changed:
            _note_pending(director)
        return director, begin(actor, director) if apply else None


def set_under_attack(actor: Actor, director: Director, *, on: bool) -> Operation:
    """Lay the preset over the declared settings, or take it away, and apply that at once."""
    require(actor, "director.manage", director)
    with transaction.atomic():
        locked = changes.lock(director)
        if locked.is_under_attack == on:
            raise WrongState(
                _("The preset is on already.") if on else _("The preset is off already.")
            )
        locked.is_under_attack = on
        locked.provisioning_status = Provisioning.PENDING
        locked.save()
        audit.record(
            actor, "director.set_under_attack", locked, changes={"is_under_attack": [not on, on]}
        )
        operation = begin(actor, locked)
    director.refresh_from_db()
    return operation


def request_configure(actor: Actor, director: Director) -> Operation:
    """Bring the director's own side to what is declared; its table is left alone."""
    require(actor, "director.manage", director)
    with transaction.atomic():
        return begin(actor, director)


def begin(actor: Actor, director: Director) -> Operation:
    """Begin `director.configure`; call inside the transaction."""
    return operations.begin(actor, "director.configure", director)


def _check(director: Director, values: dict[str, Any]) -> None:
    errors: dict[str, list[ValidationError]] = {}
    for name, value in values.get("kernel_settings", {}).items():
        problem = settings.problem_of(name, value)
        if problem is not None:
            said = f"{problem.text(_)} {problem.remedy_text(_)}"
            errors[f"kernel_settings.{name}"] = [ValidationError(said, code=problem.code)]
    for name in TIMEOUTS:
        seconds = values.get(name)
        if seconds is not None and not 1 <= seconds <= settings.MAX_TIMEOUT:
            errors[name] = [
                ValidationError(
                    _("Give 1 to %(most)d seconds, or nothing for the kernel's own.")
                    % {"most": settings.MAX_TIMEOUT},
                    code="out_of_range",
                )
            ]
    errors |= local.errors(
        director,
        values.get("local_addresses", director.local_addresses),
        values.get("local_interface", director.local_interface),
    )
    if errors:
        raise ValidationError(errors)


def _note_pending(director: Director) -> None:
    """Something that the director has to learn has changed."""
    director.provisioning_status = Provisioning.PENDING
    director.save(update_fields=["provisioning_status"])
