"""Who may do what: one table of roles and capabilities, read in one place.

A capability is `noun.verb`. Staff roles hold for the whole fleet, tenant roles for the
objects of that tenant. Verbs call `require()` themselves; lists call `visible_to()` first,
so that a stranger gets 404 and a viewer 403.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

from django.db import models
from django.http import Http404, HttpRequest

from console.errors import Forbidden

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from console.models import Operation, Tenant

#: capability -> the token scope that it needs.
CAPABILITIES: dict[str, str] = {
    "alert.view": "read",
    "alert.acknowledge": "operate",
    "audit.view": "read",
    "credential.view": "read",
    "credential.manage": "admin",
    "host.view": "read",
    "host.manage": "operate",
    "operation.view": "read",
    "operation.cancel": "operate",
    "operation.retry": "operate",
    "operation.output": "read",
    "tenant.view": "read",
    "tenant.manage": "admin",
    "director.view": "read",
    "director.manage": "operate",
    "director.apply": "operate",
    "virtual_service.view": "read",
    "virtual_service.manage": "operate",
    "virtual_service.prove": "operate",
}
#: The scopes that a token can carry, each with what it opens.
SCOPES = ("read", "operate", "admin")

_VIEW = frozenset(name for name in CAPABILITIES if name.endswith((".view", ".output")))
_ALL = frozenset(CAPABILITIES)
_TENANT_VIEW = frozenset(
    {"alert.view", "audit.view", "operation.view", "tenant.view", "virtual_service.view"}
)
_TENANT_WORK = _TENANT_VIEW | {
    "alert.acknowledge",
    "operation.cancel",
    "operation.retry",
    "virtual_service.manage",
    "virtual_service.prove",
}

STAFF_ROLES: dict[str, frozenset[str]] = {
    "administrator": _ALL,
    "operator": _ALL - {"credential.manage", "tenant.manage"},
    "auditor": _VIEW,
}
TENANT_ROLES: dict[str, frozenset[str]] = {
    "owner": _TENANT_WORK,
    "operator": _TENANT_WORK,
    "viewer": _TENANT_VIEW,
}


@dataclass(frozen=True)
class Actor:
    """Whoever asks: a person, a program with that person's token, or the console itself.

    `roles` maps tenant ids to tenant roles. `scopes` is None where no token narrows the
    rights. `via` is one of browser, api, cli, system.
    """

    label: str
    user: User | None = None
    staff_role: str = ""
    roles: dict[int, str] = field(default_factory=dict, hash=False)
    scopes: frozenset[str] | None = None
    via: str = "browser"
    address: str = ""
    request_id: str = ""

    def _in_scope(self, capability: str) -> bool:
        return self.scopes is None or CAPABILITIES[capability] in self.scopes

    def can(self, capability: str, obj: Any = None) -> bool:
        """Whether the actor has the capability: on the whole fleet, or on `obj`'s tenant."""
        if not self._in_scope(capability):
            return False
        if capability in STAFF_ROLES.get(self.staff_role, frozenset()):
            return True
        tenant_id = getattr(obj, "tenant_id", None)
        role = self.roles.get(tenant_id, "") if tenant_id is not None else ""
        return capability in TENANT_ROLES.get(role, frozenset())

    def tenant_ids(self, capability: str) -> list[int]:
        """The tenants for which a membership gives the capability."""
        if not self._in_scope(capability):
            return []
        return [
            tenant_id
            for tenant_id, role in self.roles.items()
            if capability in TENANT_ROLES.get(role, frozenset())
        ]

    @property
    def is_staff(self) -> bool:
        return bool(self.staff_role)


#: The console itself: the reconciler and the periodic passes.
SYSTEM = Actor(label="evenkeel", staff_role="administrator", via="system")


def actor_for(user: Any, **known: Any) -> Actor:
    """The actor that a signed-in user is. Superusers are administrators."""
    if not getattr(user, "is_authenticated", False) or not user.is_active:
        return Actor(label="anonymous", **known)
    from console.models import Membership, StaffRole

    staff = "administrator" if user.is_superuser else ""
    if not staff:
        staff = StaffRole.objects.filter(user=user).values_list("role", flat=True).first() or ""
    roles = dict(
        Membership.objects.filter(user=user, tenant__is_suspended=False).values_list(
            "tenant_id", "role"
        )
    )
    return Actor(label=user.get_username(), user=user, staff_role=staff, roles=roles, **known)


def actor_of(request: HttpRequest) -> Actor:
    """The actor behind a request, made once for each request."""
    actor = getattr(request, "_evenkeel_actor", None)
    if actor is None:
        scopes = getattr(getattr(request, "auth", None), "scopes", None)
        actor = actor_for(
            request.user,
            scopes=None if scopes is None else frozenset(scopes),
            via="api" if request.path.startswith("/api/") else "browser",
            address=request.META.get("REMOTE_ADDR", ""),
            request_id=getattr(request, "evenkeel_request_id", ""),
        )
        request._evenkeel_actor = actor  # type: ignore[attr-defined]
    return actor


def require(actor: Actor, capability: str, obj: Any = None) -> None:
    """Raise Forbidden unless the actor has the capability (on `obj`'s tenant)."""
    if not actor.can(capability, obj):
        raise Forbidden(capability)


M = TypeVar("M", bound=models.Model)


def visible_to(actor: Actor, queryset: models.QuerySet[M]) -> models.QuerySet[M]:
    """The rows of a queryset that the actor may know about."""
    return queryset.visible_to(actor)  # type: ignore[attr-defined]


def find_visible(actor: Actor, queryset: models.QuerySet[M], **lookup: Any) -> M:
    """The one visible row, or 404: what is not yours does not exist."""
    try:
        return visible_to(actor, queryset).get(**lookup)
    except (queryset.model.DoesNotExist, ValueError, OverflowError) as error:  # type: ignore[attr-defined]
        raise Http404 from error


def tenant_of(obj: Any) -> Tenant | None:
    """The tenant that an object belongs to, or None for the operator's own."""
    return getattr(obj, "tenant", None)


def may_see_output(actor: Actor, operation: Operation) -> bool:
    """Remote commands and their output are shown to staff only."""
    return actor.can("operation.output")
