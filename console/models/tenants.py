"""Who uses the console: tenants, their members, and the operator's staff."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from console.models.fields import NameField, StampedModel

if TYPE_CHECKING:
    from console.access import Actor


class TenantQuerySet(models.QuerySet["Tenant"]):
    def visible_to(self, actor: Actor) -> TenantQuerySet:
        """Staff sees every tenant, members their own."""
        if actor.can("tenant.view"):
            return self
        return self.filter(id__in=actor.tenant_ids("tenant.view"))


class Tenant(StampedModel):
    """A customer: owns instances and virtual services, has members."""

    name = NameField(_("name"), unique=True)
    is_suspended = models.BooleanField(_("suspended"), default=False)
    members = models.ManyToManyField(
        settings.AUTH_USER_MODEL, through="Membership", related_name="tenants"
    )

    objects = TenantQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class Membership(models.Model):
    """What one person may do for one tenant. The capabilities are in `console.access`."""

    class Role(models.TextChoices):
        OWNER = "owner", _("Owner")
        OPERATOR = "operator", _("Operator")
        VIEWER = "viewer", _("Viewer")

    tenant = models.ForeignKey(Tenant, on_delete=models.CASCADE, related_name="memberships")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships"
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["tenant", "user"], name="one_role_per_tenant")
        ]

    def __str__(self) -> str:
        return f"{self.user} · {self.tenant} · {self.role}"


class StaffRole(models.Model):
    """What one person of the operator's own staff may do on the whole fleet."""

    class Role(models.TextChoices):
        ADMINISTRATOR = "administrator", _("Administrator")
        OPERATOR = "operator", _("Operator")
        AUDITOR = "auditor", _("Auditor")

    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="staff_role"
    )
    role = models.CharField(_("role"), max_length=16, choices=Role)

    def __str__(self) -> str:
        return f"{self.user} · {self.role}"
