"""What all documents share: unknown members are refused, rows that are not yours do not exist."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar

from django.db import models
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ErrorDetail, ValidationError
from rest_framework.reverse import reverse
from rest_framework.validators import UniqueValidator

from console.access import Actor, actor_of, visible_to

M = TypeVar("M", bound=models.Model)


class Strict(serializers.Serializer):
    """Refuses members that the document does not have, and those that cannot be written."""

    @property
    def actor(self) -> Actor:
        return actor_of(self.context["request"])

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, Mapping):
            writable = {name for name, field in self.fields.items() if not field.read_only}
            if unknown := [name for name in data if name not in writable]:
                raise ValidationError({name: [self._refusal(name)] for name in unknown})
        return super().to_internal_value(data)

    def _refusal(self, name: str) -> ErrorDetail:
        if name in self.fields:
            return ErrorDetail(_("This field cannot be written."), code="read_only")
        return ErrorDetail(_("There is no such field."), code="unknown_field")


class AddressField(serializers.IPAddressField):
    """An IPv4 or IPv6 address. A zone (fe80::1%eth0, RFC 4007) means something on one machine
    only: it is refused here, where Django would silently drop it."""

    def to_internal_value(self, data: Any) -> str:
        if isinstance(data, str) and "%" in data:
            raise ValidationError([ErrorDetail(_("Give the address without a zone."), code="zone")])
        return str(super().to_internal_value(data))


extend_schema_field({"type": "string", "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}]})(
    AddressField
)


class RowSerializer(Strict, serializers.ModelSerializer):
    """A row as a document. Uniqueness is the verb's to check, where it is also held;
    text is taken as it comes, for a program says what it means."""

    serializer_field_mapping = {
        **serializers.ModelSerializer.serializer_field_mapping,
        models.GenericIPAddressField: AddressField,
    }

    def build_standard_field(
        self, field_name: str, model_field: models.Field[Any, Any]
    ) -> tuple[type[serializers.Field], dict[str, Any]]:
        field_class, options = super().build_standard_field(field_name, model_field)
        if "validators" in options:
            options["validators"] = [
                validator
                for validator in options["validators"]
                if not isinstance(validator, UniqueValidator)
            ]
        if issubclass(field_class, serializers.CharField):
            options["trim_whitespace"] = False
        return field_class, options

    def get_unique_together_validators(self) -> list[Any]:
        return []


class VisibleRelatedField(serializers.PrimaryKeyRelatedField):
    """The id of another row, which exists only where the actor may see it."""

    def get_queryset(self) -> Any:
        queryset = super().get_queryset()
        if queryset is None:
            return None
        return visible_to(actor_of(self.context["request"]), queryset)

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, bool) or not isinstance(data, int):
            self.fail("incorrect_type", data_type=type(data).__name__)
        return super().to_internal_value(data)


class OperationLink(serializers.Field):
    """The address of the operation that is under way, from the row's `live_operation`."""

    def __init__(self, **options: Any) -> None:
        options.setdefault(
            "help_text",
            gettext_lazy("The operation that is under way on it; null when there is none."),
        )
        super().__init__(source="live_operation", read_only=True, **options)

    def to_representation(self, value: int) -> str:
        return reverse("api:operation-detail", args=[value], request=self.context["request"])


extend_schema_field({"type": ["string", "null"], "format": "uri"})(OperationLink)
