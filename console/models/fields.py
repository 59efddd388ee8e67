"""Fields that several models share."""

from __future__ import annotations

from typing import Any

from django.core.validators import RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from console import crypto

#: Names that people type and machines read: visible, one line, at most 64 characters.
name_validator = RegexValidator(
    r"\A[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z",
    _(
        "Use 1 to 64 letters, digits, dots, dashes and underscores, beginning with a letter"
        " or a digit."
    ),
    code="invalid_name",
)


class NameField(models.CharField):
    """A short name without blanks, the same in pages, URLs, logs and on machines."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs.setdefault("max_length", 64)
        super().__init__(*args, **kwargs)
        self.validators = [*self.validators, name_validator]


class EncryptedTextField(models.TextField):
    """Text that is sealed before it reaches the database (see `console.crypto`)."""

    def get_prep_value(self, value: Any) -> Any:
        value = super().get_prep_value(value)
        return crypto.encrypt(value) if value else value

    def from_db_value(self, value: str | None, expression: Any, connection: Any) -> str | None:
        return crypto.decrypt(value) if value else value


class StampedModel(models.Model):
    """Rows that people edit: when they were made and changed, and a version for ETags.

    `version` counts the saves; two answers with the same version are the same.
    """

    created_at = models.DateTimeField(_("created"), auto_now_add=True)
    updated_at = models.DateTimeField(_("changed"), auto_now=True)
    version = models.PositiveIntegerField(default=0, editable=False)

    class Meta:
        abstract = True

    def save(self, *args: Any, **kwargs: Any) -> None:
        self.version += 1
        update_fields = kwargs.get("update_fields")
        if update_fields is not None:
            kwargs["update_fields"] = {*update_fields, "version", "updated_at"}
        super().save(*args, **kwargs)
