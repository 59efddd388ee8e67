"""Which forwarding method suits a service, asked of what the database knows."""

from __future__ import annotations

from collections.abc import Iterable

from django.utils.translation import gettext_lazy as _

from console.metrics import reading
from lvs import situations
from lvs.measures import SERVICE
from lvs.models import RealServer, VirtualService
from lvs.topology.advisor import Advice, Fit, Question, advise

#: Answers are much larger than requests from this ratio on.
_MOSTLY_OUT = 4
#: Bytes that must have been counted before a ratio says anything.
_ENOUGH = 1_000_000

FITS = {
    Fit.BEST: ("ok", _("recommended")),
    Fit.POSSIBLE: ("info", _("possible")),
    Fit.UNSUITABLE: ("bad", _("would not work")),
}


def advice_on(
    service: VirtualService,
    servers: Iterable[RealServer],
    *,
    is_mostly_out: bool | None = None,
    needs_client_address: bool | None = None,
) -> tuple[Advice, ...]:
    """Every method, the most suitable first. Rows need not be saved yet. Where nobody says
    whether much more goes out than comes in, the counters do."""
    if is_mostly_out is None and service.pk is not None:
        is_mostly_out = counted_mostly_out(service)
    situation = situations.situation_of(service, servers)
    return advise(Question(situation, is_mostly_out, needs_client_address))


def counted_mostly_out(service: VirtualService) -> bool | None:
    """Whether the counters of a service show much more out than in; None where they cannot:
    answers by DR and TUN do not pass the director."""
    found = reading.latest(SERVICE, [service.pk]).get(service.pk)
    if found is None:
        return None
    incoming, outgoing = found.readings.get("in_bytes"), found.readings.get("out_bytes")
    if not incoming or not outgoing or incoming + outgoing < _ENOUGH:
        return None
    return outgoing >= _MOSTLY_OUT * incoming
