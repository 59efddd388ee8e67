"""What needs a person: raised once, resolved by the same fingerprint."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.models.tenants import Tenant

if TYPE_CHECKING:
    from console.access import Actor


class AlertQuerySet(models.QuerySet["Alert"]):
    def visible_to(self, actor: Actor) -> AlertQuerySet:
        """Staff sees every alert, members those of their tenants."""
        if actor.can("alert.view"):
            return self
        return self.filter(tenant_id__in=actor.tenant_ids("alert.view"))

    def open(self) -> AlertQuerySet:
        """Alerts that nobody and nothing has resolved."""
        return self.filter(resolved_at=None)


class Alert(models.Model):
    """One condition on one object. Its words come from `console.alerts.KINDS` and `params`."""

    class Severity(models.TextChoices):
        CRITICAL = "critical", _("Critical")
        WARNING = "warning", _("Warning")

    fingerprint = models.CharField(max_length=200)
    kind = models.CharField(max_length=64)
    severity = models.CharField(max_length=16, choices=Severity)
    params = models.JSONField(default=dict)
    #: The commands that would mend it, one a line; empty where none would.
    commands = models.TextField(blank=True)
    target_type = models.CharField(max_length=64)
    target_id = models.BigIntegerField()
    target_label = models.CharField(max_length=128)
    tenant = models.ForeignKey(Tenant, on_delete=models.SET_NULL, null=True, related_name="alerts")
    raised_at = models.DateTimeField(default=timezone.now)
    last_seen_at = models.DateTimeField(default=timezone.now)
    acknowledged_at = models.DateTimeField(null=True)
    acknowledged_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    resolved_at = models.DateTimeField(null=True)

    objects = AlertQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["fingerprint"],
                condition=models.Q(resolved_at=None),
                name="one_open_alert_per_fingerprint",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target_label}"
