"""Revisions: every state of a director that was applied, kept as what was declared."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import models
from django.urls import reverse
from django.utils import timezone

from console.models import Operation
from lvs.models.directors import Director

if TYPE_CHECKING:
    from console.access import Actor


class RevisionQuerySet(models.QuerySet["Revision"]):
    def visible_to(self, actor: Actor) -> RevisionQuerySet:
        """The history of directors is the operator's own."""
        return self if actor.can("director.view") else self.none()


class Revision(models.Model):
    """What was declared for a director when it was last seen in place.

    `number` counts the revisions of one director from 1. `content` is a compressed
    document (see `lvs.history`): everything where `is_whole`, else only what differs from
    the revision before; `weight` counts the services in it. The figures say what the apply
    did to the table.
    """

    director = models.ForeignKey(Director, on_delete=models.CASCADE, related_name="revisions")
    number = models.PositiveIntegerField()
    operation = models.ForeignKey(
        Operation, on_delete=models.SET_NULL, null=True, related_name="revisions"
    )
    applied_by = models.CharField(max_length=150)
    applied_at = models.DateTimeField(default=timezone.now)
    is_whole = models.BooleanField(default=False)
    content = models.BinaryField()
    weight = models.PositiveIntegerField(default=0)
    added = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    removed = models.PositiveIntegerField(default=0)

    objects = RevisionQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["director", "number"], name="one_revision_per_number")
        ]

    def __str__(self) -> str:
        return f"{self.director} #{self.number}"

    def get_absolute_url(self) -> str:
        return reverse("director-revision", args=[self.director_id, self.number])
