"""Machines and what the console logs in with."""

from __future__ import annotations

from rest_framework import serializers

from console.api.serializers.base import (
    OperationLink,
    RowSerializer,
    Strict,
    VisibleRelatedField,
)
from console.models import Credential, Host


class CredentialSerializer(RowSerializer):
    """A private key or a password. What is secret goes in and never comes out."""

    secret = serializers.CharField(write_only=True, trim_whitespace=False, max_length=32768)
    passphrase = serializers.CharField(
        write_only=True, trim_whitespace=False, max_length=1024, required=False, allow_blank=True
    )

    class Meta:
        model = Credential
        fields = [
            "id",
            "name",
            "kind",
            "secret",
            "passphrase",
            "public_key",
            "created_at",
            "updated_at",
            "version",
        ]
        read_only_fields = ["version"]
        extra_kwargs = {"kind": {"required": True}}


class NewKeySerializer(RowSerializer):
    """The name of a key pair that the console makes."""

    class Meta:
        model = Credential
        fields = ["name"]


class HostSerializer(RowSerializer):
    """An SSH endpoint, the key that it showed, and how it was last seen."""

    credential = VisibleRelatedField(queryset=Credential.objects.all())
    jump_host = VisibleRelatedField(queryset=Host.objects.all(), required=False, allow_null=True)
    operation = OperationLink()

    class Meta:
        model = Host
        fields = [
            "id",
            "name",
            "address",
            "port",
            "username",
            "credential",
            "jump_host",
            "notes",
            "trust",
            "fingerprint",
            "host_key",
            "offered_fingerprint",
            "offered_key",
            "pinned_at",
            "reach",
            "observed_at",
            "observed_error",
            "preflight_at",
            "created_at",
            "updated_at",
            "version",
            "operation",
        ]


class FingerprintSerializer(Strict):
    """The fingerprint that a person has compared with the machine's own."""

    fingerprint = serializers.CharField(max_length=128)


class PreflightSerializer(RowSerializer):
    """What the machine has and lacks, as of `preflight_at`."""

    class Meta:
        model = Host
        fields = ["preflight_at", "preflight"]
        read_only_fields = fields
