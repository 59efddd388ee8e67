"""Tenants, members, tokens, and who asks."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.http import Http404
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.access import find_visible, require
from console.actions import tenants, tokens
from console.api.serializers.tenants import (
    MemberSerializer,
    MeSerializer,
    NewTenantSerializer,
    NewTokenSerializer,
    TenantSerializer,
    TokenSerializer,
)
from console.api.views.base import ApiView, DetailView, ListView, tagged
from console.filters import ApiTokenFilter, TenantFilter
from console.models import ApiToken, Membership, Tenant
from console.shell import require_somewhere


class TenantList(ListView):
    """Customers: all of them for staff, one's own for members."""

    queryset = Tenant.objects.all()
    serializer_class = TenantSerializer
    filterset_class = TenantFilter
    sorts = {"id": "id", "name": "name", "created_at": "created_at"}

    @extend_schema(request=NewTenantSerializer, responses={201: TenantSerializer})
    def post(self, request: Request) -> Response:
        """A new tenant, without members."""
        require_somewhere(self.actor, "tenant.manage")
        tenant = tenants.create_tenant(self.actor, **self.checked(NewTenantSerializer))
        return self.created(tenant, "api:tenant-detail")


class TenantDetail(DetailView):
    """One tenant."""

    queryset = Tenant.objects.all()
    serializer_class = TenantSerializer

    def patch(self, request: Request, pk: int) -> Response:
        """Rename or suspend it. Members of a suspended tenant see nothing of it."""
        tenant = self.get_object()
        version = self.expected_version(tenant)
        tenants.update_tenant(self.actor, tenant, expected_version=version, **self.checked())
        return self.answer(tenant)


class MemberList(ListView):
    """The people of one tenant."""

    queryset = Membership.objects.select_related("user")
    serializer_class = MemberSerializer
    sorts = {"id": "id", "username": "user__username"}
    default_sort = "username"

    def get_queryset(self) -> Any:
        if getattr(self, "swagger_fake_view", False):
            return self.queryset.none()
        tenant = find_visible(self.actor, Tenant.objects.all(), pk=self.kwargs["pk"])
        return self.queryset.filter(tenant=tenant)


class MemberDetail(ApiView):
    """One person of one tenant."""

    queryset = Membership.objects.select_related("user")
    serializer_class = MemberSerializer
    lookup_field = "username"

    def put(self, request: Request, pk: int, username: str) -> Response:
        """Make somebody a member, or give a member another role."""
        tenant, user = self._find(pk, username)
        member = tenants.set_member(self.actor, tenant, user=user, **self.checked())
        return Response(self.get_serializer(member).data)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int, username: str) -> Response:
        """Take the membership away."""
        tenant, user = self._find(pk, username)
        tenants.remove_member(self.actor, tenant, user=user)
        return Response(status=204)

    def _find(self, pk: int, username: str) -> tuple[Tenant, Any]:
        """The right comes first: whether a user exists is nobody else's affair."""
        tenant = find_visible(self.actor, Tenant.objects.all(), pk=pk)
        require(self.actor, "tenant.manage", tenant)
        user = get_user_model().objects.filter(username=username).first()
        if user is None:
            raise Http404
        return tenant, user


class TokenList(ListView):
    """One's own API tokens."""

    queryset = ApiToken.objects.all()
    serializer_class = TokenSerializer
    filterset_class = ApiTokenFilter
    sorts = {"id": "id", "name": "name", "created_at": "created_at"}

    @extend_schema(responses={201: NewTokenSerializer})
    def post(self, request: Request) -> Response:
        """A new token. Its `secret` is in this answer and nowhere else."""
        token, secret = tokens.create_token(self.actor, **self.checked())
        response = self.created(token, "api:token-detail")
        context = {**self.get_serializer_context(), "secret": secret}
        response.data = NewTokenSerializer(token, context=context).data
        return response


class TokenDetail(DetailView):
    """One token, without its secret."""

    queryset = ApiToken.objects.all()
    serializer_class = TokenSerializer

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Revoke it: it ends at once."""
        tokens.revoke_token(self.actor, self.get_object())
        return Response(status=204)


class Me(ApiView):
    """Who asks, and what they may do."""

    serializer_class = MeSerializer

    def get(self, request: Request) -> Response:
        return tagged(self.get_serializer(self.actor).data)
