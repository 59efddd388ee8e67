"""Where a service is moved to."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy

from lvs.actions.draining import DEFAULT_LIMIT, MAX_LIMIT, MIN_LIMIT
from lvs.models import VirtualService
from lvs.models.virtual_services import Forwarding, TunnelKind, TunnelSum


class MoveForm(forms.Form):
    """The new method, and how long what cannot be moved in place is waited for."""

    forwarding = forms.ChoiceField(
        label=gettext_lazy("New forwarding method"), choices=Forwarding.choices
    )
    tunnel_type = forms.ChoiceField(label=gettext_lazy("Tunnel"), choices=TunnelKind.choices)
    tunnel_port = forms.IntegerField(
        label=gettext_lazy("Tunnel port"), min_value=0, max_value=65535, required=False
    )
    tunnel_checksum = forms.ChoiceField(
        label=gettext_lazy("Tunnel checksum"), choices=TunnelSum.choices
    )
    drain_seconds = forms.IntegerField(
        label=gettext_lazy("Wait for connections, seconds"),
        min_value=MIN_LIMIT,
        max_value=MAX_LIMIT,
        initial=DEFAULT_LIMIT,
        help_text=gettext_lazy("Only where the port changes: after so long what is left ends."),
    )
    version = forms.IntegerField(required=False, widget=forms.HiddenInput)

    @classmethod
    def of(cls, service: VirtualService, chosen: str = "") -> MoveForm:
        """The form as it is first shown."""
        others = [value for value, _label in Forwarding.choices if value != service.forwarding]
        initial = {name: getattr(service, name) for name in
                   ("tunnel_type", "tunnel_port", "tunnel_checksum", "version")}  # fmt: skip
        return cls(initial=initial | {"forwarding": chosen or others[0],
                                      "drain_seconds": DEFAULT_LIMIT})  # fmt: skip

    @property
    def values(self) -> dict[str, Any]:
        """For the verb."""
        values = dict(self.cleaned_data)
        values["expected_version"] = values.pop("version")
        values["tunnel_port"] = values["tunnel_port"] or 0
        return values
