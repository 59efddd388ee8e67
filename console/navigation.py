"""The kernel's own entries of the frame: sidebar, search, tiles, first steps, targets."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Q
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy, ngettext

from console import shell
from console.access import Actor, visible_to
from console.attention import alert_words
from console.models import Alert, Credential, Host, Operation, Tenant
from console.shell import Finder, FirstStep, Found, NavEntry, Tile
from console.templatetags.components import kind_label

shell.register_navigation(
    NavEntry("", gettext_lazy("Dashboard"), "dashboard", "dashboard"),
    NavEntry("", gettext_lazy("Alerts"), "alerts", "bell", "alert.view", "open_alerts", "bad"),
    NavEntry(
        "", gettext_lazy("Operations"), "operations", "list", "operation.view", "live_operations"
    ),
    NavEntry("fleet", gettext_lazy("Hosts"), "hosts", "server", "host.view"),
    NavEntry("fleet", gettext_lazy("Credentials"), "credentials", "key", "credential.view"),
    NavEntry("account", gettext_lazy("Tenants"), "tenants", "users", "tenant.view"),
    NavEntry("account", gettext_lazy("API tokens"), "tokens", "code"),
    NavEntry("account", gettext_lazy("Audit"), "audit", "book", "audit.view"),
)

shell.register_target(Host, "host")
shell.register_target(Credential, "credential")
shell.register_target(Operation, "operation")
shell.register_target(Alert, "alert")
shell.register_target(Tenant, "tenant")

shell.register_alert_button("host-key-changed", gettext_lazy("Compare the keys"))
shell.register_alert_button("host-unreachable", gettext_lazy("Look at the host"))


def _pages(actor: Actor, words: str, limit: int) -> Iterable[Found]:
    found = []
    for heading, entries in shell.navigation_for(actor):
        for entry, url in entries:
            if words.lower() in str(entry.label).lower():
                found.append(Found(str(entry.label), str(heading), url, entry.icon))
    return found[:limit]


def _hosts(actor: Actor, words: str, limit: int) -> Iterable[Found]:
    rows = visible_to(actor, Host.objects.all()).filter(
        Q(name__icontains=words) | Q(address__icontains=words)
    )
    return [
        Found(host.name, host.address, reverse("host", args=[host.pk]), "server")
        for host in rows.order_by("name")[:limit]
    ]


def _operations(actor: Actor, words: str, limit: int) -> Iterable[Found]:
    number = words.removeprefix("#")
    if not (number.isascii() and number.isdigit() and len(number) < 19):
        return []
    rows = visible_to(actor, Operation.objects.all()).filter(pk=int(number))
    return [
        Found(
            f"#{operation.pk} {kind_label(operation)}",
            f"{operation.target_label} · {operation.get_status_display()}",
            operation.get_absolute_url(),
            "list",
        )
        for operation in rows
    ]


def _alerts(actor: Actor, words: str, limit: int) -> Iterable[Found]:
    rows = visible_to(actor, Alert.objects.open()).filter(target_label__icontains=words)
    return [
        Found(
            alert_words(alert)[0],
            alert.get_severity_display(),
            reverse("alert", args=[alert.pk]),
            "bell",
        )
        for alert in rows.order_by("-pk")[:limit]
    ]


def _tenants(actor: Actor, words: str, limit: int) -> Iterable[Found]:
    rows = visible_to(actor, Tenant.objects.all()).filter(name__icontains=words)
    return [
        Found(tenant.name, "", reverse("tenant", args=[tenant.pk]), "users")
        for tenant in rows.order_by("name")[:limit]
    ]


shell.register_finder(Finder(gettext_lazy("Pages"), _pages))
shell.register_finder(Finder(gettext_lazy("Hosts"), _hosts))
shell.register_finder(Finder(gettext_lazy("Operations"), _operations))
shell.register_finder(Finder(gettext_lazy("Open alerts"), _alerts))
shell.register_finder(Finder(gettext_lazy("Tenants"), _tenants))


def _host_tile(actor: Actor) -> Tile | None:
    if not actor.can("host.view"):
        return None
    counts = dict(Host.objects.order_by().values_list("reach").annotate(count=Count("pk")))
    if not counts:
        return None
    return Tile(
        _("Hosts"),
        sum(counts.values()),
        " · ".join(
            f"{counts[reach]} {label.lower()}"
            for reach, label in Host.Reach.choices
            if counts.get(reach)
        ),
        reverse("hosts"),
    )


def _operation_tile(actor: Actor) -> Tile | None:
    if not shell.may_somewhere(actor, "operation.view"):
        return None
    midnight = timezone.localtime().replace(hour=0, minute=0, second=0, microsecond=0)
    counts = dict(
        visible_to(actor, Operation.objects.filter(queued_at__gte=midnight))
        .order_by()
        .values_list("status")
        .annotate(count=Count("pk"))
    )
    return Tile(
        _("Operations today"),
        sum(counts.values()),
        " · ".join(
            f"{counts[status]} {label.lower()}"
            for status, label in Operation.Status.choices
            if counts.get(status)
        )
        or _("none asked for yet"),
        reverse("operations"),
    )


def _alert_tile(actor: Actor) -> Tile | None:
    if not shell.may_somewhere(actor, "alert.view"):
        return None
    counts = visible_to(actor, Alert.objects.open()).aggregate(
        open=Count("pk"),
        critical=Count("pk", filter=Q(severity=Alert.Severity.CRITICAL)),
        taken=Count("pk", filter=~Q(acknowledged_at=None)),
    )
    return Tile(
        _("Open alerts"),
        counts["open"],
        " · ".join(
            (
                ngettext("%(count)d critical", "%(count)d critical", counts["critical"])
                % {"count": counts["critical"]},
                ngettext("%(count)d acknowledged", "%(count)d acknowledged", counts["taken"])
                % {"count": counts["taken"]},
            )
        ),
        reverse("alerts"),
    )


shell.register_tile(_host_tile)
shell.register_tile(_operation_tile)
shell.register_tile(_alert_tile)

shell.register_first_steps(
    FirstStep(
        gettext_lazy("Add a credential"),
        gettext_lazy("What the console logs in with. It can make a key pair for you."),
        "credential-generate",
        gettext_lazy("Make a key pair"),
        "credential.manage",
        lambda: Credential.objects.exists(),
    ),
    FirstStep(
        gettext_lazy("Add a host"),
        gettext_lazy("An address that answers to SSH. The console then reads its host key."),
        "host-add",
        gettext_lazy("Add a host"),
        "host.manage",
        lambda: Host.objects.exists(),
        is_shortcut=True,
    ),
    FirstStep(
        gettext_lazy("Accept its key"),
        gettext_lazy("Compare the fingerprint with the one on the machine, once."),
        "hosts",
        gettext_lazy("Open the hosts"),
        "host.manage",
        lambda: Host.objects.filter(trust=Host.Trust.PINNED).exists(),
    ),
)
