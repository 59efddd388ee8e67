"""Verbs for programs' access."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from console import audit
from console.access import SCOPES, Actor
from console.errors import Forbidden
from console.models import ApiToken


def create_token(
    actor: Actor, *, name: str, scopes: Iterable[str], expires_at: datetime | None = None
) -> tuple[ApiToken, str]:
    """A token of the actor's own and its secret, which is not seen again.

    A token cannot make one with more scopes than it has itself.
    """
    if actor.user is None:
        raise Forbidden("token.manage")
    wanted = sorted(set(scopes), key=lambda scope: SCOPES.index(scope) if scope in SCOPES else -1)
    errors: dict[str, ValidationError] = {}
    if not wanted or not set(wanted) <= set(SCOPES):
        errors["scopes"] = ValidationError(
            _("Choose at least one of: %(scopes)s.") % {"scopes": ", ".join(SCOPES)},
            code="invalid_scopes",
        )
    elif actor.scopes is not None and not set(wanted) <= actor.scopes:
        raise Forbidden("token.manage")
    if expires_at is not None and expires_at <= timezone.now():
        errors["expires_at"] = ValidationError(_("This moment has passed."), code="in_the_past")
    if errors:
        raise ValidationError(errors)
    token = ApiToken(user=actor.user, name=name, scopes=wanted, expires_at=expires_at)
    secret = token.set_new_secret()
    with transaction.atomic():
        token.full_clean(exclude=["digest", "prefix"])
        token.save()
        audit.record(actor, "token.create", token, changes={"scopes": ["", " ".join(wanted)]})
    return token, secret


def revoke_token(actor: Actor, token: ApiToken) -> ApiToken:
    """End a token at once. Doing it twice is harmless."""
    if actor.user is None or token.user_id != actor.user.pk:
        raise Forbidden("token.manage")
    with transaction.atomic():
        if ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now()):
            audit.record(actor, "token.revoke", token)
    token.refresh_from_db()
    return token
