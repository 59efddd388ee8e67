"""Directors, virtual services, real servers, and what is planned for them."""

from __future__ import annotations

import shlex
from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from console.access import actor_of
from console.api.serializers.base import (
    OperationLink,
    RowSerializer,
    Strict,
    VisibleRelatedField,
)
from console.models import Host, Tenant
from console.planning import Effect, Problem, Step
from console.words import localised
from lvs import planned
from lvs.models import Director, RealServer, ServiceAddress, VirtualService

_APPLY_HELP = _("Also begin to put the change in place; otherwise it waits for Apply.")


class DirectorSerializer(RowSerializer):
    """A host whose kernel holds an IPVS table, and how it was last seen."""

    name = serializers.CharField(source="host.name", read_only=True)
    host = VisibleRelatedField(queryset=Host.objects.all())
    probe_host = VisibleRelatedField(queryset=Host.objects.all(), required=False, allow_null=True)
    has_drifted = serializers.BooleanField(read_only=True)
    observe_error = serializers.CharField(source="observe_error_text", read_only=True)
    operation = OperationLink()

    class Meta:
        model = Director
        fields = [
            "id",
            "name",
            "host",
            "vip_interface",
            "probe_host",
            "prove_interval",
            "policy",
            "confirm_seconds",
            "on_failure",
            "provisioning_status",
            "is_under_attack",
            "observed_at",
            "observe_error",
            "has_drifted",
            "drift",
            "drift_count",
            "drift_since",
            "unmanaged_count",
            "reconcile_failures",
            "created_at",
            "updated_at",
            "version",
            "operation",
        ]


class ApplySerializer(Strict):
    """Which services to apply; all that is pending or drifted when none are named."""

    services = serializers.ListField(
        child=VisibleRelatedField(queryset=VirtualService.objects.all()),
        required=False,
        min_length=1,
    )
    confirm_removals = serializers.IntegerField(
        required=False,
        min_value=0,
        help_text=_("How many entries may go, where that is more than the cap allows."),
    )


class MachineField(VisibleRelatedField):
    """The machine of a real server; null for those who may not know about hosts."""

    def to_representation(self, value: Any) -> Any:
        return value.pk if actor_of(self.context["request"]).can("host.view") else None


class MachineSerializer(RowSerializer):
    """What a real server has beside its address. For members of a tenant the machine is no
    member of the document that they write: what they read of it is always null."""

    host = MachineField(queryset=Host.objects.all(), required=False, allow_null=True)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if not self.actor.can("host.view"):
            attrs.pop("host", None)
        return attrs


class RealServerSerializer(MachineSerializer):
    """One address and port behind a virtual service."""

    virtual_service: Any = serializers.PrimaryKeyRelatedField(read_only=True)
    effective_forwarding = serializers.CharField(read_only=True)
    apply = serializers.BooleanField(
        write_only=True, required=False, default=False, help_text=_APPLY_HELP
    )
    operation = OperationLink()

    class Meta:
        model = RealServer
        fields = [
            "id",
            "virtual_service",
            "pool",
            "rip",
            "port",
            "host",
            "weight",
            "forwarding",
            "effective_forwarding",
            "tunnel_type",
            "tunnel_port",
            "tunnel_checksum",
            "upper_threshold",
            "lower_threshold",
            "apply",
            "created_at",
            "updated_at",
            "version",
            "operation",
        ]


class NestedRealServerSerializer(MachineSerializer):
    """A real server in the document of its service; with `id` it is the one that is there."""

    id = serializers.IntegerField(required=False, min_value=1)

    class Meta:
        model = RealServer
        fields = [
            "id",
            "pool",
            "rip",
            "port",
            "host",
            "weight",
            "forwarding",
            "tunnel_type",
            "tunnel_port",
            "tunnel_checksum",
            "upper_threshold",
            "lower_threshold",
        ]


class ServiceAddressSerializer(RowSerializer):
    """More packets that a service by firewall mark takes: a port, a range of ports, a network
    of VIPs."""

    last_port = serializers.IntegerField(
        required=False, min_value=1, max_value=65535, help_text=_("Without it, the first one.")
    )

    class Meta:
        model = ServiceAddress
        fields = ["protocol", "network", "first_port", "last_port"]


