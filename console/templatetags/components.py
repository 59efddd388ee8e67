"""The pages' components. Built in: templates need no `load`.

Each answers one question about how something is shown; none asks the database for anything
that its argument does not already hold.
"""

from __future__ import annotations

import datetime as dt
import shlex
import zlib
from collections.abc import Mapping
from typing import Any

from django import template
from django.db import models
from django.http import HttpRequest
from django.template.context import Context
from django.templatetags.static import static
from django.utils import formats, timezone
from django.utils.functional import Promise
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from console import attention, operations, shell
from console.models import Alert, Operation
from console.planning import Effect, Plan
from console.tones import LIVE, tone_of
from console.words import localised as in_readers_language

register = template.Library()

#: Lines of a plan that a page draws; the rest is counted in words.
DIFF_LINES = 200


@register.simple_tag
def icon(name: str, label: str = "") -> SafeString:
    """A drawing of `icons.svg`. Without a label it is decoration and hidden from readers."""
    address = f"{static('console/icons.svg')}#{name}"
    if label:
        return format_html(
            '<svg class="icon" role="img" aria-label="{}"><use href="{}"/></svg>', label, address
        )
    return format_html('<svg class="icon" aria-hidden="true"><use href="{}"/></svg>', address)


@register.simple_tag
def badge(obj: models.Model, field: str) -> SafeString:
    """The label and colour of a choice field: {% badge operation "status" %}."""
    value = getattr(obj, field)
    label = getattr(obj, f"get_{field}_display")()
    live = " is-live" if value in LIVE else ""
    return format_html('<span class="badge tone-{}{}">{}</span>', tone_of(value), live, label)


@register.simple_tag
def pill(label: str | Promise, tone: str = "neutral") -> SafeString:
    """A badge with words of its own: {% pill _("1 change planned") "warn" %}."""
    return format_html('<span class="badge tone-{}">{}</span>', tone, label)


@register.filter
def tone(value: object) -> str:
    """The tone of a status value, for a class name: tone-{{ finding.status|tone }}."""
    return tone_of(value)


