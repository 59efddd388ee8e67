"""Every address under /api/v1/lvs/."""

from django.urls import URLPattern, URLResolver, path

from lvs.api.views import (
    advice,
    cascades,
    directors,
    importing,
    metrics,
    moving,
    prepared,
    proofs,
    revisions,
    settings,
    virtual_services,
)

app_name = "lvs-api"

urlpatterns: list[URLPattern | URLResolver] = [
    path("directors/", directors.DirectorList.as_view(), name="director-list"),
    path("directors/<int:pk>/", directors.DirectorDetail.as_view(), name="director-detail"),
    path(
        "directors/<int:pk>/observe/", directors.DirectorObserve.as_view(), name="director-observe"
    ),
    path("directors/<int:pk>/apply/", directors.DirectorApply.as_view(), name="director-apply"),
    path(
        "directors/<int:pk>/planned-changes/",
        directors.DirectorPlannedChanges.as_view(),
        name="director-planned-changes",
    ),
    path(
        "directors/<int:pk>/unmanaged/",
        directors.DirectorUnmanaged.as_view(),
        name="director-unmanaged",
    ),
    path("directors/<int:pk>/import/", importing.DirectorImport.as_view(), name="director-import"),
    path(
        "directors/<int:pk>/revisions/",
        revisions.RevisionList.as_view(),
        name="director-revision-list",
    ),
    path(
        "directors/<int:pk>/revisions/<int:number>/",
        revisions.RevisionDetail.as_view(),
        name="director-revision-detail",
    ),
    path(
        "directors/<int:pk>/revisions/<int:number>/compare/",
        revisions.RevisionComparison.as_view(),
        name="director-revision-compare",
    ),
    path(
        "directors/<int:pk>/revisions/<int:number>/go-back/",
        revisions.RevisionGoBack.as_view(),
        name="director-revision-go-back",
    ),
    path(
        "directors/<int:pk>/settings/",
        settings.DirectorSettings.as_view(),
        name="director-settings",
    ),
    path(
        "directors/<int:pk>/configure/",
        settings.DirectorConfigure.as_view(),
        name="director-configure",
    ),
    path(
        "directors/<int:pk>/under-attack/",
        settings.DirectorUnderAttack.as_view(),
        name="director-under-attack",
    ),
    path("directors/<int:pk>/adopt/", directors.DirectorAdopt.as_view(), name="director-adopt"),
    path(
        "directors/<int:pk>/remove-unmanaged/",
        directors.DirectorRemoveUnmanaged.as_view(),
        name="director-remove-unmanaged",
    ),
    path(
        "virtual-services/",
        virtual_services.VirtualServiceList.as_view(),
        name="virtual-service-list",
    ),
    path(
        "virtual-services/<int:pk>/",
        virtual_services.VirtualServiceDetail.as_view(),
        name="virtual-service-detail",
    ),
    path(
        "virtual-services/<int:pk>/keep/",
        virtual_services.VirtualServiceKeep.as_view(),
        name="virtual-service-keep",
    ),
    path(
        "virtual-services/<int:pk>/flip/",
        virtual_services.VirtualServiceFlip.as_view(),
        name="virtual-service-flip",
    ),
    path(
        "virtual-services/<int:pk>/prove/",
        virtual_services.VirtualServiceProve.as_view(),
        name="virtual-service-prove",
    ),
    path(
        "virtual-services/<int:pk>/planned-changes/",
        virtual_services.VirtualServicePlannedChanges.as_view(),
        name="virtual-service-planned-changes",
    ),
    path(
        "virtual-services/<int:pk>/problems/",
        virtual_services.VirtualServiceProblems.as_view(),
        name="virtual-service-problems",
    ),
    path("cascades/", cascades.CascadeList.as_view(), name="cascade-list"),
    path(
        "virtual-services/<int:pk>/cascade/",
        cascades.CascadeOfService.as_view(),
        name="virtual-service-cascade",
    ),
    path(
        "virtual-services/<int:pk>/cascade/apply/",
        cascades.CascadeApply.as_view(),
        name="virtual-service-cascade-apply",
    ),
    path(
        "virtual-services/<int:pk>/advice/",
        advice.VirtualServiceAdvice.as_view(),
        name="virtual-service-advice",
    ),
    path("directors/<int:pk>/advice/", advice.DirectorAdvice.as_view(), name="director-advice"),
    path(
        "virtual-services/<int:pk>/real-servers/",
        virtual_services.RealServersOfService.as_view(),
        name="virtual-service-real-server-list",
    ),
    path(
        "directors/<int:pk>/connections/",
        metrics.DirectorConnections.as_view(),
        name="director-connections",
    ),
    path("directors/<int:pk>/metrics/", metrics.DirectorMetrics.as_view(), name="director-metrics"),
    path(
        "virtual-services/<int:pk>/metrics/",
        metrics.VirtualServiceMetrics.as_view(),
        name="virtual-service-metrics",
    ),
    path(
        "real-servers/<int:pk>/metrics/",
        metrics.RealServerMetrics.as_view(),
        name="real-server-metrics",
    ),
    path(
        "virtual-services/<int:pk>/move-forwarding/",
        moving.VirtualServiceMove.as_view(),
        name="virtual-service-move-forwarding",
    ),
    path("prepared-servers/", prepared.PreparedServerList.as_view(), name="prepared-server-list"),
    path(
        "prepared-servers/<int:pk>/",
        prepared.PreparedServerDetail.as_view(),
        name="prepared-server-detail",
    ),
    path(
        "prepared-servers/<int:pk>/prepare/",
        prepared.PreparedServerPrepare.as_view(),
        name="prepared-server-prepare",
    ),
    path(
        "real-servers/<int:pk>/preparation/",
        prepared.RealServerPreparation.as_view(),
        name="real-server-preparation",
    ),
    path("real-servers/", virtual_services.RealServerList.as_view(), name="real-server-list"),
    path(
        "real-servers/<int:pk>/",
        virtual_services.RealServerDetail.as_view(),
        name="real-server-detail",
    ),
    path(
        "real-servers/<int:pk>/drain/",
        proofs.RealServerDrain.as_view(),
        name="real-server-drain",
    ),
    path(
        "virtual-services/<int:pk>/proof/",
        proofs.VirtualServiceProof.as_view(),
        name="virtual-service-proof",
    ),
]
