"""Tenants, members, tokens, and who asks."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from console.access import SCOPES
from console.api.serializers.base import RowSerializer, Strict
from console.models import ApiToken, Membership, StaffRole, Tenant


class TenantSerializer(RowSerializer):
    """A customer."""

    class Meta:
        model = Tenant
        fields = ["id", "name", "is_suspended", "created_at", "updated_at", "version"]
        read_only_fields = ["version"]


class NewTenantSerializer(RowSerializer):
    """What a new tenant begins with."""

    class Meta:
        model = Tenant
        fields = ["name"]


class MemberSerializer(RowSerializer):
    """One person of a tenant, and what they may do."""

    username = serializers.CharField(source="user.username", read_only=True)

    class Meta:
        model = Membership
        fields = ["username", "role", "created_at"]


class TokenSerializer(RowSerializer):
    """A bearer token, without its secret."""

    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=SCOPES), min_length=1, max_length=len(SCOPES)
    )
    is_active = serializers.BooleanField(source="is_valid", read_only=True)

    class Meta:
        model = ApiToken
        fields = [
            "id",
            "name",
            "prefix",
            "scopes",
            "is_active",
            "created_at",
            "expires_at",
            "last_used_at",
            "revoked_at",
        ]


class NewTokenSerializer(TokenSerializer):
    """A new token with its secret, which is shown this once."""

    secret = serializers.SerializerMethodField()

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "secret"]

    def get_secret(self, token: ApiToken) -> str:
        return str(self.context["secret"])


class MembershipSerializer(RowSerializer):
    """One of the tenants that somebody works for."""

    name = serializers.CharField(source="tenant.name", read_only=True)

    class Meta:
        model = Membership
        fields = ["tenant", "name", "role"]
        read_only_fields = fields


class MeSerializer(Strict):
    """Who asks, and what they may do."""

    username = serializers.CharField(source="user.username")
    email = serializers.CharField(source="user.email")
    staff_role = serializers.ChoiceField(choices=StaffRole.Role.choices, allow_blank=True)
    scopes = serializers.SerializerMethodField(
        help_text="What the token allows; null for a session, which allows all."
    )
    memberships = serializers.SerializerMethodField()

    def get_scopes(self, actor: Any) -> list[str] | None:
        return None if actor.scopes is None else sorted(actor.scopes, key=SCOPES.index)

    def get_memberships(self, actor: Any) -> list[dict[str, Any]]:
        rows = Membership.objects.filter(user=actor.user, tenant_id__in=actor.roles)
        ordered = rows.select_related("tenant").order_by("tenant__name")
        return list(MembershipSerializer(ordered, many=True).data)
