"""What is looked for in a connection table."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from lvs.director.connections import STATES
from lvs.models import Director, VirtualService


class ConnectionsForm(forms.Form):
    """A client, a service, a state: at least one of them."""

    client = forms.CharField(
        label=gettext_lazy("Client"),
        required=False,
        max_length=64,
        help_text=gettext_lazy("An address or a network: 192.0.2.7, 2001:db8::/32."),
        widget=forms.TextInput(attrs={"class": "mono", "autocomplete": "off"}),
    )
    service = forms.ModelChoiceField(
        label=gettext_lazy("Virtual service"),
        required=False,
        queryset=VirtualService.objects.none(),
        empty_label=gettext_lazy("any"),
    )
    state = forms.ChoiceField(
        label=gettext_lazy("State"),
        required=False,
        choices=[("", gettext_lazy("any")), *((state, state) for state in STATES)],
    )

    def __init__(self, director: Director, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field: Any = self.fields["service"]
        field.queryset = director.virtual_services.order_by("name").only("name")

    def words_of(self, asked: dict[str, Any]) -> str:
        """What a search was for, in words."""
        field: Any = self.fields["service"]
        service = field.queryset.filter(pk=asked.get("service")).first()
        parts = [
            asked.get("client") or "",
            service.name if service else "",
            asked.get("state") or "",
        ]
        return " · ".join(part for part in parts if part) or _("everything")
