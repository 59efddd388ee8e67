"""The form of one more address that a service by firewall mark takes."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext_lazy

from lvs.forms.tunnels import AsideChoice
from lvs.models import ServiceAddress, VirtualService

_PORT = [MinValueValidator(1), MaxValueValidator(65535)]


class ServiceAddressForm(forms.Form):
    """Protocol, VIP or network, and a range of ports."""

    protocol = AsideChoice(
        label=gettext_lazy("Protocol"),
        required=False,
        choices=VirtualService.Protocol.choices,
        initial=VirtualService.Protocol.TCP,
    )
    network = forms.CharField(
        label=gettext_lazy("VIP or network"),
        max_length=49,
        widget=forms.TextInput(attrs={"class": "mono"}),
    )
    first_port = forms.IntegerField(label=gettext_lazy("First port"), validators=_PORT)
    last_port = forms.IntegerField(
        label=gettext_lazy("Last port"), required=False, validators=_PORT
    )

    @property
    def values(self) -> dict[str, Any]:
        """What was filled in, for a verb; without a last port, the first one alone."""
        found = {name: self.cleaned_data[name] for name in self.base_fields}
        found["protocol"] = found["protocol"] or VirtualService.Protocol.TCP.value
        found["last_port"] = found["last_port"] or found["first_port"]
        return found


def values_of(row: ServiceAddress) -> dict[str, Any]:
    """A row as the form shows it."""
    return {name: getattr(row, name) for name in ServiceAddressForm.base_fields}
