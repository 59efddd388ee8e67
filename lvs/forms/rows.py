"""Rows of a form: any number of them, added and taken away without a script."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from django import forms
from django.http import QueryDict
from django.utils.translation import gettext as _

from lvs.forms.fields import typed

#: Empty rows at the end of a form that has some already.
SPARE_ROWS = 2


class _Rows(forms.BaseFormSet):
    """Rows of which an untouched one is none: nothing has to be filled in."""

    def initial_form_count(self) -> int:
        return 0 if self.is_bound else len(self.initial or ())

    def add_fields(self, form: forms.Form, index: int | None) -> None:
        super().add_fields(form, index)
        form.fields["DELETE"].label = _("Remove")


def rows(
    form: type[forms.Form],
    prefix: str,
    *,
    most: int,
    spare: int,
    data: QueryDict | None = None,
    initial: Sequence[dict[str, Any]] | None = None,
    form_kwargs: dict[str, Any] | None = None,
) -> Any:
    """The rows of `data`, or those of `initial` with so many empty ones behind them."""
    made = forms.formset_factory(
        form, formset=_Rows, extra=spare, can_delete=True, max_num=most, validate_max=True
    )
    return made(data, initial=initial, prefix=prefix, form_kwargs=form_kwargs or {})


def redrawn(make: Callable[..., Any], data: QueryDict, *, is_filled: str, one_more: bool) -> Any:
    """The rows as they were typed, not judged: those where the field `is_filled` is."""
    bound = make(spare=0, data=data)
    kept = [values for form in bound.forms if (values := typed(form, data))[is_filled]]
    return make(spare=SPARE_ROWS + one_more, initial=kept)


def kept_rows(formset: Any) -> list[Any]:
    """The rows that say something and are not ticked to go, in their order. To be asked once:
    a formset with an error forgets which rows were ticked."""
    gone = formset.deleted_forms
    return [form for form in formset.forms if form.has_changed() and form not in gone]
