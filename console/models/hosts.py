"""Machines: how to reach them, whose key they showed, and how they were last seen."""

from __future__ import annotations

import re
from ipaddress import ip_address
from typing import TYPE_CHECKING

from django.conf import settings
from django.core.exceptions import ValidationError
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.utils.translation import gettext_lazy as _

from console.models.fields import EncryptedTextField, NameField, StampedModel
from console.remote.transport import Endpoint

if TYPE_CHECKING:
    from console.access import Actor

#: More jumps than this are a loop or a mistake.
MAX_JUMPS = 3

_host_name = re.compile(
    r"(?=.{1,253}\Z)[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
    r"(\.[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?)*\.?"
)


def address_validator(value: str) -> None:
    """A host name (RFC 1123) or an IP address, and nothing around it."""
    try:
        ip_address(value)
    except ValueError:
        looks_numeric = re.fullmatch(r"[0-9.]+", value)
        if looks_numeric or not _host_name.fullmatch(value):
            raise ValidationError(
                _("Give a host name or an IP address, without port and without blanks."),
                code="invalid_address",
            ) from None


username_validator = RegexValidator(
    r"\A[a-z_][a-z0-9_-]{0,31}\Z",
    _("Give a Unix user name: lower-case letters, digits, dash and underscore."),
    code="invalid_username",
)


class CredentialQuerySet(models.QuerySet["Credential"]):
    def visible_to(self, actor: Actor) -> CredentialQuerySet:
        """Credentials are the operator's own; nobody is shown their secrets."""
        return self if actor.can("credential.view") else self.none()


class Credential(StampedModel):
    """What the console logs in with: a private key or a password, sealed at rest."""

    class Kind(models.TextChoices):
        KEY = "key", _("Private key")
        PASSWORD = "password", _("Password")

    name = NameField(_("name"), unique=True)
    kind = models.CharField(_("kind"), max_length=16, choices=Kind, default=Kind.KEY)
    secret = EncryptedTextField(_("secret"), max_length=32768)
    passphrase = EncryptedTextField(_("passphrase"), blank=True, max_length=1024)
    #: The public half of a key, for `authorized_keys`; never secret.
    public_key = models.TextField(_("public key"), blank=True, editable=False)

    objects = CredentialQuerySet.as_manager()

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


class HostQuerySet(models.QuerySet["Host"]):
    def visible_to(self, actor: Actor) -> HostQuerySet:
        """Hosts are the operator's own: staff sees all of them, nobody else any."""
        return self if actor.can("host.view") else self.none()


class Host(StampedModel):
    """An SSH endpoint with a pinned host key."""

    class Trust(models.TextChoices):
        UNPINNED = "unpinned", _("Key not accepted yet")
        PINNED = "pinned", _("Key accepted")
        CHANGED = "changed", _("Key changed")

    class Reach(models.TextChoices):
        UNKNOWN = "unknown", _("Never seen")
        REACHABLE = "reachable", _("Reachable")
        UNREACHABLE = "unreachable", _("Unreachable")

    name = NameField(_("name"), unique=True)
    address = models.CharField(_("address"), max_length=253, validators=[address_validator])
    port = models.PositiveIntegerField(
        _("port"), default=22, validators=[MinValueValidator(1), MaxValueValidator(65535)]
    )
    username = models.CharField(
        _("user"), max_length=32, default="root", validators=[username_validator]
    )
    credential = models.ForeignKey(
        Credential, on_delete=models.PROTECT, related_name="hosts", verbose_name=_("credential")
    )
    jump_host = models.ForeignKey(
        "self",
        on_delete=models.PROTECT,
        null=True,
        blank=True,
        related_name="reached_hosts",
        verbose_name=_("jump host"),
    )
    notes = models.TextField(_("notes"), blank=True, max_length=4000)

    trust = models.CharField(max_length=16, choices=Trust, default=Trust.UNPINNED, editable=False)
    #: The pinned key as OpenSSH writes it: "ssh-ed25519 AAAA…".
    host_key = models.TextField(blank=True, editable=False)
    #: The key that the machine showed last and that nobody has accepted.
    offered_key = models.TextField(blank=True, editable=False)
    offered_fingerprint = models.CharField(max_length=128, blank=True, editable=False)
    fingerprint = models.CharField(max_length=128, blank=True, editable=False)
    pinned_at = models.DateTimeField(null=True, editable=False)
    pinned_by = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        on_delete=models.SET_NULL,
        null=True,
        editable=False,
        related_name="+",
    )

    reach = models.CharField(max_length=16, choices=Reach, default=Reach.UNKNOWN, editable=False)
    observed_at = models.DateTimeField(null=True, editable=False)
    observed_error = models.TextField(blank=True, editable=False)
    #: The last preflight: {"facts": {...}, "findings": [...]}, see `console.preflight`.
    preflight = models.JSONField(default=dict, editable=False)
    preflight_at = models.DateTimeField(null=True, editable=False)

    objects = HostQuerySet.as_manager()

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=~models.Q(trust="pinned") | ~models.Q(host_key=""),
                name="pinned_host_has_key",
            )
        ]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        """Refuse a jump that leads back here or through more than MAX_JUMPS machines."""
        seen, jump = 0, self.jump_host
        while jump is not None:
            seen += 1
            if jump.pk == self.pk and self.pk is not None:
                raise ValidationError(
                    {
                        "jump_host": ValidationError(
                            _("A host cannot be reached through itself."), code="jump_loop"
                        )
                    }
                )
            if seen > MAX_JUMPS:
                raise ValidationError(
                    {
                        "jump_host": ValidationError(
                            _("At most %(limit)d jumps are allowed."),
                            code="too_many_jumps",
                            params={"limit": MAX_JUMPS},
                        )
                    }
                )
            jump = jump.jump_host

    def endpoint(self) -> Endpoint:
        """How to reach this host, with its secret: for workers only."""
        return Endpoint(
            name=self.name,
            address=self.address,
            port=self.port,
            username=self.username,
            secret_kind=self.credential.kind,
            secret=self.credential.secret,
            passphrase=self.credential.passphrase,
            host_key=self.host_key if self.trust == self.Trust.PINNED else "",
            via=self.jump_host.endpoint() if self.jump_host else None,
        )
