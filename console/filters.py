"""Filters of the kernel's lists: the same names in the pages' addresses and in the API."""

from __future__ import annotations

import re
from typing import Any

import django_filters
from django import forms
from django.core.exceptions import ValidationError
from django.db.models import Q, QuerySet
from django.utils.translation import gettext_lazy as _

from console.models import Alert, ApiToken, AuditEvent, Credential, Host, Operation, Tenant


class WholeNumberField(forms.IntegerField):
    """Digits with or without a minus, and nothing that only resembles them."""

    def to_python(self, value: Any) -> int | None:
        if value in self.empty_values:
            return None
        if not re.fullmatch(r"-?[0-9]{1,100}", str(value)):
            raise ValidationError(self.error_messages["invalid"], code="invalid")
        return int(value)


class FlagField(forms.NullBooleanField):
    """ "true" or "false", "1" or "0"; a word that is neither is refused, not ignored."""

    widget = forms.TextInput
    words = {"true": True, "1": True, "false": False, "0": False}

    def to_python(self, value: Any) -> bool | None:  # type: ignore[override]
        if value in self.empty_values:
            return None
        try:
            return self.words[str(value).lower()]
        except KeyError:
            raise ValidationError(_("Give “true” or “false”."), code="invalid") from None


class FlagFilter(django_filters.BooleanFilter):
    """Yes, no, or whichever."""

    field_class = FlagField


class IntegerFilter(django_filters.Filter):
    """A whole number; what the column cannot hold matches nothing."""

    field_class = WholeNumberField

    def filter(self, qs: QuerySet[Any], value: int | None) -> QuerySet[Any]:
        if value is not None and not -(2**63) <= value < 2**63:
            return qs.none()
        return super().filter(qs, value)


class ListFilter(django_filters.FilterSet):
    """A list's filters, with `q`: words that each have to occur in one of `searched`."""

    searched: tuple[str, ...] = ()

    q = django_filters.CharFilter(method="search", label=_("Search"), max_length=200)

    def search(self, queryset: QuerySet[Any], name: str, value: str) -> QuerySet[Any]:
        """Every word somewhere, upper and lower case alike."""
        for word in value.split():
            found = Q()
            for path in self.searched:
                found |= Q(**{f"{path}__icontains": word})
            queryset = queryset.filter(found)
        return queryset


class CredentialFilter(ListFilter):
    searched = ("name",)

    kind = django_filters.ChoiceFilter(choices=Credential.Kind.choices, label=_("Kind"))

    class Meta:
        model = Credential
        fields: list[str] = []


class HostFilter(ListFilter):
    searched = ("name", "address")

    trust = django_filters.ChoiceFilter(choices=Host.Trust.choices, label=_("Host key"))
    reach = django_filters.ChoiceFilter(choices=Host.Reach.choices, label=_("Reach"))
    credential = IntegerFilter(field_name="credential_id", label=_("Credential"))

    class Meta:
        model = Host
        fields: list[str] = []


class OperationFilter(ListFilter):
    searched = ("target_label", "kind", "requested_by_label")

    status = django_filters.MultipleChoiceFilter(
        choices=Operation.Status.choices, label=_("Status")
    )
    kind = django_filters.CharFilter(label=_("Kind"), max_length=64)
    target_type = django_filters.CharFilter(label=_("Kind of object"), max_length=64)
    target_id = IntegerFilter(label=_("Object"))
    tenant = IntegerFilter(field_name="tenant_id", label=_("Tenant"))

    class Meta:
        model = Operation
        fields: list[str] = []


class AlertFilter(ListFilter):
    searched = ("target_label", "kind")

    is_open = FlagFilter(field_name="resolved_at", lookup_expr="isnull", label=_("Open"))
    is_acknowledged = FlagFilter(
        field_name="acknowledged_at", lookup_expr="isnull", exclude=True, label=_("Acknowledged")
    )
    severity = django_filters.ChoiceFilter(choices=Alert.Severity.choices, label=_("Severity"))
    kind = django_filters.CharFilter(label=_("Kind"), max_length=64)
    target_type = django_filters.CharFilter(label=_("Kind of object"), max_length=64)
    target_id = IntegerFilter(label=_("Object"))
    tenant = IntegerFilter(field_name="tenant_id", label=_("Tenant"))

    class Meta:
        model = Alert
        fields: list[str] = []


class AuditEventFilter(ListFilter):
    searched = ("target_label", "verb", "actor_label", "reason")

    verb = django_filters.CharFilter(label=_("Verb"), max_length=64)
    actor = django_filters.CharFilter(field_name="actor_label", label=_("Who"), max_length=150)
    via = django_filters.CharFilter(label=_("Via"), max_length=16)
    outcome = django_filters.ChoiceFilter(choices=AuditEvent.Outcome.choices, label=_("Outcome"))
    target_type = django_filters.CharFilter(label=_("Kind of object"), max_length=64)
    target_id = IntegerFilter(label=_("Object"))
    tenant = IntegerFilter(field_name="tenant_id", label=_("Tenant"))
    since = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="gte", label=_("Since"))
    until = django_filters.IsoDateTimeFilter(field_name="at", lookup_expr="lt", label=_("Until"))

    class Meta:
        model = AuditEvent
        fields: list[str] = []


class ApiTokenFilter(ListFilter):
    searched = ("name", "prefix")

    is_revoked = FlagFilter(
        field_name="revoked_at", lookup_expr="isnull", exclude=True, label=_("Revoked")
    )

    class Meta:
        model = ApiToken
        fields: list[str] = []


class TenantFilter(ListFilter):
    searched = ("name",)

    is_suspended = FlagFilter(label=_("Suspended"))

    class Meta:
        model = Tenant
        fields: list[str] = []