class VirtualServiceSerializer(RowSerializer):
    """Protocol, VIP and port on one director, its scheduler, and its real servers.

    Matched by firewall mark it also takes the packets of `addresses`; the console gives the
    mark, `fwmark`, and marks the packets.

    `generation` counts the declared changes, `applied_generation` is the last one that was
    seen in place.
    """

    director = VisibleRelatedField(queryset=Director.objects.all())
    tenant = VisibleRelatedField(queryset=Tenant.objects.all(), required=False, allow_null=True)
    addresses = ServiceAddressSerializer(
        many=True, required=False, help_text=_("The whole list; one that is not named goes.")
    )
    real_servers = NestedRealServerSerializer(
        many=True, required=False, help_text=_("The whole list; one that is not named goes.")
    )
    apply = serializers.BooleanField(
        write_only=True, required=False, default=False, help_text=_APPLY_HELP
    )
    operation = OperationLink()

    class Meta:
        model = VirtualService
        fields = [
            "id",
            "name",
            "director",
            "tenant",
            "protocol",
            "vip",
            "port",
            "matching",
            "fwmark",
            "addresses",
            "forwarding",
            "tunnel_type",
            "tunnel_port",
            "tunnel_checksum",
            "scheduler",
            "scheduler_flags",
            "persistence_timeout",
            "persistence_prefix",
            "persistence_engine",
            "is_one_packet",
            "is_vip_managed",
            "real_servers",
            "apply",
            "live_pool",
            "provisioning_status",
            "generation",
            "applied_generation",
            "removal_requested_at",
            "proof",
            "proved_at",
            "created_at",
            "updated_at",
            "version",
            "operation",
        ]


class SeenServerSerializer(serializers.Serializer):
    """What the kernel's table said of one real server."""

    is_present = serializers.BooleanField()
    weight = serializers.IntegerField()
    active = serializers.IntegerField(allow_null=True)
    inactive = serializers.IntegerField(allow_null=True)


class LiveSerializer(serializers.Serializer):
    """What was last seen of a service, and when."""

    is_present = serializers.BooleanField()
    observed_at = serializers.DateTimeField(allow_null=True)
    counts_at = serializers.DateTimeField(allow_null=True)
    real_servers = serializers.DictField(child=SeenServerSerializer())


class VirtualServiceDetailSerializer(VirtualServiceSerializer):
    """A virtual service with what was last seen of it."""

    live = serializers.SerializerMethodField()

    class Meta(VirtualServiceSerializer.Meta):
        fields = [*VirtualServiceSerializer.Meta.fields, "live"]

    @extend_schema_field(LiveSerializer)
    def get_live(self, service: VirtualService) -> dict[str, Any]:
        return dict(LiveSerializer(planned.live(service)).data)


class ConfirmSerializer(Strict):
    """The name of what is about to go, typed again."""

    confirm = serializers.CharField(max_length=200, trim_whitespace=False)


class AdoptSerializer(Strict):
    """Which unmanaged entry, and what to call it."""

    key = serializers.CharField(max_length=100, help_text=_("Such as tcp:10.0.0.1:80."))
    name = serializers.CharField(max_length=64, required=False)


class RemoveUnmanagedSerializer(Strict):
    """Which unmanaged entry, and the same once more."""

    key = serializers.CharField(max_length=100, help_text=_("Such as tcp:10.0.0.1:80."))
    confirm = serializers.CharField(max_length=100, help_text=_("The key once more."))


class LineSerializer(serializers.Serializer):
    """One line of a batch, and the line that it replaces."""

    text = serializers.CharField()
    before = serializers.CharField(allow_blank=True)
    effect = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "enum": [effect.value for effect in Effect]})
    def get_effect(self, line: Any) -> str:
        return str(line.effect.value)


class PlannedStepSerializer(serializers.Serializer):
    """One remote command, and the lines that go in on its standard input."""

    title = serializers.SerializerMethodField(help_text="What it does, in words.")
    command = serializers.SerializerMethodField()
    machine = serializers.CharField(
        allow_blank=True, help_text=_("The real server’s machine; empty for the director.")
    )
    is_destructive = serializers.BooleanField()
    lines = LineSerializer(many=True)

    def get_title(self, step: Step) -> str:
        return localised(step.title)

    def get_command(self, step: Step) -> str:
        return shlex.join(step.argv)


class PlanSerializer(serializers.Serializer):
    """What Apply would run, as of the observation at `observed_at`. Empty steps: nothing."""

    observed_at = serializers.DateTimeField(allow_null=True)
    removals = serializers.IntegerField()
    steps = PlannedStepSerializer(many=True)


class ProblemOfServiceSerializer(serializers.Serializer):
    """A reason why a service may not work, with its remedy."""

    code = serializers.CharField()
    subject = serializers.CharField(allow_blank=True)
    message = serializers.SerializerMethodField()
    remedy = serializers.SerializerMethodField()
    is_blocking = serializers.BooleanField()

    def get_message(self, problem: Problem) -> str:
        return problem.text(gettext)

    def get_remedy(self, problem: Problem) -> str:
        return problem.remedy_text(gettext)


class UnmanagedSerializer(serializers.Serializer):
    """An entry of the kernel's table that nobody has declared here."""

    key = serializers.CharField()
    protocol = serializers.CharField()
    address = serializers.CharField()
    real_servers = serializers.IntegerField()
    lines = serializers.ListField(child=serializers.CharField())
    can_adopt = serializers.BooleanField()
    reason = serializers.CharField(allow_blank=True, help_text=_("Why it cannot be adopted."))
