"""Forms about tenants and their members."""

from __future__ import annotations

from django import forms
from django.contrib.auth.models import User
from django.core.exceptions import ValidationError
from django.utils.translation import gettext_lazy as _

from console.forms.base import VersionedForm
from console.models import Membership, Tenant


class TenantForm(VersionedForm):
    """A tenant's name, and whether its members are shut out."""

    class Meta:
        model = Tenant
        fields = ("name", "is_suspended")
        help_texts = {
            "is_suspended": _(
                "Members of a suspended tenant see nothing of it; nothing is"
                " changed on any machine."
            ),
        }


class MemberForm(forms.Form):
    """Somebody who has an account, and a role."""

    username = forms.CharField(label=_("User"), max_length=150)
    role = forms.ChoiceField(label=_("Role"), choices=Membership.Role.choices)

    def clean_username(self) -> User:
        """The account of that name."""
        user = User.objects.filter(username=self.cleaned_data["username"].strip()).first()
        if user is None:
            raise ValidationError(_("Nobody has an account of that name."), code="no_such_user")
        return user
