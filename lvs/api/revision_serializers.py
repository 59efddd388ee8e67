"""The history of a director: applied states, and what lies between two of them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from console.api.serializers.base import Strict
from lvs.api.serializers import PlannedStepSerializer
from lvs.models import Revision


class RevisionSerializer(serializers.ModelSerializer):
    """A state of a director that was applied and seen in place."""

    director: Any = serializers.PrimaryKeyRelatedField(read_only=True)
    operation: Any = serializers.PrimaryKeyRelatedField(read_only=True, allow_null=True)

    class Meta:
        model = Revision
        fields = [
            "id",
            "director",
            "number",
            "operation",
            "applied_by",
            "applied_at",
            "added",
            "changed",
            "removed",
        ]
        read_only_fields = fields


class DeclaredSerializer(serializers.Serializer):
    """What was declared: the director's own settings, and services by their number."""

    own = serializers.DictField()
    services = serializers.DictField(child=serializers.DictField())


class FieldDifferenceSerializer(serializers.Serializer):
    """One field that differs; an empty subject is the director itself."""

    subject = serializers.CharField(allow_blank=True)
    field = serializers.CharField()
    before = serializers.JSONField(allow_null=True)
    after = serializers.JSONField(allow_null=True)


class ComparisonSerializer(serializers.Serializer):
    """The way from one state to another, as lines of the table and as fields."""

    steps = PlannedStepSerializer(many=True)
    fields_changed = FieldDifferenceSerializer(many=True)


class GoBackSerializer(Strict):
    """Whether to apply at once what is declared again."""

    apply = serializers.BooleanField(required=False, default=False)
    confirm_removals = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text=_("How many entries may go, where that is more than the cap allows."),
    )
