"""The factories make rows that the models themselves accept."""

from __future__ import annotations

import pytest
from factory.django import DjangoModelFactory

from tests import factories
from tests.conftest import Cast

FACTORIES = [
    factories.TenantFactory,
    factories.CredentialFactory,
    factories.HostFactory,
    factories.DirectorFactory,
    factories.VirtualServiceFactory,
    factories.RealServerFactory,
]


@pytest.mark.django_db
@pytest.mark.parametrize("made_by", FACTORIES, ids=lambda made_by: made_by.__name__)
def test_factory_makes_a_valid_row(made_by: type[DjangoModelFactory]) -> None:
    made_by.create().full_clean()


def test_cast_has_the_roles_of_its_names(cast: Cast) -> None:
    assert cast.actor("alice").roles == {cast.tenant.pk: "owner"}
    assert cast.actor("ray").roles == {cast.tenant.pk: "viewer"}
    assert cast.actor("charlie").roles == {cast.other_tenant.pk: "owner"}
    assert cast.actor("auditor").staff_role == "auditor"


@pytest.mark.django_db
def test_rows_about_an_object_name_it_and_its_tenant() -> None:
    service = factories.VirtualServiceFactory.create(tenant=factories.TenantFactory.create())
    operation = factories.OperationFactory.create(target=service)
    alert = factories.AlertFactory.create(target=service)
    event = factories.AuditEventFactory.create(target=service)
    for row in (operation, alert, event):
        assert (row.target_type, row.target_id) == ("lvs.virtualservice", service.pk)
        assert row.tenant == service.tenant
