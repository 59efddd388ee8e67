"""What an import is made of: the last survey of a director, and the last file given for it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.utils.translation import gettext_lazy as _

from lvs.models.directors import Director, pack, unpack

if TYPE_CHECKING:
    from console.access import Actor


class ImportSourceQuerySet(models.QuerySet["ImportSource"]):
    def visible_to(self, actor: Actor) -> ImportSourceQuerySet:
        """Whole tables are the operator's own."""
        return self if actor.can("director.view") else self.none()


class ImportSource(models.Model):
    """One text to import from: the newest of its kind for a director.

    A survey is kept as the director answered it, so that a report never tells more than was
    seen; a file as it was given.
    """

    class Kind(models.TextChoices):
        MACHINE = "machine", _("the director itself")
        FILE = "file", _("a keepalived.conf")

    director = models.ForeignKey(Director, on_delete=models.CASCADE, related_name="import_sources")
    kind = models.CharField(max_length=16, choices=Kind)
    #: The file's own name; empty for a survey.
    name = models.CharField(max_length=200, blank=True)
    content = models.BinaryField()
    taken_at = models.DateTimeField()

    objects = ImportSourceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["director", "kind"], name="one_import_source_per_kind")
        ]

    def __str__(self) -> str:
        return f"{self.director}: {self.get_kind_display()}"

    @property
    def text(self) -> str:
        """What was answered or given."""
        return unpack(self.content)

    @staticmethod
    def packed(text: str) -> bytes:
        """A text as `content` keeps it."""
        return pack(text)