def age_words(seconds: float) -> str:
    """How long ago, in one unit: 4 s ago, 3 min ago, 2 h ago, 5 days ago."""
    whole = max(0, int(seconds))
    if whole < 60:
        return _("%(count)d s ago") % {"count": whole}
    if whole < 3600:
        return _("%(count)d min ago") % {"count": whole // 60}
    if whole < 86400 * 2:
        return _("%(count)d h ago") % {"count": whole // 3600}
    return _("%(count)d days ago") % {"count": whole // 86400}


@register.simple_tag
def age_patterns() -> SafeString:
    """The same words for the script that keeps ages fresh, as data attributes."""
    patterns = {
        "s": _("%(count)d s ago"),
        "min": _("%(count)d min ago"),
        "h": _("%(count)d h ago"),
        "days": _("%(count)d days ago"),
    }
    return format_html(
        'data-age-s="{}" data-age-min="{}" data-age-h="{}" data-age-days="{}"',
        *(pattern.replace("%(count)d", "#") for pattern in patterns.values()),
    )


@register.simple_tag
def age(moment: dt.datetime | None, stale_after: float | None = None) -> SafeString:
    """How old an observed value is; visibly stale after `stale_after` seconds.

    {% age host.observed_at %} {% age director.observed_at stale_after=90 %}
    """
    if moment is None:
        return format_html('<span class="age is-never mute">{}</span>', _("never"))
    seconds = (timezone.now() - moment).total_seconds()
    is_stale = stale_after is not None and seconds > stale_after
    return format_html(
        '<time class="age{}" datetime="{}" title="{}" data-age{}>{}</time>',
        " is-stale" if is_stale else "",
        moment.isoformat(),
        exact(moment),
        "" if stale_after is None else format_html(' data-stale-after="{}"', int(stale_after)),
        age_words(seconds),
    )


def exact(moment: dt.datetime) -> str:
    """A moment to the second in the reader's locale."""
    local = timezone.localtime(moment)
    return f"{formats.date_format(local, 'DATE_FORMAT')} {local:%H:%M:%S %Z}"


@register.simple_tag
def moment(value: dt.datetime | None) -> SafeString:
    """A point in time, spelled out."""
    if value is None:
        return SafeString("–")
    return format_html('<time datetime="{}">{}</time>', value.isoformat(), exact(value))


@register.filter
def duration(seconds: float | dt.timedelta | None) -> str:
    """A length of time: 0.4 s, 12 s, 3 min 5 s, 2 h 4 min."""
    if seconds is None:
        return "–"
    if isinstance(seconds, dt.timedelta):
        seconds = seconds.total_seconds()
    if seconds < 10:
        return _("%(seconds)s s") % {"seconds": formats.number_format(round(seconds, 1), 1)}
    whole = int(seconds)
    if whole < 60:
        return _("%(seconds)s s") % {"seconds": whole}
    if whole < 3600:
        return _("%(minutes)d min %(seconds)d s") % {"minutes": whole // 60, "seconds": whole % 60}
    return _("%(hours)d h %(minutes)d min") % {
        "hours": whole // 3600,
        "minutes": whole % 3600 // 60,
    }


@register.filter
def elapsed(operation: Operation) -> str:
    """From when it was asked for to its end, or to now while it lives."""
    return duration(operation.ended_or_now - operation.queued_at)


@register.inclusion_tag("includes/meter.html")
def meter(value: float, maximum: float, label: str, tone: str = "") -> dict[str, Any]:
    """A bar with its figure for readers: {% meter active total _("Share") tone="ok" %}."""
    return {"value": value, "maximum": maximum or 1, "label": label, "tone": tone}


@register.inclusion_tag("includes/code.html")
def code(text: str, label: str = "") -> dict[str, Any]:
    """A command to run elsewhere, with a button that copies it."""
    return {"text": text, "label": label}


@register.inclusion_tag("includes/copy.html")
def copy(text: str) -> dict[str, Any]:
    """A small button that copies `text`."""
    return {"text": text}


@register.inclusion_tag("includes/operation_link.html")
def operation_link(operation: Operation) -> dict[str, Any]:
    """An operation by number, what it does and its state, as a link to its page."""
    return {"operation": operation}


@register.inclusion_tag("includes/post_button.html", takes_context=True)
def post_button(
    context: Context,
    url: str,
    label: str | Promise,
    icon: str = "",
    classes: str = "",
    name: str = "",
    value: str = "",
) -> dict[str, Any]:
    """A button that changes something: a form of its own that posts to `url`.

    `name` and `value` are one hidden field; more of them need a form in the template.
    """
    return {
        "csrf_token": context.get("csrf_token"),
        "url": url,
        "label": label,
        "icon": icon,
        "classes": classes,
        "name": name,
        "value": value,
    }


@register.inclusion_tag("includes/confirm.html", takes_context=True)
def confirm(
    context: Context,
    url: str,
    label: str | Promise,
    destroys: str,
    expect: str,
    button: str | Promise = "",
    undo: str = "",
    icon: str = "trash",
    name: str = "confirm",
) -> dict[str, Any]:
    """A destructive button that opens a sheet: says what it destroys, asks for its name.

    Posts `name`=what was typed to `url`; the verb compares it with `expect`. `undo` says
    how to get it back, where that is possible.
    """
    return {
        "csrf_token": context.get("csrf_token"),
        "url": url,
        "label": label,
        "destroys": destroys,
        "expect": expect,
        "button": button or label,
        "undo": undo,
        "icon": icon,
        "name": name,
        "field_id": f"confirm-{zlib.crc32(f'{url} {expect}'.encode()):08x}",
    }


_SIGNS = {Effect.ADD: "+", Effect.CHANGE: "+", Effect.REMOVE: "−"}


@register.inclusion_tag("includes/planned_changes.html")
def planned_changes(plan: Plan, limit: int = DIFF_LINES) -> dict[str, Any]:
    """A plan as a coloured diff: each step with its command and its lines.

    At most `limit` lines are drawn over all steps; the rest is counted.
    """
    drawn, left, steps = 0, 0, []
    for step in plan:
        lines: list[dict[str, str]] = []
        for line in step.lines:
            if drawn >= limit:
                left += 1
                continue
            drawn += 1
            if line.before:
                lines.append({"effect": "remove", "sign": "−", "text": line.before})
            effect = "remove" if line.effect is Effect.REMOVE else "add"
            lines.append({"effect": effect, "sign": _SIGNS[line.effect], "text": line.text})
        steps.append({"step": step, "command": " ".join(step.argv), "lines": lines})
    return {"steps": steps, "left": left}


@register.filter
def change_count(plan: Plan) -> str:
    """How much a plan changes, in words: 3 planned changes."""
    count = sum(len(step.lines) or 1 for step in plan)
    return ngettext("%(count)d planned change", "%(count)d planned changes", count) % {
        "count": count
    }


@register.simple_tag(takes_context=True)
def navigation(context: Context) -> list[Any]:
    """The sidebar for the actor of this page, with the current entry and counters marked."""
    actor, request = context.get("actor"), context.get("request")
    if actor is None or request is None:
        return []
    return [
        {
            "heading": heading,
            "entries": [
                {
                    "entry": entry,
                    "url": url,
                    "is_current": request.path == url
                    or (url != "/" and request.path.startswith(url)),
                    "count": context.get(entry.counter) if entry.counter else None,
                }
                for entry, url in entries
            ],
        }
        for heading, entries in shell.navigation_for(actor)
    ]


@register.filter
def target_url(obj: Any) -> str:
    """The page of the object that an operation, an alert or an audit line is about."""
    return shell.target_url(obj.target_type, obj.target_id)


@register.filter
def kind_label(operation: Operation) -> str | Promise:
    """What an operation does, in words."""
    kind = operations.KINDS.get(operation.kind)
    return kind.label if kind else operation.kind


_MESSAGE_TONES = {"success": "ok", "error": "bad", "warning": "warn"}


@register.filter
def message_tone(level_tag: str) -> str:
    """The tone of one of Django's messages."""
    return _MESSAGE_TONES.get(level_tag, "info")


@register.simple_tag
def sort_header(listing: Any, name: str, label: str | Promise) -> SafeString | str | Promise:
    """A column's heading, as a link where the list can be sorted by it."""
    url = listing.sort_url(name)
    if not url:
        return label
    order = listing.order_of(name)
    mark = format_html(' data-order="{}"', order) if order else ""
    return format_html('<a class="sort" href="{}"{}>{}</a>', url, mark, label)


@register.simple_tag
def sort_state(listing: Any, name: str) -> SafeString | str:
    """The aria-sort attribute of a heading."""
    words = {"asc": "ascending", "desc": "descending"}
    order = listing.order_of(name)
    return format_html(' aria-sort="{}"', words[order]) if order else ""


@register.simple_tag
def alert_words(alert: Alert) -> tuple[str, str]:
    """Title and detail of an alert: {% alert_words alert as words %}."""
    return attention.alert_words(alert)


@register.filter
def error_tone(operation: Operation) -> str:
    """An error of an operation that will be tried again is a warning."""
    return "warn" if operation.is_live else "bad"


@register.filter
def localised(text: str) -> str:
    """A stored or planned sentence in the reader's language: {{ step.title|localised }}."""
    return in_readers_language(text)


@register.filter
def filled(text: str, params: Mapping[str, str | int]) -> str:
    """A sentence in the reader's language with its parameters filled in:
    {{ problem.message|filled:problem.params }}."""
    return in_readers_language(text) % params


@register.filter
def key_algorithm(key: str) -> str:
    """ED25519 of "ssh-ed25519 AAAA…", as ssh-keygen names it."""
    name = key.partition(" ")[0]
    return _ALGORITHMS.get(name, name)


_ALGORITHMS = {
    "ssh-ed25519": "ED25519",
    "ssh-rsa": "RSA",
    "ecdsa-sha2-nistp256": "ECDSA",
    "ecdsa-sha2-nistp384": "ECDSA",
    "ecdsa-sha2-nistp521": "ECDSA",
}


@register.filter
def keygen_command(key: str) -> str:
    """What prints the fingerprint of that kind of host key on the machine (ssh-keygen(1))."""
    return f"ssh-keygen -lf /etc/ssh/ssh_host_{key_algorithm(key).lower()}_key.pub"


@register.filter
def authorize_command(public_key: str) -> str:
    """What lets the key in, for the user who runs it (sshd(8), AUTHORIZED_KEYS)."""
    line = shlex.quote(public_key.strip())
    return (
        f"install -d -m 700 ~/.ssh && umask 077 && printf '%s\\n' {line} >> ~/.ssh/authorized_keys"
    )


@register.filter
def curl_example(secret: str, request: HttpRequest) -> str:
    """A first request with a token."""
    return f"curl -H 'Authorization: Bearer {secret}' {request.build_absolute_uri('/api/v1/me/')}"
