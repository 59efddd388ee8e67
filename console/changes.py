"""Creating, changing and deleting declared rows: validated, versioned, audited."""

from __future__ import annotations

from typing import Any, TypeVar

from django.core.exceptions import ValidationError
from django.db import models, transaction
from django.utils.translation import gettext as _

from console import audit
from console.access import Actor
from console.errors import Stale
from console.models.fields import StampedModel

S = TypeVar("S", bound=StampedModel)


def create(actor: Actor, verb: str, row: S) -> S:
    """Validate and insert a new row, with its audit line. Raises ValidationError."""
    with transaction.atomic():
        row.full_clean()
        row.save(force_insert=True)
        audit.record(actor, verb, row, changes=audit.differences({}, audit.values_of(row)))
    return row


def update(
    actor: Actor, verb: str, row: S, values: dict[str, Any], expected_version: int | None = None
) -> dict[str, list[Any]]:
    """Set `values` on a row, validate, save, audit; return what changed.

    Raises Stale when the row is no longer at `expected_version`, ValidationError when a
    value is refused or names no editable field. Nothing is written in either case.
    """
    with transaction.atomic():
        locked = lock(row)
        if expected_version is not None and locked.version != expected_version:
            raise Stale
        before = audit.values_of(locked)
        assign(locked, values)
        locked.full_clean()
        changes = audit.differences(before, audit.values_of(locked))
        if changes:
            locked.save()
            audit.record(actor, verb, locked, changes=changes)
    row.refresh_from_db()
    return changes


def delete(actor: Actor, verb: str, row: models.Model) -> None:
    """Delete a row, with its audit line, in one transaction."""
    with transaction.atomic():
        audit.record(actor, verb, row)
        row.delete()


def lock(row: S) -> S:
    """The row as it is now, held until the transaction ends (PostgreSQL; SQLite's immediate
    transactions hold everything anyway)."""
    return type(row)._base_manager.select_for_update().get(pk=row.pk)


def assign(row: models.Model, values: dict[str, Any]) -> None:
    """Set editable fields by name. Raises ValidationError on any other name."""
    editable = {field.name for field in row._meta.concrete_fields if field.editable}
    for name, value in values.items():
        if name not in editable:
            raise ValidationError(
                {
                    name: ValidationError(
                        _("This field does not exist or cannot be changed."), code="unknown_field"
                    )
                }
            )
        setattr(row, name, value)
