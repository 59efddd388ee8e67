"""The addresses of load balancing, under load-balancing/."""

from __future__ import annotations

from django.urls import path

from lvs.views import (
    bulk,
    cascades,
    connections,
    directors,
    editing,
    importing,
    moving,
    pools,
    prepared,
    real_servers,
    revisions,
    settings,
    unmanaged,
    virtual_services,
)

urlpatterns = [
    path("virtual-services/<int:pk>/move/", moving.service_move, name="virtual-service-move"),
    path("prepared-machines/", prepared.prepared_servers, name="prepared-servers"),
    path("prepared-machines/<int:pk>/", prepared.prepared_server, name="prepared-server"),
    path(
        "prepared-machines/<int:pk>/prepare/",
        prepared.prepared_server_prepare,
        name="prepared-server-prepare",
    ),
    path(
        "real-servers/<int:pk>/prepare/", prepared.real_server_prepare, name="real-server-prepare"
    ),
    path("real-servers/<int:pk>/link/", prepared.real_server_link, name="real-server-link"),
    path("directors/", directors.directors, name="directors"),
    path("directors/new/", directors.director_add, name="director-add"),
    path("directors/<int:pk>/", directors.director, name="director"),
    path("directors/<int:pk>/edit/", directors.director_edit, name="director-edit"),
    path("directors/<int:pk>/delete/", directors.director_delete, name="director-delete"),
    path("directors/<int:pk>/observe/", directors.director_observe, name="director-observe"),
    path("directors/<int:pk>/apply/", directors.director_apply, name="director-apply"),
    path("directors/<int:pk>/connections/", connections.connections, name="director-connections"),
    path("directors/<int:pk>/import/", importing.director_import, name="director-import"),
    path(
        "directors/<int:pk>/import/look/",
        importing.director_import_look,
        name="director-import-look",
    ),
    path(
        "directors/<int:pk>/import/file/",
        importing.director_import_file,
        name="director-import-file",
    ),
    path(
        "directors/<int:pk>/import/declare/",
        importing.director_import_declare,
        name="director-import-declare",
    ),
    path("directors/<int:pk>/settings/", settings.director_settings, name="director-settings"),
    path("directors/<int:pk>/configure/", settings.director_configure, name="director-configure"),
    path(
        "directors/<int:pk>/under-attack/",
        settings.director_under_attack,
        name="director-under-attack",
    ),
    path("directors/<int:pk>/unmanaged/", unmanaged.unmanaged, name="director-unmanaged"),
    path("directors/<int:pk>/adopt/", unmanaged.adopt, name="director-adopt"),
    path("directors/<int:pk>/history/", revisions.revisions, name="director-revisions"),
    path("directors/<int:pk>/history/<int:number>/", revisions.revision, name="director-revision"),
    path(
        "directors/<int:pk>/history/<int:number>/go-back/",
        revisions.go_back,
        name="director-go-back",
    ),
    path(
        "directors/<int:pk>/remove-unmanaged/",
        unmanaged.remove_unmanaged,
        name="director-remove-unmanaged",
    ),
    path("virtual-services/", virtual_services.virtual_services, name="virtual-services"),
    path("virtual-services/new/", editing.service_add, name="virtual-service-add"),
    path("virtual-services/review/", bulk.review, name="virtual-services-review"),
    path("virtual-services/apply/", bulk.apply_several, name="virtual-services-apply"),
    path("virtual-services/remove/", bulk.remove_several, name="virtual-services-remove"),
    path("virtual-services/<int:pk>/", virtual_services.virtual_service, name="virtual-service"),
    path("virtual-services/<int:pk>/edit/", editing.service_edit, name="virtual-service-edit"),
    path(
        "virtual-services/<int:pk>/apply/",
        virtual_services.service_apply,
        name="virtual-service-apply",
    ),
    path("virtual-services/<int:pk>/cascade/", cascades.cascade, name="virtual-service-cascade"),
    path(
        "virtual-services/<int:pk>/cascade/apply/",
        cascades.cascade_apply,
        name="virtual-service-cascade-apply",
    ),
    path(
        "virtual-services/<int:pk>/cascade/remove/",
        cascades.cascade_remove,
        name="virtual-service-cascade-remove",
    ),
    path(
        "virtual-services/<int:pk>/prove/",
        virtual_services.service_prove,
        name="virtual-service-prove",
    ),
    path(
        "virtual-services/<int:pk>/remove/",
        virtual_services.service_remove,
        name="virtual-service-remove",
    ),
    path(
        "virtual-services/<int:pk>/keep/",
        virtual_services.service_keep,
        name="virtual-service-keep",
    ),
    path("virtual-services/<int:pk>/flip/", pools.flip, name="virtual-service-flip"),
    path(
        "virtual-services/<int:pk>/real-servers/new/",
        real_servers.real_server_add,
        name="real-server-add",
    ),
    path("real-servers/<int:pk>/edit/", real_servers.real_server_edit, name="real-server-edit"),
    path(
        "real-servers/<int:pk>/weight/",
        real_servers.real_server_weight,
        name="real-server-weight",
    ),
    path(
        "real-servers/<int:pk>/drain/",
        real_servers.real_server_drain,
        name="real-server-drain",
    ),
    path(
        "real-servers/<int:pk>/remove/",
        real_servers.real_server_remove,
        name="real-server-remove",
    ),
]
