"""Alerts and the audit log."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from console.alerts import KINDS
from console.api.serializers.base import RowSerializer
from console.attention import alert_words
from console.models import Alert, AuditEvent


class AlertSerializer(RowSerializer):
    """What needs a person, in words."""

    title = serializers.SerializerMethodField()
    detail = serializers.SerializerMethodField()
    runbook = serializers.SerializerMethodField(
        help_text="The anchor of its paragraph in docs/runbook.md."
    )
    acknowledged_by: Any = serializers.SlugRelatedField(
        slug_field="username", read_only=True, allow_null=True
    )

    class Meta:
        model = Alert
        fields = [
            "id",
            "kind",
            "severity",
            "title",
            "detail",
            "runbook",
            "params",
            "commands",
            "target_type",
            "target_id",
            "target_label",
            "tenant",
            "raised_at",
            "last_seen_at",
            "acknowledged_at",
            "acknowledged_by",
            "resolved_at",
        ]
        read_only_fields = fields

    def get_title(self, alert: Alert) -> str:
        return alert_words(alert)[0]

    def get_detail(self, alert: Alert) -> str:
        return alert_words(alert)[1]

    def get_runbook(self, alert: Alert) -> str:
        kind = KINDS.get(alert.kind)
        return kind.runbook if kind else ""


class AuditEventSerializer(RowSerializer):
    """Who did what, to what, from where, why, and how it ended."""

    class Meta:
        model = AuditEvent
        fields = [
            "id",
            "at",
            "actor_label",
            "via",
            "address",
            "request_id",
            "verb",
            "target_type",
            "target_id",
            "target_label",
            "tenant",
            "reason",
            "changes",
            "outcome",
            "operation",
        ]
        read_only_fields = fields

    def to_representation(self, instance: AuditEvent) -> dict[str, Any]:
        data = super().to_representation(instance)
        if not self.actor.can("audit.view"):
            data["address"] = ""  # from where the operator's staff works is no tenant's affair
        return data
