"""The cascade of a front: its directors behind it, one more, both tiers applied or removed."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST

from console.access import actor_of, require
from console.forms.base import try_verb
from console.forms.confirm import is_confirmed
from lvs import cascades
from lvs.actions import cascade as verbs
from lvs.forms.cascades import TierForm
from lvs.views.virtual_services import find


@require_http_methods(["GET", "HEAD", "POST"])
def cascade(request: HttpRequest, pk: int) -> HttpResponse:
    """The directors behind a front, and a form for one more."""
    actor, front = actor_of(request), find(request, pk)
    require(actor, "virtual_service.manage")
    form = TierForm(request.POST or None, actor=actor, front=front)
    if request.method == "POST" and form.is_valid():
        is_apply = request.POST.get("do") == "apply"
        if try_verb(form, lambda: verbs.add_tier(actor, front, form.tier, apply=is_apply)):
            return redirect(front)
    backs = sorted(cascades.backs_of(front).items())
    context = {
        "front": front,
        "form": form,
        "backs": backs,
        "is_front": front.forwarding in cascades.FRONT,
    }
    return render(request, "lvs/cascade.html", context)


@require_POST
def cascade_apply(request: HttpRequest, pk: int) -> HttpResponse:
    """Apply both tiers in one operation."""
    return redirect(verbs.request_apply(actor_of(request), find(request, pk)))


@require_POST
def cascade_remove(request: HttpRequest, pk: int) -> HttpResponse:
    """Remove both tiers of a front whose name was typed."""
    actor, front = actor_of(request), find(request, pk)
    require(actor, "virtual_service.manage", front)
    if not is_confirmed(request, front.name):
        return redirect(front)
    operation = verbs.request_removal(actor, front, confirm=request.POST["confirm"])
    if operation is not None:
        return redirect(operation)
    messages.success(request, _("%(name)s is gone. It had never been applied.") % {"name": front})
    return redirect("virtual-services")
