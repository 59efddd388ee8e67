"""A virtual service and its real servers on one page: declare it, change it."""

from __future__ import annotations

from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods

from console.access import actor_of, require
from lvs.actions import virtual_services as verbs
from lvs.forms.checking import check
from lvs.forms.editor import ServiceEditor
from lvs.models import Director, VirtualService
from lvs.views.virtual_services import find


@require_http_methods(["GET", "HEAD", "POST"])
def service_add(request: HttpRequest) -> HttpResponse:
    """Declare a service with its real servers, and apply it where that was asked."""
    actor = actor_of(request)
    require(actor, "virtual_service.manage")
    editor = ServiceEditor(actor, data=request.POST or None, initial=request.GET.dict())
    if editor.is_save and editor.is_valid():
        made = editor.try_verb(lambda: verbs.create_virtual_service(actor, **editor.values))
        if made is not None:
            return redirect(made[0])
    return _page(request, editor)


@require_http_methods(["GET", "HEAD", "POST"])
def service_edit(request: HttpRequest, pk: int) -> HttpResponse:
    """Change a service and its pool in one save."""
    actor, service = actor_of(request), find(request, pk)
    require(actor, "virtual_service.manage", service)
    editor = ServiceEditor(actor, service, data=request.POST or None)
    if editor.is_save and editor.is_valid():
        changed = editor.try_verb(
            lambda: verbs.update_virtual_service(
                actor, service, expected_version=editor.form.expected_version, **editor.values
            )
        )
        if changed is not None:
            return redirect("virtual-service", pk)
    return _page(request, editor, find(request, pk))


def _page(
    request: HttpRequest, editor: ServiceEditor, service: VirtualService | None = None
) -> HttpResponse:
    context = {
        "editor": editor,
        "form": editor.form,
        "rows": editor.rows,
        "addresses": editor.addresses,
        "check": check(editor, request.POST or None),
        "service": service,
        "has_director": service is not None or Director.objects.exists(),
    }
    return render(request, "lvs/service_form.html", context)
