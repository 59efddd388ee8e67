"""Who did what, to what, from where, why, and how it ended."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.models.operations import Operation
from console.models.tenants import Tenant

if TYPE_CHECKING:
    from console.access import Actor


class AuditQuerySet(models.QuerySet["AuditEvent"]):
    def visible_to(self, actor: Actor) -> AuditQuerySet:
        """Staff sees the whole log, members what concerns their tenants."""
        if actor.can("audit.view"):
            return self
        return self.filter(tenant_id__in=actor.tenant_ids("audit.view"))


class AuditEvent(models.Model):
    """One verb, written in the transaction of the change and completed with its outcome."""

    class Outcome(models.TextChoices):
        DONE = "done", _("Done")
        PENDING = "pending", _("Under way")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    at = models.DateTimeField(default=timezone.now)
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    actor_label = models.CharField(max_length=150)
    via = models.CharField(max_length=16)
    address = models.CharField(max_length=64, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    verb = models.CharField(max_length=64)
    target_type = models.CharField(max_length=64)
    target_id = models.BigIntegerField(null=True)
    target_label = models.CharField(max_length=128)
    tenant = models.ForeignKey(Tenant, on_delete=models.SET_NULL, null=True, related_name="+")
    reason = models.CharField(max_length=500, blank=True)
    #: {"field": [before, after]}; secrets appear as "(secret)".
    changes = models.JSONField(default=dict)
    outcome = models.CharField(max_length=16, choices=Outcome, default=Outcome.DONE)
    operation = models.ForeignKey(
        Operation, on_delete=models.SET_NULL, null=True, related_name="audit_events"
    )

    objects = AuditQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        indexes = [models.Index(fields=["target_type", "target_id", "-id"], name="audit_target")]

    def __str__(self) -> str:
        return f"{self.at:%F %T} {self.actor_label} {self.verb} {self.target_label}"
