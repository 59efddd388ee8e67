"""Machines that are prepared as real servers: why, and how they were last seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import models
from django.urls import reverse
from django.utils.translation import gettext_lazy as _

from console.models import Host
from console.models.fields import StampedModel
from console.words import spoken
from lvs.models.directors import Provisioning
from lvs.realserver.needs import Need

if TYPE_CHECKING:
    from console.access import Actor


class PreparedServerQuerySet(models.QuerySet["PreparedServer"]):
    def visible_to(self, actor: Actor) -> PreparedServerQuerySet:
        """Machines are the operator's own."""
        return self if actor.can("director.view") else self.none()


class PreparedServer(StampedModel):
    """One machine, and what was put on it for the virtual services whose real server it is.

    `needs` are those that the machine is prepared for, which can be more than is declared
    now: what no service needs any more stays listed until it was undone.
    """

    host = models.OneToOneField(
        Host, on_delete=models.PROTECT, related_name="prepared", verbose_name=_("machine")
    )
    needs = models.JSONField(default=list, editable=False)
    status = models.CharField(
        max_length=16, choices=Provisioning, default=Provisioning.PENDING, editable=False
    )
    #: How the machine was seen: `lvs.realserver.sample.Seen`.
    observed_facts = models.JSONField(default=dict, editable=False)
    observed_at = models.DateTimeField(null=True, editable=False)
    #: English; `error_words` say the same in the reader's language.
    error = models.TextField(blank=True, editable=False)
    error_words = models.JSONField(default=dict, editable=False)
    #: Since when something waits to be undone.
    undo_since = models.DateTimeField(null=True, editable=False)
    #: What would mend it as of the last look, bounded text; empty means agreement.
    drift = models.TextField(blank=True, editable=False)
    drift_looks = models.PositiveIntegerField(default=0, editable=False)
    next_look_at = models.DateTimeField(null=True, editable=False, db_index=True)

    objects = PreparedServerQuerySet.as_manager()

    class Meta:
        ordering = ["host__name"]

    def __str__(self) -> str:
        return self.host.name

    def get_absolute_url(self) -> str:
        return reverse("prepared-server", args=[self.pk])

    @property
    def error_text(self) -> str:
        """Why the last try failed, in the reader's language; "" when it did not."""
        return spoken(self.error, self.error_words)

    @property
    def has_drifted(self) -> bool:
        return bool(self.drift)

    @property
    def need_values(self) -> frozenset[Need]:
        """`needs` as the planner's values."""
        return frozenset(Need.from_json(one) for one in self.needs)

    def note(self, **fields: Any) -> None:
        """Write observed fields only: they are not part of the row's version."""
        for name, value in fields.items():
            setattr(self, name, value)
        PreparedServer.objects.filter(pk=self.pk).update(**fields)
