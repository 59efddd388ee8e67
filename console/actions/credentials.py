"""Verbs for what the console logs in with."""

from __future__ import annotations

from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from django.core.exceptions import ValidationError
from django.db import transaction
from django.utils.translation import gettext as _

from console import changes
from console.access import Actor, require
from console.errors import WrongState
from console.models import Credential
from console.remote.keys import check_private_key


def create_credential(
    actor: Actor, *, name: str, kind: str, secret: str, passphrase: str = ""
) -> Credential:
    """Keep a private key or a password. Raises ValidationError on "secret" or "passphrase"."""
    require(actor, "credential.manage")
    credential = Credential(name=name, kind=kind, secret=secret, passphrase=passphrase)
    _inspect(credential)
    return changes.create(actor, "credential.create", credential)


def generate_credential(actor: Actor, *, name: str) -> Credential:
    """Make an ed25519 key pair. The public half is for the machines' authorized_keys."""
    require(actor, "credential.manage")
    credential = Credential(name=name, kind=Credential.Kind.KEY, secret=_new_key())
    _inspect(credential)
    return changes.create(actor, "credential.create", credential)


def update_credential(
    actor: Actor, credential: Credential, *, expected_version: int | None = None, **values: Any
) -> Credential:
    """Change a credential; every host that uses it logs in with the new one from then on."""
    require(actor, "credential.manage", credential)
    with transaction.atomic():
        changed = changes.update(actor, "credential.update", credential, values, expected_version)
        if {"secret", "passphrase", "kind"} & changed.keys():
            _inspect(credential)
            credential.save()
    return credential


def delete_credential(actor: Actor, credential: Credential) -> None:
    """Forget a credential that no host uses."""
    require(actor, "credential.manage", credential)
    with transaction.atomic():
        users = list(credential.hosts.values_list("name", flat=True)[:5])
        if users:
            raise WrongState(
                _("Hosts still log in with it: %(hosts)s.") % {"hosts": ", ".join(users)}
            )
        changes.delete(actor, "credential.delete", credential)


def _inspect(credential: Credential) -> None:
    """See that a private key opens, and keep its public half."""
    if credential.kind != Credential.Kind.KEY:
        credential.public_key = ""
        if "\n" in credential.secret or "\r" in credential.secret:
            raise ValidationError(
                {"secret": ValidationError(_("A password has one line."), code="invalid_password")}
            )
        return
    if not credential.secret:
        return  # full_clean says that it is required
    try:
        credential.public_key = check_private_key(credential.secret, credential.passphrase)
    except ValueError as error:
        raise ValidationError(
            {"secret": ValidationError(str(error), code="invalid_key")}
        ) from error


def _new_key() -> str:
    """A fresh ed25519 private key in OpenSSH's own form."""
    return (
        Ed25519PrivateKey.generate()
        .private_bytes(Encoding.PEM, PrivateFormat.OpenSSH, NoEncryption())
        .decode()
    )
