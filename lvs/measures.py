"""What is measured of load balancing: the metrics, their names and units."""

from __future__ import annotations

from django.utils.translation import gettext_lazy as _

from console.metrics.families import Family, Metric, register
from lvs.models import Director, RealServer, VirtualService

#: Counters of the kernel in its own order (`ipvsadm -Ln --stats`), then the connections.
_METRICS = (
    Metric("connections", _("New connections"), "1/s"),
    Metric("in_packets", _("Packets in"), "1/s"),
    Metric("out_packets", _("Packets out"), "1/s"),
    Metric("in_bytes", _("Bytes in"), "B/s"),
    Metric("out_bytes", _("Bytes out"), "B/s"),
    Metric("active", _("Active connections"), "", is_counter=False),
    Metric("inactive", _("Inactive connections"), "", is_counter=False),
)
_BUCKETS = Metric("buckets", _("Buckets of the connection table"), "", is_counter=False)

DIRECTOR = register(Family(Director._meta.label_lower, (*_METRICS, _BUCKETS)))
SERVICE = register(Family(VirtualService._meta.label_lower, _METRICS))
SERVER = register(Family(RealServer._meta.label_lower, _METRICS))

#: What counts answers: nothing where those do not pass the director.
OUTGOING = frozenset({"out_packets", "out_bytes"})
