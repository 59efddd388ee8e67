"""The form of a virtual service: what clients ask, and how it is spread."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from django import forms
from django.utils.functional import Promise
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.access import Actor, visible_to
from console.forms.base import VersionedForm
from console.models import Tenant
from lvs import planned
from lvs.forms import tunnels
from lvs.forms.fields import DescribedChoiceField, DescribedFlagsField
from lvs.ipvsadm.schedulers import SCHEDULERS
from lvs.models import Director, VirtualService
from lvs.models.virtual_services import Forwarding, TunnelKind, TunnelSum

MATCHING_WORDS: dict[str, str | Promise] = {
    VirtualService.Matching.ADDRESS.value: gettext_lazy(
        "The kernel looks the service up by protocol, VIP and port: one of each."
    ),
    VirtualService.Matching.MARK.value: gettext_lazy(
        "The director marks the packets first, so that one service takes several ports, protocols"
        " or a whole range of VIPs. With persistence a client keeps its real server on all of"
        " them. The console gives the mark and writes the rules."
    ),
}
FORWARDING_WORDS: dict[str, str | Promise] = {
    Forwarding.MASQ.value: gettext_lazy(
        "The director rewrites addresses, ports may differ. The real servers’ way back to the"
        " clients must lead through the director."
    ),
    Forwarding.ROUTE.value: gettext_lazy(
        "Replies go straight back to the clients. Each real server is in a network of the"
        " director, has the service’s port, holds the VIP on its loopback and never answers ARP"
        " for it."
    ),
    Forwarding.TUNNEL.value: gettext_lazy(
        "Like DR, but packets travel wrapped: real servers may stand behind routers. Each has the"
        " service’s port, a tunnel device and the VIP; packets have less room."
    ),
    Forwarding.FULLNAT.value: gettext_lazy(
        "Like NAT, and the director also puts its own address in the clients’ place: real servers"
        " may stand anywhere and need no preparation, and do not see who asks. About 64,500"
        " connections for each local address and real server."
    ),
}
ENGINE_WORDS: dict[str, str | Promise] = {
    "": gettext_lazy("Clients are told apart by their address."),
    "sip": gettext_lazy(
        "By the Call-ID of SIP over UDP: a call stays with its real server. Needs persistence."
    ),
}
FLAG_WORDS: dict[str, str | Promise] = {
    "fallback": gettext_lazy("When the chosen real server is not available, take another one."),
    "port": gettext_lazy("Count the client’s port too: connections of one client are spread."),
}


def scheduler_choices(names: Collection[str]) -> list[tuple[str, str]]:
    """Schedulers with a sentence each; names that are not known stand for themselves."""
    known = [name for name in SCHEDULERS if name in names]
    return [
        *(
            (name, f"{name} — {_(SCHEDULERS[name].title)}. {_(SCHEDULERS[name].summary)}")
            for name in known
        ),
        *((name, name) for name in sorted(names) if name not in SCHEDULERS),
    ]


class VirtualServiceForm(VersionedForm):
    """What is declared of a service. Only the operator's staff chooses director and tenant;
    what makes the service that one is fixed once it was applied."""

    class Meta:
        model = VirtualService
        fields = (
            "director",
            "tenant",
            "name",
            "protocol",
            "vip",
            "port",
            "matching",
            "forwarding",
            "tunnel_type",
            "tunnel_port",
            "tunnel_checksum",
            "scheduler",
            "scheduler_flags",
            "persistence_timeout",
            "persistence_prefix",
            "persistence_engine",
            "is_one_packet",
            "is_vip_managed",
        )
        labels = {
            "is_vip_managed": gettext_lazy("The console manages the VIP"),
            "persistence_timeout": gettext_lazy("Persistence in seconds"),
        }
        help_texts = {
            "name": gettext_lazy("As you call it; unique on its director."),
            "vip": gettext_lazy("The address that clients ask, IPv4 or IPv6."),
            "port": gettext_lazy("0 takes every port; needs persistence."),
            "persistence_timeout": gettext_lazy(
                "For so long a client stays with its real server; empty for none."
            ),
            "is_one_packet": gettext_lazy(
                "UDP by DR or TUN only: every datagram is scheduled on its own; useful for DNS."
            ),
            "tenant": gettext_lazy("Its members see the service, and its operators change it."),
        }

    matching = DescribedChoiceField(
        label=gettext_lazy("Which packets"),
        required=False,
        choices=[
            (VirtualService.Matching.ADDRESS, gettext_lazy("VIP and port")),
            (VirtualService.Matching.MARK, gettext_lazy("Firewall mark")),
        ],
        initial=VirtualService.Matching.ADDRESS,
        descriptions=MATCHING_WORDS,
    )
    forwarding = DescribedChoiceField(
        label=gettext_lazy("Forwarding method"),
        choices=Forwarding.choices,
        initial=Forwarding.MASQ,
        descriptions=FORWARDING_WORDS,
    )
    tunnel_type = DescribedChoiceField(
        label=gettext_lazy("Tunnel"),
        required=False,
        choices=TunnelKind.choices,
        initial=TunnelKind.IPIP,
        descriptions=tunnels.TUNNEL_WORDS,
    )
    tunnel_port = tunnels.tunnel_fields()["tunnel_port"]
    tunnel_checksum = DescribedChoiceField(
        label=gettext_lazy("Checksum of the tunnel"),
        required=False,
        choices=tunnels.SUM_CHOICES,
        initial=TunnelSum.NONE,
        descriptions=tunnels.SUM_WORDS,
    )
    persistence_engine = DescribedChoiceField(
        label=gettext_lazy("What makes a client one"),
        required=False,
        choices=[("", gettext_lazy("Address")), ("sip", "SIP")],
        descriptions=ENGINE_WORDS,
    )
    scheduler = forms.ChoiceField(label=gettext_lazy("Scheduler"), initial="wlc")
    scheduler_flags = DescribedFlagsField(
        label=gettext_lazy("Hashing (sh and mh only)"),
        required=False,
        choices=[("fallback", gettext_lazy("Fall back")), ("port", gettext_lazy("Hash the port"))],
        descriptions=FLAG_WORDS,
    )

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._offer_directors(actor)
        self.chosen = self._chosen_director()
        self._offer_schedulers()
        self._set_flags()
        self.initial["tunnel_port"] = self.initial.get("tunnel_port") or None
        for name in ("vip", "port", "persistence_timeout", "persistence_prefix", "tunnel_port"):
            self.fields[name].widget.attrs["class"] = "mono"
        if self.instance.applied_generation:
            self._fix_identity()

    def _offer_directors(self, actor: Actor) -> None:
        if not actor.can("director.view"):
            del self.fields["director"], self.fields["tenant"], self.fields["matching"]
            return
        directors: Any = self.fields["director"]
        directors.queryset = visible_to(
            actor,
            Director.objects.select_related("host").defer("observed_table", "observed_counts"),
        ).order_by("host__name")
        only = list(directors.queryset[:2])
        if len(only) == 1 and self.instance.pk is None:
            self.initial.setdefault("director", only[0].pk)
        tenants: Any = self.fields["tenant"]
        tenants.queryset = visible_to(actor, Tenant.objects.all()).order_by("name")
        tenants.empty_label = _("none: the operator’s own")

    def _chosen_director(self) -> Director | None:
        field: Any = self.fields.get("director")
        if field is None or self.instance.applied_generation:
            return self.instance.director
        value = self.data.get("director") if self.is_bound else self.initial.get("director")
        try:
            return field.queryset.filter(pk=value).first() if value else None
        except (ValueError, OverflowError):
            return None

    def _offer_schedulers(self) -> None:
        found = planned.kernel_schedulers(self.chosen) if self.chosen else None
        self.knows_kernel = found is not None
        names = set(found or SCHEDULERS)
        self.absent_schedulers = [name for name in SCHEDULERS if name not in names]
        if self.instance.pk is not None:
            names.add(self.instance.scheduler)
        field: Any = self.fields["scheduler"]
        field.choices = scheduler_choices(names)

    @property
    def scheduler_words(self) -> str:
        """What the chosen scheduler does."""
        scheduler = SCHEDULERS.get(str(self["scheduler"].value()))
        return _(scheduler.summary) if scheduler else ""

    def _set_flags(self) -> None:
        kept = self.initial.get("scheduler_flags")
        if isinstance(kept, str):
            self.initial["scheduler_flags"] = [
                flag.rpartition("-")[2] for flag in kept.split(",") if flag
            ]

    def _fix_identity(self) -> None:
        for name in ("director", "protocol", "vip", "port", "matching"):
            if name in self.fields:
                self.fields[name].disabled = True
                self.fields[name].help_text = ""
        self.fields["vip"].help_text = _(
            "Fixed: it is what makes the service. Declare another one to change it."
        )

    @property
    def values(self) -> dict[str, Any]:
        """For the verb: the flags as ipvsadm names them for this scheduler."""
        values = super().values
        values["scheduler_flags"] = ",".join(
            f"{values['scheduler']}-{flag}" for flag in values["scheduler_flags"]
        )
        if "matching" in values:
            values["matching"] = values["matching"] or VirtualService.Matching.ADDRESS.value
        return tunnels.settled(values)
