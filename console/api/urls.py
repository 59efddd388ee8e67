"""Every address under /api/v1/ that is the kernel's, and the way to the others'."""

from django.urls import URLPattern, URLResolver, path

from console.api.views import hosts, log, meta, operations, tenants

app_name = "api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("openapi.json", meta.OpenApiJson.as_view(), name="openapi-json"),
    path("openapi.yaml", meta.OpenApiYaml.as_view(), name="openapi-yaml"),
    path("docs/", meta.docs, name="docs"),
    path("problem-types/", meta.ProblemTypeList.as_view(), name="problem-type-list"),
    path(
        "problem-types/<slug:code>/", meta.ProblemTypeDetail.as_view(), name="problem-type-detail"
    ),
    path("me/", tenants.Me.as_view(), name="me"),
    path("credentials/", hosts.CredentialList.as_view(), name="credential-list"),
    path("credentials/generate/", hosts.CredentialGenerate.as_view(), name="credential-generate"),
    path("credentials/<int:pk>/", hosts.CredentialDetail.as_view(), name="credential-detail"),
    path("hosts/", hosts.HostList.as_view(), name="host-list"),
    path("hosts/<int:pk>/", hosts.HostDetail.as_view(), name="host-detail"),
    path("hosts/<int:pk>/scan-key/", hosts.HostScanKey.as_view(), name="host-scan-key"),
    path("hosts/<int:pk>/accept-key/", hosts.HostAcceptKey.as_view(), name="host-accept-key"),
    path("hosts/<int:pk>/refuse-key/", hosts.HostRefuseKey.as_view(), name="host-refuse-key"),
    path("hosts/<int:pk>/preflight/", hosts.HostPreflight.as_view(), name="host-preflight"),
    path("operations/", operations.OperationList.as_view(), name="operation-list"),
    path("operations/<int:pk>/", operations.OperationDetail.as_view(), name="operation-detail"),
    path(
        "operations/<int:pk>/cancel/",
        operations.OperationCancel.as_view(),
        name="operation-cancel",
    ),
    path("operations/<int:pk>/retry/", operations.OperationRetry.as_view(), name="operation-retry"),
    path("alerts/", log.AlertList.as_view(), name="alert-list"),
    path("alerts/<int:pk>/", log.AlertDetail.as_view(), name="alert-detail"),
    path("alerts/<int:pk>/acknowledge/", log.AlertAcknowledge.as_view(), name="alert-acknowledge"),
    path("audit-events/", log.AuditEventList.as_view(), name="audit-event-list"),
    path("audit-events/<int:pk>/", log.AuditEventDetail.as_view(), name="audit-event-detail"),
    path("tenants/", tenants.TenantList.as_view(), name="tenant-list"),
    path("tenants/<int:pk>/", tenants.TenantDetail.as_view(), name="tenant-detail"),
    path("tenants/<int:pk>/members/", tenants.MemberList.as_view(), name="member-list"),
    path(
        "tenants/<int:pk>/members/<str:username>/",
        tenants.MemberDetail.as_view(),
        name="member-detail",
    ),
    path("tokens/", tenants.TokenList.as_view(), name="token-list"),
    path("tokens/<int:pk>/", tenants.TokenDetail.as_view(), name="token-detail"),
]
