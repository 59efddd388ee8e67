"""The forms of an import: a file to read, and the entries to declare."""

from __future__ import annotations

from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext_lazy as _

from lvs.keepalived.expand import MAX_SIZE


class ConfigurationForm(forms.Form):
    """A keepalived.conf as a file, or pasted."""

    file = forms.FileField(label=_("File"), required=False, max_length=200)
    text = forms.CharField(
        label=_("Or its text"), required=False, strip=False, widget=forms.Textarea
    )

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        file = values.get("file")
        if file is not None:
            if file.size > MAX_SIZE:
                raise forms.ValidationError({"file": _("This is larger than 10 MB.")})
            values["text"] = file.read().decode(errors="replace")
            values["name"] = file.name
        elif not values.get("text", "").strip():
            raise forms.ValidationError({"file": _("Choose a file, or paste its text.")})
        return values

    @property
    def given(self) -> dict[str, str]:
        """Text and name, for the verb."""
        name = self.cleaned_data.get("name") or "keepalived.conf"
        return {"text": self.cleaned_data["text"], "name": name}


def names_of(data: QueryDict) -> dict[str, str]:
    """The names that were typed, by key: fields called "name:KEY"."""
    return {
        field.removeprefix("name:"): value.strip()
        for field, value in data.items()
        if field.startswith("name:") and isinstance(value, str) and value.strip()
    }
