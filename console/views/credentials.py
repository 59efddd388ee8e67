"""What the console logs in with. Secrets go in and are never shown again."""

from __future__ import annotations

from django.contrib import messages
from django.db.models import Count
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console import shell
from console.access import actor_of, find_visible, require, visible_to
from console.actions import credentials as verbs
from console.filters import CredentialFilter
from console.forms.base import try_verb
from console.forms.confirm import is_confirmed
from console.forms.hosts import CredentialForm, GenerateForm
from console.listing import ListOf
from console.models import Credential
from console.tables import CredentialTable

CREDENTIALS = ListOf(
    CredentialFilter,
    CredentialTable,
    default="name",
    sorts={"name": "name", "kind": "kind", "updated_at": "updated_at"},
    shown=("q", "kind"),
)
#: Hosts that the page of a credential lists.
SHOWN_HOSTS = 10


@require_safe
def credentials(request: HttpRequest) -> HttpResponseBase:
    """All credentials, without their secrets."""
    actor = actor_of(request)
    shell.require_somewhere(actor, "credential.view")
    rows = visible_to(actor, Credential.objects.annotate(host_count=Count("hosts")))
    return CREDENTIALS.respond(
        request, rows, "console/credentials.html", {"may_manage": actor.can("credential.manage")}
    )


@require_safe
def credential(request: HttpRequest, pk: int) -> HttpResponse:
    """One credential: its public key to copy, and the hosts that use it."""
    actor = actor_of(request)
    found = find_visible(actor, Credential.objects.all(), pk=pk)
    return render(
        request,
        "console/credential.html",
        {
            "credential": found,
            "hosts": found.hosts.order_by("name")[:SHOWN_HOSTS],
            "host_count": found.hosts.count(),
            "may_manage": actor.can("credential.manage", found),
        },
    )


@require_http_methods(["GET", "HEAD", "POST"])
def credential_add(request: HttpRequest) -> HttpResponse:
    """Keep a key or a password that exists already."""
    actor = actor_of(request)
    require(actor, "credential.manage")
    form = CredentialForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = try_verb(form, lambda: verbs.create_credential(actor, **form.values))
        if made is not None:
            return redirect("credential", made.pk)
    return render(request, "console/credential_form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def credential_generate(request: HttpRequest) -> HttpResponse:
    """Make a key pair; only its public half ever leaves the console."""
    actor = actor_of(request)
    require(actor, "credential.manage")
    form = GenerateForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        made = try_verb(
            form, lambda: verbs.generate_credential(actor, name=form.cleaned_data["name"])
        )
        if made is not None:
            return redirect("credential", made.pk)
    return render(request, "console/credential_generate.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def credential_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Rename it, or put in another secret."""
    actor = actor_of(request)
    found = find_visible(actor, Credential.objects.all(), pk=pk)
    require(actor, "credential.manage", found)
    form = CredentialForm(request.POST or None, instance=found)
    if request.method == "POST" and form.is_valid():
        changed = try_verb(
            form,
            lambda: verbs.update_credential(
                actor, found, expected_version=form.expected_version, **form.values
            ),
        )
        if changed is not None:
            messages.success(request, _("%(name)s was changed.") % {"name": changed.name})
            return redirect("credential", pk)
    return render(request, "console/credential_form.html", {"form": form, "credential": found})


@require_POST
def credential_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a credential whose name was typed."""
    actor = actor_of(request)
    found = find_visible(actor, Credential.objects.all(), pk=pk)
    if not is_confirmed(request, found.name):
        return redirect("credential", pk)
    verbs.delete_credential(actor, found)
    messages.success(request, _("%(name)s was deleted.") % {"name": found.name})
    return redirect("credentials")
