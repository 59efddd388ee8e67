"""Columns of the lists: how a value is drawn, and how it is written into CSV."""

from __future__ import annotations

import datetime as dt
from typing import Any

import django_tables2 as tables
from django.middleware.csrf import get_token
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext_lazy as _

from console import shell
from console.attention import alert_words
from console.models import Alert, ApiToken, AuditEvent, Host, Operation
from console.templatetags.components import age, badge, duration, exact, kind_label, pill

#: A host that nobody has reached for so long (seconds) is shown as stale.
STALE_HOST = 3600


class BadgeColumn(tables.Column):
    """A choice field as a badge; its value in CSV."""

    def render(self, record: Any, bound_column: Any) -> SafeString:
        *way, field = bound_column.accessor.split("__")
        for name in way:
            record = getattr(record, name)
        return badge(record, field)

    def value(self, record: Any, value: Any) -> Any:
        return value


class AgeColumn(tables.Column):
    """How long ago; `stale_after` in seconds. ISO 8601 in CSV."""

    def __init__(self, *args: Any, stale_after: float | None = None, **kwargs: Any) -> None:
        kwargs.setdefault("attrs", {"td": {"class": "number"}, "th": {"class": "number"}})
        super().__init__(*args, empty_values=(), **kwargs)
        self.stale_after = stale_after

    def render(self, value: dt.datetime | None) -> SafeString:
        return age(value or None, self.stale_after)

    def value(self, value: dt.datetime | None) -> str:
        return value.isoformat() if value else ""


class NameColumn(tables.Column):
    """What the row is called, as a link to its page; `url_name` takes the row's key."""

    def __init__(self, *args: Any, url_name: str, **kwargs: Any) -> None:
        kwargs.setdefault("attrs", {"a": {"class": "name"}})
        super().__init__(*args, linkify=(url_name, [tables.A("pk")]), **kwargs)


def target_link(row: Any) -> SafeString | str:
    """The name of what an operation, alert or audit line is about, linked where it exists."""
    url = shell.target_url(row.target_type, row.target_id)
    return format_html('<a href="{}">{}</a>', url, row.target_label) if url else row.target_label


class ListTable(tables.Table):
    """A list's columns. `listing` gives the template the sort links of the headers."""

    listing: Any = None

    class Meta:
        orderable = False
        template_name = "includes/table.html"
        attrs = {"class": "table stacks"}


class HostTable(ListTable):
    name = NameColumn(url_name="host", verbose_name=_("Host"))
    address = tables.Column(verbose_name=_("Address"))
    trust = BadgeColumn(verbose_name=_("Host key"))
    reach = BadgeColumn(verbose_name=_("Reach"))
    credential = tables.Column(
        verbose_name=_("Credential"), linkify=("credential", [tables.A("credential_id")])
    )
    observed_at = AgeColumn(verbose_name=_("Seen"), stale_after=STALE_HOST)

    def render_address(self, record: Host) -> SafeString:
        return format_html(
            "<code>{}@{}</code>{}{}",
            record.username,
            record.address,
            "" if record.port == 22 else format_html("<code>:{}</code>", record.port),
            format_html(' <span class="mute">{} {}</span>', _("via"), record.jump_host)
            if record.jump_host
            else "",
        )

    def value_address(self, record: Host) -> str:
        return f"{record.address}:{record.port}"


class CredentialTable(ListTable):
    name = NameColumn(url_name="credential", verbose_name=_("Credential"))
    kind = BadgeColumn(verbose_name=_("Kind"))
    used_by = tables.Column(
        verbose_name=_("Hosts"),
        accessor="host_count",
        attrs={"td": {"class": "number"}, "th": {"class": "number"}},
    )
    updated_at = AgeColumn(verbose_name=_("Changed"))


class OperationTable(ListTable):
    number = tables.Column(verbose_name=_("Operation"), accessor="pk", linkify=True)
    target_label = tables.Column(verbose_name=_("On"))
    status = BadgeColumn(verbose_name=_("Status"))
    requested_by_label = tables.Column(verbose_name=_("Asked by"))
    elapsed = tables.Column(
        verbose_name=_("Took"),
        accessor="pk",
        attrs={"td": {"class": "number"}, "th": {"class": "number"}},
    )
    queued_at = AgeColumn(verbose_name=_("Asked"))

    def render_number(self, record: Operation) -> str:
        return f"#{record.pk} {kind_label(record)}"

    def value_number(self, record: Operation) -> int:
        return record.pk

    def render_target_label(self, record: Operation) -> SafeString | str:
        return target_link(record)

    def value_target_label(self, record: Operation) -> str:
        return record.target_label

    def render_elapsed(self, record: Operation) -> str:
        return duration(record.ended_or_now - record.queued_at)

    def value_elapsed(self, record: Operation) -> float:
        return round((record.ended_or_now - record.queued_at).total_seconds(), 3)


