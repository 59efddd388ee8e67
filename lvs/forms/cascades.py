"""The form of one more director behind a front."""

from __future__ import annotations

from ipaddress import ip_address
from typing import Any

from django import forms
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from console.access import Actor, visible_to
from lvs.actions.cascade import Tier
from lvs.cascades import BACK
from lvs.forms.fields import DescribedChoiceField
from lvs.forms.virtual_services import FORWARDING_WORDS, scheduler_choices
from lvs.ipvsadm.schedulers import SCHEDULERS
from lvs.models import Director, VirtualService
from lvs.models.virtual_services import MAX_WEIGHT, Forwarding

#: More real servers are added on the page of the director's own service.
_MAX_LINES = 100


class TierForm(forms.Form):
    """A director, how it forwards, and its real servers, a line each."""

    director = forms.ModelChoiceField(
        label=gettext_lazy("Director"), queryset=Director.objects.none()
    )
    forwarding = DescribedChoiceField(
        label=gettext_lazy("Forwarding method"),
        choices=[(one, Forwarding(one).label) for one in BACK],
        initial=Forwarding.MASQ,
        descriptions=FORWARDING_WORDS,
    )
    scheduler = forms.ChoiceField(label=gettext_lazy("Scheduler"), initial="wlc")
    weight = forms.IntegerField(
        label=gettext_lazy("Weight in the front"),
        initial=1,
        validators=[MinValueValidator(0), MaxValueValidator(MAX_WEIGHT)],
    )
    via = forms.GenericIPAddressField(
        label=gettext_lazy("Address"),
        required=False,
        help_text=gettext_lazy(
            "Where the front reaches the director; empty for its address in a network of the"
            " front’s director."
        ),
    )
    real_servers = forms.CharField(
        label=gettext_lazy("Its real servers"),
        widget=forms.Textarea(attrs={"rows": 5, "class": "mono", "spellcheck": "false"}),
        help_text=gettext_lazy(
            "One a line: address, port, and a weight if it is not 1, such as 10.0.0.11 8080 2."
        ),
    )

    def __init__(self, *args: Any, actor: Actor, front: VirtualService, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        director: Any = self.fields["director"]
        director.queryset = (
            visible_to(actor, Director.objects.select_related("host"))
            .exclude(pk=front.director_id)
            .defer("observed_table", "observed_counts")
            .order_by("host__name")
        )
        scheduler: Any = self.fields["scheduler"]
        scheduler.choices = scheduler_choices(set(SCHEDULERS))

    def clean_real_servers(self) -> list[dict[str, Any]]:
        lines = [line.split() for line in self.cleaned_data["real_servers"].splitlines()]
        lines = [words for words in lines if words]
        if len(lines) > _MAX_LINES:
            raise ValidationError(_("Give at most %(most)d lines.") % {"most": _MAX_LINES})
        return [_server(words) for words in lines]

    @property
    def tier(self) -> Tier:
        """What was filled in, for the verb."""
        return Tier(**self.cleaned_data)


def _server(words: list[str]) -> dict[str, Any]:
    """A line as values for the verb. Raises ValidationError that quotes it."""
    try:
        address, port, weight = [*words, "1"][:3]
        if len(words) > 3:
            raise ValueError
        return {"rip": str(ip_address(address)), "port": int(port), "weight": int(weight)}
    except ValueError as error:
        raise ValidationError(
            _("“%(line)s” is not an address, a port and a weight.") % {"line": " ".join(words)},
            code="invalid_line",
        ) from error
