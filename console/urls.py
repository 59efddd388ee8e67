"""Every address of the console. The access matrix in tests/access walks this file."""

from __future__ import annotations

from django.contrib.auth.decorators import login_not_required
from django.urls import URLPattern, URLResolver, include, path, re_path
from django.views.i18n import set_language

from console.api.views.meta import NoSuchAddress
from console.views import (
    alerts,
    audit,
    credentials,
    dashboard,
    health,
    hosts,
    operations,
    preferences,
    runbook,
    search,
    tenants,
    tokens,
)

urlpatterns: list[URLPattern | URLResolver] = [
    path("", dashboard.dashboard, name="dashboard"),
    path("search/", search.search, name="search"),
    path("palette/", search.palette, name="palette"),
    path("runbook/", runbook.runbook, name="runbook"),
    path("theme/", preferences.theme, name="theme"),
    path("language/", login_not_required(set_language), name="set_language"),
    path("healthz", health.healthz, name="healthz"),
    path("metrics", health.metrics, name="metrics"),
    path("alerts/", alerts.alerts, name="alerts"),
    path("alerts/acknowledge/", alerts.acknowledge_several, name="alerts-acknowledge"),
    path("alerts/<int:pk>/", alerts.alert, name="alert"),
    path("alerts/<int:pk>/acknowledge/", alerts.acknowledge, name="alert-acknowledge"),
    path("operations/", operations.operations, name="operations"),
    path("operations/ended/", operations.ended, name="operations-ended"),
    path("operations/<int:pk>/", operations.operation, name="operation"),
    path("operations/<int:pk>/cancel/", operations.cancel, name="operation-cancel"),
    path("operations/<int:pk>/retry/", operations.retry, name="operation-retry"),
    path("hosts/", hosts.hosts, name="hosts"),
    path("hosts/new/", hosts.host_add, name="host-add"),
    path("hosts/<int:pk>/", hosts.host, name="host"),
    path("hosts/<int:pk>/edit/", hosts.host_edit, name="host-edit"),
    path("hosts/<int:pk>/delete/", hosts.host_delete, name="host-delete"),
    path("hosts/<int:pk>/scan-key/", hosts.host_scan_key, name="host-scan-key"),
    path("hosts/<int:pk>/accept-key/", hosts.host_accept_key, name="host-accept-key"),
    path("hosts/<int:pk>/refuse-key/", hosts.host_refuse_key, name="host-refuse-key"),
    path("hosts/<int:pk>/preflight/", hosts.host_preflight, name="host-preflight"),
    path("credentials/", credentials.credentials, name="credentials"),
    path("credentials/new/", credentials.credential_add, name="credential-add"),
    path("credentials/generate/", credentials.credential_generate, name="credential-generate"),
    path("credentials/<int:pk>/", credentials.credential, name="credential"),
    path("credentials/<int:pk>/edit/", credentials.credential_edit, name="credential-edit"),
    path("credentials/<int:pk>/delete/", credentials.credential_delete, name="credential-delete"),
    path("tenants/", tenants.tenants, name="tenants"),
    path("tenants/new/", tenants.tenant_add, name="tenant-add"),
    path("tenants/<int:pk>/", tenants.tenant, name="tenant"),
    path("tenants/<int:pk>/edit/", tenants.tenant_edit, name="tenant-edit"),
    path("tenants/<int:pk>/members/", tenants.member_set, name="member-set"),
    path(
        "tenants/<int:pk>/members/<int:user_pk>/remove/",
        tenants.member_remove,
        name="member-remove",
    ),
    path("tokens/", tokens.tokens, name="tokens"),
    path("tokens/new/", tokens.token_add, name="token-add"),
    path("tokens/<int:pk>/revoke/", tokens.token_revoke, name="token-revoke"),
    path("audit/", audit.audit, name="audit"),
    path("load-balancing/", include("lvs.urls")),
    path("accounts/", include("allauth.urls")),
    path("api/v1/", include("console.api.urls")),
    path("api/v1/lvs/", include("lvs.api.urls")),
    re_path(r"^api/", NoSuchAddress.as_view(), name="no-such-address"),
]
