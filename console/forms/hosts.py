"""Forms about machines and what the console logs in with."""

from __future__ import annotations

from typing import Any

from django import forms
from django.utils.translation import gettext_lazy as _

from console.access import Actor, visible_to
from console.forms.base import VersionedForm
from console.models import Credential, Host


class HostForm(VersionedForm):
    """A host as people declare it."""

    class Meta:
        model = Host
        fields = ("name", "address", "port", "username", "credential", "jump_host", "notes")
        help_texts = {
            "name": _("As you call it; shown everywhere and written into the audit log."),
            "address": _("A host name or an IP address, IPv4 or IPv6."),
            "username": _("root, or a user that may run everything by `sudo -n`."),
            "jump_host": _("Only where the console cannot reach the host itself."),
        }
        widgets = {"notes": forms.Textarea(attrs={"rows": 3})}

    def __init__(self, *args: Any, actor: Actor, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        jumps = visible_to(actor, Host.objects.filter(trust=Host.Trust.PINNED))
        if self.instance.pk is not None:
            jumps = jumps.exclude(pk=self.instance.pk)
        self.fields["jump_host"].queryset = jumps  # type: ignore[attr-defined]
        self.fields["jump_host"].empty_label = _("none: reach it directly")  # type: ignore[attr-defined]
        credentials = self.fields["credential"]
        credentials.queryset = visible_to(actor, Credential.objects.all())  # type: ignore[attr-defined]
        if self.instance.pk is None:
            only = list(credentials.queryset[:2])  # type: ignore[attr-defined]
            credentials.initial = only[0] if len(only) == 1 else None
        self.fields["address"].widget.attrs["class"] = "mono"


class FingerprintForm(forms.Form):
    """The fingerprint that somebody has compared."""

    fingerprint = forms.CharField(max_length=128)


class SecretTextarea(forms.Textarea):
    """Takes a secret and never gives it back, not even after an error."""

    def format_value(self, value: Any) -> str:
        return ""


class CredentialForm(VersionedForm):
    """A key or a password. Kept secrets are never shown again: empty means unchanged."""

    class Meta:
        model = Credential
        fields = ("name", "kind", "secret", "passphrase")
        help_texts = {
            "secret": _("The whole private key in OpenSSH or PEM form, or the password."),
            "passphrase": _("Only where the private key is locked with one."),
        }

    secret = forms.CharField(
        label=_("Secret"),
        strip=False,
        max_length=32768,
        widget=SecretTextarea(
            attrs={"rows": 6, "class": "mono", "autocomplete": "off", "spellcheck": "false"}
        ),
    )
    passphrase = forms.CharField(
        label=_("Passphrase"),
        strip=False,
        required=False,
        max_length=1024,
        widget=forms.PasswordInput(attrs={"autocomplete": "new-password"}),
    )

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["secret"].help_text = CredentialForm.Meta.help_texts["secret"]
        self.fields["passphrase"].help_text = CredentialForm.Meta.help_texts["passphrase"]
        if self.instance.pk is not None:
            self.initial.pop("secret", None)
            self.initial.pop("passphrase", None)
            self.fields["secret"].required = False
            self.fields["secret"].help_text = _("Leave it empty to keep the present one.")

    def clean_secret(self) -> str:
        """Line ends as Unix writes them; a key ends with one, a password with none."""
        secret = str(self.cleaned_data["secret"]).replace("\r\n", "\n")
        if "-----BEGIN" in secret:
            return secret.strip() + "\n"
        return secret.rstrip("\n")

    @property
    def values(self) -> dict[str, Any]:
        """Without the secret where none was typed: the kept one stays."""
        values = super().values
        if self.instance.pk is not None and not values["secret"]:
            del values["secret"], values["passphrase"]
        return values


class GenerateForm(forms.Form):
    """A name for a key pair that the console makes."""

    name = forms.CharField(
        label=_("Name"), max_length=64, help_text=_("As you call it, such as fleet-2026.")
    )
