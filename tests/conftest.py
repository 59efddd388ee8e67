"""What all tests share: the cast, and clients that speak for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.core.cache import cache
from django.db import connections
from django.test import Client
from hypothesis import settings as property_settings
from rest_framework.test import APIClient

from console.access import Actor, actor_for
from console.models import Membership, StaffRole, Tenant
from tests import factories

# Speed is measured in bench/, never asserted in a test.
property_settings.register_profile("evenkeel", deadline=None)
property_settings.load_profile("evenkeel")


@pytest.fixture(scope="session")
def django_db_modify_db_settings(
    tmp_path_factory: pytest.TempPathFactory,
    django_db_modify_db_settings_parallel_suffix: None,  # a database for each worker
) -> None:
    """SQLite in a file, as in production: threads of a test then meet real locks."""
    default = connections["default"]
    if default.vendor == "sqlite":
        directory: Path = tmp_path_factory.mktemp("database")
        default.settings_dict["TEST"]["NAME"] = str(directory / "test.sqlite3")


@pytest.fixture(autouse=True)
def _empty_cache() -> None:
    """Rate limits and cached values of one test do not reach the next."""
    cache.clear()


@dataclass(frozen=True)
class Cast:
    """Everybody of the access matrix. `tenant` is alice's, bob's and ray's."""

    tenant: Tenant
    other_tenant: Tenant
    alice: User  # owner
    bob: User  # operator
    ray: User  # viewer
    charlie: User  # owner of the other tenant
    administrator: User
    operator: User
    auditor: User

    def actor(self, name: str, **known: Any) -> Actor:
        """The actor that one of them is."""
        return actor_for(getattr(self, name), **known)


@pytest.fixture
def cast(db: None) -> Cast:
    """Two tenants, their people, and one of each staff role."""
    tenant = factories.TenantFactory.create(name="harbour")
    other_tenant = factories.TenantFactory.create(name="elsewhere")

    def member(name: str, of: Tenant, role: Membership.Role) -> User:
        user = factories.UserFactory.create(username=name)
        factories.MembershipFactory.create(tenant=of, user=user, role=role)
        return user

    def staff(name: str, role: StaffRole.Role) -> User:
        user = factories.UserFactory.create(username=name)
        factories.StaffRoleFactory.create(user=user, role=role)
        return user

    return Cast(
        tenant=tenant,
        other_tenant=other_tenant,
        alice=member("alice", tenant, Membership.Role.OWNER),
        bob=member("bob", tenant, Membership.Role.OPERATOR),
        ray=member("ray", tenant, Membership.Role.VIEWER),
        charlie=member("charlie", other_tenant, Membership.Role.OWNER),
        administrator=staff("administrator", StaffRole.Role.ADMINISTRATOR),
        operator=staff("operator", StaffRole.Role.OPERATOR),
        auditor=staff("auditor", StaffRole.Role.AUDITOR),
    )


@pytest.fixture
def browser(cast: Cast) -> Callable[[str], Client]:
    """`browser("alice")`: a client that is logged in; `browser("anonymous")`: one that is not."""

    def log_in(name: str) -> Client:
        client = Client()
        if name != "anonymous":
            client.force_login(
                getattr(cast, name), backend="django.contrib.auth.backends.ModelBackend"
            )
        return client

    return log_in


@pytest.fixture
def api(cast: Cast) -> Callable[..., APIClient]:
    """`api("alice")`: a program with a token of hers; `scopes=["read"]` narrows it."""

    def program(name: str = "administrator", scopes: list[str] | None = None) -> APIClient:
        client = APIClient()
        if name != "anonymous":
            _, secret = factories.token_of(
                getattr(cast, name), scopes=scopes or ["read", "operate", "admin"]
            )
            client.credentials(HTTP_AUTHORIZATION=f"Bearer {secret}")
        return client

    return program
