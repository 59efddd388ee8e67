"""Verbs for tenants and their members."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console import audit, changes
from console.access import Actor, require
from console.errors import WrongState
from console.models import Membership, Tenant


def create_tenant(actor: Actor, *, name: str) -> Tenant:
    """A new tenant, without members."""
    require(actor, "tenant.manage")
    return changes.create(actor, "tenant.create", Tenant(name=name))


def update_tenant(
    actor: Actor, tenant: Tenant, *, expected_version: int | None = None, **values: Any
) -> Tenant:
    """Rename or suspend. Members of a suspended tenant see nothing of it."""
    require(actor, "tenant.manage", tenant)
    changes.update(actor, "tenant.update", tenant, values, expected_version)
    return tenant


def set_member(actor: Actor, tenant: Tenant, *, user: User, role: str) -> Membership:
    """Make somebody a member, or give a member another role."""
    require(actor, "tenant.manage", tenant)
    if role not in Membership.Role.values:
        raise ValidationError(
            {
                "role": ValidationError(
                    _("Choose one of: %(roles)s.") % {"roles": ", ".join(Membership.Role.values)},
                    code="invalid_choice",
                )
            }
        )
    with transaction.atomic():
        before = tenant.memberships.filter(user=user).values_list("role", flat=True).first()
        membership, _made = Membership.objects.update_or_create(
            tenant=tenant, user=user, defaults={"role": role}
        )
        audit.record(
            actor, "tenant.set_member", tenant, changes={user.get_username(): [before or "", role]}
        )
    return membership


def remove_member(actor: Actor, tenant: Tenant, *, user: User) -> None:
    """Take a membership away."""
    require(actor, "tenant.manage", tenant)
    with transaction.atomic():
        gone, _rows = tenant.memberships.filter(user=user).delete()
        if not gone:
            raise WrongState(_("%(user)s is not a member.") % {"user": user.get_username()})
        audit.record(
            actor, "tenant.remove_member", tenant, changes={user.get_username(): ["member", ""]}
        )
