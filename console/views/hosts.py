"""Machines: declare them, compare their keys, see what they have and lack."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from console import shell
from console.access import actor_of, find_visible, require, visible_to
from console.actions import hosts as verbs
from console.filters import HostFilter
from console.forms.base import try_verb
from console.forms.confirm import is_confirmed
from console.forms.hosts import FingerprintForm, HostForm
from console.listing import ListOf
from console.models import Host, Operation
from console.readiness import report_of
from console.tables import STALE_HOST, HostTable

HOSTS = ListOf(
    HostFilter,
    HostTable,
    default="name",
    sorts={"name": "name", "address": "address", "trust": "trust", "reach": "reach"},
    shown=("q", "trust", "reach"),
)
#: Operations that the page of a host lists.
HISTORY = 10


@require_safe
def hosts(request: HttpRequest) -> HttpResponseBase:
    """All machines."""
    actor = actor_of(request)
    shell.require_somewhere(actor, "host.view")
    rows = visible_to(actor, Host.objects.select_related("credential", "jump_host"))
    return HOSTS.respond(
        request, rows, "console/hosts.html", {"may_manage": actor.can("host.manage")}
    )


def _find(request: HttpRequest, pk: int) -> Host:
    rows = Host.objects.select_related("credential", "jump_host", "pinned_by")
    return find_visible(actor_of(request), rows, pk=pk)


@require_safe
def host(request: HttpRequest, pk: int) -> HttpResponse:
    """One machine: its key, what it has and lacks for each role, its history."""
    actor = actor_of(request)
    found = _find(request, pk)
    history = list(visible_to(actor, Operation.objects.on(found))[:HISTORY])
    live = next((operation for operation in history if operation.is_live), None)
    context = {
        "host": found,
        "history": history,
        "live": live,
        "report": report_of(found),
        "may_manage": actor.can("host.manage", found),
        "stale_after": STALE_HOST,
        "is_pinned": found.trust == Host.Trust.PINNED,
        "has_other_key": found.trust == Host.Trust.CHANGED,
        "is_away": found.reach == Host.Reach.UNREACHABLE,
    }
    part = request.htmx and request.GET.get("part") == "live"  # type: ignore[attr-defined]
    return render(request, "includes/host.html" if part else "console/host.html", context)


@require_http_methods(["GET", "HEAD", "POST"])
def host_add(request: HttpRequest) -> HttpResponse:
    """Declare a machine; its key is read at once."""
    actor = actor_of(request)
    require(actor, "host.manage")
    form = HostForm(request.POST or None, actor=actor)
    if request.method == "POST" and form.is_valid():
        made = try_verb(form, lambda: verbs.create_host(actor, **form.values))
        if made is not None:
            return redirect("host", made[0].pk)
    return render(request, "console/host_form.html", {"form": form})


@require_http_methods(["GET", "HEAD", "POST"])
def host_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change what is declared of a machine."""
    actor, found = actor_of(request), _find(request, pk)
    require(actor, "host.manage", found)
    form = HostForm(request.POST or None, instance=found, actor=actor)
    if request.method == "POST" and form.is_valid():
        changed = try_verb(
            form,
            lambda: verbs.update_host(
                actor, found, expected_version=form.expected_version, **form.values
            ),
        )
        if changed is not None:
            messages.success(request, _("%(host)s was changed.") % {"host": changed.name})
            return redirect("host", pk)
    return render(request, "console/host_form.html", {"form": form, "host": _find(request, pk)})


@require_POST
def host_delete(request: HttpRequest, pk: int) -> HttpResponse:
    """Forget a machine whose name was typed."""
    found = _find(request, pk)
    if not is_confirmed(request, found.name):
        return redirect("host", pk)
    verbs.delete_host(actor_of(request), found)
    messages.success(
        request, _("%(host)s was deleted. Nothing changed on it.") % {"host": found.name}
    )
    return redirect("hosts")


@require_POST
def host_scan_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Read the key that the machine shows now."""
    verbs.request_key_scan(actor_of(request), _find(request, pk))
    return redirect("host", pk)


@require_POST
def host_accept_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Pin the key whose fingerprint was compared."""
    found = _find(request, pk)
    form = FingerprintForm(request.POST)
    if form.is_valid():
        fingerprint = form.cleaned_data["fingerprint"]
        actor = actor_of(request)
        try_verb(form, lambda: verbs.accept_key(actor, found, fingerprint=fingerprint))
    for message in form.errors.get("fingerprint", []):
        messages.error(request, str(message))
    return redirect("host", pk)


@require_POST
def host_refuse_key(request: HttpRequest, pk: int) -> HttpResponse:
    """Drop the offered key."""
    verbs.refuse_key(actor_of(request), _find(request, pk))
    messages.info(request, _("The key was refused. Nothing is done on this host."))
    return redirect("host", pk)


@require_POST
def host_preflight(request: HttpRequest, pk: int) -> HttpResponse:
    """Look what the machine has and lacks."""
    verbs.request_preflight(actor_of(request), _find(request, pk))
    return redirect("host", pk)
