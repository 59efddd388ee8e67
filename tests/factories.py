"""Rows for tests: valid by default, every field open to the caller.

They write straight to the database: a test that means a verb calls the verb. Write
`HostFactory.create(…)`, whose type is Host.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import factory
from django.contrib.auth.models import User
from django.utils import timezone
from factory.django import DjangoModelFactory

from console.models import (
    Alert,
    ApiToken,
    AuditEvent,
    Credential,
    Host,
    Membership,
    Operation,
    StaffRole,
    Step,
    Tenant,
)
from console.models.tokens import digest
from lvs.models import Director, ImportSource, RealServer, Revision, VirtualService
from lvs.models.directors import pack

#: What every user of the tests logs in with.
PASSWORD = "a long walk to the harbour"
#: A real ed25519 public key, and the fingerprint that OpenSSH gives it.
HOST_KEY = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIHBvZAH/v4PlN6gwR5MywcVPo24wlQV5j6ySOguOBupn"
FINGERPRINT = "SHA256:/N8/KNmnYK+wNdKb1cgPuTSx3UCq7J9UQw8BBGJ9UJ0"


class UserFactory(DjangoModelFactory[User]):
    """A person without any role; logs in with PASSWORD."""

    class Meta:
        model = User
        skip_postgeneration_save = True

    username = factory.Sequence(lambda n: f"user{n}")
    email = factory.LazyAttribute(lambda user: f"{user.username}@example.net")
    password = factory.django.Password(PASSWORD)


class TenantFactory(DjangoModelFactory[Tenant]):
    """A tenant without members."""

    class Meta:
        model = Tenant

    name = factory.Sequence(lambda n: f"tenant{n}")


class MembershipFactory(DjangoModelFactory[Membership]):
    """One person in one tenant, a viewer unless said otherwise."""

    class Meta:
        model = Membership

    tenant = factory.SubFactory(TenantFactory)
    user = factory.SubFactory(UserFactory)
    role = Membership.Role.VIEWER


class StaffRoleFactory(DjangoModelFactory[StaffRole]):
    """One of the operator's own staff, an administrator unless said otherwise."""

    class Meta:
        model = StaffRole

    user = factory.SubFactory(UserFactory)
    role = StaffRole.Role.ADMINISTRATOR


class CredentialFactory(DjangoModelFactory[Credential]):
    """A password credential."""

    class Meta:
        model = Credential

    name = factory.Sequence(lambda n: f"credential{n}")
    kind = Credential.Kind.PASSWORD
    secret = "s3cret-of-the-machine"


class HostFactory(DjangoModelFactory[Host]):
    """A host whose key is pinned and that was seen just now."""

    class Meta:
        model = Host

    name = factory.Sequence(lambda n: f"host{n}")
    address = factory.Sequence(lambda n: f"192.0.2.{n % 250 + 1}")
    credential = factory.SubFactory(CredentialFactory)
    trust = Host.Trust.PINNED
    host_key = HOST_KEY
    fingerprint = FINGERPRINT
    pinned_at = factory.LazyFunction(timezone.now)
    reach = Host.Reach.REACHABLE
    observed_at = factory.LazyFunction(timezone.now)


class OperationFactory(DjangoModelFactory[Operation]):
    """A queued preflight of a host of its own; pass `target` for another object."""

    class Meta:
        model = Operation
        exclude = ("target",)

    target = factory.SubFactory(HostFactory)
    kind = "host.preflight"
    target_type = factory.LazyAttribute(lambda row: row.target._meta.label_lower)
    target_id = factory.LazyAttribute(lambda row: row.target.pk)
    target_label = factory.LazyAttribute(lambda row: str(row.target))
    tenant = factory.LazyAttribute(lambda row: getattr(row.target, "tenant", None))
    requested_by_label = "somebody"
    deadline_at = factory.LazyFunction(lambda: timezone.now() + timedelta(minutes=15))


class StepFactory(DjangoModelFactory[Step]):
    """A step that ran `true` and succeeded."""

    class Meta:
        model = Step

    operation = factory.SubFactory(OperationFactory)
    attempt = 1
    position = factory.Sequence(lambda n: n + 1)
    title = "Look"
    machine = "host1"
    command = "true"
    status = Step.Status.SUCCEEDED
    exit_code = 0
    stdout = "what the machine said"
    seconds = 0.01


