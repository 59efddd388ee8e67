"""The documents of proofs and drains."""

from __future__ import annotations

from typing import Any

from django.utils.translation import gettext
from django.utils.translation import gettext_lazy as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from console.api.serializers.base import Strict
from lvs.actions import draining


class DrainSerializer(Strict):
    """How long to wait, and what follows."""

    limit_seconds = serializers.IntegerField(
        min_value=draining.MIN_LIMIT,
        max_value=draining.MAX_LIMIT,
        required=False,
        default=draining.DEFAULT_LIMIT,
        help_text=_("Seconds after which open connections are not waited for any more."),
    )
    then = serializers.ChoiceField(
        choices=draining.THEN,
        required=False,
        default="remove",
        help_text=_("“remove” takes it out of the service, “keep” leaves it with weight 0."),
    )


class AnswerSerializer(serializers.Serializer):
    """One question to a real server and what came of it."""

    outcome = serializers.CharField(allow_blank=True)
    seconds = serializers.FloatField()


class ReasonSerializer(serializers.Serializer):
    """Why a real server is not reached, with its remedy."""

    code = serializers.CharField()
    message = serializers.SerializerMethodField()
    remedy = serializers.SerializerMethodField()
    is_blocking = serializers.BooleanField()

    def get_message(self, problem: dict[str, Any]) -> str:
        return str(gettext(problem["message"]) % problem["params"])

    def get_remedy(self, problem: dict[str, Any]) -> str:
        return str(gettext(problem["remedy"]) % problem["params"])


class PathSerializer(serializers.Serializer):
    """One real server, asked directly, through the forwarding path, and with an upload."""

    name = serializers.CharField()
    direct = AnswerSerializer()
    path = AnswerSerializer()
    upload = AnswerSerializer()
    mss = serializers.IntegerField(help_text=_("The largest segment that it offers; 0: unknown."))
    problem = ReasonSerializer(allow_null=True)


class HeardSerializer(serializers.Serializer):
    """A link-layer address that answered for the VIP on the clients' network."""

    mac = serializers.CharField()
    is_director = serializers.BooleanField()
    who = serializers.CharField(allow_blank=True, help_text=_("A real server, a host, or empty."))
    tries = serializers.IntegerField()


class OwnerSerializer(serializers.Serializer):
    """Who answers for the VIP."""

    state = serializers.ChoiceField(choices=["director", "stolen", "nobody", "routed"])
    answers = HeardSerializer(many=True)


class ProofSerializer(serializers.Serializer):
    """What the last proof said."""

    verdict = serializers.SerializerMethodField()
    proved_at = serializers.DateTimeField(allow_null=True)
    client = serializers.SerializerMethodField(help_text="Who asked from outside; may be empty.")
    answered = serializers.SerializerMethodField()
    silent = serializers.SerializerMethodField()
    unasked = serializers.SerializerMethodField()
    paths = serializers.SerializerMethodField()
    owner = serializers.SerializerMethodField()

    @extend_schema_field({"type": "string", "enum": ["", "proved", "reached", "partial", "failed"]})
    def get_verdict(self, kept: dict[str, Any]) -> str:
        return str(kept.get("verdict", ""))

    def get_client(self, kept: dict[str, Any]) -> str:
        return str(kept.get("client", ""))

    def get_answered(self, kept: dict[str, Any]) -> list[str]:
        return list(kept.get("answered", ()))

    def get_silent(self, kept: dict[str, Any]) -> list[str]:
        return list(kept.get("silent", ()))

    def get_unasked(self, kept: dict[str, Any]) -> list[str]:
        return list(kept.get("unasked", ()))

    @extend_schema_field(PathSerializer(many=True))
    def get_paths(self, kept: dict[str, Any]) -> Any:
        servers = kept.get("paths", {}).get("servers", [])
        return PathSerializer(servers, many=True).data

    @extend_schema_field(OwnerSerializer(allow_null=True))
    def get_owner(self, kept: dict[str, Any]) -> Any:
        return OwnerSerializer(kept["owner"]).data if kept.get("owner") else None
