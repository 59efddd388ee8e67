"""Figures over time, as the API answers them."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext_lazy as _
from rest_framework import serializers

from console.api.serializers.base import Strict, VisibleRelatedField
from lvs.director.connections import STATES
from lvs.models import VirtualService


class FigureLineSerializer(serializers.Serializer):
    """One metric over time: average and peak of each step, null where nothing is known."""

    metric = serializers.CharField(source="curve.metric.name")
    title = serializers.CharField(source="curve.metric.title")
    unit = serializers.CharField(
        source="curve.metric.unit", help_text="1/s, B/s, or nothing for a number of connections."
    )
    real_server: Any = serializers.IntegerField(source="server.pk", default=None, allow_null=True)
    address = serializers.CharField(source="server.address", default="")
    is_one_way = serializers.BooleanField(
        help_text="Answers do not pass the director: they are not zero, they are not known."
    )
    average = serializers.ListField(
        child=serializers.FloatField(allow_null=True), source="curve.averages"
    )
    peak = serializers.ListField(
        child=serializers.FloatField(allow_null=True), source="curve.peaks"
    )
    mean = serializers.FloatField(
        source="curve.average", allow_null=True, help_text="Over the whole time that is known."
    )
    highest = serializers.FloatField(source="curve.peak", allow_null=True)
    total = serializers.IntegerField(
        source="curve.total", allow_null=True, help_text="What a counter counted in this time."
    )


class FiguresSerializer(serializers.Serializer):
    """Lines with common times: each is the beginning of a step, in seconds since 1970."""

    start = serializers.DateTimeField()
    end = serializers.DateTimeField()
    step = serializers.IntegerField(help_text="Seconds.")
    times = serializers.ListField(child=serializers.IntegerField())
    counted_at = serializers.DateTimeField(allow_null=True)
    lines = FigureLineSerializer(many=True)


class ConnectionsSerializer(Strict):
    """What to look for: at least one of the three."""

    client = serializers.CharField(
        required=False, max_length=64, help_text=_("An address or a network in CIDR notation.")
    )
    service = VisibleRelatedField(
        queryset=VirtualService.objects.all(), required=False, allow_null=True
    )
    state = serializers.ChoiceField(choices=STATES, required=False)
