"""The kinds of operations and alerts of load balancing."""

from django.utils.translation import gettext_lazy as _

from console import alerts, operations
from console.models import Alert

operations.register(
    operations.Kind(
        "director.apply", "lvs.tasks.apply_director", _("Apply"), "virtual_service.manage"
    )
)
operations.register(
    operations.Kind(
        "director.configure",
        "lvs.tasks.configure_director",
        _("Apply settings"),
        "director.manage",
        deadline=300,
    )
)
operations.register(
    operations.Kind(
        "cascade.apply",
        "lvs.tasks.apply_cascade",
        _("Apply a cascade"),
        "virtual_service.manage",
        deadline=1800,
    )
)
operations.register(
    operations.Kind(
        "director.observe",
        "lvs.tasks.observe_director",
        _("Observe"),
        "director.apply",
        deadline=300,
    )
)
operations.register(
    operations.Kind(
        "director.connections",
        "lvs.tasks.search_connections",
        _("Search connections"),
        "director.apply",
        deadline=120,
    )
)
operations.register(
    operations.Kind(
        "director.survey",
        "lvs.tasks.survey_director",
        _("Read for import"),
        "director.apply",
        deadline=300,
    )
)
operations.register(
    operations.Kind(
        "director.release", "lvs.tasks.release_director", _("Release"), "director.manage"
    )
)
operations.register(
    operations.Kind(
        "director.remove_unmanaged",
        "lvs.tasks.remove_unmanaged",
        _("Remove unmanaged entry"),
        "director.apply",
    )
)
operations.register(
    operations.Kind(
        "virtual_service.prove",
        "lvs.tasks.prove_virtual_service",
        _("Prove it"),
        "virtual_service.prove",
        deadline=300,
    )
)
operations.register(
    operations.Kind(
        "real_server.drain",
        "lvs.tasks.drain_real_server",
        _("Drain"),
        "virtual_service.manage",
        deadline=90_000,
        undoes_on_cancel=True,
    )
)
operations.register(
    operations.Kind(
        "director.sweep_probe",
        "lvs.tasks.sweep_probe",
        _("Take back what a probe left"),
        "director.apply",
        deadline=300,
    )
)
operations.register(
    operations.Kind(
        "real_server.prepare",
        "lvs.tasks.prepare_real_server",
        _("Prepare real server"),
        "director.apply",
        deadline=600,
    )
)
alerts.register(
    alerts.AlertKind(
        "real-server-drift",
        Alert.Severity.WARNING,
        _("%(target)s is no longer prepared as a real server"),
        _("Planned changes that would mend it: %(count)s. Policy: %(policy)s."),
        runbook="real-server-drift",
    )
)
alerts.register(
    alerts.AlertKind(
        "director-drift",
        Alert.Severity.WARNING,
        _("%(target)s differs from what is declared"),
        _("Planned changes that would mend it: %(count)s. Policy: %(policy)s."),
        runbook="director-drift",
    )
)
alerts.register(
    alerts.AlertKind(
        "reconcile-stopped",
        Alert.Severity.CRITICAL,
        _("The reconciler has stopped on %(target)s"),
        _("It failed %(failures)s times in a row. The last error was: %(error)s"),
        runbook="reconcile-stopped",
    )
)
alerts.register(
    alerts.AlertKind(
        "real-server-unreachable-through-path",
        Alert.Severity.WARNING,
        _("%(target)s: real servers are not reached through their path"),
        _("Two proofs in a row got no answer through the forwarding path from: %(servers)s."),
        runbook="real-server-unreachable-through-path",
    )
)
alerts.register(
    alerts.AlertKind(
        "vip-stolen",
        Alert.Severity.CRITICAL,
        _("%(target)s: another machine answers for the VIP"),
        _(
            "Two proofs in a row heard another machine than the director answer for %(vip)s:"
            " %(who)s."
        ),
        runbook="vip-stolen",
    )
)
