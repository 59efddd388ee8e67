"""How tunnelled packets are wrapped: the fields that service and real server share."""

from __future__ import annotations

from typing import Any

from django import forms
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

from lvs.models.virtual_services import Forwarding, TunnelKind, TunnelSum

TUNNEL_WORDS: dict[str, str | Promise] = {
    TunnelKind.IPIP.value: gettext_lazy("The least overhead, 20 bytes; needs the device tunl0."),
    TunnelKind.GRE.value: gettext_lazy("24 bytes; passes where routers let GRE through."),
    TunnelKind.GUE.value: gettext_lazy(
        "Within UDP: routers and network cards spread it over their queues by its ports."
    ),
}
SUM_CHOICES: list[tuple[str, str | Promise]] = [
    (TunnelSum.NONE.value, gettext_lazy("None")),
    (TunnelSum.FULL.value, gettext_lazy("Full")),
    (TunnelSum.REMOTE.value, gettext_lazy("Remote, for GUE only")),
]
SUM_WORDS: dict[str, str | Promise] = {
    TunnelSum.NONE.value: gettext_lazy("What is inside has a checksum of its own."),
    TunnelSum.FULL.value: gettext_lazy("Over the whole packet."),
    TunnelSum.REMOTE.value: gettext_lazy(
        "The real server computes it: cheap where the card checks UDP."
    ),
}
_DEFAULTS: dict[str, Any] = {
    "tunnel_type": TunnelKind.IPIP.value,
    "tunnel_port": 0,
    "tunnel_checksum": TunnelSum.NONE.value,
}


class _Aside:
    """A field that says nothing by itself: a row with no more than this is an empty row."""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return False


class AsideChoice(_Aside, forms.ChoiceField):
    """A choice that does not make a row."""


class AsideNumber(_Aside, forms.IntegerField):
    """A number that does not make a row."""


def tunnel_fields() -> dict[str, forms.Field]:
    """The fields of one row, each of them optional."""
    return {
        "tunnel_type": AsideChoice(
            label=gettext_lazy("Tunnel"),
            required=False,
            choices=TunnelKind.choices,
            initial=TunnelKind.IPIP,
        ),
        "tunnel_port": AsideNumber(
            label=gettext_lazy("UDP port"),
            required=False,
            validators=[MinValueValidator(0), MaxValueValidator(65535)],
            help_text=gettext_lazy("Where the real server takes GUE packets, 6080 for example."),
        ),
        "tunnel_checksum": AsideChoice(
            label=gettext_lazy("Checksum"),
            required=False,
            choices=SUM_CHOICES,
            initial=TunnelSum.NONE,
        ),
    }


def settled(values: dict[str, Any]) -> dict[str, Any]:
    """The values with the tunnel options that matter: those that a page hides are dropped."""
    tunnel = {name: values.get(name) or default for name, default in _DEFAULTS.items()}
    if values.get("forwarding") != Forwarding.TUNNEL:
        tunnel = dict(_DEFAULTS)
    if tunnel["tunnel_type"] != TunnelKind.GUE:
        tunnel["tunnel_port"] = 0
    if tunnel["tunnel_type"] == TunnelKind.IPIP:
        tunnel["tunnel_checksum"] = TunnelSum.NONE.value
    return values | tunnel
