"""What was typed so far, judged against the topology before anything is saved."""

from __future__ import annotations

from collections.abc import Mapping
from copy import copy
from dataclasses import dataclass
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.http import QueryDict
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

from console.planning import Problem
from lvs import advising, situations
from lvs.forms.editor import ServiceEditor
from lvs.models import RealServer, VirtualService
from lvs.models.virtual_services import Forwarding
from lvs.topology.advisor import Advice

_UNKNOWN = [("", _("not known")), ("yes", _("yes")), ("no", _("no"))]
#: Of the service's fields, those that topology depends on; an empty one keeps its default.
_READ = frozenset({"vip", "port", "forwarding", "is_vip_managed", "persistence_timeout",
                   "tunnel_type", "matching"})  # fmt: skip
_ANSWERS = {"yes": True, "no": False}


class QuestionForm(forms.Form):
    """What only a person knows of a service."""

    is_mostly_out = forms.ChoiceField(
        label=_("Do answers carry much more than requests?"), choices=_UNKNOWN, required=False
    )
    needs_client_address = forms.ChoiceField(
        label=_("Must the real servers see the client’s address?"),
        choices=_UNKNOWN,
        required=False,
    )


@dataclass(frozen=True, slots=True)
class MethodShown:
    """One method of the advice as a page shows it."""

    label: str | Promise
    tone: str
    fit: str | Promise
    advice: Advice


@dataclass(frozen=True, slots=True)
class Check:
    """The answer: what stands in the way of the method chosen, and which one suits."""

    form: QuestionForm
    is_asked: bool = False
    is_missing: bool = False
    problems: tuple[Problem, ...] = ()
    methods: tuple[MethodShown, ...] = ()


def check(editor: ServiceEditor, data: QueryDict | None) -> Check:
    """Judge what was typed, as far as it can be read; rows that cannot are passed over."""
    form = QuestionForm(data or None, prefix="question")
    if editor.asked != "check":
        return Check(QuestionForm(prefix="question"))
    service = _service(editor)
    if service is None:
        return Check(form, is_asked=True, is_missing=True)
    servers = _servers(editor, service.port)
    form.is_valid()
    asked = {name: _ANSWERS.get(form.cleaned_data.get(name, "")) for name in form.fields}
    methods = advising.advice_on(service, servers, **asked)
    return Check(
        form,
        is_asked=True,
        problems=tuple(situations.problems_of(service, servers)),
        methods=tuple(method_shown(one) for one in methods),
    )


def method_shown(advice: Advice) -> MethodShown:
    """One method with its name, its tone and how it fits."""
    tone, fit = advising.FITS[advice.fit]
    return MethodShown(Forwarding(advice.method.value).label, tone, fit, advice)


def _service(editor: ServiceEditor) -> VirtualService | None:
    """The service that was typed, not saved; None without director, VIP or port."""
    service = copy(editor.form.instance)
    if editor.form.chosen is None:
        return None
    service.director = editor.form.chosen
    for name, value in _cleaned(editor.form, editor.form.initial).items():
        if name in _READ and (value not in ("", None) or name == "persistence_timeout"):
            setattr(service, name, value)
    return service if service.vip and service.port is not None else None


def _servers(editor: ServiceEditor, port: int) -> list[RealServer]:
    if editor.rows is None:
        return list(editor.form.instance.real_servers.all())
    found = []
    for row in editor.rows.forms:
        values = _cleaned(row, row.initial)
        if values.get("rip") and not values.get("DELETE"):
            found.append(
                RealServer(
                    rip=values["rip"],
                    port=port if values.get("port") is None else values["port"],
                    forwarding=values.get("forwarding") or "",
                    weight=values.get("weight") or 0,
                    upper_threshold=values.get("upper_threshold") or 0,
                    host_id=int(values["host"]) if values.get("host") else None,
                )
            )
    return found


def _cleaned(form: forms.BaseForm, typed: Mapping[str, Any]) -> dict[str, Any]:
    """The fields that can be read, each by itself."""
    found = {}
    for name, field in form.fields.items():
        try:
            found[name] = field.clean(typed.get(name))
        except ValidationError:
            continue
    return found
