"""Operations and their steps."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers
from rest_framework.reverse import reverse

from console.access import may_see_output
from console.api.serializers.base import RowSerializer
from console.models import Operation, Step
from console.operations import KINDS
from console.words import localised


class StepSerializer(RowSerializer):
    """One remote command. Commands and what machines said are for staff; others get ""."""

    title = serializers.SerializerMethodField(help_text="What it does, in words.")

    class Meta:
        model = Step
        fields = [
            "position",
            "attempt",
            "title",
            "machine",
            "command",
            "stdin",
            "stdin_bytes",
            "is_destructive",
            "status",
            "exit_code",
            "stdout",
            "stderr",
            "started_at",
            "seconds",
        ]
        read_only_fields = fields

    def get_title(self, step: Step) -> str:
        return localised(step.title)

    #: What staff sees and nobody else.
    for_staff = ("machine", "command", "stdin", "stdout", "stderr")

    def to_representation(self, instance: Step) -> dict[str, Any]:
        data = super().to_representation(instance)
        if not may_see_output(self.actor, instance.operation):
            data.update(dict.fromkeys(self.for_staff, ""))
        return data


class OperationSerializer(RowSerializer):
    """One asked-for change of one target."""

    url = serializers.SerializerMethodField()
    title = serializers.SerializerMethodField(help_text="What it does, in words.")
    is_cancellable = serializers.SerializerMethodField()
    is_live = serializers.BooleanField(read_only=True)
    error = serializers.CharField(source="error_text", read_only=True)
    remedy = serializers.CharField(source="remedy_text", read_only=True)

    class Meta:
        model = Operation
        fields = [
            "id",
            "url",
            "kind",
            "title",
            "target_type",
            "target_id",
            "target_label",
            "tenant",
            "requested_by_label",
            "parameters",
            "status",
            "is_live",
            "is_cancellable",
            "attempt",
            "percent",
            "queued_at",
            "started_at",
            "deadline_at",
            "cancel_requested_at",
            "finished_at",
            "result",
            "error_code",
            "error",
            "error_said",
            "remedy",
            "retry_of",
        ]
        read_only_fields = fields

    @extend_schema_field({"type": "string", "format": "uri"})
    def get_url(self, operation: Operation) -> str:
        return reverse("api:operation-detail", args=[operation.pk], request=self.context["request"])

    def get_title(self, operation: Operation) -> str:
        kind = KINDS.get(operation.kind)
        return str(kind.label) if kind else operation.kind

    def get_is_cancellable(self, operation: Operation) -> bool:
        kind = KINDS.get(operation.kind)
        return operation.is_live and kind is not None and kind.is_cancellable

    def to_representation(self, instance: Operation) -> dict[str, Any]:
        data = super().to_representation(instance)
        if not may_see_output(self.actor, instance):
            data.update(parameters={}, error_said="")
        return data


class OperationDetailSerializer(OperationSerializer):
    """An operation with its steps, in the order in which they ran."""

    steps = StepSerializer(many=True, read_only=True)

    class Meta(OperationSerializer.Meta):
        fields = [*OperationSerializer.Meta.fields, "steps"]
        read_only_fields = fields
