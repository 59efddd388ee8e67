"""A director's own side: guards and other settings, timeouts, local addresses, the preset."""

from __future__ import annotations

from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from console.access import actor_of, find_visible, require
from console.forms.base import try_verb
from console.models import Operation
from lvs import configured, local
from lvs.actions import settings as verbs
from lvs.forms.settings import SettingsForm
from lvs.models import Director

_DIRECTORS = Director.objects.select_related("host").defer("observed_table")


def _find(request: HttpRequest, pk: int) -> Director:
    return find_visible(actor_of(request), _DIRECTORS, pk=pk)


@require_http_methods(["GET", "HEAD", "POST"])
def director_settings(request: HttpRequest, pk: int) -> HttpResponse:
    """Declared beside seen; what is recommended can be filled in before it is saved."""
    actor, found = actor_of(request), _find(request, pk)
    may_manage = actor.can("director.manage", found)
    do = request.POST.get("do", "") if request.method == "POST" else ""
    if request.method == "POST":
        require(actor, "director.manage", found)
    if do in ("save", "apply"):
        form = SettingsForm(found, request.POST)
        if form.is_valid():
            changed = try_verb(
                form,
                lambda: verbs.change_settings(
                    actor,
                    found,
                    expected_version=form.expected_version,
                    apply=do == "apply",
                    **form.values,
                ),
            )
            if changed is not None:
                if changed[1] is None:
                    messages.success(request, _("Saved. It waits for Apply."))
                return redirect("director-settings", pk)
    else:
        form = SettingsForm(found, recommended=do == "recommended")
    return _page(request, _find(request, pk), form if may_manage else form.disable(), do)


def _page(request: HttpRequest, found: Director, form: SettingsForm, do: str) -> HttpResponse:
    context = {
        "director": found,
        "form": form,
        "timeouts": [(one, form[one.field]) for one in configured.timeouts_shown(found)],
        "tables": configured.tables_shown(found),
        "uses": local.use_of_ports(found),
        "ports_per_address": local.PORTS_PER_ADDRESS,
        "live": Operation.objects.on(found).live().first(),
        "may_manage": actor_of(request).can("director.manage", found),
        "is_filled": do == "recommended",
        "stale_after": settings.POLL_INTERVAL * 3,
    }
    return render(request, "lvs/director_settings.html", context)


@require_POST
def director_under_attack(request: HttpRequest, pk: int) -> HttpResponse:
    """The preset, on or off, applied at once."""
    found = _find(request, pk)
    verbs.set_under_attack(actor_of(request), found, on=request.POST.get("on") == "1")
    return redirect("director-settings", pk)


@require_POST
def director_configure(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply what is declared of the director's own side."""
    found = _find(request, pk)
    verbs.request_configure(actor_of(request), found)
    return redirect("director-settings", pk)
