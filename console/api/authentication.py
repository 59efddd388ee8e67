"""Who asks: a program with a bearer token (RFC 6750), or a browser with a session."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.contrib.auth.models import AbstractBaseUser
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext as _
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework import authentication, exceptions
from rest_framework.request import Request

from console.api.problems import ApiProblem
from console.models import ApiToken
from console.models.tokens import digest

#: A token's last use is written at most this often.
_LAST_USE = timedelta(minutes=1)


class TokenAuthentication(authentication.BaseAuthentication):
    """`Authorization: Bearer evk_…`. A wrong, expired or revoked token is 401, never ignored."""

    def authenticate(self, request: Request) -> tuple[AbstractBaseUser, ApiToken] | None:
        scheme, _blank, secret = request.META.get("HTTP_AUTHORIZATION", "").strip().partition(" ")
        if scheme.lower() != "bearer":
            return None
        token = (
            ApiToken.objects.select_related("user")
            .filter(digest=digest(secret.strip()), revoked_at=None)
            .first()
        )
        if token is None or not token.is_valid or not token.user.is_active:
            raise exceptions.AuthenticationFailed(
                _("The token is wrong, expired or revoked."), code="invalid-token"
            )
        _note_use(token)
        return token.user, token

    def authenticate_header(self, request: Request) -> str:
        """What a 401 says in WWW-Authenticate (RFC 6750, section 3)."""
        offered = request.META.get("HTTP_AUTHORIZATION", "").lower().startswith("bearer ")
        return 'Bearer realm="evenkeel"' + (', error="invalid_token"' if offered else "")


def _note_use(token: ApiToken) -> None:
    now = timezone.now()
    if token.last_used_at is not None and now - token.last_used_at < _LAST_USE:
        return
    ApiToken.objects.filter(
        Q(last_used_at=None) | Q(last_used_at__lte=now - _LAST_USE), pk=token.pk
    ).update(last_used_at=now)


class SessionAuthentication(authentication.SessionAuthentication):
    """The browser's session, with Django's CSRF check on everything that changes something."""

    def enforce_csrf(self, request: Any) -> None:
        try:
            super().enforce_csrf(request)
        except exceptions.PermissionDenied as error:
            raise ApiProblem("csrf-failed", str(error.detail)) from error


class TokenScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document names the bearer token."""

    target_class = TokenAuthentication
    name = "token"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        return {
            "type": "http",
            "scheme": "bearer",
            "description": "An API token, made under “API tokens” or by POST /api/v1/tokens/.",
        }


class SessionScheme(OpenApiAuthenticationExtension):
    """How the OpenAPI document names the browser's session."""

    target_class = SessionAuthentication
    name = "session"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        from django.conf import settings

        return {"type": "apiKey", "in": "cookie", "name": settings.SESSION_COOKIE_NAME}
