"""The kernel's own kinds of operations and alerts."""

from django.utils.translation import gettext_lazy as _

from console import alerts, operations
from console.models import Alert

operations.register(
    operations.Kind(
        "host.scan_key",
        "console.tasks.scan_host_key",
        _("Read the host key"),
        "host.manage",
        deadline=120,
    )
)
operations.register(
    operations.Kind(
        "host.preflight",
        "console.tasks.preflight_host",
        _("Preflight"),
        "host.manage",
        deadline=300,
    )
)
alerts.register(
    alerts.AlertKind(
        "host-key-changed",
        Alert.Severity.CRITICAL,
        _("%(target)s shows another host key"),
        _(
            "The pinned key is %(pinned)s, the machine showed %(offered)s. All work on it has"
            " stopped until somebody compares the two and accepts or refuses the new one."
        ),
        runbook="host-key-changed",
    )
)
alerts.register(
    alerts.AlertKind(
        "host-unreachable",
        Alert.Severity.WARNING,
        _("%(target)s cannot be reached"),
        _("The last try said: %(error)s. What was seen of it before stays as it was."),
        runbook="host-unreachable",
    )
)
