"""What the forms share: reading a row, and putting a verb's errors where they belong."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from django import forms
from django.core.exceptions import NON_FIELD_ERRORS, ValidationError

T = TypeVar("T")


class VersionedForm(forms.ModelForm):
    """A form for a row that people edit. It carries the version that was read, so that a
    change of somebody else's in between is noticed (412), and writes nothing by itself."""

    version = forms.IntegerField(widget=forms.HiddenInput, required=False)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.instance.pk is not None:
            self.fields["version"].initial = self.instance.version
        else:
            del self.fields["version"]

    def _post_clean(self) -> None:
        """The verb validates the row; the form has only read it."""

    @property
    def values(self) -> dict[str, Any]:
        """What was filled in, for the verb."""
        return {name: value for name, value in self.cleaned_data.items() if name != "version"}

    @property
    def expected_version(self) -> int | None:
        version = self.cleaned_data.get("version")
        return int(version) if version is not None else None


def try_verb(form: forms.BaseForm, verb: Callable[[], T]) -> T | None:
    """What the verb answers, or None after its ValidationError went onto the form."""
    try:
        return verb()
    except ValidationError as error:
        add_errors(form, error)
        return None


def add_errors(form: forms.BaseForm, error: ValidationError) -> None:
    """Put each message beside its field; those of fields that the form lacks go on top."""
    if not hasattr(error, "error_dict"):
        form.add_error(None, error)
        return
    for name, messages in error.error_dict.items():
        if name in form.fields:
            form.add_error(name, messages)
        elif name == NON_FIELD_ERRORS:
            form.add_error(None, messages)
        else:
            form.add_error(
                None, [f"{name}: {text}" for message in messages for text in message.messages]
            )
