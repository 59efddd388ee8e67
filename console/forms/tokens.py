"""The form for a new API token."""

from __future__ import annotations

from datetime import datetime, timedelta

from django import forms
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

#: Choices of how long a token lives, in days; "" for ever.
LIVES = (
    ("30", _("30 days")),
    ("90", _("90 days")),
    ("365", _("a year")),
    ("", _("until it is revoked")),
)
SCOPE_CHOICES = (
    ("read", _("read: see everything that you may see")),
    ("operate", _("operate: change hosts, directors and virtual services, and apply")),
    ("admin", _("admin: also credentials and tenants")),
)


class TokenForm(forms.Form):
    """What the token is for, what it opens and how long it lives."""

    name = forms.CharField(
        label=_("Name"), max_length=64, help_text=_("What it is for, such as provisioning.")
    )
    scopes = forms.MultipleChoiceField(
        label=_("Scopes"),
        choices=SCOPE_CHOICES,
        initial=["read"],
        widget=forms.CheckboxSelectMultiple,
        help_text=_("A token never opens more than your own role does."),
    )
    lifetime = forms.ChoiceField(label=_("Valid for"), choices=LIVES, initial="90", required=False)

    @property
    def expires_at(self) -> datetime | None:
        """The end of its life, or None."""
        days = self.cleaned_data["lifetime"]
        return timezone.now() + timedelta(days=int(days)) if days else None
