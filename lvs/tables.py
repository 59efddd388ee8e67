"""Columns of the lists of load balancing."""

from __future__ import annotations

from typing import Any

import django_tables2 as tables
from django.conf import settings
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from console.access import actor_of
from console.shell import may_somewhere
from console.tables import AgeColumn, ListTable, NameColumn
from console.templatetags.components import age, badge, pill
from lvs.models import Director, Revision, VirtualService
from lvs.models.virtual_services import Forwarding
from lvs.shown import mark_words

_NUMBER = {"td": {"class": "number"}, "th": {"class": "number"}}
_VERDICTS = {
    "proved": ("ok", _("proved")),
    "reached": ("ok", _("reached from the director")),
    "partial": ("warn", _("in part")),
    "failed": ("bad", _("failed")),
}


def _pills(*drawn: SafeString | str) -> SafeString:
    return format_html('<span class="pills">{}</span>', format_html_join("", "{}", zip(drawn)))


class DirectorTable(ListTable):
    """Needs `service_count` and `pending_count` on each row."""

    name = NameColumn(url_name="director", accessor="host__name", verbose_name=_("Director"))
    policy = tables.Column(verbose_name=_("Policy"))
    drift_count = tables.Column(verbose_name=_("State"))
    services = tables.Column(
        verbose_name=_("Virtual services"), accessor="service_count", attrs=_NUMBER
    )
    unmanaged_count = tables.Column(verbose_name=_("Unmanaged"), attrs=_NUMBER)
    observed_at = AgeColumn(verbose_name=_("Seen"), stale_after=settings.POLL_INTERVAL * 3)

    def render_policy(self, record: Director) -> str:
        return record.get_policy_display().partition(":")[0]

    def value_policy(self, record: Director) -> str:
        return record.policy

    def render_drift_count(self, record: Any) -> SafeString:
        if record.observed_at is None:
            state = pill(_("never read"), "warn")
        elif record.has_drifted:
            state = pill(_("%(count)d differ") % {"count": record.drift_count}, "bad")
        else:
            state = pill(_("as declared"), "ok")
        failed = pill(_("last look failed"), "bad") if record.observe_error else ""
        pending = (
            pill(_("%(count)d to apply") % {"count": record.pending_count}, "warn")
            if record.pending_count
            else ""
        )
        return _pills(state, failed, pending)

    def value_drift_count(self, record: Director) -> int:
        return record.drift_count

    def render_unmanaged_count(self, value: int) -> SafeString | int:
        return pill(str(value), "warn") if value else value


class RevisionTable(ListTable):
    """The applied states of one director."""

    number = tables.Column(verbose_name=_("State"), linkify=True, attrs={"a": {"class": "name"}})
    applied_at = AgeColumn(verbose_name=_("Applied"))
    applied_by = tables.Column(verbose_name=_("Asked by"))
    lines = tables.Column(verbose_name=_("Lines of the table"), accessor="added")
    operation = tables.Column(
        verbose_name=_("Operation"),
        accessor="operation_id",
        linkify=("operation", [tables.A("operation_id")]),
        attrs=_NUMBER,
    )

    def render_number(self, value: int) -> str:
        return f"#{value}"

    def value_number(self, value: int) -> int:
        return value

    def render_lines(self, record: Revision) -> SafeString:
        return format_html(
            '<span class="nowrap">+{} ~{} −{}</span>', record.added, record.changed, record.removed
        )

    def value_lines(self, record: Revision) -> str:
        return f"+{record.added} ~{record.changed} -{record.removed}"


class VirtualServiceTable(ListTable):
    """Needs `server_count` and `verdict` on each row."""

    pick = tables.Column(accessor="pk", verbose_name="", exclude_from_export=True)
    name = NameColumn(url_name="virtual-service", verbose_name=_("Virtual service"))
    vip = tables.Column(verbose_name=_("Address"))
    matching = tables.Column(verbose_name=_("Matched by"), visible=False)
    fwmark = tables.Column(verbose_name=_("Firewall mark"), accessor="mark_text", visible=False)
    director = tables.Column(
        verbose_name=_("Director"),
        accessor="director__host__name",
        attrs={"td": {"class": "nowrap"}},
    )
    forwarding = tables.Column(verbose_name=_("Method"), attrs={"td": {"class": "nowrap"}})
    scheduler = tables.Column(verbose_name=_("Scheduler"), visible=False)
    servers = tables.Column(verbose_name=_("Real servers"), accessor="server_count", attrs=_NUMBER)
    provisioning_status = tables.Column(verbose_name=_("State"))
    proof = tables.Column(verbose_name=_("Proof"), accessor="verdict", empty_values=())

    def before_render(self, request: Any) -> None:
        """Only those who may change something have boxes to tick."""
        if not may_somewhere(actor_of(request), "virtual_service.manage"):
            self.columns.hide("pick")

    def render_pick(self, record: VirtualService) -> SafeString:
        return format_html(
            '<input class="form-check-input m-0" type="checkbox" name="service" value="{}"'
            ' form="bulk" aria-label="{}">',
            record.pk,
            record.name,
        )

    def render_vip(self, record: VirtualService) -> SafeString:
        mark = format_html('<span class="sub">{}</span>', mark_words(record))
        return format_html(
            '<span class="mute">{}</span> <code class="address">{}</code>{}',
            record.get_protocol_display(),
            record.address,
            mark if record.is_marked else "",
        )

    def value_vip(self, record: VirtualService) -> str:
        return f"{record.protocol}:{record.address}"

    def render_director(self, record: VirtualService) -> SafeString | str:
        name = record.director.host.name
        if not actor_of(self.request).can("director.view"):
            return name
        return format_html('<a href="{}">{}</a>', record.director.get_absolute_url(), name)

    def value_director(self, record: VirtualService) -> str:
        return record.director.host.name

    def render_forwarding(self, record: VirtualService) -> SafeString:
        method = Forwarding(record.forwarding).short
        return format_html("{} · <code>{}</code>", method, record.scheduler)

    def value_matching(self, record: VirtualService) -> str:
        return record.matching

    def value_forwarding(self, record: VirtualService) -> str:
        return record.forwarding

    def render_provisioning_status(self, record: VirtualService) -> SafeString:
        leaving = pill(_("being removed"), "warn") if record.is_leaving else ""
        return _pills(badge(record, "provisioning_status"), leaving)

    def value_provisioning_status(self, record: VirtualService) -> str:
        return record.provisioning_status

    def render_proof(self, record: Any) -> SafeString:
        if record.proved_at is None:
            return format_html('<span class="mute">{}</span>', _("never"))
        tone, words = _VERDICTS.get(record.verdict, ("neutral", _("unknown")))
        return format_html(
            '{} <span class="mute">{}</span>', pill(words, tone), age(record.proved_at)
        )

    def value_proof(self, record: Any) -> str:
        return record.verdict or ""
