"""The journal: one row for each asked-for change, and one for each command that it ran."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from console.models.tenants import Tenant
from console.words import localised, spoken

if TYPE_CHECKING:
    from console.access import Actor


class OperationQuerySet(models.QuerySet["Operation"]):
    def visible_to(self, actor: Actor) -> OperationQuerySet:
        """Staff sees every operation, members those of their tenants."""
        if actor.can("operation.view"):
            return self
        return self.filter(tenant_id__in=actor.tenant_ids("operation.view"))

    def live(self) -> OperationQuerySet:
        """Operations that are waiting or running."""
        return self.filter(status__in=Operation.LIVE)

    def on(self, target: models.Model) -> OperationQuerySet:
        """Operations on one object, newest first."""
        return self.filter(target_type=target._meta.label_lower, target_id=target.pk)


class Operation(models.Model):
    """One asked-for change of one target: the queue of record.

    `fence` grows with every claim on this target; the machine itself refuses a smaller
    one. Parameters are what the verb was given, never a secret.
    """

    class Status(models.TextChoices):
        QUEUED = "queued", _("Waiting")
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Done")
        FAILED = "failed", _("Failed")
        CANCELLED = "cancelled", _("Cancelled")

    LIVE = (Status.QUEUED, Status.RUNNING)

    kind = models.CharField(max_length=64)
    target_type = models.CharField(max_length=64)
    target_id = models.BigIntegerField()
    target_label = models.CharField(max_length=128)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.SET_NULL, null=True, related_name="operations"
    )
    requested_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.SET_NULL, null=True, related_name="+"
    )
    requested_by_label = models.CharField(max_length=150)
    parameters = models.JSONField(default=dict)

    status = models.CharField(max_length=16, choices=Status, default=Status.QUEUED)
    attempt = models.PositiveSmallIntegerField(default=0)
    fence = models.BigIntegerField(default=0)
    worker = models.CharField(max_length=128, blank=True)
    queued_at = models.DateTimeField(default=timezone.now)
    not_before = models.DateTimeField(null=True)
    sent_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    heartbeat_at = models.DateTimeField(null=True)
    deadline_at = models.DateTimeField()
    finished_at = models.DateTimeField(null=True)
    cancel_requested_at = models.DateTimeField(null=True)

    percent = models.PositiveSmallIntegerField(null=True)
    result = models.JSONField(default=dict)
    error_code = models.CharField(max_length=64, blank=True)
    #: English; `error_words` say the same in the reader's language (see `console.words`).
    error = models.TextField(blank=True)
    error_words = models.JSONField(default=dict)
    error_said = models.TextField(blank=True)
    remedy = models.TextField(blank=True)
    retry_of = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, related_name="retries"
    )

    objects = OperationQuerySet.as_manager()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["target_type", "target_id"],
                condition=models.Q(status__in=["queued", "running"]),
                name="one_live_operation_per_target",
            )
        ]
        indexes = [
            models.Index(fields=["status", "heartbeat_at"], name="operation_status"),
            models.Index(fields=["target_type", "target_id", "-id"], name="operation_target"),
        ]

    def __str__(self) -> str:
        return f"#{self.pk} {self.kind} {self.target_label}"

    def get_absolute_url(self) -> str:
        return reverse("operation", args=[self.pk])

    @property
    def is_live(self) -> bool:
        return self.status in self.LIVE

    @property
    def ended_or_now(self) -> datetime:
        """When it finished, or now while it has not: the end of the elapsed time."""
        return self.finished_at or timezone.now()

    @property
    def error_text(self) -> str:
        """What went wrong in the reader's language; a machine's own words as they are."""
        return spoken(self.error, self.error_words)

    @property
    def remedy_text(self) -> str:
        """What to do about it, in the reader's language."""
        return localised(self.remedy)


class Step(models.Model):
    """One command of an operation: written before it runs, completed with its answer."""

    class Status(models.TextChoices):
        RUNNING = "running", _("Running")
        SUCCEEDED = "succeeded", _("Done")
        FAILED = "failed", _("Failed")
        UNKNOWN = "unknown", _("Outcome unknown")

    operation = models.ForeignKey(Operation, on_delete=models.CASCADE, related_name="steps")
    attempt = models.PositiveSmallIntegerField()
    position = models.PositiveIntegerField()
    title = models.CharField(max_length=200)
    machine = models.CharField(max_length=64)
    command = models.TextField()
    #: What went in on standard input, bounded, secrets blanked.
    stdin = models.TextField(blank=True)
    stdin_bytes = models.BigIntegerField(default=0)
    is_destructive = models.BooleanField(default=False)
    status = models.CharField(max_length=16, choices=Status, default=Status.RUNNING)
    exit_code = models.IntegerField(null=True)
    stdout = models.TextField(blank=True)
    stderr = models.TextField(blank=True)
    started_at = models.DateTimeField(default=timezone.now)
    seconds = models.FloatField(null=True)

    class Meta:
        ordering = ["position"]
        constraints = [
            models.UniqueConstraint(fields=["operation", "position"], name="step_position")
        ]

    def __str__(self) -> str:
        return f"{self.operation_id}/{self.position} {self.title}"
