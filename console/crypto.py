"""Encryption at rest for credentials: Fernet under rotating keys of their own.

The keys come from `EVENKEEL_SECRETS_KEYS` (newest first, separated by blanks) or from
`var/keys/secrets.keys`. They are independent of Django's SECRET_KEY, so that either can
change without the other. `manage.py rotate_secrets` writes every secret again under the
newest key.
"""

from __future__ import annotations

from functools import lru_cache

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings


class SecretUnreadable(Exception):
    """A stored secret opens with none of the configured keys."""


@lru_cache(maxsize=4)
def _box(keys: tuple[str, ...]) -> MultiFernet:
    return MultiFernet([Fernet(key) for key in keys])


def encrypt(text: str) -> str:
    """Seal `text` under the newest key."""
    return _box(tuple(settings.SECRETS_KEYS)).encrypt(text.encode()).decode()


def decrypt(token: str) -> str:
    """Open what `encrypt` sealed, whichever of the configured keys it was.

    Raises SecretUnreadable when none of them fits.
    """
    try:
        return _box(tuple(settings.SECRETS_KEYS)).decrypt(token.encode()).decode()
    except InvalidToken as error:
        raise SecretUnreadable(
            "A stored secret opens with none of the keys in EVENKEEL_SECRETS_KEYS. "
            "Put the key that sealed it back, at the end of the list."
        ) from error