class AlertFactory(DjangoModelFactory[Alert]):
    """An open alert: a host of its own cannot be reached; pass `target` for another object."""

    class Meta:
        model = Alert
        exclude = ("target",)

    target = factory.SubFactory(HostFactory)
    kind = "host-unreachable"
    severity = Alert.Severity.WARNING
    target_type = factory.LazyAttribute(lambda row: row.target._meta.label_lower)
    target_id = factory.LazyAttribute(lambda row: row.target.pk)
    target_label = factory.LazyAttribute(lambda row: str(row.target))
    tenant = factory.LazyAttribute(lambda row: getattr(row.target, "tenant", None))
    fingerprint = factory.LazyAttribute(lambda row: f"{row.kind}:{row.target_type}:{row.target_id}")
    params = factory.LazyAttribute(
        lambda row: {"target": row.target_label, "error": "no route to host"}
    )


class AuditEventFactory(DjangoModelFactory[AuditEvent]):
    """Somebody created a host; pass `target` for another object."""

    class Meta:
        model = AuditEvent
        exclude = ("target",)

    target = factory.SubFactory(HostFactory)
    actor_label = "somebody"
    via = "browser"
    verb = "host.create"
    target_type = factory.LazyAttribute(lambda row: row.target._meta.label_lower)
    target_id = factory.LazyAttribute(lambda row: row.target.pk)
    target_label = factory.LazyAttribute(lambda row: str(row.target))
    tenant = factory.LazyAttribute(lambda row: getattr(row.target, "tenant", None))


class ApiTokenFactory(DjangoModelFactory[ApiToken]):
    """A token with every scope, whose secret is not known; see `token_of()`."""

    class Meta:
        model = ApiToken

    user = factory.SubFactory(UserFactory)
    name = factory.Sequence(lambda n: f"token{n}")
    scopes = factory.LazyFunction(lambda: ["read", "operate", "admin"])

    prefix = "evk_00000000"
    digest = factory.Sequence(lambda n: digest(f"evk_{n}"))


def token_of(user: User, **fields: Any) -> tuple[ApiToken, str]:
    """A token of that user, and the secret that a program sends."""
    token = ApiTokenFactory.build(user=user, **fields)
    secret = token.set_new_secret()
    token.save()
    return token, secret


class DirectorFactory(DjangoModelFactory[Director]):
    """A director on a host of its own, with an empty table that was seen just now."""

    class Meta:
        model = Director

    host = factory.SubFactory(HostFactory)
    vip_interface = "eth0"
    observed_at = factory.LazyFunction(timezone.now)


class VirtualServiceFactory(DjangoModelFactory[VirtualService]):
    """A TCP service of the operator's own, without real servers, not applied yet."""

    class Meta:
        model = VirtualService

    director = factory.SubFactory(DirectorFactory)
    name = factory.Sequence(lambda n: f"service{n}")
    vip = factory.Sequence(lambda n: f"198.51.{n // 250}.{n % 250 + 1}")
    port = 80


class RealServerFactory(DjangoModelFactory[RealServer]):
    """A real server of weight 1."""

    class Meta:
        model = RealServer

    virtual_service = factory.SubFactory(VirtualServiceFactory)
    rip = factory.Sequence(lambda n: f"10.1.{n // 250}.{n % 250 + 1}")
    port = 8080


class ImportSourceFactory(DjangoModelFactory[ImportSource]):
    """A keepalived.conf that was given for a director."""

    class Meta:
        model = ImportSource

    director = factory.SubFactory(DirectorFactory)
    kind = "file"
    name = "keepalived.conf"
    content = ImportSource.packed("virtual_server 198.51.100.9 80 {\n    protocol TCP\n}\n")
    taken_at = factory.LazyFunction(timezone.now)


class RevisionFactory(DjangoModelFactory[Revision]):
    """The first applied state of a director: nothing was declared."""

    class Meta:
        model = Revision

    number = 1
    applied_by = "somebody"
    is_whole = True
    content = pack('{"own": {}, "services": {}}')
