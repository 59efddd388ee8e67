"""Import of a running director: look or give a file, read the report, declare."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.core.exceptions import ValidationError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import ngettext
from django.views.decorators.http import require_POST, require_safe

from console.access import actor_of, find_visible, require
from console.errors import VerbRefused
from console.keyset import InvalidCursor, page_of
from console.models import Operation
from lvs.actions import importing as verbs
from lvs.forms.importing import ConfigurationForm, names_of
from lvs.importing.report import FRESH, Report, report_of
from lvs.models import Director, ImportSource

#: Entries on one page: each is shown with all of its lines.
PAGE_SIZE = 25


def _find(request: HttpRequest, pk: int) -> Director:
    return find_visible(actor_of(request), Director.objects.select_related("host"), pk=pk)


def _kind(value: str) -> str:
    return value if value in ImportSource.Kind.values else ImportSource.Kind.MACHINE.value


@require_safe
def director_import(request: HttpRequest, pk: int) -> HttpResponse:
    """What can be imported, and the report of what was looked at last."""
    found = _find(request, pk)
    return render(request, "lvs/import.html", _context(request, found, ConfigurationForm()))


def _context(request: HttpRequest, found: Director, form: ConfigurationForm) -> dict[str, Any]:
    kind = _kind(request.GET.get("source", ""))
    live = Operation.objects.on(found).live().first()
    source = verbs.find_source(found, kind) if live is None else None
    report = report_of(found, source) if source is not None else None
    return {
        "director": found,
        "may_apply": actor_of(request).can("director.apply", found),
        "kind": kind,
        "form": form,
        "report": report,
        "page": _page(request, report) if report is not None else None,
        "state": request.GET.get("state", ""),
        "live": live,
        "failed": _failed(found) if report is None and live is None else None,
        "stale_after": FRESH.total_seconds(),
    }


def _failed(found: Director) -> Operation | None:
    last = Operation.objects.on(found).filter(kind="director.survey").first()
    return last if last is not None and last.status == Operation.Status.FAILED else None


def _page(request: HttpRequest, report: Report) -> Any:
    state = request.GET.get("state", "")
    drafts = sorted(
        (draft for draft in report.drafts if not state or draft.state == state),
        key=lambda draft: draft.key,
    )
    try:
        return page_of(
            drafts, lambda draft: draft.key, cursor=request.GET.get("cursor", ""), limit=PAGE_SIZE
        )
    except InvalidCursor:
        return page_of(drafts, lambda draft: draft.key, limit=PAGE_SIZE)


@require_POST
def director_import_look(request: HttpRequest, pk: int) -> HttpResponse:
    """Read everything of the director; nothing is changed there."""
    found = _find(request, pk)
    verbs.request_survey(actor_of(request), found)
    return redirect("director-import", pk)


@require_POST
def director_import_file(request: HttpRequest, pk: int) -> HttpResponse:
    """Read a keepalived.conf that was given."""
    actor, found = actor_of(request), _find(request, pk)
    require(actor, "director.apply", found)
    form = ConfigurationForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            verbs.give_configuration(actor, found, **form.given)
        except ValidationError as error:
            form.add_error(None, error.messages)
    if form.is_valid():
        return redirect(f"{reverse('director-import', args=[pk])}?source=file")
    return render(request, "lvs/import.html", _context(request, found, form))


@require_POST
def director_import_declare(request: HttpRequest, pk: int) -> HttpResponse:
    """Declare what the report offers."""
    actor, found = actor_of(request), _find(request, pk)
    kind = _kind(request.POST.get("source", ""))
    back = f"{reverse('director-import', args=[pk])}?source={kind}"
    try:
        done = verbs.import_director(actor, found, source=kind, names=names_of(request.POST))
    except ValidationError as error:
        for message in error.messages:
            messages.error(request, message)
        return redirect(back)
    except VerbRefused as error:
        if error.status != 409:
            raise
        messages.error(request, str(error))
        return redirect(back)
    count = len(done.services)
    messages.success(
        request,
        ngettext("%(count)d service was declared.", "%(count)d services were declared.", count)
        % {"count": count},
    )
    return redirect(found)
