"""One of everything, so that every address leads somewhere."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.utils import timezone

from console.models import (
    Alert,
    AuditEvent,
    Credential,
    Host,
    Operation,
    Tenant,
)
from lvs.models import Director, PreparedServer, RealServer, VirtualService
from tests import factories
from tests.conftest import Cast

#: An entry of the director's table that nobody has declared.
UNMANAGED = "tcp:198.51.100.77:80"


@dataclass(frozen=True)
class Scene:
    """What the requests are about. All that can have a tenant is the cast's first tenant's."""

    cast: Cast
    credential: Credential
    free_credential: Credential
    host: Host
    free_host: Host
    offering_host: Host
    director: Director
    free_director: Director
    service: VirtualService
    leaving: VirtualService
    server: RealServer
    prepared: PreparedServer
    prepared_rs: RealServer
    linkable: RealServer
    front: VirtualService
    back: VirtualService
    failed: Operation
    waiting: Operation
    alert: Alert
    event: AuditEvent
    tenant: Tenant

    def pk(self, about: str) -> Any:
        """The number of one of them; "token" and "user" belong to whoever asks."""
        return getattr(self, about).pk


def make_scene(cast: Cast) -> Scene:
    """Declared, observed, applied, failed and waiting things."""
    credential = factories.CredentialFactory.create()
    host = factories.HostFactory.create(credential=credential)
    director = factories.DirectorFactory.create(
        host=host, probe_host=factories.HostFactory.create(credential=credential)
    )
    director.set_observed_lines(["-A -t 198.51.100.77:80 -s rr"])
    director.save()
    factories.ImportSourceFactory.create(director=director)
    service = factories.VirtualServiceFactory.create(
        director=director,
        tenant=cast.tenant,
        name="harbour-web",
        applied_generation=1,
        vip="198.51.100.1",
    )
    leaving = factories.VirtualServiceFactory.create(
        director=director,
        tenant=cast.tenant,
        name="harbour-mail",
        removal_requested_at=timezone.now(),
        vip="198.51.100.2",
    )
    factories.RevisionFactory.create(director=director)
    prepared_host = factories.HostFactory.create(credential=credential)
    holds = {"name": "eth0", "addresses": [{"ip": "10.1.8.8", "prefix": 24}]}
    factories.HostFactory.create(
        credential=credential, preflight={"facts": {"network": {"interfaces": [holds]}}}
    )
    front, back = make_cascade(cast, director)
    return Scene(
        cast=cast,
        credential=credential,
        free_credential=factories.CredentialFactory.create(),
        host=host,
        free_host=factories.HostFactory.create(credential=credential),
        offering_host=factories.HostFactory.create(
            credential=credential,
            trust=Host.Trust.UNPINNED,
            host_key="",
            offered_key=factories.HOST_KEY,
            offered_fingerprint=factories.FINGERPRINT,
        ),
        director=director,
        free_director=factories.DirectorFactory.create(),
        service=service,
        leaving=leaving,
        server=factories.RealServerFactory.create(virtual_service=service),
        prepared=PreparedServer.objects.create(host=prepared_host),
        linkable=factories.RealServerFactory.create(virtual_service=service, rip="10.1.8.8"),
        prepared_rs=factories.RealServerFactory.create(virtual_service=service, host=prepared_host),
        front=front,
        back=back,
        failed=factories.OperationFactory.create(
            kind="virtual_service.prove", target=service, status=Operation.Status.FAILED
        ),
        waiting=factories.OperationFactory.create(
            kind="virtual_service.prove", target=leaving, status=Operation.Status.QUEUED
        ),
        alert=factories.AlertFactory.create(target=service),
        event=factories.AuditEventFactory.create(target=service),
        tenant=cast.tenant,
    )


def make_cascade(cast: Cast, director: Director) -> tuple[VirtualService, VirtualService]:
    """A front of the tenant's by DR, and the service of the director behind it."""
    behind = factories.DirectorFactory.create()
    shared = {"tenant": cast.tenant, "vip": "198.51.100.3", "applied_generation": 1}
    front = factories.VirtualServiceFactory.create(
        director=director, name="harbour-front", forwarding="route", **shared
    )
    factories.RealServerFactory.create(
        virtual_service=front, rip=behind.host.address, port=80, host=behind.host
    )
    back = factories.VirtualServiceFactory.create(
        director=behind, name="harbour-back", is_vip_managed=False, **shared
    )
    return front, back
