"""Tenants and their members."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.models import User
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console import shell
from console.access import actor_of, find_visible, require, visible_to
from console.actions import tenants as verbs
from console.filters import TenantFilter
from console.forms.base import try_verb
from console.forms.tenants import MemberForm, TenantForm
from console.listing import ListOf
from console.models import Tenant
from console.tables import TenantTable

TENANTS = ListOf(
    TenantFilter,
    TenantTable,
    default="name",
    sorts={"name": "name", "created_at": "created_at"},
)


@require_safe
def tenants(request: HttpRequest) -> HttpResponseBase:
    """The tenants that the reader belongs to; staff sees all."""
    actor = actor_of(request)
    shell.require_somewhere(actor, "tenant.view")
    rows = visible_to(actor, Tenant.objects.annotate(member_count=Count("memberships")))
    return TENANTS.respond(
        request, rows, "console/tenants.html", {"may_manage": actor.can("tenant.manage")}
    )


@require_safe
def tenant(request: HttpRequest, pk: int) -> HttpResponse:
    """One tenant and its members."""
    found = find_visible(actor_of(request), Tenant.objects.all(), pk=pk)
    return _page(request, found, MemberForm())


def _page(request: HttpRequest, found: Tenant, form: MemberForm) -> HttpResponse:
    return render(
        request,
        "console/tenant.html",
        {
            "tenant": found,
            "memberships": found.memberships.select_related("user").order_by("user__username"),
            "form": form,
            "may_manage": actor_of(request).can("tenant.manage", found),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def tenant_add(request: HttpRequest) -> HttpResponse:
    """A new tenant."""
    actor = actor_of(request)
    require(actor, "tenant.manage")
    form = TenantForm(request.POST or None)
    del form.fields["is_suspended"]
    if request.method == "POST" and form.is_valid():
        made = try_verb(form, lambda: verbs.create_tenant(actor, **form.values))
        if made is not None:
            return redirect("tenant", made.pk)
    return render(request, "console/tenant_form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def tenant_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename or suspend."""
    actor = actor_of(request)
    found = find_visible(actor, Tenant.objects.all(), pk=pk)
    require(actor, "tenant.manage", found)
    form = TenantForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        changed = try_verb(
            form,
            lambda: verbs.update_tenant(
                actor, found, expected_version=form.expected_version, **form.values
            ),
        )
        if changed is not None:
            messages.success(request, _("%(name)s was changed.") % {"name": changed.name})
            return redirect("tenant", pk)
    return render(request, "console/tenant_form.html", {"form": form, "tenant": found})


@require_POST
def member_set(request: HttpRequest, pk: int) -> HttpResponse:
    """Make somebody a member, or change a member's role."""
    actor = actor_of(request)
    found = find_visible(actor, Tenant.objects.all(), pk=pk)
    require(actor, "tenant.manage", found)
    form = MemberForm(request.POST)
    if form.is_valid():
        user, role = form.cleaned_data["username"], form.cleaned_data["role"]
        if try_verb(form, lambda: verbs.set_member(actor, found, user=user, role=role)):
            return redirect("tenant", pk)
    return _page(request, found, form)


@require_POST
def member_remove(request: HttpRequest, pk: int, user_pk: int) -> HttpResponse:
    """Take a membership away."""
    actor = actor_of(request)
    found = find_visible(actor, Tenant.objects.all(), pk=pk)
    require(actor, "tenant.manage", found)
    user = get_object_or_404(User, pk=user_pk)
    verbs.remove_member(actor, found, user=user)
    messages.success(
        request,
        _("%(user)s is no longer a member of %(tenant)s.")
        % {"user": user.get_username(), "tenant": found.name},
    )
    return redirect("tenant", pk)
