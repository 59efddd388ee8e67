"""Choices that are explained where they are made, and forms that are drawn again unjudged."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.functional import Promise

Words = Mapping[str, str | Promise]


class DescribedChoiceField(forms.ChoiceField):
    """One of a few choices, each with a sentence; drawn by {% described_choices field %}."""

    widget = forms.RadioSelect

    def __init__(self, *, descriptions: Words, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.descriptions = descriptions


class DescribedFlagsField(forms.MultipleChoiceField):
    """Any of a few switches, each with a sentence."""

    widget = forms.CheckboxSelectMultiple

    def __init__(self, *, descriptions: Words, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.descriptions = descriptions


def typed(form: forms.BaseForm, data: QueryDict) -> dict[str, Any]:
    """What was filled in so far, as the initial values of a form that judges nothing yet."""
    return {
        name: field.widget.value_from_datadict(data, {}, form.add_prefix(name))
        for name, field in form.fields.items()
        if not field.disabled
    }