class AuditTable(ListTable):
    at = tables.Column(verbose_name=_("When"))
    actor_label = tables.Column(verbose_name=_("Who"))
    verb = tables.Column(verbose_name=_("What"))
    target_label = tables.Column(verbose_name=_("To"))
    changes = tables.Column(verbose_name=_("Change"), empty_values=())
    outcome = BadgeColumn(verbose_name=_("Outcome"))

    def render_at(self, value: dt.datetime) -> SafeString:
        return format_html(
            '<time datetime="{}" class="nowrap">{}</time>', value.isoformat(), exact(value)
        )

    def value_at(self, value: dt.datetime) -> str:
        return value.isoformat()

    def render_actor_label(self, record: AuditEvent) -> SafeString:
        origin = " · ".join(part for part in (record.via, record.address) if part)
        return format_html('{}<span class="sub">{}</span>', record.actor_label, origin)

    def value_actor_label(self, record: AuditEvent) -> str:
        return record.actor_label

    def render_verb(self, record: AuditEvent) -> SafeString:
        reason = format_html('<span class="sub">{}</span>', record.reason) if record.reason else ""
        return format_html("<code>{}</code>{}", record.verb, reason)

    def value_verb(self, record: AuditEvent) -> str:
        return record.verb

    def render_target_label(self, record: AuditEvent) -> SafeString | str:
        return target_link(record)

    def value_target_label(self, record: AuditEvent) -> str:
        return record.target_label

    def render_changes(self, record: AuditEvent) -> SafeString | str:
        return changes_words(record)

    def value_changes(self, record: AuditEvent) -> str:
        return "; ".join(
            f"{name}: {before} → {after}" for name, (before, after) in record.changes.items()
        )


#: Fields that a line of the audit list spells out; the rest is counted.
_SHOWN_CHANGES = 4


def changes_words(event: AuditEvent) -> SafeString:
    """Before and after of the fields that changed; for a new object what it was given."""
    parts = SafeString("")
    for name, (before, after) in list(event.changes.items())[:_SHOWN_CHANGES]:
        if before in (None, ""):
            line = format_html('<span class="mute">{}</span> {}', name, _clipped(after))
        else:
            line = format_html(
                '<span class="mute">{}</span> {} → {}', name, _clipped(before), _clipped(after)
            )
        parts = format_html('{}<span class="sub breakable">{}</span>', parts, line)
    left = len(event.changes) - _SHOWN_CHANGES
    if left > 0:
        parts = format_html('{}<span class="sub mute">+ {}</span>', parts, left)
    operation = ""
    if event.operation_id is not None:
        operation = format_html(
            '<a href="{}">#{}</a>',
            shell.target_url("console.operation", event.operation_id),
            event.operation_id,
        )
    return format_html("{}{}", operation, parts)


def _clipped(value: Any, limit: int = 80) -> str:
    text = "–" if value in (None, "") else str(value)
    return text if len(text) <= limit else f"{text[:limit]}…"


class TenantTable(ListTable):
    name = NameColumn(url_name="tenant", verbose_name=_("Tenant"))
    members = tables.Column(
        verbose_name=_("Members"),
        accessor="member_count",
        attrs={"td": {"class": "number"}, "th": {"class": "number"}},
    )
    is_suspended = tables.Column(verbose_name=_("State"))
    created_at = AgeColumn(verbose_name=_("Since"))

    def render_is_suspended(self, value: bool) -> SafeString:
        return pill(_("Suspended"), "warn") if value else pill(_("Active"), "ok")

    def value_is_suspended(self, value: bool) -> str:
        return "suspended" if value else "active"


class TokenTable(ListTable):
    name = tables.Column(verbose_name=_("Token"))
    scopes = tables.Column(verbose_name=_("Scopes"))
    state = tables.Column(verbose_name=_("State"), accessor="is_valid", empty_values=())
    last_used_at = AgeColumn(verbose_name=_("Last used"))
    expires_at = tables.Column(verbose_name=_("Expires"), default=_("never"))
    revoke = tables.Column(
        verbose_name="", accessor="pk", exclude_from_export=True, attrs={"td": {"class": "number"}}
    )

    def render_name(self, record: ApiToken) -> SafeString:
        return format_html(
            '<strong>{}</strong><span class="sub"><code>{}…</code></span>',
            record.name,
            record.prefix,
        )

    def value_name(self, record: ApiToken) -> str:
        return record.name

    def render_scopes(self, value: list[str]) -> str:
        return ", ".join(value)

    def render_state(self, record: ApiToken) -> SafeString:
        if record.revoked_at:
            return pill(_("Revoked"), "neutral")
        return pill(_("Valid"), "ok") if record.is_valid else pill(_("Expired"), "warn")

    def render_expires_at(self, value: dt.datetime) -> str:
        return exact(value)

    def render_revoke(self, record: ApiToken) -> str:
        if not record.is_valid:
            return ""
        button = {
            "csrf_token": get_token(self.request),
            "url": reverse("token-revoke", args=[record.pk]),
            "label": _("Revoke"),
            "classes": "btn-small",
        }
        return render_to_string("includes/post_button.html", button)


class AlertTable(ListTable):
    """For CSV; the page draws alerts as sentences."""

    raised_at = AgeColumn(verbose_name=_("Raised"))
    severity = BadgeColumn(verbose_name=_("Severity"))
    kind = tables.Column(verbose_name=_("Kind"))
    target_label = tables.Column(verbose_name=_("On"))
    words = tables.Column(verbose_name=_("What"), accessor="pk")
    acknowledged_at = AgeColumn(verbose_name=_("Acknowledged"))
    resolved_at = AgeColumn(verbose_name=_("Resolved"))

    def render_words(self, record: Alert) -> str:
        title, detail = alert_words(record)
        return f"{title}. {detail}"
