"""Prepared machines and the scripts for those that the console may not log in to."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from console.api.serializers.base import OperationLink, RowSerializer
from lvs.api.serializers import ProblemOfServiceSerializer
from lvs.models import PreparedServer


class NeedSerializer(serializers.Serializer):
    """Why a machine is prepared: one real server of one virtual service."""

    service = serializers.IntegerField()
    vip = serializers.CharField()
    rip = serializers.CharField()
    method = serializers.CharField()
    protocol = serializers.CharField()
    port = serializers.IntegerField()
    gateway = serializers.CharField(allow_blank=True)
    tunnel = serializers.CharField(allow_blank=True)
    tunnel_port = serializers.IntegerField()
    tunnel_checksum = serializers.CharField()


class PreparedServerSerializer(RowSerializer):
    """A machine that is prepared as a real server, and how it was last seen."""

    name = serializers.CharField(source="host.name", read_only=True)
    host: Any = serializers.PrimaryKeyRelatedField(read_only=True)
    needs = NeedSerializer(many=True, read_only=True)
    error = serializers.CharField(source="error_text", read_only=True)
    has_drifted = serializers.BooleanField(read_only=True)
    operation = OperationLink()

    class Meta:
        model = PreparedServer
        fields = [
            "id",
            "name",
            "host",
            "needs",
            "status",
            "observed_at",
            "error",
            "has_drifted",
            "drift",
            "undo_since",
            "created_at",
            "updated_at",
            "version",
            "operation",
        ]


class PreparationSerializer(serializers.Serializer):
    """What one real server needs on its own machine: scripts for a root shell. Empty where its
    forwarding method asks nothing of it."""

    state = serializers.CharField(source="words", help_text=_("How it stands, in words."))
    prepared = serializers.IntegerField(
        source="prepared.pk", allow_null=True, default=None, help_text=_("The prepared machine.")
    )
    suggested_host = serializers.IntegerField(
        source="suggested.pk",
        allow_null=True,
        default=None,
        help_text=_("The one known machine with this address, where none is chosen."),
    )
    script = serializers.CharField(allow_blank=True)
    cloud_init = serializers.CharField(allow_blank=True)
    verification = serializers.CharField(allow_blank=True)
    undo = serializers.CharField(allow_blank=True)
    problems = ProblemOfServiceSerializer(many=True)
