"""Machines and credentials."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from console.actions import credentials, hosts
from console.api import conditional
from console.api.serializers.hosts import (
    CredentialSerializer,
    FingerprintSerializer,
    HostSerializer,
    NewKeySerializer,
    PreflightSerializer,
)
from console.api.serializers.operations import OperationSerializer
from console.api.views.base import ApiView, DetailView, ListView, live_operation
from console.filters import CredentialFilter, HostFilter
from console.models import Credential, Host
from console.shell import require_somewhere

_SORTS = {"id": "id", "name": "name", "created_at": "created_at", "updated_at": "updated_at"}
_HOSTS = Host.objects.annotate(live_operation=live_operation("console.host"))


class CredentialList(ListView):
    """What the console logs in with."""

    queryset = Credential.objects.all()
    serializer_class = CredentialSerializer
    filterset_class = CredentialFilter
    sorts = _SORTS

    @extend_schema(responses={201: CredentialSerializer})
    def post(self, request: Request) -> Response:
        """Keep a private key or a password, sealed."""
        require_somewhere(self.actor, "credential.manage")
        credential = credentials.create_credential(self.actor, **self.checked())
        return self.created(credential, "api:credential-detail")


class CredentialGenerate(ApiView):
    """Keys that the console makes itself."""

    queryset = Credential.objects.all()
    serializer_class = CredentialSerializer

    @extend_schema(request=NewKeySerializer, responses={201: CredentialSerializer})
    def post(self, request: Request) -> Response:
        """Make an ed25519 key pair; put `public_key` into the machines' authorized_keys."""
        require_somewhere(self.actor, "credential.manage")
        credential = credentials.generate_credential(self.actor, **self.checked(NewKeySerializer))
        return self.created(credential, "api:credential-detail")


class CredentialDetail(DetailView):
    """One credential."""

    queryset = Credential.objects.all()
    serializer_class = CredentialSerializer

    def patch(self, request: Request, pk: int) -> Response:
        """Change it; every host that uses it logs in with the new one from then on."""
        credential = self.get_object()
        version = self.expected_version(credential)
        values = self.checked()
        credentials.update_credential(self.actor, credential, expected_version=version, **values)
        return self.answer(credential)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Forget one that no host uses."""
        credential = self.get_object()
        with conditional.unchanged(request, credential):
            credentials.delete_credential(self.actor, credential)
        return Response(status=204)


class HostList(ListView):
    """The machines that the console reaches over SSH."""

    queryset = _HOSTS
    serializer_class = HostSerializer
    filterset_class = HostFilter
    sorts = _SORTS

    @extend_schema(responses={201: HostSerializer})
    def post(self, request: Request) -> Response:
        """Declare a machine. Its host key is read at once, for you to compare and accept."""
        require_somewhere(self.actor, "host.manage")
        host, operation = hosts.create_host(self.actor, **self.checked())
        return self.created(host, "api:host-detail", operation)


class HostDetail(DetailView):
    """One machine."""

    queryset = _HOSTS
    serializer_class = HostSerializer

    def patch(self, request: Request, pk: int) -> Response:
        """Change it. Another address, port or jump host unpins its key."""
        host = self.get_object()
        version = self.expected_version(host)
        hosts.update_host(self.actor, host, expected_version=version, **self.checked())
        return self.answer(host)

    @extend_schema(responses={204: None})
    def delete(self, request: Request, pk: int) -> Response:
        """Forget a machine. Nothing is changed on it."""
        host = self.get_object()
        with conditional.unchanged(request, host):
            hosts.delete_host(self.actor, host)
        return Response(status=204)


class HostScanKey(ApiView):
    """The host key that the machine shows now."""

    queryset = _HOSTS
    serializer_class = OperationSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Read it, without logging in; it is then in `offered_key`."""
        return self.begun(hosts.request_key_scan(self.actor, self.get_object()))


class HostAcceptKey(ApiView):
    """The host key that waits for an answer: yes."""

    queryset = _HOSTS
    serializer_class = OperationSerializer

    @extend_schema(request=FingerprintSerializer, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Pin the offered key, whose fingerprint you have compared, and begin the preflight."""
        host = self.get_object()
        values = self.checked(FingerprintSerializer)
        return self.begun(hosts.accept_key(self.actor, host, **values))


class HostRefuseKey(ApiView):
    """The host key that waits for an answer: no."""

    queryset = _HOSTS
    serializer_class = HostSerializer

    @extend_schema(request=None, responses={200: HostSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Drop the offered key."""
        return self.answer(hosts.refuse_key(self.actor, self.get_object()))


class HostPreflight(DetailView):
    """What the machine has and lacks for each role."""

    queryset = Host.objects.all()
    serializer_class = PreflightSerializer

    @extend_schema(request=None, responses={202: OperationSerializer})
    def post(self, request: Request, pk: int) -> Response:
        """Look again."""
        return self.begun(hosts.request_preflight(self.actor, self.get_object()))
