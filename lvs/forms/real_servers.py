"""The form of one real server: a row of its service's form, or a form of its own."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db.models import Q
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.access import Actor, visible_to
from console.models import Host
from lvs.forms import tunnels
from lvs.forms.tunnels import AsideChoice, tunnel_fields
from lvs.models import RealServer, VirtualService
from lvs.models.virtual_services import MAX_THRESHOLD, MAX_WEIGHT, Forwarding, Pool

Machines = dict[int, Host]


class RealServerForm(forms.Form):
    """One real server: a row of its service's form, or a form of its own."""

    id = forms.IntegerField(required=False, widget=forms.HiddenInput)
    rip = forms.GenericIPAddressField(
        label=gettext_lazy("Address"), widget=forms.TextInput(attrs={"class": "mono"})
    )
    port = forms.IntegerField(
        label=gettext_lazy("Port"),
        required=False,
        validators=[MinValueValidator(0), MaxValueValidator(65535)],
        help_text=gettext_lazy(
            "Empty: the service’s own port. By DR and TUN no other one is possible; 0 keeps the"
            " port that the client asked."
        ),
    )
    weight = forms.IntegerField(
        label=gettext_lazy("Weight"),
        initial=1,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_WEIGHT)],
        help_text=gettext_lazy("Share of new connections; 0 drains: it gets none, old ones end."),
    )
    pool = forms.ChoiceField(
        label=gettext_lazy("Set"),
        choices=Pool.choices,
        help_text=gettext_lazy(
            "A second set is built beside the first, and gets the new connections at one press."
        ),
    )
    host = AsideChoice(
        label=gettext_lazy("Machine"),
        required=False,
        help_text=gettext_lazy(
            "The host that the real server is: the console prepares it for the method. Without"
            " one you get a script to run there."
        ),
    )
    forwarding = forms.ChoiceField(
        label=gettext_lazy("Method"),
        required=False,
        choices=[
            ("", gettext_lazy("as the service")),
            *((method.value, method.short) for method in Forwarding),
        ],
        help_text=gettext_lazy("Its own way, where it is reached in another one."),
    )
    tunnel_type, tunnel_port, tunnel_checksum = tunnel_fields().values()
    upper_threshold = forms.IntegerField(
        label=gettext_lazy("Upper threshold"),
        initial=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_THRESHOLD)],
        help_text=gettext_lazy(
            "No new connection beyond so many; 0: no limit. Inactive connections count too, and"
            " a closed TCP connection stays inactive for two minutes."
        ),
    )
    lower_threshold = forms.IntegerField(
        label=gettext_lazy("Lower threshold"),
        initial=0,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_THRESHOLD)],
        help_text=gettext_lazy("It takes new ones again below so many; 0: three quarters."),
    )

    def __init__(
        self,
        *args: Any,
        machines: Machines | None = None,
        has_pools: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        if not has_pools:
            del self.fields["pool"]
        self._machines = machines
        if machines is None:
            del self.fields["host"]
        else:
            field: Any = self.fields["host"]
            field.choices = [
                ("", _("none: by script")),
                *((pk, host.name) for pk, host in machines.items()),
            ]

    def server(self, service: dict[str, Any]) -> dict[str, Any]:
        """What was filled in, for a verb. An empty port is the one of `service`, and by
        firewall mark the one that the client asked."""
        values = {name: value for name, value in self.cleaned_data.items() if name != "DELETE"}
        if values["id"] is None:
            del values["id"]
        if values["port"] is None:
            is_marked = service.get("matching") == VirtualService.Matching.MARK
            values["port"] = 0 if is_marked else service["port"]
        if self._machines is not None:
            values["host"] = self._machines[int(values["host"])] if values["host"] else None
        return tunnels.settled(values)


def machines_for(actor: Actor, present: Iterable[RealServer] = ()) -> Machines | None:
    """The hosts that real servers can be, by number; None for those who may not choose."""
    if not actor.can("host.manage"):
        return None
    kept = [row.host_id for row in present if row.host_id is not None]
    hosts = visible_to(actor, Host.objects.filter(Q(trust=Host.Trust.PINNED) | Q(pk__in=kept)))
    return {host.pk: host for host in hosts.defer("preflight").order_by("name")}


def values_of(server: RealServer) -> dict[str, Any]:
    """A row as the form shows it."""
    shown = {name: getattr(server, name) for name in RealServerForm.base_fields}
    return shown | {"host": server.host_id, "tunnel_port": server.tunnel_port or None}


class WeightForm(forms.Form):
    """A new weight for a real server whose version was read."""

    weight = forms.IntegerField(validators=[MinValueValidator(0), MaxValueValidator(MAX_WEIGHT)])
    version = forms.IntegerField(required=False)


class DrainForm(forms.Form):
    """How long a drain may wait, in seconds, and what follows."""

    limit_seconds = forms.IntegerField()
    then = forms.CharField(max_length=16)
