"""Load balancing in the frame of the pages: sidebar, search, tiles, first steps, targets."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, Exists, OuterRef, Q
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console import shell
from console.access import Actor, visible_to
from console.shell import Finder, FirstStep, Found, NavEntry, Tile
from lvs.models import Director, PreparedServer, ServiceAddress, VirtualService
from lvs.models.directors import Provisioning

shell.register_navigation(
    NavEntry(
        "load-balancing",
        gettext_lazy("Virtual services"),
        "virtual-services",
        "route",
        "virtual_service.view",
    ),
    NavEntry("load-balancing", gettext_lazy("Directors"), "directors", "director", "director.view"),
)
shell.register_navigation(
    NavEntry(
        "load-balancing",
        gettext_lazy("Prepared machines"),
        "prepared-servers",
        "server",
        "director.view",
    ),
)
shell.register_target(PreparedServer, "prepared-server")
shell.register_alert_button("real-server-drift", gettext_lazy("Look at the machine"))
shell.register_target(Director, "director")
shell.register_target(VirtualService, "virtual-service")
shell.register_alert_button("director-drift", gettext_lazy("Show the difference"))
shell.register_alert_button("reconcile-stopped", gettext_lazy("Look at the director"))


def _directors(actor: Actor, words: str, limit: int) -> Iterable[Found]:
    rows = visible_to(actor, Director.objects.select_related("host")).filter(
        Q(host__name__icontains=words) | Q(host__address__icontains=words)
    )
    return [
        Found(director.host.name, director.host.address, director.get_absolute_url(), "director")
        for director in rows.order_by("host__name")[:limit]
    ]


def _services(actor: Actor, words: str, limit: int) -> Iterable[Found]:
    rows = visible_to(actor, VirtualService.objects.select_related("director__host")).filter(
        Q(name__icontains=words)
        | Q(vip__icontains=words)
        | Exists(
            ServiceAddress.objects.filter(virtual_service=OuterRef("pk"), network__icontains=words)
        )
    )
    return [
        Found(
            service.name,
            f"{service.get_protocol_display()} {service.address} · {service.director}",
            service.get_absolute_url(),
            "route",
        )
        for service in rows.order_by("name", "pk")[:limit]
    ]


shell.register_finder(Finder(gettext_lazy("Virtual services"), _services))
shell.register_finder(Finder(gettext_lazy("Directors"), _directors))


def _service_tile(actor: Actor) -> Tile | None:
    if not shell.may_somewhere(actor, "virtual_service.view"):
        return None
    counts = dict(
        visible_to(actor, VirtualService.objects.all())
        .order_by()
        .values_list("provisioning_status")
        .annotate(count=Count("pk"))
    )
    if not counts:
        return None
    return Tile(
        _("Virtual services"),
        sum(counts.values()),
        " · ".join(
            f"{counts[status]} {label.lower()}"
            for status, label in Provisioning.choices
            if counts.get(status)
        ),
        reverse("virtual-services"),
    )


def _director_tile(actor: Actor) -> Tile | None:
    if not actor.can("director.view"):
        return None
    counts = Director.objects.aggregate(
        all=Count("pk"),
        drifted=Count("pk", filter=Q(drift_count__gt=0)),
        unread=Count("pk", filter=~Q(observe_error="")),
    )
    if not counts["all"]:
        return None
    parts = [
        _("%(count)d as declared") % {"count": counts["all"] - counts["drifted"]},
        *([_("%(count)d differ") % {"count": counts["drifted"]}] if counts["drifted"] else []),
        *([_("%(count)d not read") % {"count": counts["unread"]}] if counts["unread"] else []),
    ]
    return Tile(_("Directors"), counts["all"], " · ".join(parts), reverse("directors"))


shell.register_tile(_service_tile)
shell.register_tile(_director_tile)

shell.register_first_steps(
    FirstStep(
        gettext_lazy("Add a director"),
        gettext_lazy("A host whose kernel balances; the console reads its IPVS table first."),
        "director-add",
        gettext_lazy("Add a director"),
        "director.manage",
        lambda: Director.objects.exists(),
    ),
    FirstStep(
        gettext_lazy("Create a virtual service"),
        gettext_lazy(
            "A VIP and a port with real servers behind it. See the planned changes,"
            " apply them, prove them."
        ),
        "virtual-service-add",
        gettext_lazy("New virtual service"),
        "virtual_service.manage",
        lambda: VirtualService.objects.exists(),
        is_shortcut=True,
    ),
)
