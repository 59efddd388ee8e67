"""Filters of the lists of load balancing: the same names in pages and API."""

from __future__ import annotations

from ipaddress import ip_address

import django_filters
from django import forms
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.utils.translation import gettext_lazy as _

from console.filters import FlagFilter, IntegerFilter, ListFilter
from lvs.models import (
    Director,
    PreparedServer,
    RealServer,
    Revision,
    ServiceAddress,
    VirtualService,
)
from lvs.models.directors import Provisioning
from lvs.models.virtual_services import Forwarding


class AddressFilter(django_filters.Filter):
    """An IPv4 or IPv6 address in any of its spellings."""

    field_class = forms.GenericIPAddressField


def _canonical(word: str) -> str:
    """An address as the database spells it; any other word as it is."""
    try:
        return str(ip_address(word.strip("[]")))
    except ValueError:
        return word


class DirectorFilter(ListFilter):
    searched = ("host__name", "host__address")

    policy = django_filters.ChoiceFilter(choices=Director.Policy.choices, label=_("Policy"))
    provisioning_status = django_filters.ChoiceFilter(
        choices=Provisioning.choices, label=_("Status")
    )
    has_drifted = FlagFilter(method="drifted", label=_("Drift"))

    class Meta:
        model = Director
        fields: list[str] = []

    def drifted(self, queryset: QuerySet[Director], name: str, value: bool) -> QuerySet[Director]:
        """Those that differ from what is declared, or those that do not."""
        return queryset.filter(drift_count__gt=0) if value else queryset.filter(drift_count=0)


class VirtualServiceFilter(ListFilter):
    """`q` finds a service by its name, a VIP, director, or the address of a real server."""

    searched = ("name", "vip", "director__host__name")

    director = IntegerFilter(field_name="director_id", label=_("Director"))
    tenant = IntegerFilter(field_name="tenant_id", label=_("Tenant"))
    protocol = django_filters.ChoiceFilter(
        choices=VirtualService.Protocol.choices, label=_("Protocol")
    )
    vip = AddressFilter(label=_("VIP"))
    port = IntegerFilter(label=_("Port"))
    matching = django_filters.ChoiceFilter(
        choices=VirtualService.Matching.choices, label=_("Matched by")
    )
    forwarding = django_filters.ChoiceFilter(
        choices=Forwarding.choices, label=_("Forwarding method")
    )
    provisioning_status = django_filters.ChoiceFilter(
        choices=Provisioning.choices, label=_("Status")
    )

    class Meta:
        model = VirtualService
        fields: list[str] = []

    def search(
        self, queryset: QuerySet[VirtualService], name: str, value: str
    ) -> QuerySet[VirtualService]:
        """Every word somewhere; addresses in whatever spelling."""
        for word in value.split():
            text = _canonical(word)
            servers = RealServer.objects.filter(virtual_service=OuterRef("pk"))
            networks = ServiceAddress.objects.filter(virtual_service=OuterRef("pk"))
            found = Q(Exists(servers.filter(rip__icontains=text)))
            found |= Q(Exists(networks.filter(network__icontains=text)))
            for path in self.searched:
                found |= Q(**{f"{path}__icontains": text})
            queryset = queryset.filter(found)
        return queryset


class RevisionFilter(ListFilter):
    """`q` finds applied states by who asked for them."""

    searched = ("applied_by",)

    class Meta:
        model = Revision
        fields: list[str] = []


class PreparedServerFilter(ListFilter):
    searched = ("host__name", "host__address")

    host = IntegerFilter(field_name="host_id", label=_("Machine"))
    status = django_filters.ChoiceFilter(choices=Provisioning.choices, label=_("Status"))

    class Meta:
        model = PreparedServer
        fields: list[str] = []


class RealServerFilter(ListFilter):
    searched = ("rip", "virtual_service__name")

    virtual_service = IntegerFilter(field_name="virtual_service_id", label=_("Virtual service"))
    director = IntegerFilter(field_name="virtual_service__director_id", label=_("Director"))
    rip = AddressFilter(label=_("Address"))
    port = IntegerFilter(label=_("Port"))

    class Meta:
        model = RealServer
        fields: list[str] = []
