"""A director's own side as a document."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from console.api.serializers.base import AddressField, OperationLink, RowSerializer, Strict
from lvs import configured, local
from lvs.configured import SettingShown
from lvs.director.settings import MAX_TIMEOUT
from lvs.models import Director


class SettingSerializer(serializers.Serializer):
    """One of the kernel's settings under net.ipv4.vs: declared, in force, seen."""

    name = serializers.CharField()
    group = serializers.CharField(source="about.group")
    title = serializers.SerializerMethodField()
    meaning = serializers.SerializerMethodField()
    declared = serializers.CharField(allow_blank=True, help_text=_("Empty: left alone."))
    wanted = serializers.CharField(
        allow_blank=True,
        help_text=_("What is in force: declared, of the preset, or needed by services."),
    )
    seen = serializers.CharField(allow_blank=True)
    default = serializers.CharField(source="about.default", allow_blank=True)
    recommended = serializers.CharField(source="about.recommended", allow_blank=True)
    least = serializers.IntegerField(source="about.least")
    most = serializers.IntegerField(source="about.most")
    differs = serializers.BooleanField()

    def get_title(self, setting: SettingShown) -> str:
        return gettext(setting.about.title) if setting.about.title else setting.name

    def get_meaning(self, setting: SettingShown) -> str:
        sentences = (setting.about.meaning, *setting.about.notes)
        return " ".join(gettext(one) for one in sentences if one)


class LoadSerializer(serializers.Serializer):
    """How full the tables were: buckets and connections of IPVS, then netfilter's."""

    buckets = serializers.IntegerField()
    connections = serializers.IntegerField()
    tracked = serializers.IntegerField()
    tracked_most = serializers.IntegerField()
    insert_failed = serializers.IntegerField(help_text=_("Connections that found no free port."))
    dropped = serializers.IntegerField()


class PortsSerializer(serializers.Serializer):
    """The ports of Full NAT towards one real server: taken and there."""

    virtual_service = serializers.IntegerField(source="service.pk")
    real_server = serializers.CharField(source="address")
    connections = serializers.IntegerField()
    ports = serializers.IntegerField()


class SettingsSerializer(RowSerializer):
    """What is declared of a director's own side, and what was seen at `observed_at`.

    `ports_per_address` is how many connections one local address carries to one real
    server's address and port at once.
    """

    kernel_settings = serializers.DictField(
        child=serializers.CharField(max_length=100), required=False
    )
    local_addresses = serializers.ListField(child=AddressField(), required=False)
    tcp_timeout = serializers.IntegerField(
        min_value=1, max_value=MAX_TIMEOUT, required=False, allow_null=True
    )
    tcp_fin_timeout = serializers.IntegerField(
        min_value=1, max_value=MAX_TIMEOUT, required=False, allow_null=True
    )
    udp_timeout = serializers.IntegerField(
        min_value=1, max_value=MAX_TIMEOUT, required=False, allow_null=True
    )
    apply = serializers.BooleanField(
        write_only=True,
        required=False,
        default=False,
        help_text=_("Also begin to put the change in place; otherwise it waits for Apply."),
    )
    settings = serializers.SerializerMethodField()
    load = serializers.SerializerMethodField()
    ports = serializers.SerializerMethodField()
    ports_per_address = serializers.SerializerMethodField()
    seen_timeouts = serializers.SerializerMethodField()
    operation = OperationLink()

    class Meta:
        model = Director
        fields = [
            "id",
            "kernel_settings",
            "tcp_timeout",
            "tcp_fin_timeout",
            "udp_timeout",
            "local_addresses",
            "local_interface",
            "is_under_attack",
            "apply",
            "provisioning_status",
            "observed_at",
            "settings",
            "seen_timeouts",
            "load",
            "ports",
            "ports_per_address",
            "version",
            "operation",
        ]

    @extend_schema_field(SettingSerializer(many=True))
    def get_settings(self, director: Director) -> Any:
        return SettingSerializer(configured.settings_shown(director), many=True).data

    @extend_schema_field({"type": "object", "additionalProperties": {"type": ["integer", "null"]}})
    def get_seen_timeouts(self, director: Director) -> dict[str, int | None]:
        return {one.field: one.seen for one in configured.timeouts_shown(director)}

    @extend_schema_field(LoadSerializer)
    def get_load(self, director: Director) -> Any:
        return LoadSerializer(configured.tables_shown(director).load).data

    @extend_schema_field(PortsSerializer(many=True))
    def get_ports(self, director: Director) -> Any:
        return PortsSerializer(local.use_of_ports(director), many=True).data

    def get_ports_per_address(self, _director: Director) -> int:
        return local.PORTS_PER_ADDRESS


class UnderAttackSerializer(Strict):
    """On or off."""

    on = serializers.BooleanField()
