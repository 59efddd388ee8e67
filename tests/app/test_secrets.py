"""Secrets at rest: sealed, rotated, and unreadable without their key."""

from __future__ import annotations

from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import call_command
from django.db import connection

from console.crypto import SecretUnreadable
from console.models import Credential
from tests import factories

pytestmark = pytest.mark.django_db


def stored(credential: Credential) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT secret FROM console_credential WHERE id = %s", [credential.pk])
        value: str = cursor.fetchone()[0]
        return value


def test_secret_is_sealed_at_rest_and_absent_from_repr() -> None:
    credential = factories.CredentialFactory.create(secret="open sesame")
    assert "sesame" not in stored(credential)
    assert Credential.objects.get().secret == "open sesame"
    host = factories.HostFactory.create(credential=credential)
    assert "sesame" not in repr(host.endpoint())


def test_rotation_seals_every_secret_under_the_new_key(settings: Any) -> None:
    credential = factories.CredentialFactory.create(secret="open sesame")
    old, new = settings.SECRETS_KEYS[0], Fernet.generate_key().decode()
    before = stored(credential)
    settings.SECRETS_KEYS = [new, old]
    assert Credential.objects.get().secret == "open sesame"
    call_command("rotate_secrets")
    assert stored(credential) != before
    settings.SECRETS_KEYS = [new]
    assert Credential.objects.get().secret == "open sesame"


def test_without_its_key_a_secret_says_what_to_do(settings: Any) -> None:
    factories.CredentialFactory.create()
    settings.SECRETS_KEYS = [Fernet.generate_key().decode()]
    with pytest.raises(SecretUnreadable, match="EVENKEEL_SECRETS_KEYS"):
        Credential.objects.get()
