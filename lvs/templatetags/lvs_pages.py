"""Components of the pages of load balancing."""

from __future__ import annotations

from typing import Any

from django import template
from django.forms import BoundField
from django.template.context import Context
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from lvs import shown
from lvs.importing.report import Report
from lvs.ipvsadm.schedulers import SCHEDULERS
from lvs.models import Director, RealServer, VirtualService

register = template.Library()


@register.inclusion_tag("lvs/parts/choices.html")
def described_choices(field: BoundField) -> dict[str, Any]:
    """Radio buttons or boxes, each with the sentence that explains it."""
    descriptions: dict[str, Any] = getattr(field.field, "descriptions", {})
    return {
        "field": field,
        "options": [
            (option, descriptions.get(str(option.data["value"]), "")) for option in field.subwidgets
        ],
    }


@register.inclusion_tag("lvs/parts/cell.html")
def row_field(field: BoundField) -> dict[str, Any]:
    """A field of a row: its control, its label for those who do not see the heading, errors."""
    is_select = hasattr(field.field, "choices")
    classes = "form-select" if is_select else "form-control"
    own = field.field.widget.attrs.get("class", "")
    attrs: dict[str, str | bool] = {
        "class": f"{classes} {own}{' is-invalid' if field.errors else ''}".strip()
    }
    if field.errors:
        attrs["aria-describedby"] = f"{field.id_for_label}-errors"
    return {"field": field, "control": field.as_widget(attrs=attrs)}


@register.filter
def scheduler_words(service: VirtualService) -> str:
    """What a service's scheduler does: "Weighted least connections"."""
    scheduler = SCHEDULERS.get(service.scheduler)
    return _(scheduler.title) if scheduler else ""


@register.filter
def tunnel_words(row: VirtualService | RealServer) -> str:
    """How packets are wrapped: "gue 6080"."""
    return shown.tunnel_words(row)


@register.filter
def persistence_words(service: VirtualService) -> str:
    """For how long a client stays with its real server: "5 min for each /24"."""
    seconds = service.persistence_timeout
    if seconds is None:
        return _("none")
    if seconds % 3600 == 0:
        span = ngettext("%(count)d hour", "%(count)d hours", seconds // 3600) % {
            "count": seconds // 3600
        }
    elif seconds % 60 == 0:
        span = _("%(count)d min") % {"count": seconds // 60}
    else:
        span = _("%(count)d s") % {"count": seconds}
    if service.persistence_engine == "sip":
        return _("%(span)s for each call (SIP)") % {"span": span}
    whole = 128 if ":" in service.vip else 32
    prefix = service.persistence_prefix or whole
    if prefix == whole:
        return _("%(span)s for each client") % {"span": span}
    return _("%(span)s for each /%(prefix)d") % {"span": span, "prefix": prefix}


@register.simple_tag(takes_context=True)
def part_url(context: Context, part: str = "live") -> str:
    """The address of a part of this page, for htmx, with the page's own parameters."""
    request = context["request"]
    query = request.GET.copy()
    query["part"] = part
    return f"{request.path}?{query.urlencode()}"


@register.filter
def setting_rows(report: Report) -> list[tuple[Any, Any]]:
    """The fields of a director that an import declares along: names and values."""
    labels = {field.name: field.verbose_name for field in Director._meta.fields}
    rows: list[tuple[Any, Any]] = []
    for name, value in report.values.items():
        if isinstance(value, dict):
            rows += sorted(value.items())
        else:
            rows.append((labels[name], value))
    return rows


@register.filter
def behind(
    second_tier: dict[str, VirtualService], server: shown.ServerShown
) -> VirtualService | None:
    """The service of the director that a real server is, where it is one of a cascade."""
    return second_tier.get(server.row.rip) if server.row is not None else None
