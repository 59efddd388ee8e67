"""A move to another forwarding method, and what it means."""

from __future__ import annotations

from rest_framework import serializers

from console.api.serializers.base import Strict
from lvs.actions.draining import DEFAULT_LIMIT, MAX_LIMIT, MIN_LIMIT
from lvs.models.virtual_services import Forwarding, TunnelKind, TunnelSum


class MoveQuerySerializer(Strict):
    """The method that is asked about."""

    forwarding = serializers.ChoiceField(choices=Forwarding.choices)


class MoveSerializer(MoveQuerySerializer):
    """The new method; tunnel fields where it is a tunnel."""

    tunnel_type = serializers.ChoiceField(choices=TunnelKind.choices, required=False)
    tunnel_port = serializers.IntegerField(min_value=0, max_value=65535, required=False)
    tunnel_checksum = serializers.ChoiceField(choices=TunnelSum.choices, required=False)
    drain_seconds = serializers.IntegerField(
        min_value=MIN_LIMIT, max_value=MAX_LIMIT, default=DEFAULT_LIMIT
    )


class FateSerializer(serializers.Serializer):
    """What happens to one real server. `new_port` is the port of the entry that takes its
    place; null where it is changed in place."""

    real_server = serializers.IntegerField(source="server.pk")
    address = serializers.CharField(source="server.address")
    new_port = serializers.IntegerField(allow_null=True)
    words = serializers.CharField()


class MovingSerializer(serializers.Serializer):
    """What a move would do."""

    forwarding = serializers.CharField()
    real_servers = FateSerializer(many=True)
    consequences = serializers.ListField(child=serializers.CharField())
